package sqlite

import (
	"context"

	"gatecamp/storage/relational"
)

// Exec runs a statement of a test's own as the roles run theirs.
func Exec(ctx context.Context, s *Store, statement string) error {
	return s.lock.db.Write(ctx, func(tx relational.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
}
