package bot

import (
	"container/heap"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// mostNamed is the most members that one look takes: Discord reads as many in one request (docs: events/gateway-events).
const mostNamed = 100

// mark is a member who waits to be looked at.
type mark struct {
	member      snowflake.ID
	first, last time.Time // when they were marked
	due         time.Time
	tries       int            // looks that went wrong since the last event
	urgent      bool           // no quiet time, and before all others
	asked       bool           // whether they are urgent is about to be asked
	given       []snowflake.ID // roles that entries of the audit log say they were given since
	place       int            // in the heap; aside: in hand, and due again afterwards
}

const aside = -1

// rangeMark is a role whose holders wait to be looked at, all as one.
type rangeMark struct {
	first, due time.Time
	deleted    bool // then nobody holds it any more, and its findings say who did
}

// inbox keeps who waits, bounded and merged. It never waits for anything but its own lock, which nobody holds for long.
type inbox struct {
	quiet, longest time.Duration
	bound          int

	mu      sync.Mutex
	closed  bool
	frozen  bool
	marks   map[snowflake.ID]*mark
	heap    marks
	hand    map[snowflake.ID]struct{} // being looked at
	unasked []snowflake.ID            // marked since somebody asked whether they are urgent
	roles   map[snowflake.ID]rangeMark
	entries []audit.Event // of the audit log, to be kept before the look that they caused
	lost    bool          // entries were dropped: the audit log has them still
	dropped int           // members who were dropped since overflown was asked
	counts  inboxCounts
}

type inboxCounts struct {
	marked, merged, overflowed, overflows uint64
}

func newInbox(cfg Config) *inbox {
	return &inbox{
		quiet: cfg.Quiet, longest: cfg.Longest, bound: cfg.Bound,
		marks: map[snowflake.ID]*mark{}, hand: map[snowflake.ID]struct{}{}, roles: map[snowflake.ID]rangeMark{},
	}
}

// close takes nothing in any more.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// freeze stops that anything is taken out.
func (b *inbox) freeze() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen = true
}

// thaw ends that, and reports whether it was so.
func (b *inbox) thaw() (was bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, b.frozen = b.frozen, false
	return was
}

func (b *inbox) isFrozen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.frozen
}

// granted are roles that entries which wait say a member was given.
func (b *inbox) granted(member snowflake.ID) (roles []snowflake.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.marks[member]; m != nil {
		roles, m.given = m.given, nil
	}
	return roles
}

// event marks a member after an event: they wait for quiet.
func (b *inbox) event(id snowflake.ID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(id, now, true)
}

// entry marks a member whom an entry of the audit log is about, and keeps the entry.
func (b *inbox) entry(e audit.Event, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if len(b.entries) >= b.bound {
		b.lost = true
	} else {
		b.entries = append(b.entries, e)
	}
	b.put(e.Member, now, true)
	if m := b.marks[e.Member]; m != nil && len(m.given) < mostGiven {
		m.given = append(m.given, e.Grant.Added...)
	}
}

// mostGiven is how many roles are kept of one who waits; what they hold by then says the rest.
const mostGiven = 50

// prompt marks members who need no quiet.
func (b *inbox) prompt(ids []snowflake.ID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.put(id, now, false)
	}
}

// urgent marks members who need no quiet and go before all others.
func (b *inbox) urgent(ids []snowflake.ID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.put(id, now, false)
		if m := b.marks[id]; m != nil && !m.urgent {
			m.urgent = true
			b.settle(m, now)
		}
	}
}

func (b *inbox) put(id snowflake.ID, now time.Time, quiet bool) {
	if b.closed || id == 0 {
		return
	}
	m := b.marks[id]
	if m == nil {
		b.makeRoom()
		m = &mark{member: id, first: now, place: aside}
		b.marks[id] = m
		b.counts.marked++
	} else {
		b.counts.merged++
	}
	m.last, m.tries = now, 0
	if quiet && !m.asked && !m.urgent {
		m.asked = true
		b.unasked = append(b.unasked, id)
	}
	due := now
	if quiet && !m.urgent {
		due = now.Add(b.quiet)
		if end := m.first.Add(b.longest); end.Before(due) {
			due = end
		}
	}
	b.settle(m, due)
}

