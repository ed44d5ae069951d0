package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Pruned says what went, or would go.
type Pruned struct {
	Before time.Time        // the instant that was used; zero: the guild keeps everything for ever
	Rows   map[string]int64 // by table, also those with none
}

// Retention lets old records go.
type Retention interface {
	// Prune deletes records of a guild that are older than the instant *and* than the guild's stored retention by the database's clock,
	// whichever is earlier: ended runs with their plans and actions, closed findings with their changes, trail, invocations, configuration changes,
	// finished commands, cards, memories, role grants, seen rights, admissions of direct messages, closed blocks with their history (those of everywhere belong to no guild and stay), and people whom no entry names. What is open stays, and so does what an open row or the lock rests on. A dry
	// run counts and deletes nothing.
	Prune(ctx context.Context, guild snowflake.ID, before time.Time, dryRun bool) (Pruned, error)
}
