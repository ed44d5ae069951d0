package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
)

// Block keeps one subject out of one guild or, with guild 0, out of everything.
type Block struct {
	ID       int64
	Revision int64 // grows with every change of any block; in the order of commits

	Guild snowflake.ID // zero: everywhere
	Scope string       // "user", "account", "member", "session", "ip", "webhook", "channel", "guild", "role"
	Value string       // canonical
	Also  enforcement.Also

	Reason   string
	Message  string // for the subject; may be empty
	Status   int    // of a refusal over HTTP; zero: none of its own
	Rule     string // empty: a person made it
	Owner    string // the author's actor
	Evidence json.RawMessage

	Start time.Time
	End   time.Time // zero: permanent

	Closed       time.Time // zero: in force, or ended by itself and not followed yet
	ClosedBy     string
	ClosedReason string
}

// InForce reports whether the block holds at the instant.
func (b Block) InForce(at time.Time) bool {
	return b.Closed.IsZero() && (b.End.IsZero() || b.End.After(at))
}

// BlockChange is what became of a block that somebody asked for.
type BlockChange int

// The changes.
const (
	BlockKept     BlockChange = iota // one that holds as long or longer is in force and stays as it is
	BlockMade                        // there was none in force
	BlockExtended                    // the one in force holds longer now, or does more besides
)

// BlockEntry is a line of the history of blocks.
type BlockEntry struct {
	ID     int64
	Block  int64 // zero: of a refused one
	Guild  snowflake.ID
	Scope  string
	Value  string
	Also   enforcement.Also // as of this change
	Kind   string           // "made", "extended", "shortened", "revoked", "ended", "refused"
	Rule   string
	End    time.Time // as of this change; zero: permanent
	Actor  string
	Origin string
	Reason string
	At     time.Time
}

// BlockFilter narrows a list of blocks; the zero value takes every block of every guild.
type BlockFilter struct {
	Guild   *snowflake.ID // nil: all
	Scope   string
	Value   string
	InForce time.Time // only those in force at the instant; zero: all
	Page
}

// Blocks keeps blocks. They are closed by a mark, never deleted; every change leaves a line in a history that only grows.
type Blocks interface {
	// Block keeps the subject out from by.At until b.End, and returns the block in force. A longer end extends the one in force, and
	// what does more besides is done from now on; reason, message and owner stay as they were. A shorter end and a milder Also change
	// nothing.
	Block(ctx context.Context, b Block, by Author) (Block, BlockChange, error)
	// ShortenBlock brings the end of the block in force forward, which Block never does; to a later one it is ErrConflict, without one
	// in force ErrNotFound.
	ShortenBlock(ctx context.Context, guild snowflake.ID, scope, value string, end time.Time, by Author) (Block, error)
	// Unblock closes the block in force; without one it is ErrNotFound.
	Unblock(ctx context.Context, guild snowflake.ID, scope, value string, by Author) (Block, error)
	// RefuseBlock notes that a block was asked for and refused.
	RefuseBlock(ctx context.Context, b Block, by Author) error
}

// BlockReads tells of blocks.
type BlockReads interface {
	// BlocksSince hands over every block that changed after the revision, in the order of revisions, while it reads, and returns the newest
	// revision of them. After revision 0 it is all that are not closed, in any order, each without evidence and start: there may be a million.
	BlocksSince(ctx context.Context, revision int64, each func(Block) error) (int64, error)
	// Blocks lists, newest first.
	Blocks(ctx context.Context, filter BlockFilter) ([]Block, error)
	// ActingBlocks lists the blocks in force at the instant that do something besides, of the guild and of everywhere, by id. With members,
	// those of scopes "user" and "member" are of these alone.
	ActingBlocks(ctx context.Context, guild snowflake.ID, at time.Time, members []snowflake.ID) ([]Block, error)
	// BlockHistory lists the history of a subject, newest first.
	BlockHistory(ctx context.Context, guild snowflake.ID, scope, value string, page Page) ([]BlockEntry, error)
	// BlockStrikes counts how often the rule made or extended a block of the subject after the instant.
	BlockStrikes(ctx context.Context, guild snowflake.ID, scope, value, rule string, after time.Time) (int, error)
}
