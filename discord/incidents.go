package discord

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
)

// acquaintance is what is known of members and roles without asking anybody.
type acquaintance interface {
	// knows are a member's roles, and whether it is a bot; false: not known.
	knows(member snowflake.ID) (roles []uint64, bot, known bool)
}

// incidentOf is what happened in a guild as rules look at it: somebody joined, or an entry of the audit log tells who did what. It is
// pure but for what is known of who did it. What the bot itself did is nothing (false), and so is what no rule could be about.
func incidentOf(data gateway.EventData, self snowflake.ID, of func(guild snowflake.ID) acquaintance) (enforcement.Incident, bool) {
	switch p := data.(type) {
	case gateway.EventGuildMemberAdd:
		who := p.User.ID
		i := enforcement.Incident{
			Type: rules.MemberJoined, Actor: enforcement.Actor{User: uint64(who), Guild: uint64(p.GuildID)}, Route: "evt:" + rules.MemberJoined,
			Fields: map[string]any{"member": who.String(), "bot": p.User.Bot},
		}
		if p.JoinedAt != nil {
			i.Fields["account_days"] = int64(p.JoinedAt.Sub(who.Time()) / (24 * time.Hour))
		}
		return i, who != 0 && p.GuildID != 0 && who != self
	case gateway.EventGuildAuditLogEntryCreate:
		if p.GuildID == 0 || p.UserID == self && self != 0 {
			return enforcement.Incident{}, false
		}
		return entryIncident(&p.AuditLogEntry, p.GuildID, of(p.GuildID))
	}
	return enforcement.Incident{}, false
}

// entryKinds are the entries that rules look at, and as what.
var entryKinds = map[discord.AuditLogEvent]string{
	discord.AuditLogEventMemberKick: rules.MemberKicked, discord.AuditLogEventMemberBanAdd: rules.MemberBanned, discord.AuditLogEventMemberPrune: rules.MembersPruned,
	discord.AuditLogEventMemberRoleUpdate: rules.RoleGiven, discord.AuditLogEventBotAdd: rules.BotAdded,
	discord.AuditLogEventRoleCreate: rules.RoleUpdated, discord.AuditLogEventRoleUpdate: rules.RoleUpdated, discord.AuditLogEventRoleDelete: rules.RoleDeleted,
	discord.AuditLogEventChannelDelete: rules.ChannelDeleted, discord.AuditLogEventWebhookCreate: rules.WebhookCreated,
	discord.AuditLogEventChannelOverwriteCreate: rules.OverwriteChanged, discord.AuditLogEventChannelOverwriteUpdate: rules.OverwriteChanged,
}

// entryIncident is an entry of the audit log as rules look at it.
func entryIncident(a *discord.AuditLogEntry, guild snowflake.ID, known acquaintance) (i enforcement.Incident, ok bool) {
	kind, is := entryKinds[a.ActionType]
	if !is {
		return i, false
	}
	i = enforcement.Incident{Type: kind, Actor: enforcement.Actor{User: uint64(a.UserID), Guild: uint64(guild)}, Route: "evt:" + kind}
	roles, bot, _ := known.knows(a.UserID)
	i.Actor.Roles = roles
	i.Fields = map[string]any{"entry": a.ID.String(), "by_bot": bot}
	if a.TargetID != nil {
		i.Fields["target"] = a.TargetID.String()
	}
	var keys []string
	for _, c := range a.Changes {
		keys = append(keys, string(c.Key))
	}
	i.Fields["changed_fields"] = keys
	switch a.ActionType {
	case discord.AuditLogEventMemberRoleUpdate:
		added, _ := entryOf(*a).roles()
		if len(added) == 0 {
			return i, false
		}
		i.Fields["roles"] = idTexts(added)
		if bot { // a bot gives roles to many by its trade, as Auth's own does
			i.Type = rules.RoleGivenByBot
		}
	case discord.AuditLogEventMemberPrune:
		if o := a.Options; o != nil && o.MembersRemoved != nil {
			if n, err := strconv.ParseInt(*o.MembersRemoved, 10, 64); err == nil {
				i.Fields["members_removed"] = n
			}
		}
	case discord.AuditLogEventRoleCreate, discord.AuditLogEventRoleUpdate:
		change(&i, granted(a.Changes, discord.AuditLogChangeKeyPermissions))
	case discord.AuditLogEventChannelOverwriteCreate, discord.AuditLogEventChannelOverwriteUpdate:
		change(&i, granted(a.Changes, "allow"))
	case discord.AuditLogEventWebhookCreate:
		i.Fields["change"] = []string{rules.ChangeWebhook}
	case discord.AuditLogEventBotAdd:
		i.Fields["change"] = []string{rules.ChangeBot}
	default:
	}
	return i, true
}

