// Package migrations brings a database to the tables that this gatecamp needs.
//
// What must stay true: both databases have the same tables and columns, under the same numbers; a database that is newer than we
// are, or that belongs to someone else, is left untouched; of two migrators at once, one waits.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Dialect is a kind of database.
type Dialect int

// The dialects.
const (
	SQLite Dialect = iota + 1
	Postgres
)

// String is the dialect's name, and the folder of its migrations.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	}
	return "unknown"
}

func (d Dialect) goose() goose.Dialect {
	if d == Postgres {
		return goose.DialectPostgres
	}
	return goose.DialectSQLite3
}

// Done says what a migration did.
type Done struct {
	From, To int64 // versions; 0: nothing was there
}

// Up brings the database up to date, in the first schema of Postgres' search_path or in the one file of SQLite. It takes the lock that
// an acting process holds (SQLite) or one of its own (Postgres) only if there is something to do. A newer database is storage.ErrNewer,
// another program's storage.ErrForeign, one whose owner runs storage.ErrLocked; all stay as they are.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) (done Done, err error) {
	defer wrap.Err(&err, "migrations.Up(%s)", dialect)
	newest, err := dialect.newest()
	if err != nil {
		return done, err
	}
	at, err := look(ctx, db, dialect, newest)
	if err != nil || at == newest {
		return Done{at, at}, err
	}
	free, err := dialect.lock(ctx, db)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, free()) }()
	// Another may have been faster.
	if at, err = look(ctx, db, dialect, newest); err != nil || at == newest {
		return Done{at, at}, err
	}
	steps, err := fs.Sub(files, dialect.String())
	if err != nil {
		return done, err
	}
	provider, err := goose.NewProvider(dialect.goose(), db, steps, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return done, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return done, err
	}
	return Done{at, newest}, nil
}

// Check changes nothing: it is nil if the database is up to date, else storage.ErrOutdated, ErrNewer or ErrForeign.
func Check(ctx context.Context, db *sql.DB, dialect Dialect) (err error) {
	defer wrap.Err(&err, "migrations.Check(%s)", dialect)
	newest, err := dialect.newest()
	if err != nil {
		return err
	}
	at, err := look(ctx, db, dialect, newest)
	if err != nil {
		return err
	}
	if at < newest {
		return problem.New(problem.Usage, fmt.Sprintf("the database is of version %d, this gatecamp needs %d", at, newest), "run gatecamp migrate").Because(storage.ErrOutdated)
	}
	return nil
}

// newest is the highest number among our migrations.
func (d Dialect) newest() (newest int64, err error) {
	names, err := fs.Glob(files, d.String()+"/*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, n)
	}
	return newest, nil
}

// look reads which version the database has, without changing anything: 0 for an empty one.
func look(ctx context.Context, db *sql.DB, dialect Dialect, newest int64) (version int64, err error) {
	tables := `SELECT COUNT(*), COALESCE(SUM(CASE WHEN name = 'gatecamp' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN name = 'goose_db_version' THEN 1 ELSE 0 END), 0) FROM `
	switch dialect {
	case Postgres:
		tables += `(SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE') t`
	case SQLite:
		tables += `sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	}
	var all, ours, counted int
	if err := db.QueryRowContext(ctx, tables).Scan(&all, &ours, &counted); err != nil {
		return 0, err
	}
	if ours == 0 && all > counted {
		return 0, problem.New(problem.Usage, "the database belongs to another program: it has tables, and none of them is ours; nothing was changed",
			"name an empty database, or a schema of its own").Because(storage.ErrForeign)
	}
	if counted == 0 {
		return 0, nil
	}
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version); err != nil {
		return 0, err
	}
	if version > newest {
		return version, problem.New(problem.Usage, fmt.Sprintf("the database is of version %d, this gatecamp knows versions up to %d; nothing was changed", version, newest),
			"run the newer gatecamp that made it, or go back to a backup from before").Because(storage.ErrNewer)
	}
	return version, nil
}
