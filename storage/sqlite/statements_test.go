package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"gatecamp/storage/relational"
)

func TestAStatementIsCompiledOnceAndNotTooManyAreKept(t *testing.T) {
	s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "x.db"), Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ask := func(db *database, query string) {
		t.Helper()
		err := db.Read(t.Context(), func(tx relational.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), query, 7).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	db := s.database
	for range 3 {
		ask(db, "SELECT $1 + 1")
	}
	if db.reader.of("SELECT $1 + 1") == nil || db.writer.of("SELECT $1 + 1") != nil {
		t.Error("what was asked three times is compiled anew each time, or on the wrong connection")
	}
	for i := range 2 * mostStatements {
		ask(db, fmt.Sprintf("SELECT $1 + %d", i))
	}
	if n := len(db.reader.ready); n > mostStatements {
		t.Errorf("%d statements are kept", n)
	}
	// A statement that is wrong says so, and harms none that comes later.
	for range 2 {
		err := db.Read(t.Context(), func(tx relational.Tx) error {
			_, err := tx.Query(t.Context(), "SELECT nonsense")
			return err
		})
		if err == nil {
			t.Error("nonsense was answered")
		}
	}
	ask(db, "SELECT $1 + 1")
	// One that was compiled while a table looked otherwise goes by how it looks now.
	write := func(query string) {
		t.Helper()
		if err := db.Write(t.Context(), func(tx relational.Tx) error { _, err := tx.Exec(context.Background(), query); return err }); err != nil {
			t.Fatal(err)
		}
	}
	write("CREATE TABLE x (a INTEGER)")
	write("INSERT INTO x (a) VALUES (5)")
	for range 2 {
		ask(db, "SELECT a + $1 FROM x")
	}
	write("ALTER TABLE x ADD COLUMN b INTEGER")
	ask(db, "SELECT a + $1 FROM x")
}
