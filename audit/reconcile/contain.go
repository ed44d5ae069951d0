package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/trail"
)

// Contain is who is to be contained, and on whose word.
type Contain struct {
	Member snowflake.ID
	Rule   string
}

// ruleActor begins the actor of what a rule asked for.
const ruleActor = "rule:"

// Contain takes every privileged role that the bot reaches from one member, because a rule of enforcement says that they have gone
// wrong: through the same gates, record and second look as everything else. At most one member in audit.ContainEvery; the report says
// what came of it, and what held it. ErrNoMember if they are not in the guild.
func (e *Engine) Contain(ctx context.Context, c Contain, guilds LiveGuilds, w Writer) (_ *Report, err error) {
	defer wrap.Err(&err, "contain member %d", c.Member)
	pic, err := known(ctx, guilds)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Run:  storage.Run{Guild: e.cfg.Guild, Order: storage.Order{Actor: ruleActor + c.Rule, Origin: "rule"}},
		Seen: []snowflake.ID{c.Member}, Contain: &c,
	}
	wish := Wish{Of: r.Seen}
	var g *gathered
	var sides errgroup.Group
	sides.Go(func() (err error) {
		g, err = e.gather(ctx, wish)
		return err
	})
	guild, members, err := guilds.Members(ctx, wish.Of)
	if failed := sides.Wait(); err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, ErrNoMember
	}
	pic = pic.under(guild)
	if r.Look, err = e.compose(ctx, pic, wish, g); err != nil {
		return nil, err
	}
	d := audit.Containment(r.Look.Scene.Facts(members[0]))
	r.Decisions, r.Population = []audit.Decision{d}, pic.population(r.Look.Scene)
	if err := e.planContain(ctx, r, w != nil); err != nil {
		return r, err
	}
	if w != nil && len(r.Plan.Free()) > 0 {
		err = e.perform(ctx, r, guilds, w)
	}
	e.emitContain(r)
	return r, err
}

// planContain makes and stores the plan.
func (e *Engine) planContain(ctx context.Context, r *Report, acts bool) error {
	return e.db.Together(ctx, func(db storage.Roles) error {
		gates, err := e.gates(ctx, db, r.Look, false)
		if err != nil {
			return err
		}
		if gates.Contained, err = e.contained(ctx, db); err != nil {
			return err
		}
		r.Plan = audit.MakePlan(e.cfg.Guild, r.Decisions, r.Population, r.Look.Policy.Limits, audit.Used{Live: true}, gates)
		if len(r.Plan.Actions) == 0 {
			return nil
		}
		if err := db.StorePlan(ctx, storedPlan(&r.Plan, r.Run, r.Look)); err != nil {
			return err
		}
		if acts && len(r.Plan.Free()) > 0 {
			r.performing = true
			if err := db.MovePlan(ctx, e.cfg.Guild, r.Plan.Digest, storage.PlanStored, storage.PlanPerforming); err != nil {
				return err
			}
		}
		return e.tell(ctx, db, r, storage.Applied{})
	})
}

// contained is who was contained within audit.ContainEvery, in this process or before it; zero: nobody.
func (e *Engine) contained(ctx context.Context, db storage.Roles) (snowflake.ID, error) {
	lately, err := db.ActionsSince(ctx, e.cfg.Guild, audit.Contain.String(), e.now().Add(-audit.ContainEvery))
	if err != nil {
		return 0, err
	}
	for _, a := range slices.Backward(lately) {
		if result, settled := audit.ParseResult(a.Outcome); !settled || !result.GivesBack() {
			return a.Member, nil
		}
	}
	return 0, nil
}

// keepInverse keeps what gives a role back that a containment took.
func (e *Engine) keepInverse(ctx context.Context, db storage.Roles, r *Report, a audit.Planned) error {
	inverse, ok := a.Inverse()
	if !ok {
		return nil
	}
	return e.entry(ctx, db, r, audit.Planned{Action: inverse, Key: a.Key}, trail.Planned, audit.Contain.String())
}

// emitContain tells what became of the containment.
func (e *Engine) emitContain(r *Report) {
	if e.cfg.Emit == nil {
		return
	}
	done, held := 0, ""
	for _, o := range r.Outcomes {
		if o.Result == audit.Done {
			done++
		} else if held == "" {
			held = o.Result.String() + " " + o.Code
		}
	}
	for _, a := range r.Plan.Actions {
		if len(a.Held) > 0 && held == "" {
			held = "held by " + a.Held[0].String()
		}
	}
	d := &r.Decisions[0]
	if held == "" && done == 0 {
		held = fmt.Sprintf("left alone by %s %v", d.Layer, d.Reasons.Codes())
	}
	e.cfg.Emit(enforcement.Event{
		Type: enforcement.Alert, At: e.now(), Namespace: enforcement.Namespace(e.cfg.Guild), Rule: r.Contain.Rule, Action: "contained", Actor: r.Run.Order.Actor,
		Subject: enforcement.Subject{Scope: enforcement.User, ID: uint64(r.Contain.Member)},
		Reason:  fmt.Sprintf("contain: %d privileged roles taken; %s", done, held),
	})
}
