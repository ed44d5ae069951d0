package commands

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// whyCommand tells members about themselves: their link, their access, what would mend it, and what was taken from them. It asks
// nobody: it goes by what the last look knew. It never tells of alerts, of who granted what, or of accounts other than their own.
func whyCommand() command {
	return command{name: "why", alone: &deed{name: "why", need: need{sort: everybody}, do: why}}
}

const (
	whyMost   = 3 // for one member
	whyWithin = 10 * time.Minute
)

func why(ctx context.Context, x *call) (*answer, error) {
	if next, ok := x.whyAsked.admit(x.guild, x.caller.Discord, x.now()); !ok {
		// Not a refusal for want of a right: nothing is recorded of it.
		return nil, problem.New(problem.Held, x.N(i18n.WhyTooOften, whyMost, i18n.Args{"Within": x.Duration(whyWithin)}), x.T(i18n.WhyTooOftenCure, i18n.Args{"At": stamp(next)}))
	}
	look := x.house.Engine.Remembered()
	if look == nil {
		return nil, problem.New(problem.Held, x.T(i18n.WhyUnknown), x.T(i18n.WhyUnknownCure))
	}
	past, err := x.cfg.Store.MemberActions(ctx, x.guild, x.caller.Discord, storage.Page{Limit: 20})
	if err != nil {
		return nil, err
	}
	return ownAccess(x.Printer, look, x.caller, past), nil
}

// ownAccess is what a member is told about themselves.
func ownAccess(p *i18n.Printer, look *reconcile.Look, who audit.Caller, past []storage.Action) *answer {
	m := memberOf(look.Scene, who)
	class := audit.Classify(look.Scene.Facts(m))
	says, cure := ownStanding(&class)
	a := &answer{title: p.T(i18n.WhyTitle), text: p.T(says)}
	if class.Category == audit.LinkedNoPerm || class.Category == audit.UnknownGuest {
		a.tone = toneWarn
	}
	a.fields = []field{
		{name: p.T(i18n.WhyLink), value: ownLink(p, look.Scene, m)},
		{name: p.T(i18n.WhyRoles), value: ownRoles(p, look.Scene, m, &class)},
		{name: p.T(i18n.WhyCure), value: p.T(cure)},
		{name: p.T(i18n.WhyTaken), value: ownPast(p, past)},
		{name: p.T(i18n.WhyAsOf), value: stamp(look.At)},
	}
	return a
}

// memberOf is whoever asks, with the roles that Discord says they hold at this very moment.
func memberOf(s *audit.Scene, who audit.Caller) audit.Member {
	m := audit.Member{ID: who.Discord}
	for _, id := range who.Roles {
		for i, r := range s.Guild.Roles {
			if r.ID == id {
				m.Roles = m.Roles.With(i)
			}
		}
	}
	return m
}

// ownStanding says how somebody stands, and what they can do about it. That an account is known as an earlier one of somebody is not
// told: it says something about another account.
func ownStanding(c *audit.Class) (says, cure i18n.Key) {
	switch {
	case c.Category == audit.BotFiltered:
		return i18n.WhyBot, i18n.WhyCureNone
	case c.Category == audit.Undecidable:
		return i18n.WhyUndecidable, i18n.WhyCureWait
	case c.Category == audit.UnknownGuest, c.Reasons.Has(audit.OldAccount):
		return i18n.WhyNotLinked, i18n.WhyCureLink
	case c.Category == audit.LinkedNoPerm && c.Reasons.Has(audit.Deactivated):
		return i18n.WhyDeactivated, i18n.WhyCureActivate
	case c.Category == audit.LinkedNoPerm:
		return i18n.WhyNoAccess, i18n.WhyCureAccess
	case c.Category == audit.SurplusRoles:
		return i18n.WhySurplus, i18n.WhyCureSurplus
	case c.Category == audit.MissingRoles:
		return i18n.WhyMissing, i18n.WhyCureMissing
	}
	return i18n.WhyInOrder, i18n.WhyCureNone
}

