// Package storagetest holds a store to the promises of package storage. Each store runs all of it.
//
// What must stay true: nothing here knows which database it talks to, but for the raw statements that a person with a database
// console could type.
package storagetest

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/storage"
)

// Database is an empty, migrated database that ends with the test.
type Database interface {
	// Open connects as another process would; the store is closed with the test.
	Open(t testing.TB) storage.Store
	// SQL is a connection that may write, as a person at the database's console has it.
	SQL(t testing.TB) *sql.DB
	// Die ends a process that Open made, without any goodbye: its leases end as they would after a crash, at once.
	Die(t testing.TB, s storage.Store)
	// LeasesEnd tells whether leases end by the clock, and not with the process.
	LeasesEnd() bool
}

// noon is an instant whose microseconds show whether they survive.
var noon = time.Date(2026, 5, 3, 12, 0, 0, 123_456_000, time.UTC)

// biggest is the highest id that Discord can give (2^63 - 1).
const biggest = snowflake.ID(1<<63 - 1)

type suite struct {
	db Database
	storage.Store
}

var guilds atomic.Uint64

// guild is one that no other test uses.
func guild() snowflake.ID { return snowflake.ID(guilds.Add(1)<<32 + 7) }

// Run checks every promise of storage.Store.
func Run(t *testing.T, fresh func(testing.TB) Database) {
	for name, part := range map[string]func(*testing.T, suite){
		"runs":        testRuns,
		"findings":    testFindings,
		"looks":       testLooks,
		"plans":       testPlans,
		"actions":     testActions,
		"brakes":      testBrakes,
		"gates":       testGates,
		"exceptions":  testExceptions,
		"policies":    testPolicies,
		"settings":    testSettings,
		"invocations": testInvocations,
		"sources":     testSources,
		"trail":       testTrail,
		"leases":      testLeases,
		"commands":    testCommands,
		"cards":       testCards,
		"memory":      testMemory,
		"role grants": testRoleGrants,
		"seen rights": testSeenRights,
		"subscribers": testSubscribers,
		"together":    testTogether,
		"blocks":      testBlocks,
		"rule states": testRuleStates,
		"retention":   testRetention,
		"records":     testRecords,
		"faults":      testFaults,
	} {
		t.Run(name, func(t *testing.T) {
			db := fresh(t)
			part(t, suite{db, db.Open(t)})
		})
	}
}

func author(at time.Time) storage.Author {
	return storage.Author{Actor: "console:root", Origin: "console", Reason: "because", At: at}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, target error, what string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: error %v, want %v", what, err, target)
	}
}

func same(t testing.TB, want, got any, what string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// changes are the configuration changes of a guild, oldest first, as "table key".
func changes(t testing.TB, s storage.Store, guild snowflake.ID) []string {
	t.Helper()
	var all []string
	for _, c := range must(s.Changes(t.Context(), guild, storage.ChangeFilter{}))(t) {
		line := c.Table
		switch {
		case c.Before == nil:
			line += " added"
		case c.After == nil:
			line += " removed"
		default:
			line += " changed"
		}
		all = append([]string{line}, all...)
	}
	return all
}

func newRun(t testing.TB, s storage.Store, guild snowflake.ID) storage.Run {
	t.Helper()
	return must(s.CreateRun(t.Context(), guild, storage.Order{Kind: "live", Actor: "console:root", Origin: "console"}, noon))(t)
}

// lease makes the store the owner of a shard.
func lease(t testing.TB, s storage.Store, shard int, owner string) storage.Lease {
	t.Helper()
	return must(s.AcquireLease(t.Context(), shard, storage.Owner{ID: owner, Host: "here", PID: 7, Since: noon}))(t)
}

func cancelled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
