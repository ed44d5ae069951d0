package discordtest

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/disgoorg/snowflake/v2"
)

// Permissions is Discord's set of permission bits; JSON has it as a decimal string (topics/permissions).
type Permissions uint64

// The permissions that the local Discord asks for.
const (
	KickMembers            Permissions = 1 << 1
	BanMembers             Permissions = 1 << 2
	Administrator          Permissions = 1 << 3
	ManageChannels         Permissions = 1 << 4
	ManageGuild            Permissions = 1 << 5
	ViewAuditLog           Permissions = 1 << 7
	ViewChannel            Permissions = 1 << 10
	SendMessages           Permissions = 1 << 11
	ManageMessages         Permissions = 1 << 13
	EmbedLinks             Permissions = 1 << 14
	AttachFiles            Permissions = 1 << 15
	ReadMessageHistory     Permissions = 1 << 16
	ChangeNickname         Permissions = 1 << 26
	ManageNicknames        Permissions = 1 << 27
	ManageRoles            Permissions = 1 << 28
	ManageWebhooks         Permissions = 1 << 29
	UseApplicationCommands Permissions = 1 << 31
	ModerateMembers        Permissions = 1 << 40
)

// allPermissions are the bits 0 to 52, everything that Discord has given a meaning so far.
const allPermissions Permissions = 1<<53 - 1

// everyonePermissions is what @everyone may do in a new guild, as far as it matters here.
const everyonePermissions = ViewChannel | SendMessages | EmbedLinks | AttachFiles | ReadMessageHistory | ChangeNickname | UseApplicationCommands

// botPermissions is what the two bots of every world are invited with.
const botPermissions = ManageRoles | KickMembers | BanMembers | ViewAuditLog

// starred are the permissions that need the bot owner's second factor in a guild that demands one (topics/permissions).
const starred = KickMembers | BanMembers | Administrator | ManageChannels | ManageGuild | ManageMessages | ManageRoles | ManageWebhooks

// Has tells whether all of want are in p.
func (p Permissions) Has(want Permissions) bool { return p&want == want }

// String is the decimal number that JSON carries.
func (p Permissions) String() string { return strconv.FormatUint(uint64(p), 10) }

// MarshalJSON writes the decimal number as a string.
func (p Permissions) MarshalJSON() ([]byte, error) { return []byte(`"` + p.String() + `"`), nil }

// UnmarshalJSON takes the number as a string or as a number.
func (p *Permissions) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseUint(string(bytes.Trim(data, `"`)), 10, 64)
	if err != nil {
		return fmt.Errorf("permissions %s: want a decimal number in quotes", data)
	}
	*p = Permissions(n)
	return nil
}

// above tells whether role a stands above b: higher position, or the same position and the lower id.
func above(a, b *Role) bool {
	if a.Position != b.Position {
		return a.Position > b.Position
	}
	return a.ID < b.ID
}

// top is the highest role of a member; @everyone if there is no other.
func (g *guild) top(m *member) *Role {
	best := g.roles[g.id]
	for _, id := range m.roles {
		if r := g.roles[id]; r != nil && above(r, best) {
			best = r
		}
	}
	return best
}

// permissions are those of the member in the whole guild.
func (g *guild) permissions(m *member) Permissions {
	if m.id == g.owner {
		return allPermissions
	}
	p := g.roles[g.id].Permissions
	for _, id := range m.roles {
		if r := g.roles[id]; r != nil {
			p |= r.Permissions
		}
	}
	if p.Has(Administrator) {
		return allPermissions
	}
	return p
}

// permissionsIn are those of the member in one channel: overwrites of @everyone, then of the roles together, then of the member.
func (g *guild) permissionsIn(m *member, c *Channel) Permissions {
	p := g.permissions(m)
	if p == allPermissions {
		return p
	}
	var allow, deny, allowMember, denyMember Permissions
	for _, o := range c.Overwrites {
		switch {
		case o.Type == overwriteRole && o.ID == g.id:
			p = p&^o.Deny | o.Allow
		case o.Type == overwriteRole && m.has(o.ID):
			allow, deny = allow|o.Allow, deny|o.Deny
		case o.Type == overwriteMember && o.ID == m.id:
			allowMember, denyMember = o.Allow, o.Deny
		}
	}
	p = p&^deny | allow
	p = p&^denyMember | allowMember
	if !p.Has(ViewChannel) {
		return 0
	}
	return p
}

// actor is whoever changes something: a bot through REST, or a person through the control port.
type actor struct {
	id       snowflake.ID
	app      *application // nil for people
	reason   string       // decoded audit-log reason
	noEffect bool         // fault ok_without_effect: judge the call, answer well, change nothing
}

// may refuses unless the actor is a member of the guild with the permission, and the second factor where the guild demands one.
func (g *guild) may(a actor, want Permissions) (*member, error) {
	m := g.members.by[a.id]
	if m == nil {
		return nil, missingAccess()
	}
	if !g.permissions(m).Has(want) {
		return nil, missingPermissions()
	}
	if a.app != nil && g.twoFactor && !a.app.ownerTwoFactor && want&starred != 0 {
		return nil, &APIError{Status: 403, Code: 60003, Message: "Two factor is required for this operation"}
	}
	return m, nil
}

// reaches tells whether the member's highest role is above the role; the owner stands above all.
func (g *guild) reaches(m *member, r *Role) bool { return m.id == g.owner || above(g.top(m), r) }

// outranks tells whether m may kick, ban or rename target: nobody reaches the owner, and nobody but the owner an equal.
func (g *guild) outranks(m, target *member) bool {
	if target.id == g.owner || target.id == m.id {
		return false
	}
	return g.reaches(m, g.top(target))
}
