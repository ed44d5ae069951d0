package main

import (
	"runtime/debug"

	"gatecamp/config"
	"gatecamp/discord"
	"gatecamp/enforcement/guard"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/redis"
	"gatecamp/storage/sqlite"
)

// openStream lets the guard hear of blocks that other processes change, consoles too: from the database, and from Redis where there is
// one, which has copies and counters as well.
func (s *server) openStream() error {
	news, fleet, end, err := fleetOf(&s.cfg, s.db)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, end)
	s.guarding.stream = news
	if fleet != nil {
		s.guarding.copies, s.guarding.counts = fleet, fleet
	}
	return nil
}

// fleetOf is how processes hear of each other's blocks. Without a Redis there is no fleet. The last function ends its connections.
func fleetOf(cfg *config.Config, db storage.Store) (news guard.Stream, fleet *redis.Fleet, end func() error, err error) {
	var all guard.Streams
	if of := blockStream(db); of != nil {
		all = append(all, of)
	}
	end = func() error { return nil }
	if cfg.RedisURL.IsSet() {
		r, err := redis.Open(cfg.RedisURL)
		if err != nil {
			return nil, nil, nil, err
		}
		fleet, end = r.Fleet(discord.BotOf(cfg.DiscordToken).String()), r.Close
		all = append(all, fleet.Stream())
	}
	if len(all) == 0 {
		return nil, nil, end, nil
	}
	return all, fleet, end, nil
}

// blockStream is how a database tells of blocks; nil if it does not.
func blockStream(db storage.Store) guard.Stream {
	switch d := db.(type) {
	case *sqlite.Store:
		return d.BlockStream()
	case *postgres.Store:
		return d.BlockStream()
	}
	return nil
}

// leanly reads much that stays with little that does not: the collector works harder meanwhile, unless somebody set GOGC.
func leanly(read func() error) error {
	const usual, harder = 100, 25
	if before := debug.SetGCPercent(harder); before != usual {
		debug.SetGCPercent(before)
		return read()
	}
	defer debug.SetGCPercent(usual)
	return read()
}
