package bot

import (
	"context"
	"log/slog"
	"time"
)

// Pulse is when an open connection to Discord last gave a sign of life.
type Pulse struct {
	Shard int
	Acked time.Time // when Discord last confirmed a heartbeat; zero: not yet
	Heard time.Time // when the last event came; zero: none yet
	Busy  bool      // it has guilds in which something always happens
}

// Gateway are the connections to Discord.
type Gateway interface {
	Pulses() []Pulse
	// Reconnect closes a connection so that its session is resumed: whatever was missed comes then.
	Reconnect(shard int)
}

// Canary notices connections that look alive and are dead.
type Canary struct {
	Gateway Gateway
	// Trouble is told of each; it must not wait. May be nil.
	Trouble func(code, detail string)
	Log     *slog.Logger // discarded if nil
}

const (
	canaryEvery  = 15 * time.Second
	canaryBeat   = 45 * time.Second // between two heartbeats, at most (docs: events/gateway; Discord asks for 41.25 s)
	canarySilent = 10 * time.Minute // without any event, where something always happens
)

// Run watches until the context ends.
func (c *Canary) Run(ctx context.Context) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	tick := time.NewTicker(canaryEvery)
	defer tick.Stop()
	closed := map[int]time.Time{} // by us, by shard
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		for _, p := range c.Gateway.Pulses() {
			why := p.silent(now, closed[p.Shard])
			if why == "" {
				continue
			}
			closed[p.Shard] = now
			c.Log.WarnContext(ctx, "connection looks alive and is not", "shard", p.Shard, "why", why)
			if c.Trouble != nil {
				c.Trouble(TroubleGateway, why)
			}
			c.Gateway.Reconnect(p.Shard)
		}
	}
}

// silent says why a connection counts as dead; since is when it was last closed by us: what was heard before does not count.
func (p Pulse) silent(now, since time.Time) string {
	late := func(last time.Time, after time.Duration) bool {
		if since.After(last) {
			last = since
		}
		return !last.IsZero() && now.Sub(last) > after
	}
	switch {
	case late(p.Acked, 2*canaryBeat+canaryEvery):
		return "no heartbeat was confirmed for two intervals"
	case p.Busy && late(p.Heard, canarySilent):
		return "no event for " + canarySilent.String()
	}
	return ""
}
