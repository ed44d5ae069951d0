package discordtest

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

// The ids of what a world does not name.
const (
	defaultGuild   snowflake.ID = 900000000000000001
	defaultOwner   snowflake.ID = 41
	defaultBot     snowflake.ID = 42
	defaultAuthBot snowflake.ID = 43
	defaultChannel snowflake.ID = 7
)

// The names of the two bots that every world has.
const (
	BotGatecamp = "gatecamp"
	BotAuth     = "auth"
)

// build makes the guild of a world, with what the world leaves out: owner, bots with their roles, a channel with a webhook.
func (s *Server) build(w *World) error {
	g := &guild{
		id: w.GuildID(), name: w.guild.Name, locale: w.guild.Locale, created: s.clock.Now(), roles: map[snowflake.ID]*Role{}, left: map[snowflake.ID]bool{},
		bans: map[snowflake.ID]*ban{}, members: newMemberTable(len(w.members) + w.crowdSize()),
	}
	if g.name == "" {
		g.name = "gatecamp test guild"
	}
	if g.locale == "" {
		g.locale = "en-US"
	}
	g.onboarding = onboarding{GuildID: g.id, Prompts: []json.RawMessage{}, Channels: []string{}}
	if s.guilds[g.id] != nil {
		return problem.Usagef("world %s: there is a guild %d already; give each world's guild an id of its own", w.Name, g.id)
	}
	s.guilds[g.id] = g
	s.guildOrder = append(s.guildOrder, g)
	slices.SortFunc(s.guildOrder, func(a, b *guild) int { return cmp.Compare(a.id, b.id) })
	lift := g.addRoles(w.roles)
	for i := range w.members {
		s.settle(g, &w.members[i])
	}
	g.owner = snowflake.ID(w.guild.Owner)
	if g.owner == 0 {
		g.owner = s.freeID(defaultOwner)
	}
	if g.members.by[g.owner] == nil {
		s.seat(g, &user{id: g.owner, name: "owner"})
	}
	top := 0
	for _, r := range g.roles {
		top = max(top, r.Position)
	}
	first, second := top+2, top+1
	if p := w.guild.BotPosition; p != nil {
		first, second = *p+lift, *p+lift
	}
	s.addBot(g, w, BotGatecamp, snowflake.ID(w.guild.Bot), defaultBot, first)
	s.addBot(g, w, BotAuth, 0, defaultAuthBot, second)
	s.addChannels(g, w.channels)
	for _, c := range w.crowd {
		auth, err := s.populate(g, c, w.Auth)
		if err != nil {
			return err
		}
		w.Auth = auth
	}
	w.crowd = nil
	return nil
}

func (w *World) crowdSize() int {
	n := 0
	for _, c := range w.crowd {
		n += c.Members
	}
	return n
}

// addRoles makes the roles, and @everyone if it is left out. Ordinary roles stand above @everyone: if one has position 0, all are lifted by one.
func (g *guild) addRoles(specs []roleSpec) (lift int) {
	if slices.ContainsFunc(specs, func(r roleSpec) bool { return snowflake.ID(r.ID) != g.id && r.Position < 1 }) {
		lift = 1
	}
	g.roles[g.id] = &Role{ID: g.id, Name: "@everyone", Permissions: everyonePermissions}
	for _, r := range specs {
		id := snowflake.ID(r.ID)
		role := &Role{
			ID: id, Name: r.Name, Managed: r.Managed, Position: max(r.Position, 0) + lift, Color: r.Color, Colors: RoleColors{Primary: r.Color}, Hoist: r.Hoist, Mentionable: r.Mentionable, Tags: r.Tags,
		}
		if id == g.id {
			role.Position, role.Permissions = 0, everyonePermissions
		}
		if r.Permissions != nil {
			role.Permissions = *r.Permissions
		}
		g.roles[id] = role
	}
	return lift
}

// settle takes a member of the world in.
func (s *Server) settle(g *guild, spec *memberSpec) {
	u := s.users[snowflake.ID(spec.User.ID)] // of an earlier world: one account in two guilds
	if u == nil {
		u = &user{id: snowflake.ID(spec.User.ID), name: spec.User.Username, bot: spec.User.Bot}
	}
	if spec.User.Global != nil {
		u.global = *spec.User.Global
	}
	m := &member{user: u, roles: g.members.set(plainIDs(spec.Roles)), pending: spec.Pending, flags: spec.Flags}
	if spec.Nick != nil {
		m.nick = *spec.Nick
	}
	m.joined, m.boosts, m.timeout = micros(spec.Joined), micros(spec.Boosts), micros(spec.Timeout)
	s.users[u.id] = u
	g.members.add(m)
}

