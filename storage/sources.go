package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// HealthyWindow is how long healthy counts are remembered for the baseline.
const HealthyWindow = 7 * 24 * time.Hour

// SourceRead is one read of a source and what it was worth.
type SourceRead struct {
	Source      string // "auth"
	Fingerprint string
	Edition     string
	At          time.Time
	Verdict     string // "healthy", "doubtful", "blind"
	Reasons     []string
	Counts      map[string]int64
	Accounts    []AccountRevision // of a read that could be read; nil leaves what is stored
}

// AccountRevision is what tells one account's rows of one read from those of another.
type AccountRevision struct {
	User     int64
	Discord  snowflake.ID // zero: not linked
	Revision uint64
	Changed  time.Time // when a read first differed from the one before; zero: never, or first seen by the first read. Only read
	// Was is the Discord account that the user had before, if the user stayed and it is another now. NoteRead tells it of the read before,
	// ChangedAccounts of the last time that it became another, if that was at or after the instant asked for. Only read.
	Was snowflake.ID
}

// Baseline is what counts as normal: the highest healthy counts of the window, or what a person accepted after that.
type Baseline struct {
	Source   string
	Counts   map[string]int64 // nil: nothing is known yet
	Accepted *Acceptance      // the last acceptance; nil: none
}

// Acceptance is a person's word that a source's counts are right.
type Acceptance struct {
	Source string
	Counts map[string]int64
	Actor  string
	Reason string
	At     time.Time
}

// Sources remembers how the sources looked. Rows go by source, not by guild.
type Sources interface {
	// NoteRead stores a read and returns the accounts that differ from the read before: changed, new and gone ones (revision 0).
	// The first read of a source changes nothing. A read older than the stored one, or at the same instant, is ErrConflict. Healthy counts are kept by
	// the hour, the highest of each, for HealthyWindow.
	NoteRead(ctx context.Context, r SourceRead) ([]AccountRevision, error)
	// LastRead reads the newest read, without accounts; ErrNotFound before the first.
	LastRead(ctx context.Context, source string) (SourceRead, error)
	// Baseline adds up what is normal at the instant: the highest of the healthy counts in the window since the last acceptance and
	// of what was accepted then; an acceptance that is older than the window counts only while there are no healthy counts.
	// The window ends at the last healthy read: an outage that is longer than it never becomes a first contact.
	Baseline(ctx context.Context, source string, at time.Time) (Baseline, error)
	// AcceptSource makes exactly these counts the baseline. It leaves a configuration change in the guild of the author.
	AcceptSource(ctx context.Context, guild snowflake.ID, source string, counts map[string]int64, by Author) error
	// LastLinks lists what the newest read knew of these users, by user; of one that is gone, what was known last.
	LastLinks(ctx context.Context, source string, users []int64) ([]AccountRevision, error)
	// ChangedAccounts lists accounts that changed at or after the instant, by user.
	ChangedAccounts(ctx context.Context, source string, since time.Time) ([]AccountRevision, error)
}
