package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatecamp/storage"
	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is a migrated database in a temporary folder.
type file struct{ path string }

func fresh(t testing.TB) storagetest.Database {
	t.Helper()
	f := file{filepath.Join(t.TempDir(), "gatecamp ä%?#.db")}
	storagetest.SQLiteFile(t, f.path)
	return f
}

func (f file) open(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: f.path, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (f file) Open(t testing.TB) storage.Store { return f.open(t) }

func (f file) SQL(t testing.TB) *sql.DB { return f.open(t).SQL() }

// Die closes the file without a word to the database: as when a process is killed, the system frees the lock.
func (f file) Die(t testing.TB, s storage.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func (f file) LeasesEnd() bool { return false }

func TestStore(t *testing.T) { storagetest.Run(t, fresh) }

// durable waits for the disk, as production does.
type durable struct{ file }

func (d durable) Open(t testing.TB) storage.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: d.path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func BenchmarkStore(b *testing.B) {
	storagetest.Benchmarks(b, func(t testing.TB) storagetest.Database { return durable{fresh(t).(file)} })
}

// Whoever makes the file switches it to write-ahead logging, and for that SQLite itself does not wait: of two consoles that were
// started at once on an empty folder, one failed on the spot.
func TestOpeningWaitsForWhoeverMakesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecamp.db")
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	for _, statement := range []string{"CREATE TABLE gatecamp (id INTEGER)", "BEGIN IMMEDIATE"} {
		if _, err := other.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	const wait = 200 * time.Millisecond
	started := time.Now()
	_, err = sqlite.Open(t.Context(), sqlite.Config{Path: path, Relaxed: true, Wait: wait})
	if waited := time.Since(started); !errors.Is(err, storage.ErrLocked) || waited < wait {
		t.Errorf("opening ended after %v with %v, want %v and storage.ErrLocked", waited, err, wait)
	}
	if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
