package discordtest_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// start serves a world until the test ends.
func start(t *testing.T, cfg discordtest.Config) *discordtest.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, wait, err := discordtest.Start(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return s
}

func world(t *testing.T, name string) *discordtest.World {
	t.Helper()
	w, err := discordtest.LoadWorld(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// restClient is disgo's REST with its own limiter.
func restClient(t *testing.T, s *discordtest.Server) rest.Rest {
	t.Helper()
	c := rest.NewClient(s.Bot(discordtest.BotGatecamp).Token, rest.WithURL(s.APIURL()+"/v10"), rest.WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() { c.Close(context.Background()) })
	return rest.New(c)
}

// disgoBot is a whole disgo client, connected.
func disgoBot(t *testing.T, s *discordtest.Server, opts ...bot.ConfigOpt) *bot.Client {
	t.Helper()
	if underRace {
		t.Skip("disgo v0.19.6 has a data race between opening and closing its gateway; raw connections are tested instead")
	}
	opts = append([]bot.ConfigOpt{
		bot.WithLogger(slog.New(slog.DiscardHandler)),
		bot.WithRestClientConfigOpts(rest.WithURL(s.APIURL()+"/v10"), rest.WithRateLimiter(rest.NewNoopRateLimiter())),
		bot.WithGatewayConfigOpts(
			gateway.WithIntents(gateway.IntentGuilds, gateway.IntentGuildMembers, gateway.IntentGuildModeration),
			gateway.WithCompression(gateway.CompressionNone), // with zstd disgo v0.19.6 panics if a message arrives while it closes
		),
	}, opts...)
	c, err := disgo.New(s.Bot(discordtest.BotGatecamp).Token, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.OpenGateway(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

// next waits for what a channel brings.
func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-t.Context().Done():
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestDisgoReadsTheGuildAndHearsOfAJoin(t *testing.T) {
	for _, c := range []gateway.CompressionType{gateway.CompressionNone, gateway.CompressionZlibPayload, gateway.CompressionZlibStream, gateway.CompressionZstdStream} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := start(t, discordtest.Config{})
			guild := s.GuildIDs()[0]
			ready, joined := make(chan int, 1), make(chan snowflake.ID, 1)
			disgoBot(t, s,
				bot.WithGatewayConfigOpts(gateway.WithCompression(c)),
				bot.WithEventListenerFunc(func(e *events.GuildReady) { ready <- e.Guild.MemberCount }),
				bot.WithEventListenerFunc(func(e *events.GuildMemberJoin) { joined <- e.Member.User.ID }))
			if got := next(t, ready); got != 3 {
				t.Errorf("the guild has %d members, want owner and two bots", got)
			}
			if err := s.Join(guild, discordtest.Arrival{ID: 5001, Username: "newcomer"}); err != nil {
				t.Fatal(err)
			}
			if got := next(t, joined); got != 5001 {
				t.Errorf("%d joined, want 5001", got)
			}
		})
	}
}
