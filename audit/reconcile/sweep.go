package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/trail"
)

// The kinds of run.
const (
	KindLive     = "live"     // the guild itself
	KindSnapshot = "snapshot" // a file: never acts, never releases the lock
	KindApply    = "apply"    // performs one stored plan
	KindCatchUp  = "catch_up" // the guild itself, because events may have been missed: it does what they would have done, and no more
)

// How a run ended before its work did.
var (
	ErrStopped  = problem.New(problem.Failed, "the run was stopped by a person; what was done is recorded", "see it with `gatecamp audit history`")
	ErrRestart  = problem.New(problem.Failed, "the process ends; what was done is recorded, and the next process goes on", "")
	ErrDeadline = problem.New(problem.Failed, "the run's time was over; what was done is recorded", "order a new run, or set a longer GATECAMP_RUN_DEADLINE")
)

// Report is what a run came to.
type Report struct {
	Run        storage.Run
	Look       *Look
	Plan       audit.Plan
	Decisions  []audit.Decision // the stored ones
	Population audit.Population
	Counts     Counts
	Outcomes   []audit.Outcome
	Seen       []snowflake.ID // of a live look: who was looked at, also those of whom nothing is found
	Contain    *Contain       // of a containment; else nil
	Rejoins    []Rejoin       // blocked members who came back too often
	PutOff     []PutOff       // whose kick only grace puts off, where a kick would be performed

	stored     bool            // the plan is
	performing bool            // the stored plan says so
	earlier    []audit.Outcome // of the same run, before it was taken up again
}

// outcomes are all of the run, earlier ones first; of an action that was tried again the last.
func (r *Report) outcomes() []audit.Outcome {
	again := map[audit.Action]struct{}{}
	for _, o := range r.Outcomes {
		again[bare(o.Action)] = struct{}{}
	}
	var all []audit.Outcome
	for _, o := range r.earlier {
		if _, is := again[bare(o.Action)]; !is {
			all = append(all, o)
		}
	}
	return append(all, r.Outcomes...)
}

// Sweep works on a run that was ordered: it gathers, decides, plans and stores, and performs what the order and every gate and brake
// let through. The writer may be nil: then nothing is performed. It ends with the run in a state that says how far it came; an
// ended context leaves it interrupted, to be resumed.
func (e *Engine) Sweep(ctx context.Context, run storage.Run, guilds Guilds, w Writer) (_ *Report, err error) {
	defer wrap.Err(&err, "run %d", run.ID)
	run, err = e.db.MoveRun(ctx, storage.Move{Run: run.ID, From: run.State, To: storage.Running, At: e.now(), Owner: e.cfg.Owner})
	if err != nil {
		return nil, err
	}
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if !run.Order.Deadline.IsZero() {
		// A run that is resumed has its time once more: what it waited for is not its fault.
		var end context.CancelFunc
		work, end = context.WithTimeoutCause(work, run.Order.Deadline.Sub(run.Created), ErrDeadline)
		defer end()
	}
	r := &Report{Run: run}
	var beats errgroup.Group
	beats.Go(func() error { e.beat(work, run.ID, stop); return nil })
	failed := e.work(work, r, guilds, w)
	cause := context.Cause(work)
	stop(nil)
	_ = beats.Wait()
	last, enough := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer enough()
	return r, e.end(last, r, failed, cause)
}

// endWithin is how long a run that was stopped may take to write down how far it came.
const endWithin = 15 * time.Second

// beat gives signs of life; it stops the work as soon as the run is no longer ours to work on.
func (e *Engine) beat(ctx context.Context, run int64, stop context.CancelCauseFunc) {
	tick := time.NewTicker(e.cfg.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := e.alive(ctx, e.db, run, nil)
		if errors.Is(err, ErrStopped) {
			stop(ErrStopped)
			return
		}
		if err != nil && ctx.Err() == nil {
			e.cfg.Log.WarnContext(ctx, "sign of life not stored", "run", run, "error", err)
		}
	}
}

