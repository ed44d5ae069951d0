package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// PlanState is where a plan stands.
type PlanState int

// The states of a plan.
const (
	PlanStored     PlanState = iota + 1 // nothing of it was tried
	PlanPerforming                      // a run performs it
	PlanPerformed                       // a run has performed it
)

var planStates = [...]string{"", "stored", "performing", "performed"}

// String is the state as it is stored and printed.
func (s PlanState) String() string {
	if s < PlanStored || int(s) >= len(planStates) {
		return "unknown"
	}
	return planStates[s]
}

// Plan is a stored plan. Its digest says what is in it, without times: equal digests are one plan.
type Plan struct {
	Guild     snowflake.ID
	Digest    string
	Run       int64     // the last run that made it
	Created   time.Time // when it was first made
	Made      time.Time // when it was last made
	State     PlanState
	Document  json.RawMessage  // what else the plan says: population, limits, use, holds
	Untouched map[string]int64 // members that the plan leaves alone, by reason
	Actions   []PlanAction     // in the plan's order
}

// PlanAction is one action of a plan.
type PlanAction struct {
	Key    string
	Member snowflake.ID
	Kind   string
	Role   snowflake.ID // zero: none
	Held   []string     // codes of what holds it; empty: free

	// Outcome and Code are of the last attempt; OutcomeNotTried with its reason where a run looked again and let it be. Empty: no run
	// came to it. They are only read, never stored with the plan.
	Outcome string
	Code    string
}

// Pass lets one plan through the brakes once.
type Pass struct {
	Guild  snowflake.ID
	Digest string
	Run    int64 // the run that performs it
	Actor  string
	Reason string
	At     time.Time
	Used   time.Time // zero: still good
}

// Plans remembers what was planned.
type Plans interface {
	// StorePlan stores a plan with its actions in one transaction. The same digest again is the same plan: run, time, document and
	// what is held are brought up to date, and the state begins anew; other actions under a known digest are ErrConflict. A plan and its
	// actions are a record: the database lets them go only by age.
	StorePlan(ctx context.Context, p Plan) error
	// Plan reads a guild's plan by digest, with the last outcome of each action; an empty digest asks for the plan made last that
	// has actions. ErrNotFound if there is none.
	Plan(ctx context.Context, guild snowflake.ID, digest string) (Plan, error)
	// MovePlan makes a step from one state to another; a plan that is not in from is ErrConflict, an unknown one ErrNotFound.
	MovePlan(ctx context.Context, guild snowflake.ID, digest string, from, to PlanState) error
	// GivePass stores a pass before the first write of the run, which must be Pending or Running, else ErrConflict. One pass at a
	// time for a digest: a second is ErrConflict. It is used up when the run ends, not before.
	GivePass(ctx context.Context, p Pass) error
	// OpenPass finds the pass of a digest that was not used up; ErrNotFound if there is none.
	OpenPass(ctx context.Context, guild snowflake.ID, digest string) (Pass, error)
}
