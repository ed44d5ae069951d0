package guard

import (
	"context"
	"log/slog"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// Store is what the guard needs of the database: the truth about blocks.
type Store interface {
	storage.Blocks
	BlocksSince(ctx context.Context, revision int64, each func(storage.Block) error) (int64, error)
	BlockStrikes(ctx context.Context, guild snowflake.ID, scope, value, rule string, after time.Time) (int, error)
}

// Stream tells whether news of other processes' blocks arrive.
type Stream interface {
	// Silent reports whether nothing was heard for so long that a block may have been missed.
	Silent(at time.Time) bool
}

// Container carries out the action contain: package reconcile does, under its own brakes.
type Container interface {
	Contain(ctx context.Context, guild, member uint64, rule string) error
}

// Parts are what a guard is made of.
type Parts struct {
	Store   Store
	Stream  Stream                  // nil: no other process makes blocks
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
