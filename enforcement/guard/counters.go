package guard

import (
	"context"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"gatecamp/enforcement"
)

// Bounds of what is remembered in process; beyond them the longest idle goes.
const (
	mostSubjects = 50_000
	counterParts = 64
)

// skew is how far the clocks of those who count may be apart: a time that is further ahead than that is an old one, from before the 32
// bits turned.
const skew = time.Minute

// counters hold in process what the rules have counted: one packed value for each subject, with a slot for each rule. The form is that
// of the counters in Redis (package redis), which a test holds against this one.
//
// A slot is its number and the length of what follows, two bytes each, least first; then 4-byte numbers: of Exact the times, oldest
// first; of Interpolated the window's number, its count, the count of the one before; of Fixed its beginning and its count; of Distinct
// pairs of value and time. Times are in milliseconds, without what does not fit into 32 bits.
type counters struct {
	parts [counterParts]counterPart
}

type counterPart struct {
	mu    sync.Mutex
	known map[string]*subject
}

// subject is what was counted about one subject.
type subject struct {
	last   int64 // milliseconds: the newest incident
	window int64 // the longest of its rules' windows
	slots  []byte
}

// idle reports whether nothing of it can matter any more.
func (s *subject) idle(now int64) bool { return now-s.last >= 2*s.window }

func newCounters() *counters {
	c := &counters{}
	for i := range c.parts {
		c.parts[i].known = map[string]*subject{}
	}
	return c
}

func (c *counters) part(subject string) *counterPart { return &c.parts[hash32(subject)%counterParts] }

