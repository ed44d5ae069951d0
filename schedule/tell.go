package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"

	"gatecamp/internal/wrap"
	"gatecamp/notify"
	"gatecamp/storage"
)

// Why people are written to: at most one message a day for each.
const (
	ReasonRun   = "run"   // a run ended; the message's tone is added, so that a quiet one does not keep trouble from being told
	ReasonAlarm = "alarm" // no run has succeeded for too long
	// ReasonWebhook is that the webhook for summaries is gone.
	ReasonWebhook = "webhook"

	reasonKickWarning = "kick_warning" // grace alone keeps the person from being kicked
)

// giveUpAfter is how many messages in a row may fail until a subscriber gets no more; subscribing again begins anew.
const giveUpAfter = 5

// Telling is something to tell whoever wants to hear about a guild's runs.
type Telling struct {
	Guild   snowflake.ID
	Run     int64  // whose list of people the webhook also gets, if the guild wants that; zero: none
	Reason  string // ReasonRun, ReasonAlarm or ReasonWebhook
	Message notify.Message
}

// Tell queues a message for the summary's webhook and for every subscriber. It waits for the database and never for Discord; once it
// returns, the message survives a crash.
func (q *Queue) Tell(ctx context.Context, t Telling) (err error) {
	defer wrap.Err(&err, "schedule.Tell(%d, %s)", t.Guild, t.Reason)
	return errors.Join(q.Post(ctx, Post{Guild: t.Guild, Webhook: SummaryWebhook, Run: t.Run, Message: t.Message}), q.tellPeople(ctx, t), q.tellAuth(ctx, t))
}

func (q *Queue) tellPeople(ctx context.Context, t Telling) error {
	people, err := q.cfg.Store.Subscribers(ctx, t.Guild)
	if err != nil {
		return err
	}
	reason := t.Reason
	if reason == ReasonRun {
		reason += "_" + t.Message.Tone.String()
	}
	var errs []error
	for _, s := range people {
		if s.Failures >= giveUpAfter {
			continue
		}
		errs = append(errs, q.message(ctx, s, reason, t.Message))
	}
	return errors.Join(errs...)
}

// Warn queues a message to a member, who need be no subscriber, that they are kicked once their grace ends. It is sent once for a
// grace: what is admitted is the grace's end, and another that ends less than storage.MessagePause later is taken for the same. False
// if it was admitted before.
func (q *Queue) Warn(ctx context.Context, guild, person snowflake.ID, until time.Time, m notify.Message) (queued bool, err error) {
	defer wrap.Err(&err, "schedule.Warn(%d)", guild)
	return q.messageAt(ctx, storage.Subscriber{Guild: guild, Discord: person}, reasonKickWarning, m, until)
}

func (q *Queue) message(ctx context.Context, s storage.Subscriber, reason string, m notify.Message) error {
	_, err := q.messageAt(ctx, s, reason, m, q.cfg.Now())
	return err
}

func (q *Queue) messageAt(ctx context.Context, s storage.Subscriber, reason string, m notify.Message, at time.Time) (queued bool, err error) {
	admitted, err := q.cfg.Store.AdmitMessage(ctx, s.Guild, s.Discord, reason, at)
	if err != nil || !admitted {
		return false, err
	}
	_, err = q.client.Insert(ctx, messageArgs{Guild: s.Guild, Person: s.Discord, Reason: reason, Message: m}, &river.InsertOpts{Queue: q.sends(), MaxAttempts: sendAttempts})
	if err != nil {
		return false, fmt.Errorf("queue a direct message: %w", err)
	}
	return true, nil
}
