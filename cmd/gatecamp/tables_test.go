package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatecamp/storage"
)

// addArgs are the arguments that make a good entry of each table.
func addArgs(t operatorTable, subject string) []string {
	args := []string{t.name, "add", subject, "--reason", "because of a test"}
	switch t.table {
	case storage.Overrides:
		args = append(args, "--action", "report")
	case storage.Identities:
		args = append(args, "--user", "2")
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	return args
}

func TestEachOperatorTableAddsListsAndRemoves(t *testing.T) {
	for _, table := range operatorTables() {
		t.Run(table.name, func(t *testing.T) {
			tt := newTerminal(t).withAuth()
			tt.ok(table.name, "list").says(table.none)
			tt.ok(addArgs(table, "555")...).says("555", "(entry 1)")
			tt.run(addArgs(table, "555")...).exits(exitUsage).says("already stands", "nothing was changed")
			tt.ok(table.name, "list").says("555", "console:tester", "because of a test", "in force")
			tt.ok(table.name, "list", "--csv").says("555,")
			o := tt.ok(table.name, "list", "--json").object()
			if o["subject"] != "555" || o["state"] != "in_force" || o["reason"] != "because of a test" || o["expires"] != nil {
				t.Errorf("%v", o)
			}
			tt.ok(table.name, "remove", "555", "--reason", "test is over").says("Entry 1 is removed")
			tt.run(table.name, "remove", "555", "--reason", "x").exits(exitUsage).says("no entry about", "nothing was changed")
			tt.ok(table.name, "list").says(table.none)
			o = tt.ok(table.name, "list", "--all", "--json").object()
			if o["state"] != "removed" || o["removed_by"] != "console:tester" || o["removed_reason"] != "test is over" {
				t.Errorf("%v", o)
			}
			tt.ok(addArgs(table, "555")...).says("(entry 2)")
		})
	}
}

func TestEachOperatorTableRefusesWhatIsWrong(t *testing.T) {
	for _, table := range operatorTables() {
		t.Run(table.name, func(t *testing.T) {
			tt := newTerminal(t).withAuth()
			for _, subject := range []string{"0", "x", "5.5", "9223372036854775808", "", "５"} {
				tt.run(addArgs(table, subject)...).exits(exitUsage)
				tt.run(table.name, "remove", subject, "--reason", "x").exits(exitUsage)
			}
			tt.run(addArgs(table, "-5")...).exits(exitUsage)
			good := addArgs(table, "5")
			for i, arg := range good {
				if arg == "--reason" {
					tt.run(append(append([]string{}, good[:i]...), good[i+2:]...)...).exits(exitUsage).says("--reason")
				}
			}
			tt.run(table.name, "add", "--reason", "x").exits(exitUsage).says("usage: gatecamp " + table.name + " add " + table.subject)
			tt.run(table.name, "remove", "5").exits(exitUsage).says("--reason")
			tt.run(table.name, "list", "more").exits(exitUsage)
			tt.ok(table.name, "list", "--all").says(table.none)
		})
	}
}

func TestEntriesThatEndAreGivenATimeOrADuration(t *testing.T) {
	tt := newTerminal(t)
	for text, want := range map[string]time.Duration{"72h": 72 * time.Hour, "7d": 168 * time.Hour, "90m": 90 * time.Minute} {
		tt.ok("protect", "add", "5", "--expires", text, "--reason", "x").says("until 2026-1")
		o := tt.ok("protect", "list", "--json").object()
		if o["expires"] != tt.now.Add(want-time.Second).Format(time.RFC3339Nano) {
			t.Errorf("--expires %s ends %v", text, o["expires"])
		}
		tt.ok("protect", "remove", "5", "--reason", "x")
	}
	tt.ok("protect", "add", "5", "--expires", "2026-12-31T19:00:00+01:00", "--reason", "x").says("until 2026-12-31 18:00:00 EVE time")
	for _, wrong := range []string{"2026-11-22T17:59:59Z", "-1h", "0h", "tomorrow", "7", "1e9d", "99999999999h", "0d", "d", "2026-13-01"} {
		tt.run("protect", "add", "6", "--expires", wrong, "--reason", "x").exits(exitUsage).says("--expires")
	}
	tt.now = tt.now.Add(365 * 24 * time.Hour)
	tt.ok("protect", "list").says("No member is protected")
	tt.ok("protect", "list", "--all").says("expired")
	tt.run("protect", "remove", "5", "--reason", "x").exits(exitUsage)
	tt.run("identity", "add", "5", "--user", "1", "--expires", "7d", "--reason", "x").exits(exitUsage)
}

func TestAnOverrideSaysWhatItDoesAndTakesKnownActionsOnly(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("override", "add", "5", "--action", "strip_kick", "--single-use", "--expires", "1d", "--reason", "x").says("gets strip_kick instead of what the policy says, once until 2026-11-23")
	o := tt.ok("override", "list", "--json").object()
	if o["action"] != "strip_kick" || o["single_use"] != true {
		t.Errorf("%v", o)
	}
	for _, wrong := range []string{"kick", "ban", "none", "STRIP", ""} {
		tt.run("override", "add", "6", "--action", wrong, "--reason", "x").exits(exitUsage).says("report, strip or strip_kick")
	}
	tt.run("override", "add", "6", "--reason", "x").exits(exitUsage)
}

func TestAnIdentityNeedsAUserThatAuthHas(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.ok("identity", "add", "5", "--user", "2", "--reason", "x").says(`User 2 is "dora" in Auth`, "belongs to Auth's user 2")
	tt.ok("identity", "add", "5", "--user", "3", "--reason", "x")
	tt.run("identity", "remove", "5", "--reason", "x").exits(exitUsage).says("several users (2, 3)", "--user ID")
	tt.ok("identity", "remove", "5", "--user", "3", "--reason", "x")
	tt.run("identity", "add", "5", "--user", "99", "--reason", "x").exits(exitUsage).says("Auth has no user 99")
	for _, wrong := range []string{"0", "-1", "x", ""} {
		tt.run("identity", "add", "6", "--user", wrong, "--reason", "x").exits(exitUsage)
	}
	tt.run("identity", "add", "6", "--reason", "x").exits(exitUsage).says("--user")
	delete(tt.env, "GATECAMP_AUTH_URL")
	tt.ok("identity", "add", "7", "--user", "99", "--reason", "x").says("was not looked up")
}

func TestEveryoneCannotBeExempt(t *testing.T) {
	newTerminal(t).run("exempt", "add", "900", "--reason", "x").exits(exitUsage).says("@everyone")
}

// The peer logs neither identities nor the lock nor settings, deletes without content, and lets whoever may start a run delete its
// record (A28).
func TestA28EveryChangeLeavesARecordWithBeforeAndAfter(t *testing.T) {
	tt := newTerminal(t).withAuth()
	for _, table := range operatorTables() {
		tt.ok(addArgs(table, "555")...)
		tt.ok(table.name, "remove", "555", "--reason", "over")
	}
	tt.ok("policy", "set", tt.file("p.yaml", "unknown_guest: strip\n"), "--reason", "why not")
	tt.ok("bind", "add", "11", "--state", "Member", "--reason", "checked")
	tt.ok("bind", "remove", "11", "--reason", "wrong")
	tt.ok("grant", "add", "gatecamp.pause", "--to", "discord:5", "--reason", "on duty")
	tt.ok("grant", "remove", "1", "--reason", "off duty")
	tt.ok("source", "accept", "--reason", "as it is")
	tt.ok("source", "threshold", "set", "slack", "3", "--reason", "small")
	tt.acknowledge("strip")
	seen := map[string]int{}
	for _, c := range tt.changes("") {
		seen[c.Table]++
		if c.Actor != "console:tester" || c.Origin != "console" || c.Reason == "" || c.At.IsZero() {
			t.Errorf("%s %s lacks actor, origin, reason or time: %+v", c.Table, c.Key, c)
		}
		if c.Before == nil && c.After == nil {
			t.Errorf("%s %s has neither before nor after", c.Table, c.Key)
		}
		if c.After == nil && !json.Valid(c.Before) {
			t.Errorf("%s %s is gone without its content", c.Table, c.Key)
		}
	}
	for _, table := range []string{"exemption", "protected_member", "bot_account", "member_override", "identity", "role_binding", "right_grant"} {
		if seen[table] != 2 {
			t.Errorf("%d changes of %s, want 2 (added, removed); all: %v", seen[table], table, seen)
		}
	}
	for _, table := range []string{"policy", "source_acceptance", "setting", "acknowledgement"} {
		if seen[table] != 1 {
			t.Errorf("%d changes of %s, want 1; all: %v", seen[table], table, seen)
		}
	}
	accepted := 0
	for _, v := range tt.invocations() {
		if v.Accepted && v.User == "console:tester" {
			accepted++
		}
	}
	if accepted != 17 {
		t.Errorf("%d accepted attempts recorded, want 17", accepted)
	}
	for _, cmd := range []string{"run", "trail", "history", "invocation"} {
		for _, verb := range []string{"delete", "remove", "rm"} {
			tt.run("audit", cmd, verb, "1").exits(exitUsage)
			tt.run(cmd, verb, "1").exits(exitUsage)
		}
	}
}

func TestTheRecordOfAnAttemptKeepsNoFreeText(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.ok("grant", "add", "gatecamp.pause", "--to", "user:dora", "--reason", "her mail is dora@example.org")
	tt.ok("policy", "set", tt.file("named-after-dora.yaml", "unknown_guest: strip\n"), "--reason", "dora asked")
	tt.ok("override", "add", "555", "--action", "report", "--expires", "7d", "--reason", "dora asked")
	for _, v := range tt.invocations() {
		if strings.Contains(v.Args, "dora") || strings.Contains(v.Args, "mail") {
			t.Errorf("%s keeps %q", v.Command, v.Args)
		}
		if v.Command == "override add" && !strings.Contains(v.Args, "--action=report") {
			t.Errorf("a harmless flag is lost: %q", v.Args)
		}
	}
}

func TestAListIsSafeInASpreadsheetAndOnATerminal(t *testing.T) {
	tt := newTerminal(t)
	for i, reason := range []string{"=HYPERLINK(\"http://x\")", "+1", "-1", "@x", "\x1b]0;title\x07", "a\tb", "\u202eabc", "x\ny"} {
		tt.ok("protect", "add", fmt.Sprint(500+i), "--reason", reason)
	}
	csv := tt.ok("protect", "list", "--csv")
	csv.says(`'=HYPERLINK`, `'+1`, `'-1`, `'@x`)
	tt.ok("protect", "list").silentAbout("\x1b", "\x07", "\u202e")
	if n := len(tt.ok("protect", "list", "--json").lines()); n != 8 {
		t.Errorf("%d lines of JSON, want 8", n)
	}
}
