package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// The windows of the ledger. A draw counts from its instant until just before the window's length has passed.
const (
	LiveWindow = 15 * time.Minute // live actions only
	DayWindow  = 24 * time.Hour   // everything
)

// Use is what a window has taken from the limits: intentions, less those given back.
type Use struct {
	Members    map[snowflake.ID]struct{} // distinct, common budget
	Roles      int                       // roles removed, common budget
	PerRole    map[snowflake.ID]int      // likewise, by role
	Kicks      int                       // kicks and bans, common budget
	Privileged int                       // removals of privileged roles
	BlockKicks int                       // kicks and bans of blocked members
	Stripped   map[snowflake.ID]struct{} // distinct blocked members whose roles were taken
}

// Used is the use of both windows.
type Used struct {
	Live Use // LiveWindow
	Day  Use // DayWindow
}

// Trip says that a plan was over a brake.
type Trip struct {
	ID        int64
	Guild     snowflake.ID
	Dimension string // "members", "roles_removed", "one_role:ID", "kicks", "privileged", "block_kicks"
	Plan      string // digest of the plan that tripped it
	Run       int64  // zero: live
	Cause     json.RawMessage
	At        time.Time

	Reset       time.Time // zero: it holds
	ResetBy     string
	ResetReason string
}

// Brakes is the ledger of what was done, and the trips.
type Brakes interface {
	// Used adds up the windows that end at the instant.
	Used(ctx context.Context, guild snowflake.ID, at time.Time) (Used, error)
	// Trip stores a trip; while one of the guild and dimension holds, another is ErrConflict and the first stays as it is.
	Trip(ctx context.Context, t Trip) (Trip, error)
	// OpenTrips lists the trips that hold, oldest first.
	OpenTrips(ctx context.Context, guild snowflake.ID) ([]Trip, error)
	// Trips lists all, newest first.
	Trips(ctx context.Context, guild snowflake.ID, page Page) ([]Trip, error)
	// ResetTrip lets the dimension go again; without an open trip it is ErrNotFound. It leaves a configuration change.
	ResetTrip(ctx context.Context, guild snowflake.ID, dimension string, by Author) (Trip, error)
}
