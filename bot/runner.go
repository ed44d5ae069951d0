package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// cause is why we order a look at everybody ourselves.
type cause int

const (
	causeOverflow cause = iota + 1
	causeSlow
	causeCrowd
	causeMissed
	causeDrift
	causeRange
	causeAuth
	causeAgain
)

func (c cause) String() string {
	return [...]string{"", "overflow", "slow_reads", "crowd", "missed_events", "drift", "role_changed", "auth_back", "again"}[c]
}

// runner performs the runs of a guild, one after another.
type runner struct {
	g    *Guild
	wake chan struct{}

	mu      sync.Mutex
	queue   []storage.Run
	running *storage.Run
	stop    context.CancelCauseFunc // of the running one
	wish    wish
	last    time.Time // when the last look at everybody that we ordered ended

	ordering sync.Mutex // held while a look at everybody is ordered
	own      int64      // the last one that we ordered
}

// wish is a look at everybody that was asked for and has not begun.
type wish struct {
	cause cause
	anew  bool      // every member is read anew; else what is known suffices, if it is complete
	due   time.Time // zero: nobody asked
	tries int
}

func newRunner(g *Guild) *runner { return &runner{g: g, wake: make(chan struct{}, 1)} }

func (r *runner) start(run storage.Run) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil && r.running.ID == run.ID || slices.ContainsFunc(r.queue, func(q storage.Run) bool { return q.ID == run.ID }) {
		return nil
	}
	if len(r.queue) >= mostQueued {
		return errors.New("too many runs wait") // of one guild: something orders them in a loop
	}
	r.queue = append(r.queue, run)
	nudge(r.wake)
	return nil
}

// mostQueued is how many runs may wait in one guild.
const mostQueued = 1000

func (r *runner) cancel(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.queue)
	r.queue = slices.DeleteFunc(r.queue, func(q storage.Run) bool { return q.ID == id })
	if r.running != nil && r.running.ID == id {
		r.stop(reconcile.ErrStopped)
		return true
	}
	return len(r.queue) < before
}

func (r *runner) at(id int64) (storage.Run, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil || r.running.ID != id {
		return storage.Run{}, false
	}
	return *r.running, true
}

func (r *runner) size() (queued int, running int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		running = r.running.ID
	}
	return len(r.queue), running
}

// catchUp asks for a look at everybody: several that ask are one.
func (r *runner) catchUp(why cause, anew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want(why, anew, r.g.cfg.Quiet, 0)
}

// begin asks for the look at everybody that a process begins with; nobody needs to wait for quiet.
func (r *runner) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want(causeMissed, true, 0, 0)
}

func (r *runner) want(why cause, anew bool, in time.Duration, tries int) {
	due := time.Now().Add(in)
	if next := r.last.Add(r.g.cfg.Spacing); !anew && next.After(due) {
		due = next
	}
	r.wish.anew = r.wish.anew || anew
	if r.wish.due.IsZero() || due.Before(r.wish.due) {
		r.wish.cause, r.wish.tries, r.wish.due = why, tries, due
		nudge(r.wake)
	}
}

// about reports whether a look at everybody will begin as soon as its time has come: there is nothing else to wait for.
func (r *runner) about() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.wish.due.IsZero() && r.wish.tries == 0 && r.running == nil
}

// work performs runs until the context ends; the one at work is then left at a checkpoint.
func (r *runner) work(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		run, w, next := r.next(time.Now())
		var err error
		switch {
		case w.cause != 0:
			err = r.catch(ctx, w)
		case run != nil && r.isOver(ctx, *run):
		case run != nil:
			err = r.perform(ctx, *run, wish{})
		default:
			timer.Reset(until(next))
			select {
			case <-ctx.Done():
			case <-r.wake:
			case <-timer.C:
			}
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// next is what to do now: a look at everybody before what was ordered, for it is about what was missed.
func (r *runner) next(now time.Time) (run *storage.Run, w wish, next time.Time) {
	if r.g.box.isFrozen() {
		return nil, w, next
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.wish.due.IsZero() && !r.wish.due.After(now):
		w, r.wish = r.wish, wish{}
		return nil, w, next
	case r.wish.anew && r.wish.tries == 0: // what was missed comes before what was ordered
	case len(r.queue) > 0:
		first := r.queue[0]
		r.queue = slices.Delete(r.queue, 0, 1)
		return &first, w, next
	}
	return nil, w, r.wish.due
}

// catch orders a look at everybody and performs it; where nothing may be changed, a report that waits does as well.
func (r *runner) catch(ctx context.Context, w wish) error {
	if now, err := r.g.gates(ctx); err == nil && (now.locked || now.paused) {
		if run, waits := r.report(); waits && !r.isOver(ctx, run) {
			return r.perform(ctx, run, w)
		}
	}
	r.g.count.with(func(s *Stats) { s.CatchUps++ })
	run, err := r.order(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.g.cfg.Log.ErrorContext(ctx, "run not ordered", "guild", r.g.cfg.Guild, "why", w.cause.String(), "error", err)
			r.g.trouble(TroubleRun, err.Error())
			r.repeat(w)
		}
		return nil
	}
	return r.perform(ctx, run, w)
}

// order orders a look at everybody, and remembers that it is ours.
func (r *runner) order(ctx context.Context) (storage.Run, error) {
	r.ordering.Lock()
	defer r.ordering.Unlock()
	run, err := r.g.cfg.Line.Order(ctx, storage.Order{
		Kind: reconcile.KindCatchUp, Actor: reconcile.SystemActor, Origin: "event", Deadline: time.Now().Add(r.g.cfg.Deadline),
	})
	if err == nil {
		r.own = run.ID
	}
	return run, err
}

// ordered reports whether a look at everybody is ours. It waits for one that is being ordered: whoever sees it in storage asks in time.
func (r *runner) ordered(id int64) bool {
	r.ordering.Lock()
	defer r.ordering.Unlock()
	return r.own == id
}

// isOver reports whether a run has ended since it was handed in: the queue and a take-over may both hand in one, a moment apart.
func (r *runner) isOver(ctx context.Context, run storage.Run) bool {
	now, err := r.g.cfg.Store.Run(ctx, run.ID)
	return err == nil && reconcile.Hindered(now, time.Now()) == reconcile.Over
}

// report takes a report on everybody out of those that wait.
func (r *runner) report() (run storage.Run, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.queue, func(q storage.Run) bool {
		o := q.Order
		return o.Kind == reconcile.KindLive && o.Limit == 0 && len(o.Members) == 0
	})
	if i < 0 {
		return run, false
	}
	run = r.queue[i]
	r.queue = slices.Delete(r.queue, i, i+1)
	return run, true
}

