package schedule

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"

	"gatecamp/storage"
)

// pruneArgs are a guild and a day: so it is done once on each.
type pruneArgs struct {
	Guild snowflake.ID `json:"guild" river:"unique"`
	Day   string       `json:"day" river:"unique"`
}

// Kind satisfies river.JobArgs.
func (pruneArgs) Kind() string { return "prune" }

// memoryPruned is on which day old records went last.
const memoryPruned = "schedule.pruned"

// orderPruning queues the day's pruning, unless it was done before this process began.
func (q *Queue) orderPruning(ctx context.Context, k *kept, now time.Time) error {
	day := now.UTC().Format(time.DateOnly)
	if k.pruned == day || k.RetentionDays <= 0 {
		return nil
	}
	done, _, err := q.cfg.Store.Recall(ctx, k.ID, memoryPruned)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if string(done) == day {
		q.note(k.ID, func(k *kept) { k.pruned = day })
		return nil
	}
	o := &river.InsertOpts{Queue: q.sends(), MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished}}
	if q.pruneAfter > 0 {
		o.ScheduledAt = time.Now().Add(q.pruneAfter)
	}
	_, err = q.client.Insert(ctx, pruneArgs{k.ID, day}, o)
	if err == nil {
		q.note(k.ID, func(k *kept) { k.pruned = day })
	}
	return err
}

type pruneWorker struct {
	river.WorkerDefaults[pruneArgs]
	q *Queue
}

// Timeout satisfies river.Worker.
func (*pruneWorker) Timeout(*river.Job[pruneArgs]) time.Duration { return 10 * time.Minute }

// NextRetry satisfies river.Worker.
func (w *pruneWorker) NextRetry(job *river.Job[pruneArgs]) time.Time {
	return time.Now().Add(w.q.retry(job.Attempt))
}

// Work stores how long records are kept, which the database itself goes by, and lets go what is older.
func (w *pruneWorker) Work(ctx context.Context, job *river.Job[pruneArgs]) (err error) {
	defer w.q.plain(ctx, &err, "prune")
	g, ok := w.q.kept(job.Args.Guild)
	if !ok {
		return river.JobSnooze(notKeptAgain)
	}
	if g.RetentionDays <= 0 {
		return nil
	}
	now := w.q.cfg.Now().UTC()
	by := storage.Author{Actor: Actor, Origin: Origin, Reason: "GATECAMP_RETENTION_DAYS says so", At: now}
	if err := w.q.cfg.Store.SetSetting(ctx, g.ID, storage.SettingRetentionDays, strconv.Itoa(g.RetentionDays), by); err != nil {
		return w.q.failed(ctx, err, "how long records are kept could not be stored", g.ID)
	}
	pruned, err := w.q.cfg.Store.Prune(ctx, g.ID, now.AddDate(0, 0, -g.RetentionDays), false)
	if err != nil {
		return w.q.failed(ctx, err, "old records could not be let go", g.ID)
	}
	rows := int64(0)
	for _, n := range pruned.Rows {
		rows += n
	}
	w.q.cfg.Log.InfoContext(ctx, "old records were let go", "guild", g.ID, "before", pruned.Before, "rows", rows)
	return w.q.cfg.Store.Remember(ctx, g.ID, memoryPruned, []byte(job.Args.Day), now)
}

// failed logs what the queue must not store, and returns it for plain to cut.
func (q *Queue) failed(ctx context.Context, err error, what string, guild snowflake.ID) error {
	q.cfg.Log.ErrorContext(ctx, what, "guild", guild, "error", err)
	return err
}
