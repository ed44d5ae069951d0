package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatecamp/internal/problem"
	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
	"gatecamp/trail"
)

var noon = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

// wantProblem checks that an error is the sentinel and tells a person what to do.
func wantProblem(t *testing.T, err, sentinel error) {
	t.Helper()
	p, isProblem := errors.AsType[*problem.Problem](err)
	if !errors.Is(err, sentinel) || !isProblem || p.What == "" || p.Cure == "" {
		t.Errorf("error %v, want %v with what happened and the cure", err, sentinel)
	}
}

func entries(n int) []storage.TrailRecord {
	all := make([]storage.TrailRecord, n)
	for i := range all {
		all[i].Entry = trail.Entry{Guild: 1, At: time.Now(), Kind: trail.Seen, What: "unknown_guest"}
	}
	return all
}

func count(t *testing.T, s *sqlite.Store) int {
	t.Helper()
	all, err := s.TrailEntries(t.Context(), 1, storage.TrailFilter{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskLeavesNothingHalfWritten(t *testing.T) {
	s := fresh(t).(file).open(t)
	if err := s.AppendTrail(t.Context(), entries(3)); err != nil {
		t.Fatal(err)
	}
	exec(t, s.SQL(), `PRAGMA max_page_count = 1`) // SQLite takes the size it has
	wantProblem(t, s.AppendTrail(t.Context(), entries(5000)), storage.ErrFull)
	if n := count(t, s); n != 3 {
		t.Errorf("%d entries, want the 3 from before", n)
	}
	exec(t, s.SQL(), `PRAGMA max_page_count = 1000000`)
	if err := s.AppendTrail(t.Context(), entries(5000)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestADatabaseThatCannotBeWrittenSaysSo(t *testing.T) {
	s := fresh(t).(file).open(t)
	exec(t, s.SQL(), `PRAGMA query_only = 1`)
	wantProblem(t, s.AppendTrail(t.Context(), entries(1)), storage.ErrReadOnly)
	if n := count(t, s); n != 0 {
		t.Errorf("%d entries were written", n)
	}
}

func TestALockedDatabaseIsWaitedForAndThenSaidToBeLocked(t *testing.T) {
	f := fresh(t).(file)
	hasty, err := sqlite.Open(t.Context(), sqlite.Config{Path: f.path, Relaxed: true, Wait: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	tx, err := f.open(t).SQL().BeginTx(t.Context(), nil) // takes the write lock at once
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, hasty.AppendTrail(t.Context(), entries(1)), storage.ErrLocked)
	if n := count(t, hasty); n != 0 {
		t.Errorf("%d entries were written", n)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := hasty.AppendTrail(t.Context(), entries(1)); err != nil {
		t.Errorf("without the lock: %v", err)
	}
}

func TestAFileThatIsNoDatabaseIsNotTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecamp.db")
	text := "this is a letter, not a database; it is long enough to have a header and more than that, for SQLite reads 100 bytes of it\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	wantProblem(t, err, storage.ErrGone)
	if after, err := os.ReadFile(path); err != nil || string(after) != text {
		t.Errorf("the file is now %q, %v", after, err)
	}
}

func TestADamagedDatabaseSaysSo(t *testing.T) {
	f := fresh(t).(file)
	s := f.open(t)
	if err := s.AppendTrail(t.Context(), entries(3000)); err != nil {
		t.Fatal(err)
	}
	exec(t, s.SQL(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(raw); i++ {
		raw[i] = 0x5a
	}
	if err := os.WriteFile(f.path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged, err := sqlite.Open(t.Context(), sqlite.Config{Path: f.path, Relaxed: true})
	if err == nil {
		defer damaged.Close()
		_, err = damaged.TrailEntries(t.Context(), 1, storage.TrailFilter{})
	}
	wantProblem(t, err, storage.ErrGone)
}

func TestAnotherProgramsFileIsNotTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.db")
	theirs, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, theirs, `CREATE TABLE auth_user (id INTEGER PRIMARY KEY)`)
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), sqlite.Config{Path: path})
	wantProblem(t, err, storage.ErrForeign)
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("their file was changed (%v)", err)
	}
}

func TestAMissingFolderOrAFolderInPlaceOfTheFileIsSaid(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "missing", "gatecamp.db"), dir} {
		_, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
		wantProblem(t, err, storage.ErrGone)
	}
}

func TestAFileThatIsRemovedWhileOpenIsNoticed(t *testing.T) {
	f := fresh(t).(file)
	s := f.open(t)
	if err := os.Rename(f.path, f.path+".old"); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.AppendTrail(t.Context(), entries(1)), storage.ErrGone)
	_, err := s.TrailEntries(t.Context(), 1, storage.TrailFilter{})
	wantProblem(t, err, storage.ErrGone)
}

func TestADatabaseThatWasNotMigratedSaysSo(t *testing.T) {
	s := file{filepath.Join(t.TempDir(), "gatecamp.db")}.open(t)
	_, err := s.TrailEntries(t.Context(), 1, storage.TrailFilter{})
	wantProblem(t, err, storage.ErrOutdated)
}

func TestANewFileIsForItsOwnerAlone(t *testing.T) {
	f := file{filepath.Join(t.TempDir(), "gatecamp.db")}
	f.open(t)
	info, err := os.Stat(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode is %v, want 0600", mode)
	}
}

func TestReplaceDoesNotWalkThroughTheTriggers(t *testing.T) {
	for _, recursive := range []string{"1", "0"} {
		t.Run("recursive_triggers="+recursive, func(t *testing.T) {
			f := fresh(t).(file)
			s := f.open(t)
			if err := s.AppendTrail(t.Context(), entries(1)); err != nil {
				t.Fatal(err)
			}
			r, err := s.CreateRun(t.Context(), 1, storage.Order{Kind: "live", Slot: "s", Actor: "a"}, noon)
			if err != nil {
				t.Fatal(err)
			}
			look := storage.Look{Guild: 1, At: noon, Extent: storage.Complete, Found: []storage.Found{{SubjectKind: storage.SubjectMember, Subject: 1, Category: "unknown_guest"}}}
			if _, err := s.ApplyLook(t.Context(), look); err != nil {
				t.Fatal(err)
			}
			db := f.open(t).SQL()
			exec(t, db, `PRAGMA recursive_triggers = `+recursive)
			for _, statement := range []string{
				`INSERT OR REPLACE INTO trail SELECT * FROM trail`,
				`REPLACE INTO run SELECT * FROM run`,
				`INSERT OR REPLACE INTO finding SELECT * FROM finding`,
				// with a new id, but in the place of the old row
				`INSERT OR REPLACE INTO run (guild_id, kind, mode, policy_version, member_limit, actor, origin, dry_run, plan, slot, state, created_at, owner, digest, error_code)
					SELECT guild_id, kind, 'strip', policy_version, member_limit, 'x', origin, dry_run, plan, slot, state, created_at, owner, digest, error_code FROM run`,
			} {
				if _, err := db.ExecContext(t.Context(), statement); err == nil {
					t.Errorf("went through: %s", statement)
				}
			}
			if got, err := s.Run(t.Context(), r.ID); err != nil || got.Order.Actor != "a" {
				t.Errorf("run is %+v, %v", got, err)
			}
		})
	}
}

func TestARefusalByTheDatabaseIsAppendOnly(t *testing.T) {
	s := fresh(t).(file).open(t)
	if err := s.AppendTrail(t.Context(), entries(1)); err != nil {
		t.Fatal(err)
	}
	err := sqlite.Exec(t.Context(), s, `DELETE FROM trail`)
	if !errors.Is(err, storage.ErrAppendOnly) {
		t.Errorf("DELETE: %v, want ErrAppendOnly", err)
	}
}

func TestASecondOwnerWaitsOnlyUntilTheFirstEnds(t *testing.T) {
	f := fresh(t).(file)
	first, second := f.open(t), f.open(t)
	if _, err := first.AcquireLease(t.Context(), 0, storage.Owner{ID: "first", Host: "here", PID: 1, Since: noon}); err != nil {
		t.Fatal(err)
	}
	if _, err := second.AcquireLease(t.Context(), 5, storage.Owner{ID: "second"}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("another shard of a file that has an owner: %v, want ErrConflict", err)
	} else if held, isHeld := errors.AsType[*storage.HeldError](err); !isHeld || held.Holder.PID != 1 {
		t.Errorf("held by %v", err)
	}
	if _, err := migrations.Up(t.Context(), second.SQL(), migrations.SQLite); err != nil {
		t.Errorf("a command beside the owner: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.AcquireLease(t.Context(), 5, storage.Owner{ID: "second"}); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}