// alive leaves a sign of life, with the counts so far (nil leaves them); ErrStopped if the run is no longer ours to work on.
func (e *Engine) alive(ctx context.Context, db storage.Runs, run int64, counts json.RawMessage) error {
	err := db.BeatRun(ctx, run, e.cfg.Owner, e.now(), counts)
	if errors.Is(err, storage.ErrConflict) {
		return ErrStopped
	}
	return err
}

// work is the line from the picture to the outcomes.
func (e *Engine) work(ctx context.Context, r *Report, guilds Guilds, w Writer) error {
	pic, err := guilds.Picture(ctx)
	if err != nil {
		return err
	}
	pic.Away = pic.Away || away(guilds)
	if r.Look, err = e.lookFor(ctx, r.Run, pic); err != nil {
		return err
	}
	digest, err := plannedBefore(r.Run)
	if err != nil {
		return err
	}
	if digest != "" {
		err = e.takeUp(ctx, r, digest)
	} else {
		err = e.plan(ctx, r)
	}
	if err != nil {
		return err
	}
	if w == nil || r.Run.Order.DryRun {
		return nil
	}
	return e.perform(ctx, r, guilds, w)
}

// plannedBefore is the digest of the stored plan that the run performs: the one it was ordered to apply, or the one that it stored
// before it was interrupted or its process died. Empty: it has still to plan.
func plannedBefore(run storage.Run) (string, error) {
	if run.Order.Plan != "" {
		return run.Order.Plan, nil
	}
	if run.Digest != "" {
		return run.Digest, nil
	}
	c, err := decode[Counts](run.Counts)
	return c.Summary.Digest, err
}

// lookFor gathers under exactly what was ordered.
func (e *Engine) lookFor(ctx context.Context, run storage.Run, pic Picture) (*Look, error) {
	policy, err := e.orderedPolicy(ctx, run.Order)
	if err != nil {
		return nil, err
	}
	wish := Wish{Policy: &policy, PolicyVersion: run.Order.PolicyVersion}
	if run.Order.Mode != "" {
		act, ok := audit.ParseAct(run.Order.Mode)
		if !ok {
			return nil, fmt.Errorf("stored mode %q is none", run.Order.Mode)
		}
		wish.Act = act
	}
	overrides, err := decode[[]storage.Exception](run.Order.Overrides)
	if err != nil {
		return nil, err
	}
	wish.Overrides = overrides
	return e.Look(ctx, pic, wish)
}

// Decide looks at the members of the picture and returns what is worth keeping, and the population.
func (l *Look) Decide(members []audit.Member) ([]audit.Decision, audit.Population) {
	decisions, pop := audit.Survey(l.Scene, members, &l.Policy, l.Scene.Noteworthy)
	pop.Complete = l.Picture.Complete && len(members) == len(l.Picture.Members)
	return decisions, pop
}

// Member decides about one member.
func (l *Look) Member(m audit.Member) audit.Decision {
	f := l.Scene.Facts(m)
	return audit.Decide(f, audit.Classify(f), &l.Policy)
}

// plan decides about everybody whom the order names, makes the plan and stores both.
func (e *Engine) plan(ctx context.Context, r *Report) error {
	order := r.Run.Order
	members, extent := scope(order, r.Look)
	decisions, pop := r.Look.Decide(members)
	if order.Limit > 0 {
		pop.Complete = false // also where the guild is smaller than the limit
	}
	if len(order.Members) > 0 {
		decisions = slices.DeleteFunc(decisions, func(d audit.Decision) bool { return !slices.Contains(order.Members, d.Member) })
	}
	acting := decisions
	if r.unasked() {
		decisions = slices.DeleteFunc(decisions, func(d audit.Decision) bool { return r.Look.realtime(&d) == audit.RealtimeOff })
		acting = r.Look.acting(decisions)
	}
	gates, err := e.gates(ctx, e.db, r.Look, order.DryRun)
	if err != nil {
		return err
	}
	if gates.Fights, err = e.fights(ctx, e.db, r.Look.At); err != nil {
		return err
	}
	used, err := e.used(ctx, e.db, r.Look, r.unasked())
	if err != nil {
		return err
	}
	r.Decisions = decisions
	if err := e.rejoins(ctx, r); err != nil {
		return err
	}
	r.Plan = audit.MakePlan(e.cfg.Guild, acting, pop, r.Look.Policy.Limits, used, gates)
	r.count(pop)
	if r.PutOff, err = e.putOff(ctx, r, members); err != nil {
		return err
	}
	return e.store(ctx, r, extent, members)
}

