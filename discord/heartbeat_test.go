package discord

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/disgo/gateway"
)

// heart is a gateway that notes which heartbeats it was asked to send.
type heart struct {
	latency time.Duration
	sent    []gateway.MessageData
}

func (h *heart) Latency() time.Duration { return h.latency }

func (h *heart) Send(_ context.Context, op gateway.Opcode, data gateway.MessageData) error {
	if op == gateway.OpcodeHeartbeat {
		h.sent = append(h.sent, data)
	}
	return nil
}

func TestAnAnswerThatCameBeforeItsHeartbeatWasNotedIsAskedForOnceMore(t *testing.T) {
	for _, test := range []struct {
		name    string
		latency time.Duration
		closed  bool
		want    int
	}{
		{"the answer was overtaken", -time.Millisecond, false, 1},
		{"the answer was noted after its heartbeat", 20 * time.Millisecond, false, 0},
		{"the client was closed meanwhile", -time.Millisecond, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{quit: make(chan struct{}), shards: map[int]*shardState{}, log: slog.New(slog.DiscardHandler)}
				c.onShard(0, func(s *shardState) { s.session.Sequence = 42 })
				h := &heart{latency: test.latency}
				c.stillAlive(0, h)
				if test.closed {
					close(c.quit)
				}
				time.Sleep(2 * beatNoted) // of the bubble's clock
				synctest.Wait()
				if len(h.sent) != test.want {
					t.Fatalf("%d heartbeats were sent, want %d", len(h.sent), test.want)
				}
				if test.want > 0 && h.sent[0] != gateway.MessageData(gateway.MessageDataHeartbeat(42)) {
					t.Errorf("sent %v, want the last number that was heard, 42", h.sent[0])
				}
			})
		})
	}
}
