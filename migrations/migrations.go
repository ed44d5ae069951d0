// Package migrations brings a database to the tables that this gatecamp needs: our own, and those of the job queue (River).
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
	From, To           int64 // versions of our tables; 0: nothing was there
	QueueFrom, QueueTo int64 // versions of the job queue's tables, likewise
}

// Nothing reports whether the database was up to date already.
func (d Done) Nothing() bool { return d.From == d.To && d.QueueFrom == d.QueueTo }

// versions is what a database has: ours, and the job queue's.
type versions struct{ ours, queue int64 }

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
		return from(at, at), err
	}
	free, err := dialect.lock(ctx, db)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, free()) }()
	// Another may have been faster.
	if at, err = look(ctx, db, dialect, newest); err != nil || at == newest {
		return from(at, at), err
	}
	steps, err := fs.Sub(files, dialect.String())
	if err != nil {
		return done, err
	}
	provider, err := goose.NewProvider(dialect.goose(), db, steps, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return done, err
	}
	// The queue comes first: SQLite reads the whole schema again after each change of it, and the queue's changes are many. Before it, asking
	// for our version makes the table that holds it, by which a database is known that was left half-way.
	if _, err := provider.GetDBVersion(ctx); err != nil {
		return done, err
	}
	if at.queue < newest.queue {
		if err := dialect.upQueue(ctx, db); err != nil {
			return done, err
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return done, err
	}
	return from(at, newest), nil
}

func from(at, to versions) Done {
	return Done{From: at.ours, To: to.ours, QueueFrom: at.queue, QueueTo: to.queue}
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
	switch {
	case at.ours < newest.ours:
		return problem.New(problem.Usage, fmt.Sprintf("the database is of version %d, this gatecamp needs %d", at.ours, newest.ours), "run gatecamp migrate").Because(storage.ErrOutdated)
	case at.queue < newest.queue:
		return problem.New(problem.Usage, fmt.Sprintf("the tables of the job queue are of version %d, this gatecamp needs %d", at.queue, newest.queue),
			"run gatecamp migrate").Because(storage.ErrOutdated)
	}
	return nil
}

// newest is the highest number among our migrations, and the queue's version that goes with them.
func (d Dialect) newest() (newest versions, err error) {
	newest.queue = queueVersion
	names, err := fs.Glob(files, d.String()+"/*.sql")
	if err != nil {
		return newest, err
	}
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return newest, err
		}
		newest.ours = max(newest.ours, n)
	}
	return newest, nil
}

// look reads which versions the database has, without changing anything: 0 for an empty one.
func look(ctx context.Context, db *sql.DB, dialect Dialect, newest versions) (at versions, err error) {
	tables := `SELECT COUNT(*), COALESCE(SUM(CASE WHEN name = 'gatecamp' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN name = 'goose_db_version' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN name = 'river_migration' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN name LIKE 'river\_%' ESCAPE '\' THEN 1 ELSE 0 END), 0) FROM `
	switch dialect {
	case Postgres:
		tables += `(SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE') t`
	case SQLite:
		tables += `sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	}
	var all, ours, counted, queue, queues int
	if err := db.QueryRowContext(ctx, tables).Scan(&all, &ours, &counted, &queue, &queues); err != nil {
		return at, err
	}
	if ours == 0 && (all > counted+queues || queues > 0 && counted == 0) {
		return at, problem.New(problem.Usage, "the database belongs to another program: it has tables, and none of them is ours; nothing was changed",
			"name an empty database, or a schema of its own").Because(storage.ErrForeign)
	}
	if counted > 0 {
		if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&at.ours); err != nil {
			return at, err
		}
	}
	if queue > 0 {
		if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM river_migration`).Scan(&at.queue); err != nil {
			return at, err
		}
	}
	if at.ours > newest.ours || at.queue > newest.queue {
		return at, problem.New(problem.Usage, fmt.Sprintf("the database is of version %d (job queue %d), this gatecamp knows versions up to %d (%d); nothing was changed",
			at.ours, at.queue, newest.ours, newest.queue), "run the newer gatecamp that made it, or go back to a backup from before").Because(storage.ErrNewer)
	}
	return at, nil
}
