package bot

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gatecamp/audit"
)

// trouble tells people, and the log, what they should know.
func (g *Guild) trouble(code, detail string) {
	g.count.trouble(code)
	g.cfg.Log.Warn("trouble", "guild", g.cfg.Guild, "code", code, "detail", detail)
	g.cfg.Teller.Trouble(g.cfg.Guild, code, detail)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Stats is how a Guild does, and what it did since it was made.
type Stats struct {
	Waiting    int       // members who wait to be looked at
	InHand     int       // who are being looked at
	Ranges     int       // roles whose holders wait
	Oldest     time.Time // since when the first of them waits; zero: nobody does
	ForAuth    int       // who wait until Auth is believed
	AllForAuth bool      // everybody does
	Frozen     bool      // the guild is out of sight
	Queued     int       // runs that wait
	Running    int64     // the run at work; zero: none
	LastEvent  time.Time

	Events     map[string]uint64 // by audit.Why
	Troubles   map[string]uint64 // by code
	Missed     map[string]uint64 // how events that may have been missed were noticed
	Marked     uint64            // members taken in, each once until looked at
	Merged     uint64            // marks that fell on one who waited already
	Overflows  uint64
	Overflowed uint64 // members who were dropped for a look at everybody
	Looks      uint64
	LookedAt   uint64 // members in them
	Failed     uint64 // looks that ended with an error
	CatchUps   uint64 // looks at everybody that we ordered
	GaveUp     uint64
	Fights     uint64

	RoleChanges uint64 // seen by events
	Entries     uint64 // of the audit log about role changes, by events
	CaughtUp    uint64 // entries that the audit log told later
	Unexplained uint64 // role changes without an entry within 10 s

	EventToDone Histogram // from a member's first mark to the end of the look that covered it; overflowed ones are not in it
}

// Histogram counts durations.
type Histogram struct {
	Buckets []float64 // upper bounds in seconds, ascending
	Counts  []uint64  // for each bucket, not added up, and one more for what is longer
	Sum     float64   // seconds
	Count   uint64
}

func newHistogram() Histogram {
	buckets := []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600}
	return Histogram{Buckets: buckets, Counts: make([]uint64, len(buckets)+1)}
}

func (h *Histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(h.Buckets, d.Seconds())
	h.Counts[i]++
	h.Sum += d.Seconds()
	h.Count++
}

// Stats tells how the guild does.
func (g *Guild) Stats() Stats {
	g.absorb()
	s := g.count.snapshot()
	size, counts := g.box.size()
	s.Waiting, s.InHand, s.Ranges, s.Oldest, s.Frozen = size.waiting, size.inHand, size.ranges, size.oldest, size.frozen
	s.Marked, s.Merged, s.Overflows, s.Overflowed = counts.marked, counts.merged, counts.overflows, counts.overflowed
	s.ForAuth, s.AllForAuth = g.wait.size()
	s.Queued, s.Running = g.runner.size()
	return s
}

// counters count; they hold no more than a number for each code.
type counters struct {
	mu       sync.Mutex
	s        Stats // its counts; the rest is filled in when somebody asks
	events   [audit.SessionKept + 1]uint64
	troubles map[string]uint64
	missed   map[string]uint64
	failing  bool // the last look failed
}

func newCounters() *counters {
	return &counters{s: Stats{EventToDone: newHistogram()}, troubles: map[string]uint64{}, missed: map[string]uint64{}}
}

func (c *counters) with(do func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(&c.s)
}

func (c *counters) event(e audit.Event, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Why > 0 && int(e.Why) < len(c.events) {
		c.events[e.Why]++
	}
	if e.Why == audit.MemberChanged && e.Roles {
		c.s.RoleChanges++
	}
	if e.Why == audit.EntryWritten && len(e.Grant.Added)+len(e.Grant.Removed) > 0 {
		c.s.Entries++
	}
	c.s.LastEvent = now
}

// done notes when members were covered who had been marked first at these times.
func (c *counters) done(marked []time.Time) {
	if len(marked) == 0 {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range marked {
		c.s.EventToDone.add(now.Sub(at))
	}
}

func (c *counters) trouble(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.troubles[code]++
}

func (c *counters) miss(how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed[how]++
}

// ended notes how a look ended, and reports whether that is news.
func (c *counters) ended(well bool) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !well {
		c.s.Failed++
	}
	news = c.failing == well
	c.failing = !well
	return news
}

func (c *counters) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.EventToDone.Counts = slices.Clone(s.EventToDone.Counts)
	s.Events, s.Troubles, s.Missed = map[string]uint64{}, maps.Clone(c.troubles), maps.Clone(c.missed)
	for why, n := range c.events {
		if n > 0 {
			s.Events[audit.Why(why).String()] = n
		}
	}
	return s
}
