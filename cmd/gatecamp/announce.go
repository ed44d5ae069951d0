package main

import (
	"context"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/notify"
)

// announceWithin is how long a run's summary may take to be posted; the run itself has ended then, and does not depend on it.
const announceWithin = 10 * time.Second

// announce posts what a run came to, where the guild has a webhook. That it was not posted is a remark, never a failure of the run.
func (f *filed) announce(ctx context.Context, r *reconcile.Report) {
	guild := f.cfg.Guild(f.session.guild)
	if f.client == nil || !guild.WebhookURL.IsSet() {
		return
	}
	texts, err := i18n.Load()
	if err != nil {
		fmt.Fprintln(f.err, "gatecamp: "+describe(err))
		return
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), announceWithin)
	defer end()
	if err := f.client.Post(ctx, guild.WebhookURL, notify.Render(texts.For(guild.Locale), summaryOf(r))); err != nil {
		fmt.Fprintln(f.err, "gatecamp: "+describe(err))
	}
}

// summaryOf is what may be told of a run where everybody reads: no person is in it.
func summaryOf(r *reconcile.Report) notify.Run {
	n := notify.Run{
		ID: r.Run.ID, Kind: r.Run.Order.Kind, Mode: r.Run.Order.Mode, DryRun: r.Run.Order.DryRun, State: r.Run.State, Error: r.Run.Error,
		Started: r.Run.Started, Ended: r.Run.Ended, Members: r.Counts.Members, Categories: r.Counts.Categories, Decided: r.Counts.Actions,
		Opened: r.Counts.Findings.Opened, Changed: r.Counts.Findings.Changed, Closed: r.Counts.Findings.Closed, Alerts: r.Counts.Alerts,
		Holds: r.Plan.Holds, Summary: r.Counts.Summary, Roles: map[snowflake.ID]string{},
	}
	n.Summary.Guild = r.Run.Guild
	if r.Look == nil {
		return n
	}
	n.Complete, n.Auth = r.Look.Picture.Complete, r.Look.Verdict
	for _, role := range r.Look.Scene.Guild.Roles {
		n.Roles[role.ID] = role.Name
	}
	return n
}
