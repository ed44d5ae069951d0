package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// queueVersion is what the pinned River makes. Its tables are its own: our schema never names them, since its migrations rebuild them.
const queueVersion = 7

// upQueue brings River's tables up to date. Each of its versions is a transaction of its own, so that a new value of an enumeration can
// be used by the next.
func (d Dialect) upQueue(ctx context.Context, db *sql.DB) error {
	quiet := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	if d == Postgres {
		return upQueueServer(ctx, db, quiet)
	}
	m, err := rivermigrate.New(riversqlite.New(db), quiet)
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: queueVersion})
	return err
}

// upQueueServer lends River one connection of the pool: its driver for Postgres knows pgx alone, and we have it behind database/sql.
func upQueueServer(ctx context.Context, db *sql.DB, quiet *rivermigrate.Config) (err error) {
	m, err := rivermigrate.New(riverpgxv5.New(nil), quiet)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(driver any) error {
		lent, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver of Postgres is %T, not pgx", driver)
		}
		for version := 1; version <= queueVersion; version++ {
			err := pgx.BeginFunc(ctx, lent.Conn(), func(tx pgx.Tx) error {
				//nolint:staticcheck // deprecated for several versions in one transaction; this is one, and Migrate wants a pool of pgx
				_, err := m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: version})
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