// makeRoom lets everybody go who is not urgent, and if those alone are too many, everybody: a look at all stands for them.
func (b *inbox) makeRoom() {
	if len(b.marks) < b.bound {
		return
	}
	before := len(b.marks)
	b.drop(func(m *mark) bool { return !m.urgent })
	if len(b.marks) >= b.bound {
		b.drop(func(*mark) bool { return true })
	}
	b.dropped += before - len(b.marks)
	b.counts.overflowed += uint64(before - len(b.marks)) //nolint:gosec // never negative
	b.counts.overflows++
}

// drop keeps the marks that do not go. It begins a new list with them: to take thousands out of the old one, one by one, would keep the
// goroutine that reads the gateway.
func (b *inbox) drop(goes func(*mark) bool) {
	kept := map[snowflake.ID]*mark{}
	var list marks
	for _, m := range b.heap {
		if goes(m) {
			continue
		}
		m.place = len(list)
		list, kept[m.member] = append(list, m), m
	}
	for id := range b.hand { // who is marked again while in hand is in no heap
		if m := b.marks[id]; m != nil && m.place == aside && !goes(m) {
			kept[id] = m
		}
	}
	b.marks, b.heap = kept, list
	heap.Init(&b.heap)
}

// settle gives a mark its time and its place.
func (b *inbox) settle(m *mark, due time.Time) {
	m.due = due
	if _, is := b.hand[m.member]; is {
		return
	}
	if m.place == aside {
		heap.Push(&b.heap, m)
		return
	}
	heap.Fix(&b.heap, m.place)
}

// overflown says how many members were dropped since it was last asked.
func (b *inbox) overflown() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.dropped
	b.dropped = 0
	return n
}

// ask gives those of whom nobody knows yet whether they are urgent.
func (b *inbox) ask() []snowflake.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := b.unasked
	b.unasked = nil
	for _, id := range ids {
		if m := b.marks[id]; m != nil {
			m.asked = false
		}
	}
	return ids
}

// hurry makes a member urgent, if they still wait.
func (b *inbox) hurry(id snowflake.ID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.marks[id]; m != nil && !m.urgent {
		m.urgent = true
		b.settle(m, now)
	}
}

// again marks a member whose look went wrong, or is to be repeated, unless they are marked already. Whoever waits for another try
// is not urgent any more: they must not stand before those who are.
func (b *inbox) again(id snowflake.ID, now, due time.Time, tries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.marks[id] != nil {
		return
	}
	b.makeRoom()
	m := &mark{member: id, first: now, last: now, tries: tries, place: aside}
	b.marks[id] = m
	b.settle(m, due)
}

// holders marks everybody who holds a role, as one.
func (b *inbox) holders(role snowflake.ID, deleted bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	r, known := b.roles[role]
	if !known {
		r.first = now
	}
	r.deleted = r.deleted || deleted
	r.due = now.Add(b.quiet)
	if end := r.first.Add(b.longest); end.Before(r.due) {
		r.due = end
	}
	b.roles[role] = r
}

// ranges takes the roles whose time has come; next is when the first of the others is due, zero: there is none.
func (b *inbox) ranges(now time.Time) (due map[snowflake.ID]rangeMark, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen {
		return nil, next
	}
	for role, r := range b.roles {
		switch {
		case !r.due.After(now):
			if due == nil {
				due = map[snowflake.ID]rangeMark{}
			}
			due[role] = r
			delete(b.roles, role)
		case next.IsZero() || r.due.Before(next):
			next = r.due
		}
	}
	return due, next
}