// scope is whom an order looks at, and what may be concluded from what is not found.
func scope(order storage.Order, l *Look) ([]audit.Member, storage.Extent) {
	members := l.Picture.Members
	switch {
	case l.Verdict.Health == audit.Blind:
		return members, storage.Blind
	case order.Limit > 0:
		members = slices.SortedFunc(slices.Values(members), func(a, b audit.Member) int {
			if a.ID < b.ID {
				return -1
			}
			return 1
		})
		return members[:min(order.Limit, len(members))], storage.Partial
	case len(order.Members) > 0:
		return members, storage.Named
	case !l.Picture.Complete:
		return members, storage.Partial
	}
	return members, storage.Complete
}

// store writes down findings, plan and trips before anything is done.
func (e *Engine) store(ctx context.Context, r *Report, extent storage.Extent, members []audit.Member) error {
	order := r.Run.Order
	look := storage.Look{Guild: e.cfg.Guild, Run: r.Run.ID, At: r.Look.At, Extent: extent, Seen: order.Members}
	if r.unasked() {
		look.Undecided = r.Look.unwatched(members)
	}
	found, err := e.withGivers(ctx, e.db, foundMembers(r.Look.Scene, r.Decisions, &r.Plan), &r.Plan)
	if err != nil {
		return err
	}
	if look.Found = found; len(order.Members) == 0 {
		look.Found = append(look.Found, foundRoles(r.Look.Scene)...)
	}
	applied, err := e.db.ApplyLook(ctx, look)
	if err != nil {
		return err
	}
	r.countApplied(applied)
	if err := e.db.StorePlan(ctx, storedPlan(&r.Plan, r.Run, r.Look)); err != nil {
		return err
	}
	// From here on a process that takes the run up finds this plan, and makes no other.
	r.stored = true
	if err := e.alive(ctx, e.db, r.Run.ID, encode(r.Counts)); err != nil {
		return err
	}
	if err := e.trip(ctx, r); err != nil {
		return err
	}
	return e.tell(ctx, e.db, r, applied)
}

