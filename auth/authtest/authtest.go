// Package authtest makes databases of Alliance Auth for tests: its tables with the columns of Auth 4 or 5, and any people in them.
//
// What must stay true: the tables are Auth's own by name, column and type, but without its constraints, so that a test can have every
// kind of damage too.
package authtest

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the engine of the files it makes
)

// World is what a database of Auth says. Its zero value is an Auth right after its tables were made by hand: nothing in it.
type World struct {
	Edition     string // "5.5" if empty; "5.0" and "4" have other columns and migrations
	States      []State
	Groups      []Group
	Users       []User
	Permissions []string // "app.codename" that exist, beside those that somebody holds
	Reserved    []string
	Began       time.Time // when the installation was made; zero: 2024-03-01
	Updated     time.Time // when characters were last refreshed; zero: never
	Beat        time.Time // when the scheduler last started a task; zero: never
	Alts        int       // characters of nobody's main
}

// State is a state; its id is its place in World.States, from one.
type State struct {
	Name        string
	Priority    int
	Permissions []string
}

// Group is a group; its id is its place in World.Groups, from one.
type Group struct {
	Name        string
	Permissions []string
}

// User is a user; without an ID it is the place in World.Users, from one.
type User struct {
	ID          int64
	Name        string
	Inactive    bool
	Superuser   bool
	State       string // empty: no profile
	Groups      []string
	Permissions []string
	Discord     int64 // zero: no link; below zero: a link that is none
	Main        Main
}

// Main is a main character; without a name there is none.
type Main struct {
	Name, Corporation, Alliance string // the tickers, as they are on the character
}

// AccessDiscord is the permission to use the Discord service.
const AccessDiscord = "discord.access_discord"

// Small is a healthy Auth as small as one can be: three states, of which Member gives access, two groups, four users.
func Small() World {
	return World{
		States: []State{{Name: "Guest"}, {Name: "Blue", Priority: 50}, {Name: "Member", Priority: 100, Permissions: []string{AccessDiscord}}},
		Groups: []Group{{Name: "Fleet Commanders", Permissions: []string{"fleets.basic_access"}}, {Name: "Directors"}},
		Users: []User{
			{Name: "admin", Superuser: true, State: "Member", Discord: 100_000_000_000_000_001, Main: Main{Name: "Ad Min", Corporation: "CORP", Alliance: "ALLY"}},
			{Name: "ann", State: "Member", Groups: []string{"Fleet Commanders"}, Discord: 100_000_000_000_000_002, Main: Main{Name: "Ann", Corporation: "CORP", Alliance: "ALLY"}},
			{Name: "bob", State: "Guest", Discord: 100_000_000_000_000_003, Main: Main{Name: "Bob", Corporation: "ELSE"}},
			{Name: "cid", State: "Member", Inactive: true, Groups: []string{"Directors"}},
		},
		Reserved: []string{"Server Booster"},
	}
}

// TB is what is used of a test; testing.TB satisfies it. A measurement at the console makes an Auth too, without a test.
type TB interface {
	Helper()
	TempDir() string
	Context() context.Context
	Cleanup(do func())
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// SQLite makes a database file of the world in a temporary folder and returns its GATECAMP_AUTH_URL.
func SQLite(tb TB, w World) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "auth.sqlite3")
	if err := File(tb.Context(), file, w); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:" + file
}

// File makes a database file of the world.
func File(ctx context.Context, path string, w World) (err error) {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return w.Fill(ctx, db, SQLiteDialect)
}

// Change runs statements on a database file that File made.
func Change(ctx context.Context, path string, statements ...string) (err error) {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Exec runs statements on a database that SQLite made: the damage, or what people did since.
func Exec(tb TB, url string, statements ...string) {
	tb.Helper()
	db := open(tb, url[len("sqlite:"):])
	for _, s := range statements {
		if _, err := db.ExecContext(tb.Context(), s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

func open(tb TB, file string) *sql.DB {
	tb.Helper()
	db, err := openFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func openFile(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// Rows asks a database that SQLite made: each row as its columns with | between them.
func Rows(tb TB, url, query string) (all []string) {
	tb.Helper()
	rows, err := open(tb, url[len("sqlite:"):]).QueryContext(tb.Context(), query)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		tb.Fatal(err)
	}
	for rows.Next() {
		texts, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range texts {
			into[i] = &texts[i]
		}
		if err := rows.Scan(into...); err != nil {
			tb.Fatal(err)
		}
		all = append(all, strings.Join(texts, "|"))
	}
	if rows.Err() != nil {
		tb.Fatal(rows.Err())
	}
	return all
}
