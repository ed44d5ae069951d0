package main

import "testing"

func TestAttemptsShowWhoWasRefusedAndWhy(t *testing.T) {
	tt := newTerminal(t)
	tt.run("audit", "run", "--action", "strip", "--yes").exits(exitRefused)
	tt.run("audit", "run", "--action", "strip", "--yes").exits(exitRefused)
	tt.ok("pause", "--reason", "somebody is at it")
	tt.ok("trail", "attempts").says("audit run", "refused", "accepted", "console:")
	lines := tt.ok("trail", "attempts", "--refused", "--json").lines()
	if len(lines) != 1 || lines[0]["count"] != 2.0 || lines[0]["accepted"] != false {
		t.Errorf("refused attempts: %v, want one line that counts two", lines)
	}
}

func TestChangesShowBeforeAndAfter(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("trail", "changes").says("Nothing has been changed yet.")
	tt.ok("protect", "add", "4711", "--reason", "our diplomat")
	lines := tt.ok("trail", "changes", "--json").lines()
	if len(lines) == 0 || lines[0]["table"] != "protected_member" || lines[0]["before"] != nil || lines[0]["after"] == nil || lines[0]["reason"] != "our diplomat" {
		t.Errorf("changes: %v", lines)
	}
	tt.ok("trail", "changes", "--table", "policy").says("Nothing has been changed yet.")
}
