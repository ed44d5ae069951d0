package main

import (
	"testing"
)

func TestAGuildWithoutAPolicyReportsEverything(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("policy", "show").says("no policy was ever set", "unknown_guest:", "default: report")
	tt.ok("policy", "history").says("No policy was ever set")
	if v := tt.ok("policy", "show", "--json").object()["version"]; v != 0.0 {
		t.Errorf("version %v, want 0", v)
	}
}

func TestPolicySetStoresVersionsAndSaysWhatChanged(t *testing.T) {
	tt := newTerminal(t).withAuth()
	first := tt.file("p1.yaml", "unknown_guest: strip # for now\n")
	tt.ok("policy", "set", first, "--reason", "strangers lose roles").
		says("Version 1 of the policy is in force", "unknown_guest.default: report → strip", "first-run lock is on")
	tt.ok("policy", "show").says("# version 1, set by console:tester", "strangers lose roles", "unknown_guest: strip # for now")

	tt.in = "linked_no_perm: {default: report, by_group: {Directors: strip}}\nunknown_guest: {default: strip}\n"
	tt.ok("policy", "set", "-", "--reason", "directors too").says("Version 2", "linked_no_perm.by_group.Directors: strip (new)")

	history := tt.ok("policy", "history", "--json").lines()
	if len(history) != 2 || history[0]["version"] != 2.0 || history[1]["reason"] != "strangers lose roles" {
		t.Errorf("history: %v", history)
	}
	tt.ok("policy", "show", "--version", "1").says("strip # for now").silentAbout("Directors")
	tt.run("policy", "show", "--version", "9").exits(exitUsage).says("no version 9", "policy history")
	tt.run("policy", "show", "--version", "-1").exits(exitUsage)
}

func TestAPolicyThatChangesNothingIsNotStored(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("policy", "set", tt.file("a.yaml", "unknown_guest: strip\n"), "--reason", "x")
	tt.ok("policy", "set", tt.file("b.yaml", "{\"unknown_guest\": {\"default\": \"strip\", \"grace\": \"72h\"}}"), "--reason", "x").
		says("in force already (version 1)", "nothing was stored")
	if n := len(tt.ok("policy", "history", "--json").lines()); n != 1 {
		t.Errorf("%d versions, want 1", n)
	}
}

func TestAWrongPolicyIsRefusedWithItsPlaceAndNothingIsStored(t *testing.T) {
	for name, tc := range map[string]struct{ text, says string }{
		"a misspelt action":   {"unknown_guest: stirp\n", "line 1, column 16"},
		"a misspelt category": {"unknown_guests: strip\n", "did you mean unknown_guest"},
		"a misspelt key":      {"unknown_guest:\n  defult: strip\n", "line 2"},
		"no YAML":             {"unknown_guest: [strip\n", "line"},
		"a fraction":          {"limits:\n  kicks:\n    run: {ceiling: 2.5}\n", "line 3"},
		"a negative number":   {"limits:\n  kicks:\n    run: {ceiling: -1}\n", "line 3"},
		"too severe":          {"surplus_roles: strip_kick\n", "surplus_roles"},
		"not UTF-8":           {"unknown_guest: \xff\n", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			tt := newTerminal(t)
			tt.run("policy", "set", tt.file("p.yaml", tc.text), "--reason", "x").exits(exitUsage).says(tc.says)
			tt.ok("policy", "history").says("No policy was ever set")
		})
	}
	tt := newTerminal(t)
	tt.run("policy", "set", tt.dir+"/none.yaml", "--reason", "x").exits(exitUsage).says("cannot be read")
	tt.run("policy", "set", tt.dir, "--reason", "x").exits(exitUsage)
	tt.run("policy", "set").exits(exitUsage)
	tt.run("policy", "set", tt.file("p.yaml", "unknown_guest: strip\n")).exits(exitUsage).says("--reason")
	tt.run("policy", "set", tt.file("p.yaml", "unknown_guest: strip\n"), "--reason", "  ").exits(exitUsage)
	tt.run("policy", "sett").exits(exitUsage).says("no command \"sett\"")
}

// The peer takes any name of a group into its policy, so that a typo is silent (A27).
func TestA27NamesInAPolicyAreCheckedAgainstAuth(t *testing.T) {
	tt := newTerminal(t).withAuth()
	policy := tt.file("p.yaml", "linked_no_perm:\n  default: report\n  by_group:\n    directors: strip\n  by_state:\n    Blue: strip_kick\n")
	tt.run("policy", "set", policy, "--reason", "x").exits(exitUsage).
		says("line 4", "linked_no_perm.by_group.directors", "Auth has no group", "line 6", "linked_no_perm.by_state.Blue", "nothing was changed")
	tt.ok("policy", "history").says("No policy was ever set")

	delete(tt.env, "GATECAMP_AUTH_URL")
	tt.ok("policy", "set", policy, "--reason", "x").says("were not checked", "GATECAMP_AUTH_URL is not set", "Version 1")
}

func TestTheDocumentOfAPolicyCannotMoveTheCursor(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("policy", "set", tt.file("p.yaml", "# \u202egnirts\nunknown_guest: strip\n"), "--reason", "a\x1b[31mred")
	tt.ok("policy", "show").silentAbout("\u202e", "\x1b")
	tt.ok("policy", "history").silentAbout("\x1b")
}

func TestANewKindOfActionArmsTheLockAgainForThatKindAlone(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("policy", "set", tt.file("1.yaml", "unknown_guest: strip\n"), "--reason", "x")
	tt.acknowledge("strip")
	tt.ok("policy", "set", tt.file("2.yaml", "unknown_guest: strip\nlinked_no_perm: strip\n"), "--reason", "x").silentAbout("lock")
	tt.ok("policy", "set", tt.file("3.yaml", "unknown_guest: strip_kick\nlinked_no_perm: strip\n"), "--reason", "x").
		says("allows strip_kick", "version 1) did not", "first-run lock is on again for that")
	tt.ok("policy", "set", tt.file("4.yaml", "unknown_guest: report\n"), "--reason", "x").says("only reports").silentAbout("lock")

	kicks := newTerminal(t)
	kicks.ok("policy", "set", kicks.file("1.yaml", "unknown_guest: strip_kick\n"), "--reason", "x")
	kicks.acknowledge("strip_kick")
	kicks.ok("policy", "set", kicks.file("2.yaml", "unknown_guest: strip\n"), "--reason", "x").silentAbout("lock")
}