// batch is what one look takes.
type batch struct {
	ids     []snowflake.ID
	firsts  []time.Time // when they were first marked
	entries []audit.Event
	tries   int // the most of its members
	urgent  bool
	ahead   bool // in a place that is kept for urgent ones
}

// room says how many more looks may begin.
type room struct {
	urgent, others bool
	hold           bool // a look at everybody is about to begin: others wait for it
}

// take gives the members of the next look, urgent ones first and alone; next is when the first of the others is due, zero: not
// before a look has ended or somebody is marked.
func (b *inbox) take(now time.Time, r room) (t batch, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen || len(b.heap) == 0 {
		return t, next
	}
	top := b.heap[0]
	t.urgent = top.urgent
	switch may := r.others && !r.hold; {
	case t.urgent && !r.urgent && !r.others, !t.urgent && !may:
		return t, next
	case top.due.After(now):
		return t, top.due
	}
	for len(b.heap) > 0 {
		m := b.heap[0]
		tries := max(t.tries, m.tries)
		if m.urgent != t.urgent || m.due.After(now) || len(t.ids) >= most(tries) && len(t.ids) > 0 {
			break
		}
		heap.Pop(&b.heap)
		delete(b.marks, m.member)
		b.hand[m.member] = struct{}{}
		t.ids, t.firsts, t.tries = append(t.ids, m.member), append(t.firsts, m.first), tries
	}
	t.entries, b.entries = b.entries, nil
	return t, next
}

// most is how many members a look takes after so many that went wrong: one whom something is wrong with must not keep all others.
func most(tries int) int { return max(1, mostNamed>>(2*min(tries, 10))) }

// done says that a look has ended; who was marked meanwhile comes up again.
func (b *inbox) done(t batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range t.ids {
		delete(b.hand, id)
		if m := b.marks[id]; m != nil && m.place == aside {
			heap.Push(&b.heap, m)
		}
	}
}

// back keeps entries of the audit log for the next look, which could not be stored.
func (b *inbox) back(entries []audit.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.entries)+len(entries) > b.bound {
		b.lost = true
		return
	}
	b.entries = append(entries, b.entries...)
}

// kept takes the entries of the audit log that wait for a look.
func (b *inbox) kept() []audit.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries := b.entries
	b.entries = nil
	return entries
}

// losses says once whether entries of the audit log were dropped.
func (b *inbox) losses() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	lost := b.lost
	b.lost = false
	return lost
}

// cover lets go whom a look at everybody stands for: who was marked before it began, urgent ones apart, they are looked at sooner. It
// returns when they were first marked.
func (b *inbox) cover(began time.Time) (firsts []time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(func(m *mark) bool {
		covered := !m.urgent && m.last.Before(began) && m.tries == 0
		if covered {
			firsts = append(firsts, m.first)
		}
		return covered
	})
	return firsts
}

// inboxSize is how full the inbox is.
type inboxSize struct {
	waiting, inHand, ranges int
	oldest                  time.Time // first mark of who waits longest; zero: nobody waits
	frozen                  bool
}

func (b *inbox) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.marks)
}

func (b *inbox) size() (inboxSize, inboxCounts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := inboxSize{waiting: len(b.marks), inHand: len(b.hand), ranges: len(b.roles), frozen: b.frozen}
	for _, m := range b.marks {
		if s.oldest.IsZero() || m.first.Before(s.oldest) {
			s.oldest = m.first
		}
	}
	return s, b.counts
}

// marks is a heap: urgent ones first, then by their time.
type marks []*mark

func (h marks) Len() int { return len(h) }

func (h marks) Less(i, j int) bool {
	if h[i].urgent != h[j].urgent {
		return h[i].urgent
	}
	return h[i].due.Before(h[j].due)
}

func (h marks) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push satisfies heap.Interface.
func (h *marks) Push(x any) {
	m, _ := x.(*mark)
	m.place = len(*h)
	*h = append(*h, m)
}

// Pop satisfies heap.Interface.
func (h *marks) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.place = aside
	return m
}
