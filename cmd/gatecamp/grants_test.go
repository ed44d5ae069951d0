package main

import (
	"testing"

	"gatecamp/audit"
)

func TestGrantsAreAddedListedAndRemoved(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.ok("grant", "list").says("Nobody was given a right here")
	for _, to := range []string{"discord:5", "user:dora", "group:Скауты", "state:Guest"} {
		tt.ok("grant", "add", "gatecamp.apply", "--to", to, "--reason", "trusted").says(to, "take roles away")
	}
	tt.ok("grant", "add", "aa_discord_audit.view_auditrun", "--to", "role:12", "--expires", "14d", "--reason", "they asked").says("role:12 may read runs")
	tt.run("grant", "add", "gatecamp.apply", "--to", "user:dora", "--reason", "again").exits(exitUsage).says("exists already")
	tt.ok("grant", "list").says("gatecamp.apply", "group:Скауты", "console:tester", "trusted", "never")
	tt.ok("grant", "list", "--csv").says("grant,right,to")
	lines := tt.ok("grant", "list", "--json").lines()
	if len(lines) != 5 {
		t.Fatalf("%d grants, want 5", len(lines))
	}
	tt.ok("grant", "remove", "1", "--reason", "left").says("no longer has the right gatecamp.apply")
	tt.run("grant", "remove", "1", "--reason", "left").exits(exitUsage).says("no grant 1")
	for _, wrong := range []string{"0", "-1", "x", "99999999999999999999", ""} {
		tt.run("grant", "remove", wrong, "--reason", "x").exits(exitUsage)
	}
	tt.run("grant", "remove", "2").exits(exitUsage).says("--reason")
}

func TestADiscordRoleGetsReadingRightsOnly(t *testing.T) {
	tt := newTerminal(t)
	for _, r := range audit.Rights() {
		a := tt.run("grant", "add", r.String(), "--to", "role:12", "--reason", "x")
		if r.Reads() {
			a.exits(exitDone)
		} else {
			a.exits(exitUsage).says("can be handed out", "nothing was changed")
		}
	}
	if n := len(tt.ok("grant", "list", "--json").lines()); n != 4 {
		t.Errorf("%d grants to the role, want the 4 reading ones", n)
	}
}

func TestAnUnknownRightIsRefusedWithTheNearestKnownOne(t *testing.T) {
	tt := newTerminal(t)
	for name, hint := range map[string]string{
		"gatecamp.aply": "did you mean gatecamp.apply?", "run_audit": "write it with its app: aa_discord_audit.run_audit",
		"aa_discord_audit.run_audits": "did you mean aa_discord_audit.run_audit?", "aa_discord_audit.run_audit_destructive": "gatecamp.apply",
		"gatecamp.blok": "did you mean gatecamp.block?", "": "grant add --help", "everything": "grant add --help",
	} {
		tt.run("grant", "add", name, "--to", "discord:5", "--reason", "x").exits(exitUsage).says("there is no right", hint)
	}
}

func TestAGrantNeedsSomebodyWhoExists(t *testing.T) {
	tt := newTerminal(t).withAuth()
	for to, says := range map[string]string{
		"user:Dora": `did you mean "dora"?`, "group:directors": `did you mean "Directors"?`, "state:Blue": "Auth has no state", "discord:x": "no Discord id",
		"discord:-5": "no Discord id", "role:0": "no Discord id", "dora": "says not who", "user:": "says not who", "": "says not who", "users:dora": "says not who",
		"discord:9223372036854775808": "no Discord id",
	} {
		tt.run("grant", "add", "aa_discord_audit.view_auditrun", "--to", to, "--reason", "x").exits(exitUsage).says(says)
	}
	tt.run("grant", "add", "gatecamp.apply", "--to", "discord:5").exits(exitUsage).says("--reason")
	tt.run("grant", "add", "gatecamp.apply", "--to", "discord:5", "--expires", "yesterday", "--reason", "x").exits(exitUsage)
	tt.ok("grant", "list").says("Nobody was given a right")
	delete(tt.env, "GATECAMP_AUTH_URL")
	tt.ok("grant", "add", "gatecamp.apply", "--to", "user:whoever", "--reason", "x").says("was not checked")
}

func TestEveryRightHasASentence(t *testing.T) {
	for _, r := range audit.Rights() {
		if rightText(r) == "" {
			t.Errorf("%s has none", r)
		}
	}
}
