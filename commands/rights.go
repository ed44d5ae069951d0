package commands

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// What something does, and so on what its rights may rest. everybody needs no right, reads and stops may rest on rights that were seen
// lately, orders on rights as they are now or that do not depend on Auth, and loosens on nothing while Auth cannot be asked.
const (
	everybody reconcile.Deed = 0
	reads                    = reconcile.Reading
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
	if err != nil {
		return nil, err
	}
	if missing := n.judge(s); missing != nil {
		return nil, x.refusal(*missing)
	}
	return s, nil
}

func (x *call) asker() reconcile.Asker {
	return reconcile.Asker{Caller: x.caller, ManageServer: x.manages}
}

// judge is what is missing first; nil: nothing.
func (n need) judge(s *reconcile.Standing) *reconcile.Answer {
	for _, r := range n.all {
		if a := s.AskTo(n.sort, r); !a.Held {
			return &a
		}
	}
	if len(n.any) > 0 {
		if a := s.AskAny(n.sort, n.any...); !a.Held {
			return &a
		}
	}
	return nil
}

// refusal names the missing right and who can give it.
func (x *call) refusal(missing reconcile.Answer) error {
	args := i18n.Args{"Right": x.Right(missing.Right), "Code": code(missing.Right.String())}
	if missing.AuthAway {
		return &lacking{problem.New(problem.Refused, x.T(i18n.FrameAuthAway, args), x.T(i18n.FrameAuthAwayCure)), codeAuthAway}
	}
	var cures []string
	if missing.Ground.Ground == audit.SeveralUsers {
		cures = append(cures, x.T(i18n.FrameSeveralUsers))
	}
	if missing.Givers.AuthAdmins {
		cures = append(cures, x.T(i18n.FrameGrantAuth, args))
	}
	cures = append(cures, x.T(i18n.FrameGrantOwn, args))
	if people := append(slices.Clone(missing.Givers.Operators), missing.Givers.Holders...); len(people) > 0 {
		slices.Sort(people)
		var names []string
		for _, id := range slices.Compact(people)[:min(len(people), mostGivers)] {
			names = append(names, mentionMember(id))
		}
		cures = append(cures, x.T(i18n.FrameGivers, i18n.Args{"People": x.List(names)}))
	}
	if missing.Deed == stops {
		cures = append(cures, x.T(i18n.FrameOrManage))
	}
	return &lacking{problem.New(problem.Refused, x.T(i18n.FrameLacksRight, args), joinLines(cures...)), "permission_denied"}
}

// codeAuthAway is a refusal that stands only as long as Auth cannot be asked.
const codeAuthAway = "auth_unreadable"

// mostGivers is how many people a refusal names.
const mostGivers = 5

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
	return n.judge(known.standing) == nil
}
