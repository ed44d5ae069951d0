package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// RoleGrant is what Discord's audit log says about who gave a role to a member, or took it.
type RoleGrant struct {
	Guild  snowflake.ID
	Member snowflake.ID
	Role   snowflake.ID
	Actor  snowflake.ID
	Entry  snowflake.ID // of the audit log; one entry may name several roles
	Added  bool         // false: taken
	At     time.Time
	Reason string // as the actor gave it; may be empty
}

// RoleGrants remembers what the audit log told, since Discord keeps it for 45 days only.
type RoleGrants interface {
	// NoteRoleGrants stores what is new; the same entry and role again changes nothing.
	NoteRoleGrants(ctx context.Context, grants []RoleGrant) error
	// RoleGrants lists what happened to the members at or after the instant, newest first; nil members: to anyone.
	RoleGrants(ctx context.Context, guild snowflake.ID, members []snowflake.ID, since time.Time) ([]RoleGrant, error)
}
