package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/storage/relational"
)

// lock is the file beside the database. Whoever has locked it is the one process that acts, for all shards; the operating system
// frees it when that process ends, however it ends.
type lock struct {
	db   *database
	path string

	mu   sync.Mutex
	file *flock.Flock
	held map[int]storage.Fence
}

func newLock(path string, db *database) *lock {
	return &lock{db: db, path: path, file: flock.New(path, flock.SetPermissions(0o600)), held: map[int]storage.Fence{}}
}

func (l *lock) holds(f storage.Fence) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[f.Shard] == f
}

func (l *lock) free() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.held)
	return l.file.Close()
}

// take locks the file; it waits only as long as someone may be looking whether it is locked.
func (l *lock) take(ctx context.Context) (bool, error) {
	brief, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	got, err := l.file.TryLockContext(brief, 10*time.Millisecond)
	if err != nil && brief.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return false, gone(err)
	}
	return got, nil
}

// AcquireLease satisfies storage.Leases.
func (s *Store) AcquireLease(ctx context.Context, shard int, owner storage.Owner) (lease storage.Lease, err error) {
	defer wrap.Err(&err, "leases.AcquireLease(%d)", shard)
	l := s.lock
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, held := l.held[shard]; held && f.Owner != owner.ID {
		return storage.Lease{}, s.heldBy(ctx, shard)
	}
	got, err := l.take(ctx)
	if err != nil {
		return storage.Lease{}, err
	}
	if !got {
		return storage.Lease{}, s.heldBy(ctx, shard)
	}
	lease, err = s.writeLease(ctx, shard, owner)
	if err != nil {
		if len(l.held) == 0 {
			err = errors.Join(err, l.file.Unlock())
		}
		return storage.Lease{}, err
	}
	l.held[shard] = lease.Fence
	return lease, nil
}

// writeLease keeps who acts where every process can read it, under a new number.
func (s *Store) writeLease(ctx context.Context, shard int, owner storage.Owner) (lease storage.Lease, err error) {
	owner.Since = owner.Since.UTC().Truncate(time.Microsecond)
	lease = storage.Lease{Fence: storage.Fence{Shard: shard, Number: 1, Owner: owner.ID}, Holder: owner, Renewed: now()}
	err = s.lock.db.Write(ctx, func(tx relational.Tx) error {
		before, released, err := readLease(ctx, tx, shard)
		switch {
		case err == nil:
			lease.Number = before.Number + 1
			lease.Taken = !released && before.Fence.Owner != owner.ID
		case !errors.Is(err, storage.ErrNotFound):
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO lease (shard, fence, owner, host, pid, since_at, renewed_at, released) VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE)
			ON CONFLICT (shard) DO UPDATE SET fence = excluded.fence, owner = excluded.owner, host = excluded.host, pid = excluded.pid,
				since_at = excluded.since_at, renewed_at = excluded.renewed_at, ends_at = NULL, released = FALSE`,
			shard, lease.Number, owner.ID, owner.Host, owner.PID, owner.Since, lease.Renewed)
		return err
	})
	return lease, err
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func readLease(ctx context.Context, tx relational.Tx, shard int) (l storage.Lease, released bool, err error) {
	err = tx.QueryRow(ctx, `SELECT shard, fence, owner, host, pid, since_at, renewed_at, released FROM lease WHERE shard = $1`, shard).
		Scan(&l.Shard, &l.Number, &l.Fence.Owner, &l.Holder.Host, &l.Holder.PID, &l.Holder.Since, &l.Renewed, &released)
	l.Holder.ID = l.Fence.Owner
	return l, released, err
}

// heldBy says who has locked the file: of this shard, or of any if the shard's own row is not theirs.
func (s *Store) heldBy(ctx context.Context, shard int) error {
	held := &storage.HeldError{Shard: shard}
	err := s.lock.db.Read(ctx, func(tx relational.Tx) error {
		return tx.QueryRow(ctx, `SELECT owner, host, pid, since_at FROM lease ORDER BY released, shard = $1 DESC, renewed_at DESC LIMIT 1`, shard).
			Scan(&held.Holder.ID, &held.Holder.Host, &held.Holder.PID, &held.Holder.Since)
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return held
}

// RenewLease satisfies storage.Leases. The lock file is the lease; the row only tells others that its owner lives.
func (s *Store) RenewLease(ctx context.Context, f storage.Fence) (lease storage.Lease, err error) {
	defer wrap.Err(&err, "leases.RenewLease(%d)", f.Shard)
	err = s.lock.db.Write(ctx, func(tx relational.Tx) error {
		if err := tx.Fenced(ctx, f); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE lease SET renewed_at = $2 WHERE shard = $1`, f.Shard, now()); err != nil {
			return err
		}
		lease, _, err = readLease(ctx, tx, f.Shard)
		return err
	})
	return lease, err
}

// ReleaseLease satisfies storage.Leases.
func (s *Store) ReleaseLease(ctx context.Context, f storage.Fence) (err error) {
	defer wrap.Err(&err, "leases.ReleaseLease(%d)", f.Shard)
	err = s.lock.db.Write(ctx, func(tx relational.Tx) error {
		if err := tx.Fenced(ctx, f); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE lease SET released = TRUE WHERE shard = $1`, f.Shard)
		return err
	})
	if err != nil {
		return err
	}
	l := s.lock
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, f.Shard)
	if len(l.held) > 0 {
		return nil
	}
	return l.file.Unlock()
}

// LeaseHolder satisfies storage.Leases.
func (s *Store) LeaseHolder(ctx context.Context, shard int) (lease storage.Lease, err error) {
	defer wrap.Err(&err, "leases.LeaseHolder(%d)", shard)
	var released bool
	err = s.lock.db.Read(ctx, func(tx relational.Tx) error {
		lease, released, err = readLease(ctx, tx, shard)
		return err
	})
	if err == nil && (released || !s.lock.isLocked()) {
		err = storage.ErrNotFound
	}
	if err != nil {
		return storage.Lease{}, err
	}
	return lease, nil
}

// isLocked asks for a shared lock, which nobody gets while the file is locked.
func (l *lock) isLocked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) > 0 {
		return true
	}
	probe := flock.New(l.path, flock.SetPermissions(0o600))
	defer func() { _ = probe.Close() }()
	got, err := probe.TryRLock()
	return err == nil && !got
}
