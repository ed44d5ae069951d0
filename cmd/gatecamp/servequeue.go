package main

import (
	"context"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/bot"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
	"gatecamp/notify"
	"gatecamp/schedule"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/sqlite"
)

// openQueue makes the durable queue of the shard, on the same database as everything else.
func (t *tenure) openQueue() (*schedule.Queue, error) {
	cfg := schedule.Config{
		Shard: t.lease.Shard, Store: t.db, Sender: t.client, Texts: t.texts, Log: t.log, Now: t.now, Owner: t.me.ID, Entitled: t.entitled,
		Name: func(guild, member snowflake.ID) string {
			if h, is := t.house(guild); is {
				return h.called(member)
			}
			return ""
		},
		Notice: t.notice(),
		Alarm: func(guild snowflake.ID, reason string, m notify.Message) {
			h, is := t.house(guild)
			switch {
			case !is:
			case reason == schedule.ReasonWebhook:
				h.Trouble(guild, bot.TroubleWebhook, "")
			default:
				h.Trouble(guild, bot.TroubleOverdue, m.Text)
			}
		},
	}
	switch db := t.db.(type) {
	case *sqlite.Store:
		return schedule.Open(riversqlite.New(db.SQL()), cfg)
	case *postgres.Store:
		return schedule.Open(riverpgxv5.New(db.Pool()), cfg)
	}
	return nil, fmt.Errorf("no queue for a database of the kind %T", t.db)
}

// queueStopWithin is how long jobs in hand may take when the process stops.
const queueStopWithin = 5 * time.Second

// stopQueue lets the jobs in hand finish.
func (t *tenure) stopQueue(ctx context.Context) error {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), queueStopWithin)
	defer end()
	return t.queue.Stop(ctx)
}

// entitled reports whether a person may still hear about runs of a guild.
func (t *tenure) entitled(ctx context.Context, guild, person snowflake.ID) (_ bool, err error) {
	defer wrap.Err(&err, "rights of a subscriber in guild %d", guild)
	asker := reconcile.Asker{Caller: audit.Caller{Discord: person}}
	if h, is := t.house(guild); is {
		held, roles := h.live.Holds(person)
		for i := range held.All() {
			asker.Roles = append(asker.Roles, roles[i].ID)
		}
	}
	s, err := t.rights.Of(ctx, guild, asker)
	if err != nil {
		return false, err
	}
	return s.AskTo(reconcile.Reading, audit.RightViewRuns).Held, nil
}

// line is where a guild's scheduled runs are ordered and performed.
type line struct{ *house }

// Order satisfies schedule.Line.
func (l line) Order(ctx context.Context, o storage.Order) (storage.Run, error) {
	return l.engine.Order(ctx, o)
}

// Start satisfies schedule.Line.
func (l line) Start(run storage.Run) error { return l.keeper.Start(run) }

// wanted is what the guild wants of the queue.
func (h *house) wanted(ctx context.Context) schedule.Guild {
	spec, warnings, err := schedule.ParseSpec(h.settings.Schedule, h.t.now())
	if err != nil { // checked when the settings were read
		h.log.ErrorContext(ctx, "no schedule", "error", err)
	}
	for _, w := range warnings {
		h.log.WarnContext(ctx, "schedule", "warning", w)
	}
	g := schedule.Guild{
		ID: h.id, Line: line{h}, Spec: spec, Deadline: h.t.cfg.RunDeadline, Locale: h.locale(), Details: h.t.cfg.WebhookDetails, RetentionDays: h.t.cfg.RetentionDays,
	}
	if h.settings.WebhookURL.IsSet() {
		g.Webhooks = map[string]secret.String{schedule.SummaryWebhook: h.settings.WebhookURL}
	}
	return g
}
