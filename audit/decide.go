package audit

import (
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Layer is the rule that decided about a member. The first that applies, in this order, decides.
type Layer int

// The layers.
const (
	LayerUntouchable Layer = iota + 1 // the owner is never kicked; the bot itself is never touched
	LayerProtected                    // an operator protects the member
	LayerBot                          // bots are reported
	LayerBlock                        // the member is blocked: needs no Auth, knows no grace
	LayerContain                      // a rule of enforcement wants the member contained: needs no Auth, and is asked for by itself
	LayerHealth                       // Auth cannot be believed
	LayerGrace                        // something was put off
	LayerOverride                     // an operator decided about this member
	LayerRun                          // the run's own action
	LayerGroup                        // the policy's entry for a group
	LayerState                        // the policy's entry for a state
	LayerDefault                      // the policy's default for the category
	LayerAccess                       // entitled, nothing wrong
)

var layerNames = [...]string{"", "untouchable", "protected", "bot", "block", "contain", "health", "grace", "override", "run", "group", "state", "default", "access"}

func (l Layer) String() string { return layerNames[l] }

// Alert is something that a person must be told at once, whatever is done about it.
type Alert int

// The alerts.
const (
	PrivilegedRole Alert = iota + 1 // a finding's member holds a privileged role, managed or not
	Reversed                        // a role of theirs was removed again and again, and came back each time; not part of a Decision
	alerts
)

func (a Alert) String() string { return [...]string{"", "privileged_role", "fight"}[a] }

// Decision is what should change for one member, and which layer of the policy decided it.
type Decision struct {
	Class
	Member      snowflake.ID
	Held        RoleSet // the roles the member holds now
	Act         Act
	Layer       Layer
	LayerName   string  // for LayerGroup and LayerState: which one
	Remove      RoleSet // would be asked of Discord: bound, not given by Auth, within reach
	Unreachable RoleSet // would go, but the bot's own role is too low
	Privileged  RoleSet // those of Remove that are privileged: they have a budget of their own
	Alarming    RoleSet // privileged roles held on a finding, managed or not
	Kick, Ban   bool    // would be asked of Discord
	Contain     RoleSet // privileged roles that would be taken whatever they stand for: of a containment alone
	SingleUse   bool    // decided by an override that is used up by this
}

// LayerCode names the layer, with the group or state that it was: "group:Directors".
func (d *Decision) LayerCode() string {
	if d.LayerName == "" {
		return d.Layer.String()
	}
	return d.Layer.String() + ":" + d.LayerName
}

// Alerts lists what a person must be told.
func (d *Decision) Alerts() []Alert {
	if d.Alarming.Empty() {
		return nil
	}
	return []Alert{PrivilegedRole}
}

// Acts reports whether anything would be asked of Discord.
func (d *Decision) Acts() bool {
	return d.Kick || d.Ban || !d.Remove.Empty() || !d.Contain.Empty()
}

// Decide says what should change for a member: it walks the layers and stops at the first that applies.
func Decide(f Facts, c Class, p *Policy) Decision { return decide(&f, c, p, nil) }

// decide leaves a trace of each layer that it looked at, if somebody wants one.
func decide(f *Facts, c Class, p *Policy, t *trace) Decision {
	d := Decision{Class: c, Member: f.Member.ID, Held: f.Member.Roles}
	if c.Category.IsFinding() {
		d.Alarming = f.Member.Roles.And(f.privileged)
	}
	blocked := f.Block.Member != 0
	if blocked && f.spent() {
		blocked = false
		d.Reasons = d.Reasons.With(Blocked)
	}
	switch {
	case t.saw(LayerUntouchable, c.Reasons.Has(BotSelf)):
		d.settle(None, LayerUntouchable)
	case c.Category == InOrder && !blocked:
		t.saw(LayerAccess, true)
		d.settle(None, LayerAccess)
	case t.saw(LayerProtected, f.Protected):
		d.Reasons = d.Reasons.With(ProtectedMember)
		d.settle(Report, LayerProtected)
	case t.saw(LayerBot, c.Category == BotFiltered):
		d.settle(Report, LayerBot)
	case t.saw(LayerBlock, blocked):
		d.block(f, p, t)
	default:
		d.policy(f, p, t)
	}
	return d
}

func (d *Decision) settle(a Act, l Layer) { d.Act, d.Layer = a, l }

// block removes the member, or takes every role that an operator bound, and nothing else; only the owner and who is immune are left to
// the rest of the policy.
func (d *Decision) block(f *Facts, p *Policy, t *trace) {
	owner := f.Guild.Owner != 0 && f.Member.ID == f.Guild.Owner
	if owner || f.Immune {
		t.applied(LayerUntouchable)
		if d.Category != InOrder {
			d.policy(f, p, t)
		}
		d.Reasons = d.Reasons.With(Blocked)
		if owner {
			d.Reasons = d.Reasons.With(IsOwner)
		}
		if f.Immune {
			d.Reasons = d.Reasons.With(IsImmune)
		}
		d.Layer, d.LayerName = LayerUntouchable, ""
		return
	}
	d.Reasons = d.Reasons.With(Blocked)
	d.settle(f.Block.act(), LayerBlock)
	if d.Act == Strip {
		d.take(f, d.Held.And(f.tied))
		return
	}
	d.aim(f)
}

// spent reports whether a block that only takes roles has none left to take: then the rest of the policy goes on, for a block spares
// nobody what would come without it.
func (f *Facts) spent() bool {
	return f.Block.act() == Strip && f.Member.Roles.And(f.tied).And(f.reach).Empty()
}

// take asks for the roles that are within reach.
func (d *Decision) take(f *Facts, going RoleSet) {
	d.Remove, d.Unreachable = going.And(f.reach), going.Minus(f.reach)
	switch {
	case !d.Unreachable.Empty():
		d.Reasons = d.Reasons.With(RoleAboveBot)
	case !going.Empty() && !f.ReachKnown():
		d.Reasons = d.Reasons.With(HierarchyUnknown)
	}
}

// policy is everything below the blocks: how far Auth can be believed, what is put off, and what is wanted.
func (d *Decision) policy(f *Facts, p *Policy, t *trace) {
	doubtful := f.AuthHealth == Doubtful
	if t.saw(LayerHealth, d.Category == Undecidable || doubtful) {
		if doubtful {
			d.Reasons = d.Reasons.With(AuthDoubtful)
		}
		d.settle(Report, LayerHealth)
		return
	}
	wanted := d.want(f, p, t)
	d.Act, d.Layer, d.LayerName = wanted.act, wanted.layer, wanted.name
	d.spareOwner(f, t)
	only := d.spare(f, p, t)
	if d.Act < Strip {
		return
	}
	d.take(f, d.removable(f).And(only))
	d.Privileged = d.Remove.And(f.privileged)
	if d.Act == StripKick {
		d.aim(f)
	}
}

// want is what an operator decided about this member, else the policy.
func (d *Decision) want(f *Facts, p *Policy, t *trace) choice {
	if t.saw(LayerOverride, f.Override.Member != 0) {
		d.SingleUse = f.Override.SingleUse
		return choice{act: min(f.Override.Act, d.Category.Severest()), layer: LayerOverride}
	}
	return p.choose(f, d.Category, t)
}

// AtStake are the managed roles that a finding's member holds and Auth does not give, whatever is decided: a policy that strips would
// take them once they are bound and within reach.
func (s *Scene) AtStake(d *Decision) RoleSet {
	switch d.Category {
	case UnknownGuest, LinkedNoPerm:
		return d.Held.And(s.managed)
	case SurplusRoles:
		return d.Surplus
	case BotFiltered, Undecidable, MissingRoles, InOrder:
	}
	return RoleSet{}
}

func (d *Decision) spareOwner(f *Facts, t *trace) {
	if d.Act == StripKick && f.Guild.Owner != 0 && f.Member.ID == f.Guild.Owner {
		t.applied(LayerUntouchable)
		d.Reasons = d.Reasons.With(IsOwner)
		d.settle(Strip, LayerUntouchable)
		d.LayerName = ""
	}
}

// spare puts off what grace puts off, and returns the roles that may still go.
func (d *Decision) spare(f *Facts, p *Policy, t *trace) RoleSet {
	late := d.put(f, p.Rules[d.Category].Grace)
	putOff := late != 0 && (d.Act == StripKick || d.Act == Strip && d.Category != UnknownGuest)
	if !t.saw(LayerGrace, putOff) {
		return everything
	}
	d.Reasons |= late
	d.LayerName, d.SingleUse, d.Act = "", false, Strip
	if d.Layer != LayerUntouchable { // the first layer that applies is the one that is named
		d.Layer = LayerGrace
	}
	if d.Category == UnknownGuest {
		return everything
	}
	if d.removable(f).And(f.privileged).Empty() {
		d.Act = Report
	}
	return f.privileged
}

// removable are the roles that the member holds, that are bound, and that Auth does not give.
func (d *Decision) removable(f *Facts) RoleSet {
	if d.Category == SurplusRoles {
		return d.Surplus.And(f.bound)
	}
	return d.Held.And(f.bound)
}

// put says why something is put off for this member now, if it is.
func (d *Decision) put(f *Facts, grace time.Duration) (why Reasons) {
	switch d.Category {
	case UnknownGuest:
		if f.Member.Is(IsPending) {
			why = why.With(ScreeningOpen)
		}
		if f.Member.Joined != 0 && within(grace, time.UnixMicro(f.Member.Joined), f.At) {
			why = why.With(JoinedLately)
		}
	case LinkedNoPerm:
		if (d.Reasons.Has(NoAccess) || d.Reasons.Has(LinkLost)) && within(grace, f.OpenedLost, f.At) {
			why = why.With(LostLately)
		}
	case SurplusRoles:
		if within(grace, f.OpenedSurplus, f.At) {
			why = why.With(LostLately)
		}
	case BotFiltered, Undecidable, MissingRoles, InOrder:
	}
	return why
}

// KickPutOff is until when nothing but grace keeps the member of a decision from being kicked; false if something else does too, or
// there is nothing to put off.
func KickPutOff(f Facts, d *Decision, p *Policy) (until time.Time, ok bool) {
	if d.Layer != LayerGrace {
		return until, false
	}
	grace, without := p.Rules[d.Category].Grace, *p
	without.Rules[d.Category].Grace = 0
	if then := Decide(f, Classify(f), &without); !then.Kick {
		return until, false
	}
	since := f.OpenedLost
	if d.Category == UnknownGuest {
		since = time.UnixMicro(f.Member.Joined)
	}
	return since.Add(grace), true
}

// within reports whether less than the grace has passed since then; never when either time is unknown.
func within(grace time.Duration, since, at time.Time) bool {
	return grace > 0 && !since.IsZero() && !at.IsZero() && at.Before(since.Add(grace))
}

// aim sets Kick or Ban, unless Discord would refuse it or nobody knows whether this is the owner.
func (d *Decision) aim(f *Facts) {
	if !f.ReachKnown() {
		d.Reasons = d.Reasons.With(HierarchyUnknown)
	}
	switch {
	case f.Guild.Owner == 0:
		d.Reasons = d.Reasons.With(OwnerUnknown)
		return
	case !f.Member.Roles.Minus(f.reach).Empty():
		d.Reasons = d.Reasons.With(MemberAboveBot)
		return
	}
	d.Kick, d.Ban = d.Act != Ban, d.Act == Ban
}

var everything = RoleSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// Step is one layer that was looked at, for people who ask why.
type Step struct {
	Layer   Layer
	Applies bool
}

type trace struct{ steps []Step }

func (t *trace) saw(l Layer, applies bool) bool {
	if t != nil {
		t.steps = append(t.steps, Step{l, applies})
	}
	return applies
}

// applied marks a layer that was looked at already: what it forbids was wanted only later.
func (t *trace) applied(l Layer) {
	if t == nil {
		return
	}
	for i := range t.steps {
		t.steps[i].Applies = t.steps[i].Applies || t.steps[i].Layer == l
	}
}

// Explain is Decide, and each layer that it looked at, in the order of the layers: the first that applies decided.
func Explain(f Facts, p *Policy) (Decision, []Step) {
	t := &trace{}
	d := decide(&f, classify(&f), p, t)
	slices.SortStableFunc(t.steps, func(a, b Step) int { return int(a.Layer - b.Layer) })
	return d, t.steps
}
