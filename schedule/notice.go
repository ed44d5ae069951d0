package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"

	"gatecamp/notify"
	"gatecamp/storage"
)

// noticeAgain is after how long Auth's bell rings again for the same reason.
const noticeAgain = 24 * time.Hour

// memoryNotice is what the memory of when Auth was told last, and of what, begins with.
const memoryNotice = "schedule.notice."

// noticeArgs are what the queue stores of a notification in Auth.
type noticeArgs struct {
	Guild   snowflake.ID   `json:"guild"`
	Reason  string         `json:"reason"`
	Message notify.Message `json:"message"`
}

// Kind satisfies river.JobArgs.
func (noticeArgs) Kind() string { return "notice" }

// tellAuth queues a notification in Auth, where an operator wants that. What needs nobody is not worth a bell, and each reason rings
// once a day.
func (q *Queue) tellAuth(ctx context.Context, t Telling) error {
	if q.cfg.Notice == nil || t.Message.Tone < notify.Held {
		return nil
	}
	reason, now := t.Reason+"_"+t.Message.Tone.String(), q.cfg.Now()
	_, at, err := q.cfg.Store.Recall(ctx, t.Guild, memoryNotice+reason)
	if err != nil && !errors.Is(err, storage.ErrNotFound) || err == nil && now.Sub(at).Abs() < noticeAgain {
		return err
	}
	if err := q.cfg.Store.Remember(ctx, t.Guild, memoryNotice+reason, nil, now); err != nil {
		return err
	}
	_, err = q.client.Insert(ctx, noticeArgs{t.Guild, t.Reason, t.Message}, &river.InsertOpts{Queue: q.sends(), MaxAttempts: sendAttempts})
	if err != nil {
		return fmt.Errorf("queue a notification in Auth: %w", err)
	}
	return nil
}

type noticeWorker struct {
	river.WorkerDefaults[noticeArgs]
	q *Queue
}

// Timeout satisfies river.Worker.
func (*noticeWorker) Timeout(*river.Job[noticeArgs]) time.Duration { return sendWithin }

// NextRetry satisfies river.Worker.
func (w *noticeWorker) NextRetry(job *river.Job[noticeArgs]) time.Time {
	return time.Now().Add(w.q.retry(job.Attempt))
}

// Work writes once. The log says why Auth took nothing: it is the operator who gave it the right to write.
func (w *noticeWorker) Work(ctx context.Context, job *river.Job[noticeArgs]) (err error) {
	defer w.q.plain(ctx, &err, "notice")
	q := w.q
	if q.cfg.Notice == nil {
		return river.JobCancel(codeError("notices_unset"))
	}
	err = q.cfg.Notice(ctx, job.Args.Message)
	if err != nil && job.Attempt >= job.MaxAttempts {
		q.cfg.Log.WarnContext(ctx, "a notification in Auth was given up", "guild", job.Args.Guild, "reason", job.Args.Reason, "error", err)
	}
	return err
}
