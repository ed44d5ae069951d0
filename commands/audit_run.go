package commands

import (
	"context"
	"errors"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// auditRun orders a run. One with an action of its own looks and plans; what it would do is a card in the admin channel (PlanCard).
func auditRun() deed {
	return deed{
		name: "run", need: running(), do: runAudit,
		more: func(x *call) need { return acting(x.str("mode")) },
		options: []option{{
			name: "mode", is: optText, kept: true, choices: []string{audit.Report.String(), audit.Strip.String(), audit.StripKick.String()},
		}},
	}
}

func runAudit(ctx context.Context, x *call) (*answer, error) {
	mode := x.str("mode")
	acts := mode == audit.Strip.String() || mode == audit.StripKick.String()
	if acts {
		if err := x.mayAct(ctx); err != nil {
			return nil, err
		}
	}
	if mode == modeReport { // what the policy wants is told, and not done
		mode = ""
	}
	d := x.find(x.path)
	v, err := x.admit(ctx, d)
	if err != nil {
		return nil, err
	}
	run, err := x.house.Engine.Order(ctx, storage.Order{
		Kind: reconcile.KindLive, Mode: mode, DryRun: true, Actor: x.actor(), Origin: origin, Deadline: x.now().Add(x.cfg.RunDeadline),
	})
	if err != nil {
		return nil, err
	}
	if err := x.cfg.Store.StartedRun(ctx, v.ID, run.ID); err != nil {
		return nil, err
	}
	if err := x.house.Runner.Start(run); err != nil {
		return nil, err
	}
	a := &answer{tone: toneDone, title: x.T(i18n.AuditOrdered, i18n.Args{"Run": run.ID}), text: x.T(i18n.AuditOrderedReport)}
	if acts {
		a.text = x.T(i18n.AuditOrderedActing)
	}
	x.follow(a)
	return a, nil
}

// admit takes one run from the caller's allowance.
func (x *call) admit(ctx context.Context, d *deed) (storage.Invocation, error) {
	v := x.attempt(d)
	v.Accepted, v.Counted = true, true
	v, err := x.cfg.Store.Admit(ctx, v, x.cfg.RunsPerUser)
	if spent, is := errors.AsType[*storage.AllowanceError](err); is {
		return v, problem.New(problem.Refused, x.T(i18n.AuditSpent, i18n.Args{"Used": spent.Used, "Most": spent.Max}),
			x.T(i18n.AuditSpentCure, i18n.Args{"At": stamp(spent.FreeAt)})).Because(err)
	}
	return v, err
}

// mayAct refuses what the lock or a pause would hold whole.
func (x *call) mayAct(ctx context.Context) error {
	o, err := x.house.Engine.Obstacle(ctx)
	if err != nil {
		return err
	}
	switch o.Gate {
	case audit.Lock:
		return refuse(o.Code(), x.T(i18n.AuditLocked), x.T(i18n.AuditLockedCure))
	case audit.Pause:
		return refuse(o.Code(), x.T(i18n.AuditPaused, i18n.Args{"By": whoWords(o.Pause.Actor), "At": stamp(o.Pause.At), "Reason": plain(o.Pause.Reason)}), x.T(i18n.AuditPausedCure))
	case audit.DryRun, audit.Roster, audit.NothingWanted, audit.Outage, audit.Contained, audit.Fight:
	}
	return nil
}
