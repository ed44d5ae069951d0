package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatecamp/storage"
)

const (
	askEvery  = time.Second     // how often a waiting process looks whether it is its turn
	askAgain  = 5 * time.Second // at most, where the database does not answer
	tellEvery = time.Minute     // how often it says that it waits
)

// waitForLease waits without a session until this process may act for the shard; false if the context ended before. A database that
// cannot be reached is waited for.
func (s *server) waitForLease(ctx context.Context, shard int) (storage.Lease, bool) {
	var told time.Time
	for failures := 0; ; {
		lease, err := s.db.AcquireLease(ctx, shard, s.me)
		if err == nil {
			s.log.InfoContext(ctx, "this process acts", "shard", shard, "fence", lease.Number, "taken_over", lease.Taken)
			return lease, true
		}
		pause := askEvery
		held, waits := errors.AsType[*storage.HeldError](err)
		if waits {
			failures = 0
			s.state.waits(held)
		} else {
			failures++
			pause = min(again(failures), askAgain)
		}
		if now := time.Now(); now.Sub(told) >= tellEvery && ctx.Err() == nil {
			told = now
			s.sayWaiting(ctx, held, err)
		}
		if wait(ctx, pause) != nil {
			return lease, false
		}
	}
}

func (s *server) sayWaiting(ctx context.Context, held *storage.HeldError, err error) {
	if held == nil {
		s.log.ErrorContext(ctx, "the database does not say whether this process may act", "error", err)
		return
	}
	s.log.InfoContext(ctx, "waiting: another process acts", "shard", held.Shard, "owner_pid", held.Holder.PID, "owner_host", held.Holder.Host, "owner_since", held.Holder.Since)
}

// keepLease prolongs the lease until the context ends, and calls lost when it is no longer ours. Where the lease is a row, it is lost
// too when it could not be prolonged for as long as it lasts: by then another process may have it.
func (s *server) keepLease(ctx context.Context, lease storage.Lease, lost context.CancelCauseFunc) {
	prolonged := time.Now()
	for wait(ctx, renewEvery) == nil {
		asked := time.Now()
		within, end := context.WithTimeout(ctx, renewEvery)
		_, err := s.db.RenewLease(within, lease.Fence)
		end()
		switch {
		case err == nil:
			prolonged = asked
		case errors.Is(err, storage.ErrFenced):
			lost(err)
			return
		case ctx.Err() != nil:
			return
		case !lease.Ends.IsZero() && time.Since(prolonged) >= storage.LeaseLength-renewEvery:
			lost(fmt.Errorf("%w: the database could not be asked for %s: %w", storage.ErrFenced, time.Since(prolonged).Round(time.Second), err))
			return
		default:
			s.log.WarnContext(ctx, "the lease was not prolonged", "error", err)
		}
	}
}

// giveUpLease lets the next owner begin at once.
func (s *server) giveUpLease(ctx context.Context, lease storage.Lease) error {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer end()
	err := s.db.ReleaseLease(ctx, lease.Fence)
	if errors.Is(err, storage.ErrFenced) {
		return nil
	}
	return err
}
