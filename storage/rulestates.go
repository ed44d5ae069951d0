package storage

import (
	"context"
	"time"
)

// RuleSwitch is whether somebody decided that a rule looks.
type RuleSwitch int

// The switches.
const (
	RuleAsWritten RuleSwitch = iota // nobody decided anything
	RuleOn                          // a person wants it to look, whatever is written
	RuleOff                         // a person wants it not to look
	RuleFailed                      // it failed too often; it stays off until a person switches it on
)

var ruleSwitches = [...]string{"as_written", "on", "off", "failed"}

// String is the name under which the switch is stored.
func (w RuleSwitch) String() string { return ruleSwitches[w] }

// RuleDecision is how a rule differs from what is written of it.
type RuleDecision struct {
	Name   string
	Switch RuleSwitch
	Action string        // what it does when it fires: "temp_block"; empty: as written
	TTL    time.Duration // of its blocks; zero: as written
}

// RuleState is what was decided about a rule and what became of it.
type RuleState struct {
	RuleDecision
	Actor   string // who decided; empty: nobody did
	Reason  string
	Changed time.Time

	Fired    int64 // how often it fired and did something, by all processes
	Shadowed int64 // how often it fired and only told what it would have done
	Last     time.Time
	Failures int64 // how often it could not be evaluated, since it was switched on last
	Failed   time.Time
}

// RuleCount is what became of a rule since it was counted last.
type RuleCount struct {
	Name                      string
	Fired, Shadowed, Failures int64
	Last, Failed              time.Time // zero: did not happen
}

// RuleStates keeps what people decided about rules, and counts what became of them.
type RuleStates interface {
	// RuleStates lists every rule of which something is known, by name.
	RuleStates(ctx context.Context) ([]RuleState, error)
	// DecideRule stores a decision in place of the one before it and leaves a configuration change; the same once more changes nothing.
	// Switching on forgets the failures.
	DecideRule(ctx context.Context, d RuleDecision, by Author) (RuleState, error)
	// CountRules adds up; of times the latest stays.
	CountRules(ctx context.Context, counts []RuleCount) error
}
