package discord

import (
	"context"
	"time"

	"github.com/disgoorg/disgo/gateway"
)

// beating is what is asked of a gateway about its heartbeats.
type beating interface {
	// Latency is from the last heartbeat to the last answer; below zero, the last one has no answer.
	Latency() time.Duration
	Send(ctx context.Context, op gateway.Opcode, data gateway.MessageData) error
}

// beatNoted is how long disgo may take to note that it sent a heartbeat.
const beatNoted = time.Second

// stillAlive is told of every answer to a heartbeat. disgo v0.19.6 notes when it sent one only after it was sent. Where the answer is
// quicker than that, on a busy machine, disgo holds it for the answer to the one before, takes the connection for dead at the next
// heartbeat, and connects anew a second later: nothing is heard meanwhile, no command answered. An answer that came is not lost that
// way: one more heartbeat has one of its own. If the connection is dead, it has none, and disgo is right.
func (c *Client) stillAlive(shard int, g beating) {
	time.AfterFunc(beatNoted, func() {
		select {
		case <-c.quit:
			return
		default:
		}
		if g.Latency() >= 0 {
			return
		}
		sequence := 0
		c.onShard(shard, func(s *shardState) { sequence = s.session.Sequence })
		ctx, end := context.WithTimeout(context.Background(), writeWithin)
		defer end()
		if err := g.Send(ctx, gateway.OpcodeHeartbeat, gateway.MessageDataHeartbeat(sequence)); err != nil {
			c.log.Debug("no second heartbeat", "error", err) // the connection went; disgo sees to it
		}
	})
}
