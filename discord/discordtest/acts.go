package discordtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

// The methods of this file are the control port for tests in Go. They act as people and as the world; what they do causes the events and
// audit-log entries that Discord would cause. Errors are *APIError.

// Member is what a test wants to know of a member.
type Member struct {
	ID       snowflake.ID
	Username string
	Nick     string
	Bot      bool
	Pending  bool
	Roles    []snowflake.ID // ascending
	Joined   time.Time      // zero: unknown
}

func (m *member) plain() Member {
	v := Member{ID: m.id, Username: m.name, Nick: m.nick, Bot: m.bot, Pending: m.pending, Roles: slices.Clone(m.roles)}
	if m.joined != 0 {
		v.Joined = microTime(m.joined)
	}
	return v
}

// at runs f with the guild and the lock.
func (s *Server) at(id snowflake.ID, f func(*guild) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.guilds[id]
	if g == nil {
		return unknownGuild()
	}
	return f(g)
}

// GuildIDs is every guild, ascending.
func (s *Server) GuildIDs() []snowflake.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guildIDs()
}

// Member is one member as it is now.
func (s *Server) Member(in, user snowflake.ID) (Member, error) {
	var out Member
	err := s.at(in, func(g *guild) error {
		m := g.members.by[user]
		if m == nil {
			return unknownMember()
		}
		out = m.plain()
		return nil
	})
	return out, err
}

// Members is every member, ascending by id.
func (s *Server) Members(in snowflake.ID) ([]Member, error) {
	var out []Member
	err := s.at(in, func(g *guild) error {
		for _, m := range g.members.order {
			out = append(out, m.plain())
		}
		return nil
	})
	return out, err
}

// Roles is every role, ascending by position.
func (s *Server) Roles(in snowflake.ID) ([]Role, error) {
	var out []Role
	err := s.at(in, func(g *guild) error {
		for _, r := range g.sortedRoles() {
			out = append(out, *r)
		}
		return nil
	})
	return out, err
}

// AuditLog is every entry, newest first, as Discord's objects.
func (s *Server) AuditLog(in snowflake.ID) ([]json.RawMessage, error) {
	var out []json.RawMessage
	err := s.at(in, func(g *guild) error {
		for _, e := range slices.Backward(g.audit) {
			out = append(out, encode(e))
		}
		return nil
	})
	return out, err
}

// Arrival is who joins.
type Arrival struct {
	ID       snowflake.ID
	Username string
	Bot      bool
	Roles    []snowflake.ID
	Pending  bool
}

// Join lets somebody in; who left may come back with the same id.
func (s *Server) Join(in snowflake.ID, a Arrival) error {
	return s.at(in, func(g *guild) error {
		if a.ID == 0 {
			a.ID = s.newID()
		}
		_, err := s.join(g, s.account(a), a.Roles, a.Pending)
		return err
	})
}

// account is the account of an arrival, with the name that it gives now. mu is held.
func (s *Server) account(a Arrival) *user {
	u := s.users[a.ID]
	if u == nil {
		u = &user{id: a.ID, name: "user" + a.ID.String(), bot: a.Bot}
		s.users[a.ID] = u
	}
	if a.Username != "" {
		u.name = a.Username
	}
	return u
}

// Leave lets a member go by himself.
func (s *Server) Leave(in, user snowflake.ID) error {
	return s.at(in, func(g *guild) error {
		m := g.members.by[user]
		switch {
		case m == nil:
			return unknownMember()
		case user == g.owner:
			return forbidden("the owner cannot leave the guild")
		}
		s.leave(g, m, nil)
		return nil
	})
}

// by is a person or bot that acts; 0 is the owner.
func (g *guild) by(id snowflake.ID) actor {
	if id == 0 {
		id = g.owner
	}
	return actor{id: id}
}

// GiveRole gives a role by the hand of an actor; 0 is the owner.
func (s *Server) GiveRole(in, user, role, by snowflake.ID) error {
	return s.at(in, func(g *guild) error { return s.changeRole(g, g.by(by), user, role, true) })
}

// TakeRole takes a role by the hand of an actor; 0 is the owner.
func (s *Server) TakeRole(in, user, role, by snowflake.ID) error {
	return s.at(in, func(g *guild) error { return s.changeRole(g, g.by(by), user, role, false) })
}

// TakeOnboarding gives a role as onboarding does: by the member's own act, whatever the hierarchy says.
func (s *Server) TakeOnboarding(in, user, role snowflake.ID) error {
	return s.at(in, func(g *guild) error {
		m := g.members.by[user]
		if m == nil {
			return unknownMember()
		}
		if g.roles[role] == nil {
			return unknownRole()
		}
		s.applyRoles(g, actor{id: user}, m, g.members.with(m.roles, role))
		return nil
	})
}

// FinishScreening ends a member's pending state.
func (s *Server) FinishScreening(in, user snowflake.ID) error {
	return s.at(in, func(g *guild) error {
		m := g.members.by[user]
		if m == nil {
			return unknownMember()
		}
		m.pending = false
		s.emit(s.memberUpdate(g, m))
		return nil
	})
}

