package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// normal stores a healthy read of the same Auth with these counts, as an earlier run would have left it.
func (tt *terminal) normal(counts map[string]int64) {
	tt.t.Helper()
	fingerprint, _ := tt.ok("source", "show", "--json").object()["fingerprint"].(string)
	tt.store(func(ctx context.Context, db storage.Store) {
		_, err := db.NoteRead(ctx, storage.SourceRead{
			Source: reconcile.AuthSource, Fingerprint: fingerprint, Edition: "snapshot", At: tt.now.Add(-time.Hour), Verdict: "healthy", Counts: counts,
		})
		if err != nil {
			tt.t.Fatal(err)
		}
	})
}

func TestSourceShowTellsEveryFactAndStoresNothing(t *testing.T) {
	tt := newTerminal(t).withAuth()
	a := tt.ok("source", "show").says("Auth is healthy", "first contact", "users", "links", "access_holders")
	if strings.Contains(a.out, "Last read") {
		t.Errorf("a read was stored:\n%s", a.out)
	}
	// What must be there at first contact is said to be accepted from one.
	for _, f := range tt.ok("source", "show", "--json").object()["facts"].([]any) {
		if f := f.(map[string]any); slices.Contains([]any{"users", "links", "states", "access_holders"}, f["fact"]) && f["want"] != 1.0 {
			t.Errorf("at first contact %v is accepted from %v", f["fact"], f["want"])
		}
	}

	tt.normal(map[string]int64{"users": 40, "links": 30, "states": 2, "groups": 3, "access_holders": 2, "mains": 1})
	tt.ok("source", "show").says("Auth is doubtful", "users: 4 now, at least 32 expected", "Last read by a run", "healthy")
	o := tt.ok("source", "show", "--json").object()
	if o["verdict"] != "doubtful" || o["accepted"] != nil {
		t.Errorf("verdict %v, accepted %v", o["verdict"], o["accepted"])
	}
	var users any
	for _, f := range items(o, "facts") {
		if text(f, "fact") == "users" {
			users = f
		}
	}
	if diff := cmp.Diff(any(map[string]any{"fact": "users", "now": 4.0, "baseline": 40.0, "want": 32.0, "most": false, "unit": "rows", "verdict": "doubtful"}), users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}

func TestSourceAcceptMakesExactlyTheShownCountsTheNormal(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.normal(map[string]int64{"users": 40, "links": 30, "states": 2, "groups": 3, "access_holders": 2, "mains": 1})
	tt.run("source", "accept").exits(exitUsage).says("--reason")
	tt.ok("source", "show").says("Auth is doubtful")
	tt.ok("source", "accept", "--reason", "a corporation left").says("Accepted", "it was doubtful before", "users", "40")
	tt.ok("source", "show").says("Auth is healthy", "Last accepted", "console:tester", "a corporation left")
	changes := tt.changes("source_acceptance")
	if len(changes) != 1 || changes[0].Actor != "console:tester" || changes[0].Origin != "console" || changes[0].Reason != "a corporation left" {
		t.Fatalf("changes: %+v", changes)
	}
	if !strings.Contains(string(changes[0].Before), `"users":40`) || !strings.Contains(string(changes[0].After), `"users":4,`) {
		t.Errorf("before %s, after %s", changes[0].Before, changes[0].After)
	}
}

func TestWhatCannotBeReadOrBeNormalIsNotAccepted(t *testing.T) {
	tt := newTerminal(t)
	tt.run("source", "show").exits(exitUsage).says("GATECAMP_AUTH_URL")
	tt.run("source", "accept", "--reason", "x").exits(exitUsage)
	tt.env["GATECAMP_AUTH_URL"] = "snapshot:" + tt.dir + "/gone.json"
	tt.ok("source", "show").says("Auth is blind", "cannot be read")
	tt.run("source", "accept", "--reason", "x").exits(exitHeld).says("nothing to accept")
	tt.run("source", "accounts").exits(exitHeld)

	tt.env["GATECAMP_AUTH_URL"] = "snapshot:" + tt.file("unlinked.json", `{"aa": {"states": ["Member"], "groups": [], "access": {}, "users": [{"id": 1, "username": "a", "state": "Member", "groups": []}]}}`)
	tt.ok("source", "show").says("Auth is blind", "links: 0 now, at least 1 expected")
	tt.run("source", "accept", "--reason", "x").exits(exitHeld).says("no shrink", "nothing was changed")
	if n := len(tt.changes("source_acceptance")); n != 0 {
		t.Errorf("%d acceptances recorded", n)
	}
}

func TestSourceAccountsGivesTheAgreedForm(t *testing.T) {
	tt := newTerminal(t).withAuth()
	lines := tt.ok("source", "accounts", "--json").lines()
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4", len(lines))
	}
	want := map[string]any{
		"user_id": 2.0, "username": "dora", "discord_ids": []any{"102"}, "active": true, "superuser": false, "access": true,
		"permissions": []any{"discord.access_discord"}, "state": "Member", "groups": []any{"Directors"}, "roles": []any{"Directors", "Member"}, "main": nil,
	}
	if diff := cmp.Diff(want, lines[1]); diff != "" {
		t.Errorf("dora (-want +got):\n%s", diff)
	}
	tt.ok("source", "accounts").says("dora", "Directors, Member", "yes (superuser)", "Root Character")
	tt.ok("source", "accounts", "--csv").says("user,username,discord")
	tt.run("source", "accounts", "--csv", "--json").exits(exitUsage)
}

func TestThresholdsAreSetByNameAndRecorded(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.normal(map[string]int64{"users": 40, "links": 3, "states": 2, "groups": 3, "access_holders": 2, "mains": 1})
	tt.ok("source", "threshold", "show").says("slack", "users", "2000", "basis points")
	tt.ok("source", "threshold", "set", "users", "9500", "--reason", "we are shrinking").says("users is 9500 now (it was 2000")
	tt.ok("source", "show").says("Auth is healthy")
	tt.ok("source", "threshold", "set", "users", "9500", "--reason", "x").says("already; nothing was changed")
	tt.ok("source", "threshold", "set", "users", "default", "--reason", "x").says("users is 2000 now")
	tt.ok("source", "show").says("Auth is doubtful")
	for _, args := range [][]string{
		{"userz", "5"}, {"users", "10001"}, {"users", "-1"}, {"users", "1.5"}, {"users", "many"}, {"users"}, {"unknown_edition", "1"},
	} {
		tt.run(append(append([]string{"source", "threshold", "set"}, args...), "--reason", "x")...).exits(exitUsage)
	}
	tt.run("source", "threshold", "set", "userz", "5", "--reason", "x").says(`did you mean "users"?`)
	tt.run("source", "threshold", "set", "users", "5").exits(exitUsage).says("--reason")
	changes := tt.changes("setting")
	if len(changes) != 2 || changes[1].Key != "health.users" || string(changes[1].After) != `"9500"` || string(changes[0].Before) != `"9500"` {
		t.Errorf("changes: %+v", changes)
	}
}
