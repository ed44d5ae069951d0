package relational

import (
	"context"
	"errors"

	"gatecamp/storage"
)

var _ storage.Roles = (*Store)(nil)

// Glance satisfies storage.Together.
func (s *Store) Glance(ctx context.Context, do func(storage.Roles) error) error {
	return s.db.Read(ctx, func(tx Tx) error { return do(New(joined{tx: tx})) })
}

// Together satisfies storage.Together.
func (s *Store) Together(ctx context.Context, do func(storage.Roles) error) error {
	return s.db.Write(ctx, func(tx Tx) error { return do(New(joined{tx: tx, writes: true})) })
}

// joined is a database within one of its transactions.
type joined struct {
	tx     Tx
	writes bool
}

var errGlance = errors.New("a glance at the database writes nothing")

// Write satisfies Database.
func (j joined) Write(_ context.Context, do func(Tx) error) error {
	if !j.writes {
		return errGlance
	}
	return do(j.tx)
}

// Read satisfies Database.
func (j joined) Read(_ context.Context, do func(Tx) error) error { return do(j.tx) }
