package main

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/config"
	"gatecamp/storage"
)

// secretMark is in every secret that the tests set. It must never come out again.
const secretMark = "c4n4ry-secret"

// terminal is a person at a console with a data folder and settings of their own.
type terminal struct {
	t   *testing.T
	dir string
	env map[string]string
	now time.Time
	in  string // what is piped in

	onClock func() // called whenever a command looks at the clock; nil: nothing
}

func (tt *terminal) clock() time.Time {
	if tt.onClock != nil {
		tt.onClock()
	}
	return tt.now
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	dir := t.TempDir()
	return &terminal{t: t, dir: dir, now: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC), env: map[string]string{
		"GATECAMP_DATA_DIR": filepath.Join(dir, "data"), "GATECAMP_GUILD_IDS": "900",
		"GATECAMP_DISCORD_TOKEN": strings.Repeat("a", 24) + "." + secretMark, "GATECAMP_DISCORD_API_URL": "http://127.0.0.1:1/api", // nobody is there
	}}
}

// offline takes the bot's token away.
func (tt *terminal) offline() *terminal {
	delete(tt.env, "GATECAMP_DISCORD_TOKEN")
	return tt
}

// withAuth points the settings at a snapshot in place of Auth.
func (tt *terminal) withAuth() *terminal {
	tt.t.Helper()
	tt.env["GATECAMP_AUTH_URL"] = "snapshot:" + tt.file("auth.json", authText)
	return tt
}

// file writes a file and gives its path.
func (tt *terminal) file(name, text string) string {
	tt.t.Helper()
	path := filepath.Join(tt.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tt.t.Fatal(err)
	}
	return path
}

// answer is what a command printed and its exit code.
type answer struct {
	t        *testing.T
	args     []string
	out, err string
	code     int
}

// run is one command from beginning to end. Whatever it prints, no secret is in it.
func (tt *terminal) run(args ...string) answer {
	tt.t.Helper()
	return tt.runIn(tt.t.Context(), args...)
}

// runIn is run in a context that may end.
func (tt *terminal) runIn(ctx context.Context, args ...string) answer {
	tt.t.Helper()
	var out, warnings strings.Builder
	tt.now = tt.now.Add(time.Second)
	c := tt.console(&out, &warnings)
	err := run(ctx, args, c)
	a := answer{tt.t, args, out.String(), warnings.String(), exitCode(err)}
	if err != nil {
		a.err += "gatecamp: " + describe(err) + "\n"
	}
	if strings.Contains(a.out+a.err, secretMark) {
		tt.t.Errorf("%v prints a secret:\n%s%s", args, a.out, a.err)
	}
	if err != nil && strings.Contains(err.Error(), secretMark) {
		tt.t.Errorf("%v has a secret in its error: %v", args, err)
	}
	return a
}

// console is one with the terminal's settings.
func (tt *terminal) console(out, warnings io.Writer) *console {
	names := make([]string, 0, len(tt.env))
	for name := range tt.env {
		names = append(names, name)
	}
	return &console{
		env: config.Environment{
			Names:  names,
			Lookup: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok },
			ReadFile: func(name string) ([]byte, error) {
				if !filepath.IsAbs(name) {
					return nil, fs.ErrNotExist
				}
				return os.ReadFile(name)
			},
		},
		in: strings.NewReader(tt.in), out: out, err: warnings, now: tt.clock, user: "tester",
	}
}

// ok runs a command that must succeed.
func (tt *terminal) ok(args ...string) answer {
	tt.t.Helper()
	return tt.run(args...).exits(exitDone)
}

func (a answer) exits(code int) answer {
	a.t.Helper()
	if a.code != code {
		a.t.Errorf("%q exits %d, want %d\n%s%s", a.args, a.code, code, a.out, a.err)
	}
	return a
}

// says wants each text on standard output or, of an error, among what is told.
func (a answer) says(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.out+a.err, text) {
			a.t.Errorf("%q does not say %q, but:\n%s%s", a.args, text, a.out, a.err)
		}
	}
	return a
}

func (a answer) silentAbout(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.out+a.err, text) {
			a.t.Errorf("%q says %q:\n%s%s", a.args, text, a.out, a.err)
		}
	}
	return a
}

// lines are the JSON objects that were printed, one a line.
func (a answer) lines() []map[string]any {
	a.t.Helper()
	var all []map[string]any
	for line := range strings.Lines(a.out) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			a.t.Fatalf("%q prints a line that is no JSON object: %v\n%s", a.args, err, line)
		}
		all = append(all, object)
	}
	return all
}

// object is the one JSON object that was printed.
func (a answer) object() map[string]any {
	a.t.Helper()
	all := a.lines()
	if len(all) != 1 {
		a.t.Fatalf("%q prints %d lines, want one object:\n%s", a.args, len(all), a.out)
	}
	return all[0]
}

