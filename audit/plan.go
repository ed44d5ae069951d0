package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// Gate is a switch that nothing outranks: closed, it holds every action.
type Gate int

// The gates.
const (
	Lock          Gate = iota + 1 // nobody has acknowledged a first report for this guild yet
	Pause                         // somebody stopped everything
	DryRun                        // this run only reports
	Roster                        // the member list is not proven to be complete
	NothingWanted                 // Auth gives nobody any role: that is an outage, not a plan
	Outage                        // Discord does not show the guild to its bots now, whatever REST answers
	Contained                     // another member was contained less than ContainEvery ago, or several are to be contained at once
	Fight                         // this role of this member was removed again and again, and somebody gives it back each time
	gates
)

func (g Gate) String() string {
	return [...]string{"", "lock", "pause", "dry_run", "roster", "nothing_wanted", "outage", "contained", "fight"}[g]
}

// Gates says which switches stand how.
type Gates struct {
	Locked, Paused, DryRun bool
	Outage                 bool
	Contained              snowflake.ID         // who was contained within ContainEvery; zero: nobody
	Fights                 map[Holding]struct{} // which roles of which members nobody removes for now
	// KicksLocked and StripsLocked: the acknowledged policy did not contain this kind of action. Blocks are outside this: they need
	// the lock released, nothing more.
	StripsLocked, KicksLocked bool
	Once                      bool // a person with the right to do so let this one plan pass every brake; never a gate
}

// Holding is a role that a member holds.
type Holding struct {
	Member, Role snowflake.ID
}

// fights reports whether somebody gives the role back whenever it is removed.
func (g Gates) fights(a Action) bool {
	if a.Kind != RemoveRole || len(g.Fights) == 0 {
		return false
	}
	_, is := g.Fights[Holding{a.Member, a.Role}]
	return is
}

// contains reports whether the rest between containments holds the action: of all in the plan only one member can be contained.
func (g Gates) contains(a Action, actions []Action) bool {
	return a.Kind == Contain && (g.Contained != 0 && g.Contained != a.Member ||
		slices.ContainsFunc(actions, func(b Action) bool { return b.Kind == Contain && b.Member != a.Member }))
}

// locks reports whether the acknowledgement does not cover this kind of action.
func (g Gates) locks(a Action) bool {
	switch {
	case a.Budget == BlockBudget:
		return false
	case a.Kind == RemoveRole:
		return g.StripsLocked
	case a.Kind == KickMember, a.Kind == BanMember:
		return g.KicksLocked
	}
	return false
}

// By names what holds an action: a gate, or a brake in a dimension.
type By struct {
	Gate      Gate // zero: a brake
	Dimension Dimension
	Role      snowflake.ID // for OneRole
}

func (b By) String() string {
	switch {
	case b.Gate != 0:
		return b.Gate.String()
	case b.Dimension == OneRole:
		return fmt.Sprintf("%s:%d", b.Dimension, b.Role)
	}
	return b.Dimension.String()
}

// Hold says which brake stopped a plan, and by how much.
type Hold struct {
	By      By
	Window  Window
	Asked   int // what the window would have held afterwards, earlier use included
	Allowed int
	Tripped bool // held by an earlier trip that nobody has reset; then Asked and Allowed are zero
}

func (h Hold) String() string {
	if h.Tripped {
		return fmt.Sprintf("%s: tripped earlier, not reset", h.By)
	}
	return fmt.Sprintf("%s: %d asked, %d allowed (%s)", h.By, h.Asked, h.Allowed, h.Window)
}

// Planned is one action of a plan, and what holds it; an action that nothing holds may be performed.
type Planned struct {
	Action
	Key  string
	Held []By // gates first, then brakes, in a stable order; shared, read-only
}

// heldByGate leaves fights out: they hold one action and say nothing about the others.
func (p Planned) heldByGate() bool {
	return slices.ContainsFunc(p.Held, func(b By) bool { return b.Gate != 0 && b.Gate != Fight })
}

// Plan is what would be done, in order. It is a value: to preview it is to print it, to approve it is to name its digest.
type Plan struct {
	Guild   snowflake.ID
	Digest  string // of guild and actions, no times, no gates: 64 hexadecimal digits
	Actions []Planned
	Gates   []Gate // closed ones
	Holds   []Hold // brakes that the plan would break, or that an earlier trip holds
	Once    bool   // brakes were passed by a person
	// Counts by reason of members whom the plan leaves alone: by category, and how many of the looked-at have no action.
	Untouched map[Category]int
}

