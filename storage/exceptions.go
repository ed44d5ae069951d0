package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Table is one of the five operator tables.
type Table int

// The operator tables.
const (
	Exemptions  Table = iota + 1 // a role that is never managed
	Protections                  // a member who is never acted on
	BotAccounts                  // a member who is a bot
	Overrides                    // an action for one member
	Identities                   // a Discord account that belongs, or belonged, to an Auth user
)

var tables = [...]string{"", "exemption", "protected_member", "bot_account", "member_override", "identity"}

// String is the table's name in the database and in the configuration changes.
func (t Table) String() string {
	if t < Exemptions || int(t) >= len(tables) {
		return "unknown"
	}
	return tables[t]
}

// Exception is a row of an operator table.
type Exception struct {
	ID      int64
	Guild   snowflake.ID
	Table   Table
	Subject snowflake.ID // the role of an exemption, else the Discord account

	Action    string    // of an override: "report", "strip", "strip_kick"
	SingleUse bool      // of an override
	Used      time.Time // of a single-use override; zero: not yet
	User      int64     // of an identity: the Auth user
	Source    string    // of an identity: "historical", "operator"

	Reason   string
	Actor    string
	Approver string // the second person, where one was needed; else empty
	Created  time.Time
	Expires  time.Time // zero: never

	Removed       time.Time // zero: not removed
	RemovedBy     string
	RemovedReason string
}

// InForce reports whether the row counts at the instant: created by then, not expired, removed or used up.
func (e Exception) InForce(at time.Time) bool {
	open := func(t time.Time) bool { return t.IsZero() || t.After(at) }
	return !e.Created.After(at) && open(e.Expires) && open(e.Removed) && open(e.Used)
}

// ExceptionFilter narrows a list of exceptions; the zero value takes every row that was not removed.
type ExceptionFilter struct {
	Table   Table // zero: all five
	Subject snowflake.ID
	All     bool // removed ones too
}

// Exceptions keeps the five operator tables. Rows are removed by a mark, never deleted. Every change leaves a configuration change.
type Exceptions interface {
	// AddException stores e with the author as actor, reason and time of creation, and returns it with its ID. A row of the table,
	// subject and (of identities) user that was not removed, used up or expired is ErrConflict.
	AddException(ctx context.Context, e Exception, by Author) (Exception, error)
	// RemoveException ends a row; removed already is ErrConflict, unknown ErrNotFound.
	RemoveException(ctx context.Context, table Table, guild snowflake.ID, id int64, by Author) (Exception, error)
	// Exceptions lists rows by table and then by ID.
	Exceptions(ctx context.Context, guild snowflake.ID, filter ExceptionFilter) ([]Exception, error)
	// ExceptionsAt lists every row of the five tables that is in force at the instant, by table and then by ID.
	ExceptionsAt(ctx context.Context, guild snowflake.ID, at time.Time) ([]Exception, error)
	// UseOverride marks a single-use override as used; used or removed already is ErrConflict, unknown or not single-use ErrNotFound.
	UseOverride(ctx context.Context, guild snowflake.ID, id int64, at time.Time) error
	// NoteIdentities stores identities that were seen in Auth as "historical", without a configuration change, in one
	// transaction; those that are known stay as they are. It returns how many were new.
	NoteIdentities(ctx context.Context, guild snowflake.ID, seen []Exception, at time.Time) (int, error)
}
