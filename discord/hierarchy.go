package discord

import (
	"fmt"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// Hierarchy is what the bot can reach in a guild, known before anything is tried.
type Hierarchy struct {
	Known   bool              // false: the bot's own roles were not seen yet, and nothing below can be told
	Top     audit.Role        // the bot's highest role
	Missing audit.Permissions // of Manage Roles, Kick Members and Ban Members, those that the bot does not have
	Above   []audit.Role      // roles that other programs do not manage and that stand as high as the bot's highest or higher
}

// wanted are the permissions that every action needs one of.
const wanted = audit.ManageRoles | audit.KickMembers | audit.BanMembers

// MissingNames names the missing permissions as Discord's settings show them.
func (h Hierarchy) MissingNames() []string {
	var names []string
	for _, p := range []struct {
		bit  audit.Permissions
		name string
	}{{audit.ManageRoles, "Manage Roles"}, {audit.KickMembers, "Kick Members"}, {audit.BanMembers, "Ban Members"}} {
		if h.Missing&p.bit != 0 {
			names = append(names, p.name)
		}
	}
	return names
}

// Trouble says in a sentence what the bot cannot do, and how to mend it; empty if it can do everything.
func (h Hierarchy) Trouble() string {
	var parts []string
	if names := h.MissingNames(); len(names) > 0 {
		parts = append(parts, fmt.Sprintf("the bot lacks %s: give it in the server's settings, Roles", strings.Join(names, ", ")))
	}
	if len(h.Above) > 0 {
		names := make([]string, len(h.Above))
		for i, r := range h.Above {
			names[i] = r.Name
		}
		parts = append(parts, fmt.Sprintf("the bot cannot take what is above its highest role %q (%s): drag the bot's role above them", h.Top.Name, strings.Join(names, ", ")))
	}
	return strings.Join(parts, "; ")
}

// Hierarchy works out what the bot can reach, from what was seen of the guild.
func (g *Guild) Hierarchy() Hierarchy {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.m.hierarchy()
}

func (m *mirror) hierarchy() (h Hierarchy) {
	own, ok := m.members[m.guild.Bot]
	if !ok || m.guild.BotTop < 0 {
		return h
	}
	set := m.sets[own.set&rowSet]
	h.Known, h.Top = true, topRole(m.guild, set)
	has := permissions(m.guild, set)
	if has&audit.Administrator == 0 {
		h.Missing = wanted &^ has
	}
	for _, r := range m.guild.Roles {
		if !r.Managed && r.ID != m.guild.ID && !m.guild.Reaches(r) {
			h.Above = append(h.Above, r)
		}
	}
	return h
}

// topRole is the highest of a set, else @everyone: higher position, or the same position and the lower id.
func topRole(g audit.Guild, set audit.RoleSet) (top audit.Role) {
	top = audit.Role{ID: g.ID}
	for i := range set.All() {
		if r := g.Roles[i]; above(r, top) {
			top = r
		}
	}
	return top
}

func above(a, b audit.Role) bool {
	return a.Position > b.Position || a.Position == b.Position && a.ID < b.ID
}

// permissions are what @everyone and the roles of a set give together.
func permissions(g audit.Guild, set audit.RoleSet) (p audit.Permissions) {
	for i, r := range g.Roles {
		if r.ID == g.ID || set.Has(i) {
			p |= r.Permissions
		}
	}
	return p
}

// beyond says why an action would never be allowed, before it is tried: the code of an outcome, or empty. What is hard-coded here is
// the last thing that stands before a write: the owner is neither kicked nor contained, no bot is contained, the bot itself and roles that Discord manages are not touched.
func (m *mirror) beyond(a audit.Action, held []snowflake.ID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.Member == 0 {
		return codeNobody
	}
	if m.guild.Bot == 0 || a.Member == m.guild.Bot {
		return codeSelf
	}
	h := m.hierarchy()
	switch a.Kind {
	case audit.RemoveRole:
		return m.roleBeyond(a.Role, h)
	case audit.KickMember:
		return m.memberBeyond(a.Member, held, h, audit.KickMembers)
	case audit.BanMember:
		return m.memberBeyond(a.Member, held, h, audit.BanMembers)
	case audit.Contain:
		if code := m.neverContained(a.Member); code != "" {
			return code
		}
		return m.roleBeyond(a.Role, h)
	case audit.GiveRoleBack:
	}
	return codeUnknownKind
}

// neverContained says why nobody may contain the member: the owner and bots keep what they have, whoever asks.
func (m *mirror) neverContained(member snowflake.ID) string {
	r, here := m.members[member]
	switch {
	case m.guild.Owner == 0:
		return codeOwnerUnknown
	case member == m.guild.Owner:
		return codeOwner
	case here && r.set&rowBot != 0:
		return codeBot
	}
	return ""
}

func (m *mirror) roleBeyond(role snowflake.ID, h Hierarchy) string {
	i, known := m.index[role]
	switch {
	case role == m.guild.ID || role == 0:
		return codeEveryone
	case !known:
		return codeRoleUnknown
	case m.guild.Roles[i].Managed:
		return codeManaged
	case h.Known && h.Missing&audit.ManageRoles != 0:
		return codeLacks + "manage_roles"
	case h.Known && !m.guild.Reaches(m.guild.Roles[i]):
		return codeRoleAbove
	}
	return ""
}

// memberBeyond goes by the roles that a read just showed, else by those in the mirror.
func (m *mirror) memberBeyond(member snowflake.ID, held []snowflake.ID, h Hierarchy, needs audit.Permissions) string {
	switch {
	case m.guild.Owner == 0:
		return codeOwnerUnknown
	case member == m.guild.Owner:
		return codeOwner
	case h.Known && h.Missing&needs != 0 && needs == audit.KickMembers:
		return codeLacks + "kick_members"
	case h.Known && h.Missing&needs != 0:
		return codeLacks + "ban_members"
	}
	set := m.known(held)
	if r, here := m.members[member]; here && held == nil {
		set = m.sets[r.set&rowSet]
	}
	for i := range set.All() {
		if h.Known && !m.guild.Reaches(m.guild.Roles[i]) {
			return codeMemberAbove
		}
	}
	return ""
}