// dig is a value inside a JSON document, by keys and indexes; nil if it is not there.
func dig(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			items, _ := v.([]any)
			if step >= len(items) {
				return nil
			}
			v = items[step]
		}
	}
	return v
}

// items is a list inside a JSON document.
func items(v any, path ...any) []any {
	list, _ := dig(v, path...).([]any)
	return list
}

// text is a string inside a JSON document.
func text(v any, path ...any) string {
	s, _ := dig(v, path...).(string)
	return s
}

// column is one value of every line.
func column(lines []map[string]any, name string) []string {
	values := []string{}
	for _, l := range lines {
		s, _ := l[name].(string)
		values = append(values, s)
	}
	slices.Sort(values)
	return values
}

// authText is an Auth of four people, as a snapshot in its place.
const authText = `{"aa": {
	"states": ["Member", "Guest"], "groups": ["Directors", "Recruiters", "Скауты"],
	"access": {"states": ["Member"], "groups": [], "users": []}, "reserved_names": [], "identities": [],
	"users": [
		{"id": 1, "username": "root", "superuser": true, "state": "Member", "groups": [], "discord_uid": "101", "main": "Root Character"},
		{"id": 2, "username": "dora", "state": "Member", "groups": ["Directors"], "discord_uid": "102", "main": null},
		{"id": 3, "username": "guest", "state": "Guest", "groups": [], "discord_uid": "103", "main": null},
		{"id": 4, "username": "gone", "active": false, "state": "Guest", "groups": [], "discord_uid": null, "main": null}
	]}}`

// guildText is a guild with the roles that give trouble: look-alikes, twins, one that Discord manages.
const guildText = `{
	"at": "2026-11-22T17:00:00Z",
	"guild": {"id": "900", "owner_id": "101", "bot_user_id": "999", "bot_top_position": 50, "member_count": 2},
	"guild_roles": [
		{"id": "900", "name": "@everyone", "position": 0},
		{"id": "11", "name": "Member", "position": 1}, {"id": "12", "name": "Directors", "position": 9},
		{"id": "13", "name": "Dіrectors", "position": 8}, {"id": "14", "name": "member ", "position": 2},
		{"id": "15", "name": "Guest", "position": 3, "managed": true}, {"id": "16", "name": "Recruiters", "position": 4},
		{"id": "17", "name": "Recruiters", "position": 5}, {"id": "18", "name": "Moderator", "position": 6}
	],
	"guild_members": [[
		{"user": {"id": "101", "username": "root"}, "roles": ["11"]},
		{"user": {"id": "102", "username": "dora", "global_name": "Dora the Director"}, "nick": "Dora", "roles": ["11", "12"]}
	]]}`

const guildID = snowflake.ID(900)

// store works on the database directly: for what no command of this version can bring about.
func (tt *terminal) store(do func(ctx context.Context, db storage.Store)) {
	tt.t.Helper()
	db, err := openFile(tt.t.Context(), tt.env["GATECAMP_DATA_DIR"])
	if err != nil {
		tt.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			tt.t.Error(err)
		}
	}()
	do(tt.t.Context(), db)
}

// must fails the test on an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// acknowledge releases the lock as if a report had been looked at under a policy with these kinds of action.
func (tt *terminal) acknowledge(kinds ...string) {
	tt.t.Helper()
	tt.store(func(ctx context.Context, db storage.Store) {
		run := must[storage.Run](tt.t)(db.CreateRun(ctx, guildID, storage.Order{Kind: "live", Actor: "console:tester", Origin: "console"}, tt.now))
		must[storage.Acknowledgement](tt.t)(db.Acknowledge(ctx, storage.Acknowledgement{
			Guild: guildID, Run: run.ID, Digest: "d", PolicyVersion: 1, Kinds: kinds, Actor: "console:tester", Reason: "looked at it", At: tt.now,
		}, "console"))
	})
}

// changes are the configuration changes of a table, newest first.
func (tt *terminal) changes(table string) []storage.Change {
	tt.t.Helper()
	var all []storage.Change
	tt.store(func(ctx context.Context, db storage.Store) {
		all = must[[]storage.Change](tt.t)(db.Changes(ctx, guildID, storage.ChangeFilter{Table: table}))
	})
	return all
}

// invocations are the recorded attempts, newest first.
func (tt *terminal) invocations() []storage.Invocation {
	tt.t.Helper()
	var all []storage.Invocation
	tt.store(func(ctx context.Context, db storage.Store) {
		all = must[[]storage.Invocation](tt.t)(db.Invocations(ctx, guildID, storage.InvocationFilter{}))
	})
	return all
}
