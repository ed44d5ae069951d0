package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// The kinds of subject that a finding can be about.
const (
	SubjectMember = "member"
	SubjectRole   = "role"
)

// Finding is something that is wrong, from when it was first seen until it was gone: an interval, not a row per run.
type Finding struct {
	ID          int64
	Guild       snowflake.ID
	SubjectKind string       // SubjectMember or SubjectRole
	Subject     snowflake.ID // the member, or the role
	Category    string       // "unknown_guest", "linked_no_perm", …; of roles "twin_role", "vanished_role", …
	Slot        string       // tells findings of one subject and category apart; mostly empty
	FindingFacts
	Attempted string // what was last tried: "remove_role", "kick"; empty: nothing yet
	Observed  string // what came of it: "done", "refused", …; empty: nothing yet

	Opened, Changed, Closed          time.Time // Changed: last change, or Opened; zero Closed: open
	OpenedRun, ChangedRun, ClosedRun int64     // zero: by a live event, or not yet

	ReviewNote string
	ReviewedBy string
	Reviewed   time.Time
}

// FindingFacts is what a look at the subject says. When they differ from what is stored, the finding has changed.
type FindingFacts struct {
	User        int64          // Auth user; zero: none
	Wanted      string         // what the policy wants: "report", "strip", "strip_kick", …
	Allowed     string         // what gates, brakes and reach leave of it
	Layer       string         // the layer that decided
	Held        []snowflake.ID // roles the member holds that the finding is about
	Go          []snowflake.ID // roles that would go
	Unreachable []snowflake.ID // of these, out of the bot's reach
	Missing     []snowflake.ID // roles that Auth gives and the member lacks
	Lookalikes  []snowflake.ID // roles whose name nearly is a managed one's
	Alerts      []string       // codes
	Reasons     []string       // codes
	Holds       []string       // codes of the gates and brakes that hold the action
	Proposed    bool           // rests on a binding that nobody has confirmed
	GrantedBy   snowflake.ID   // who granted the role, as Discord tells; zero: unknown, which never overwrites a stored one
}

// Extent is how much of the guild a look has seen, and so what may be concluded from what it did not find.
type Extent int

// The extents.
const (
	// Blind: a source is blind, so nothing is opened, changed or closed.
	Blind Extent = iota
	// Partial: what was found opens and changes; nothing closes (a run with a limit).
	Partial
	// Named: as Partial, and findings of the subjects in Look.Seen close when they are no longer found.
	Named
	// Complete: as Partial, and every finding of the guild closes when it is no longer found, those of Look.Undecided apart.
	Complete
)

// Look is the result of one look at a guild: a run's, or a live event's.
type Look struct {
	Guild     snowflake.ID
	Run       int64 // zero: a live event
	At        time.Time
	Extent    Extent
	Seen      []snowflake.ID // of Named: the subjects that were looked at
	Undecided []snowflake.ID // subjects of which nothing can be said: theirs neither change, open nor close
	Found     []Found        // each (kind, subject, category, slot) once
}

// Found is one thing that a look found wrong.
type Found struct {
	SubjectKind string
	Subject     snowflake.ID
	Category    string
	Slot        string
	FindingFacts
}

// Applied counts what a look did to the findings.
type Applied struct {
	Opened, Changed, Closed, Unchanged int
}

// FindingChange says how a finding changed, when and by which run.
type FindingChange struct {
	ID      int64
	Finding int64
	At      time.Time
	Run     int64 // zero: a live event or a person
	What    string
	Before  []byte // JSON
	After   []byte // JSON
}

// What a FindingChange tells.
const (
	ChangeFacts   = "facts"
	ChangeAttempt = "attempt"
	ChangeReview  = "review"
)

// FindingFilter narrows a list of findings; the zero value takes the open ones of a guild.
type FindingFilter struct {
	Closed   bool      // closed ones too
	At       time.Time // those that were open at the instant instead; their facts are those of now
	Subject  snowflake.ID
	Subjects []snowflake.ID // any of these; nil: whoever
	Category string
	Run      int64 // opened, changed or closed by the run, closed ones included
	Page     Page
}

// Findings remembers what is wrong as intervals.
type Findings interface {
	// ApplyLook brings the open findings in line with a look, in one transaction: opens what is new, changes what differs, closes
	// what has gone as far as the extent allows, and writes nothing for the rest. At most one finding is open for a guild, kind of
	// subject, subject, category and slot. Something found twice is ErrConflict. Applying one look twice changes nothing.
	ApplyLook(ctx context.Context, look Look) (Applied, error)
	// NoteAttempt keeps what was tried and observed apart from what was wanted, on the subject's open findings and on those closed
	// by the same run; it returns how many it marked.
	NoteAttempt(ctx context.Context, guild, subject snowflake.ID, attempted, observed string, run int64, at time.Time) (int, error)
	// Finding reads one; ErrNotFound if the guild has none of this ID.
	Finding(ctx context.Context, guild snowflake.ID, id int64) (Finding, error)
	// Findings lists newest first (by ID).
	Findings(ctx context.Context, guild snowflake.ID, filter FindingFilter) ([]Finding, error)
	// FindingChanges lists how a finding changed, oldest first. Opening and closing stand in the finding itself.
	FindingChanges(ctx context.Context, guild snowflake.ID, id int64) ([]FindingChange, error)
	// ReviewFinding writes a person's note (the author's reason) on a finding; a later one replaces it and the change log keeps both.
	ReviewFinding(ctx context.Context, guild snowflake.ID, id int64, by Author) (Finding, error)
}
