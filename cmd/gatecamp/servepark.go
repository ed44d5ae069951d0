package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// parking is what the owner of a shard leaves for whoever owns it next: the session with Discord, and the guilds that it showed, since
// a session that is resumed does not show them again.
type parking struct {
	Guilds  []snowflake.ID  `json:"guilds"`
	Session discord.Session `json:"session"`
	At      time.Time       `json:"-"`
}

// Where what is left is found.
const (
	routesName = "discord.routes" // which of Discord's routes share a rate limit, so that a restart need not find out again
	shardsName = "gateway.shards" // how many there are, for consoles
)

func sessionName(shard int) string { return fmt.Sprintf("gateway.session.%d", shard) }

const (
	// sessionLasts is how long Discord keeps a session that nobody is connected to, carefully counted (docs: events/gateway, Resuming).
	sessionLasts = 2 * time.Minute
	// sessionEvery is how often it is left, so that one can be resumed after a crash too: what came since is then told once more.
	sessionEvery = 15 * time.Second
)

// resumable is the session, if it can still be resumed.
func (p parking) resumable(now time.Time) discord.Session {
	if age := now.Sub(p.At); age < 0 || age > sessionLasts {
		return discord.Session{}
	}
	return p.Session
}

// parked reads what the owner before left.
func (t *tenure) parked(ctx context.Context) (p parking, err error) {
	defer wrap.Err(&err, "read what the owner before left")
	value, at, err := t.db.Recall(ctx, 0, sessionName(t.lease.Shard))
	if errors.Is(err, storage.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if json.Unmarshal(value, &p) != nil { // another version's
		return parking{}, nil
	}
	p.At = at
	return p, nil
}

// keepSession leaves the session now and then.
func (t *tenure) keepSession(ctx context.Context) error {
	for wait(ctx, sessionEvery) == nil {
		if session, open := t.client.Sessions()[t.lease.Shard]; open {
			if err := t.park(ctx, session); err != nil && ctx.Err() == nil {
				t.log.WarnContext(ctx, "the session was not kept", "error", err)
			}
		}
	}
	return nil
}

// leaveWithin is how long it may take to part from Discord in order.
const leaveWithin = 10 * time.Second

// close ends the shard's connection. Its session is left to the next owner where the process was told to stop; a connection that was
// given up has no good one, and a lost lease has a new owner with a session of their own.
func (t *tenure) close(ctx context.Context) error {
	why := context.Cause(ctx)
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer end()
	session := t.client.CloseShard(ctx, t.lease.Shard)
	switch _, told := errors.AsType[*signalError](why); {
	case errors.Is(why, storage.ErrFenced):
		return nil
	case told || errors.Is(why, context.Canceled):
		return t.park(ctx, session)
	}
	return t.db.Forget(ctx, 0, sessionName(t.lease.Shard))
}

func (t *tenure) park(ctx context.Context, session discord.Session) (err error) {
	defer wrap.Err(&err, "keep the session with Discord")
	if session.ID == "" {
		return nil
	}
	p := parking{Session: session}
	for _, h := range t.all() {
		p.Guilds = append(p.Guilds, h.id)
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return t.db.Remember(ctx, 0, sessionName(t.lease.Shard), value, t.now().UTC())
}

func (s *server) keptRoutes(ctx context.Context) (routes map[string]string, err error) {
	value, _, err := s.db.Recall(ctx, 0, routesName)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing is known yet, and nothing is wrong
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(value, &routes) != nil {
		routes = nil // they are found out again
	}
	return routes, nil
}

func (s *server) keepRoutes(ctx context.Context, routes map[string]string) error {
	value, err := json.Marshal(routes)
	if err != nil || len(routes) == 0 {
		return err
	}
	return s.db.Remember(ctx, 0, routesName, value, s.now().UTC())
}

func (s *server) keepShardCount(ctx context.Context, n int) error {
	value, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.db.Remember(ctx, 0, shardsName, value, s.now().UTC())
}

// shardOf is the shard of a guild, as far as a console knows: one where no process has ever served.
func (s *session) shardOf(ctx context.Context, guild snowflake.ID) (int, error) {
	value, _, err := s.db.Recall(ctx, 0, shardsName)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var n int
	if err := json.Unmarshal(value, &n); err != nil {
		return 0, err
	}
	return discord.ShardOf(guild, max(n, 1)), nil
}
