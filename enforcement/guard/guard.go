// Package guard asks before a handler whether its caller is kept out, and looks after it at what came of it. Every block is in
// process as one immutable view, so a check costs no round trip and no statement, however many blocks there are.
//
// What must stay true: after Unblock has returned no later check denies by that block, after Block has returned none allows; a
// failure of any kind ends in the route's fail mode, and a known block holds through all of them.
package guard

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// Deadlines. A check waits checkWithin in all, of which the copies get copiesWithin: what is promised is 50 ms, and a timer is late by a
// little. After a failure nobody asks again on the way before probeAfter.
const (
	checkWithin  = 45 * time.Millisecond
	copiesWithin = 20 * time.Millisecond
	deltaWithin  = time.Second
	writeWithin  = 5 * time.Second
	loadWithin   = time.Minute
	probeAfter   = time.Second
	tick         = 250 * time.Millisecond
	offAfter     = 10 // failures in a row of one rule
)

// Guard answers attempts and looks at incidents. All its methods may be called at once.
type Guard struct {
	p     Parts
	setup atomic.Pointer[setup]
	marks *marks
	told  *limiter
	done  done

	index  *index
	writes chan struct{} // held by the one that writes to the store

	mu       sync.Mutex // what follows, and writing to the index
	last     int64      // the newest revision that the index has
	pending  map[key]enforcement.Block
	loading  int                 // how many read everything at the moment
	meantime []enforcement.Block // what was taken since the first of them began
	unsaid   int64               // the newest revision that could not be copied
	settle   []storage.Block     // held blocks that are stored, while the copies do not know it yet
	ruleIDs  map[string]ruleID
	nextRule int

	loaded  atomic.Bool
	running atomic.Bool   // Run probes what is away, so nobody else has to
	wake    chan struct{} // for Run: something changed elsewhere
	cold    atomic.Bool   // the copies do not know from where on they are whole
	hearing singleflight.Group
	store   breaker
	copies  breaker
	counts  breaker
	stood   atomic.Int64 // incidents that were not counted since the counters are away
}

type ruleID struct {
	id    int
	slot  uint16
	count enforcement.Count
}

// setup is a configuration, ready for use.
type setup struct {
	enforcement.Config
	order   []enforcement.Scope
	ingress []*rule
	events  []*rule
}

// shadows reports whether nobody is denied in the guild, and it is only told.
func (s *setup) shadows(guild uint64) bool { return s.ModeIn(guild) == enforcement.Shadowing }

// rule is a rule with its state.
type rule struct {
	*enforcement.Rule
	id       int
	slot     uint16 // among the counts of a subject
	source   *rule  // of gates: whose count is read
	need     int    // up to which its count must be right
	failures atomic.Int32
}

