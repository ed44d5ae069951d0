package storage

import "context"

// Roles are all that can be joined into one transaction: everything but leases, which have one of their own.
type Roles interface {
	Runs
	Findings
	Plans
	Actions
	Brakes
	Gates
	Exceptions
	Policies
	Bindings
	Grants
	Settings
	Changes
	Invocations
	Sources
	Trail
	People
	Commands
	Cards
	Memory
	RoleGrants
	RightsMemory
	Subscribers
	Retention
	Blocks
	BlockReads
	RuleStates
}

// Together joins calls of several roles into one transaction, so that what belongs together is seen and kept together, and a disk is
// waited for once.
type Together interface {
	// Glance shows do one state of the database. What writes through r fails.
	Glance(ctx context.Context, do func(r Roles) error) error
	// Together keeps all that do writes through r if it returns nil, and else nothing. Do returns the error of a call that writes: after
	// it nothing else can be done here. Do must not wait for anything but the database, and r ends with it.
	Together(ctx context.Context, do func(r Roles) error) error
}