// RoleEdit is what a person sets on a role; nil leaves as it is.
type RoleEdit = roleEdit

// CreateRole makes a role.
func (s *Server) CreateRole(in, by snowflake.ID, edit RoleEdit) (Role, error) {
	var out Role
	err := s.at(in, func(g *guild) error {
		r, err := s.createRole(g, g.by(by), edit)
		if err == nil {
			out = *r
		}
		return err
	})
	return out, err
}

// EditRole renames, moves or changes a role.
func (s *Server) EditRole(in, role, by snowflake.ID, edit RoleEdit) (Role, error) {
	var out Role
	err := s.at(in, func(g *guild) error {
		r, err := s.editRole(g, g.by(by), role, edit)
		if err == nil {
			out = *r
		}
		return err
	})
	return out, err
}

// DeleteRole deletes a role.
func (s *Server) DeleteRole(in, role, by snowflake.ID) error {
	return s.at(in, func(g *guild) error { return s.deleteRole(g, g.by(by), role) })
}

// Ban shuts somebody out by the owner's hand.
func (s *Server) Ban(in, user snowflake.ID) error {
	return s.at(in, func(g *guild) error { return s.banUser(g, g.by(0), user) })
}

// Banned tells whether somebody is shut out.
func (s *Server) Banned(in, user snowflake.ID) (bool, error) {
	is := false
	err := s.at(in, func(g *guild) error {
		is = g.bans[user] != nil
		return nil
	})
	return is, err
}

// AddChannel makes a text channel.
func (s *Server) AddChannel(in snowflake.ID, name string, overwrites ...Overwrite) (snowflake.ID, error) {
	var id snowflake.ID
	err := s.at(in, func(g *guild) error {
		ch, err := s.addChannel(g, g.by(0), Channel{Name: name, Overwrites: overwrites})
		if err == nil {
			id = ch.ID
		}
		return err
	})
	return id, err
}

// AddWebhook makes a webhook in a channel; 0 is the first text channel.
func (s *Server) AddWebhook(in, channel snowflake.ID, name string) (Webhook, error) {
	var out Webhook
	err := s.at(in, func(g *guild) error {
		w, err := s.webhookIn(g, channel, name)
		if err == nil {
			out = Webhook{ID: w.id, ChannelID: w.channel.ID, URL: s.webhookURL(w)}
		}
		return err
	})
	return out, err
}

func (s *Server) webhookIn(g *guild, channel snowflake.ID, name string) (*webhook, error) {
	ch := g.firstText()
	if channel != 0 {
		ch = g.channel(channel)
	}
	if ch == nil {
		return nil, unknownChannel()
	}
	if name == "" {
		name = "webhook"
	}
	return s.addWebhook(ch, g.by(0), name), nil
}

// SetDown starts or ends an outage of a guild.
func (s *Server) SetDown(in snowflake.ID, down bool) error {
	return s.at(in, func(g *guild) error {
		s.setDown(g, down)
		return nil
	})
}

// RequireTwoFactor makes a guild demand a second factor for starred permissions, and says whether the owner of the bots has one.
func (s *Server) RequireTwoFactor(in snowflake.ID, on, botOwnersHaveIt bool) error {
	return s.at(in, func(g *guild) error {
		g.twoFactor = on
		for _, a := range s.apps {
			a.ownerTwoFactor = botOwnersHaveIt
		}
		return nil
	})
}

// AllowIntents switches privileged intents of a bot on; the others are off.
func (s *Server) AllowIntents(bot snowflake.ID, intents Intents) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[bot]
	if a == nil {
		return unknownUser()
	}
	a.intents = intents & privileged
	return nil
}

// CloseConnection closes a socket with a code, or cuts it if the code is 0; then the session can be resumed. From now on the bot misses everything.
func (s *Server) CloseConnection(id, code int) error {
	if code != 0 && !sendable(code) {
		return badRequest(0, fmt.Sprintf("code %d cannot be sent: want 1000 or 3000 to 4999", code))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[id]
	switch {
	case c == nil, c.closing:
		return &APIError{Status: 404, Message: fmt.Sprintf("no connection %d", id)}
	case code == 0:
		c.cut()
	default:
		s.shut(c, code, "Closed by the control port.")
	}
	c.closing = true
	if c.session != nil {
		s.unbind(c.session)
	}
	return nil
}

// sendable tells whether a close frame may carry the code (RFC 6455 7.4).
func sendable(code int) bool {
	switch code {
	case 1004, 1005, 1006:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// Advance moves a manual clock forward.
func (s *Server) Advance(d time.Duration) error {
	c, is := s.clock.(*ManualClock)
	if !is {
		return problem.Usagef("the clock is the real one; start with a manual clock to move it")
	}
	if d <= 0 {
		return problem.Usagef("advance: want a duration above 0, such as 15m")
	}
	c.Advance(d)
	return nil
}

// InvalidRequests is how many answers of 401, 403 and 429 count toward the block of an address in its running 10 minutes.
func (s *Server) InvalidRequests(address string) int {
	return s.limiter.invalidIn(s.clock.Now(), address)
}
