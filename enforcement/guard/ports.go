package guard

import (
	"context"
	"log/slog"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// Store is what the guard needs of the database: the truth about blocks.
type Store interface {
	storage.Blocks
	BlocksSince(ctx context.Context, revision int64, each func(storage.Block) error) (int64, error)
	BlockStrikes(ctx context.Context, guild snowflake.ID, scope, value, rule string, after time.Time) (int, error)
}

// Stream brings news of blocks that other processes change.
type Stream interface {
	// Silent reports whether nothing was heard for so long that a block may have been missed.
	Silent(at time.Time) bool
	// Run tells until the context ends, whatever happens meanwhile; after an interruption it tells with revision 0 or the newest one. The
	// function does not wait.
	Run(ctx context.Context, news func(storage.BlockNews)) error
}

// Copies are blocks where all processes can look without the database.
type Copies interface {
	storage.BlockCopies
	storage.HeldBlocks
}

// Counts is where rules count.
type Counts interface {
	// Count takes the tallies in their order, all at once, and says of each how many are in its window now.
	Count(ctx context.Context, at time.Time, tallies []enforcement.Tally) ([]int, error)
	// Forget drops what was counted about the subject, alone or together with others.
	Forget(ctx context.Context, subject string) error
	// Reachable reports whether questions are answered at the moment.
	Reachable(ctx context.Context) error
}

// Container carries out the action contain: package reconcile does, under its own brakes: one person in ten minutes.
type Container interface {
	Contain(ctx context.Context, guild, member uint64, rule string) error
}

// Parts are what a guard is made of.
type Parts struct {
	Store   Store
	Stream  Stream                  // nil: no other process makes blocks
	Copies  Copies                  // nil: there is only the store
	Counts  Counts                  // nil: rules count in process
	Contain Container               // nil: contain only tells
	Emit    func(enforcement.Event) // must not wait; nil: nobody listens
	// Changed is told of every block that was made, extended, shortened or taken back since Load, here or by another process, when
	// Find knows of it. It must not wait, nor write blocks. Nil: nobody listens.
	Changed func(enforcement.Block)
	// Immune says who is immune beside those whom the configuration names: owners of guilds, superusers of Auth. It is asked only where a
	// block was found or is wanted, and must not wait; an actor without a guild is asked about for every guild. Nil: nobody.
	Immune func(a enforcement.Actor) bool
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: silent
}

// Streams are several streams that tell of the same blocks. They are silent together only: what one misses another tells.
type Streams []Stream

// Silent reports whether none is heard.
func (all Streams) Silent(at time.Time) bool {
	for _, s := range all {
		if !s.Silent(at) {
			return false
		}
	}
	return true
}

// Run runs them all.
func (all Streams) Run(ctx context.Context, news func(storage.BlockNews)) error {
	var each errgroup.Group
	for _, s := range all {
		each.Go(func() error { return s.Run(ctx, news) })
	}
	return each.Wait()
}
