package schedule

import (
	"context"
	"errors"
	"time"

	"gatecamp/i18n"
	"gatecamp/internal/wrap"
	"gatecamp/notify"
	"gatecamp/storage"
)

// What is remembered of a guild's schedule.
const (
	memorySince = "schedule.since" // when the schedule began to be kept
	memoryAlarm = "schedule.alarm" // for which success the last alarm went out
)

// alarmAgain is after how long an alarm is repeated that nobody did anything about.
const alarmAgain = 24 * time.Hour

// alarm tells that no run has succeeded for twice the interval: a watchman who has fallen asleep does not say so himself.
func (q *Queue) alarm(ctx context.Context, k *kept, now time.Time) (err error) {
	defer wrap.Err(&err, "look whether audits succeed")
	patience := 2 * k.Spec.interval(now)
	if k.Spec.IsOff() || patience == 0 || !k.since.IsZero() && now.Sub(later(k.since, k.success)).Abs() <= patience {
		return nil
	}
	since, err := q.begun(ctx, k, now)
	if err != nil {
		return err
	}
	p, err := readPast(ctx, q.cfg.Store, k.ID)
	if err != nil {
		return err
	}
	last := p.success(now)
	q.note(k.ID, func(k *kept) { k.since, k.success = since, last })
	quiet := now.Sub(later(since, last))
	if quiet <= patience {
		return nil
	}
	if told, err := q.alarmed(ctx, k, last, now); err != nil || told {
		return err
	}
	q.cfg.Log.ErrorContext(ctx, "no audit of the guild has succeeded for twice the time between two", "guild", k.ID, "last", last, "schedule", k.Spec.String())
	m := q.late(k, last, since, now)
	if q.cfg.Alarm != nil {
		q.cfg.Alarm(k.ID, ReasonAlarm, m)
	}
	return q.Tell(ctx, Telling{Guild: k.ID, Reason: ReasonAlarm, Message: m})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// begun is when the schedule was first kept, by whatever process.
func (q *Queue) begun(ctx context.Context, k *kept, now time.Time) (time.Time, error) {
	switch _, at, err := q.cfg.Store.Recall(ctx, k.ID, memorySince); {
	case err == nil && !at.After(now):
		return at, nil
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return time.Time{}, err
	}
	return now, q.cfg.Store.Remember(ctx, k.ID, memorySince, nil, now)
}

// alarmed reports whether an alarm for the same success went out lately; if not, it notes that it does now.
func (q *Queue) alarmed(ctx context.Context, k *kept, last, now time.Time) (bool, error) {
	about := last.Format(time.RFC3339Nano)
	value, at, err := q.cfg.Store.Recall(ctx, k.ID, memoryAlarm)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	if err == nil && string(value) == about && now.Sub(at).Abs() < alarmAgain {
		return true, nil
	}
	return false, q.cfg.Store.Remember(ctx, k.ID, memoryAlarm, []byte(about), now)
}

// late is the alarm in words.
func (q *Queue) late(k *kept, last, since, now time.Time) notify.Message {
	p := q.cfg.Texts.For(k.Locale)
	text := p.T(i18n.ScheduleLateNever, i18n.Args{"Ago": p.Ago(now.Sub(since))})
	if !last.IsZero() {
		text = p.T(i18n.ScheduleLateLast, i18n.Args{"Ago": p.Ago(now.Sub(last))})
	}
	return notify.Message{
		Title: p.T(i18n.ScheduleLateTitle), Tone: notify.Trouble, At: now,
		Text:   text + " " + p.T(i18n.ScheduleLateDue, i18n.Args{"Interval": p.Duration(k.Spec.interval(now))}) + " " + p.T(i18n.ScheduleLateCure),
		Footer: p.T(i18n.ScheduleGuild, i18n.Args{"Guild": k.ID.String()}),
	}
}
