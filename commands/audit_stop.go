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

// auditCancel stops a run part-way. It is also open to Manage Server: whoever runs the guild can always stop what happens in it.
func auditCancel() deed {
	return deed{
		name: "cancel", need: need{sort: stops, all: []audit.Right{audit.RightRun}}, options: []option{runOption(false)},
		do: func(ctx context.Context, x *call) (*answer, error) {
			return x.endRun(ctx, storage.Cancelled, "by_cancel", i18n.AuditCancelled)
		},
	}
}

// auditAbandon gives a stuck run up.
func auditAbandon() deed {
	return deed{
		name: "abandon", need: running(), options: []option{runOption(true)},
		do: func(ctx context.Context, x *call) (*answer, error) {
			return x.endRun(ctx, storage.Abandoned, "by_abandon", i18n.AuditAbandoned)
		},
	}
}

// endRun ends the run that is named, else the one at work, else the one that would be next.
func (x *call) endRun(ctx context.Context, to storage.RunState, code string, words i18n.Key) (*answer, error) {
	run, err := x.runOrCurrent(ctx)
	if err != nil {
		return nil, err
	}
	was := run.State
	run, err = x.house.Engine.EndRun(ctx, run.ID, to, code)
	if errors.Is(err, storage.ErrConflict) {
		return nil, x.hasEnded(run)
	}
	if err != nil {
		return nil, err
	}
	x.house.Runner.Cancel(run.ID) // it stops at once, and not at its next sign of life
	if err := x.accept(ctx, x.find(x.path), run.ID); err != nil {
		return nil, err
	}
	a := &answer{tone: toneDone, title: x.T(words, i18n.Args{"Run": run.ID}), text: x.T(i18n.AuditKept)}
	if was == storage.Running {
		a.text = x.T(i18n.AuditStopsSoon)
	}
	return a, nil
}

// runOrCurrent is the run that is named, else the one at work, else the one that waits longest.
func (x *call) runOrCurrent(ctx context.Context) (storage.Run, error) {
	if x.has("run") {
		return x.run(ctx, "run")
	}
	for _, s := range []storage.RunState{storage.Running, storage.Pending} {
		runs, err := x.cfg.Store.Runs(ctx, x.guild, storage.RunFilter{States: []storage.RunState{s}})
		if err != nil {
			return storage.Run{}, err
		}
		if n := len(runs); n > 0 {
			return runs[n-1], nil
		}
	}
	return storage.Run{}, problem.New(problem.Usage, x.T(i18n.AuditNothingRuns), x.T(i18n.AuditSeeHistory))
}

func (x *call) hasEnded(run storage.Run) error {
	return problem.New(problem.Usage, x.T(i18n.AuditHasEnded, i18n.Args{"Run": run.ID, "State": x.RunState(run.State)}), x.T(i18n.AuditSeeHistory))
}

// auditResume goes on with a run that was interrupted, exactly as it was ordered. What it takes to order such a run it takes to go on.
func auditResume() deed {
	return deed{
		name: "resume", need: running(), options: []option{runOption(true)},
		do: func(ctx context.Context, x *call) (*answer, error) {
			run, err := x.run(ctx, "run")
			if err != nil {
				return nil, err
			}
			if !run.Order.DryRun {
				if err := x.mayResume(ctx, run); err != nil {
					return nil, err
				}
			}
			switch reconcile.Hindered(run, x.now()) {
			case reconcile.Over:
				return nil, x.hasEnded(run)
			case reconcile.AtWork:
				return nil, problem.New(problem.Usage, x.T(i18n.AuditAtWork, i18n.Args{"Run": run.ID, "At": stamp(run.Heartbeat)}), x.T(i18n.AuditAtWorkCure))
			case reconcile.Free:
			}
			if run.Order.Kind == reconcile.KindSnapshot {
				return nil, problem.New(problem.Usage, x.T(i18n.AuditResumeFile, i18n.Args{"Run": run.ID}), x.T(i18n.AuditSeeHistory))
			}
			if run, err = x.house.Engine.TakeOver(ctx, run.ID); err != nil {
				return nil, err
			}
			if err := x.accept(ctx, x.find(x.path), run.ID); err != nil {
				return nil, err
			}
			if err := x.house.Runner.Start(run); err != nil {
				return nil, err
			}
			a := &answer{tone: toneDone, title: x.T(i18n.AuditResumed, i18n.Args{"Run": run.ID}), text: x.T(i18n.AuditResumedText)}
			x.follow(a)
			return a, nil
		},
	}
}

// mayResume asks for what the run's own changes need: those of its mode, or as much as the policy could ask for.
func (x *call) mayResume(ctx context.Context, run storage.Run) error {
	mode := run.Order.Mode
	if mode == "" {
		mode = audit.StripKick.String()
	}
	return x.may(ctx, running().and(acting(mode)))
}

// blockedSince refuses the work of whoever was blocked after they ordered it.
func (x *call) blockedSince(ctx context.Context) error {
	if x.cfg.Guard == nil {
		return nil
	}
	if x.cfg.Guard(ctx, Attempt{Guild: x.guild, User: x.caller.Discord, Kind: Command, Command: x.path, Route: "cmd:audit/apply"}) == nil {
		return nil
	}
	return refuse("blocked", x.T(i18n.BlockSince), x.T(i18n.FrameAskAgain))
}

// StillMay says why whoever ordered a run may not have it performed any more; nil: they may. It is asked when an acting run that a
// command ordered is about to begin, since rights may have been taken, or the person blocked,
// between the press and the work.
func (c *Commands) StillMay(ctx context.Context, run storage.Run) error {
	if run.Order.Origin != origin || run.Order.DryRun {
		return nil
	}
	who, err := discordOf(run.Order.Actor)
	if err != nil {
		return err
	}
	x := &call{
		Commands: c, Printer: c.cfg.Texts.For(i18n.English), guild: run.Guild, caller: audit.Caller{Discord: who},
		path: "audit apply", given: map[string]given{}, page: 1,
	}
	if err = x.blockedSince(ctx); err == nil {
		err = x.mayResume(ctx, run)
	}
	if l, is := errors.AsType[*lacking](err); is && l.code == codeAuthAway {
		return nil // nothing is removed on the strength of an Auth that cannot be asked, whoever ordered it
	}
	if problem.KindOf(err) == problem.Refused && err != nil {
		x.noteRefusal(ctx, nil, err)
	}
	return err
}
