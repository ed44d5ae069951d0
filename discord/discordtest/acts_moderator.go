package discordtest

import (
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// The functions of this file are what a moderator does by hand; by is who it is, 0 the owner. They need the permission that Discord asks
// for, and write the audit log.

// Kick removes a member.
func (s *Server) Kick(in, user, by snowflake.ID) error {
	return s.at(in, func(g *guild) error { return s.kick(g, g.by(by), user) })
}

// BanBy shuts somebody out.
func (s *Server) BanBy(in, user, by snowflake.ID) error {
	return s.at(in, func(g *guild) error { return s.banUser(g, g.by(by), user) })
}

// DeleteChannel deletes a channel and all that was written there.
func (s *Server) DeleteChannel(in, channel, by snowflake.ID) error {
	return s.at(in, func(g *guild) error {
		a := g.by(by)
		if _, err := g.may(a, ManageChannels); err != nil {
			return err
		}
		ch := g.channel(channel)
		if ch == nil {
			return unknownChannel()
		}
		gone := channelEvent("CHANNEL_DELETE", ch)
		gone.channel = nil // whoever saw it hears of its end
		g.channels = slices.DeleteFunc(slices.Clone(g.channels), func(c *Channel) bool { return c == ch })
		s.publish(g, entry(a, ch.ID, auditChannelDelete, auditChange{Key: "name", Old: ch.Name}), gone)
		return nil
	})
}

// Overwrite sets what a role or member may do in a channel, by hand.
func (s *Server) Overwrite(in, channel, by snowflake.ID, next Overwrite) error {
	return s.at(in, func(g *guild) error {
		a := g.by(by)
		if _, err := g.may(a, ManageRoles); err != nil {
			return err
		}
		ch := g.channel(channel)
		if ch == nil {
			return unknownChannel()
		}
		action, before := auditOverwriteCreate, Permissions(0)
		ch.Overwrites = slices.DeleteFunc(slices.Clone(ch.Overwrites), func(o Overwrite) bool {
			if o.ID == next.ID {
				action, before = auditOverwriteUpdate, o.Allow
			}
			return o.ID == next.ID
		})
		ch.Overwrites = append(ch.Overwrites, next)
		s.publish(g, entry(a, ch.ID, action, auditChange{Key: "allow", New: next.Allow, Old: before}), channelEvent("CHANNEL_UPDATE", ch))
		return nil
	})
}

// MakeWebhook makes a webhook in a channel; 0 is the first text channel.
func (s *Server) MakeWebhook(in, channel, by snowflake.ID, name string) error {
	return s.at(in, func(g *guild) error {
		a := g.by(by)
		if _, err := g.may(a, ManageWebhooks); err != nil {
			return err
		}
		ch := g.firstText()
		if channel != 0 {
			ch = g.channel(channel)
		}
		if ch == nil {
			return unknownChannel()
		}
		s.addWebhook(ch, a, name)
		return nil
	})
}

// AddBot lets a bot in.
func (s *Server) AddBot(in, bot, by snowflake.ID, name string) error {
	return s.at(in, func(g *guild) error {
		a := g.by(by)
		if _, err := g.may(a, ManageGuild); err != nil {
			return err
		}
		_, err := s.joinBy(g, a, s.account(Arrival{ID: bot, Username: name, Bot: true}), nil, false)
		return err
	})
}
