package commands

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// kindAcknowledge is the card that releases the first-run lock.
const kindAcknowledge = "acknowledge"

// acknowledgeCommand shows what the first report found, and asks whoever read it to answer for it.
func acknowledgeCommand() command {
	return command{name: "acknowledge", hidden: discord.PermissionManageRoles, alone: &deed{
		need: acknowledging(), options: []option{runOption(false)}, do: showReport,
	}}
}

func acknowledging() need { return need{sort: loosens, all: []audit.Right{audit.RightAcknowledge}} }

func acknowledgeCard() cardKind {
	return cardKind{
		need:  func(posted) need { return acknowledging() },
		label: func(p *i18n.Printer, k posted) string { return p.T(i18n.AckButton, i18n.Args{"Run": k.Run}) },
		green: true, reason: true,
		check: func(ctx context.Context, x *call, k posted) error {
			run, err := x.runOf(ctx, k.Run)
			if err != nil {
				return err
			}
			if run.Digest != k.Digest { // it is not the report that was shown
				return x.forged()
			}
			return x.fits(run)
		},
		do: release,
	}
}

// fits refuses a run that cannot release the lock.
func (x *call) fits(run storage.Run) error {
	why, err := reconcile.CanRelease(run, x.now())
	if err != nil || why == reconcile.Fit {
		return err
	}
	return refuse("run_unfit", x.T(i18n.AckUnfit, i18n.Args{"Run": run.ID, "Why": x.unfitWords(why)}), x.T(i18n.AckUnfitCure))
}

func (x *call) unfitWords(why reconcile.Unfit) string {
	switch why {
	case reconcile.OfAFile:
		return x.T(i18n.AckOfAFile)
	case reconcile.NotSucceeded:
		return x.T(i18n.AckNotSucceeded)
	case reconcile.RosterPartial:
		return x.T(i18n.AckPartial)
	case reconcile.Limited:
		return x.T(i18n.AckLimited)
	case reconcile.AuthUnfit:
		return x.T(i18n.AckAuth)
	case reconcile.TooOld:
		return x.T(i18n.AckTooOld)
	case reconcile.Fit:
	}
	return ""
}

// fitting is the run that is named, else the newest that can release the lock.
func (x *call) fitting(ctx context.Context) (storage.Run, error) {
	if x.has("run") {
		run, err := x.run(ctx, "run")
		if err != nil {
			return run, err
		}
		return run, x.fits(run)
	}
	runs, err := x.cfg.Store.Runs(ctx, x.guild, storage.RunFilter{States: []storage.RunState{storage.Succeeded}, Page: storage.Page{Limit: 200}})
	if err != nil {
		return storage.Run{}, err
	}
	for _, r := range runs {
		if why, err := reconcile.CanRelease(r, x.now()); err == nil && why == reconcile.Fit {
			return r, nil
		}
	}
	return storage.Run{}, refuse("run_unfit", x.T(i18n.AckNoReport), x.T(i18n.AckUnfitCure))
}

func showReport(ctx context.Context, x *call) (*answer, error) {
	run, err := x.fitting(ctx)
	if err != nil {
		return nil, err
	}
	_, counts, err := reconcile.RunLineOf(run)
	if err != nil {
		return nil, err
	}
	kinds, err := x.house.Engine.Releases(ctx, run)
	if err != nil {
		return nil, err
	}
	a := &answer{
		tone: toneWarn, title: x.T(i18n.AckTitle, i18n.Args{"Run": run.ID}), text: x.T(i18n.AckText, i18n.Args{"At": stamp(run.Ended)}),
		card: &draft{kind: kindAcknowledge, digest: run.Digest, run: run.ID},
		fields: []field{
			{name: x.T(i18n.AuditMembers), value: x.categoryCounts(counts)},
			{name: x.T(i18n.AuditFindingsTitle), value: x.findingCounts(counts)},
			{name: x.T(i18n.AckReleases), value: x.kindsWords(kinds)},
		},
	}
	if counts.Unbound > 0 {
		a.fields = append(a.fields, field{name: x.T(i18n.AckUnbound), value: x.N(i18n.AckUnboundText, counts.Unbound)})
	}
	before, err := x.cfg.Store.Acknowledged(ctx, x.guild)
	if err == nil {
		a.fields = append(a.fields, field{name: x.T(i18n.AckBefore), value: x.T(i18n.AckBeforeText, i18n.Args{"By": whoWords(before.Actor), "At": stamp(before.At), "Reason": plain(before.Reason)})})
	} else if !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return a, nil
}

// categoryCounts says how many members are how.
func (x *call) categoryCounts(counts reconcile.Counts) string {
	var lines []string
	for c := range audit.Categories() {
		if n := counts.Categories[c.String()]; n > 0 {
			lines = append(lines, x.CategoryCount(c, n))
		}
	}
	return strings.Join(lines, "\n")
}

// findingCounts says how many findings there are, and what is wanted about them.
func (x *call) findingCounts(counts reconcile.Counts) string {
	lines := []string{x.N(i18n.CountFindings, counts.Open())}
	codes := make([]string, 0, len(counts.Actions))
	for c := range counts.Actions {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	for _, c := range codes {
		lines = append(lines, x.ActCount(c, counts.Actions[c]))
	}
	if counts.Alerts > 0 {
		lines = append(lines, "🚨 "+x.N(i18n.CountPrivileged, counts.Alerts))
	}
	return strings.Join(lines, "\n")
}

// kindsWords says which kinds of change are released.
func (x *call) kindsWords(kinds []string) string {
	var words []string
	for _, k := range kinds {
		if act, ok := audit.ParseAct(k); ok {
			words = append(words, x.Act(act))
		}
	}
	if len(words) == 0 {
		return x.T(i18n.AckOnlyReports)
	}
	return strings.Join(words, "\n")
}

func release(ctx context.Context, x *call, k posted, reason string) (*answer, error) {
	ack, err := x.house.Engine.Acknowledge(ctx, k.Run, x.author(reason))
	if err != nil {
		return nil, err
	}
	if err := x.accept(ctx, nil, 0); err != nil {
		return nil, err
	}
	if x.house.Marked != nil {
		x.house.Marked(ctx)
	}
	return &answer{
		tone: toneDone, title: x.T(i18n.AckDone), text: x.T(i18n.AckDoneText, i18n.Args{"Run": ack.Run}),
		fields: []field{{name: x.T(i18n.AckReleases), value: x.kindsWords(ack.Kinds)}, {name: x.T(i18n.FrameReasonGiven), value: plain(reason)}},
	}, nil
}
