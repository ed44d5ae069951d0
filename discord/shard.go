package discord

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/disgo/sharding"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// Session is what it takes to resume a gateway session after a restart. It ends a few minutes after the connection.
type Session struct {
	ID, ResumeURL string
	Sequence      int
}

// shardState is one of the bot's connections to the gateway, and what is known by it. The Client's mu guards it.
type shardState struct {
	open     bool
	quit     chan struct{} // closed when the shard is to be closed
	socket   *socket       // nil: never connected
	session  Session
	member   map[snowflake.ID]struct{} // the shard's guilds that the bot is in, as the session began; nil: not known yet
	resumed  bool                      // the session began with an earlier process
	begun    chan struct{}             // closed when we heard how the session begins, which is a little after disgo says that it stands
	hasBegun bool
	sends    sendBudget
	stats    ShardStats
}

func newShard() *shardState {
	return &shardState{quit: make(chan struct{}), begun: make(chan struct{})}
}

// hears notes that the session has begun.
func (s *shardState) hears() {
	if !s.hasBegun {
		s.hasBegun = true
		close(s.begun)
	}
}

// ShardOf is the shard that a guild belongs to (docs: events/gateway, Sharding).
func ShardOf(guild snowflake.ID, count int) int { return sharding.ShardIDByGuild(guild, max(count, 1)) }

// ShardOf is the shard that a guild belongs to.
func (c *Client) ShardOf(guild snowflake.ID) int { return ShardOf(guild, c.ShardCount()) }

// ShardCount is how many shards all processes have together; it does not change while the Client lives.
func (c *Client) ShardCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.count, 1)
}

// shard is what is known of one; mu is held.
func (c *Client) shard(id int) *shardState {
	s := c.shards[id]
	if s == nil {
		s = newShard()
		c.shards[id] = s
	}
	return s
}

// onShard does something with a shard under the lock.
func (c *Client) onShard(id int, do func(*shardState)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(c.shard(id))
}

// shardQuit is closed when the shard that is open now is to be closed.
func (c *Client) shardQuit(id int) (quit <-chan struct{}) {
	c.onShard(id, func(s *shardState) { quit = s.quit })
	return quit
}

// connected is told of every new connection.
func (c *Client) connected(id int, to *socket) {
	c.onShard(id, func(s *shardState) {
		if s.socket != nil {
			s.stats.Cuts++
		}
		s.socket = to
	})
}

// advice asks Discord once where its gateway is, how many shards it wants, and how many sessions may begin.
func (c *Client) advice(ctx context.Context) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.advised {
		return nil
	}
	a, err := c.bot.Rest.GetGatewayBot(rest.WithCtx(ctx))
	if err != nil {
		return c.explain(err)
	}
	limit := a.SessionStartLimit
	c.identify.advise(limit.MaxConcurrency, limit.Remaining, limit.Total, time.Duration(limit.ResetAfter)*time.Millisecond)
	c.mu.Lock()
	if c.count == 0 {
		c.count = max(a.Shards, 1)
	}
	count := c.count
	c.mu.Unlock()
	c.bot.ShardManager = c.newManager(a.URL, count)
	c.advised = true
	return nil
}

// product is what gatecamp calls itself when it begins a session.
const product = "gatecamp"

func (c *Client) newManager(url string, count int) sharding.ShardManager {
	return sharding.New(c.cfg.Token.Reveal(), c.dispatcher.HandleGatewayEvent,
		sharding.WithLogger(c.quiet), sharding.WithShardCount(count), sharding.WithIdentifyRateLimiter(c.identify),
		sharding.WithGatewayConfigOpts(
			gateway.WithURL(url), gateway.WithLogger(c.quiet), gateway.WithOS(runtime.GOOS), gateway.WithBrowser(product), gateway.WithDevice(product), gateway.WithIntents(intents), gateway.WithEnableRawEvents(true),
			// Not one of the compressed streams: disgo v0.19.6 closes their decoder while another goroutine reads from it, which ends the
			// program with a panic now and then, when a socket is closed under load.
			gateway.WithCompression(gateway.CompressionZlibPayload),
			gateway.WithDefaultRateLimiterConfigOpts(gateway.WithRateLimiterLogger(c.quiet)),
		),
		sharding.WithGatewayCreateFunc(func(token string, on gateway.EventHandlerFunc, opts ...gateway.ConfigOpt) gateway.Gateway {
			which := gateway.New(token, on, opts...).ShardID() // nothing else says which one is to be made
			return gateway.New(token, on, append(slices.Clone(opts), gateway.WithDialer(c.dialer(which)))...)
		}),
		sharding.WithCloseHandler(func(g gateway.Gateway, err error, reconnect bool) { c.gaveUp(g.ShardID(), err, reconnect) }),
	)
}

