//go:build !race

// disgo's gateway is not race-clean: its connection and heartbeat share fields without a lock.

package main

import (
	"testing"

	"gatecamp/auth/authtest"
	"gatecamp/discord/discordtest"
)

func TestBenchDiscordMeasuresFromDiscordsSide(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	lines := tt.ok("bench", "discord", "--only", "kick,strip-strangers,read", "--actions", "6", "--members", "1500", "--times", "1", "--json").lines()
	if len(lines) != 3 {
		t.Fatalf("%d measurements, want three: %v", len(lines), lines)
	}
	for i, want := range []map[string]float64{{"answers_of_429": 0}, {"writes_by_delete": 6, "answers_of_429": 0}, {}} {
		for name, n := range want {
			if got := dig(lines[i], "figures", name, "median"); got != n {
				t.Errorf("%v: %s is %v, want %v", lines[i]["name"], name, got, n)
			}
		}
	}
	if speed, _ := dig(lines[2], "figures", "members_per_second", "median").(float64); speed < 100 {
		t.Errorf("members a second: %v", speed)
	}
}

func TestBenchDiscordRefusesWhatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	tt.run("bench", "discord", "--only", "luck").exits(exitUsage).says(`"luck"`, "strip-linked")
	tt.run("bench", "discord", "--times", "0").exits(exitUsage).says("--times")
	tt.run("bench", "discord", "--actions", "0").exits(exitUsage).says("--actions")
	tt.run("bench", "discord", "--members", "-1").exits(exitUsage).says("--members")
}

func TestThePeopleOfALargeAuthAreInTheWorldThatIsMeasured(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/world.txtar"
	people := authtest.Population{Seed: 1, Users: 300, Memberships: 500, Links: 200, Groups: 20, Permissions: 10}.World()
	if err := writeCrowd(path, people, 1000, false); err != nil {
		t.Fatal(err)
	}
	world, err := discordtest.LoadWorld(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := discordtest.New(discordtest.Config{World: world})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	members, err := s.Members(s.GuildIDs()[0])
	if err != nil {
		t.Fatal(err)
	}
	roles := map[int64]int{}
	for _, m := range members {
		roles[int64(m.ID)] = len(m.Roles)
	}
	if len(members) < 1000 || roles[people.Users[0].Discord] < 1+len(people.Users[0].Groups) {
		t.Errorf("%d members; the first user holds %d roles, and should hold state and %d groups", len(members), roles[people.Users[0].Discord], len(people.Users[0].Groups))
	}
}
