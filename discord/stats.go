package discord

import (
	"cmp"
	"maps"
	"net/http"
	"time"

	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
)

// Stats is what a Client counted since it was made.
type Stats struct {
	Shards         map[int]ShardStats // that are open or were
	IdentifiesLeft int                // new sessions that Discord still allows today; below zero: nobody knows
	Requests       RequestStats
	Guilds         map[string]int // by how they stand: "complete", "incomplete", "unavailable"
}

// ShardStats is what one shard counted; times are zero where nothing came yet.
type ShardStats struct {
	Open     bool
	Events   map[string]uint64 // by type
	Lost     uint64            // events whose number never came
	Sessions uint64            // new ones
	Resumes  uint64
	Cuts     uint64        // connections after the first
	Acked    time.Time     // the last answer to a heartbeat
	Heard    time.Time     // the last event
	Latency  time.Duration // of the last heartbeat
	Longest  time.Duration // that one event kept the goroutine which reads the socket
	Late     uint64        // events that kept it longer than 10 ms
}

// RequestStats is what was sent over REST.
type RequestStats struct {
	Answers map[Answer]uint64
	TooMany map[string]uint64 // answers of 429 by X-RateLimit-Scope; "none" where Discord names none
	Invalid int               // answers of 401, 403 and 429 in the last ten minutes; at 10,000 Discord bans the address
	Waits   uint64            // requests that had to wait for their turn
	Waited  time.Duration     // all of them together
	Longest time.Duration     // the longest of them
	Buckets int               // known now
}

// Answer is a class of requests, and how they were answered.
type Answer struct {
	Route  string // method and template, such as "DELETE /guilds/{guild.id}/members/{user.id}"
	Status int    // 0: no answer
}

// Stats tells what was counted.
func (c *Client) Stats() Stats {
	s := Stats{Shards: map[int]ShardStats{}, IdentifiesLeft: c.identify.remaining(), Requests: c.limiter.stats(), Guilds: map[string]int{}}
	c.mu.Lock()
	guilds := make([]*Guild, 0, len(c.guilds))
	for _, g := range c.guilds {
		guilds = append(guilds, g)
	}
	for id, sh := range c.shards {
		one := sh.stats
		one.Open, one.Events = sh.open, maps.Clone(sh.stats.Events)
		s.Shards[id] = one
	}
	c.mu.Unlock()
	for _, g := range guilds {
		switch {
		case !g.Visible():
			s.Guilds["unavailable"]++
		case g.m.isComplete():
			s.Guilds["complete"]++
		default:
			s.Guilds["incomplete"]++
		}
	}
	return s
}

// heard counts an event, or the answer to a heartbeat.
func (s *ShardStats) heard(t gateway.EventType, latency time.Duration) {
	now := time.Now()
	if t == gateway.EventTypeHeartbeatAck {
		s.Acked = now
		if latency > 0 {
			s.Latency = latency
		}
		return
	}
	s.Heard = now
	if s.Events == nil {
		s.Events = map[string]uint64{}
	}
	s.Events[string(t)]++
}

// readerMayWait is how long an event may keep the goroutine that reads the socket.
const readerMayWait = 10 * time.Millisecond

// took notes how long an event kept the goroutine that reads a shard's socket.
func (c *Client) took(shard int, d time.Duration) {
	c.onShard(shard, func(s *shardState) {
		s.stats.Longest = max(s.stats.Longest, d)
		if d > readerMayWait {
			s.stats.Late++
		}
	})
}

// Pulse says when a shard last gave a sign of life.
type Pulse struct {
	Shard      int
	Ack, Event time.Time
}

// Pulses are the signs of life of the shards that are open.
func (c *Client) Pulses() (list []Pulse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range c.shards {
		if s.open {
			list = append(list, Pulse{Shard: id, Ack: s.stats.Acked, Event: s.stats.Heard})
		}
	}
	return list
}

// noticeable is the least wait that counts as one: below it a request went at once.
const noticeable = 5 * time.Millisecond

// waited counts how long a request had to wait for its turn.
func (l *Limiter) waited(took time.Duration) {
	if took < noticeable {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Waits++
	l.counts.Waited += took
	l.counts.Longest = max(l.counts.Longest, took)
}

// counted counts an answer, or none; mu is held.
func (l *Limiter) counted(e *rest.CompiledEndpoint, rs *http.Response) {
	if l.counts.Answers == nil {
		l.counts.Answers, l.counts.TooMany = map[Answer]uint64{}, map[string]uint64{}
	}
	a := Answer{Route: route(e)}
	if rs != nil {
		a.Status = rs.StatusCode
	}
	l.counts.Answers[a]++
	l.hear(rs)
	if a.Status == http.StatusTooManyRequests {
		l.counts.TooMany[cmp.Or(rs.Header.Get("X-RateLimit-Scope"), "none")]++
	}
}

// hear notes what time it is at Discord; mu is held.
func (l *Limiter) hear(rs *http.Response) {
	if rs == nil {
		return
	}
	if at, err := http.ParseTime(rs.Header.Get("Date")); err == nil {
		l.theirs, l.heard = at, time.Now()
	}
}

// Clock is what time it is by Discord's clock, to the second; zero if Discord has not said so yet. Time that passes is measured and not
// read from our clock, so that a jump of ours shows.
func (c *Client) Clock() time.Time {
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.theirs.IsZero() {
		return time.Time{}
	}
	return l.theirs.Add(time.Since(l.heard))
}

func (l *Limiter) stats() RequestStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetInvalid(time.Now())
	s := l.counts
	s.Answers, s.TooMany, s.Invalid, s.Buckets = maps.Clone(l.counts.Answers), maps.Clone(l.counts.TooMany), len(l.invalid), len(l.buckets)
	return s
}
