package reconcile

import (
	"context"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// LiveGuilds shows members as they are without reading the whole guild.
type LiveGuilds interface {
	Guilds
	// Known is the guild as it is known from what was seen so far; it asks Discord for nothing.
	Known(ctx context.Context) (Picture, error)
	// Members reads members afresh, up to 100 of them. Who is not in the guild is missing from the answer.
	Members(ctx context.Context, ids []snowflake.ID) (audit.Guild, []audit.Member, error)
}

// SystemActor is who acts when nobody ordered it: live events and the schedule.
const SystemActor = "system"

// live reports whether this came from an event and not from a run that was ordered.
func (r *Report) live() bool { return r.Run.ID == 0 }

// unasked reports whether nobody asked for exactly this: it may do what the policy allows in real time, out of the budget for that.
func (r *Report) unasked() bool { return r.live() || r.Run.Order.Kind == KindCatchUp }

// One is Sweep for the members that something happened to: the same facts, decisions, brakes and record, at once. What the policy
// does not let act in real time becomes a finding and nothing more; blocks act whenever gates and their budget allow. The writer
// may be nil: then nothing is performed.
func (e *Engine) One(ctx context.Context, ids []snowflake.ID, guilds LiveGuilds, w Writer) (_ *Report, err error) {
	defer wrap.Err(&err, "look at %d members", len(ids))
	pic, err := guilds.Known(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Run: storage.Run{Guild: e.cfg.Guild, Order: storage.Order{Actor: SystemActor, Origin: "event"}}}
	var members []audit.Member
	if pic.Guild, members, err = guilds.Members(ctx, ids); err != nil {
		return nil, err
	}
	if r.Look, err = e.Look(ctx, pic, Wish{}); err != nil {
		return nil, err
	}
	if err := e.planLive(ctx, r, ids, members); err != nil {
		return r, err
	}
	if w == nil {
		return r, nil
	}
	return r, e.perform(ctx, r, guilds, w)
}

// planLive decides about the members, stores what changed, and leaves in the plan what may be done at once.
func (e *Engine) planLive(ctx context.Context, r *Report, ids []snowflake.ID, members []audit.Member) error {
	l := r.Look
	decisions, _ := l.Decide(members)
	pop := audit.Headcount(l.Scene, l.Picture.Members)
	pop.Complete = l.Picture.Complete
	decisions = slices.DeleteFunc(decisions, func(d audit.Decision) bool { return l.realtime(&d) == audit.RealtimeOff })
	gates, err := e.gates(ctx, l, false)
	if err != nil {
		return err
	}
	used, err := e.used(ctx, l, true)
	if err != nil {
		return err
	}
	r.Decisions, r.Population = decisions, pop
	r.Plan = audit.MakePlan(e.cfg.Guild, l.acting(decisions), pop, l.Policy.Limits, used, gates)
	look := storage.Look{Guild: e.cfg.Guild, At: l.At, Extent: storage.Named, Seen: ids, Found: foundMembers(l.Scene, decisions, &r.Plan)}
	if l.Verdict.Health == audit.Blind {
		look.Extent = storage.Blind
	}
	look.Undecided = l.unwatched(members)
	applied, err := e.db.ApplyLook(ctx, look)
	if err != nil {
		return err
	}
	r.Counts.Findings.Opened, r.Counts.Findings.Changed = applied.Opened, applied.Changed
	r.Counts.Findings.Closed, r.Counts.Findings.Unchanged = applied.Closed, applied.Unchanged
	if len(r.Plan.Actions) > 0 {
		if err := e.db.StorePlan(ctx, storedPlan(&r.Plan, r.Run, l)); err != nil {
			return err
		}
	}
	if err := e.trip(ctx, r); err != nil {
		return err
	}
	return e.tell(ctx, r, applied)
}

// acting keeps the decisions that the policy lets act in real time.
func (l *Look) acting(decisions []audit.Decision) []audit.Decision {
	return slices.DeleteFunc(slices.Clone(decisions), func(d audit.Decision) bool { return l.realtime(&d) != audit.RealtimeAct })
}

// realtime is how far a live event may go with a decision. Blocks are outside the setting.
func (l *Look) realtime(d *audit.Decision) audit.Realtime {
	if d.Layer == audit.LayerBlock {
		return audit.RealtimeAct
	}
	return l.Policy.Rules[d.Category].Realtime
}

// unwatched are the members whose category real time leaves to the sweep: their findings stay as the sweep left them.
func (l *Look) unwatched(members []audit.Member) (ids []snowflake.ID) {
	for _, m := range members {
		if d := l.Member(m); d.Category.IsFinding() && l.realtime(&d) == audit.RealtimeOff {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
