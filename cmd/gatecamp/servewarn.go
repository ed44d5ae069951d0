package main

import (
	"context"
	"fmt"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/notify"
)

// warnAtMost is to how many members one look writes that they are kicked once their grace ends: what goes wrong for many at once must
// not be told to each of them.
const warnAtMost = 20

// warn has members told whose kick is put off, once for each grace; it does not wait.
func (h *house) warn(r *reconcile.Report) {
	if r == nil || len(r.PutOff) == 0 {
		return
	}
	h.telling.Go(func() {
		ctx, end := context.WithTimeout(context.Background(), tellWithin)
		defer end()
		written := 0
		for i, m := range r.PutOff {
			if written == warnAtMost {
				h.log.WarnContext(ctx, "more members are near their kick than one look writes to; the next one goes on", "written", written, "left", len(r.PutOff)-i)
				return
			}
			queued, err := h.t.queue.Warn(ctx, h.id, m.Member, m.Until, warning(h.t.texts.For(h.locale()), r.Look.Picture.Guild.Name, m))
			if err != nil {
				h.log.ErrorContext(ctx, "members are not warned before they are kicked", "left", len(r.PutOff)-i, "error", err)
				return
			}
			if queued {
				written++
			}
		}
	})
}

// warning says to a member why they are removed, when, and what to do about it.
func warning(p *i18n.Printer, server string, m reconcile.PutOff) notify.Message {
	why, cure := i18n.ScheduleWarnNoAccess, i18n.ScheduleWarnRegain
	if m.Category == audit.UnknownGuest {
		why, cure = i18n.ScheduleWarnUnlinked, i18n.ScheduleWarnLink
	}
	at := fmt.Sprintf("<t:%d:F>", m.Until.Unix())
	return notify.Message{
		Title: p.T(i18n.ScheduleWarnTitle, i18n.Args{"Server": server}), Tone: notify.Held,
		Text: p.T(why) + " " + p.T(i18n.ScheduleWarnWhen, i18n.Args{"At": at}) + "\n\n" + p.T(cure),
	}
}
