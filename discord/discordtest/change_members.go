package discordtest

import (
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
)

// The functions of this file change members. They are the one place for it, whether a bot or a person asks; mu is held in all of them.

func (s *Server) memberUpdate(g *guild, m *member) event {
	return event{name: "GUILD_MEMBER_UPDATE", guild: g, intent: IntentMembers, about: m.id, data: func() []byte { return appendMemberEvent(nil, g, m) }}
}

// roleForMembers is the role if a hand may give or take it, and the actor stands above it.
func (g *guild) roleForMembers(by *member, id snowflake.ID) error {
	r := g.roles[id]
	switch {
	case r == nil:
		return unknownRole()
	case id == g.id:
		return invalidRole()
	case r.Managed, !g.reaches(by, r):
		return missingPermissions()
	}
	return nil
}

// changeRole gives or takes one role. What is so already changes nothing and tells nobody.
func (s *Server) changeRole(g *guild, a actor, target, role snowflake.ID, give bool) error {
	by, err := g.may(a, ManageRoles)
	if err != nil {
		return err
	}
	m := g.members.by[target]
	if m == nil {
		return unknownMember()
	}
	if err := g.roleForMembers(by, role); err != nil {
		return err
	}
	if m.has(role) == give || a.noEffect {
		return nil
	}
	if give {
		s.applyRoles(g, a, m, g.members.with(m.roles, role))
	} else {
		s.applyRoles(g, a, m, g.members.without(m.roles, role))
	}
	return nil
}

// setRoles replaces the whole set, as PATCH does. Only what differs is judged; a managed role that is left out counts as taken.
// Ids of roles that the member holds although they were deleted may stay or go; other unknown ids are refused.
func (s *Server) setRoles(g *guild, a actor, m *member, want []snowflake.ID) error {
	by, err := g.may(a, ManageRoles)
	if err != nil {
		return err
	}
	next := g.members.without(want, g.id)
	for _, id := range next {
		if g.roles[id] == nil && !m.has(id) {
			return badRequest(10011, "Unknown Role")
		}
	}
	for _, id := range append(minus(next, m.roles), minus(m.roles, next)...) {
		if g.roles[id] == nil {
			continue
		}
		if err := g.roleForMembers(by, id); err != nil {
			return err
		}
	}
	if !a.noEffect {
		s.applyRoles(g, a, m, next)
	}
	return nil
}

// applyRoles writes a shared set and says what changed.
func (s *Server) applyRoles(g *guild, a actor, m *member, next []snowflake.ID) {
	given, taken := minus(next, m.roles), minus(m.roles, next)
	if len(given)+len(taken) == 0 {
		return
	}
	m.roles = next
	var changes []auditChange
	if len(given) > 0 {
		changes = append(changes, auditChange{Key: "$add", New: g.partialRoles(given)})
	}
	if len(taken) > 0 {
		changes = append(changes, auditChange{Key: "$remove", New: g.partialRoles(taken)})
	}
	s.publish(g, entry(a, m.id, auditMemberRoleUpdate, changes...), s.memberUpdate(g, m))
}

// memberEdit is the part of PATCH member besides the roles; nil leaves as it is.
type memberEdit struct {
	nick    *string
	timeout *int64 // Unix microseconds; 0 ends it
	flags   *uint32
}

func (s *Server) editMember(g *guild, a actor, m *member, edit memberEdit) error {
	var changes []auditChange
	next := *m
	if edit.nick != nil {
		if err := g.mayRename(a, m, *edit.nick); err != nil {
			return err
		}
		changes = append(changes, auditChange{Key: "nick", New: *edit.nick, Old: m.nick})
		next.nick = *edit.nick
	}
	if edit.timeout != nil {
		by, err := g.may(a, ModerateMembers)
		if err != nil {
			return err
		}
		if !g.outranks(by, m) || g.permissions(m).Has(Administrator) {
			return missingPermissions()
		}
		changes = append(changes, auditChange{Key: "communication_disabled_until", New: *edit.timeout})
		next.timeout = *edit.timeout
	}
	if edit.flags != nil {
		if _, err := g.may(a, ManageGuild); err != nil {
			return err
		}
		const bypassesVerification = 4 // the only flag that can be edited
		next.flags = m.flags&^bypassesVerification | *edit.flags&bypassesVerification
		changes = append(changes, auditChange{Key: "flags", New: next.flags, Old: m.flags})
	}
	if len(changes) == 0 || a.noEffect {
		return nil
	}
	*m = next
	s.publish(g, entry(a, m.id, auditMemberUpdate, changes...), s.memberUpdate(g, m))
	return nil
}

func (g *guild) mayRename(a actor, m *member, nick string) error {
	if utf8.RuneCountInString(nick) > 32 {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be 32 or fewer in length.", "nick")
	}
	if a.id == m.id {
		_, err := g.may(a, ChangeNickname)
		return err
	}
	by, err := g.may(a, ManageNicknames)
	if err == nil && !g.outranks(by, m) {
		err = missingPermissions()
	}
	return err
}

