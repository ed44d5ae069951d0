package discordtest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
)

// The functions of this file change roles; mu is held in all of them.

const (
	maxRoles          = 250 // roles of a guild, @everyone included
	roleCreatesLimit  = 250 // creations in roleCreatesWindow
	roleCreatesWindow = 50 * time.Hour
	maxRoleName       = 100
)

// roleEdit is what POST and PATCH of a role may set; nil leaves as it is.
type roleEdit struct {
	Name        *string      `json:"name"`
	Permissions *Permissions `json:"permissions"`
	Color       *int         `json:"color"`
	Colors      *RoleColors  `json:"colors"` // instead of Color, as newer libraries send it
	Hoist       *bool        `json:"hoist"`
	Mentionable *bool        `json:"mentionable"`
	Position    *int         `json:"position"` // control port only: Discord moves roles by the list
}

func (e roleEdit) check() error {
	if e.Name == nil {
		return nil
	}
	*e.Name = strings.TrimSpace(*e.Name)
	if n := utf8.RuneCountInString(*e.Name); n < 1 || n > maxRoleName {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "name")
	}
	return nil
}

// apply writes the edit into the role and tells what changed.
func (e roleEdit) apply(r *Role) []auditChange {
	var changes []auditChange
	if e.Name != nil && *e.Name != r.Name {
		changes = append(changes, auditChange{Key: "name", New: *e.Name, Old: r.Name})
		r.Name = *e.Name
	}
	if e.Permissions != nil && *e.Permissions != r.Permissions {
		changes = append(changes, auditChange{Key: "permissions", New: *e.Permissions, Old: r.Permissions})
		r.Permissions = *e.Permissions
	}
	colors := r.Colors
	if e.Color != nil {
		colors.Primary = *e.Color
	}
	if e.Colors != nil {
		colors = *e.Colors
	}
	if colors.Primary != r.Color {
		changes = append(changes, auditChange{Key: "color", New: colors.Primary, Old: r.Color})
	}
	r.Color, r.Colors = colors.Primary, colors
	if e.Hoist != nil && *e.Hoist != r.Hoist {
		changes = append(changes, auditChange{Key: "hoist", New: *e.Hoist, Old: r.Hoist})
		r.Hoist = *e.Hoist
	}
	if e.Mentionable != nil && *e.Mentionable != r.Mentionable {
		changes = append(changes, auditChange{Key: "mentionable", New: *e.Mentionable, Old: r.Mentionable})
		r.Mentionable = *e.Mentionable
	}
	return changes
}

func (s *Server) roleEvent(name string, g *guild, r *Role) event {
	return event{name: name, guild: g, intent: IntentGuilds, data: func() []byte { return encode(object{"guild_id": g.id, "role": r}) }}
}

// mayGrant refuses permissions that the actor does not have: nobody can hand out more than he holds.
func (g *guild) mayGrant(by *member, p *Permissions) error {
	if p != nil && !g.permissions(by).Has(*p) {
		return missingPermissions()
	}
	return nil
}

// createRole makes a role at the bottom, just above @everyone.
func (s *Server) createRole(g *guild, a actor, edit roleEdit) (*Role, error) {
	by, err := g.may(a, ManageRoles)
	if err != nil {
		return nil, err
	}
	if err := edit.check(); err != nil {
		return nil, err
	}
	if err := g.mayGrant(by, edit.Permissions); err != nil {
		return nil, err
	}
	if len(g.roles) >= maxRoles {
		return nil, badRequest(30005, "Maximum number of guild roles reached (250)")
	}
	r := &Role{ID: s.newID(), Name: "new role", Permissions: g.roles[g.id].Permissions, Position: 1}
	changes := edit.apply(r)
	g.roles[r.ID] = r
	next, err := g.arrange(by, []rolePlace{{r.ID, edit.Position}})
	if err != nil {
		delete(g.roles, r.ID)
		return nil, err
	}
	s.publish(g, entry(a, r.ID, auditRoleCreate, changes...), s.roleEvent("GUILD_ROLE_CREATE", g, r))
	s.settleRoles(g, a, next)
	return r, nil
}

// editRole renames a role or changes what it may do.
func (s *Server) editRole(g *guild, a actor, id snowflake.ID, edit roleEdit) (*Role, error) {
	by, err := g.may(a, ManageRoles)
	if err != nil {
		return nil, err
	}
	r := g.roles[id]
	if r == nil {
		return nil, unknownRole()
	}
	if err := edit.check(); err != nil {
		return nil, err
	}
	if !g.reaches(by, r) {
		return nil, missingPermissions()
	}
	if edit.Permissions != nil { // what the role has already may stay in it
		added := *edit.Permissions &^ r.Permissions
		if err := g.mayGrant(by, &added); err != nil {
			return nil, err
		}
	}
	next, err := g.arrange(by, []rolePlace{{id, edit.Position}})
	if err != nil || a.noEffect {
		return r, err
	}
	if changes := edit.apply(r); len(changes) > 0 {
		s.publish(g, entry(a, r.ID, auditRoleUpdate, changes...), s.roleEvent("GUILD_ROLE_UPDATE", g, r))
	}
	s.settleRoles(g, a, next)
	return r, nil
}

