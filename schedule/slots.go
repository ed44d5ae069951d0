package schedule

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Of the runs that are ordered here.
const (
	Actor  = "system"   // who orders them
	Origin = "schedule" // from where

	kindLive   = "live" // a run over the whole guild: the only kind that counts for the schedule
	modeReport = "report"
)

// keepsWaiting are the kinds of run on top of which none is ordered. What a process looks at when it begins, or when it missed something
// (catch_up), is none of them: it is no audit, and the next run waits for its end by itself.
var keepsWaiting = []string{kindLive, "apply"}

const (
	// lookAtMost is how long the loop sleeps: a clock that is set, or a machine that slept, is noticed after it.
	lookAtMost = 30 * time.Second
	// lookAgain is when it is looked again whether the run has ended that keeps the schedule waiting.
	lookAgain = 5 * time.Second
	// aWhile is after how long without a sign of life, or without being begun, a run no longer keeps the schedule waiting.
	aWhile = 5 * time.Minute
	// usualDeadline is a run's, unless the guild says another.
	usualDeadline = time.Hour
)

// loop looks at every guild when something is due, when it is woken, and now and then.
func (q *Queue) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
		}
		wait := lookAtMost
		for _, k := range q.all() {
			next, err := q.look(ctx, k)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				q.cfg.Log.ErrorContext(ctx, "the schedule could not be kept; it is looked at again", "guild", k.ID, "error", err)
			}
			if !next.IsZero() {
				wait = min(wait, max(next.Sub(q.cfg.Now()), 0))
			}
		}
		timer.Reset(wait)
	}
}

// look does what is due in a guild now, and says when to look again at the latest; zero: whenever.
func (q *Queue) look(ctx context.Context, k *kept) (next time.Time, err error) {
	now := q.cfg.Now()
	slot, next := k.Spec.lastDue(k.ID, now)
	waits, err := q.fire(ctx, k, slot, now)
	if waits {
		next = now.Add(lookAgain)
	}
	return next, errors.Join(err, q.alarm(ctx, k, now), q.orderPruning(ctx, k, now))
}

// fire orders the run of a slot, unless it has one, the guild was audited since, or it waits for another that is at work. So a time that
// passed while nobody was there is made up for, once.
func (q *Queue) fire(ctx context.Context, k *kept, slot, now time.Time) (waits bool, err error) {
	defer wrap.Err(&err, "fire the slot %s", slot.Format(time.RFC3339))
	if slot.IsZero() || !slot.After(k.settled) && !k.settled.After(now) {
		return false, nil
	}
	past, err := readPast(ctx, q.cfg.Store, k.ID)
	if err != nil {
		return false, err
	}
	name := slotName(slot)
	if i := slices.IndexFunc(past.runs, func(r storage.Run) bool { return r.Order.Slot == name }); i >= 0 {
		// Ordered, and perhaps not handed over: whoever ordered it may have died in between.
		if r := past.runs[i]; r.State == storage.Pending {
			return false, q.hand(ctx, k.ID, r)
		}
		q.settle(k.ID, slot)
		return false, nil
	}
	if past.busy(now) {
		return true, nil
	}
	if last := past.success(now); !last.IsZero() && !last.Before(slot) {
		q.settle(k.ID, slot)
		return false, nil
	}
	run, err := k.Line.Order(ctx, order(k, slot, now, past.success(now).IsZero()))
	switch {
	case errors.Is(err, storage.ErrConflict):
		q.settle(k.ID, slot) // another process fired it
		return false, nil
	case err != nil:
		return false, err
	}
	q.cfg.Log.InfoContext(ctx, "a scheduled run was ordered", "guild", k.ID, "run", run.ID, "slot", name, "late", now.Sub(slot).Round(time.Second))
	return false, q.hand(ctx, k.ID, run)
}

// order is what the schedule asks for. The first run of a guild looks and nothing more: the lock would hold whatever else it wanted.
func order(k *kept, slot, now time.Time, first bool) storage.Order {
	o := storage.Order{Kind: kindLive, Mode: k.Mode, Actor: Actor, Origin: Origin, Slot: slotName(slot), Deadline: now.Add(usualDeadline)}
	if o.Mode == "" || first {
		o.Mode = modeReport
	}
	if o.Mode == modeReport { // what the policy wants is told, and not done
		o.Mode, o.DryRun = "", true
	}
	if k.Deadline > 0 {
		o.Deadline = now.Add(k.Deadline)
	}
	return o
}

// slotName is what makes a run of a slot the only one.
func slotName(slot time.Time) string { return slot.UTC().Format(time.RFC3339) }

// settle notes that a slot needs nothing more.
func (q *Queue) settle(guild snowflake.ID, slot time.Time) {
	q.note(guild, func(k *kept) { k.settled = slot })
}

// past is what the record says of a guild's latest runs.
type past struct {
	runs []storage.Run // newest first
	done []storage.Run // likewise: those that have succeeded in one way or another
	open []storage.Run // those that are ordered or at work
}

// readPast reads as few runs as answer the questions below.
func readPast(ctx context.Context, db storage.Runs, guild snowflake.ID) (p past, err error) {
	const few = 50
	if p.runs, err = db.Runs(ctx, guild, storage.RunFilter{Kind: kindLive, Page: storage.Page{Limit: few}}); err != nil {
		return p, err
	}
	good := []storage.RunState{storage.Succeeded, storage.CompletedWithErrors}
	if p.done, err = db.Runs(ctx, guild, storage.RunFilter{Kind: kindLive, States: good, Page: storage.Page{Limit: few}}); err != nil {
		return p, err
	}
	p.open, err = db.Runs(ctx, guild, storage.RunFilter{States: []storage.RunState{storage.Pending, storage.Running}, Page: storage.Page{Limit: few}})
	return p, err
}

// busy reports whether a run is at work, or about to begin.
func (p past) busy(now time.Time) bool {
	return slices.ContainsFunc(p.open, func(r storage.Run) bool {
		life := r.Created
		if r.State == storage.Running {
			life = r.Heartbeat
		}
		return slices.Contains(keepsWaiting, r.Order.Kind) && now.Sub(life).Abs() < aWhile
	})
}

// success is when the whole guild was last looked at with an Auth that could be believed; zero: never. That some members could not be
// changed does not matter here: everyone was looked at. What lies in the future was written by a clock that has been set right since.
func (p past) success(now time.Time) (last time.Time) {
	for _, r := range p.done {
		whole := r.Order.Limit == 0 && r.Order.Members == nil && !r.Ended.After(now.Add(aWhile))
		if good := r.State == storage.Succeeded || r.Error == "actions_failed"; whole && good && r.Ended.After(last) {
			last = r.Ended
		}
	}
	return last
}