// change notes which dangerous permissions were granted.
func change(i *enforcement.Incident, more audit.Permissions) {
	if names := permissionNames(more & audit.Privileged); len(names) > 0 {
		i.Fields["change"], i.Fields["granted"] = []string{rules.ChangePermission}, names
	}
}

// granted are the permissions that are there now and were not before.
func granted(changes []discord.AuditLogChange, key discord.AuditLogChangeKey) (more audit.Permissions) {
	for _, c := range changes {
		if c.Key == key {
			more |= bitsOf(c.NewValue) &^ bitsOf(c.OldValue)
		}
	}
	return more
}

// bitsOf reads permission bits: a number in a string, or a bare one, as old entries have it.
func bitsOf(raw json.RawMessage) audit.Permissions {
	n, err := strconv.ParseUint(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return audit.Permissions(n)
}

// permissionNames are the privileged permissions by Discord's names.
func permissionNames(p audit.Permissions) (names []string) {
	for _, one := range []struct {
		bit  audit.Permissions
		name string
	}{
		{audit.KickMembers, "KICK_MEMBERS"},
		{audit.BanMembers, "BAN_MEMBERS"},
		{audit.Administrator, "ADMINISTRATOR"},
		{audit.ManageChannels, "MANAGE_CHANNELS"},
		{audit.ManageGuild, "MANAGE_GUILD"},
		{audit.MentionEveryone, "MENTION_EVERYONE"},
		{audit.ManageRoles, "MANAGE_ROLES"},
		{audit.ManageWebhooks, "MANAGE_WEBHOOKS"},
	} {
		if p&one.bit != 0 {
			names = append(names, one.name)
		}
	}
	return names
}

func idTexts(ids []snowflake.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

// knows satisfies acquaintance.
func (m *mirror) knows(member snowflake.ID) (roles []uint64, bot, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.members[member]
	if !known {
		return nil, false, false
	}
	for i := range m.sets[r.set&rowSet].All() {
		roles = append(roles, uint64(m.guild.Roles[i].ID))
	}
	return roles, r.set&rowBot != 0, true
}

// nobody knows nobody.
type nobody struct{}

func (nobody) knows(snowflake.ID) ([]uint64, bool, bool) { return nil, false, false }

// tellIncident hands on what rules should look at. It runs on the goroutine that reads the gateway.
func (c *Client) tellIncident(data gateway.EventData) {
	if c.cfg.OnIncident == nil {
		return
	}
	i, ok := incidentOf(data, c.Bot(), func(guild snowflake.ID) acquaintance {
		c.mu.Lock()
		defer c.mu.Unlock()
		if g := c.guilds[guild]; g != nil {
			return g.m
		}
		return nobody{}
	})
	if e, is := data.(gateway.EventGuildAuditLogEntryCreate); ok && is && !c.entries.first(e.ID) {
		return // told twice
	}
	if ok {
		c.cfg.OnIncident(i)
	}
}

// rememberedEntries is how many entries of the audit log are known again when they are told twice: what a session that goes on repeats.
const rememberedEntries = 1024

// entriesSeen are the newest entries that were told.
type entriesSeen struct {
	mu   sync.Mutex
	ids  map[snowflake.ID]struct{}
	ring []snowflake.ID
	next int
}

// first reports whether the entry was not told before, and remembers it.
func (s *entriesSeen) first(id snowflake.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.ids[id]; known {
		return false
	}
	if s.ids == nil {
		s.ids, s.ring = map[snowflake.ID]struct{}{}, make([]snowflake.ID, rememberedEntries)
	}
	delete(s.ids, s.ring[s.next])
	s.ids[id], s.ring[s.next] = struct{}{}, id
	s.next = (s.next + 1) % rememberedEntries
	return true
}