// trip stores each brake that the plan broke though every gate stood open.
func (e *Engine) trip(ctx context.Context, r *Report) error {
	for _, h := range r.Plan.Trips() {
		_, err := e.db.Trip(ctx, storage.Trip{
			Guild: e.cfg.Guild, Dimension: h.By.String(), Plan: r.Plan.Digest, Run: r.Run.ID, At: r.Look.At,
			Cause: encode(map[string]any{"window": h.Window.String(), "asked": h.Asked, "allowed": h.Allowed}),
		})
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return nil
}

// tell leaves what changed in the trail: one entry for the findings, one for the plan; nothing where nothing changed.
func (e *Engine) tell(ctx context.Context, db storage.Roles, r *Report, applied storage.Applied) error {
	var entries []trail.Entry
	if applied.Opened+applied.Changed+applied.Closed > 0 {
		entries = append(entries, trail.Entry{Kind: trail.Seen, What: "findings", Numbers: map[string]int64{
			"opened": int64(applied.Opened), "changed": int64(applied.Changed), "closed": int64(applied.Closed),
		}})
	}
	if len(r.Plan.Actions) > 0 {
		numbers := map[string]int64{"actions": int64(len(r.Plan.Actions)), "free": int64(len(r.Plan.Free()))}
		for code, n := range r.Plan.HeldCounts() {
			numbers["held_"+code] = int64(n)
		}
		entries = append(entries, trail.Entry{Kind: trail.Planned, What: "plan", Plan: r.Plan.Digest, Numbers: numbers})
	}
	if len(entries) == 0 {
		return nil
	}
	keys, err := db.PersonKeys(ctx, e.cfg.Guild, []storage.Person{{Guild: e.cfg.Guild, Ref: r.Run.Order.Actor}})
	if err != nil {
		return err
	}
	records := make([]storage.TrailRecord, len(entries))
	for i, t := range entries {
		t.Guild, t.At, t.Run, t.Actor = e.cfg.Guild, r.Look.At, r.Run.ID, keys[0]
		records[i].Entry = t
	}
	return db.AppendTrail(ctx, records)
}

func (r *Report) count(pop audit.Population) {
	r.Population = pop
	r.Counts.Members, r.Counts.Categories = pop.Members, pop.CountsByCategory()
	r.Counts.Uncounted = len(r.Look.Picture.Members) - pop.Members
	if r.Look.Verdict.Health != audit.Blind { // else no name of Auth's is known, and no binding can be told from a proposal
		r.Counts.Unbound = r.Look.Scene.Proposed().Len()
	}
	r.Counts.Actions = map[string]int{}
	for i := range r.Decisions {
		r.Counts.Actions[r.Decisions[i].Act.String()]++
		r.Counts.Alerts += len(r.Decisions[i].Alerts())
	}
	r.Counts.Summary = audit.Summarize(r.Plan, nil)
}

// end moves the run to the state that says how far it came, and keeps what failed.
func (e *Engine) end(ctx context.Context, r *Report, failed, cause error) error {
	move := storage.Move{Run: r.Run.ID, From: storage.Running, At: e.now()}
	if r.Look != nil {
		r.Counts.Summary = audit.Summarize(r.Plan, r.outcomes())
		if move.Sources = r.Look.sources(); r.stored {
			move.Counts, move.Digest = encode(r.Counts), r.Plan.Digest
		}
	}
	switch {
	case errors.Is(cause, ErrStopped) || errors.Is(failed, ErrStopped):
		return errors.Join(ErrStopped, e.reload(ctx, r))
	case failed != nil && errors.Is(cause, ErrDeadline):
		move.To, move.Error = storage.DeadlineExceeded, "deadline"
		failed = ErrDeadline
	case failed != nil && cause != nil:
		move.To, move.Error = storage.Interrupted, "stopped"
		if errors.Is(cause, ErrRestart) {
			move.Error = "restart"
		}
	case errors.Is(failed, storage.ErrFenced):
		move.To, move.Error = storage.Interrupted, "lease_lost"
	case failed != nil:
		move.To, move.Error = storage.Failed, errorCode(failed)
	case r.Look.Verdict.Health == audit.Blind:
		move.To, move.Error = storage.CompletedWithErrors, "auth_blind"
	case slices.ContainsFunc(r.outcomes(), wentWrong):
		move.To, move.Error = storage.CompletedWithErrors, "actions_failed"
	default:
		move.To = storage.Succeeded
	}
	ended, err := e.db.MoveRun(ctx, move)
	if errors.Is(err, storage.ErrConflict) { // a person was faster
		return errors.Join(ErrStopped, failed, e.reload(ctx, r))
	}
	if err == nil {
		r.Run = ended
	}
	return errors.Join(failed, err)
}

func (e *Engine) reload(ctx context.Context, r *Report) error {
	run, err := e.db.Run(ctx, r.Run.ID)
	if err == nil {
		r.Run = run
	}
	return err
}

func wentWrong(o audit.Outcome) bool {
	switch o.Result {
	case audit.Refused, audit.NotApplied, audit.Collateral, audit.FailedCall:
		return true
	case audit.NotTried:
		return o.Code == codeNoSlot || o.Code == codeUnreadable || o.Code == codeNotSent
	case audit.Done, audit.AlreadySo, audit.Gone:
	}
	return false
}

// errorCode is the short word under which a run remembers why it failed; the text goes to the log and the console.
func errorCode(err error) string {
	for _, c := range []struct {
		is   error
		code string
	}{
		{storage.ErrFull, "database_full"},
		{storage.ErrReadOnly, "database_read_only"},
		{storage.ErrGone, "database_gone"},
		{storage.ErrLocked, "database_locked"},
		{storage.ErrConflict, "conflict"},
	} {
		if errors.Is(err, c.is) {
			return c.code
		}
	}
	return "failed"
}

// memberRef names a member to the trail.
func memberRef(id snowflake.ID) string { return "discord:" + id.String() }
