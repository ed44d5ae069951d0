package discord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// UnreadError means that some of the members who were asked for could not be read in time. Nothing is known of any of them.
type UnreadError struct {
	Unread, Of int
	Cause      error
}

func (e *UnreadError) Error() string {
	return fmt.Sprintf("%d of %d members could not be read in time: %v", e.Unread, e.Of, e.Cause)
}

// Unwrap gives the last reason.
func (e *UnreadError) Unwrap() error { return e.Cause }

// namedWithin bounds a read of named members whose caller gives no deadline.
const namedWithin = 10 * time.Second

// Members reads up to MaxNamed members afresh, by id: over the gateway, which costs no REST budget, and one by one where the gateway's
// share is used up or its answer is late. Who is not there is missing from the answer; whoever cannot be read before the context's
// deadline makes it an *UnreadError.
func (g *Guild) Members(ctx context.Context, ids []snowflake.ID) (_ audit.Guild, _ []audit.Member, err error) {
	if len(ids) > MaxNamed {
		return audit.Guild{}, nil, problem.Usagef("%d members were named, and Discord takes %d at once", len(ids), MaxNamed)
	}
	defer wrap.Err(&err, "read %d members of guild %d", len(ids), g.id)
	if _, bounded := ctx.Deadline(); !bounded {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, namedWithin)
		defer end()
	}
	if err := g.ready(ctx); err != nil {
		return audit.Guild{}, nil, err
	}
	if err := g.refresh(ctx); err != nil {
		return audit.Guild{}, nil, err
	}
	now, err := g.named(ctx, ids)
	if err != nil {
		return audit.Guild{}, nil, err
	}
	guild, members := g.m.facts(now)
	slices.SortFunc(members, func(a, b audit.Member) int { return cmp.Compare(a.ID, b.ID) })
	return guild, slices.CompactFunc(members, func(a, b audit.Member) bool { return a.ID == b.ID }), nil
}

// named reads members by whatever way is open.
func (g *Guild) named(ctx context.Context, ids []snowflake.ID) ([]discord.Member, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	to, err := g.c.asks(g.id, (*sendBudget).takeNamed)
	if err == nil {
		var members []discord.Member
		if members, err = g.c.chunks.some(ctx, to, g.id, ids); err == nil {
			return members, nil
		}
		if early, ok := errors.AsType[*earlyError](err); ok {
			g.c.onShard(g.shard(), func(s *shardState) { s.sends.until = time.Now().Add(early.wait) })
		}
	}
	if ctx.Err() != nil {
		return nil, &UnreadError{Unread: len(ids), Of: len(ids), Cause: context.Cause(ctx)}
	}
	return g.singly(ctx, ids)
}

// singlyAtOnce is how many single reads are under way at one time: Discord allows five a second.
const singlyAtOnce = 5

// singly reads members one by one.
func (g *Guild) singly(ctx context.Context, ids []snowflake.ID) (members []discord.Member, err error) {
	var mu sync.Mutex
	unread := UnreadError{Of: len(ids)}
	var all sync.WaitGroup
	next := make(chan snowflake.ID)
	for range min(singlyAtOnce, len(ids)) {
		all.Go(func() {
			for id := range next {
				m, err := g.one(ctx, id)
				mu.Lock()
				if members = append(members, m...); err != nil {
					unread.Unread++
					unread.Cause = err
				}
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	all.Wait()
	if unread.Unread > 0 {
		return members, &unread
	}
	return members, nil
}

// one reads one member, or nobody where they are not in the guild.
func (g *Guild) one(ctx context.Context, id snowflake.ID) ([]discord.Member, error) {
	m, err := g.c.bot.Rest.GetMember(g.id, id, rest.WithCtx(ctx))
	switch {
	case rest.IsJSONErrorCode(err, rest.JSONErrorCodeUnknownMember, rest.JSONErrorCodeUnknownUser):
		return nil, nil
	case err != nil:
		return nil, g.c.explain(err)
	}
	return []discord.Member{*m}, nil
}

// errNoShare means that a shard has sent all it may for now.
var errNoShare = errors.New("the gateway's share of requests is used up for this minute")

// asks is the connection of a guild's shard, with one send of a share taken.
func (c *Client) asks(guild snowflake.ID, share func(*sendBudget, time.Time) bool) (gateway.Gateway, error) {
	to, err := c.gatewayOf(guild)
	if err != nil {
		return nil, err
	}
	taken := false
	c.onShard(c.ShardOf(guild), func(s *shardState) { taken = share(&s.sends, time.Now()) })
	if !taken {
		return nil, errNoShare
	}
	return to, nil
}