// MakePlan orders the actions of the decisions and asks gates and brakes, at this one place. A dimension over its brake is held
// whole: cutting it to fit would be an outage at fifty a run.
func MakePlan(guild snowflake.ID, decisions []Decision, p Population, l Limits, used Used, g Gates) Plan {
	actions := actionsOf(decisions, &p)
	plan := Plan{Guild: guild, Digest: digest(guild, actions), Untouched: untouched(decisions, &p), Once: g.Once}
	plan.Gates = closed(g, &p)
	if p.Complete && !g.Once {
		plan.Holds = l.check(actions, used, &p)
		plan.Holds = append(plan.Holds, trips(actions, used.Tripped)...)
		slices.SortStableFunc(plan.Holds, compareHolds)
	}
	h := newHolder(plan.Gates, plan.Holds, g, p.Wanted > 0)
	plan.Actions = make([]Planned, len(actions))
	for i, a := range actions {
		plan.Actions[i] = Planned{Action: a, Key: a.Key(plan.Digest, guild), Held: h.of(a)}
		if g.contains(a, actions) {
			plan.Actions[i].Held = append([]By{{Gate: Contained}}, plan.Actions[i].Held...)
		}
		if g.fights(a) {
			plan.Actions[i].Held = append([]By{{Gate: Fight}}, plan.Actions[i].Held...)
		}
	}
	return plan
}

// Trips are the brakes that this plan trips: those it broke though every gate would have let it through. What an earlier trip holds
// already does not trip again.
func (p *Plan) Trips() []Hold {
	if slices.ContainsFunc(p.Actions, Planned.heldByGate) {
		return nil
	}
	var trips []Hold
	for _, h := range p.Holds {
		if !slices.ContainsFunc(p.Holds, func(t Hold) bool { return t.Tripped && t.By == h.By }) &&
			!slices.ContainsFunc(trips, func(t Hold) bool { return t.By == h.By }) {
			trips = append(trips, h)
		}
	}
	return trips
}

// Free are the actions that nothing holds.
func (p *Plan) Free() []Planned {
	var free []Planned
	for _, a := range p.Actions {
		if len(a.Held) == 0 {
			free = append(free, a)
		}
	}
	return free
}

// HeldCounts says how many actions each gate and brake holds, by its code; empty when nothing is held.
func (p *Plan) HeldCounts() map[string]int {
	counts := map[string]int{}
	for _, a := range p.Actions {
		for _, by := range a.Held {
			counts[by.String()]++
		}
	}
	return counts
}

func actionsOf(decisions []Decision, p *Population) []Action {
	n := 0
	for i := range decisions {
		n += decisions[i].Remove.Len() + decisions[i].Contain.Len() + 1
	}
	actions := make([]Action, 0, n)
	for i := range decisions {
		d := &decisions[i]
		budget := Ordinary
		if d.Layer == LayerBlock {
			budget = BlockBudget
		}
		for role := range d.Remove.All() {
			a := Action{Kind: RemoveRole, Member: d.Member, Role: p.Roles[role].ID, Budget: budget}
			if d.Privileged.Has(role) {
				a.Budget = PrivilegedBudget
			}
			actions = append(actions, a)
		}
		for role := range d.Contain.All() {
			actions = append(actions, Action{Kind: Contain, Member: d.Member, Role: p.Roles[role].ID})
		}
		switch {
		case d.Ban:
			actions = append(actions, Action{Kind: BanMember, Member: d.Member, Budget: budget})
		case d.Kick:
			actions = append(actions, Action{Kind: KickMember, Member: d.Member, Budget: budget})
		}
	}
	slices.SortFunc(actions, compareActions)
	return slices.Compact(actions)
}

