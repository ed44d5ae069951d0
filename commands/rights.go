package commands

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// sort says what something does, and so on what its rights may rest. The list is closed.
type sort int

const (
	everybody sort = iota // needs no right
	reads                 // and
	stops                 // also on rights that were seen lately, while Auth cannot be asked
	orders                // only on rights as they are now, or that do not depend on Auth
	loosens               // never while Auth cannot be asked
)

// need is what somebody must hold to do something.
type need struct {
	sort   sort
	all    []audit.Right
	any    []audit.Right // one of these; none: nothing more
	manage bool          // Discord's Manage Server is enough
}

// and adds what another need asks for; the stricter sort wins.
func (n need) and(other need) need {
	n.sort = max(n.sort, other.sort)
	n.all = append(slices.Clone(n.all), other.all...)
	if len(n.any) == 0 {
		n.any = other.any
	}
	n.manage = n.manage && other.manage
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
const rightsWithin = 2 * time.Second

// may refuses whoever does not hold what is needed, with the missing right and who can give it.
func (x *call) may(ctx context.Context, n need) (err error) {
	if n.sort == everybody || n.manage && x.manages {
		return nil
	}
	s, err := x.cfg.Rights.Of(ctx, x.guild, x.caller)
	if err != nil {
		return x.noRights(err)
	}
	missing, why, ok := n.judge(s)
	if ok {
		return nil
	}
	return x.refusal(n, missing, why)
}

func (x *call) noRights(err error) error {
	defer wrap.Err(&err, "rights of %s", x.actor())
	return err
}

// judge says which right is missing first, and what is known about it.
func (n need) judge(s Standing) (missing audit.Right, why Holding, ok bool) {
	ask := func(r audit.Right) (Holding, bool) {
		switch n.sort {
		case loosens:
			h := s.Loosens(r)
			return h, h.Held
		case orders:
			h := s.Ask(r)
			return h, h.Held && h.Age == 0
		case reads, stops, everybody:
		}
		h := s.Ask(r)
		return h, h.Held
	}
	for _, r := range n.all {
		if h, held := ask(r); !held {
			return r, h, false
		}
	}
	for i, r := range n.any {
		h, held := ask(r)
		if held {
			return 0, Holding{}, true
		}
		if i == 0 {
			missing, why = r, h
		}
	}
	return missing, why, len(n.any) == 0
}

// refusal names the missing right and who can give it.
func (x *call) refusal(n need, missing audit.Right, why Holding) error {
	args := i18n.Args{"Right": x.Right(missing), "Code": code(missing.String())}
	what := x.T(i18n.FrameLacksRight, args)
	refusal := "permission_denied"
	cure := x.T(i18n.FrameGrantOwn, args)
	if missing.InAuth() {
		cure = x.T(i18n.FrameGrantAuth, args)
	}
	switch {
	case why.AuthAway || why.Ground == audit.AuthUnreadable || why.Held:
		refusal = "auth_unreadable"
		what, cure = x.T(i18n.FrameAuthAway, args), x.T(i18n.FrameAuthAwayCure)
	case why.Ground == audit.SeveralUsers:
		cure = x.T(i18n.FrameSeveralUsers)
	}
	if n.manage {
		cure = joinLines(cure, x.T(i18n.FrameOrManage))
	}
	return &lacking{problem.New(problem.Refused, what, cure), refusal}
}

// recent keeps for a moment what somebody may do, for whoever is typing: a list of choices is made at every letter.
type recent struct {
	mu   sync.Mutex
	seen map[typist]seenStanding
}

type typist struct{ guild, user snowflake.ID }

type seenStanding struct {
	standing Standing
	at       time.Time
}

const (
	recentFor  = 20 * time.Second
	mostRecent = 500
)

// mayTyping is may for whoever is typing.
func (x *call) mayTyping(ctx context.Context, n need) bool {
	if n.sort == everybody || n.manage && x.manages {
		return true
	}
	who, now := typist{x.guild, x.caller.Discord}, x.now()
	x.recent.mu.Lock()
	known, ok := x.recent.seen[who]
	x.recent.mu.Unlock()
	if !ok || now.Sub(known.at) > recentFor || now.Before(known.at) {
		s, err := x.cfg.Rights.Of(ctx, x.guild, x.caller)
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
	_, _, held := n.judge(known.standing)
	return held
}
