package commands

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// auditCommand is the family of runs and of what they found. It is shown to whoever may manage roles: who lacks our right is to be seen.
func auditCommand() command {
	return command{name: "audit", hidden: discord.PermissionManageRoles, below: []deed{
		auditRun(), auditStatus(), auditHistory(), auditFindings(), auditDiff(), auditCancel(), auditResume(), auditAbandon(), auditApply(), auditNotify(),
	}}
}

// viewing lets those read who may order runs, and those who may only look.
func viewing() need {
	return need{sort: reads, any: []audit.Right{audit.RightViewRuns, audit.RightRun}}
}

// running is what it takes to order, resume and give up runs.
func running() need { return need{sort: orders, all: []audit.Right{audit.RightRun}} }

// acting is what a run's own action needs beside the right to order one.
func acting(mode string) need {
	switch mode {
	case audit.Strip.String():
		return need{sort: loosens, all: []audit.Right{audit.RightApply}}
	case audit.StripKick.String():
		return need{sort: loosens, all: []audit.Right{audit.RightApply, audit.RightRemove}}
	}
	return need{}
}

// runOption names a run by its number.
func runOption(required bool) option {
	return option{name: "run", is: optText, required: required, kept: true, offer: offerRuns}
}

// offerRuns offers the newest runs whose number begins with what is typed.
func offerRuns(ctx context.Context, x *call, typed string) ([]choice, error) {
	runs, err := x.cfg.Store.Runs(ctx, x.guild, storage.RunFilter{Page: storage.Page{Limit: 200}})
	if err != nil {
		return nil, err
	}
	var list []choice
	typed = strings.TrimPrefix(typed, "#")
	for _, r := range runs {
		n := strconv.FormatInt(r.ID, 10)
		if strings.HasPrefix(n, typed) && len(list) < mostChoices {
			list = append(list, choice{x.T(i18n.AuditRunChoice, i18n.Args{"Run": n, "State": x.RunState(r.State), "At": eveTime(r.Created)}), n})
		}
	}
	return list, nil
}

// run finds the run that the option names; of this guild.
func (x *call) run(ctx context.Context, option string) (storage.Run, error) {
	n, err := x.numbered(option)
	if err != nil {
		return storage.Run{}, err
	}
	return x.runOf(ctx, n)
}

func (x *call) runOf(ctx context.Context, n int64) (storage.Run, error) {
	r, err := x.cfg.Store.Run(ctx, n)
	if errors.Is(err, storage.ErrNotFound) || err == nil && r.Guild != x.guild {
		return r, problem.New(problem.Usage, x.T(i18n.AuditNoRun, i18n.Args{"Run": n}), x.T(i18n.AuditSeeHistory))
	}
	return r, err
}
