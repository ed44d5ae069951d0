package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// parking is what a process leaves for the next start: the session with Discord, the guilds that it saw, and which of Discord's routes
// share a rate limit.
type parking struct {
	Routes  map[string]string `json:"-"`
	Guilds  []snowflake.ID    `json:"guilds"`
	Session discord.Session   `json:"session"`
	At      time.Time         `json:"-"`
}

// Where it is left. A session is good for one start.
const (
	routesName  = "discord.routes"
	sessionName = "gateway.session.0"
)

// sessionLasts is how long Discord keeps a session that nobody is connected to, carefully counted (docs: events/gateway, Resuming).
const sessionLasts = 2 * time.Minute

// resumable is the session, if it can still be resumed.
func (p parking) resumable(now time.Time) discord.Session {
	if age := now.Sub(p.At); age < 0 || age > sessionLasts {
		return discord.Session{}
	}
	return p.Session
}

// parked reads what an earlier process left, and takes the session away: whoever fails to resume it begins a new one.
func (s *server) parked(ctx context.Context) (p parking, err error) {
	defer wrap.Err(&err, "read what an earlier process left")
	for _, part := range []struct {
		name string
		into any
		at   *time.Time
	}{{routesName, &p.Routes, new(time.Time)}, {sessionName, &p, &p.At}} {
		value, at, err := s.db.Recall(ctx, 0, part.name)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return p, err
		}
		if json.Unmarshal(value, part.into) == nil { // else it is another version's, and found out again
			*part.at = at
		}
	}
	return p, s.db.Forget(ctx, 0, sessionName)
}

// park leaves it.
func (s *server) park(ctx context.Context, p parking) (err error) {
	defer wrap.Err(&err, "keep the session with Discord")
	routes, err := json.Marshal(p.Routes)
	if err != nil {
		return err
	}
	session, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if len(p.Routes) > 0 {
		err = s.db.Remember(ctx, 0, routesName, routes, p.At)
	}
	if err == nil && p.Session.ID != "" {
		err = s.db.Remember(ctx, 0, sessionName, session, p.At)
	}
	return err
}
