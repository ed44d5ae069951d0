package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// Outcome is what the rules made of an incident.
type Outcome struct {
	Applied []enforcement.Subject // newly blocked
}

// Record looks at what came of an attempt, or at anything else that happened. It is called after the answer was given.
func (g *Guard) Record(ctx context.Context, i *enforcement.Incident) (o Outcome) {
	s := g.setup.Load()
	if s.ModeIn(i.Actor.Guild) == enforcement.Disabled || !fed(i.Type) {
		return o
	}
	now := g.p.Now()
	for _, f := range g.evaluate(ctx, s, s.events, i, now) {
		if f.err != nil {
			g.broken(ctx, f.rule, 0, i.Route, f.err)
			continue
		}
		applied, _ := g.act(ctx, s, f.rule, i, f.subject, now)
		o.Applied = append(o.Applied, applied...)
	}
	return o
}

// atIngress lets the rules look that look before the handler.
func (g *Guard) atIngress(ctx context.Context, s *setup, a *Attempt, now time.Time, v enforcement.Verdict) enforcement.Verdict {
	i := enforcement.Incident{Type: enforcement.IngressDiscord, Actor: a.Actor, Route: a.Route, Fields: a.Fields}
	if a.HTTP {
		i.Type = enforcement.IngressHTTP
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	for _, f := range g.evaluate(ctx, s, s.ingress, &i, now) {
		if f.err != nil {
			mode := s.ModeOf(a.Route)
			if s.shadows(a.Actor.Guild) || g.protects(s, &a.Actor) {
				mode = enforcement.Open
			}
			g.broken(ctx, f.rule, mode, a.Route, f.err)
			if v.Degraded = mode; mode == enforcement.Closed {
				g.done.denied.Add(1)
				return enforcement.Verdict{Deny: true, Status: s.Status, Message: s.Message, Degraded: mode}
			}
			continue
		}
		if _, by := g.act(ctx, s, f.rule, &i, f.subject, now); by != nil {
			return g.refusal(s, f.rule, by, now)
		}
	}
	return v
}

// refusal is the answer to the attempt that made a rule fire.
func (g *Guard) refusal(s *setup, r *rule, by *enforcement.Block, now time.Time) enforcement.Verdict {
	g.done.denied.Add(1)
	v := enforcement.Verdict{
		Deny: true, Status: s.Status, Message: s.Message, Reason: by.Reason, Block: by.ID, Rule: by.Rule, End: by.End, By: by.Subject, Permanent: by.Permanent(),
		RetryAfter: by.Remaining(now),
	}
	if r.Action.Status != 0 {
		v.Status = r.Action.Status
	}
	if r.Action.Message != "" {
		v.Message = r.Action.Message
	}
	return v
}

var errRule = errors.New("the evaluation failed")

// found is a rule that fired, and about whom, or that failed.
type found struct {
	rule    *rule
	subject string
	err     error
	tally   int // its place among the tallies; -1: it does not count
	needs   int // how many make it fire
}

// evaluate gives the rules that fire or fail, in their order. All that they count is counted in one go. A panic is an error of its rule
// alone.
func (g *Guard) evaluate(ctx context.Context, s *setup, rules []*rule, i *enforcement.Incident, now time.Time) []found {
	var all []found
	var tallies []enforcement.Tally
	for _, r := range rules {
		f, t := g.weigh(s, r, i)
		switch {
		case f.rule == nil:
			continue
		case t.Subject != "":
			f.tally = len(tallies)
			tallies = append(tallies, t)
		}
		all = append(all, f)
	}
	counted := g.counted(ctx, now, tallies)
	return slices.DeleteFunc(all, func(f found) bool {
		return f.tally >= 0 && (counted == nil || counted[f.tally] < f.needs)
	})
}

// weigh says what a rule makes of an incident, and what it wants counted for that.
func (g *Guard) weigh(s *setup, r *rule, i *enforcement.Incident) (f found, t enforcement.Tally) {
	if r.failures.Load() >= offAfter {
		return f, t
	}
	concerned := false // what does not concern a rule says nothing about whether it works
	defer func() {
		if recover() != nil {
			f, t = found{rule: r, err: errRule, tally: -1}, enforcement.Tally{}
		}
		if f.err == nil && concerned {
			r.failures.Store(0)
		}
	}()
	if !r.Matches(i) {
		return f, t
	}
	concerned = true
	if r.Crash {
		return found{rule: r, err: errRule, tally: -1}, t
	}
	n, counts := r.Count, r
	if r.source != nil {
		counts, t.Read = r.source, true
		if n == nil {
			n = counts.Count
		}
	}
	if n == nil {
		return found{rule: r, subject: g.subjectOf(s, []enforcement.Scope{enforcement.User}, i), tally: -1}, t
	}
	subject := g.subjectOf(s, counts.Count.By, i)
	if subject == "" {
		return f, t
	}
	if counts.Count.Distinct != "" && !t.Read {
		value, there := i.ValueOf(counts.Count.Distinct)
		if !there {
			return f, t
		}
		t.Value = hash32(value)
	}
	t.Subject, t.Slot, t.Need, t.Window, t.Kind = subject, counts.slot, counts.need, counts.Count.Window, counts.Count.KindOf(counts.need)
	return found{rule: r, subject: subject, needs: n.Threshold}, t
}

// subjectOf is the subject in all of the scopes together, as text; empty if the actor has none in one of them.
func (g *Guard) subjectOf(s *setup, scopes []enforcement.Scope, i *enforcement.Incident) string {
	parts := make([]string, 0, 2)
	for _, scope := range scopes {
		sub, ok := g.derive(s, scope, i)
		if !ok {
			return ""
		}
		parts = append(parts, sub.String())
	}
	return strings.Join(parts, together)
}

func (g *Guard) derive(s *setup, scope enforcement.Scope, i *enforcement.Incident) (enforcement.Subject, bool) {
	if scope == enforcement.Session && s.NoSessions {
		return enforcement.Subject{}, false
	}
	return i.Actor.Derive(scope, i.Route, s.IPv6Prefix)
}

// broken counts a failure of a rule; after so many in a row it is off, with an alarm.
func (g *Guard) broken(ctx context.Context, r *rule, mode enforcement.FailMode, route string, err error) {
	now := g.p.Now()
	n := r.failures.Add(1)
	g.p.Emit(enforcement.Event{Type: enforcement.EvaluationFailed, At: now, Rule: r.Name, Severity: r.Severity, FailMode: mode, Error: "rule", Route: route})
	if n == offAfter {
		g.p.Log.ErrorContext(ctx, "a rule failed too often and is off", "rule", r.Name, "failures", n, "error", err)
		g.p.Emit(enforcement.Event{
			Type: enforcement.Alert, At: now, Rule: r.Name, Severity: r.Severity, Action: "rule_off",
			Reason: fmt.Sprintf("the rule failed %d times in a row and is off until the rules are loaded again", n),
		})
	}
}

// act does what the rule does when it fires. It returns whom it blocked, and the block that denies the present attempt.
func (g *Guard) act(ctx context.Context, s *setup, r *rule, i *enforcement.Incident, subject string, now time.Time) (applied []enforcement.Subject, by *enforcement.Block) {
	told := enforcement.Event{At: now, Rule: r.Name, Severity: r.Severity, Route: i.Route, Action: r.Action.Do.String()}
	told.Of(&i.Actor)
	for _, scope := range r.Targets() {
		if sub, ok := g.derive(s, scope, i); ok {
			told.Subject = sub
			break
		}
	}
	switch {
	case r.Action.Do == enforcement.Observe || (s.shadows(i.Actor.Guild) && !r.Action.Do.Blocks()):
		told.Type = enforcement.Shadow
	case r.Action.Do == enforcement.AlertOnly:
		told.Type = enforcement.Alert
	case r.Action.Do == enforcement.Contain:
		told.Type = enforcement.Alert
	}
	if told.Type != 0 {
		if !g.marks.first(r.id, subject, now, now.Add(r.Quiet())) {
			return nil, nil
		}
		g.p.Emit(told)
		if r.Action.Do == enforcement.Contain && told.Type == enforcement.Alert {
			g.contains(ctx, s, r, i)
		}
		return nil, nil
	}
	if r.Cooldown > 0 && g.marks.silent(r.id, subject, now) {
		return nil, nil
	}
	return g.blockAll(ctx, s, r, i, subject, told)
}

// blockAll blocks the actor in each scope of the rule that it has.
func (g *Guard) blockAll(ctx context.Context, s *setup, r *rule, i *enforcement.Incident, subject string, told enforcement.Event) (applied []enforcement.Subject, by *enforcement.Block) {
	var targets []enforcement.Subject
	for _, scope := range r.Targets() {
		if sub, ok := g.derive(s, scope, i); ok && !slices.Contains(targets, sub) {
			targets = append(targets, sub)
		}
	}
	if len(targets) == 0 {
		told.Type = enforcement.Unscoped
		if g.marks.first(r.id, subject, told.At, told.At.Add(r.Quiet())) {
			g.p.Emit(told)
		}
		return nil, nil
	}
	for _, sub := range targets {
		o := Order{
			Subject: sub, Message: r.Action.Message, Status: r.Action.Status, Rule: r.Name, Force: true, Whom: i.Actor,
			By: storage.Author{Actor: "rule:" + r.Name, Origin: "rule", Reason: "the rule " + r.Name + " fired", At: told.At},
		}
		if g.protects(s, &i.Actor) || s.Immune.Covers(sub) {
			if g.marks.first(-r.id, sub.String(), told.At, told.At.Add(max(time.Hour, r.Quiet()))) {
				g.refuse(ctx, &o)
			}
			continue
		}
		e := g.index.find(enforcement.Global, &sub)
		if e != nil && e.active(told.At.UnixMicro()) && e.words.rule == r.Name {
			b := e.asBlock()
			by = first(by, &b)
			continue
		}
		if o.TTL = r.Lifetime(&s.Config, g.strikes(ctx, r, sub, told.At)); o.TTL == enforcement.Forever {
			o.TTL = 0
		}
		if s.shadows(i.Actor.Guild) {
			g.shadow(r, sub, &o, told)
			continue
		}
		c, err := g.block(ctx, &o)
		if err != nil {
			told.Type, told.Error = enforcement.EvaluationFailed, "store"
			g.tell(told, "rule\x00"+r.Name)
			continue
		}
		if c.What != storage.BlockKept {
			applied = append(applied, sub)
		}
		by = first(by, &c.Block)
	}
	if r.Cooldown > 0 && by != nil {
		g.marks.first(r.id, subject, told.At, told.At.Add(r.Cooldown))
	}
	return applied, by
}

func first(a, b *enforcement.Block) *enforcement.Block {
	if a != nil {
		return a
	}
	return b
}

// shadow tells of a block that is not made, once as long as it would have lasted.
func (g *Guard) shadow(r *rule, sub enforcement.Subject, o *Order, told enforcement.Event) {
	until := told.At.Add(o.TTL)
	told.Type, told.Subject, told.Action, told.TTL = enforcement.Shadow, sub, "temp", o.TTL
	if o.TTL == 0 {
		told.Action, until = "permanent", told.At.AddDate(100, 0, 0)
	}
	if g.marks.first(r.id, sub.String(), told.At, until) {
		g.p.Emit(told)
	}
}

// strikes is how many blocks of the subject the rule's ladder remembers. While the store is away the ladder begins anew: a shorter
// block than deserved does less harm than one that nobody can explain.
func (g *Guard) strikes(ctx context.Context, r *rule, sub enforcement.Subject, now time.Time) int {
	if len(r.Escalate) == 0 {
		return 0
	}
	n, err := g.p.Store.BlockStrikes(ctx, snowflake.ID(0), sub.Scope.String(), sub.Value(), r.Name, now.Add(-enforcement.LadderMemory))
	if err != nil {
		g.p.Log.WarnContext(ctx, "the ladder of a rule cannot be read", "rule", r.Name, "error", err)
		return 0
	}
	return n
}

// contains asks for the roles of the actor to be taken. How often that may be is the container's to say: it remembers across restarts.
func (g *Guard) contains(ctx context.Context, s *setup, r *rule, i *enforcement.Incident) {
	if g.p.Contain == nil || i.Actor.Guild == 0 || i.Actor.User == 0 || g.protects(s, &i.Actor) {
		return
	}
	if err := g.p.Contain.Contain(ctx, i.Actor.Guild, i.Actor.User, r.Name); err != nil {
		g.p.Log.ErrorContext(ctx, "contain was refused", "rule", r.Name, "error", err)
	}
}
