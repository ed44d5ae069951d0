package replay_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecamp/enforcement/replay"
	"gatecamp/migrations"
	"gatecamp/storage/sqlite"
)

// empty is a migrated file to copy from.
func empty(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "empty.db")
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = migrations.Up(t.Context(), db.SQL(), migrations.SQLite)
	if err == nil {
		_, err = db.SQL().ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func open(t *testing.T, from []byte) *sqlite.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blocks.db")
	if err := os.WriteFile(path, from, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestEveryScenarioGoesAsIsRight(t *testing.T) {
	paths, err := filepath.Glob("../testdata/scenarios/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	base := empty(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := replay.Read(raw, path)
			if err != nil {
				t.Fatal(err)
			}
			if f.ID != name || f.Title == "" {
				t.Errorf("id %q in %s, title %q", f.ID, path, f.Title)
			}
			expectations := 0
			for _, s := range f.Steps {
				if s.Expect != nil && len(s.Expect.Right) > 0 {
					expectations++
				}
			}
			if expectations == 0 && f.RightBoot == "" {
				t.Error("it expects nothing, so it cannot fail")
			}
			r, err := replay.Run(t.Context(), f, open(t, base))
			if err != nil {
				t.Fatal(err)
			}
			for _, failure := range r.Failures {
				t.Error(failure)
			}
		})
	}
}

func TestWhatIsNotRightIsSaidWithItsPlace(t *testing.T) {
	base := empty(t)
	for name, c := range map[string]struct{ file, want string }{
		"a verdict": {
			`"steps": [{"at": "0s", "do": "request", "actor": {"ip": "192.0.2.1"}, "path": "/", "expect": {"right": {"verdict": "deny"}}}]`,
			`steps[0] (request at 0s): verdict is "allow", right is "deny"`,
		},
		"an event that is not named counts as none": {
			`"steps": [{"at": "0s", "do": "block", "scope": "user", "value": "1", "expect": {"right": {"events": {"blocked": 0}}}}]`,
			`steps[0] (block at 0s): events.block_applied is 1, right is 0`,
		},
		"a number out of bounds": {
			`"steps": [{"do": "block", "at": "0s", "scope": "user", "value": "1", "ttl": "60s"}, {"at": "1s", "do": "check", "scope": "user", "value": "1", "expect": {"right": {"remaining_s": {"min": 1, "max": 5}}}}]`,
			`remaining_s is 59, right is {"max":5,"min":1}`,
		},
		"a boot that must be refused": {`"right_boot": "refused"`, "boot: it was accepted, and must be refused"},
		"a boot that must not":        {`"config": {"mode": "no"}, "steps": []`, `boot: refused: mode: "no" is neither enforce nor shadow`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := replay.Read([]byte(`{"schema": "gatecamp.enforcement.scenario/1", "id": "x", "title": "x", `+c.file+`}`), "x.json")
			if err != nil {
				t.Fatal(err)
			}
			r, err := replay.Run(t.Context(), f, open(t, base))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Failures) != 1 || !strings.Contains(r.Failures[0], c.want) {
				t.Errorf("failures %q, want one with %q", r.Failures, c.want)
			}
		})
	}
}

func TestAFileThatDoesNotFitIsRefusedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"no JSON":         {"{\n \"schema\": }", "x.json is no scenario: line 2, column"},
		"another form":    {`{"schema": "other/1"}`, `x.json is of the form "other/1"`},
		"an unknown step": {`{"schema": "gatecamp.enforcement.scenario/1", "steps": [{"at": "0s", "do": "explode"}]}`, `steps[0].do is "explode"`},
		"time that goes back": {
			`{"schema": "gatecamp.enforcement.scenario/1", "steps": [{"at": "5s", "do": "request"}, {"at": "4s", "do": "request"}]}`, `steps[1].at is "4s"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := replay.Read([]byte(c.file), "x.json")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
