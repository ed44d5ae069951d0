//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/secret"
	"gatecamp/notify"
)

// sister is a guild of the other one of two shards.
const sister = guild + 1<<22

// halves is the local Discord with two guilds, each of its own shard.
func halves(t *testing.T) *discordtest.Server {
	t.Helper()
	if discord.ShardOf(guild, 2) != 1 || discord.ShardOf(sister, 2) != 0 {
		t.Fatal("the guilds are not of two shards")
	}
	text := fmt.Sprintf(`Another guild.
-- guild.json --
{"guild": {"id": "%d", "owner_id": "41", "name": "Sister"},
 "guild_roles": [{"id": "802", "name": "Fleet", "position": 1}],
 "guild_members": [[{"user":{"id":"41","username":"boss"},"roles":[],"joined_at":"2020-01-01T00:00:00Z"},
  {"user":{"id":"1001","username":"m0"},"roles":["802"],"joined_at":"2020-01-01T00:00:00Z"}]]}
`, sister)
	world, err := discordtest.ParseWorld("sister", []byte(text))
	must(t, err)
	return here(t, 3, func(c *discordtest.Config) { c.More, c.Shards, c.MaxConcurrency = []*discordtest.World{world}, 2, 2 })
}

// open is a client that is closed with the test.
func open(t *testing.T, cfg discord.Config) *discord.Client {
	t.Helper()
	c, err := discord.Open(context.WithoutCancel(t.Context()), cfg)
	must(t, err)
	t.Cleanup(func() { c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func TestEachGuildIsHeardOnItsShard(t *testing.T) {
	t.Parallel()
	s := halves(t)
	cfg, b := config(s)
	c := open(t, cfg)
	if diff := cmp.Diff([]int{0, 1}, c.Shards()); diff != "" || c.ShardCount() != 2 || c.ShardOf(guild) != 1 {
		t.Errorf("%d shards, open (-want +got):\n%s", c.ShardCount(), diff)
	}
	for id, shard := range map[snowflake.ID]int{guild: 1, sister: 0} {
		g := c.Guild(id)
		must(t, g.WaitVisible(t.Context()))
		if p := picture(t, g); !p.Complete {
			t.Errorf("guild %d: %s", id, p.Doubt)
		}
		role := fleet
		if id == sister {
			role = 802
		}
		must(t, s.TakeRole(id, pilot, role, owner))
		b.await(t, func(e audit.Event) bool {
			return e.Guild == id && e.Why == audit.MemberChanged && e.Member == pilot && e.Shard == shard && e.Roles
		})
		b.await(t, func(e audit.Event) bool {
			return e.Guild == id && e.Why == audit.EntryWritten && e.Shard == shard && !e.Roles
		})
	}
	stats := c.Stats()
	if stats.Guilds["complete"] != 2 || stats.Shards[1].Events["GUILD_MEMBER_UPDATE"] != 1 || stats.Shards[0].Sessions != 1 || stats.IdentifiesLeft != 998 {
		t.Errorf("stats %+v", stats)
	}
}

func TestAShardIsHandedOverWithItsSession(t *testing.T) {
	t.Parallel()
	s := halves(t)
	cfg, _ := config(s)
	first := open(t, cfg)
	must(t, first.Guild(guild).WaitVisible(t.Context()))
	must(t, first.Guild(sister).WaitVisible(t.Context()))
	session := first.CloseShard(t.Context(), 1)
	if session.ID == "" || session.Sequence == 0 || first.Guild(guild).Visible() || !first.Guild(sister).Visible() {
		t.Fatalf("session %+v, sees the guild: %v, sees the sister: %v", session, first.Guild(guild).Visible(), first.Guild(sister).Visible())
	}
	must(t, s.GiveRole(guild, pilot, capital, 0)) // nobody is connected
	cfg2, b := config(s)
	cfg2.Shards, cfg2.ShardCount = []int{}, 2
	second := open(t, cfg2)
	if slices.ContainsFunc(s.Connections(), func(c discordtest.Connection) bool { return c.ID > 2 }) {
		t.Error("a process without a shard has a connection")
	}
	must(t, second.OpenShard(t.Context(), 1, session))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.MemberChanged && e.Member == pilot })
	b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionKept && e.Shard == 1 })
	if _, members, err := second.Guild(guild).Members(t.Context(), []snowflake.ID{pilot}); err != nil || len(members) != 1 {
		t.Errorf("of a guild that Discord does not show again: %d members, %v", len(members), err)
	}
	if got := second.Stats().Shards[1]; got.Sessions != 0 || got.Resumes != 1 {
		t.Errorf("%d new sessions, %d resumed", got.Sessions, got.Resumes)
	}
	if err := second.OpenShard(t.Context(), 2, discord.Session{}); err == nil || !strings.Contains(err.Error(), "no shard 2") {
		t.Errorf("a shard that there is not: %v", err)
	}
	sessions := second.CloseKeepingSession(t.Context())
	if len(sessions) != 1 || sessions[1].ID != session.ID || sessions[1].Sequence <= session.Sequence {
		t.Errorf("what is left: %+v, before: %+v", sessions, session)
	}
}

func TestAllSessionsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	s := halves(t)
	cfg, _ := config(s)
	first := open(t, cfg)
	must(t, first.Guild(guild).WaitVisible(t.Context()))
	must(t, first.Guild(sister).WaitVisible(t.Context()))
	now := first.Sessions()
	cfg2, b := config(s)
	if cfg2.Sessions = first.CloseKeepingSession(t.Context()); len(cfg2.Sessions) != 2 || !cmp.Equal(now, cfg2.Sessions) {
		t.Fatalf("sessions %+v, a moment earlier %+v", cfg2.Sessions, now)
	}
	second := open(t, cfg2)
	for shard := range 2 {
		b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionKept && e.Shard == shard })
		if n := second.Stats().Shards[shard].Sessions; n > 0 {
			t.Errorf("shard %d began %d new sessions", shard, n)
		}
	}
}

func TestAWebhookIsReachedWithoutTheGateway(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	cfg, _ := config(s)
	cfg.Shards, cfg.ShardCount = []int{}, 1
	c := open(t, cfg)
	must(t, c.Post(t.Context(), secret.New(s.Hello().Webhooks[0].URL), notify.Message{Title: "x"}))
	if n := len(s.Connections()); n > 0 {
		t.Errorf("%d connections", n)
	}
	for _, r := range s.Requests(0) {
		if strings.Contains(r.Route, "gateway") {
			t.Errorf("%s was asked", r.Route)
		}
	}
}

func TestAClosedShardDoesNotComeBackByItself(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	for _, conn := range s.Connections() {
		must(t, s.CloseConnection(conn.ID, 0)) // disgo is about to connect again
	}
	c.CloseShard(t.Context(), 0)
	select {
	case <-c.Lost():
		t.Errorf("the client counts as lost: %v", c.Err())
	case <-time.After(2500 * time.Millisecond): // disgo tries again after one second
	}
	if n := len(s.Connections()); n > 0 {
		t.Errorf("%d connections", n)
	}
}

func TestASilentConnectionIsCutAndResumed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*discordtest.Server, *discord.Config){
		"nothing comes": func(_ *discordtest.Server, c *discord.Config) { c.Silence = 400 * time.Millisecond },
		"no heartbeat is answered": func(s *discordtest.Server, _ *discord.Config) {
			_, _ = s.AddFault(discordtest.Fault{Name: discordtest.FaultNoHeartbeatACK.String(), Count: 1})
		},
		"somebody asks for it": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := here(t, 3, func(c *discordtest.Config) {
				if strings.Contains(name, "heartbeat") {
					c.HeartbeatInterval = 300 * time.Millisecond
				}
			})
			c, g, b := client(t, s, func(cfg *discord.Config) {
				if change != nil {
					change(s, cfg)
				}
			})
			if change == nil {
				c.Reconnect(0)
			}
			b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionKept })
			if got := c.Stats().Shards[0]; got.Sessions != 1 || got.Resumes == 0 || got.Cuts == 0 {
				t.Errorf("stats %+v", got)
			}
			if !g.Visible() {
				t.Error("the guild is out of sight")
			}
			if !slices.ContainsFunc(c.Pulses(), func(p discord.Pulse) bool { return p.Shard == 0 && !p.Event.IsZero() }) {
				t.Errorf("pulses %+v", c.Pulses())
			}
		})
	}
}
