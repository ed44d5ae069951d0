package bot

import (
	"context"
	"errors"
	"slices"
	"time"

	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// takeOver settles what an earlier process left open, and takes up the runs that it left: those that wait, those that were interrupted
// by anything but a person, and those whose process has died, as soon as that is sure.
func (g *Guild) takeOver(ctx context.Context) error {
	for tries := 0; ; tries++ {
		n, err := g.cfg.Line.Recover(ctx, g.cfg.Guilds)
		if err == nil {
			if n > 0 {
				g.cfg.Log.InfoContext(ctx, "open actions settled", "guild", g.cfg.Guild, "actions", n)
			}
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, storage.ErrFenced) {
			return err
		}
		g.cfg.Log.ErrorContext(ctx, "open actions not settled", "guild", g.cfg.Guild, "error", err)
		g.trouble(TroubleRun, err.Error())
		if err := rest(ctx, backoff(tries)); err != nil {
			return err
		}
	}
}

// takeUps takes up what an earlier process left, until nothing of it can still be at work.
func (g *Guild) takeUps(ctx context.Context) error {
	for tries := 0; ctx.Err() == nil; tries++ {
		again, err := g.takeUp(ctx)
		if errors.Is(err, storage.ErrFenced) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			g.cfg.Log.ErrorContext(ctx, "runs of an earlier process not taken up", "guild", g.cfg.Guild, "error", err)
		}
		if !again {
			return nil
		}
		if rest(ctx, takeUpAgain) != nil {
			break
		}
	}
	return context.Cause(ctx)
}

// takeUpAgain is how often a run is asked after that may still be at work.
const takeUpAgain = 5 * time.Second

// takeUp starts the runs that an earlier process left; again is true while one of them may still be at work.
func (g *Guild) takeUp(ctx context.Context) (again bool, err error) {
	runs, err := g.cfg.Store.Runs(ctx, g.cfg.Guild, storage.RunFilter{States: []storage.RunState{storage.Pending, storage.Running, storage.Interrupted}})
	if err != nil {
		return true, err
	}
	for _, run := range slices.Backward(runs) { // oldest first
		switch {
		case run.Order.Kind == reconcile.KindSnapshot, run.State == storage.Interrupted && run.Error == interruptedByPerson:
			continue
		case run.Order.Kind == reconcile.KindCatchUp && g.runner.ordered(run.ID): // ordered since this process began
			continue
		case run.Order.Kind == reconcile.KindCatchUp:
			// Another look at everybody is on its way; this one is over.
			err = g.giveUp(ctx, run)
		default:
			var ready storage.Run
			if ready, err = g.cfg.Line.TakeOver(ctx, run.ID); err == nil {
				err = g.Start(ready)
			}
		}
		switch {
		case err == nil, errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound):
		case problem.KindOf(err) == problem.Refused: // at work, or its process died a moment ago
			again = true
		default:
			return true, err
		}
	}
	return again, nil
}

// giveUp ends a look at everybody that an earlier process did not.
func (g *Guild) giveUp(ctx context.Context, run storage.Run) error {
	ready, err := g.cfg.Line.TakeOver(ctx, run.ID)
	if err != nil {
		return err
	}
	_, err = g.cfg.Store.MoveRun(ctx, storage.Move{Run: run.ID, From: ready.State, To: storage.Abandoned, At: time.Now().UTC(), Error: "restarted"})
	return err
}

// interruptedByPerson is the error code of a run that somebody interrupted at the console: it waits until somebody resumes it.
const interruptedByPerson = "stopped"

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
