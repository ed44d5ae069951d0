package postgres

import (
	"context"

	"gatecamp/storage"
	"gatecamp/storage/relational"
)

// Exec runs a statement of a test's own as the roles run theirs.
func Exec(ctx context.Context, s *Store, statement string) error {
	return s.db.Write(ctx, func(tx relational.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
}

// WhileFenced runs something inside a transaction that has checked the lease, as an intention does before it is written.
func WhileFenced(ctx context.Context, s *Store, f storage.Fence, do func()) error {
	return s.db.Write(ctx, func(tx relational.Tx) error {
		if err := tx.Fenced(ctx, f); err != nil {
			return err
		}
		do()
		return nil
	})
}
