package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// RefusalMerge is how long refused attempts of one user and command are merged into one row.
const RefusalMerge = 10 * time.Minute

// AllowanceWindow is the rolling window in which accepted runs count.
const AllowanceWindow = 24 * time.Hour

// Invocation is one attempt to make gatecamp do something, or several refused ones alike.
type Invocation struct {
	ID       int64
	Guild    snowflake.ID
	User     string // "console:root", "discord:…", "schedule"
	Command  string // "audit run"
	Args     string // redacted by allow-list before it comes here
	Origin   string
	Accepted bool
	Refusal  string // a code: "rate_limited", "permission_denied", …; empty when accepted
	Counted  bool   // takes from the allowance
	Count    int    // how many attempts the row stands for
	First    time.Time
	Last     time.Time
	Run      int64 // the run it started; zero: none
}

// AllowanceError says that a user's allowance is used up. It is an ErrConflict.
type AllowanceError struct {
	Used, Max int
	FreeAt    time.Time // when the next one is free
}

func (e *AllowanceError) Error() string {
	return fmt.Sprintf("allowance used up: %d of %d in 24 hours; the next is free at %s", e.Used, e.Max, e.FreeAt.UTC().Format(time.RFC3339))
}

// Is makes the error an ErrConflict.
func (e *AllowanceError) Is(target error) bool { return errors.Is(ErrConflict, target) }

// InvocationFilter narrows a list of invocations; the zero value takes all of a guild.
type InvocationFilter struct {
	User    string
	Refused bool // refused ones only
	Page    Page
}

// Invocations records every attempt.
type Invocations interface {
	// Admit records an accepted attempt that counts, if fewer than max were accepted for the guild and user in the window
	// that ends at v.First; else it records a refusal "rate_limited" and returns an *AllowanceError. Two at once cannot both take the last one. A
	// max of 0 does not ask.
	Admit(ctx context.Context, v Invocation, max int) (Invocation, error)
	// Accept records an accepted attempt that does not count.
	Accept(ctx context.Context, v Invocation) (Invocation, error)
	// Refuse records a refused attempt; attempts of one guild, user, command and refusal within RefusalMerge of the first become one
	// row with a count.
	Refuse(ctx context.Context, v Invocation) (Invocation, error)
	// StartedRun notes which run came of an accepted attempt; unknown is ErrNotFound, a second run ErrConflict.
	StartedRun(ctx context.Context, id, run int64) error
	// Invocations lists newest first.
	Invocations(ctx context.Context, guild snowflake.ID, filter InvocationFilter) ([]Invocation, error)
}
