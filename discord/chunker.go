package discord

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// ErrChunksLost means that Discord announced more member chunks than came.
var ErrChunksLost = errors.New("member chunks lost")

// MaxNamed is the most members that one request may name (docs: events/gateway-events, Request Guild Members).
const MaxNamed = 100

// chunker asks for members over the gateway. It never blocks the goroutine that reads the socket for long, survives a caller that
// goes away, waits out RATE_LIMITED, and notices lost and doubled chunks.
type chunker struct {
	bot.MemberChunkingManager // the rest of disgo's interface
	idle                      time.Duration

	mu       sync.Mutex
	requests map[string]*chunkRequest // by nonce
}

type chunkRequest struct {
	chunks  chan gateway.EventGuildMembersChunk
	limited chan time.Duration
	done    chan struct{} // closed when the caller has gone
}

func newChunker(rest bot.MemberChunkingManager, idle time.Duration) *chunker {
	return &chunker{MemberChunkingManager: rest, idle: idle, requests: map[string]*chunkRequest{}}
}

func (c *chunker) request(nonce string) *chunkRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[nonce]
}

// HandleChunk hands a chunk to whoever asked for it.
func (c *chunker) HandleChunk(chunk gateway.EventGuildMembersChunk) {
	if r := c.request(chunk.Nonce); r != nil {
		select {
		case r.chunks <- chunk:
		case <-r.done:
		}
	}
}

// limited hands a RATE_LIMITED to whoever asked too early.
func (c *chunker) limited(e gateway.EventRateLimited) {
	meta, ok := e.Meta.(gateway.RateLimitedMetadataRequestGuildMembers)
	if !ok {
		return
	}
	if r := c.request(meta.Nonce); r != nil {
		select {
		case r.limited <- time.Duration(e.RetryAfter * float64(time.Second)):
		case <-r.done:
		}
	}
}

// ErrTooEarly means that Discord allows no read of all members yet: one per guild in 30 s.
var ErrTooEarly = errors.New("too early to read all members over the gateway")

// all reads every member of a guild, chunk by chunk, and returns how many there were: each chunk came, none counted twice. It does
// not wait until Discord allows it: that is ErrTooEarly.
func (c *chunker) all(ctx context.Context, to gateway.Gateway, guild snowflake.ID, visit func([]discord.Member)) (n int, err error) {
	defer wrap.Err(&err, "read all members of guild %d", guild)
	nonce, r := c.begin()
	defer c.finish(nonce, r)
	if err := to.Send(ctx, gateway.OpcodeRequestGuildMembers, everybody(guild, nonce)); err != nil {
		return 0, err
	}
	n, wait, err := c.collect(ctx, r, c.idle, visit)
	if wait > 0 {
		return 0, &earlyError{wait}
	}
	return n, err
}

// everybody asks for all members.
func everybody(guild snowflake.ID, nonce string) gateway.MessageDataRequestGuildMembers {
	query, limit := "", 0
	return gateway.MessageDataRequestGuildMembers{GuildID: guild, Query: &query, Limit: &limit, Nonce: nonce}
}

// some reads up to MaxNamed members by id. Those who are not in the guild are missing from the answer. With an error the answer is what
// came before it.
func (c *chunker) some(ctx context.Context, to gateway.Gateway, guild snowflake.ID, ids []snowflake.ID) (members []discord.Member, err error) {
	defer wrap.Err(&err, "read %d members of guild %d", len(ids), guild)
	nonce, r := c.begin()
	defer c.finish(nonce, r)
	if err := to.Send(ctx, gateway.OpcodeRequestGuildMembers, gateway.MessageDataRequestGuildMembers{GuildID: guild, UserIDs: ids, Nonce: nonce}); err != nil {
		return nil, err
	}
	_, wait, err := c.collect(ctx, r, min(c.idle, namedIdle), func(m []discord.Member) { members = append(members, m...) })
	if wait > 0 {
		return nil, &earlyError{wait}
	}
	return members, err
}

// namedIdle is how long an answer about named members may be late: there is another way to read them.
const namedIdle = 3 * time.Second

// earlyError is ErrTooEarly, and when it is not any more.
type earlyError struct{ wait time.Duration }

func (e *earlyError) Error() string { return fmt.Sprintf("%v: again in %v", ErrTooEarly, e.wait) }
func (e *earlyError) Unwrap() error { return ErrTooEarly }

// chunksAhead is how many chunks may wait to be taken into the mirror. A chunk of 1,000 members is a megabyte and more.
const chunksAhead = 8

func (c *chunker) begin() (string, *chunkRequest) {
	// 26 characters; Discord takes 32 bytes at most.
	nonce, r := rand.Text(), &chunkRequest{
		chunks: make(chan gateway.EventGuildMembersChunk, chunksAhead), limited: make(chan time.Duration, 1), done: make(chan struct{}),
	}
	c.mu.Lock()
	c.requests[nonce] = r
	c.mu.Unlock()
	return nonce, r
}

func (c *chunker) finish(nonce string, r *chunkRequest) {
	c.mu.Lock()
	delete(c.requests, nonce)
	c.mu.Unlock()
	close(r.done)
}

func (c *chunker) collect(ctx context.Context, r *chunkRequest, late time.Duration, visit func([]discord.Member)) (n int, wait time.Duration, err error) {
	seen, announced := map[int]bool{}, -1
	idle := time.NewTimer(late)
	defer idle.Stop()
	for announced < 0 || len(seen) < announced {
		idle.Reset(late)
		select {
		case <-ctx.Done():
			return n, 0, context.Cause(ctx)
		case wait := <-r.limited:
			return 0, max(wait, time.Millisecond), nil
		case <-idle.C:
			return n, 0, fmt.Errorf("%w: %d of %d came", ErrChunksLost, len(seen), announced)
		case chunk := <-r.chunks:
			if seen[chunk.ChunkIndex] {
				continue
			}
			seen[chunk.ChunkIndex], announced = true, chunk.ChunkCount
			n += len(chunk.Members)
			visit(chunk.Members)
		}
	}
	return n, 0, nil
}
