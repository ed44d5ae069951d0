package replay

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement/guard"
	"gatecamp/storage"
)

// fault is how something fails at the moment; empty: it does not.
type fault struct{ kind atomic.Pointer[string] }

func (f *fault) fail(kind string) { f.kind.Store(&kind) }

func (f *fault) failing() bool { k := f.kind.Load(); return k != nil && *k != "" }

// hang is how long a call to something that hangs waits at most: the caller's deadline ends it before, but for those that write.
const hang = 60 * time.Millisecond

func (f *fault) err(ctx context.Context) error {
	if !f.failing() {
		return nil
	}
	if *f.kind.Load() != "timeout" {
		return storage.ErrGone
	}
	t := time.NewTimer(hang)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return context.DeadlineExceeded
	}
}

// faulty is a store that fails when it is told to.
type faulty struct {
	guard.Store
	fault fault
}

func (f *faulty) failing() bool { return f.fault.failing() }

// Block satisfies storage.Blocks.
func (f *faulty) Block(ctx context.Context, b storage.Block, by storage.Author) (storage.Block, storage.BlockChange, error) {
	if err := f.fault.err(ctx); err != nil {
		return storage.Block{}, 0, err
	}
	return f.Store.Block(ctx, b, by)
}

// ShortenBlock satisfies storage.Blocks.
func (f *faulty) ShortenBlock(ctx context.Context, guild snowflake.ID, scope, value string, end time.Time, by storage.Author) (storage.Block, error) {
	if err := f.fault.err(ctx); err != nil {
		return storage.Block{}, err
	}
	return f.Store.ShortenBlock(ctx, guild, scope, value, end, by)
}

// Unblock satisfies storage.Blocks.
func (f *faulty) Unblock(ctx context.Context, guild snowflake.ID, scope, value string, by storage.Author) (storage.Block, error) {
	if err := f.fault.err(ctx); err != nil {
		return storage.Block{}, err
	}
	return f.Store.Unblock(ctx, guild, scope, value, by)
}

// RefuseBlock satisfies storage.Blocks.
func (f *faulty) RefuseBlock(ctx context.Context, b storage.Block, by storage.Author) error {
	if err := f.fault.err(ctx); err != nil {
		return err
	}
	return f.Store.RefuseBlock(ctx, b, by)
}

// BlocksSince satisfies guard.Store.
func (f *faulty) BlocksSince(ctx context.Context, revision int64, each func(storage.Block) error) (int64, error) {
	if err := f.fault.err(ctx); err != nil {
		return 0, err
	}
	return f.Store.BlocksSince(ctx, revision, each)
}

// BlockStrikes satisfies guard.Store.
func (f *faulty) BlockStrikes(ctx context.Context, guild snowflake.ID, scope, value, rule string, after time.Time) (int, error) {
	if err := f.fault.err(ctx); err != nil {
		return 0, err
	}
	return f.Store.BlockStrikes(ctx, guild, scope, value, rule, after)
}
