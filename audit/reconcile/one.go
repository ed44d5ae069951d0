package reconcile

import (
	"context"
	"slices"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

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

// Counting are guilds that can count members without listing them.
type Counting interface {
	// Counted is Known with the members counted and not listed, which takes no time however many there are.
	Counted(ctx context.Context) (Picture, error)
}

func known(ctx context.Context, guilds LiveGuilds) (Picture, error) {
	if c, is := guilds.(Counting); is {
		return c.Counted(ctx)
	}
	return guilds.Known(ctx)
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
	pic, err := known(ctx, guilds)
	if err != nil {
		return nil, err
	}
	r := &Report{Run: storage.Run{Guild: e.cfg.Guild, Order: storage.Order{Actor: SystemActor, Origin: "event"}}, Seen: ids}
	wish := Wish{Of: slices.Clip(append([]snowflake.ID{}, ids...))}
	var members []audit.Member
	var guild audit.Guild
	var g *gathered
	var sides errgroup.Group // what is slow about each is waiting
	sides.Go(func() (err error) {
		g, err = e.gather(ctx, wish)
		return err
	})
	guild, members, err = guilds.Members(ctx, ids)
	if failed := sides.Wait(); err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	pic = pic.under(guild)
	if r.Look, err = e.compose(ctx, pic, wish, g); err != nil {
		return nil, err
	}
	if err := e.planLive(ctx, r, ids, members, w != nil); err != nil {
		return r, err
	}
	if w == nil {
		return r, nil
	}
	return r, e.perform(ctx, r, guilds, w)
}

// under is the picture with the guild as it was read a moment later: roles may have come, gone or moved.
func (p Picture) under(guild audit.Guild) Picture {
	if p.Heads != nil {
		counted := audit.Population{Roles: p.Guild.Roles, Holders: p.Heads.Holders}
		heads := *p.Heads
		heads.Holders = counted.Under(guild.Roles).Holders
		p.Heads = &heads
	}
	p.Guild = guild
	return p
}

// planLive decides about the members, stores what changed, and leaves in the plan what may be done at once.
func (e *Engine) planLive(ctx context.Context, r *Report, ids []snowflake.ID, members []audit.Member, acts bool) error {
	l := r.Look
	decisions, _ := l.Decide(members)
	pop := l.Picture.population(l.Scene)
	decisions = slices.DeleteFunc(decisions, func(d audit.Decision) bool { return l.realtime(&d) == audit.RealtimeOff })
	acting := l.acting(decisions)
	r.Decisions, r.Population = decisions, pop
	if err := e.rejoins(ctx, r); err != nil {
		return err
	}
	if acts {
		var err error
		if r.PutOff, err = e.putOff(ctx, r, members); err != nil {
			return err
		}
	}
	look := storage.Look{Guild: e.cfg.Guild, At: l.At, Extent: storage.Named, Seen: ids, Undecided: l.unwatched(members)}
	if l.Verdict.Health == audit.Blind {
		look.Extent = storage.Blind
	}
	if !slices.ContainsFunc(acting, func(d audit.Decision) bool { return d.Acts() }) { // mostly: nothing is asked of Discord
		r.Plan = audit.MakePlan(e.cfg.Guild, acting, pop, l.Policy.Limits, audit.Used{Live: true}, audit.Gates{})
		found, err := e.withGivers(ctx, e.db, foundMembers(l.Scene, decisions, &r.Plan), &r.Plan)
		if err != nil {
			return err
		}
		look.Found = found
		applied, err := e.db.ApplyLook(ctx, look)
		if err != nil {
			return err
		}
		r.countApplied(applied)
		return e.tell(ctx, e.db, r, applied)
	}
	err := e.db.Together(ctx, func(db storage.Roles) error {
		gates, err := e.gates(ctx, db, l, false)
		if err != nil {
			return err
		}
		if gates.Fights, err = e.fights(ctx, db, l.At); err != nil {
			return err
		}
		used, err := e.used(ctx, db, l, true)
		if err != nil {
			return err
		}
		r.Plan = audit.MakePlan(e.cfg.Guild, acting, pop, l.Policy.Limits, used, gates)
		if look.Found, err = e.withGivers(ctx, db, foundMembers(l.Scene, decisions, &r.Plan), &r.Plan); err != nil {
			return err
		}
		applied, err := db.ApplyLook(ctx, look)
		if err != nil {
			return err
		}
		r.countApplied(applied)
		if err := db.StorePlan(ctx, storedPlan(&r.Plan, r.Run, l)); err != nil {
			return err
		}
		if acts && len(r.Plan.Free()) > 0 {
			r.performing = true
			if err := db.MovePlan(ctx, e.cfg.Guild, r.Plan.Digest, storage.PlanStored, storage.PlanPerforming); err != nil {
				return err
			}
		}
		return e.tell(ctx, db, r, applied)
	})
	if err != nil {
		return err
	}
	return e.trip(ctx, r)
}

// acting are the decisions that may go further than a finding in real time.
func (l *Look) acting(decisions []audit.Decision) []audit.Decision {
	return slices.DeleteFunc(slices.Clone(decisions), func(d audit.Decision) bool { return l.realtime(&d) != audit.RealtimeAct })
}

func (r *Report) countApplied(a storage.Applied) {
	f := &r.Counts.Findings
	f.Opened, f.Changed, f.Closed, f.Unchanged = a.Opened, a.Changed, a.Closed, a.Unchanged
}

// realtime is how far a live event may go with a decision. Blocks and containments are outside the setting.
func (l *Look) realtime(d *audit.Decision) audit.Realtime {
	if d.Layer == audit.LayerBlock || d.Layer == audit.LayerContain {
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
