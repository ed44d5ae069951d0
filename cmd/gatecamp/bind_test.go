package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBindProposeNamesWhatAuthWouldGive(t *testing.T) {
	tt := newTerminal(t).withAuth()
	guild := tt.file("guild.json", guildText)
	lines := tt.ok("bind", "propose", "--snapshot", guild, "--json").lines()
	var proposed []string
	for _, l := range lines {
		if l["what"] == "proposal" {
			proposed = append(proposed, text(l, "role")+" "+text(l, "kind")+" "+text(l, "name"))
		}
	}
	// Guest is managed by Discord itself, and so is never proposed.
	if diff := cmp.Diff([]string{"11 state Member", "12 group Directors", "16 group Recruiters", "17 group Recruiters"}, proposed); diff != "" {
		t.Errorf("proposals (-want +got):\n%s", diff)
	}
	tt.ok("bind", "propose", "--snapshot", guild).says("group Directors", "several roles have this name", "--all-proposed")
	tt.ok("bind", "add", "14", "--guarded", "--reason", "hand made")
	tt.ok("bind", "propose", "--snapshot", guild).silentAbout(`""`)
	tt.ok("bind", "propose", "--snapshot", guild, "--csv").says("role,role_name,what,kind,name")
	if n := len(tt.invocations()); n != 1 {
		t.Errorf("binding and looking left %d invocations, want that of the binding", n)
	}
}

// The peer compares exact names and says nothing of a role that only looks like one of Auth's (A14).
func TestA14LookAlikesAreFlaggedAndNeverBound(t *testing.T) {
	tt := newTerminal(t).withAuth()
	guild := tt.file("guild.json", guildText)
	found := map[string]string{}
	for _, l := range tt.ok("bind", "propose", "--snapshot", guild, "--json").lines() {
		if l["what"] == "lookalike_role" {
			found[text(l, "role")] = text(l, "name")
		}
	}
	if diff := cmp.Diff(map[string]string{"13": "Directors", "14": "Member"}, found); diff != "" {
		t.Errorf("look-alikes (-want +got):\n%s", diff)
	}
	tt.ok("bind", "propose", "--snapshot", guild).says(`not managed, and looks like "Directors"`, `not managed, and looks like "Member"`)
	tt.ok("bind", "add", "--all-proposed", "--snapshot", guild, "--reason", "went through the list")
	tt.ok("bind", "show", "--json").silentAbout(`"13"`, `"14"`).says(`"11"`, `"12"`, `"16"`, `"17"`)
	tt.ok("bind", "add", "--all-proposed", "--snapshot", guild, "--reason", "again").says("bound already; nothing was changed")
}

func TestBindAddBindsOneRoleAndChecksTheName(t *testing.T) {
	tt := newTerminal(t).withAuth()
	guild := tt.file("guild.json", guildText)
	tt.ok("bind", "add", "12", "--group", "Directors", "--snapshot", guild, "--reason", "checked").says("Role 12 (Directors) stands for group Directors")
	tt.ok("bind", "add", "11", "--state", "Member", "--reason", "checked").says("Role 11 stands for state Member")
	tt.ok("bind", "add", "18", "--guarded", "--snapshot", guild, "--reason", "by hand").says("Role 18 (Moderator)", "given by nobody in Auth")
	tt.ok("bind", "show").says("group Directors", "state Member", "guarded", "console:tester", "by hand")
	if got := column(tt.ok("bind", "show", "--json").lines(), "kind"); cmp.Diff([]string{"group", "guarded", "state"}, got) != "" {
		t.Errorf("kinds: %v", got)
	}

	tt.run("bind", "add", "12", "--group", "Directors", "--reason", "x").exits(exitUsage).says("bound already")
	tt.run("bind", "add", "13", "--group", "directors", "--reason", "x").exits(exitUsage).says(`Auth has no group "directors"`, `did you mean "Directors"?`)
	tt.run("bind", "add", "13", "--state", "Directors", "--reason", "x").exits(exitUsage).says("Auth has no state")
	tt.run("bind", "add", "15", "--guarded", "--snapshot", guild, "--reason", "x").exits(exitUsage).says("Discord itself manages role 15")
	tt.run("bind", "add", "77", "--guarded", "--snapshot", guild, "--reason", "x").exits(exitUsage).says("no role 77")
	tt.run("bind", "add", "900", "--guarded", "--reason", "x").exits(exitUsage).says("@everyone")
	tt.run("bind", "add", "12x", "--guarded", "--reason", "x").exits(exitUsage).says("no Discord id")
	tt.run("bind", "add", "-12", "--guarded", "--reason", "x").exits(exitUsage)
	tt.run("bind", "add", "12", "--reason", "x").exits(exitUsage).says("--group NAME")
	tt.run("bind", "add", "--reason", "x").exits(exitUsage)
	tt.run("bind", "add", "12", "--guarded").exits(exitUsage).says("--reason")
	tt.run("bind", "add", "12", "--guarded", "--group", "Directors", "--reason", "x").exits(exitUsage)
	tt.run("bind", "add", "12", "--all-proposed", "--snapshot", guild, "--reason", "x").exits(exitUsage)
	if n := len(tt.changes("role_binding")); n != 3 {
		t.Errorf("%d changes recorded, want 3", n)
	}
}

