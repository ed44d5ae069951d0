package storagetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gatecamp/migrations"
	"gatecamp/storage/sqlite"
)

// SQLiteFile writes an empty SQLite database that is up to date to the path. It is migrated once for all tests of a process, since that
// takes longer than most of them, and copied for each.
func SQLiteFile(t testing.TB, path string) {
	t.Helper()
	empty, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, empty, 0o600); err != nil {
		t.Fatal(err)
	}
}

var migrated = sync.OnceValues(func() (_ []byte, err error) {
	folder, err := os.MkdirTemp("", "gatecamp")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "gatecamp.db")
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		return nil, err
	}
	_, err = migrations.Up(context.Background(), db.SQL(), migrations.SQLite)
	if err = errors.Join(err, db.Close()); err != nil { // what was written ahead is in the file once it is closed
		return nil, err
	}
	return os.ReadFile(path)
})