// hash32 is FNV-1a.
func hash32(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// Count satisfies Counts.
func (c *counters) Count(_ context.Context, at time.Time, tallies []enforcement.Tally) ([]int, error) {
	counted := make([]int, len(tallies))
	for i := range tallies {
		counted[i] = c.count(at.UnixMilli(), &tallies[i])
	}
	return counted, nil
}

func (c *counters) count(now int64, t *enforcement.Tally) int {
	p := c.part(t.Subject)
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.known[t.Subject]
	if s != nil && s.idle(now) {
		delete(p.known, t.Subject)
		s = nil
	}
	if s == nil {
		if t.Read {
			return 0
		}
		if len(p.known) >= mostSubjects/counterParts {
			p.evict()
		}
		s = &subject{}
		p.known[t.Subject] = s
	}
	if !t.Read {
		s.last, s.window = max(s.last, now), max(s.window, millis(t.Window))
	}
	return s.count(now, t)
}

// evict drops the longest idle of a few: the part is full.
func (p *counterPart) evict() {
	oldest, last, looked := "", int64(0), 0
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

// Forget satisfies Counts.
func (c *counters) Forget(_ context.Context, gone string) error {
	for i := range c.parts {
		p := &c.parts[i]
		p.mu.Lock()
		for k := range p.known {
			for part := range strings.SplitSeq(k, together) {
				if part == gone {
					delete(p.known, k)
				}
			}
		}
		p.mu.Unlock()
	}
	return nil
}

// Reachable satisfies Counts.
func (c *counters) Reachable(context.Context) error { return nil }

// together is between subjects that are counted together.
const together = "\x00"

func millis(d time.Duration) int64 { return max(d.Milliseconds(), 1) }

const slotHead = 4

// slot finds where the rule's numbers are; from is -1 if it has none.
func (s *subject) slot(number uint16) (from, to int) {
	for i := 0; i+slotHead <= len(s.slots); {
		n := int(binary.LittleEndian.Uint16(s.slots[i+2:]))
		if binary.LittleEndian.Uint16(s.slots[i:]) == number {
			return i + slotHead, i + slotHead + n
		}
		i += slotHead + n
	}
	return -1, -1
}

// keep replaces the rule's numbers.
func (s *subject) keep(number uint16, from, to int, numbers []byte) {
	if from >= 0 && to-from == len(numbers) {
		copy(s.slots[from:], numbers)
		return
	}
	old := s.slots
	if from >= 0 {
		from -= slotHead
	} else {
		from, to = len(old), len(old)
	}
	// Exactly as much as is needed: most subjects are few incidents long.
	s.slots = make([]byte, 0, len(old)-(to-from)+slotHead+len(numbers))
	s.slots = append(s.slots, old[:from]...)
	s.slots = binary.LittleEndian.AppendUint16(s.slots, number)
	s.slots = binary.LittleEndian.AppendUint16(s.slots, uint16(len(numbers)))
	s.slots = append(s.slots, numbers...)
	s.slots = append(s.slots, old[to:]...)
}

func number(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }

// within reports whether a time is in the window that ends now.
func within(now int64, then uint32, window int64) bool {
	age := int64(int32(uint32(now) - then))
	return age < window && age >= -skew.Milliseconds()
}

// count does one tally and returns how many are in the window now, the present one included.
func (s *subject) count(now int64, t *enforcement.Tally) int {
	from, to := s.slot(t.Slot)
	var was []byte
	if from >= 0 {
		was = s.slots[from:to]
	}
	var room [4 * enforcement.ExactUpTo]byte
	is, n := room[:0], 0
	switch t.Kind {
	case enforcement.Exact:
		is, n = exact(is, was, now, t)
	case enforcement.Interpolated:
		is, n = interpolated(is, was, now, t)
	case enforcement.Fixed:
		is, n = fixed(is, was, now, t)
	case enforcement.Distinct:
		is, n = distinct(is, was, now, t)
	}
	if !t.Read {
		s.keep(t.Slot, from, to, is)
	}
	return n
}

// exact keeps the newest times, as many as are needed.
func exact(is, was []byte, now int64, t *enforcement.Tally) ([]byte, int) {
	n, from := len(was)/4, 0
	for from < n && !within(now, number(was, from), millis(t.Window)) {
		from++
	}
	if t.Read {
		return is, n - from
	}
	if n-from >= t.Need {
		from = n - t.Need + 1
	}
	is = append(is, was[4*from:4*n]...)
	is = binary.LittleEndian.AppendUint32(is, uint32(now))
	return is, len(is) / 4
}

func interpolated(is, was []byte, now int64, t *enforcement.Tally) ([]byte, int) {
	window := millis(t.Window)
	bucket, current, previous := uint32(now/window), uint32(0), uint32(0)
	if len(was) == 12 {
		switch bucket - number(was, 0) {
		case 0:
			current, previous = number(was, 1), number(was, 2)
		case 1:
			previous = number(was, 1)
		}
	}
	if !t.Read {
		current++
	}
	is = binary.LittleEndian.AppendUint32(is, bucket)
	is = binary.LittleEndian.AppendUint32(is, current)
	is = binary.LittleEndian.AppendUint32(is, previous)
	return is, int(current) + int(int64(previous)*(window-now%window)/window)
}

func fixed(is, was []byte, now int64, t *enforcement.Tally) ([]byte, int) {
	start, n := uint32(now), uint32(0)
	if len(was) == 8 && within(now, number(was, 0), millis(t.Window)) {
		start, n = number(was, 0), number(was, 1)
	}
	if !t.Read {
		n++
	}
	is = binary.LittleEndian.AppendUint32(is, start)
	return binary.LittleEndian.AppendUint32(is, n), int(n)
}

// distinct keeps the values seen last, as many as are needed; the one seen longest ago is first.
func distinct(is, was []byte, now int64, t *enforcement.Tally) ([]byte, int) {
	for i := 0; i+1 < len(was)/4; i += 2 {
		if within(now, number(was, i+1), millis(t.Window)) && (t.Read || number(was, i) != t.Value) {
			is = append(is, was[4*i:4*i+8]...)
		}
	}
	if t.Read {
		return is, len(is) / 8
	}
	if len(is)/8 >= t.Need {
		is = is[len(is)-8*(t.Need-1):]
	}
	is = binary.LittleEndian.AppendUint32(is, t.Value)
	is = binary.LittleEndian.AppendUint32(is, uint32(now))
	return is, len(is) / 8
}
