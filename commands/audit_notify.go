package commands

import (
	"context"
	"errors"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// auditNotify lets whoever may see runs ask for direct messages about them, and ask for none again.
func auditNotify() deed {
	return deed{
		name: "notify", need: need{sort: reads, any: []audit.Right{audit.RightViewRuns}},
		options: []option{{name: "wanted", is: optFlag, required: true, kept: true}}, do: notify,
	}
}

func notify(ctx context.Context, x *call) (*answer, error) {
	a := &answer{tone: toneDone, title: x.T(i18n.ScheduleSubscribed), text: x.T(i18n.ScheduleSubscribedText)}
	var err error
	if x.is("wanted") {
		err = x.cfg.Store.Subscribe(ctx, x.guild, x.caller.Discord, x.now())
	} else {
		a.title, a.text = x.T(i18n.ScheduleUnsubscribed), x.T(i18n.ScheduleUnsubscribedText)
		err = x.cfg.Store.Unsubscribe(ctx, x.guild, x.caller.Discord)
		if errors.Is(err, storage.ErrNotFound) {
			err = nil // it is as it was asked for
		}
	}
	if err != nil {
		return nil, err
	}
	return a, x.accept(ctx, x.find(x.path), 0)
}