func TestBindRemoveEndsEveryBindingOfARole(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.ok("bind", "add", "11", "--state", "Member", "--reason", "x")
	tt.ok("bind", "add", "11", "--group", "Recruiters", "--reason", "x")
	tt.ok("bind", "remove", "11", "--reason", "wrong role").says("no longer stands for state Member", "no longer stands for group Recruiters")
	tt.run("bind", "remove", "11", "--reason", "x").exits(exitUsage).says("is not bound")
	tt.run("bind", "remove", "11").exits(exitUsage)
	tt.ok("bind", "show").says("No role is bound")
}

func TestWhatNeedsTheLiveGuildSaysSo(t *testing.T) {
	tt := newTerminal(t).withAuth().offline()
	tt.run("bind", "propose").exits(exitRefused).says("needs a live run", "--snapshot FILE")
	tt.run("bind", "add", "--all-proposed", "--reason", "x").exits(exitRefused).says("needs a live run")
	tt.run("snapshot").exits(exitRefused).says("needs a live run", "--from")
	refused := tt.invocations()
	if len(refused) != 1 || refused[0].Accepted || refused[0].Refusal != "needs_live_run" || refused[0].Command != "bind add" {
		t.Errorf("recorded: %+v", refused)
	}
}

func TestASnapshotOfAnotherGuildIsNotTaken(t *testing.T) {
	tt := newTerminal(t).withAuth()
	other := tt.file("other.json", strings.Replace(guildText, `"id": "900", "owner_id"`, `"id": "901", "owner_id"`, 1))
	tt.run("bind", "propose", "--snapshot", other).exits(exitUsage).says("shows guild 901", "about guild 900")
	tt.run("bind", "propose", "--snapshot", tt.file("cut.json", guildText[:200])).exits(exitUsage).says("cut off")
	tt.run("bind", "propose", "--snapshot", tt.dir+"/none.json").exits(exitUsage).says("cannot be read")
}

func TestWithoutAnAuthOfItsOwnTheSnapshotTellsAboutAuth(t *testing.T) {
	tt := newTerminal(t)
	both := tt.file("both.json", strings.TrimSuffix(authText, "}")+", "+strings.TrimPrefix(strings.TrimSpace(guildText), "{"))
	tt.ok("bind", "propose", "--snapshot", both).says("GATECAMP_AUTH_URL is not set", "group Directors")
	tt.run("bind", "propose", "--snapshot", tt.file("guild.json", guildText)).exits(exitUsage).says("GATECAMP_AUTH_URL")
	tt.env["GATECAMP_AUTH_URL"] = "snapshot:" + tt.dir + "/gone.json"
	tt.run("bind", "propose", "--snapshot", both).exits(exitHeld).says("cannot be read")
	tt.ok("bind", "add", "12", "--group", "Nobody checks this", "--reason", "x").says("was not checked")
}
