package main

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/commands"
	"gatecamp/discord"
)

// house is the one that keeps a guild in this process.
func (s *server) house(guild snowflake.ID) (*house, bool) {
	for _, t := range s.present() {
		t.mu.RLock()
		h, is := t.houses[guild]
		t.mu.RUnlock()
		if is {
			return h, true
		}
	}
	return nil, false
}

// kept are the guilds that this process keeps.
func (s *server) kept() (guilds []snowflake.ID) {
	for _, t := range s.present() {
		for _, h := range t.all() {
			guilds = append(guilds, h.id)
		}
	}
	return guilds
}

// Guild satisfies commands.Guilds.
func (s *server) Guild(id snowflake.ID) (commands.House, bool) {
	h, is := s.house(id)
	if !is {
		return commands.House{}, false
	}
	return commands.House{
		Engine: h.engine, Guilds: h.live, Runner: h.keeper, REST: s.client.Rest(), Application: discord.BotOf(s.cfg.DiscordToken),
		AdminChannel: h.settings.AdminChannelID, Locale: h.locale(), Status: h.status, People: h.people,
	}, true
}

// statusWithin is how long the queue may take to say how it stands.
const statusWithin = time.Second

// status is what only this process knows of the guild.
func (h *house) status() commands.Status {
	stats, count := h.keeper.Stats(), h.live.Headcount()
	s := commands.Status{
		Connected: h.t.isOpen(), Complete: count.Complete, Working: stats.Running, Waiting: stats.Queued, Inbox: stats.Waiting + stats.InHand,
		Overflowed: int64(stats.Overflows), Looks: int64(stats.Looks), Sweeps: int64(stats.CatchUps),
	}
	for _, n := range stats.Missed {
		s.Healed += int64(n)
	}
	if !stats.Oldest.IsZero() {
		s.Oldest = time.Since(stats.Oldest)
	}
	s.Done, s.Of = h.ears.far(stats.Running)
	s.Auth, s.AuthAt = h.t.state.verdict(h.id)
	ctx, end := context.WithTimeout(context.Background(), statusWithin)
	defer end()
	queue, err := h.t.queue.Status(ctx, h.id)
	if err != nil {
		h.log.WarnContext(ctx, "the queue does not say how it stands", "error", err)
		return s
	}
	s.Schedule, s.Next = queue.Spec, queue.Next
	for _, w := range queue.Webhooks {
		if w.Dead {
			s.WebhookDead = w.Failed
		}
	}
	return s
}

// people says what members are called: in the guild, as Discord says it, and in Auth, as far as it was read.
func (h *house) people(ctx context.Context, ids []snowflake.ID) map[snowflake.ID]commands.Person {
	found := map[snowflake.ID]commands.Person{}
	names, err := h.names(ctx, ids)
	if err != nil {
		h.log.DebugContext(ctx, "Discord does not say what members are called", "error", err)
	}
	for id, name := range names {
		found[id] = commands.Person{Name: name}
	}
	d := h.directory()
	if d == nil {
		return found
	}
	for _, id := range ids {
		if linked := d.Linked(id); len(linked) > 0 {
			a, p := &d.Accounts[linked[0]], found[id]
			p.Main, p.User = a.Main.Name, a.Username
			found[id] = p
		}
	}
	return found
}

// called is what a member is called in a list for people: the main character, as Auth said last.
func (h *house) called(member snowflake.ID) string {
	if d := h.directory(); d != nil {
		if linked := d.Linked(member); len(linked) > 0 {
			return d.Accounts[linked[0]].Main.Name
		}
	}
	return ""
}

// directory is what Auth said last; nil before it was read.
func (h *house) directory() *audit.Directory { return h.seen.Load() }
