package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Policy is one version of what a guild wants.
type Policy struct {
	Guild     snowflake.ID
	Version   int64           // 1, 2, 3 … for each guild
	Document  string          // the YAML as it was given
	Canonical json.RawMessage // the same as canonical JSON
	Actor     string
	Reason    string
	At        time.Time
}

// Policies keeps every version. Every change leaves a configuration change.
type Policies interface {
	// SetPolicy stores the next version and returns its number. Before is the version that the author saw (0: none): if
	// another has come since, it is ErrConflict. A negative Before does not ask.
	SetPolicy(ctx context.Context, guild snowflake.ID, before int64, document string, canonical json.RawMessage, by Author) (Policy, error)
	// Policy reads a version, 0 the newest; ErrNotFound if there is none.
	Policy(ctx context.Context, guild snowflake.ID, version int64) (Policy, error)
	// PolicyHistory lists the versions, newest first.
	PolicyHistory(ctx context.Context, guild snowflake.ID, page Page) ([]Policy, error)
}

// The kinds of what a role is bound to.
const (
	BoundGroup   = "group"
	BoundState   = "state"
	BoundGuarded = "guarded" // managed, and given by nobody in Auth
)

// Binding says that a role of the guild is managed, and what in Auth gives it.
type Binding struct {
	ID       int64
	Guild    snowflake.ID
	Role     snowflake.ID
	Kind     string // BoundGroup, BoundState, BoundGuarded
	Name     string // of the group or state; empty for a guarded role
	RoleName string // the role's name when it was bound
	Actor    string
	Reason   string
	At       time.Time
}

// Bindings keeps which role is which. Every change leaves a configuration change.
type Bindings interface {
	// Bind stores bindings, all or none, and returns them with their IDs. A role that is bound to the same kind and name is ErrConflict; one role
	// may be bound to several groups and states.
	Bind(ctx context.Context, guild snowflake.ID, bindings []Binding, by Author) ([]Binding, error)
	// Unbind removes every binding of a role; ErrNotFound if it has none.
	Unbind(ctx context.Context, guild, role snowflake.ID, by Author) ([]Binding, error)
	// Bindings lists by role, then by kind and name.
	Bindings(ctx context.Context, guild snowflake.ID) ([]Binding, error)
}

// Grant gives a right to someone.
type Grant struct {
	ID          int64
	Guild       snowflake.ID
	Right       string // "gatecamp.apply", "aa_discord_audit.run_audit"
	SubjectKind string // "discord", "user", "group", "state", "role"
	Subject     string // the id or name
	Actor       string
	Approver    string // the second person, where one was needed; else empty
	Reason      string
	At          time.Time
	Expires     time.Time // zero: never
}

// Grants keeps who may do what. Every change leaves a configuration change.
type Grants interface {
	// AddGrant stores a grant and returns it with its ID; the same right for the same subject is ErrConflict.
	AddGrant(ctx context.Context, g Grant, by Author) (Grant, error)
	// RemoveGrant deletes a grant (the configuration change keeps it); unknown is ErrNotFound.
	RemoveGrant(ctx context.Context, guild snowflake.ID, id int64, by Author) (Grant, error)
	// Grants lists by right, kind, subject, expired ones included.
	Grants(ctx context.Context, guild snowflake.ID) ([]Grant, error)
}

// SettingRetentionDays is how many days records are kept: 0 for ever, else at least MinRetentionDays. Not set: DefaultRetentionDays.
const (
	SettingRetentionDays = "retention_days"
	DefaultRetentionDays = 180
	MinRetentionDays     = 30
)

// Settings keeps what a guild has set. Every change leaves a configuration change.
type Settings interface {
	// SetSetting stores a value; the value that is stored already changes nothing and leaves no change. A retention that is not a
	// whole number, or below the floor, is a problem.Problem.
	SetSetting(ctx context.Context, guild snowflake.ID, name, value string, by Author) error
	// Setting reads one; ErrNotFound if it is not set.
	Setting(ctx context.Context, guild snowflake.ID, name string) (string, error)
	// Settings reads all of a guild.
	Settings(ctx context.Context, guild snowflake.ID) (map[string]string, error)
}

// Change says who changed what gatecamp goes by: a row of a table, before and after.
type Change struct {
	ID     int64
	Guild  snowflake.ID
	Table  string
	Key    string
	Before json.RawMessage // nil: was not there
	After  json.RawMessage // nil: is gone
	Actor  string
	Origin string
	Reason string
	At     time.Time
}

// ChangeFilter narrows a list of changes; the zero value takes all of a guild.
type ChangeFilter struct {
	Table string
	Key   string
	Actor string
	Page  Page
}

// Changes is the append-only record of configuration changes. Each is written in the transaction that makes the change.
type Changes interface {
	// Changes lists newest first.
	Changes(ctx context.Context, guild snowflake.ID, filter ChangeFilter) ([]Change, error)
}
