package commands

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// What something does, and so on what its rights may rest. everybody needs no right, reads, guards and stops may rest on rights that were
// seen lately, orders on rights as they are now or that do not depend on Auth, and loosens on nothing while Auth cannot be asked.
const (
	everybody reconcile.Deed = 0
	reads                    = reconcile.Reading
	guards                   = reconcile.Guarding
	stops                    = reconcile.Stopping // Discord's Manage Server is enough
	orders                   = reconcile.Ordinary
	loosens                  = reconcile.Loosening
)

// need is what somebody must hold to do something.
type need struct {
	sort reconcile.Deed
	all  []audit.Right
	any  []audit.Right // one of these; none: nothing more
}

// and adds what another need asks for; the stricter sort wins.
func (n need) and(other need) need {
	n.sort = max(n.sort, other.sort)
	n.all = append(slices.Clone(n.all), other.all...)
	if len(n.any) == 0 {
		n.any = other.any
	}
	return n
}

// needOf is what a deed needs with what was given to it.
func (x *call) needOf(d *deed) need {
	if d.more == nil {
		return d.need
	}
	n, more := d.need, d.more(x)
	if len(more.all) == 0 && len(more.any) == 0 {
		return n
	}
	return n.and(more)
}

// lacking is a refusal for want of a right. It is recorded where it is told.
type lacking struct {
	*problem.Problem
	code string
}

func (e *lacking) Unwrap() error { return e.Problem }

// rightsWithin is how long rights may take to be read while a first answer waits for them.
const rightsWithin = 1800 * time.Millisecond

// may refuses whoever does not hold what is needed, with the missing right and who can give it.
func (x *call) may(ctx context.Context, n need) (err error) {
	_, err = x.standing(ctx, n)
	return err
}

// standing is may for who has more to ask.
func (x *call) standing(ctx context.Context, n need) (_ *reconcile.Standing, err error) {
	defer wrap.Err(&err, "rights of %s", x.actor())
	if n.sort == everybody {
		return nil, nil //nolint:nilnil // nothing needed to be asked
	}
	s, err := x.cfg.Rights.Of(ctx, x.guild, x.asker())
	if err == nil {
		x.lately.keep(typist{x.guild, x.caller.Discord}, seenStanding{s, x.now()})
	} else if s = x.lately.of(typist{x.guild, x.caller.Discord}, x.now()); s == nil || n.sort != guards {
		return nil, err
	} else {
		x.log.WarnContext(ctx, "rights cannot be read; those that were seen lately count", "user", x.caller.Discord, "error", err)
	}
	if missing := n.judge(s); len(missing) > 0 {
		return nil, x.refusal(missing)
	}
	return s, nil
}

func (x *call) asker() reconcile.Asker {
	return reconcile.Asker{Caller: x.caller, ManageServer: x.manages}
}

// judge is what is missing.
func (n need) judge(s *reconcile.Standing) (missing []reconcile.Answer) {
	for _, r := range n.all {
		if a := s.AskTo(n.sort, r); !a.Held {
			missing = append(missing, a)
		}
	}
	if len(n.any) > 0 {
		if a := s.AskAny(n.sort, n.any...); !a.Held {
			missing = append(missing, a)
		}
	}
	return missing
}

// refusal names each missing right, and who can give it.
func (x *call) refusal(missing []reconcile.Answer) error {
	var lacks, cures []string
	once := func(text string) {
		if !slices.Contains(cures, text) {
			cures = append(cures, text)
		}
	}
	for _, m := range missing {
		args := i18n.Args{"Right": x.Right(m.Right), "Code": code(m.Right.String())}
		if m.AuthAway {
			return &lacking{problem.New(problem.Refused, x.T(i18n.FrameAuthAway, args), x.T(i18n.FrameAuthAwayCure)), codeAuthAway}
		}
		lacks = append(lacks, x.T(i18n.FrameLacksRight, args))
		if m.Ground.Ground == audit.SeveralUsers {
			once(x.T(i18n.FrameSeveralUsers))
		}
		if m.Givers.AuthAdmins {
			once(x.T(i18n.FrameGrantAuth, args))
		}
		once(x.T(i18n.FrameGrantOwn, args))
		if m.Deed == stops {
			once(x.T(i18n.FrameOrManage))
		}
	}
	if people := givers(missing); people != "" {
		once(x.T(i18n.FrameGivers, i18n.Args{"People": people}))
	}
	return &lacking{problem.New(problem.Refused, joinLines(lacks...), joinLines(cures...)), "permission_denied"}
}

// givers are some of those who can give what is missing.
func givers(missing []reconcile.Answer) string {
	var people []snowflake.ID
	for _, m := range missing {
		people = append(append(people, m.Givers.Operators...), m.Givers.Holders...)
	}
	slices.Sort(people)
	people = slices.Compact(people)
	names := make([]string, 0, mostGivers)
	for _, id := range people[:min(len(people), mostGivers)] {
		names = append(names, mentionMember(id))
	}
	return strings.Join(names, ", ")
}

// codeAuthAway is a refusal that stands only as long as Auth cannot be asked.
const codeAuthAway = "auth_unreadable"

// mostGivers is how many people a refusal names.
const mostGivers = 5

// lately keeps what people might do when they were asked last, for what must be possible while our own database is away: to keep somebody
// out for a while.
type lately struct {
	mu   sync.Mutex
	seen map[typist]seenStanding
}

// mostLately is of how many people it is kept.
const mostLately = 1000

func (l *lately) keep(who typist, s seenStanding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil || len(l.seen) >= mostLately {
		l.seen = map[typist]seenStanding{}
	}
	l.seen[who] = s
}

// of is what was seen of somebody, if that is young enough; nil: nothing.
func (l *lately) of(who typist, now time.Time) *reconcile.Standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, known := l.seen[who]; known && now.Sub(s.at) < reconcile.RightsKnownFor && !now.Before(s.at) {
		return s.standing
	}
	return nil
}

// recent keeps for a moment what somebody may do, for whoever is typing: a list of choices is made at every letter.
type recent struct {
	mu   sync.Mutex
	seen map[typist]seenStanding
}

type typist struct{ guild, user snowflake.ID }

type seenStanding struct {
	standing *reconcile.Standing
	at       time.Time
}

const (
	recentFor  = 20 * time.Second
	mostRecent = 500
)

// mayTyping is may for whoever is typing.
func (x *call) mayTyping(ctx context.Context, n need) bool {
	if n.sort == everybody {
		return true
	}
	who, now := typist{x.guild, x.caller.Discord}, x.now()
	x.recent.mu.Lock()
	known, ok := x.recent.seen[who]
	x.recent.mu.Unlock()
	if !ok || now.Sub(known.at) > recentFor || now.Before(known.at) {
		s, err := x.cfg.Rights.Of(ctx, x.guild, x.asker())
		if err != nil {
			return false
		}
		known = seenStanding{s, now}
		x.recent.mu.Lock()
		if x.recent.seen == nil || len(x.recent.seen) >= mostRecent {
			x.recent.seen = map[typist]seenStanding{}
		}
		x.recent.seen[who] = known
		x.recent.mu.Unlock()
	}
	return len(n.judge(known.standing)) == 0
}
