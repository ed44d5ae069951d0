package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// RunState is where a run stands. The list is closed.
type RunState int

// The states of a run.
const (
	Pending             RunState = iota + 1 // ordered, not begun
	Running                                 // an owner is at it
	Succeeded                               // an end: all of it was done
	CompletedWithErrors                     // an end: done, and some members failed
	Failed                                  // an end: it could not go on
	Interrupted                             // stopped part-way; may be resumed
	Abandoned                               // an end: a person gave it up
	DeadlineExceeded                        // an end: its time was over
	Cancelled                               // an end: a person stopped it
)

var runStates = [...]string{
	"", "pending", "running", "succeeded", "completed_with_errors", "failed", "interrupted", "abandoned", "deadline_exceeded", "cancelled",
}

// String is the state as it is stored and printed.
func (s RunState) String() string {
	if s < Pending || int(s) >= len(runStates) {
		return "unknown"
	}
	return runStates[s]
}

// ParseRunState is the inverse of String.
func ParseRunState(name string) (RunState, bool) {
	for s := Pending; int(s) < len(runStates); s++ {
		if runStates[s] == name {
			return s, true
		}
	}
	return 0, false
}

// IsEnd reports whether nothing follows the state.
func (s RunState) IsEnd() bool {
	return s >= Succeeded && s != Interrupted && int(s) < len(runStates)
}

// MayBecome reports whether a run may move from s to the other state.
func (s RunState) MayBecome(to RunState) bool {
	switch s {
	case Pending, Interrupted:
		return to == Running || to == Abandoned || to == Cancelled || to == Failed || to == DeadlineExceeded || s == Pending && to == Interrupted
	case Running:
		return to == Interrupted || to.IsEnd()
	case Succeeded, CompletedWithErrors, Failed, Abandoned, DeadlineExceeded, Cancelled:
	}
	return false
}

// Order is what was ordered: it never changes, so that a resumed run does exactly this.
type Order struct {
	Kind          string          // "live", "snapshot", "apply"
	Mode          string          // the run's own action: "report", "strip", "strip_kick"; empty: as the policy says
	Overrides     json.RawMessage // the overrides in force when it was ordered; nil: none
	PolicyVersion int64           // zero: no policy stored
	Policy        json.RawMessage // the canonical policy itself, when it is not a stored version; else nil
	Limit         int             // the first so many members by id; zero: all
	Members       []snowflake.ID  // only these; nil: all
	Actor         string
	Origin        string
	Deadline      time.Time // zero: none
	DryRun        bool
	Gates         json.RawMessage // the gates as they stood when it was ordered; nil: none
	Plan          string          // the digest to perform, of an "apply"; else empty
	Slot          string          // of a scheduled run: once only for a guild; empty: not scheduled
}

// Run is one audit: what was ordered, and what came of it.
type Run struct {
	ID        int64
	Guild     snowflake.ID
	Order     Order
	State     RunState
	Created   time.Time
	Started   time.Time // first start
	Ended     time.Time // of an end or an interruption
	Heartbeat time.Time // last sign of life
	Owner     string    // who is at it; empty: nobody
	Counts    json.RawMessage
	Sources   json.RawMessage // verdicts of the sources
	Digest    string          // of its plan; empty: none yet
	Error     string          // a code; empty: none
}

// Move is a step from one state to another, with what is known by then. Empty results leave what is stored.
type Move struct {
	Run     int64
	From    RunState
	To      RunState
	At      time.Time
	Owner   string // of a move to Running
	Counts  json.RawMessage
	Sources json.RawMessage
	Digest  string
	Error   string
}

// RunFilter narrows a list of runs; the zero value takes all of a guild.
type RunFilter struct {
	States []RunState
	Kind   string
	Page   Page
}

// Runs remembers audits. Nobody can delete one; retention lets them go by age.
type Runs interface {
	// CreateRun stores an order as Pending and returns it with its ID. A second run of one guild and slot is ErrConflict.
	CreateRun(ctx context.Context, guild snowflake.ID, order Order, at time.Time) (Run, error)
	// MoveRun makes a step. A run that is not in From, or a step that MayBecome forbids, is ErrConflict; an unknown one ErrNotFound.
	// Of two movers one wins. A move to an end uses up the passes that were given to the run. Started is set once, by the first
	// move to Running; Ended by every other move, and cleared by a move to Running.
	MoveRun(ctx context.Context, m Move) (Run, error)
	// BeatRun is the owner's sign of life, with the counts so far (nil leaves them). A run that is not Running, or has another
	// owner, is ErrConflict: the caller must stop. So cancelling and abandoning reach the worker.
	BeatRun(ctx context.Context, run int64, owner string, at time.Time, counts json.RawMessage) error
	// Run reads one; ErrNotFound if there is none.
	Run(ctx context.Context, run int64) (Run, error)
	// Guilds lists every guild that has a run, a policy, a binding, an acknowledgement or a setting, ascending.
	Guilds(ctx context.Context) ([]snowflake.ID, error)
	// Runs lists a guild's runs, newest first.
	Runs(ctx context.Context, guild snowflake.ID, filter RunFilter) ([]Run, error)
}
