package discord

import (
	"time"

	"github.com/disgoorg/disgo/discord"
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
		return entry(e, p.GuildID, p.AuditLogEntry)
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

// entry reads who changed a member's roles. Every change and every role of it counts: the documentation speaks of one, Discord does
// not keep to it (discord-api-docs, resources/audit-log).
func entry(e audit.Event, guild snowflake.ID, a discord.AuditLogEntry) (audit.Event, bool) {
	if a.TargetID == nil {
		return e, false
	}
	switch a.ActionType {
	case discord.AuditLogEventMemberRoleUpdate:
	case discord.AuditLogEventMemberKick, discord.AuditLogEventMemberBanAdd, discord.AuditLogEventMemberUpdate, discord.AuditLogEventBotAdd:
	default:
		return e, false
	}
	e.Grant = audit.Grant{Entry: a.ID, Actor: a.UserID}
	if a.Reason != nil {
		e.Grant.Reason = *a.Reason
	}
	for _, c := range a.Changes {
		switch c.Key {
		case discord.AuditLogChangeKeyRoleAdd:
			e.Grant.Added = append(e.Grant.Added, roleIDs(c)...)
		case discord.AuditLogChangeKeyRoleRemove:
			e.Grant.Removed = append(e.Grant.Removed, roleIDs(c)...)
		}
	}
	return about(e, guild, *a.TargetID, audit.EntryWritten)
}

func roleIDs(c discord.AuditLogChange) (ids []snowflake.ID) {
	var roles []discord.PartialRole
	if c.UnmarshalNewValue(&roles) != nil {
		return nil
	}
	for _, r := range roles {
		ids = append(ids, r.ID)
	}
	return ids
}
