package main

import (
	"context"
	"errors"

	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// permitted is the line of a guild that asks, when the work of a run begins, whether whoever ordered it still may: rights may have been
// taken since. A run that nobody may have any more ends before anything is looked at.
type permitted struct {
	*reconcile.Engine
	may func(ctx context.Context, run storage.Run) error
}

// Sweep satisfies bot.Line.
func (p permitted) Sweep(ctx context.Context, run storage.Run, guilds reconcile.Guilds, w reconcile.Writer) (*reconcile.Report, error) {
	err := p.may(ctx, run)
	if err == nil {
		return p.Engine.Sweep(ctx, run, guilds, w)
	}
	if problem.KindOf(err) != problem.Refused {
		return nil, err
	}
	ended, failed := p.EndRun(ctx, run.ID, storage.Cancelled, "permission_denied")
	return &reconcile.Report{Run: ended}, errors.Join(err, failed)
}
