package discordtest

import (
	"slices"
	"sync"
	"time"
)

// Clock is the time that rate-limit windows, interaction tokens, sessions and audit-log entries obey. Heartbeats and sockets live in real time.
type Clock interface {
	// Now is the present.
	Now() time.Time
	// AfterFunc calls f in a goroutine of its own once d has passed; stop forgets it.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// RealClock is the time of this machine.
type RealClock struct{}

// Now is time.Now.
func (RealClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (RealClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// ManualClock stands still until it is advanced.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer // ascending by due
}

type manualTimer struct {
	due time.Time
	f   func()
}

// NewManualClock is a clock that stands at now.
func NewManualClock(now time.Time) *ManualClock { return &ManualClock{now: now} }

// Now is the time it stands at.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc calls f when Advance reaches now + d; at once if d is not positive.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	if d <= 0 {
		go f()
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &manualTimer{due: c.now.Add(d), f: f}
	at, _ := slices.BinarySearchFunc(c.timers, t, func(a, b *manualTimer) int {
		if a.due.After(b.due) {
			return 1
		}
		return -1
	})
	c.timers = slices.Insert(c.timers, at, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timers = slices.DeleteFunc(c.timers, func(o *manualTimer) bool { return o == t })
	}
}

// Advance moves the clock forward and runs what became due, in order, before it returns.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	until := c.now.Add(d)
	for len(c.timers) > 0 && !c.timers[0].due.After(until) {
		t := c.timers[0]
		c.timers = c.timers[1:]
		c.now = t.due
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
	}
	if until.After(c.now) {
		c.now = until
	}
	c.mu.Unlock()
}