func micros(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}

// seat makes an account a member of old standing.
func (s *Server) seat(g *guild, u *user, roles ...snowflake.ID) *member {
	m := &member{user: u, roles: g.members.set(roles), joined: s.clock.Now().Add(-365 * 24 * time.Hour).UnixMicro()}
	s.users[u.id] = u
	g.members.add(m)
	return m
}

// freeID is the id, or the next one that no account has.
func (s *Server) freeID(id snowflake.ID) snowflake.ID {
	for s.users[id] != nil {
		id++
	}
	return id
}

// addBot makes an application and sees that its bot is in the guild with a managed role that carries its permissions.
// A role that the world gives with permissions of its own stays as it is.
func (s *Server) addBot(g *guild, w *World, name string, id, preset snowflake.ID, position int) {
	app := s.appNamed(name)
	switch {
	case app != nil: // of an earlier world
		id = app.id
	case id == 0:
		id = s.freeID(preset)
	}
	m := g.members.by[id]
	switch {
	case m == nil && app != nil:
		m = s.seat(g, app.user)
	case m == nil:
		m = s.seat(g, &user{id: id, name: name, bot: true})
	}
	m.bot = true
	if app == nil {
		app = &application{
			id: id, name: name, token: botToken(id, name), user: m.user, intents: IntentMembers | IntentContent, ownerTwoFactor: true,
			guildCommands: map[snowflake.ID][]*command{}, creates: map[snowflake.ID]*window{}, identified: map[int]time.Time{}, askedAll: map[snowflake.ID]time.Time{},
		}
		s.apps[id], s.tokens[app.token] = app, app
	}
	for _, r := range g.sortedRoles() {
		if !r.Managed || !m.has(r.ID) && botOf(r) != id {
			continue
		}
		m.roles = g.members.with(m.roles, r.ID)
		if !w.hasPermissions(r.ID) {
			r.Permissions |= botPermissions
		}
		return
	}
	role := &Role{ID: s.freeRole(g, id), Name: name, Managed: true, Position: position, Permissions: botPermissions, Tags: json.RawMessage(`{"bot_id":"` + id.String() + `"}`)}
	g.roles[role.ID] = role
	m.roles = g.members.with(m.roles, role.ID)
}

// appNamed is the application of a bot that an earlier world made; nil if none did.
func (s *Server) appNamed(name string) *application {
	for _, app := range s.apps {
		if app.name == name {
			return app
		}
	}
	return nil
}

// hasPermissions tells whether the world file says what the role may do.
func (w *World) hasPermissions(id snowflake.ID) bool {
	return slices.ContainsFunc(w.roles, func(r roleSpec) bool { return snowflake.ID(r.ID) == id && r.Permissions != nil })
}

// freeRole is an id for a bot's role: as late as the guild's newest, so that it loses ties, and the second bot's after the first's.
func (s *Server) freeRole(g *guild, bot snowflake.ID) snowflake.ID {
	id := g.id + bot
	for other := range g.roles {
		id = max(id, other+1)
	}
	return id
}

// addChannels makes the channels; one text channel with one webhook is always there.
func (s *Server) addChannels(g *guild, specs []channelSpec) {
	hooks := 0
	for _, spec := range specs {
		ch := &Channel{
			ID: snowflake.ID(spec.ID), Type: spec.Type, GuildID: g.id, Name: spec.Name, Position: spec.Position, Topic: spec.Topic, Overwrites: []Overwrite{}, guild: g,
		}
		for _, o := range spec.Overwrites {
			ch.Overwrites = append(ch.Overwrites, Overwrite{ID: snowflake.ID(o.ID), Type: o.Type, Allow: o.Allow, Deny: o.Deny})
		}
		g.channels = append(g.channels, ch)
		for _, h := range spec.Webhooks {
			hooks++
			w := &webhook{id: snowflake.ID(h.ID), token: h.Token, name: h.Name, channel: ch, maker: g.owner}
			if w.id == 0 {
				w.id = snowflake.ID(hooks)
			}
			if w.token == "" {
				w.token = webhookToken()
			}
			s.webhooks[w.id] = w
		}
	}
	if g.firstText() == nil {
		id := defaultChannel
		if len(s.guilds) > 1 {
			id = s.newID()
		}
		g.channels = append(g.channels, &Channel{ID: id, Type: channelText, GuildID: g.id, Name: "general", Overwrites: []Overwrite{}, guild: g})
	}
	if hooks == 0 {
		id := snowflake.ID(1)
		for s.webhooks[id] != nil {
			id++
		}
		s.webhooks[id] = &webhook{id: id, token: webhookToken(), name: "audit", channel: g.firstText(), maker: g.owner}
	}
}
