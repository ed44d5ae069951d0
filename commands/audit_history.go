package commands

import (
	"context"
	"fmt"
	"strconv"

	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// auditHistory lists the runs, newest first.
func auditHistory() deed {
	return deed{
		name: "history", need: viewing(), public: true, options: []option{formatOption()},
		do: func(ctx context.Context, x *call) (*answer, error) {
			runs, err := x.cfg.Store.Runs(ctx, x.guild, storage.RunFilter{})
			if err != nil {
				return nil, err
			}
			l := &list{
				name: "runs", empty: x.T(i18n.AuditNoRuns),
				columns: []string{"run", "kind", "mode", "looks_only", "state", "started", "ended", "members", "findings", "planned", "held", "by", "error"},
			}
			for _, r := range runs {
				row, err := x.runRow(r)
				if err != nil {
					return nil, err
				}
				l.rows = append(l.rows, row)
			}
			return &answer{title: x.T(i18n.AuditHistoryTitle), list: l}, nil
		},
	}
}

func (x *call) runRow(r storage.Run) (row, error) {
	line, counts, err := reconcile.RunLineOf(r)
	if err != nil {
		return row{}, err
	}
	return row{
		line: func() string { return x.runWords(r, counts) }, object: line,
		cells: []string{
			strconv.FormatInt(r.ID, 10), r.Order.Kind, r.Order.Mode, strconv.FormatBool(r.Order.DryRun), r.State.String(), eveTime(r.Started), eveTime(r.Ended),
			strconv.Itoa(counts.Members), strconv.Itoa(counts.Open()), strconv.Itoa(counts.PlannedActions()), strconv.Itoa(counts.HeldActions()), r.Order.Actor, r.Error,
		},
	}, nil
}

// runWords is a run on one line: which, what it was for, how it stands, when, and what it counted.
func (x *call) runWords(r storage.Run, counts reconcile.Counts) string {
	text := fmt.Sprintf("%s **%d** %s · %s · %s", stateSign(r.State), r.ID, x.modeWords(r.Order), x.RunState(r.State), stamp(r.Created))
	if counts.Members > 0 {
		text += " · " + x.T(i18n.AuditRunCounts, i18n.Args{
			"Members": x.N(i18n.CountMembers, counts.Members), "Findings": x.N(i18n.CountFindings, counts.Open()), "Changes": x.N(i18n.CountChanges, counts.PlannedActions()),
		})
	}
	if r.Order.Actor != "" {
		text += " · " + whoWords(r.Order.Actor)
	}
	return text
}

// modeWords says what a run was ordered to do.
func (x *call) modeWords(o storage.Order) string {
	switch {
	case o.Kind == reconcile.KindApply:
		return x.T(i18n.AuditModeApply)
	case o.DryRun && o.Mode != "" && o.Mode != modeReport:
		return x.T(i18n.AuditModePlan, i18n.Args{"Mode": o.Mode})
	case o.DryRun:
		return x.T(i18n.AuditModeReport)
	case o.Mode != "":
		return x.T(i18n.AuditModeActs, i18n.Args{"Mode": o.Mode})
	}
	return x.T(i18n.AuditModePolicy)
}

const modeReport = "report"

// stateSign is how a run stands, at a glance; the word is beside it.
func stateSign(s storage.RunState) string {
	switch s {
	case storage.Pending:
		return "🕒"
	case storage.Running:
		return "▶️"
	case storage.Succeeded:
		return toneDone.sign()
	case storage.CompletedWithErrors, storage.Interrupted, storage.DeadlineExceeded:
		return toneWarn.sign()
	case storage.Failed:
		return toneNo.sign()
	case storage.Abandoned, storage.Cancelled:
	}
	return toneOver.sign()
}
