package replay

import (
	"context"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/storage"
)

// Engine is what a guard is run on. All of it is the scenario's own.
type Engine struct {
	Store  guard.Store
	Copies guard.Copies                                 // nil: there is no Redis
	Counts func() guard.Counts                          // new ones for each start; nil: in process
	Spoil  func(ctx context.Context, text string) error // writes nonsense among the copies; nil: that cannot happen
	Silent bool                                         // no stream tells of blocks, so every check asks
}

// nowhere is a revision that no store reaches: copies that begin there know of nothing.
const nowhere = 1 << 52

// evict drops the copies, as a server does that needs room.
func (e *Engine) evict(ctx context.Context) error {
	if e.Copies == nil {
		return nil
	}
	return e.Copies.BeginCopies(ctx, nowhere, true)
}

// away fails in place of Redis, and else lets it take its time: what is tried is what the guard does, not how busy this machine is.
type away struct{ fault fault }

// patience bounds that time.
const patience = 20 * time.Second

func (a *away) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// copies are copies that fail when they are told to.
type copies struct {
	guard.Copies
	away *away
}

// PutBlock satisfies storage.BlockCopies.
func (c copies) PutBlock(ctx context.Context, b storage.Block) error {
	if err := c.away.fault.err(ctx); err != nil {
		return err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.PutBlock(ctx, b)
}

// CopiesSince satisfies storage.BlockCopies.
func (c copies) CopiesSince(ctx context.Context, revision int64) (changed, held []storage.Block, err error) {
	if err := c.away.fault.err(ctx); err != nil {
		return nil, nil, err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.CopiesSince(ctx, revision)
}

// NewestCopy satisfies storage.BlockCopies.
func (c copies) NewestCopy(ctx context.Context) (int64, error) {
	if err := c.away.fault.err(ctx); err != nil {
		return 0, err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.NewestCopy(ctx)
}

// BeginCopies satisfies storage.BlockCopies.
func (c copies) BeginCopies(ctx context.Context, revision int64, anew bool) error {
	if err := c.away.fault.err(ctx); err != nil {
		return err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.BeginCopies(ctx, revision, anew)
}

// Reachable satisfies storage.BlockCopies.
func (c copies) Reachable(ctx context.Context) error {
	if err := c.away.fault.err(ctx); err != nil {
		return err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.Reachable(ctx)
}

// HoldBlock satisfies storage.HeldBlocks.
func (c copies) HoldBlock(ctx context.Context, b storage.Block) error {
	if err := c.away.fault.err(ctx); err != nil {
		return err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.HoldBlock(ctx, b)
}

// UnholdBlock satisfies storage.HeldBlocks.
func (c copies) UnholdBlock(ctx context.Context, b storage.Block) (bool, error) {
	if err := c.away.fault.err(ctx); err != nil {
		return false, err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.UnholdBlock(ctx, b)
}

// SettleBlock satisfies storage.HeldBlocks.
func (c copies) SettleBlock(ctx context.Context, b storage.Block) (bool, error) {
	if err := c.away.fault.err(ctx); err != nil {
		return false, err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Copies.SettleBlock(ctx, b)
}

// counts are counters that fail when they are told to.
type counts struct {
	guard.Counts
	away *away
}

// Count satisfies guard.Counts.
func (c counts) Count(ctx context.Context, at time.Time, tallies []enforcement.Tally) ([]int, error) {
	if err := c.away.fault.err(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Counts.Count(ctx, at, tallies)
}

// Forget satisfies guard.Counts.
func (c counts) Forget(ctx context.Context, subject string) error {
	if err := c.away.fault.err(ctx); err != nil {
		return err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Counts.Forget(ctx, subject)
}

// Reachable satisfies guard.Counts.
func (c counts) Reachable(ctx context.Context) error {
	if err := c.away.fault.err(ctx); err != nil {
		return err
	}
	ctx, cancel := c.away.patient(ctx)
	defer cancel()
	return c.Counts.Reachable(ctx)
}