func digest(guild snowflake.ID, actions []Action) string {
	h := sha256.New()
	var record [25]byte
	binary.BigEndian.PutUint64(record[:8], uint64(guild))
	h.Write(record[:8])
	for _, a := range actions {
		a.put(record[:])
		h.Write(record[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func untouched(decisions []Decision, p *Population) map[Category]int {
	counts := map[Category]int{}
	for c := range Categories() {
		if n := p.Categories[c]; n > 0 {
			counts[c] = n
		}
	}
	for i := range decisions {
		if d := &decisions[i]; d.Acts() {
			if counts[d.Category]--; counts[d.Category] <= 0 {
				delete(counts, d.Category)
			}
		}
	}
	return counts
}

func closed(g Gates, p *Population) []Gate {
	var shut []Gate
	for _, c := range []struct {
		gate  Gate
		shuts bool
	}{{Lock, g.Locked}, {Pause, g.Paused}, {DryRun, g.DryRun}, {Roster, !p.Complete}, {Outage, g.Outage}} {
		if c.shuts {
			shut = append(shut, c.gate)
		}
	}
	return shut
}

// trips holds what an earlier plan tripped, as long as this one asks for any of it.
func trips(actions []Action, tripped []By) []Hold {
	plan := Use{}.clone()
	for _, a := range actions {
		plan.plus(a)
	}
	var holds []Hold
	for _, by := range tripped {
		if asked := plan.of(by.Dimension); asked > 0 || by.Dimension == OneRole && plan.PerRole[by.Role] > 0 {
			holds = append(holds, Hold{By: by, Tripped: true})
		}
	}
	return holds
}

// holder answers which gates and brakes hold an action. Actions of one kind, budget and role are held alike.
type holder struct {
	gates    []By
	brakes   map[By]struct{}
	switches Gates
	wanted   bool
	known    map[Action][]By // by action without its member
}

func newHolder(shut []Gate, holds []Hold, g Gates, wanted bool) *holder {
	h := &holder{brakes: map[By]struct{}{}, switches: g, wanted: wanted, known: map[Action][]By{}}
	for _, g := range shut {
		h.gates = append(h.gates, By{Gate: g})
	}
	for _, hold := range holds {
		h.brakes[hold.By] = struct{}{}
	}
	return h
}

func (h *holder) of(a Action) []By {
	a.Member = 0
	held, ok := h.known[a]
	if !ok {
		held = h.list(a)
		h.known[a] = held
	}
	return held
}

func (h *holder) list(a Action) (held []By) {
	if !h.switches.Locked && h.switches.locks(a) {
		held = append(held, By{Gate: Lock})
	}
	held = append(held, h.gates...)
	if !h.wanted && a.Budget != BlockBudget && a.Kind != Contain {
		held = append(held, By{Gate: NothingWanted})
	}
	for _, by := range draws(a) {
		if has(h.brakes, by) {
			held = append(held, by)
		}
	}
	return held
}

// draws lists the dimensions that an action draws on.
func draws(a Action) []By {
	switch {
	case a.Budget == BlockBudget:
		return []By{{Dimension: BlockKicks}}
	case a.Budget == PrivilegedBudget:
		return []By{{Dimension: PrivilegedRemoved}}
	case a.Kind == RemoveRole:
		return []By{{Dimension: MembersTouched}, {Dimension: RolesRemoved}, {Dimension: OneRole, Role: a.Role}}
	case a.Kind == KickMember || a.Kind == BanMember:
		return []By{{Dimension: MembersTouched}, {Dimension: Kicks}}
	}
	return nil
}

// Survey looks at every member of a scene: it classifies and decides, keeps the decisions that Keep accepts, and counts the
// population. Members whom Keep refuses are counts and nothing else.
func Survey(s *Scene, members []Member, p *Policy, keep func(*Decision) bool) ([]Decision, Population) {
	pop := Headcount(s, members)
	var kept []Decision
	var d Decision // one for all: keep may look at it and not hold on to it
	for _, m := range members {
		f := s.Facts(m)
		c := classify(&f)
		pop.Categories[c.Category]++
		if c.Category == InOrder && f.Block.Member == 0 {
			continue
		}
		if d = decide(&f, c, p, nil); keep(&d) {
			kept = append(kept, d)
		}
	}
	return kept, pop
}

// Headcount counts members and holders, and decides about nobody: the population for a plan about a few of them.
func Headcount(s *Scene, members []Member) Population {
	pop := Population{Members: len(members), Roles: s.Guild.Roles, Wanted: s.Auth.entitled}
	for i := range members {
		for role := range members[i].Roles.All() {
			pop.Holders[role]++
		}
	}
	return pop
}

// Noteworthy reports whether a decision is stored: a stranger who holds nothing managed or privileged, and about whom nothing is
// planned, is counted only.
func (s *Scene) Noteworthy(d *Decision) bool {
	switch d.Category {
	case UnknownGuest:
		return d.Acts() || d.Layer == LayerBlock || !d.Alarming.Empty() || !d.Held.And(s.managed.Or(s.lookalikes)).Empty()
	case BotFiltered:
		return d.Reasons.Has(BotLinked)
	case Undecidable, InOrder:
		return d.Acts() || d.Layer == LayerBlock
	case LinkedNoPerm, SurplusRoles, MissingRoles:
	}
	return true
}

// CountsByCategory are the population's categories by name, without zeros.
func (p *Population) CountsByCategory() map[string]int {
	counts := map[string]int{}
	for c := range Categories() {
		if p.Categories[c] > 0 {
			counts[c.String()] = p.Categories[c]
		}
	}
	return maps.Clone(counts)
}