// join takes an account in. Who left may come back; who is banned may not.
func (s *Server) join(g *guild, u *user, roles []snowflake.ID, pending bool) (*member, error) {
	return s.joinBy(g, actor{id: g.owner}, u, roles, pending)
}

// joinBy is join, with who lets a bot in.
func (s *Server) joinBy(g *guild, by actor, u *user, roles []snowflake.ID, pending bool) (*member, error) {
	if g.members.by[u.id] != nil {
		return nil, badRequest(0, "The user is a member already")
	}
	if g.bans[u.id] != nil {
		return nil, &APIError{Status: 403, Code: 40007, Message: "The user is banned from this guild."}
	}
	for _, id := range roles {
		if g.roles[id] == nil {
			return nil, unknownRole()
		}
	}
	m := &member{user: u, roles: g.members.set(roles), joined: s.clock.Now().UnixMicro(), pending: pending && !u.bot}
	if g.left[u.id] {
		m.flags = 1 // DID_REJOIN
	}
	g.members.add(m)
	added := event{name: "GUILD_MEMBER_ADD", guild: g, intent: IntentMembers, data: func() []byte { return appendMemberEvent(nil, g, m) }}
	if !u.bot {
		s.emit(added)
		return m, nil
	}
	s.publish(g, entry(by, u.id, auditBotAdd), added)
	if app := s.apps[u.id]; app != nil {
		s.emit(event{name: "GUILD_CREATE", guild: g, app: app, data: func() []byte { return s.guildCreate(g, m, false) }})
	}
	return m, nil
}

// leave lets a member go, by whichever way. The managed role of a bot goes with it.
func (s *Server) leave(g *guild, m *member, e *auditEntry, more ...event) {
	var app *application
	if m.bot {
		app = s.apps[m.id]
	}
	g.members.remove(m)
	g.left[m.id] = true
	left := event{name: "GUILD_MEMBER_REMOVE", guild: g, intent: IntentMembers, data: func() []byte {
		return encode(object{"guild_id": g.id, "user": userObject(m.user)})
	}}
	if e == nil {
		s.emit(left)
	} else {
		s.publish(g, e, append(more, left)...)
	}
	if app == nil {
		return
	}
	s.emit(event{name: "GUILD_DELETE", guild: g, app: app, outside: true, data: func() []byte { return encode(object{"id": g.id}) }})
	for _, r := range g.sortedRoles() {
		if botOf(r) == m.id {
			s.dropRole(g, actor{id: g.owner}, r)
		}
	}
}

// kick removes a member from the guild; the owner and those above the actor stay.
func (s *Server) kick(g *guild, a actor, target snowflake.ID) error {
	by, err := g.may(a, KickMembers)
	if err != nil {
		return err
	}
	m := g.members.by[target]
	switch {
	case m == nil:
		return unknownMember()
	case !g.outranks(by, m):
		return missingPermissions()
	case !a.noEffect:
		s.leave(g, m, entry(a, m.id, auditMemberKick))
	}
	return nil
}

// strangersLimit is how many people who are not members can be banned before Discord answers 30035 (discord-api-docs#5002).
const strangersLimit = 2000

// banUser shuts an account out, member or not.
func (s *Server) banUser(g *guild, a actor, target snowflake.ID) error {
	by, err := g.may(a, BanMembers)
	if err != nil {
		return err
	}
	m := g.members.by[target]
	if m != nil && !g.outranks(by, m) {
		return missingPermissions()
	}
	if g.bans[target] != nil || a.noEffect {
		return nil
	}
	if m == nil {
		if g.strangers >= strangersLimit {
			return badRequest(30035, "Maximum number of bans for non-guild members has been exceeded")
		}
		g.strangers++
	}
	u := s.userOrNew(target)
	g.bans[target] = &ban{user: u, reason: a.reason}
	banned := s.banEvent("GUILD_BAN_ADD", g, u)
	if m != nil {
		s.leave(g, m, entry(a, target, auditMemberBanAdd), banned)
		return nil
	}
	s.publish(g, entry(a, target, auditMemberBanAdd), banned)
	return nil
}

func (s *Server) banEvent(name string, g *guild, u *user) event {
	return event{name: name, guild: g, intent: IntentModeration, perm: BanMembers, data: func() []byte {
		return encode(object{"guild_id": g.id, "user": userObject(u)})
	}}
}

// unban lets an account in again.
func (s *Server) unban(g *guild, a actor, target snowflake.ID) error {
	if _, err := g.may(a, BanMembers); err != nil {
		return err
	}
	b := g.bans[target]
	if b == nil {
		return unknownBan()
	}
	if a.noEffect {
		return nil
	}
	delete(g.bans, target)
	s.publish(g, entry(a, target, auditMemberBanRemove), s.banEvent("GUILD_BAN_REMOVE", g, b.user))
	return nil
}

// userOrNew is the account; ids that nobody has heard of are taken to exist.
func (s *Server) userOrNew(id snowflake.ID) *user {
	u := s.users[id]
	if u == nil {
		u = &user{id: id, name: "user" + id.String()}
		s.users[id] = u
	}
	return u
}

// timedOut tells whether the member may not speak now.
func (m *member) timedOut(now time.Time) bool { return m.timeout > now.UnixMicro() }
