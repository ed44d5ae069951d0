package discord

import (
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// watch sees every event first, on the goroutine that reads the socket: it keeps the mirror and says why to look again.
func (c *Client) watch(g gateway.Gateway, sequence int, t gateway.EventType, data gateway.EventData) {
	shard := g.ShardID()
	select {
	case <-c.shardQuit(shard): // another process has it, or will
		return
	default:
	}
	switch t {
	case gateway.EventTypeRaw: // comes before each event, also before those that disgo does not know
		c.number(shard, sequence, data)
		return
	case gateway.EventTypeHeartbeatAck:
		latency := g.Latency()
		c.onShard(shard, func(s *shardState) { s.stats.heard(t, latency) })
		c.stillAlive(shard, g)
		return
	}
	roles := c.keep(shard, data)
	c.tellIncident(data)
	if e, ok := translate(data, shard, time.Now()); ok && c.onEvent != nil {
		e.Roles = roles
		c.onEvent(e)
	}
}

// number counts an event, and notices those that never came: their numbers are missing.
func (c *Client) number(shard, sequence int, data gateway.EventData) {
	raw, ok := data.(gateway.EventRaw)
	if !ok {
		return
	}
	lost := 0
	c.onShard(shard, func(s *shardState) {
		last := s.session.Sequence
		s.session.Sequence = sequence
		s.stats.heard(raw.EventType, 0)
		// Ready begins a new count; a repetition is harmless.
		if raw.EventType != gateway.EventTypeReady && last > 0 && sequence > last+1 {
			lost = sequence - last - 1
			s.stats.Lost += uint64(lost)
		}
	})
	if lost == 0 {
		return
	}
	c.log.Warn("gateway events were lost", "shard", shard, "events", lost)
	c.doubtAll(shard)
	if c.onEvent != nil {
		c.onEvent(audit.Event{Scope: audit.WholeGuild, Why: audit.SessionNew, Seen: time.Now(), Shard: shard})
	}
}

// keep brings the mirrors in line with an event, and says whether a member holds other roles than were known.
func (c *Client) keep(shard int, data gateway.EventData) (roles bool) {
	switch p := data.(type) {
	case gateway.EventGuildMemberAdd:
		c.withMirror(p.GuildID, func(m *mirror) { roles = m.put(&p.Member, true) })
	case gateway.EventGuildMemberUpdate:
		c.withMirror(p.GuildID, func(m *mirror) { roles = m.put(&p.Member, false) })
	case gateway.EventGuildMemberRemove:
		c.withMirror(p.GuildID, func(m *mirror) { m.drop(p.User.ID) })
	case gateway.EventGuildRoleCreate:
		c.withMirror(p.GuildID, func(m *mirror) { m.putRole(p.Role) })
	case gateway.EventGuildRoleUpdate:
		c.withMirror(p.GuildID, func(m *mirror) { m.putRole(p.Role) })
	case gateway.EventGuildRoleDelete:
		c.withMirror(p.GuildID, func(m *mirror) { m.dropRole(p.RoleID) })
	case gateway.EventGuildCreate:
		if !p.Unavailable {
			c.appear(p.GatewayGuild)
		}
	case gateway.EventGuildUpdate:
		c.withMirror(p.ID, func(m *mirror) { m.owned(p.OwnerID, p.Name); m.speaks(p.PreferredLocale) })
	case gateway.EventGuildDelete:
		c.disappear(p.ID)
	case gateway.EventReady:
		c.begin(shard, p) // a new session: events may have been missed
	case gateway.EventResumed:
		c.onShard(shard, func(s *shardState) {
			s.stats.Resumes++
			s.resumed = s.resumed || s.member == nil
			s.hears()
		})
	case gateway.EventRateLimited:
		c.chunks.limited(p)
	}
	return roles
}

// begin takes a new session: which guilds there are, and that events may have been missed.
func (c *Client) begin(shard int, ready gateway.EventReady) {
	c.onShard(shard, func(s *shardState) {
		if ready.User.ID != 0 {
			c.user = ready.User.ID
		}
		s.session.ID, s.session.ResumeURL = ready.SessionID, ready.ResumeGatewayURL
		s.stats.Sessions++
		s.member = map[snowflake.ID]struct{}{}
		for _, g := range ready.Guilds {
			s.member[g.ID] = struct{}{}
		}
		s.hears()
	})
	c.doubtAll(shard)
}

// appear takes a guild that came into sight, and lets those go who wait for it.
func (c *Client) appear(seen discord.GatewayGuild) {
	if seen.ID == 0 {
		return
	}
	g := c.Guild(seen.ID)
	g.m.doubt()
	if err := g.m.setGuild(seen.Name, seen.OwnerID, seen.Roles, seen.MemberCount); err != nil {
		c.log.Error("guild not taken", "guild", seen.ID, "error", err)
		return
	}
	g.m.speaks(seen.PreferredLocale)
	for i := range seen.Members {
		g.m.put(&seen.Members[i], false)
	}
	g.show()
}

func (c *Client) disappear(guild snowflake.ID) {
	c.mu.Lock()
	g := c.guilds[guild]
	c.mu.Unlock()
	if g != nil {
		g.m.gone()
		g.hide()
	}
}

func (c *Client) withMirror(guild snowflake.ID, do func(*mirror)) {
	c.mu.Lock()
	g := c.guilds[guild]
	c.mu.Unlock()
	if g != nil {
		do(g.m)
	}
}

// doubtAll says of every guild of a shard that events may have been missed.
func (c *Client) doubtAll(shard int) {
	for _, g := range c.guildsOf(shard) {
		g.m.doubt()
	}
}

// speaks takes the guild's own language.
func (m *mirror) speaks(locale string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if locale != "" {
		m.locale = locale
	}
}

// Locale is the language that the guild is set to in Discord, such as "en-US" or "ru"; empty before it came into sight.
func (g *Guild) Locale() string {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.m.locale
}

// owned takes what a guild's own settings say.
func (m *mirror) owned(owner snowflake.ID, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if owner != 0 {
		m.guild.Owner = owner
	}
	m.guild.Name = name
	m.standing++
	m.changes++
}
