package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"

	"gatecamp/discord"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
	"gatecamp/notify"
)

const (
	sendAttempts = 6                // with the waits between them, about an hour and a half
	sendWithin   = 30 * time.Second // one attempt
	sendAtAll    = 6 * time.Hour    // after which a message is too old to be worth the wait that Discord asks for
	notKeptAgain = 10 * time.Second // the guild is not kept here yet, or no longer
)

// Post is a message to a webhook.
type Post struct {
	Guild   snowflake.ID
	Webhook string // its name, never its address
	Run     int64  // whose list of people goes with it, if the guild wants that; zero: none
	Message notify.Message
}

// postArgs are what the queue stores.
type postArgs struct {
	Guild   snowflake.ID   `json:"guild"`
	Webhook string         `json:"webhook"`
	Run     int64          `json:"run,omitempty"`
	Message notify.Message `json:"message"`
}

// Kind satisfies river.JobArgs.
func (postArgs) Kind() string { return "post" }

// Post queues a message for a webhook. To one that is not set, or that is gone, nothing is queued, and that is no error: nothing
// depends on it.
func (q *Queue) Post(ctx context.Context, p Post) (err error) {
	defer wrap.Err(&err, "schedule.Post(%d, %s)", p.Guild, p.Webhook)
	g, kept := q.kept(p.Guild)
	address := g.Webhooks[p.Webhook]
	if kept && !address.IsSet() {
		return nil
	}
	if kept {
		if s, err := q.webhook(ctx, p.Guild, p.Webhook, address); err != nil || s.Dead {
			return err
		}
	}
	_, err = q.client.Insert(ctx, postArgs(p), &river.InsertOpts{Queue: q.sends(), MaxAttempts: sendAttempts})
	if err != nil {
		return fmt.Errorf("queue it: %w", err)
	}
	return nil
}

type postWorker struct {
	river.WorkerDefaults[postArgs]
	q *Queue
}

// Timeout satisfies river.Worker.
func (*postWorker) Timeout(*river.Job[postArgs]) time.Duration { return sendWithin }

// NextRetry satisfies river.Worker.
func (w *postWorker) NextRetry(job *river.Job[postArgs]) time.Time {
	return time.Now().Add(w.q.retry(job.Attempt))
}

// Work posts once. What becomes of a failure says the webhook: gone is for good, busy waits as long as it says, the rest is tried again.
func (w *postWorker) Work(ctx context.Context, job *river.Job[postArgs]) (err error) {
	defer w.q.plain(ctx, &err, "post")
	q, a := w.q, job.Args
	g, ok := q.kept(a.Guild)
	if !ok {
		return q.waitForKeeper(job.CreatedAt)
	}
	address := g.Webhooks[a.Webhook]
	if !address.IsSet() {
		return river.JobCancel(codeError("webhook_unset"))
	}
	s, err := q.webhook(ctx, a.Guild, a.Webhook, address)
	if err != nil {
		return err
	}
	if s.Dead {
		return river.JobCancel(codeError("webhook_gone"))
	}
	err = q.cfg.Sender.Post(ctx, address, a.Message, q.details(ctx, g, a)...)
	if err == nil {
		return q.noteWebhook(ctx, a.Guild, a.Webhook, s.sent(q.cfg.Now()))
	}
	v := judge(err, job.CreatedAt, job.Attempt >= job.MaxAttempts)
	if v.over {
		code := codeOf(err)
		if err := q.noteWebhook(ctx, a.Guild, a.Webhook, s.failed(q.cfg.Now(), string(code), v.dead)); err != nil {
			return err
		}
		q.logWebhook(ctx, a, code, v.dead)
		if v.dead {
			if err := q.webhookGone(ctx, g, a); err != nil {
				q.cfg.Log.ErrorContext(ctx, "nobody is told that the webhook is gone", "guild", a.Guild, "error", err)
			}
		}
		return v.then
	}
	q.cfg.Log.InfoContext(ctx, "a message to the webhook was not taken; it is tried again", "guild", a.Guild, "webhook", a.Webhook, "code", codeOf(err))
	return v.then
}

// waitForKeeper lets a job wait until its guild is kept, for as long as it is worth it.
func (q *Queue) waitForKeeper(created time.Time) error {
	if time.Since(created) > sendAtAll {
		return river.JobCancel(codeError("guild_not_kept"))
	}
	return river.JobSnooze(notKeptAgain)
}

// verdict is what a failure means for a job.
type verdict struct {
	then error // what the job returns
	over bool  // it is not tried again
	dead bool  // the address is good for nothing more
}

func judge(err error, created time.Time, last bool) verdict {
	u, is := errors.AsType[*discord.Undelivered](err)
	switch {
	case is && u.Fate == discord.Gone, !is && problem.KindOf(err) == problem.Usage:
		return verdict{then: river.JobCancel(codeOf(err)), over: true, dead: true}
	case is && (u.Fate == discord.Barred || u.Fate == discord.Rejected):
		return verdict{then: river.JobCancel(codeOf(err)), over: true}
	case is && u.RetryAfter > 0 && time.Since(created)+u.RetryAfter < sendAtAll:
		return verdict{then: river.JobSnooze(u.RetryAfter)}
	case is && u.RetryAfter > 0:
		return verdict{then: river.JobCancel(codeOf(err)), over: true}
	}
	return verdict{then: err, over: last}
}

func (q *Queue) logWebhook(ctx context.Context, a postArgs, code codeError, dead bool) {
	if dead {
		q.cfg.Log.ErrorContext(ctx, "the webhook is gone, and nothing more is sent to it until it has another address; make a new one in the channel's settings and set its address",
			"guild", a.Guild, "webhook", a.Webhook, "code", code)
		return
	}
	q.cfg.Log.WarnContext(ctx, "a message to the webhook was given up", "guild", a.Guild, "webhook", a.Webhook, "code", code)
}

// webhookGone tells those who do not read the log.
func (q *Queue) webhookGone(ctx context.Context, g Guild, a postArgs) error {
	p := q.cfg.Texts.For(g.Locale)
	m := notify.Message{
		Title: p.T(i18n.ScheduleWebhookTitle), Text: p.T(i18n.ScheduleWebhookText), Tone: notify.Trouble, At: q.cfg.Now(),
		Footer: p.T(i18n.ScheduleGuild, i18n.Args{"Guild": a.Guild.String()}),
	}
	if q.cfg.Alarm != nil {
		q.cfg.Alarm(a.Guild, ReasonWebhook, m)
	}
	t := Telling{Guild: a.Guild, Reason: ReasonWebhook, Message: m}
	return errors.Join(q.tellPeople(ctx, t), q.tellAuth(ctx, t))
}

// webhook is what is remembered of a webhook under its present address; another address begins anew.
func (q *Queue) webhook(ctx context.Context, guild snowflake.ID, name string, address secret.String) (WebhookState, error) {
	s, err := readWebhook(ctx, q.cfg.Store, guild, name)
	if err != nil {
		return s, err
	}
	if mark := markOf(address); s.Mark != mark {
		s = WebhookState{Name: name, Mark: mark}
	}
	return s, nil
}
