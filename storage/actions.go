package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Budget says which part of the brakes' ledger an action draws on.
type Budget int

// The budgets.
const (
	BudgetCommon     Budget = iota + 1 // members, roles, one role, kicks
	BudgetPrivileged                   // removals of privileged roles
	BudgetBlock                        // what is done to blocked members
	BudgetNone                         // not braked: counted nowhere
)

var budgets = [...]string{"", "common", "privileged", "block", "none"}

// String is the budget as it is stored.
func (b Budget) String() string {
	if b < BudgetCommon || int(b) >= len(budgets) {
		return "unknown"
	}
	return budgets[b]
}

// ParseBudget is the inverse of String.
func ParseBudget(name string) (Budget, bool) {
	for b := BudgetCommon; int(b) < len(budgets); b++ {
		if budgets[b] == name {
			return b, true
		}
	}
	return 0, false
}

// Action is one change of one member, as it was intended and as it ended.
type Action struct {
	ID       int64
	Guild    snowflake.ID
	Run      int64  // zero: live
	Plan     string // digest
	Key      string // of the plan's action
	Member   snowflake.ID
	Kind     string         // "remove_role", "kick", "ban", "contain"
	Role     snowflake.ID   // zero: none
	Roles    []snowflake.ID // of an action that takes several at once (contain); else nil
	Budget   Budget
	Live     bool // counts in the live window too
	Actor    string
	Intended time.Time

	Outcome string    // empty: open
	Code    string    // how it ended, in detail
	Settled time.Time // zero: open
}

// Reversal is a role of a member that was removed several times: each time but the last somebody gave it back.
type Reversal struct {
	Member, Role snowflake.ID
	Times        int
	Last         time.Time // when it was last intended
}

// Outcomes that give back what the intention drew from the ledger.
const (
	OutcomeRefused   = "refused"
	OutcomeAlreadySo = "already_so"
	OutcomeNotTried  = "not_tried"
)

// OutcomeGone is of an action whose member is not there any more, and CodeLeft says so.
const (
	OutcomeGone = "gone"
	CodeLeft    = "member_left"
)

// Actions is the write-ahead record of everything that changes Discord: the intention first, then the call, then the outcome.
type Actions interface {
	// Intend records the intention and draws on the brakes' ledger, in one transaction that also checks the fence: a lease that is
	// not, or no longer, the caller's is ErrFenced. One action may be open for a guild, member, kind and role: a second is
	// ErrConflict. So is a key that this run has already settled as done, already so or gone.
	Intend(ctx context.Context, fence Fence, a Action) (Action, error)
	// Settle records the outcome, once: again is ErrConflict, unknown is ErrNotFound. Refused, already-so and not-tried give back to the
	// ledger.
	Settle(ctx context.Context, id int64, outcome, code string, at time.Time) error
	// OpenActions lists the intentions without an outcome, oldest first: what a new owner looks at again.
	OpenActions(ctx context.Context, guild snowflake.ID) ([]Action, error)
	// ActionsOf lists what a run intended, in order.
	ActionsOf(ctx context.Context, guild snowflake.ID, run int64) ([]Action, error)
	// Reversals lists, by member and role, which roles were removed at least so many times since the instant: removals that were done,
	// also where they did not take.
	Reversals(ctx context.Context, guild snowflake.ID, since time.Time, times int) ([]Reversal, error)
	// ActionsSince lists what was intended of a kind after the instant, oldest first.
	ActionsSince(ctx context.Context, guild snowflake.ID, kind string, after time.Time) ([]Action, error)
	// MemberActions lists what was ever intended for a member, newest first.
	MemberActions(ctx context.Context, guild, member snowflake.ID, page Page) ([]Action, error)
}
