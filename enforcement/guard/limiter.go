package guard

import (
	"slices"
	"strings"
	"sync"
	"time"

	"gatecamp/enforcement"
)

// A flood of like events becomes its first lines and a count.
const (
	likeEvents   = 3
	likeWithin   = time.Minute
	mostRemember = 10_000
)

type limiter struct {
	mu    sync.Mutex
	known map[string]*told
	swept time.Time
}

type told struct {
	since      time.Time
	n          int
	suppressed int
	last       enforcement.Event // the newest that was only counted
}

func newLimiter() *limiter { return &limiter{known: map[string]*told{}} }

// admit reports whether an event is told, and puts into it how many like it were not since the last one.
func (l *limiter) admit(like string, e *enforcement.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.known[like]
	if t == nil {
		if len(l.known) >= mostRemember && e.At.Sub(l.swept) >= time.Second {
			l.swept = e.At
			l.drop(e.At)
		}
		if len(l.known) >= mostRemember {
			like = e.Type.String() // more different ones than can be told apart are counted together
			t = l.known[like]
		}
		if t == nil {
			t = &told{since: e.At}
			l.known[like] = t
		}
	}
	if e.At.Sub(t.since) >= likeWithin {
		t.since, t.n = e.At, 0
	}
	if t.n++; t.n > likeEvents {
		t.suppressed++
		t.last = *e
		return false
	}
	e.Suppressed, t.suppressed = t.suppressed, 0
	return true
}

// drop forgets whose time is over and who has nothing left to tell.
func (l *limiter) drop(now time.Time) {
	for like, t := range l.known {
		if t.suppressed == 0 && now.Sub(t.since) >= likeWithin {
			delete(l.known, like)
		}
	}
}

// due gives a summary for each flood whose minute is over, and for every one if it is the last time; so that a flood that has ended is
// told too.
func (l *limiter) due(now time.Time, last bool) []enforcement.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []enforcement.Event
	for like, t := range l.known {
		if !last && now.Sub(t.since) < likeWithin {
			continue
		}
		if t.suppressed > 0 {
			e := t.last
			e.Suppressed, e.Summary = t.suppressed, true
			all = append(all, e)
		}
		delete(l.known, like)
	}
	slices.SortFunc(all, func(a, b enforcement.Event) int { return a.At.Compare(b.At) })
	return all
}

type markKey struct {
	rule    int
	subject string
}

// marks remember until when a rule is silent about a subject.
type marks struct {
	mu    sync.Mutex
	until map[markKey]time.Time
}

func newMarks() *marks { return &marks{until: map[markKey]time.Time{}} }

// silent reports whether the rule is silent about the subject now.
func (m *marks) silent(rule int, subject string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, known := m.until[markKey{rule, subject}]
	return known && now.Before(until)
}

// first reports whether the rule is not silent about the subject, and makes it so until the time.
func (m *marks) first(rule int, subject string, now, until time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := markKey{rule, subject}
	if old, known := m.until[k]; known && now.Before(old) {
		return false
	}
	if !until.After(now) {
		return true
	}
	if len(m.until) >= mostRemember {
		for k, u := range m.until {
			if !now.Before(u) {
				delete(m.until, k)
			}
		}
	}
	m.until[k] = until
	return true
}

func (m *marks) forget(subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.until {
		for part := range strings.SplitSeq(k.subject, together) {
			if part == subject {
				delete(m.until, k)
			}
		}
	}
}
