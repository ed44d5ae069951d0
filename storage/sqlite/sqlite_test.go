package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is a migrated database in a temporary folder.
type file struct{ path string }

func fresh(t testing.TB) storagetest.Database {
	f := file{filepath.Join(t.TempDir(), "gatecamp ä%?#.db")}
	s := f.open(t)
	if _, err := migrations.Up(t.Context(), s.SQL(), migrations.SQLite); err != nil {
		t.Fatal(err)
	}
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