// New checks the configuration and makes a guard that knows no block yet: Load comes next.
func New(c enforcement.Config, p Parts) (*Guard, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Emit == nil {
		p.Emit = func(enforcement.Event) {}
	}
	if p.Changed == nil {
		p.Changed = func(enforcement.Block) {}
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.Counts == nil {
		p.Counts = newCounters()
	}
	g := &Guard{
		p: p, marks: newMarks(), told: newLimiter(), index: newIndex(), writes: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		pending: map[key]enforcement.Block{}, ruleIDs: map[string]ruleID{},
	}
	if err := g.Configure(c); err != nil {
		return nil, err
	}
	return g, nil
}

// Configure takes another configuration at once. What rules have counted stays, unless they count differently now. A configuration
// with a mistake changes nothing.
func (g *Guard) Configure(c enforcement.Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	s := &setup{Config: c, order: c.Order()}
	byName := map[string]*rule{}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range s.Rules {
		r := &rule{Rule: &s.Rules[i]}
		byName[r.Name] = r
		if r.Count != nil {
			r.need = r.Count.Threshold
		}
		r.id, r.slot = g.numberOf(r.Rule)
		if !r.Off && r.Stage == enforcement.AtIngress {
			s.ingress = append(s.ingress, r)
		} else if !r.Off {
			s.events = append(s.events, r)
		}
	}
	for _, r := range byName {
		if r.GateOf == "" {
			continue
		}
		r.source = byName[r.GateOf]
		if r.Count != nil {
			r.source.need = max(r.source.need, r.Count.Threshold)
		}
	}
	g.setup.Store(s)
	return nil
}

// numberOf is the rule's number here, and its place among the counts: the same as long as it counts in the same way. The place is the
// same in every process that has these rules.
func (g *Guard) numberOf(r *enforcement.Rule) (id int, slot uint16) {
	var n enforcement.Count
	if r.Count != nil {
		n = *r.Count
	}
	old, known := g.ruleIDs[r.Name]
	if known && slices.Equal(old.count.By, n.By) && old.count.Window == n.Window && old.count.Fixed == n.Fixed && old.count.Distinct == n.Distinct &&
		old.count.Threshold == n.Threshold {
		return old.id, old.slot
	}
	h := hash32(fmt.Sprintf("%s %v %d %v %s %d", r.Name, n.By, n.Window, n.Fixed, n.Distinct, n.Threshold))
	slot = uint16(h ^ h>>16)
	for g.taken(slot) {
		slot++
	}
	g.nextRule++
	g.ruleIDs[r.Name] = ruleID{g.nextRule, slot, n}
	return g.nextRule, slot
}

func (g *Guard) taken(slot uint16) bool {
	for _, r := range g.ruleIDs {
		if r.slot == slot {
			return true
		}
	}
	return false
}

// Immune names those who cannot be locked out, as the configuration in force says.
func (g *Guard) Immune() enforcement.Immune { return g.setup.Load().Immune }

// Attempt is what somebody wants to do.
type Attempt struct {
	Actor  enforcement.Actor
	Route  string // the handler's template or the path
	HTTP   bool   // of the dashboard; else of Discord
	Fields map[string]any
}

// Check says whether the attempt may go on. Without a block and with a living stream it allocates nothing and asks nobody.
func (g *Guard) Check(ctx context.Context, a *Attempt) (v enforcement.Verdict) {
	s := g.setup.Load()
	if s.ModeIn(a.Actor.Guild) == enforcement.Disabled {
		return v
	}
	g.done.checks.Add(1)
	defer func() {
		if r := recover(); r != nil {
			v = g.failed(s, a, "panic")
		}
	}()
	now := g.p.Now()
	if e := g.find(s, &a.Actor, now.UnixMicro()); e != nil {
		return g.deny(s, a, e, now)
	}
	if !g.loaded.Load() || (g.p.Stream != nil && g.p.Stream.Silent(now)) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, checkWithin) // for the rules before the handler too
		defer cancel()
		err := g.hear(ctx)
		if e := g.find(s, &a.Actor, now.UnixMicro()); e != nil {
			return g.deny(s, a, e, now)
		}
		if err != nil {
			if v = g.failed(s, a, "store"); v.Deny {
				return v
			}
		}
	}
	if len(s.ingress) > 0 {
		return g.atIngress(ctx, s, a, now, v)
	}
	return v
}

// find gives the first block in force that keeps the actor out, in the configured order, everywhere's before the guild's. Nobody is
// locked out of their own house, whatever is stored.
func (g *Guard) find(s *setup, a *enforcement.Actor, at int64) *entry {
	view := g.index.now.Load()
	for _, scope := range s.order {
		switch scope {
		case enforcement.IP:
			if !a.IP.IsValid() {
				continue
			}
			sub, _ := a.Derive(scope, "", 0)
			for i, ns := range [...]enforcement.Namespace{enforcement.Global, enforcement.Namespace(a.Guild)} {
				if i == 1 && a.Guild == 0 {
					break
				}
				if t := view.nets[ns]; t != nil {
					if e := covers(t, sub.Net, at); e != nil && !g.protects(s, a) {
						return e
					}
				}
			}
		case enforcement.Role:
			for _, r := range a.Roles {
				sub := enforcement.Subject{Scope: scope, ID: r}
				if e := g.findOne(view, a.Guild, &sub, at); e != nil && !g.protects(s, a) {
					return e
				}
			}
		case enforcement.User, enforcement.Account, enforcement.Member, enforcement.Session, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Route:
			sub, ok := a.Derive(scope, "", 0)
			if !ok {
				continue
			}
			if e := g.findOne(view, a.Guild, &sub, at); e != nil && !g.protects(s, a) {
				return e
			}
		}
	}
	return nil
}