// rolePlace is one line of PATCH roles.
type rolePlace struct {
	ID       snowflake.ID
	Position *int
}

// moveRoles puts roles at positions.
func (s *Server) moveRoles(g *guild, a actor, places []rolePlace) error {
	by, err := g.may(a, ManageRoles)
	if err != nil {
		return err
	}
	next, err := g.arrange(by, places)
	if err == nil && !a.noEffect {
		s.settleRoles(g, a, next)
	}
	return err
}

// arrange is where every role would stand. One role alone pushes those between aside, so that their order stays; a list is taken as it is. discord.js
// sends every role of the guild for each move, @everyone and those above itself too: what counts is whether their order stays.
func (g *guild) arrange(by *member, places []rolePlace) (map[*Role]int, error) {
	next := make(map[*Role]int, len(g.roles))
	for _, r := range g.roles {
		next[r] = r.Position
	}
	for _, p := range places {
		r := g.roles[p.ID]
		switch {
		case r == nil:
			return nil, unknownRole()
		case p.Position == nil:
		case (p.ID == g.id) != (*p.Position == 0) || *p.Position < 0:
			return nil, invalidForm("NUMBER_TYPE_MIN", "int value should be greater than or equal to 1.", "position")
		case len(places) == 1:
			shift(next, r, *p.Position)
		default:
			next[r] = *p.Position
		}
	}
	if !g.mayMove(by, next) {
		return nil, missingPermissions()
	}
	return next, nil
}

// settleRoles puts every role where it shall stand, and tells of those that moved.
func (s *Server) settleRoles(g *guild, a actor, next map[*Role]int) {
	old := make(map[*Role]int, len(g.roles))
	for r, position := range next {
		old[r], r.Position = r.Position, position
	}
	for _, r := range g.sortedRoles() {
		if r.Position == old[r] {
			continue
		}
		change := auditChange{Key: "position", New: r.Position, Old: old[r]}
		s.publish(g, entry(a, r.ID, auditRoleUpdate, change), s.roleEvent("GUILD_ROLE_UPDATE", g, r))
	}
}

// mayMove tells whether the roles that by does not reach keep their order above all that it does reach.
func (g *guild) mayMove(by *member, next map[*Role]int) bool {
	before := g.sortedRoles()
	after := slices.SortedFunc(maps.Keys(next), func(a, b *Role) int { return cmp.Or(cmp.Compare(next[a], next[b]), cmp.Compare(b.ID, a.ID)) })
	for i, r := range slices.Backward(before) {
		if g.reaches(by, r) {
			return true
		}
		if after[i] != r {
			return false
		}
	}
	return true
}

// shift moves one role; those between give way by one.
func shift(next map[*Role]int, r *Role, to int) {
	from := next[r]
	for o, at := range next {
		switch {
		case o == r || at == 0:
		case from < at && at <= to:
			next[o]--
		case to <= at && at < from:
			next[o]++
		}
	}
	next[r] = to
}

// deleteRole removes a role from the guild and from everyone.
func (s *Server) deleteRole(g *guild, a actor, id snowflake.ID) error {
	by, err := g.may(a, ManageRoles)
	if err != nil {
		return err
	}
	r := g.roles[id]
	switch {
	case r == nil:
		return unknownRole()
	case r.Managed, id == g.id:
		return invalidRole()
	case !g.reaches(by, r):
		return missingPermissions()
	case !a.noEffect:
		s.dropRole(g, a, r)
	}
	return nil
}

// dropRole takes the role out of the world. Its holders hear of it by member updates, unless a fault keeps them silent or lets the id linger.
func (s *Server) dropRole(g *guild, a actor, r *Role) {
	delete(g.roles, r.ID)
	g.ghost = r.ID
	for _, c := range g.channels {
		c.Overwrites = slices.DeleteFunc(c.Overwrites, func(o Overwrite) bool { return o.ID == r.ID })
	}
	lingers := s.fires(FaultDeletedRoleInMember, site{event: "GUILD_ROLE_DELETE"})
	silent := s.fires(FaultRoleDeleteSilent, site{event: "GUILD_ROLE_DELETE"})
	var holders []*member
	if !lingers {
		for _, m := range g.members.order {
			if m.has(r.ID) {
				m.roles = g.members.without(m.roles, r.ID)
				holders = append(holders, m)
			}
		}
	}
	gone := event{name: "GUILD_ROLE_DELETE", guild: g, intent: IntentGuilds, data: func() []byte {
		return encode(object{"guild_id": g.id, "role_id": r.ID})
	}}
	s.publish(g, entry(a, r.ID, auditRoleDelete, auditChange{Key: "name", Old: r.Name}), gone)
	if silent {
		return
	}
	for _, m := range holders {
		s.emit(s.memberUpdate(g, m))
	}
}

// botOf is the bot that a managed role belongs to; 0 if none.
func botOf(r *Role) snowflake.ID {
	var tags struct {
		Bot LooseID `json:"bot_id"`
	}
	if len(r.Tags) == 0 || json.Unmarshal(r.Tags, &tags) != nil {
		return 0
	}
	return snowflake.ID(tags.Bot)
}
