package discord

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// quietClient is a client without a connection, and the reasons that it tells.
func quietClient() (*Client, *[]audit.Event) {
	var events []audit.Event
	c := newClient(Config{OnEvent: func(e audit.Event) { events = append(events, e) }, ChunkIdle: time.Second})
	c.user = someBot
	return c, &events
}

// silent is a gateway that takes what is sent, and tells of it.
type silent struct {
	gateway.Gateway
	asked chan gateway.MessageDataRequestGuildMembers
	fails error
}

func (s *silent) Send(_ context.Context, _ gateway.Opcode, data gateway.MessageData) error {
	if s.fails != nil {
		return s.fails
	}
	s.asked <- data.(gateway.MessageDataRequestGuildMembers)
	return nil
}

func asking(t *testing.T) (*chunker, *silent) {
	t.Helper()
	return newChunker(nil, 5*time.Second), &silent{asked: make(chan gateway.MessageDataRequestGuildMembers, 1)}
}

func chunkOf(nonce string, i, of int) gateway.EventGuildMembersChunk {
	return gateway.EventGuildMembersChunk{GuildID: someGuild, Nonce: nonce, ChunkIndex: i, ChunkCount: of, Members: []discord.Member{someMember(snowflake.ID(100 + i))}}
}

func TestChunksMayComeTwiceAndInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, g := asking(t)
		go func() {
			nonce := (<-g.asked).Nonce
			for _, i := range rand.Perm(7) {
				c.HandleChunk(chunkOf(nonce, i, 7))
				c.HandleChunk(chunkOf(nonce, i, 7))
				c.HandleChunk(chunkOf("another's", i, 7))
			}
		}()
		seen := map[snowflake.ID]int{}
		n, err := c.all(t.Context(), g, someGuild, func(members []discord.Member) {
			for _, m := range members {
				seen[m.User.ID]++
			}
		})
		if err != nil || n != 7 || len(seen) != 7 {
			t.Errorf("%d members, %v, %v", n, seen, err)
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("member %d was counted %d times", id, times)
			}
		}
	})
}

func TestALostChunkIsNoticedInBoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, g := asking(t)
		go func() {
			nonce := (<-g.asked).Nonce
			c.HandleChunk(chunkOf(nonce, 0, 3))
			c.HandleChunk(chunkOf(nonce, 2, 3))
		}()
		start := time.Now()
		_, err := c.all(t.Context(), g, someGuild, func([]discord.Member) {})
		if !errors.Is(err, ErrChunksLost) || time.Since(start) > 6*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestTooEarlyIsSaidAtOnceAndNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, g := asking(t)
		go func() {
			nonce := (<-g.asked).Nonce
			c.limited(gateway.EventRateLimited{RetryAfter: 29.5, Meta: gateway.RateLimitedMetadataRequestGuildMembers{GuildID: someGuild, Nonce: nonce}})
		}()
		start := time.Now()
		_, err := c.all(t.Context(), g, someGuild, func([]discord.Member) {})
		if !errors.Is(err, ErrTooEarly) || time.Since(start) > 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// Stock disgo panics here: "send on closed channel" on the goroutine that reads the gateway.
func TestACallerWhoGoesAwayDoesNotHoldTheGatewayUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, g := asking(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.all(ctx, g, someGuild, func([]discord.Member) { cancel() })
			done <- err
		}()
		nonce := (<-g.asked).Nonce
		for i := range 500 { // far more than are kept for a reader
			c.HandleChunk(chunkOf(nonce, i, 1000))
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		c.HandleChunk(chunkOf(nonce, 501, 1000))
	})
}

func TestARequestThatCannotBeSentIsAnError(t *testing.T) {
	c, g := asking(t)
	g.fails = discord.ErrShardNotReady
	if _, err := c.all(t.Context(), g, someGuild, func([]discord.Member) {}); !errors.Is(err, discord.ErrShardNotReady) {
		t.Errorf("error %v", err)
	}
}

type listener struct{ on func() }

func (l *listener) OnEvent(bot.Event) { l.on() }

func TestAPanicEndsOneEventAndListenersMayChangeTheList(t *testing.T) {
	d := &dispatcher{log: slog.New(slog.DiscardHandler), first: func(gateway.Gateway, int, gateway.EventType, gateway.EventData) { panic("in first") }}
	d.HandleGatewayEvent(gatewayOfShard{}, "X", 1, nil)
	var order []string
	late := &listener{func() { order = append(order, "late") }}
	once := &listener{}
	once.on = func() {
		order = append(order, "once")
		d.RemoveEventListeners(once)
		d.AddEventListeners(late)
	}
	d.AddEventListeners(&listener{func() { panic("in a listener") }}, once)
	d.DispatchEvent(nil)
	d.DispatchEvent(nil)
	if len(order) != 2 || order[0] != "once" || order[1] != "late" {
		t.Errorf("order %v", order)
	}
}

type gatewayOfShard struct{ gateway.Gateway }

func (gatewayOfShard) ShardID() int { return 0 }

func TestAHoleInTheNumbersMakesEverythingDoubtful(t *testing.T) {
	c, events := quietClient()
	g := c.Guild(someGuild)
	if err := g.m.setGuild("g", 7, nil, 0); err != nil {
		t.Fatal(err)
	}
	g.m.believe()
	raw := func(n int, kind gateway.EventType) {
		c.watch(gatewayOfShard{}, n, gateway.EventTypeRaw, gateway.EventRaw{EventType: kind})
	}
	raw(1, gateway.EventTypeReady)
	raw(2, "X")
	raw(2, "X") // a repetition
	raw(3, "Y")
	if len(*events) > 0 || !g.m.isComplete() {
		t.Fatalf("events %v, complete %v", *events, g.m.isComplete())
	}
	raw(5, "X")
	if len(*events) != 1 || (*events)[0].Why != audit.SessionNew || g.m.isComplete() {
		t.Errorf("events %v, complete %v", *events, g.m.isComplete())
	}
	raw(1, gateway.EventTypeReady)
	if len(*events) != 1 {
		t.Error("a new session's count is no hole")
	}
}
