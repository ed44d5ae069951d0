package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"gatecamp/storage"
)

// unfinished are the states in which a job still has something to do: one of its kind and arguments is enough.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// runArgs is all that the queue knows of a run.
type runArgs struct {
	Run int64 `json:"run" river:"unique"`
}

// Kind satisfies river.JobArgs.
func (runArgs) Kind() string { return "run" }

// hand puts a run into the queue, once: the record knows the rest.
func (q *Queue) hand(ctx context.Context, guild snowflake.ID, run storage.Run) error {
	if q.wasHanded(run.ID) {
		return nil
	}
	_, err := q.client.Insert(ctx, runArgs{run.ID}, &river.InsertOpts{
		Queue: q.runs(), MaxAttempts: attemptsOf(run), UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished},
	})
	if err != nil {
		return fmt.Errorf("queue run %d of guild %d: %w", run.ID, guild, err)
	}
	return nil
}

// attemptsOf is how often handing a run to its line is tried: one that may act is handed over once, and else found in the record.
func attemptsOf(run storage.Run) int {
	if run.Order.DryRun {
		return 3
	}
	return 1
}

func (q *Queue) wasHanded(run int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, was := q.handed[run]
	return was
}

type runWorker struct {
	river.WorkerDefaults[runArgs]
	q *Queue
}

// Timeout satisfies river.Worker: a run has a deadline of its own.
func (*runWorker) Timeout(*river.Job[runArgs]) time.Duration { return -1 }

// NextRetry satisfies river.Worker.
func (w *runWorker) NextRetry(job *river.Job[runArgs]) time.Time {
	return time.Now().Add(w.q.retry(job.Attempt))
}

// Work hands the run to its line. It ends if this process does not keep the guild, and if the run is past being begun: the record, and
// whoever keeps the guild, know what to do.
func (w *runWorker) Work(ctx context.Context, job *river.Job[runArgs]) (err error) {
	defer w.q.plain(ctx, &err, "run")
	run, err := w.q.cfg.Store.Run(ctx, job.Args.Run)
	if err != nil {
		return err
	}
	g, ok := w.q.kept(run.Guild)
	if !ok || run.State != storage.Pending || w.q.wasHanded(run.ID) {
		return nil
	}
	if err := g.Line.Start(run); err != nil {
		w.q.cfg.Log.ErrorContext(ctx, "a scheduled run could not begin", "guild", run.Guild, "run", run.ID, "error", err)
		return codeError("not_begun")
	}
	w.q.mu.Lock()
	w.q.handed[run.ID] = run.Guild
	w.q.mu.Unlock()
	return nil
}
