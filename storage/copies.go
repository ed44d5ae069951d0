package storage

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// What is wrong with a cache.
var (
	// ErrCold means that it cannot say what changed: it was emptied, or it begins later than what was asked for.
	ErrCold = errors.New("cold cache")
	// ErrMalformed means that it holds something that nobody can have put there. What can be read of it is handed over all the same.
	ErrMalformed = errors.New("malformed cache")
)

// BlockNews is what a stream tells of other processes' blocks.
type BlockNews struct {
	Revision int64  // the newest that the stream knows of; zero: it cannot say, so the store must be asked
	Block    *Block // the change itself, where the stream carries it; nil: the store must be asked
	Held     bool   // the block is in no database yet: whoever made it holds it. One that is closed was taken back
}

// BlockCopies are copies of the newest changes of blocks, where all processes can look without the database. They are no truth: what
// is missing there proves nothing, and they may be emptied at any moment.
type BlockCopies interface {
	// PutBlock copies a change, a closed block too, and tells all processes. What is copied already, or is older than what is kept,
	// changes nothing. The change must be committed.
	PutBlock(ctx context.Context, b Block) error
	// CopiesSince gives in one round trip every copied change after the revision, in the order of revisions, and all held blocks. It is
	// ErrCold where changes after the revision may be missing.
	CopiesSince(ctx context.Context, revision int64) (changed, held []Block, err error)
	// NewestCopy is the newest revision that is copied; zero: none.
	NewestCopy(ctx context.Context) (int64, error)
	// BeginCopies says that every change up to the revision is known to be in the database; it changes nothing where copies are kept
	// already, unless anew: then what is there is dropped.
	BeginCopies(ctx context.Context, revision int64, anew bool) error
	// Reachable reports whether questions are answered at the moment, by asking one.
	Reachable(ctx context.Context) error
}

// HeldBlocks are temporary blocks that no database has taken yet.
type HeldBlocks interface {
	// HoldBlock keeps a block until its end, unless a longer one is held, and tells all processes.
	HoldBlock(ctx context.Context, b Block) error
	// UnholdBlock marks a held block as taken back, and tells all processes; false if none is held.
	UnholdBlock(ctx context.Context, b Block) (bool, error)
	// SettleBlock drops a held block that the database has taken by now. It returns true, and keeps the mark, if the block was taken
	// back meanwhile.
	SettleBlock(ctx context.Context, b Block) (revoked bool, err error)
}

// PulseEvery is how often a stream lets its heart beat, and SilentAfter from when on one that did not counts as silent.
const (
	PulseEvery  = 250 * time.Millisecond
	SilentAfter = time.Second
)

// Pulse remembers when something was heard last. Before the first beat it is silent.
type Pulse struct {
	base time.Time
	last atomic.Int64 // nanoseconds after base, and one; zero: never
}

// NewPulse begins at the instant.
func NewPulse(now time.Time) *Pulse { return &Pulse{base: now} }

// Beat notes that something was heard.
func (p *Pulse) Beat(at time.Time) { p.last.Store(int64(at.Sub(p.base)) + 1) }

// Stop forgets: it is silent from now on, until the next beat.
func (p *Pulse) Stop() { p.last.Store(0) }

// Silent reports whether nothing was heard for longer than SilentAfter.
func (p *Pulse) Silent(at time.Time) bool {
	last := p.last.Load()
	return last == 0 || at.Sub(p.base)-time.Duration(last-1) > SilentAfter
}
