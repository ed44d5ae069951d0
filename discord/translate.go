package discord

import (
	"time"

	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// translate turns what the gateway said into a reason to look again. It is pure; a payload of another kind, or one without the ids
// that it needs, is nothing (false).
func translate(data gateway.EventData, shard int, seen time.Time) (audit.Event, bool) {
	e := audit.Event{Seen: seen, Shard: shard}
	switch p := data.(type) {
	case gateway.EventGuildMemberAdd:
		return about(e, p.GuildID, p.User.ID, audit.MemberJoined)
	case gateway.EventGuildMemberUpdate:
		return about(e, p.GuildID, p.User.ID, audit.MemberChanged)
	case gateway.EventGuildMemberRemove:
		return about(e, p.GuildID, p.User.ID, audit.MemberLeft)
	case gateway.EventGuildRoleCreate:
		return aboutRole(e, p.GuildID, p.Role.ID, audit.RoleMade)
	case gateway.EventGuildRoleUpdate:
		return aboutRole(e, p.GuildID, p.Role.ID, audit.RoleEdited)
	case gateway.EventGuildRoleDelete:
		return aboutRole(e, p.GuildID, p.RoleID, audit.RoleDeleted)
	case gateway.EventGuildAuditLogEntryCreate:
		return entryOf(p.AuditLogEntry).event(e, p.GuildID)
	case gateway.EventGuildCreate:
		e.Guild, e.Scope, e.Why = p.ID, audit.WholeGuild, audit.GuildSeen
		return e, p.ID != 0 && !p.Unavailable
	case gateway.EventGuildDelete:
		e.Guild, e.Scope, e.Why = p.ID, audit.WholeGuild, audit.GuildLost
		return e, p.ID != 0
	case gateway.EventReady:
		e.Scope, e.Why = audit.WholeGuild, audit.SessionNew
		return e, true
	case gateway.EventResumed:
		e.Scope, e.Why = audit.WholeGuild, audit.SessionKept
		return e, true
	}
	return e, false
}

func about(e audit.Event, guild, member snowflake.ID, why audit.Why) (audit.Event, bool) {
	e.Guild, e.Scope, e.Member, e.Why = guild, audit.OneMember, member, why
	return e, guild != 0 && member != 0
}

func aboutRole(e audit.Event, guild, role snowflake.ID, why audit.Why) (audit.Event, bool) {
	e.Guild, e.Scope, e.Role, e.Why = guild, audit.RoleHolders, role, why
	return e, guild != 0 && role != 0
}