// protects reports whether the actor is immune: by the configuration, or by what only the wiring knows.
func (g *Guard) protects(s *setup, a *enforcement.Actor) bool {
	return s.Immune.Protects(a) || (g.p.Immune != nil && g.p.Immune(*a))
}

// Mode is what enforcement does in a guild at the moment; with guild 0, where there is none.
func (g *Guard) Mode(guild uint64) enforcement.Mode { return g.setup.Load().ModeIn(guild) }

// findOne gives the block in force of a subject that is no address.
func (g *Guard) findOne(view *view, guild uint64, sub *enforcement.Subject, at int64) *entry {
	k := keyOf(enforcement.Global, sub)
	h := g.index.hash(&k)
	if e := view.shards[h%shards].find(h, &k); e != nil && e.active(at) {
		return e
	}
	if guild == 0 {
		return nil
	}
	k.ns = enforcement.Namespace(guild)
	h = g.index.hash(&k)
	if e := view.shards[h%shards].find(h, &k); e != nil && e.active(at) {
		return e
	}
	return nil
}

// deny is the answer to an attempt that met a block; in shadow it is only told.
func (g *Guard) deny(s *setup, a *Attempt, e *entry, now time.Time) enforcement.Verdict {
	b := e.asBlock()
	v := enforcement.Verdict{
		Deny: true, Status: s.Status, Message: s.Message, Reason: b.Reason, Block: b.ID, Rule: b.Rule, End: b.End, By: b.Subject, Permanent: b.Permanent(),
		RetryAfter: b.Remaining(now),
	}
	if b.Status != 0 {
		v.Status = b.Status
	}
	if b.Message != "" {
		v.Message = b.Message
	}
	told := enforcement.Event{
		Type: enforcement.Blocked, At: now, Namespace: b.Namespace, Subject: b.Subject, Block: b.ID, Rule: b.Rule, Action: "blocked", Route: a.Route,
		Status: v.Status, Expires: b.End,
	}
	told.Of(&a.Actor)
	if s.shadows(a.Actor.Guild) {
		told.Type, v = enforcement.Shadow, enforcement.Verdict{}
	} else {
		g.done.denied.Add(1)
	}
	g.tell(told, told.Type.String()+"\x00"+b.Namespace.String()+"\x00"+b.Subject.String())
	return v
}

// failed is the answer when the check could not be carried out: the route's fail mode decides.
func (g *Guard) failed(s *setup, a *Attempt, kind string) enforcement.Verdict {
	mode := s.ModeOf(a.Route)
	if s.shadows(a.Actor.Guild) {
		mode = enforcement.Open
	}
	told := enforcement.Event{Type: enforcement.EvaluationFailed, At: g.p.Now(), FailMode: mode, Error: kind, Route: a.Route}
	told.Of(&a.Actor)
	g.tell(told, "failed\x00"+mode.String()+"\x00"+kind)
	g.done.failed.Add(1)
	v := enforcement.Verdict{Degraded: mode}
	if mode == enforcement.Closed && !g.protects(s, &a.Actor) {
		g.done.denied.Add(1)
		v.Deny, v.Status, v.Message = true, s.Status, s.Message
	}
	return v
}

// tell emits an event unless there were many like it: then it is counted, and told with the next one.
func (g *Guard) tell(e enforcement.Event, like string) {
	if g.told.admit(like, &e) {
		g.p.Emit(e)
	}
}

// summarise tells of floods that are over; of all that are counted if it is the last time.
func (g *Guard) summarise(last bool) {
	for _, e := range g.told.due(g.p.Now(), last) {
		g.p.Emit(e)
	}
}

// fed reports whether incidents of the type may feed rules: what enforcement itself tells never does.
func fed(kind string) bool {
	return !strings.HasPrefix(kind, enforcement.EventPrefix) && !strings.HasPrefix(kind, "audit.rule.") && !strings.HasPrefix(kind, "audit.context.")
}
