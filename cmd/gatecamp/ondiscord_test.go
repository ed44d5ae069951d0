//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
	"gatecamp/storage"
)

// onDiscord is a terminal connected to a local Discord that shows the guild of night, Auth being the file's own.
func onDiscord(t *testing.T) (*terminal, *discordtest.Server) {
	t.Helper()
	n := newNight()
	tt := newTerminal(t)
	tt.now = time.Now().UTC()
	tt.env["GATECAMP_AUTH_URL"] = "snapshot:" + tt.file("auth.json", n.text())
	n.Auth, n.At = nil, ""
	n.Guild = map[string]any{"id": "900", "name": "Night", "owner_id": "201"}
	world, err := discordtest.ParseWorld("night", []byte("The night.\n-- guild.json --\n"+n.text()+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, wait, err := discordtest.Start(ctx, discordtest.Config{World: world})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := wait(); err != nil {
			t.Errorf("the local Discord ended with %v", err)
		}
	})
	tt.env["GATECAMP_DISCORD_API_URL"] = s.APIURL()
	tt.env["GATECAMP_DISCORD_TOKEN"] = s.Bot(discordtest.BotGatecamp).Token
	return tt, s
}

func rolesAt(t *testing.T, s *discordtest.Server, id snowflake.ID) []snowflake.ID {
	t.Helper()
	m, err := s.Member(guildID, id)
	if err != nil {
		t.Fatal(err)
	}
	return m.Roles
}

func changesAt(s *discordtest.Server) (list []string) {
	for _, r := range s.Requests(0) {
		if r.Bot == discordtest.BotGatecamp && r.Method != http.MethodGet {
			list = append(list, fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status))
		}
	}
	return list
}

func TestALiveRunLooksThenActsOnlyWhenToldAndReleased(t *testing.T) {
	tt, s := onDiscord(t)
	tt.ok("bind", "propose").says("Directors", "Recruiters", "Member")
	tt.ok("bind", "add", "--all-proposed", "--reason", "ours")
	tt.ok("policy", "set", tt.file("policy.yaml", "unknown_guest: {default: strip, grace: 0s}\n"), "--reason", "strangers lose what Auth gives")
	tt.run("audit", "run", "--yes").exits(exitRefused).says("acknowledged a first report")
	tt.ok("audit", "run").says("Night (900)", "every member", "read now")
	if w := changesAt(s); len(w) > 0 {
		t.Fatalf("a run that only looks changed Discord: %v", w)
	}
	tt.ok("audit", "explain", "300").says("300")
	tt.ok("audit", "acknowledge", "1", "--reason", "read it")
	run := tt.ok("audit", "run", "--yes", "--json").object()
	if run["state"] != "succeeded" {
		t.Errorf("run: %v", run)
	}
	if got := rolesAt(t, s, 300); slices.Contains(got, 12) || !slices.Contains(got, 18) {
		t.Errorf("the stranger holds %v, want 18 and not 12", got)
	}
	if w := changesAt(s); len(w) != 1 || !strings.HasPrefix(w[0], "DELETE /guilds/900/members/300/roles/12 204") {
		t.Errorf("changes %v", w)
	}
	for _, r := range s.Requests(0) {
		if r.Method == http.MethodDelete && !strings.Contains(r.Reason, "gatecamp run 2 by console:tester") {
			t.Errorf("reason %q", r.Reason)
		}
	}
	tt.ok("plan", "show").says("done")
	tt.ok("trail", "list").says("remove_role", "intended")
}

func TestAStoredPlanIsAppliedToTheGuild(t *testing.T) {
	tt, s := onDiscord(t)
	tt.ok("bind", "add", "--all-proposed", "--reason", "ours")
	tt.ok("policy", "set", tt.file("policy.yaml", "unknown_guest: {default: strip, grace: 0s}\n"), "--reason", "x")
	digest := tt.ok("audit", "run", "--json").object()["digest"].(string)
	tt.run("plan", "apply", digest, "--reason", "agreed").exits(exitRefused).says("acknowledged a first report")
	tt.ok("audit", "acknowledge", "1", "--reason", "read it")
	tt.ok("plan", "apply", digest, "--reason", "agreed")
	if got := rolesAt(t, s, 300); slices.Contains(got, 12) {
		t.Errorf("the stranger holds %v", got)
	}
	// Another process acts: nothing is changed, and it is said who does.
	tt.store(func(ctx context.Context, db storage.Store) {
		must[storage.Lease](t)(db.AcquireLease(ctx, 0, storage.Owner{ID: "another", Host: "elsewhere", PID: 4711, Since: tt.now}))
		tt.run("audit", "run", "--yes").exits(exitRefused).says("4711")
	})
	if v := tt.invocations()[0]; v.Refusal != "lease_held" {
		t.Errorf("recorded: %+v", v)
	}
}

func TestASnapshotOfTheGuildItselfCanBeReplayed(t *testing.T) {
	tt, _ := onDiscord(t)
	tt.ok("bind", "add", "--all-proposed", "--reason", "ours")
	path := tt.dir + "/taken.json"
	tt.ok("snapshot", "--out", path).says("members")
	live := tt.ok("audit", "run", "--json").object()
	replayed := tt.ok("audit", "replay", path).out
	if !strings.Contains(replayed, "300") || live["state"] != "succeeded" {
		t.Errorf("replayed: %s", replayed)
	}
}

func TestAWrongTokenIsToldWithoutQuotingIt(t *testing.T) {
	tt, _ := onDiscord(t)
	tt.env["GATECAMP_DISCORD_TOKEN"] = "NDI." + secretMark + ".x"
	tt.run("audit", "run").exits(exitUsage).says("GATECAMP_DISCORD_TOKEN")
}
