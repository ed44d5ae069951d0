package migrations_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	_ "github.com/jackc/pgx/v5/stdlib" // the drivers
	_ "modernc.org/sqlite"

	"gatecamp/internal/problem"
	"gatecamp/migrations"
	"gatecamp/storage"
)

// eachDialect runs the test on SQLite and, if one is at hand, on Postgres. Open connects to one empty database.
func eachDialect(t *testing.T, run func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "gatecamp.db")
		run(t, migrations.SQLite, func() *sql.DB { return openSQLite(t, path) })
	})
	t.Run("postgres", func(t *testing.T) {
		address := os.Getenv("GATECAMP_TEST_POSTGRES_URL")
		if address == "" {
			t.Skip("GATECAMP_TEST_POSTGRES_URL is not set: no Postgres to test against")
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal("GATECAMP_TEST_POSTGRES_URL is not a URL")
		}
		name := "test_" + strings.ToLower(rand.Text())
		root := connect(t, "pgx", address)
		exec(t.Context(), t, root, `CREATE SCHEMA `+name)
		t.Cleanup(func() { exec(context.WithoutCancel(t.Context()), t, root, `DROP SCHEMA `+name+` CASCADE`) })
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		run(t, migrations.Postgres, func() *sql.DB { return connect(t, "pgx", u.String()) })
	})
}

func openSQLite(t *testing.T, path string) *sql.DB {
	t.Helper()
	db := connect(t, "sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=foreign_keys(1)&_pragma=recursive_triggers(1)")
	db.SetMaxOpenConns(1)
	// The first connection switches the file to write-ahead logging, and for that SQLite does not wait while another works.
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func connect(t *testing.T, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMigratingAgainChangesNothing(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		if err := migrations.Check(t.Context(), db, dialect); !errors.Is(err, storage.ErrOutdated) {
			t.Errorf("an empty database: %v, want ErrOutdated", err)
		}
		first, err := migrations.Up(t.Context(), db, dialect)
		if err != nil {
			t.Fatal(err)
		}
		second, err := migrations.Up(t.Context(), db, dialect)
		if err != nil || !second.Nothing() || second.To != first.To || second.QueueTo != first.QueueTo {
			t.Errorf("again: %+v after %+v, %v", second, first, err)
		}
		if err := migrations.Check(t.Context(), db, dialect); err != nil {
			t.Errorf("a migrated database: %v", err)
		}
	})
}

func TestOfTwoMigratorsOneWaits(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		dbs := []*sql.DB{open(), open(), open()}
		done, errs := make([]migrations.Done, len(dbs)), make([]error, len(dbs))
		var wg sync.WaitGroup
		for i, db := range dbs {
			wg.Go(func() { done[i], errs[i] = migrations.Up(t.Context(), db, dialect) })
		}
		wg.Wait()
		worked := 0
		for i := range dbs {
			if errs[i] != nil {
				t.Errorf("migrator %d: %v", i, errs[i])
			}
			if !done[i].Nothing() {
				worked++
			}
		}
		if worked != 1 {
			t.Errorf("%d did the work, want 1: %+v", worked, done)
		}
	})
}

