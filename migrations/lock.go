package migrations

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gofrs/flock"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// patience is how long a migration waits for another, or for an owner that is about to stop.
const patience = 10 * time.Second

// lock keeps everyone else from migrating, and with SQLite from acting, until free is called.
func (d Dialect) lock(ctx context.Context, db *sql.DB) (free func() error, err error) {
	if d == Postgres {
		return lockServer(ctx, db)
	}
	return lockFile(ctx, db)
}

// lockServer holds an advisory lock of the schema on a connection of its own, so the pool must have two.
func lockServer(ctx context.Context, db *sql.DB) (func() error, error) {
	const key = `(hashtextextended(current_schema() || ':migrations', 0))`
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock`+key); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock`+key)
		return errors.Join(err, conn.Close())
	}, nil
}

// lockFile locks the file that an acting process locks.
func lockFile(ctx context.Context, db *sql.DB) (func() error, error) {
	var path string
	if err := db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		return nil, err
	}
	file := flock.New(path+".lock", flock.SetPermissions(0o600))
	brief, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, err := file.TryLockContext(brief, 20*time.Millisecond)
	if got {
		return file.Close, nil
	}
	if brief.Err() == nil {
		return nil, errors.Join(storage.ErrGone, err, file.Close())
	}
	return nil, problem.New(problem.Failed, "the database must be brought up to date, and another gatecamp works with it; nothing was changed",
		"stop that process, run gatecamp migrate, start it again").Because(errors.Join(storage.ErrLocked, ctx.Err(), file.Close()))
}
