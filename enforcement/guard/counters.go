package guard

import (
	"strings"
	"sync"
	"time"

	"gatecamp/enforcement"
)

// exactUpTo is the threshold up to which sliding windows are exact; above it they are interpolated between two buckets.
const exactUpTo = 32

// Bounds of what is remembered in process; beyond them the longest idle goes.
const (
	mostCounters = 200_000
	counterParts = 64
)

// count is the state of one rule about one subject.
type count struct {
	last int64 // microseconds: the newest incident

	ring []uint32 // exact: times in milliseconds since the counters began, oldest first from head
	head uint16
	used uint16

	bucket            int64 // interpolated: the window's number; fixed: when it began, in microseconds
	current, previous uint32

	values map[string]int64 // distinct: when each was seen last
}

// idle reports whether nothing of the state can matter any more.
func (s *count) idle(now, window int64) bool { return now-s.last >= 2*window }

// counters hold what the rules have counted, by rule and subject.
type counters struct {
	began int64
	parts [counterParts]counterPart
}

type counterPart struct {
	mu    sync.Mutex
	known map[counterKey]*count
}

type counterKey struct {
	rule    int
	subject string
}

func newCounters(at time.Time) *counters {
	c := &counters{began: at.UnixMicro()}
	for i := range c.parts {
		c.parts[i].known = map[counterKey]*count{}
	}
	return c
}

func (c *counters) part(subject string) *counterPart {
	h := uint32(2166136261) // FNV-1a
	for i := range len(subject) {
		h = (h ^ uint32(subject[i])) * 16777619
	}
	return &c.parts[h%counterParts]
}

// add counts one incident and returns how many are in the window now, the present one included. Above need it may be too low, never
// below it. Adding nothing (read) returns what was counted before.
func (c *counters) add(rule int, subject string, n *enforcement.Count, need int, value string, at time.Time, read bool) int {
	p := c.part(subject)
	p.mu.Lock()
	defer p.mu.Unlock()
	k, now, window := counterKey{rule, subject}, at.UnixMicro(), n.Window.Microseconds()
	s := p.known[k]
	if s != nil && s.idle(now, window) {
		delete(p.known, k)
		s = nil
	}
	if s == nil {
		if read {
			return 0
		}
		if len(p.known) >= mostCounters/counterParts {
			p.evict()
		}
		s = &count{}
		p.known[k] = s
	}
	if !read {
		s.last = max(s.last, now)
	}
	switch {
	case n.Distinct != "":
		return s.distinct(value, now, window, need, read)
	case n.Fixed:
		return s.fixed(now, window, read)
	case need <= exactUpTo:
		return s.exact(uint32((now-c.began)/1000), uint32(n.Window.Milliseconds()), need, read)
	}
	return s.interpolated(now, window, read)
}

// evict drops the longest idle of a few: the part is full.
func (p *counterPart) evict() {
	var oldest counterKey
	var last int64
	looked := 0
	for k, s := range p.known {
		if looked == 0 || s.last < last {
			oldest, last = k, s.last
		}
		if looked++; looked == 16 {
			break
		}
	}
	delete(p.known, oldest)
}

// exact keeps the newest times in a ring. Differences of times survive the turn of the 32 bits: windows are shorter than half of it.
func (s *count) exact(now, window uint32, need int, read bool) int {
	for s.used > 0 && now-s.ring[s.head] >= window {
		s.head = (s.head + 1) % uint16(len(s.ring))
		s.used--
	}
	if read {
		return int(s.used)
	}
	if int(s.used) == len(s.ring) {
		if len(s.ring) < need {
			s.grow(need)
		} else {
			s.head = (s.head + 1) % uint16(len(s.ring))
			s.used--
		}
	}
	s.ring[(s.head+s.used)%uint16(len(s.ring))] = now
	s.used++
	return int(s.used)
}

// grow doubles the ring, up to what is needed: most subjects never come near the threshold.
func (s *count) grow(need int) {
	bigger := make([]uint32, min(need, max(4, 2*len(s.ring))))
	for i := range s.used {
		bigger[i] = s.ring[(s.head+i)%uint16(len(s.ring))]
	}
	s.ring, s.head = bigger, 0
}

// interpolated counts in whole windows and takes from the one before as much as the sliding window still covers.
func (s *count) interpolated(now, window int64, read bool) int {
	b := now / window
	current, previous := s.current, s.previous
	switch b - s.bucket {
	case 0:
	case 1:
		current, previous = 0, current
	default:
		current, previous = 0, 0
	}
	if !read {
		current++
		s.bucket, s.current, s.previous = b, current, previous
	}
	left := window - now%window
	return int(current) + int(int64(previous)*left/window)
}

// fixed counts from the first incident of a window on.
func (s *count) fixed(now, window int64, read bool) int {
	if s.current == 0 || now-s.bucket >= window {
		if read {
			return 0
		}
		s.bucket, s.current = now, 0
	}
	if !read {
		s.current++
	}
	return int(s.current)
}

// distinct remembers when each value was seen last, of as many as are needed.
func (s *count) distinct(value string, now, window int64, need int, read bool) int {
	for v, seen := range s.values {
		if now-seen >= window {
			delete(s.values, v)
		}
	}
	if read {
		return len(s.values)
	}
	if s.values == nil {
		s.values = map[string]int64{}
	}
	if _, known := s.values[value]; !known && len(s.values) >= need {
		oldest, first := "", true
		for v, seen := range s.values {
			if first || seen < s.values[oldest] {
				oldest, first = v, false
			}
		}
		delete(s.values, oldest)
	}
	s.values[value] = now
	return len(s.values)
}

// forget drops everything counted about a subject, alone or together with others.
func (c *counters) forget(subject string) {
	for i := range c.parts {
		p := &c.parts[i]
		p.mu.Lock()
		for k := range p.known {
			for part := range strings.SplitSeq(k.subject, "\x00") {
				if part == subject {
					delete(p.known, k)
				}
			}
		}
		p.mu.Unlock()
	}
}
