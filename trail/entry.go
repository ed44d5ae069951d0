// Package trail says what the record of gatecamp is made of: one Entry for each thing that was seen, wanted or done.
//
// What must stay true: an entry holds codes, numbers and opaque keys only. Names, Discord ids of people and free text live beside
// it, where they can be erased without touching the record.
package trail

import (
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Kind is what an entry tells. The list is closed.
type Kind int

// The kinds of entry.
const (
	Seen     Kind = iota + 1 // a fact came to light: a finding opened, changed or closed
	Planned                  // a plan holds this
	Approved                 // a person allowed it
	Done                     // Discord was changed
	Failed                   // it was tried and did not work
	Refused                  // a gate, brake, right or Discord said no
	Changed                  // a person changed what gatecamp goes by: a table, the policy, the lock
)

var kinds = [...]string{"", "seen", "planned", "approved", "done", "failed", "refused", "changed"}

// String is the kind's name as exports write it.
func (k Kind) String() string {
	if k < Seen || int(k) >= len(kinds) {
		return "unknown"
	}
	return kinds[k]
}

// ParseKind is the inverse of String.
func ParseKind(name string) (Kind, bool) {
	for k := Seen; int(k) < len(kinds); k++ {
		if kinds[k] == name {
			return k, true
		}
	}
	return 0, false
}

// Key names a person without saying who: random, one per person and guild. Empty: nobody.
type Key string

// Entry is one line of the record. It is never changed, and goes only when the stored retention lets it.
type Entry struct {
	ID      int64 // given by the store, rising
	Guild   snowflake.ID
	At      time.Time // UTC, microseconds
	Kind    Kind
	Run     int64            // zero: no run
	Subject Key              // whom it is about
	Actor   Key              // who did it, or ordered it
	What    string           // a code: "unknown_guest", "remove_role", "policy", "acknowledge"
	Code    string           // why, or how it ended: "already_so", "discord_50013", "first_run_lock"; may be empty
	Role    snowflake.ID     // zero: no role
	Plan    string           // digest; may be empty
	Action  string           // the Action's key; may be empty
	Numbers map[string]int64 // counts by code; nil: none
}
