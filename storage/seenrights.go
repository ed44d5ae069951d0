package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// SeenRights is which rights Auth gave to a Discord account when it could last be read.
type SeenRights struct {
	Guild   snowflake.ID
	Discord snowflake.ID
	User    int64 // Auth's; zero: not linked
	Rights  []string
	At      time.Time
}

// RightsMemory is for when Auth cannot be read: rights seen a short while ago still count for what cannot harm.
type RightsMemory interface {
	// NoteRights stores what was seen in place of what was seen before; what is older than the stored is left out.
	NoteRights(ctx context.Context, r SeenRights) error
	// LastRights reads what was seen last; ErrNotFound if the account was never seen in the guild.
	LastRights(ctx context.Context, guild, discord snowflake.ID) (SeenRights, error)
}
