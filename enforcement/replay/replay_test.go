package replay_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecamp/enforcement/guard"
	"gatecamp/enforcement/replay"
	"gatecamp/internal/secret"
	"gatecamp/migrations"
	"gatecamp/storage/postgres"
	"gatecamp/storage/redis"
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

func scenarios(t *testing.T) map[string]*replay.File {
	t.Helper()
	paths, err := filepath.Glob("../testdata/scenarios/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	all := map[string]*replay.File{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := replay.Read(raw, path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".json")] = f
	}
	return all
}

func TestEveryScenarioHasItsNameAndCanFail(t *testing.T) {
	for name, f := range scenarios(t) {
		if f.ID != name || f.Title == "" {
			t.Errorf("id %q in %s, title %q", f.ID, name, f.Title)
		}
		expectations := 0
		for _, s := range f.Steps {
			if s.Expect != nil && len(s.Expect.Right) > 0 {
				expectations++
			}
		}
		if expectations == 0 && f.RightBoot == "" {
			t.Errorf("%s expects nothing, so it cannot fail", name)
		}
	}
}

// every runs every scenario on an engine of its own.
func every(t *testing.T, on func(t *testing.T) replay.Engine) {
	t.Helper()
	for name, f := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			r, err := replay.Run(t.Context(), f, on(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, failure := range r.Failures {
				t.Error(failure)
			}
		})
	}
}

func TestEveryScenarioGoesAsIsRightOnSQLite(t *testing.T) {
	base := empty(t)
	every(t, func(t *testing.T) replay.Engine { return replay.Engine{Store: open(t, base)} })
}

// TestEveryScenarioGoesAsIsRightWithRedis looks at the copies at every check, since no stream is heard.
func TestEveryScenarioGoesAsIsRightWithRedis(t *testing.T) {
	address := os.Getenv("GATECAMP_TEST_REDIS_URL")
	if address == "" {
		t.Skip("GATECAMP_TEST_REDIS_URL is not set: no Redis to test against")
	}
	client, err := redis.OpenPatiently(secret.New(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	base := empty(t)
	for name, silent := range map[string]bool{"heard": false, "silent": true} {
		t.Run(name, func(t *testing.T) {
			every(t, func(t *testing.T) replay.Engine {
				fleet := func() *redis.Fleet {
					f := client.Fleet("replay-" + rand.Text())
					t.Cleanup(func() {
						if err := f.Drop(context.Background()); err != nil {
							t.Error(err)
						}
					})
					return f
				}
				copies := fleet()
				return replay.Engine{Store: open(t, base), Copies: copies, Counts: func() guard.Counts { return fleet() }, Spoil: copies.Spoil, Silent: silent}
			})
		})
	}
}

func TestEveryScenarioGoesAsIsRightOnPostgres(t *testing.T) {
	address := os.Getenv("GATECAMP_TEST_POSTGRES_URL")
	if address == "" {
		t.Skip("GATECAMP_TEST_POSTGRES_URL is not set: no Postgres to test against")
	}
	base, err := postgres.Open(t.Context(), secret.New(address), postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := base.SQL().ExecContext(t.Context(), `CREATE SCHEMA `+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("GATECAMP_TEST_POSTGRES_URL is not a URL")
	}
	q := u.Query()
	q.Set("search_path", name)
	q.Set("synchronous_commit", "off")
	u.RawQuery = q.Encode()
	db, err := postgres.Open(t.Context(), secret.New(u.String()), postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = db.Close()
		_, err := base.SQL().ExecContext(context.Background(), `DROP SCHEMA `+name+` CASCADE`)
		if err := errors.Join(err, base.Close()); err != nil {
			t.Error(err)
		}
	})
	if _, err := migrations.Up(t.Context(), db.SQL(), migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	// One schema for all: only what scenarios leave behind is taken away between them.
	every(t, func(t *testing.T) replay.Engine {
		tx, err := db.SQL().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{`SET LOCAL session_replication_role = replica`, `DELETE FROM block_history`, `DELETE FROM block`} {
			if _, err := tx.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		return replay.Engine{Store: db}
	})
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
			r, err := replay.Run(t.Context(), f, replay.Engine{Store: open(t, base)})
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
