package storage

import (
	"context"
	"fmt"
	"time"
)

// LeaseLength is how long a lease lasts without renewal where the database keeps it. With SQLite the lock file is the lease and ends with the process.
const LeaseLength = 10 * time.Second

// Owner is the process that acts.
type Owner struct {
	ID    string // tells this process from every other, ever
	Host  string
	PID   int
	Since time.Time
}

// Fence proves at each intention that the lease is still the caller's.
type Fence struct {
	Shard  int
	Number int64 // rises with each change of owner
	Owner  string
}

// Lease is the right to act for a shard.
type Lease struct {
	Fence
	Holder  Owner
	Renewed time.Time
	Ends    time.Time // zero: ends with the process (SQLite)
	Taken   bool      // took over from an owner that did not release it
}

// HeldError says who holds a lease. It is an ErrConflict.
type HeldError struct {
	Shard  int
	Holder Owner
	Ends   time.Time // zero: ends with the process
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("shard %d belongs to process %d on %s since %s", e.Shard, e.Holder.PID, e.Holder.Host, e.Holder.Since.UTC().Format(time.RFC3339))
}

// Is makes the error an ErrConflict.
func (e *HeldError) Is(target error) bool { return target == ErrConflict }

// Leases says which one process acts for a shard. Postgres goes by the database's clock.
type Leases interface {
	// AcquireLease takes the lease of a shard if nobody holds it, with a fence number higher than any before; else it is a *HeldError.
	// An owner that holds it already gets it again, with a new number.
	AcquireLease(ctx context.Context, shard int, owner Owner) (Lease, error)
	// RenewLease prolongs it; if it is no longer the caller's, it is ErrFenced.
	RenewLease(ctx context.Context, fence Fence) (Lease, error)
	// ReleaseLease gives it up, so that the next owner need not wait; if it is no longer the caller's, it is ErrFenced.
	ReleaseLease(ctx context.Context, fence Fence) error
	// LeaseHolder reads the lease of a shard that is held now; ErrNotFound if nobody holds it.
	LeaseHolder(ctx context.Context, shard int) (Lease, error)
}
