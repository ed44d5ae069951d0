package audit

import (
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Scope is how much of a guild an event is about.
type Scope int

// The scopes.
const (
	OneMember   Scope = iota + 1
	RoleHolders       // everybody who holds one role, or held it
	WholeGuild
)

func (s Scope) String() string { return [...]string{"", "member", "role_holders", "guild"}[s] }

// Why is what made somebody look again.
type Why int

// The causes.
const (
	MemberJoined  Why = iota + 1
	MemberChanged     // roles, screening, nickname: Discord does not say what
	MemberLeft
	RoleMade
	RoleEdited
	RoleDeleted
	EntryWritten // in the guild's audit log
	GuildSeen    // came into sight, at start or after an outage
	GuildLost    // an outage, or the bot was removed
	SessionNew   // events may have been missed
	SessionKept  // resumed: none were missed
)

func (w Why) String() string {
	return [...]string{
		"", "member_joined", "member_changed", "member_left", "role_made", "role_edited", "role_deleted", "entry_written", "guild_seen",
		"guild_lost", "session_new", "session_kept",
	}[w]
}

// Event says: look again, because. It is a hint and never trusted for the state of anything: it may come late, twice, out of order
// or not at all.
type Event struct {
	Guild  snowflake.ID // zero for SessionNew and SessionKept, which are about every guild of the shard
	Scope  Scope
	Member snowflake.ID // for OneMember
	Role   snowflake.ID // for RoleHolders
	Why    Why
	Seen   time.Time
	Shard  int
	Grant  Grant // for EntryWritten about a member's roles
	Roles  bool  // for MemberJoined and MemberChanged: the member holds other roles than was known
}

// Grant is what an entry of Discord's audit log says about who changed a member's roles, as told and not judged.
type Grant struct {
	Entry   snowflake.ID
	Actor   snowflake.ID // zero: Discord does not say
	Added   []snowflake.ID
	Removed []snowflake.ID
	Reason  string // as the actor wrote it; free text
}
