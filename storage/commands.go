package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Command is something that a process asks the owner to do.
type Command struct {
	ID      int64
	Guild   snowflake.ID
	Kind    string
	Args    json.RawMessage
	Actor   string
	Created time.Time

	TakenBy  string    // the owner's ID; empty: nobody yet
	Taken    time.Time // zero: not yet
	Finished time.Time // zero: not yet
	Result   json.RawMessage
	Error    string // a sentence for the person who waits; empty: it went well
}

// Progress is one line about a command on its way.
type Progress struct {
	ID      int64
	Command int64
	At      time.Time
	Data    json.RawMessage
}

// Commands is the queue between processes that may not act and the one that may.
type Commands interface {
	// AskOwner queues a command and returns it with its ID.
	AskOwner(ctx context.Context, c Command) (Command, error)
	// TakeCommands takes the waiting commands of a guild (0: of all), oldest first, and those that an earlier owner took and did not
	// finish. Only the owner may: a lease that is not the caller's is ErrFenced.
	TakeCommands(ctx context.Context, fence Fence, guild snowflake.ID, at time.Time) ([]Command, error)
	// ReportProgress adds a line, and FinishCommand the result, once: again is ErrConflict, unknown is ErrNotFound. Both
	// are for the owner that took it; from another it is ErrConflict.
	ReportProgress(ctx context.Context, id int64, owner string, at time.Time, data json.RawMessage) error
	FinishCommand(ctx context.Context, id int64, owner string, at time.Time, result json.RawMessage, failure string) error
	// FollowCommand reads the command and the lines after the one whose ID is given.
	FollowCommand(ctx context.Context, id, after int64) (Command, []Progress, error)
	// WithdrawCommand takes back a command that nobody has taken: taken already is ErrConflict, unknown ErrNotFound.
	WithdrawCommand(ctx context.Context, id int64, at time.Time) error
}
