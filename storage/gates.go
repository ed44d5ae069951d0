package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Acknowledgement releases the first-run lock of a guild: what was looked at, by whom and why.
type Acknowledgement struct {
	ID            int64
	Guild         snowflake.ID
	Run           int64
	Digest        string
	PolicyVersion int64
	Fingerprint   string // of Auth
	Bot           snowflake.ID
	Kinds         []string // kinds of action that the policy contained
	Actor         string
	Reason        string
	At            time.Time

	Rearmed       time.Time // zero: in force
	RearmedBy     string
	RearmedReason string
}

// Pause stops everything that changes Discord in a guild.
type Pause struct {
	ID     int64
	Guild  snowflake.ID
	Actor  string
	Reason string
	At     time.Time

	Ended       time.Time // zero: in force
	EndedBy     string
	EndedReason string
}

// Gates keeps the first-run lock and the pause of each guild. Every change leaves a configuration change.
type Gates interface {
	// Acknowledge releases the lock; the acknowledgement before it, if one is in force, ends with it. The run must exist in the guild, else ErrNotFound.
	Acknowledge(ctx context.Context, a Acknowledgement, origin string) (Acknowledgement, error)
	// Acknowledged reads the acknowledgement in force; ErrNotFound means that the lock is on.
	Acknowledged(ctx context.Context, guild snowflake.ID) (Acknowledgement, error)
	// Rearm puts the lock back; when it is on already it is ErrNotFound.
	Rearm(ctx context.Context, guild snowflake.ID, by Author) error
	// Pause stops the guild; when it is paused already it is ErrConflict and the first pause stays.
	Pause(ctx context.Context, guild snowflake.ID, by Author) (Pause, error)
	// Unpause lets it go on; when it is not paused it is ErrNotFound.
	Unpause(ctx context.Context, guild snowflake.ID, by Author) (Pause, error)
	// Paused reads the pause in force; ErrNotFound means that there is none.
	Paused(ctx context.Context, guild snowflake.ID) (Pause, error)
}