// repeat asks once more for what went wrong.
func (r *runner) repeat(w wish) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want(w.cause, w.anew, backoff(w.tries), w.tries+1)
}

// perform has a run performed; only what must stop the whole guild is an error.
func (r *runner) perform(ctx context.Context, run storage.Run, w wish) error {
	g := r.g
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stop(reconcile.ErrRestart) })()
	r.mu.Lock()
	r.running, r.stop = &run, stop
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running = nil
		if w.cause == 0 {
			return
		}
		r.last = time.Now()
		// What was asked for meanwhile keeps its distance, too.
		if next := r.last.Add(g.cfg.Spacing); !r.wish.anew && !r.wish.due.IsZero() && r.wish.due.Before(next) {
			r.wish.due = next
		}
	}()
	g.keep(ctx, g.box.kept())
	var guilds reconcile.Guilds = g.cfg.Guilds
	var covered []time.Time
	if w.cause != 0 {
		covered = g.box.cover(time.Now())
		if !w.anew {
			guilds = asKnown{g.cfg.Guilds}
		}
	}
	g.cfg.Teller.RunBegan(run)
	report, err := g.cfg.Line.Sweep(work, run, guilds, g.cfg.Writer)
	g.cfg.Teller.RunEnded(report, err)
	nudge(g.wake)
	switch {
	case errors.Is(err, storage.ErrFenced):
		return err
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, reconcile.ErrStopped):
		return r.settle(ctx, run)
	case err != nil:
		g.cfg.Log.ErrorContext(ctx, "run failed", "guild", g.cfg.Guild, "run", run.ID, "error", err)
		g.trouble(TroubleRun, err.Error())
		if w.cause != 0 {
			r.repeat(w)
		}
		return nil
	}
	g.count.done(covered)
	r.after(report, w)
	return nil
}

// after sees to what a run left to do.
func (r *runner) after(report *reconcile.Report, w wish) {
	if report == nil || report.Look == nil {
		return
	}
	r.g.tellOutcomes(report)
	switch h := report.Look.Verdict.Health; {
	case h == audit.Healthy:
		r.g.authBelieved()
	case w.cause != 0:
		if r.g.wait.all() {
			r.g.trouble(TroubleAuthWait, h.String())
		}
	}
	if w.cause == 0 {
		return
	}
	now := time.Now()
	for _, o := range report.Outcomes {
		if is, in := lookAgain(o); is {
			r.g.box.again(o.Action.Member, now, now.Add(max(in, time.Second)), 0)
		}
	}
	nudge(r.g.wake)
}

// settle makes sure that a run which was cancelled here does not stay at work in storage.
func (r *runner) settle(ctx context.Context, run storage.Run) error {
	now, err := r.g.cfg.Store.Run(ctx, run.ID)
	if err == nil && now.State == storage.Running {
		_, err = r.g.cfg.Store.MoveRun(ctx, storage.Move{Run: run.ID, From: storage.Running, To: storage.Cancelled, At: time.Now().UTC(), Error: "by_cancel"})
	}
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		r.g.cfg.Log.ErrorContext(ctx, "cancelled run not settled", "run", run.ID, "error", err)
	}
	return nil
}

// asKnown gives the guild as it is known, where that is complete: events have kept it up to date, and every member is read again
// before anything is done to them.
type asKnown struct{ reconcile.LiveGuilds }

// Visible satisfies reconcile.Sighted.
func (k asKnown) Visible() bool {
	s, knows := k.LiveGuilds.(reconcile.Sighted)
	return !knows || s.Visible()
}

// Picture satisfies reconcile.Guilds.
func (k asKnown) Picture(ctx context.Context) (reconcile.Picture, error) {
	if p, err := k.Known(ctx); err == nil && p.Complete {
		return p, nil
	}
	return k.LiveGuilds.Picture(ctx)
}
