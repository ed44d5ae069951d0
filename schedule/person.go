package schedule

import (
	"context"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"

	"gatecamp/notify"
	"gatecamp/storage"
)

// messageArgs are what the queue stores of a direct message.
type messageArgs struct {
	Guild   snowflake.ID   `json:"guild"`
	Person  snowflake.ID   `json:"person"`
	Reason  string         `json:"reason"`
	Message notify.Message `json:"message"`
}

// Kind satisfies river.JobArgs.
func (messageArgs) Kind() string { return "message" }

type messageWorker struct {
	river.WorkerDefaults[messageArgs]
	q *Queue
}

// Timeout satisfies river.Worker.
func (*messageWorker) Timeout(*river.Job[messageArgs]) time.Duration { return sendWithin }

// NextRetry satisfies river.Worker.
func (w *messageWorker) NextRetry(job *river.Job[messageArgs]) time.Time {
	return time.Now().Add(w.q.retry(job.Attempt))
}

// Work sends once, if the person may still hear it. Failures that last are counted; after a few of them nothing more is sent.
func (w *messageWorker) Work(ctx context.Context, job *river.Job[messageArgs]) (err error) {
	defer w.q.plain(ctx, &err, "message")
	q, a := w.q, job.Args
	if _, ok := q.kept(a.Guild); !ok {
		return q.waitForKeeper(job.CreatedAt)
	}
	if q.cfg.Entitled != nil && a.Reason != reasonKickWarning {
		may, err := q.cfg.Entitled(ctx, a.Guild, a.Person)
		if err != nil {
			return err
		}
		if !may {
			return river.JobCancel(codeError("not_entitled"))
		}
	}
	err = q.cfg.Sender.DirectMessage(ctx, a.Person, a.Message)
	if err == nil {
		return q.noteMessage(ctx, a, "")
	}
	v := judge(err, job.CreatedAt, job.Attempt >= job.MaxAttempts)
	if v.over {
		if err := q.noteMessage(ctx, a, string(codeOf(err))); err != nil {
			return err
		}
	}
	return v.then
}

// noteMessage counts for a subscriber; whoever left in the meantime is not counted, and a warning that did not arrive is only logged.
func (q *Queue) noteMessage(ctx context.Context, a messageArgs, failure string) error {
	if a.Reason == reasonKickWarning {
		if failure != "" {
			q.cfg.Log.InfoContext(ctx, "a warning before a kick did not arrive", "guild", a.Guild, "code", failure)
		}
		return nil
	}
	err := q.cfg.Store.NoteMessage(ctx, a.Guild, a.Person, a.Reason, failure, q.cfg.Now())
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}
