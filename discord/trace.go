package discord

import (
	"maps"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// trace is what is known of one member around a write: the roles that a read showed, and every event since it was asked for.
type trace struct {
	asked  time.Time
	roles  []snowflake.ID // as read; nil: not read
	readAt time.Time
	seen   []sighting
	blind  bool // events may have been missed since
	wake   chan struct{}
}

// sighting is one event about the member.
type sighting struct {
	roles []snowflake.ID
	left  bool
}

const (
	youngRead  = 2 * time.Second // how old a read may be that a whole array of roles is written on the strength of
	tracesLast = time.Minute
	tracesMost = 256 // beyond it, old ones are forgotten
)

// follow begins to watch a member anew.
func (m *mirror) follow(member snowflake.ID) *trace {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if len(m.traces) >= tracesMost {
		maps.DeleteFunc(m.traces, func(_ snowflake.ID, t *trace) bool { return now.Sub(t.asked) > tracesLast })
	}
	t := &trace{asked: now, wake: make(chan struct{})}
	m.traces[member] = t
	return t
}

// note keeps what a read that was asked for after follow has shown.
func (m *mirror) note(t *trace, roles []snowflake.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.roles, t.readAt = slices.Clone(roles), time.Now()
	if t.roles == nil {
		t.roles = []snowflake.ID{}
	}
}

// fresh is the member's trace if its read is young and nothing was heard of the member since, else nil.
func (m *mirror) fresh(member snowflake.ID) *trace {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.traces[member]
	if t == nil || t.roles == nil || t.blind || len(t.seen) > 0 || time.Since(t.asked) > youngRead {
		return nil
	}
	return t
}

// saw is told by the mirror, which holds its lock; a nil trace is nobody watching.
func (t *trace) saw(s sighting) {
	if t == nil {
		return
	}
	t.seen = append(t.seen, s)
	close(t.wake)
	t.wake = make(chan struct{})
}

// heard returns what was heard from the nth event on, and what closes at the next.
func (m *mirror) heard(t *trace, n int) ([]sighting, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return t.seen[n:], t.wake
}

// await looks for an event from the nth on that fits, at most for so long.
func (g *Guild) await(t *trace, n int, within time.Duration, fits func(sighting) bool) (sighting, bool) {
	limit := time.NewTimer(within)
	defer limit.Stop()
	for {
		seen, next := g.m.heard(t, n)
		for _, s := range seen {
			if fits(s) {
				return s, true
			}
		}
		n += len(seen)
		select {
		case <-next:
		case <-limit.C:
			return sighting{}, false
		case <-g.c.quit:
			return sighting{}, false
		}
	}
}
