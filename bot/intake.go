package bot

import (
	"sync"
	"time"

	"gatecamp/audit"
)

// intake is where the goroutine that reads the gateway leaves what it heard. Its lock is held for an append alone, by everybody, so
// that the reader never waits for work: whoever has time sorts it into the inbox.
type intake struct {
	bound int

	mu     sync.Mutex
	heard  []heard
	lost   int // events that there was no room for
	closed bool

	sorting sync.Mutex // held while events are sorted in: in their order
	spare   []heard    // by the holder of sorting
}

// heard is an event and when it came.
type heard struct {
	audit.Event
	at time.Time
}

// put takes an event, or counts that there was no room.
func (i *intake) put(e audit.Event) {
	at := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
	case len(i.heard) >= i.bound:
		i.lost++
	default:
		i.heard = append(i.heard, heard{e, at})
	}
}

func (i *intake) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed, i.heard = true, nil
}

// sort hands everything that was heard on, in order, and says how many events were lost before.
func (i *intake) sort(each func(audit.Event, time.Time)) (lost int) {
	i.sorting.Lock()
	defer i.sorting.Unlock()
	i.mu.Lock()
	all := i.heard
	i.heard, lost, i.lost = i.spare[:0], i.lost, 0
	i.mu.Unlock()
	for _, h := range all {
		each(h.Event, h.at)
	}
	clear(all)
	if i.spare = all; cap(all) > mostSpare {
		i.spare = nil
	}
	return lost
}

// heardFewest is how many events there is room for at least.
const heardFewest = 1000

// mostSpare is the largest piece of memory that is kept for the next events.
const mostSpare = 4096
