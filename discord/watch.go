package discord

import (
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"
)

// watch sees every event first, on the goroutine that reads the socket: it keeps the mirror and says why to look again.
func (c *Client) watch(shard, _ int, _ gateway.EventType, data gateway.EventData) {
	c.keep(data)
	if e, ok := translate(data, shard, time.Now()); ok && c.onEvent != nil {
		c.onEvent(e)
	}
}

// keep brings the mirrors in line with an event.
func (c *Client) keep(data gateway.EventData) {
	switch p := data.(type) {
	case gateway.EventGuildMemberAdd:
		c.withMirror(p.GuildID, func(m *mirror) { m.put(&p.Member, true) })
	case gateway.EventGuildMemberUpdate:
		c.withMirror(p.GuildID, func(m *mirror) { m.put(&p.Member, false) })
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
		c.withMirror(p.ID, func(m *mirror) { m.owned(p.OwnerID, p.Name) })
	case gateway.EventGuildDelete:
		c.withMirror(p.ID, (*mirror).doubt)
	case gateway.EventReady:
		c.doubtAll() // a new session: events may have been missed
	case gateway.EventRateLimited:
		c.chunks.limited(p)
	}
}

// appear takes a guild that came into sight, and lets those go who wait for it.
func (c *Client) appear(g discord.GatewayGuild) {
	c.mu.Lock()
	m := c.mirrors[g.ID]
	if m == nil {
		m = newMirror(g.ID, c.bot.ApplicationID)
		c.mirrors[g.ID] = m
	}
	sight := c.sight(g.ID)
	c.mu.Unlock()
	m.doubt()
	if err := m.setGuild(g.Name, g.OwnerID, g.Roles, g.MemberCount); err != nil {
		c.log.Error("guild not taken", "guild", g.ID, "error", err)
		return
	}
	for i := range g.Members {
		m.put(&g.Members[i], false)
	}
	select {
	case <-sight:
	default:
		close(sight)
	}
}

// sight is closed once the guild has come into sight; c.mu is held.
func (c *Client) sight(guild snowflake.ID) chan struct{} {
	s := c.seen[guild]
	if s == nil {
		s = make(chan struct{})
		c.seen[guild] = s
	}
	return s
}

func (c *Client) withMirror(guild snowflake.ID, do func(*mirror)) {
	c.mu.Lock()
	m := c.mirrors[guild]
	c.mu.Unlock()
	if m != nil {
		do(m)
	}
}

func (c *Client) doubtAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.mirrors {
		m.doubt()
	}
}

// owned takes what a guild's own settings say.
func (m *mirror) owned(owner snowflake.ID, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.guild.Owner, m.guild.Name = owner, name
}
