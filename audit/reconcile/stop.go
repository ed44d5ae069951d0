package reconcile

import (
	"context"
	"errors"
	"time"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Hindrance is why a run cannot be taken up. The list is closed.
type Hindrance int

// The hindrances.
const (
	Free   Hindrance = iota // nothing is in the way
	Over                    // it has ended
	AtWork                  // its process gave a sign of life a moment ago
)

// Hindered says what keeps a run from being taken up at the instant.
func Hindered(run storage.Run, at time.Time) Hindrance {
	switch {
	case run.State.IsEnd():
		return Over
	case run.State == storage.Running && at.Sub(run.Heartbeat) < DeadAfter:
		return AtWork
	}
	return Free
}

// EndRun ends a run that waits or works, for good: Cancelled or Abandoned. If it is at work it stops before its next change. One that
// stands there already is no error; one that has ended otherwise is ErrConflict, one that the guild does not have is ErrNotFound, both with
// the run as it is.
func (e *Engine) EndRun(ctx context.Context, id int64, to storage.RunState, code string) (run storage.Run, err error) {
	defer wrap.Err(&err, "end run %d", id)
	for {
		run, err = e.db.Run(ctx, id)
		switch {
		case err != nil:
			return run, err
		case run.Guild != e.cfg.Guild:
			return storage.Run{}, storage.ErrNotFound
		case run.State == to:
			return run, nil
		case run.State.IsEnd():
			return run, storage.ErrConflict
		}
		ended, err := e.db.MoveRun(ctx, storage.Move{Run: id, From: run.State, To: to, At: e.now(), Error: code})
		if err == nil || !errors.Is(err, storage.ErrConflict) { // else it moved meanwhile
			return ended, err
		}
	}
}
