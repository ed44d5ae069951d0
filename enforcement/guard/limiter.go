package guard

import (
	"strings"
	"sync"
	"time"
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
}

type told struct {
	since      time.Time
	n          int
	suppressed int
}

func newLimiter() *limiter { return &limiter{known: map[string]*told{}} }

// admit reports whether an event is told, and how many like it were not since the last one.
func (l *limiter) admit(like string, at time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.known[like]
	if t == nil {
		if len(l.known) >= mostRemember {
			clear(l.known)
		}
		t = &told{since: at}
		l.known[like] = t
	}
	if at.Sub(t.since) >= likeWithin {
		t.since, t.n = at, 0
	}
	if t.n++; t.n > likeEvents {
		t.suppressed++
		return 0, false
	}
	suppressed, t.suppressed = t.suppressed, 0
	return suppressed, true
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
