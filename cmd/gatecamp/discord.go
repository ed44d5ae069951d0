package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/discord"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/storage/redis"
)

// liveGuild makes a guild at Discord what the audit line looks at and changes.
type liveGuild struct {
	*discord.Guild
	client   *discord.Client
	priority discord.Priority // of what it reads
}

var (
	_ reconcile.Guilds     = liveGuild{}
	_ reconcile.LiveGuilds = liveGuild{}
	_ reconcile.Counting   = liveGuild{}
	_ reconcile.Sighted    = liveGuild{}
	_ reconcile.Writer     = liveGuild{}
)

func (g liveGuild) picture(p discord.Picture) reconcile.Picture {
	return reconcile.Picture{Guild: p.Guild, Members: p.Members, Complete: p.Complete, At: p.At, Live: true, Clock: g.client.Clock()}
}

// Picture satisfies reconcile.Guilds.
func (g liveGuild) Picture(ctx context.Context) (reconcile.Picture, error) {
	p, err := g.Guild.Picture(discord.WithPriority(ctx, g.priority))
	return g.picture(p), err
}

// Known satisfies reconcile.LiveGuilds.
func (g liveGuild) Known(ctx context.Context) (reconcile.Picture, error) {
	p, err := g.Guild.Known(ctx)
	return g.picture(p), err
}

// Counted satisfies reconcile.Counting.
func (g liveGuild) Counted(ctx context.Context) (reconcile.Picture, error) {
	h := g.Guild.Headcount()
	heads := &reconcile.Heads{Members: h.Members, Holders: h.Holders, Revision: h.Revision, Present: g.Present}
	return reconcile.Picture{Guild: h.Guild, Complete: h.Complete, At: h.At, Live: true, Away: !h.Visible, Heads: heads, Clock: g.client.Clock()}, ctx.Err()
}

// Visible satisfies reconcile.Sighted.
func (g liveGuild) Visible() bool { return g.Guild.Headcount().Visible }

// Member satisfies reconcile.Guilds.
func (g liveGuild) Member(ctx context.Context, id snowflake.ID) (audit.Guild, audit.Member, error) {
	guild, member, err := g.Guild.Member(discord.WithPriority(ctx, g.priority), id)
	if errors.Is(err, discord.ErrNotMember) {
		err = reconcile.ErrNoMember
	}
	return guild, member, err
}

// Reserve satisfies reconcile.Writer.
func (g liveGuild) Reserve(ctx context.Context, o reconcile.Offer) (reconcile.Slot, error) {
	offer := discord.Offer{Actions: o.Actions, Linked: o.Linked, Priority: discord.Bulk, Later: o.Later}
	if o.Live {
		offer.Priority = discord.Live
	}
	slot, err := g.Guild.Reserve(ctx, offer)
	if err != nil { // a nil *Slot would not be a nil Slot
		return nil, err
	}
	return slot, nil
}

// routesSetting is where a guild keeps which of Discord's routes share a rate limit, so that a restart need not find out again.
const routesSetting = "discord.routes"

// connect opens the session's guild at Discord; done closes it, after what was written has been looked at for the last time.
func (s *session) connect(ctx context.Context) (_ liveGuild, done func() error, err error) {
	defer wrap.Err(&err, "connect to Discord")
	routes, err := s.routes(ctx)
	if err != nil {
		return liveGuild{}, nil, err
	}
	shared, gate, closeShared, err := s.sharedBudget()
	if err != nil {
		return liveGuild{}, nil, err
	}
	client, err := discord.Open(ctx, discord.Config{Token: s.cfg.DiscordToken, APIURL: s.cfg.DiscordAPIURL, Routes: routes, Shared: shared, Gate: gate, Log: s.log()})
	if err != nil {
		return liveGuild{}, nil, errors.Join(err, closeShared())
	}
	done = func() error {
		ctx, end := context.WithTimeout(context.WithoutCancel(ctx), disconnectWithin)
		defer end()
		s.drain(ctx, client)
		err := s.keepRoutes(ctx, client.Routes())
		client.Close(ctx)
		return errors.Join(err, closeShared())
	}
	visible, end := context.WithTimeout(ctx, visibleWithin)
	defer end()
	guild := client.Guild(s.guild)
	if err := guild.WaitVisible(visible); err != nil {
		client.Close(context.WithoutCancel(ctx))
		return liveGuild{}, nil, errors.Join(err, closeShared())
	}
	return liveGuild{guild, client, discord.Bulk}, done, nil
}

// drain waits for the last look at what was written beside Auth, and says so where that takes a moment.
func (s *session) drain(ctx context.Context, client *discord.Client) {
	moment, end := context.WithTimeout(ctx, time.Second)
	defer end()
	client.Drain(moment)
	if moment.Err() != nil {
		fmt.Fprintln(s.err, "gatecamp: a last look at what was changed beside Auth, which may be writing too: some 10 seconds more")
		client.Drain(ctx)
	}
}

// sharedBudget is the request budget and the gate for new sessions that all processes with the bot's token use, where a Redis is set.
func (s *session) sharedBudget() (discord.Shared, discord.IdentifyGate, func() error, error) {
	if !s.cfg.RedisURL.IsSet() {
		return nil, nil, func() error { return nil }, nil
	}
	r, err := redis.Open(s.cfg.RedisURL)
	if err != nil {
		return nil, nil, nil, err
	}
	bot := discord.BotOf(s.cfg.DiscordToken).String()
	return r.Budget(bot), r.Gate(bot), r.Close, nil
}

const (
	visibleWithin    = 30 * time.Second // for Discord to show a guild after the connection stands
	disconnectWithin = 15 * time.Second
)

func (s *session) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (s *session) routes(ctx context.Context) (routes map[string]string, err error) {
	text, err := s.db.Setting(ctx, s.guild, routesSetting)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing is known yet, and nothing is wrong
	}
	if err != nil {
		return nil, err
	}
	if broken := json.Unmarshal([]byte(text), &routes); broken != nil {
		routes = nil // they are found out again
	}
	return routes, nil
}

func (s *session) keepRoutes(ctx context.Context, routes map[string]string) error {
	if len(routes) == 0 {
		return nil
	}
	text, err := json.Marshal(routes)
	if err != nil {
		return err
	}
	by := storage.Author{Actor: reconcile.SystemActor, Origin: "start", Reason: "Discord's routes and their rate limits, as they were found", At: s.now().UTC()}
	return s.db.SetSetting(ctx, s.guild, routesSetting, string(text), by)
}

// troubled warns of what the bot cannot do in the guild, before anything is tried.
func (s *session) troubled(g liveGuild) {
	if trouble := g.Hierarchy().Trouble(); trouble != "" {
		fmt.Fprintf(s.err, "gatecamp: %s\n", trouble)
	}
}
