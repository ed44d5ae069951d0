package bot

import (
	"fmt"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// explained matches role changes with entries of the audit log: Discord does not write one for each (discord-api-docs 7197). What is
// missing is counted and told; nothing waits for it.
type explained struct {
	bound int

	mu      sync.Mutex
	changed map[snowflake.ID]time.Time // without an entry so far
	told    map[snowflake.ID]time.Time // entries without a change so far
	began   time.Time                  // of the hour that is counted
	changes uint64                     // in it
	missing uint64
	said    bool
}

const (
	entryWithin  = 10 * time.Second // between a change and its entry, either way round
	entriesOver  = time.Hour
	entriesFewer = 20 // missing ones in an hour are not worth a word
)

func newExplained(bound int) *explained {
	return &explained{bound: bound, changed: map[snowflake.ID]time.Time{}, told: map[snowflake.ID]time.Time{}}
}

// change takes a change of a member's roles.
func (x *explained) change(member snowflake.ID, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changes++
	if at, is := x.told[member]; is && now.Sub(at) <= entryWithin {
		delete(x.told, member)
		return
	}
	if _, waits := x.changed[member]; !waits && len(x.changed) < x.bound {
		x.changed[member] = now
	}
}

// entry takes an entry about a member's roles.
func (x *explained) entry(member snowflake.ID, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, waits := x.changed[member]; waits {
		delete(x.changed, member)
		return
	}
	if len(x.told) < x.bound {
		x.told[member] = now
	}
}

// expire counts changes whose entry has not come, and says once an hour if that is every other one.
func (x *explained) expire(now time.Time) (missing int, trouble string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, at := range x.told {
		if now.Sub(at) > entryWithin {
			delete(x.told, id)
		}
	}
	for id, at := range x.changed {
		if now.Sub(at) > entryWithin {
			delete(x.changed, id)
			missing++
		}
	}
	if now.Sub(x.began) > entriesOver {
		x.began, x.changes, x.missing, x.said = now, uint64(len(x.changed)+missing), 0, false
	}
	x.missing += uint64(missing) //nolint:gosec // never negative
	if !x.said && x.missing >= entriesFewer && 2*x.missing >= x.changes {
		x.said = true
		return missing, fmt.Sprintf("%d of %d role changes of the last hour", x.missing, x.changes)
	}
	return missing, ""
}
