package postgres

import (
	"context"
	"errors"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/storage/relational"
)

const leaseColumns = `shard, fence, owner, host, pid, since_at, renewed_at, ends_at`

func scanLease(row relational.Row) (l storage.Lease, err error) {
	err = row.Scan(&l.Shard, &l.Number, &l.Fence.Owner, &l.Holder.Host, &l.Holder.PID, &l.Holder.Since, &l.Renewed, &l.Ends)
	l.Holder.ID, l.Holder.Since, l.Renewed, l.Ends = l.Fence.Owner, l.Holder.Since.UTC(), l.Renewed.UTC(), l.Ends.UTC()
	return l, err
}

// AcquireLease satisfies storage.Leases.
func (s *Store) AcquireLease(ctx context.Context, shard int, owner storage.Owner) (lease storage.Lease, err error) {
	defer wrap.Err(&err, "leases.AcquireLease(%d)", shard)
	err = s.db.Write(ctx, func(tx relational.Tx) error {
		if err := tx.Alone(ctx, "leases"); err != nil {
			return err
		}
		var before string
		var released, over bool
		err := tx.QueryRow(ctx, `SELECT owner, released, ends_at <= clock_timestamp() FROM lease WHERE shard = $1 FOR UPDATE`, shard).Scan(&before, &released, &over)
		isNew := errors.Is(err, storage.ErrNotFound)
		if err != nil && !isNew {
			return err
		}
		if !isNew && !released && !over && before != owner.ID {
			return held(ctx, tx, shard)
		}
		lease, err = scanLease(tx.QueryRow(ctx, `INSERT INTO lease (`+leaseColumns+`, released)
			VALUES ($1, 1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp() + make_interval(secs => $6), FALSE)
			ON CONFLICT (shard) DO UPDATE SET fence = lease.fence + 1, owner = excluded.owner, host = excluded.host, pid = excluded.pid,
				since_at = excluded.since_at, renewed_at = excluded.renewed_at, ends_at = excluded.ends_at, released = FALSE
			RETURNING `+leaseColumns, shard, owner.ID, owner.Host, owner.PID, owner.Since.UTC(), storage.LeaseLength.Seconds()))
		lease.Taken = !isNew && !released && before != owner.ID
		return err
	})
	if err != nil {
		return storage.Lease{}, err
	}
	return lease, nil
}

func held(ctx context.Context, tx relational.Tx, shard int) error {
	l, err := scanLease(tx.QueryRow(ctx, `SELECT `+leaseColumns+` FROM lease WHERE shard = $1`, shard))
	if err != nil {
		return err
	}
	return &storage.HeldError{Shard: shard, Holder: l.Holder, Ends: l.Ends}
}

// RenewLease satisfies storage.Leases. A lease whose time is over is lost, also if nobody has taken it yet.
func (s *Store) RenewLease(ctx context.Context, f storage.Fence) (lease storage.Lease, err error) {
	defer wrap.Err(&err, "leases.RenewLease(%d)", f.Shard)
	err = s.db.Write(ctx, func(tx relational.Tx) error {
		lease, err = scanLease(tx.QueryRow(ctx, `UPDATE lease SET renewed_at = clock_timestamp(), ends_at = clock_timestamp() + make_interval(secs => $4)
			WHERE shard = $1 AND fence = $2 AND owner = $3 AND NOT released AND ends_at > clock_timestamp() RETURNING `+leaseColumns,
			f.Shard, f.Number, f.Owner, storage.LeaseLength.Seconds()))
		return fenced(err)
	})
	return lease, err
}

// ReleaseLease satisfies storage.Leases.
func (s *Store) ReleaseLease(ctx context.Context, f storage.Fence) (err error) {
	defer wrap.Err(&err, "leases.ReleaseLease(%d)", f.Shard)
	return s.db.Write(ctx, func(tx relational.Tx) error {
		_, err := scanLease(tx.QueryRow(ctx, `UPDATE lease SET released = TRUE
			WHERE shard = $1 AND fence = $2 AND owner = $3 AND NOT released AND ends_at > clock_timestamp() RETURNING `+leaseColumns, f.Shard, f.Number, f.Owner))
		return fenced(err)
	})
}

func fenced(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return storage.ErrFenced
	}
	return err
}

// LeaseHolder satisfies storage.Leases.
func (s *Store) LeaseHolder(ctx context.Context, shard int) (lease storage.Lease, err error) {
	defer wrap.Err(&err, "leases.LeaseHolder(%d)", shard)
	err = s.db.Read(ctx, func(tx relational.Tx) error {
		lease, err = scanLease(tx.QueryRow(ctx, `SELECT `+leaseColumns+` FROM lease WHERE shard = $1 AND NOT released AND ends_at > clock_timestamp()`, shard))
		return err
	})
	return lease, err
}
