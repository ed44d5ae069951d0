// Package reconcile runs the audit line: it gathers facts, lets package audit decide, and performs and records what may be done.
//
// What must stay true: the sweep, the live event and the resumed run are one code path; a write happens only after its intention
// is recorded under a lease that is still ours, and only if a fresh look agrees with the plan.
package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// ErrNoMember means that the person is not in the guild.
var ErrNoMember = errors.New("not a member of the guild")

// Picture is a guild at one moment.
type Picture struct {
	Guild    audit.Guild
	Members  []audit.Member
	Complete bool      // proven to be every member
	At       time.Time // when it was taken; zero: unknown
	Live     bool      // the guild itself, not a file
	Away     bool      // Discord does not show the guild to its bots now: an outage, in which nothing is taken from anybody
	Heads    *Heads    // members counted and not listed; nil: Members lists them
	Clock    time.Time // what time it is by Discord's clock; zero: unknown
}

// Heads counts members without listing them.
type Heads struct {
	Members  int
	Holders  [audit.MaxRoles]int              // of each role, by its index in the picture's Guild.Roles
	Revision uint64                           // another one: members may have come or gone since
	Present  func(ids []snowflake.ID) (n int) // how many of them are members; one that is named twice counts twice
}

// population counts members and holders for a plan about a few of them.
func (p Picture) population(s *audit.Scene) audit.Population {
	if p.Heads == nil {
		pop := audit.Headcount(s, p.Members)
		pop.Complete = p.Complete
		return pop
	}
	pop := audit.Headcount(s, nil)
	pop.Complete, pop.Members, pop.Holders, pop.Roles = p.Complete, p.Heads.Members, p.Heads.Holders, p.Guild.Roles
	return pop.Under(s.Guild.Roles)
}

// truth is the time at which the picture is judged: a file by its own, the guild itself by the clock.
func (p Picture) truth(now time.Time) time.Time {
	if p.Live || p.At.IsZero() {
		return now
	}
	return p.At
}

// Guilds shows a guild as it is now.
type Guilds interface {
	// Picture reads the guild with all its members.
	Picture(ctx context.Context) (Picture, error)
	// Member reads one member afresh, with the guild's roles as they are now; ErrNoMember if they are not there.
	Member(ctx context.Context, id snowflake.ID) (audit.Guild, audit.Member, error)
}

// Sighted are Guilds that know whether Discord shows the guild to its bots now.
type Sighted interface {
	// Visible is false in an outage of the guild. REST may answer all the same.
	Visible() bool
}

// away reports whether the guild is known not to be shown.
func away(g Guilds) bool {
	s, knows := g.(Sighted)
	return knows && !s.Visible()
}

// Auth says who everyone is.
type Auth interface {
	// Read reads all of Auth in one consistent snapshot. An error means that Auth is blind.
	Read(ctx context.Context) (*audit.Directory, error)
}

// Writer is the only way to change a guild, in two steps, so that no wait lies between the recorded intention and the call.
type Writer interface {
	// Reserve waits until the first of the actions may be sent at once, alone or with more of them in one call.
	Reserve(ctx context.Context, o Offer) (Slot, error)
}

// Offer is what the line wants to do to one member, in order.
type Offer struct {
	Actions []audit.Action // of one member; at least one
	Linked  bool           // Auth knows the member, and may be writing their roles at any moment
	Live    bool           // from an event: it goes before the work of a sweep
	// Later is told what a look some seconds after a write found where Auth may be writing, if it is not what the write left behind.
	// It may come after the run has ended.
	Later func(audit.Outcome)
}

// Slot is a place in the line of requests.
type Slot interface {
	// Covers says how many of the offered actions, from the first on, one call can do.
	Covers() int
	// Do sends the given ones of them at once and says what became of each, in their order. It refuses the owner, the bot itself and
	// roles that Discord manages. The reason is for Discord's audit log.
	Do(ctx context.Context, actions []audit.Action, reason string) []audit.Outcome
	// Release gives the place back unused; after Do it does nothing.
	Release()
}

// Records is what the line needs of storage.
type Records interface {
	storage.Roles
	storage.Together
}