// openAll opens the shards that the Client is to begin with, side by side: the gate for new sessions brings them in order.
func (c *Client) openAll(ctx context.Context) error {
	if c.cfg.Shards != nil && len(c.cfg.Shards) == 0 && c.cfg.ShardCount > 0 {
		return nil
	}
	if err := c.advice(ctx); err != nil {
		return err
	}
	ids := c.cfg.Shards
	if ids == nil {
		for id := range c.ShardCount() {
			ids = append(ids, id)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			if err := c.OpenShard(ctx, id, c.cfg.Sessions[id]); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// OpenShard connects one more shard, with a session to be resumed or the zero Session, and returns once a session stands.
func (c *Client) OpenShard(ctx context.Context, id int, session Session) (err error) {
	defer wrap.Err(&err, "open shard %d", id)
	if err := c.advice(ctx); err != nil {
		return err
	}
	if count := c.ShardCount(); id < 0 || id >= count {
		return problem.Usagef("there is no shard %d: this bot has %d, numbered from 0", id, count)
	}
	already := false
	c.onShard(id, func(s *shardState) {
		if already = s.open; already {
			return
		}
		fresh := newShard()
		fresh.open, fresh.stats, fresh.session = true, s.stats, session
		c.shards[id] = fresh
	})
	if already {
		return nil
	}
	opened := make(chan error, 1)
	go func() {
		// Not under the context: when it ends while a session begins, disgo forgets the session under the hands of its own reader.
		opened <- c.bot.ShardManager.ResumeShard(context.WithoutCancel(ctx), id, sharding.ShardState{
			SessionID: session.ID, Sequence: session.Sequence, ResumeURL: session.ResumeURL,
		})
	}()
	select {
	case err = <-opened:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-c.quit:
		err = errClosing()
	}
	if err != nil {
		c.CloseShard(context.WithoutCancel(ctx), id)
		return c.explain(err)
	}
	return nil
}

// parkCode is any close code but 1000 and 1001: those end the session (docs: events/gateway), and disgo v0.19.6 forgets it while its
// reader may be about to read it, which ends the program.
const parkCode = 4900

// CloseShard ends a shard's connection and leaves its session, for whoever opens the shard next. Its guilds go out of sight.
func (c *Client) CloseShard(ctx context.Context, id int) (session Session) {
	open := false
	c.onShard(id, func(s *shardState) {
		if open = s.open; open {
			s.open, session = false, s.session
			close(s.quit)
		}
	})
	if !open {
		return session
	}
	if g := c.bot.ShardManager.Shard(id); g != nil {
		g.CloseWithCode(ctx, parkCode, "restart")
		c.bot.ShardManager.CloseShard(ctx, id)
	}
	for _, g := range c.guildsOf(id) {
		g.m.gone()
		g.hide()
	}
	return session
}

// closeShards ends every connection, and gives the sessions that are left.
func (c *Client) closeShards(ctx context.Context) map[int]Session {
	sessions := map[int]Session{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, id := range c.Shards() {
		all.Go(func() {
			if s := c.CloseShard(ctx, id); s.ID != "" {
				mu.Lock()
				defer mu.Unlock()
				sessions[id] = s
			}
		})
	}
	all.Wait()
	return sessions
}

// Sessions are the sessions as they are now, by shard: kept somewhere now and then, they outlive a crash.
func (c *Client) Sessions() map[int]Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	sessions := map[int]Session{}
	for id, s := range c.shards {
		if s.open && s.session.ID != "" {
			sessions[id] = s.session
		}
	}
	return sessions
}

// Shards are those that are open, ascending.
func (c *Client) Shards() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(func(yield func(int) bool) {
		for id, s := range c.shards {
			if s.open && !yield(id) {
				return
			}
		}
	})
}

// Reconnect cuts the shard's connection as the network would: the session is resumed, and nothing is lost but a second or two.
func (c *Client) Reconnect(id int) {
	var at *socket
	c.onShard(id, func(s *shardState) {
		if s.open {
			at = s.socket
		}
	})
	if at != nil {
		at.cut()
	}
}

// gaveUp is told by disgo when it will not connect a shard again by itself.
func (c *Client) gaveUp(id int, err error, reconnect bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reconnect || !c.shard(id).open { // we closed it
		return
	}
	select {
	case <-c.closed:
	default:
		c.why = fmt.Errorf("shard %d: %w", id, c.explain(err))
		close(c.closed)
	}
}

// errNoShard means that this process does not hold the guild's shard.
var errNoShard = errors.New("the guild's shard is not open here")

// gatewayOf is the connection of a guild's shard.
func (c *Client) gatewayOf(guild snowflake.ID) (gateway.Gateway, error) {
	id := c.ShardOf(guild)
	open := false
	c.onShard(id, func(s *shardState) { open = s.open })
	if !open {
		return nil, errNoShard
	}
	g := c.bot.ShardManager.Shard(id)
	if g == nil {
		return nil, errNoShard
	}
	return g, nil
}

// guildsOf are the guilds of a shard that anybody asked for or Discord showed.
func (c *Client) guildsOf(id int) []*Guild {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := max(c.count, 1)
	return slices.DeleteFunc(slices.Collect(maps.Values(c.guilds)), func(g *Guild) bool { return ShardOf(g.id, count) != id })
}