// ownLink names the Auth account that is linked, if there is exactly one: of several, nobody can say which is theirs.
func ownLink(p *i18n.Printer, s *audit.Scene, m audit.Member) string {
	linked := s.Auth.Linked(m.ID)
	switch len(linked) {
	case 0:
		return p.T(i18n.WhyLinkNone)
	case 1:
	default:
		return p.T(i18n.WhyLinkSeveral)
	}
	a := &s.Auth.Accounts[linked[0]]
	name := plain(a.Main.Name)
	if name == "" {
		name = plain(a.Username)
	}
	state := s.Auth.StateName(a)
	if state == "" {
		return p.T(i18n.WhyLinkNoProfile, i18n.Args{"Name": name})
	}
	return p.T(i18n.WhyLinkOne, i18n.Args{"Name": name, "State": plain(state)})
}

// ownRoles are the managed roles that somebody holds without Auth giving them, and those that Auth gives and they lack.
func ownRoles(p *i18n.Printer, s *audit.Scene, m audit.Member, c *audit.Class) string {
	surplus := c.Surplus
	if c.Category == audit.UnknownGuest || c.Category == audit.LinkedNoPerm {
		surplus = m.Roles.And(s.Managed())
	}
	var lines []string
	if names := roleList(s, surplus); names != "" {
		lines = append(lines, p.T(i18n.WhyRolesSurplus, i18n.Args{"Roles": names}))
	}
	missing := roleList(s, c.Missing)
	for _, name := range c.Absent {
		missing = joinWith(", ", missing, quoted(name))
	}
	if missing != "" {
		lines = append(lines, p.T(i18n.WhyRolesMissing, i18n.Args{"Roles": missing}))
	}
	if len(lines) == 0 {
		return p.T(i18n.WhyRolesFine)
	}
	return strings.Join(lines, "\n")
}

func roleList(s *audit.Scene, set audit.RoleSet) string {
	var names []string
	for i := range set.All() {
		names = append(names, mentionRole(s.Guild.Roles[i].ID))
	}
	return strings.Join(names, ", ")
}

// ownPast is what was taken from somebody by gatecamp; who ordered it is not theirs to know.
func ownPast(p *i18n.Printer, past []storage.Action) string {
	var lines []string
	for _, a := range past {
		if result, _ := audit.ParseResult(a.Outcome); result == audit.Done || result == audit.Collateral {
			lines = append(lines, stamp(a.Intended)+": "+pastWords(p, a))
		}
	}
	if len(lines) == 0 {
		return p.T(i18n.WhyTakenNothing)
	}
	return strings.Join(lines[:min(len(lines), pastShown)], "\n")
}

// allowance lets each member do something so many times in a stretch of time. It is in memory: it only spares work.
type allowance struct {
	most   int
	within time.Duration

	mu   sync.Mutex
	used map[typist][]time.Time
}

// admit takes one; if none is left, it says when the next will be.
func (a *allowance) admit(guild, user snowflake.ID, now time.Time) (next time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who := typist{guild, user}
	if a.used == nil || len(a.used) > mostRecent {
		a.used = a.fresh(now)
	}
	var kept []time.Time
	for _, t := range a.used[who] {
		if now.Sub(t) < a.within {
			kept = append(kept, t)
		}
	}
	if len(kept) >= a.most {
		a.used[who] = kept
		return kept[0].Add(a.within), false
	}
	a.used[who] = append(kept, now)
	return time.Time{}, true
}

// fresh are those who have used some of theirs lately.
func (a *allowance) fresh(now time.Time) map[typist][]time.Time {
	kept := map[typist][]time.Time{}
	for who, times := range a.used {
		if now.Sub(times[len(times)-1]) < a.within {
			kept[who] = times
		}
	}
	return kept
}