func TestANewerDatabaseIsLeftAsItIs(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		exec(t.Context(), t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`)
		_, err := migrations.Up(t.Context(), db, dialect)
		for _, err := range []error{err, migrations.Check(t.Context(), db, dialect)} {
			p, isProblem := errors.AsType[*problem.Problem](err)
			if !errors.Is(err, storage.ErrNewer) || !isProblem || p.Cure == "" {
				t.Errorf("a newer database: %v, want ErrNewer and the cure", err)
			}
		}
	})
}

func TestTheJobQueuesTablesAreMadeWhereTheyAreMissing(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		first, err := migrations.Up(t.Context(), db, dialect)
		if err != nil || first.QueueFrom != 0 || first.QueueTo == 0 {
			t.Fatalf("up from zero: %+v, %v", first, err)
		}
		// As a process leaves it that was killed between our tables and the queue's.
		cascade := map[migrations.Dialect]string{migrations.Postgres: " CASCADE"}[dialect]
		for _, table := range []string{"river_job", "river_leader", "river_queue", "river_notification", "river_migration"} {
			exec(t.Context(), t, db, `DROP TABLE `+table+cascade)
		}
		if dialect == migrations.Postgres {
			exec(t.Context(), t, db, `DROP FUNCTION IF EXISTS river_job_state_in_bitmask`)
			exec(t.Context(), t, db, `DROP TYPE river_job_state CASCADE`)
		}
		if err := migrations.Check(t.Context(), db, dialect); !errors.Is(err, storage.ErrOutdated) {
			t.Errorf("without the queue's tables: %v, want ErrOutdated", err)
		}
		again, err := migrations.Up(t.Context(), db, dialect)
		if err != nil || again.Nothing() || again.From != again.To || again.QueueTo != first.QueueTo {
			t.Errorf("once more: %+v, %v", again, err)
		}
		exec(t.Context(), t, db, `INSERT INTO river_migration (line, version) VALUES ('main', 999)`)
		if err := migrations.Check(t.Context(), db, dialect); !errors.Is(err, storage.ErrNewer) {
			t.Errorf("tables of a newer queue: %v, want ErrNewer", err)
		}
	})
}

func TestAnotherProgramsDatabaseIsLeftAsItIs(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		exec(t.Context(), t, db, `CREATE TABLE auth_user (id INTEGER)`)
		before := describe(t, db, dialect)
		for range 2 {
			if _, err := migrations.Up(t.Context(), db, dialect); !errors.Is(err, storage.ErrForeign) {
				t.Errorf("another program's database: %v, want ErrForeign", err)
			}
			exec(t.Context(), t, db, `CREATE TABLE IF NOT EXISTS goose_db_version (id INTEGER)`) // theirs, too, migrates with goose
		}
		if after := describe(t, db, dialect); after != before {
			t.Errorf("it was changed:\n%s", after)
		}
	})
}

func TestAnotherProgramsQueueIsLeftAsItIs(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		exec(t.Context(), t, db, `CREATE TABLE river_job (id INTEGER)`)
		if _, err := migrations.Up(t.Context(), db, dialect); !errors.Is(err, storage.ErrForeign) {
			t.Errorf("another program's queue: %v, want ErrForeign", err)
		}
	})
}

// As a process leaves it that was killed between the queue's tables and ours.
func TestADatabaseThatWasLeftHalfWayIsFinished(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "gatecamp.db"))
	for _, statement := range []string{
		`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`,
		`CREATE TABLE river_migration (id integer PRIMARY KEY, created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, version integer NOT NULL)`,
		`CREATE UNIQUE INDEX river_migration_version_idx ON river_migration (version)`,
		`INSERT INTO river_migration (version) VALUES (1)`,
	} {
		exec(t.Context(), t, db, statement)
	}
	done, err := migrations.Up(t.Context(), db, migrations.SQLite)
	if err != nil || done.From != 0 || done.To == 0 || done.QueueFrom != 1 || done.QueueTo <= 1 {
		t.Errorf("finished as %+v, %v", done, err)
	}
	if err := migrations.Check(t.Context(), db, migrations.SQLite); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAnEndedContextMigratesNothing(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := migrations.Up(ctx, db, dialect); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestWhileAnOwnerRunsNothingIsMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecamp.db")
	owner := flock.New(path + ".lock")
	if got, err := owner.TryLock(); !got {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	db := openSQLite(t, path)
	if _, err := migrations.Up(ctx, db, migrations.SQLite); !errors.Is(err, storage.ErrLocked) {
		t.Errorf("with an owner: %v, want ErrLocked", err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.Up(t.Context(), db, migrations.SQLite); err != nil {
		t.Errorf("without: %v", err)
	}
}
