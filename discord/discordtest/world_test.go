package discordtest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
)

func TestEveryBuiltInWorldIsServed(t *testing.T) {
	want := []string{"alliance", "corporation", "demo", "empty", "hand-granted", "outage", "two-writers"}
	if d := cmp.Diff(want, discordtest.WorldNames()); d != "" {
		t.Errorf("the worlds differ (-want +got):\n%s", d)
	}
	for _, name := range want {
		t.Run(name, func(t *testing.T) {
			w := world(t, name)
			r := newRig(t, discordtest.Config{World: w})
			h := r.s.Hello()
			if len(h.Bots) != 2 || len(h.Webhooks) != 1 {
				t.Fatalf("bots %v, webhooks %v: want two and one", h.Bots, h.Webhooks)
			}
			if token := h.Webhooks[0].URL[strings.LastIndexByte(h.Webhooks[0].URL, '/')+1:]; len(token) != 68 {
				t.Errorf("the webhook's token has %d characters, want 68", len(token))
			}
			member, role := "1001", "2001"
			if name == "demo" {
				member, role = "100000000000000005", "18"
			}
			if name != "empty" {
				r.want(204, 0, "DELETE", "/guilds/{g}/members/"+member+"/roles/"+role, "")
			}
			roles, err := r.s.Roles(r.guild)
			r.must(err)
			top := roles[len(roles)-1]
			if name == "demo" { // where somebody put a role above the bot
				top, roles = roles[len(roles)-2], roles[:len(roles)-1]
			}
			if top.Name != "gatecamp" || !top.Managed || roles[len(roles)-2].Name != "auth" {
				t.Errorf("the highest role is %+v, want the bot's, above auth's", top)
			}
			if name != "empty" && (!json.Valid(w.Auth) || len(w.Policy) == 0) {
				t.Error("no Auth or no policy")
			}
		})
	}
}

func TestTheAllianceHasFiveThousandAndAuthKnowsNineInTen(t *testing.T) {
	w := world(t, "alliance")
	s := start(t, discordtest.Config{World: w})
	members, err := s.Members(s.GuildIDs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := len(members); got != 5003 {
		t.Errorf("%d members, want 5,000, the owner and two bots", got)
	}
	var aa struct{ Users []json.RawMessage }
	if err := json.Unmarshal(w.Auth, &aa); err != nil {
		t.Fatal(err)
	}
	if n := len(aa.Users); n < 4400 || n > 4600 {
		t.Errorf("Auth knows %d, want about 4,500", n)
	}
}

func TestOneSeedMakesOneGuild(t *testing.T) {
	crowd := func(seed uint64) []discordtest.Member {
		r := newRig(t, discordtest.Config{World: world(t, "empty").Populate(300, seed)})
		members, err := r.s.Members(r.guild)
		r.must(err)
		return members
	}
	if d := cmp.Diff(crowd(1), crowd(1)); d != "" {
		t.Errorf("one seed made two guilds:\n%s", d)
	}
	if cmp.Equal(crowd(1), crowd(2)) {
		t.Error("two seeds made one guild")
	}
}

func TestAWorldFileWithAnErrorNamesFileLineAndWhatWasExpected(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no archive":        {"{}", `x.txtar:1: want a txtar archive with a line "-- guild.json --" and the guild after it`},
		"an unknown file":   {"-- guilds.json --\n{}\n", `x.txtar:1: unknown file "guilds.json"; want guild.json`},
		"a file twice":      {"-- policy.yaml --\n-- policy.yaml --\n", "x.txtar:2: policy.yaml is there a second time"},
		"roles missing":     {"-- guild.json --\n{\"guild_members\": []}\n", "x.txtar:2: guild.json: guild_roles: missing; want a list of Discord role objects"},
		"no JSON":           {"words\n-- guild.json --\n{\"guild_roles\": [],\n \"guild_members\": [,]}\n", "x.txtar:4: guild.json: guild_members"},
		"an id missing":     {"-- guild.json --\n{\"guild_roles\": [],\n\"guild_members\": [[\n{\"user\": {\"id\": \"1\", \"username\": \"a\"}},\n{\"user\": {\"username\": \"b\"}}\n]]}\n", "x.txtar:5: guild.json: guild_members[0][1].user.id: missing; want an id in digits"},
		"a member twice":    {"-- guild.json --\n{\"guild_roles\": [],\n\"guild_members\": [[{\"user\": {\"id\": 1, \"username\": \"a\"}}],\n[{\"user\": {\"id\": \"1\", \"username\": \"a\"}}]]}\n", "x.txtar:4: guild.json: guild_members[1][0].user.id: 1 is there a second time"},
		"a wrong type":      {"-- guild.json --\n{\"guild_roles\": [\n{\"id\": \"1\", \"name\": \"a\", \"position\": \"top\"}], \"guild_members\": []}\n", "x.txtar:3: guild.json: guild_roles[0].position: a string does not fit; want a whole number"},
		"a role unnamed":    {"-- guild.json --\n{\"guild_roles\": [\n{\"id\": \"1\"}], \"guild_members\": []}\n", "x.txtar:3: guild.json: guild_roles[0].name: missing"},
		"Auth is no JSON":   {"-- guild.json --\n{\"guild_roles\": [], \"guild_members\": []}\n-- auth.json --\n\n[]\n", "x.txtar:5: auth.json: "},
		"a channel unnamed": {"-- guild.json --\n{\"guild_roles\": [], \"guild_members\": []}\n-- channels.json --\n[\n{\"id\": \"5\"}]\n", "x.txtar:5: channels.json: [0]: want a channel with id and name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := discordtest.ParseWorld("x.txtar", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if err != nil && problem.KindOf(err) != problem.Usage {
				t.Errorf("the problem is of kind %v, want usage", problem.KindOf(err))
			}
		})
	}
}

func TestAWorldIsReadFromAFileAndAMissingOneIsToldWithTheNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my.txtar")
	if err := os.WriteFile(file, []byte(hierarchy), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := discordtest.LoadWorld(file); err != nil {
		t.Error(err)
	}
	if _, err := discordtest.LoadWorld("atlantis"); err == nil || !strings.Contains(err.Error(), "corporation") {
		t.Errorf("got %v, want the names of the worlds that are built in", err)
	}
}

func TestASnapshotsGuildKeepsItsHierarchy(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, `-- guild.json --
{"guild": {"owner_id": 5, "bot_user_id": 77, "bot_top_position": 2},
 "guild_roles": [{"id": 900, "name": "@everyone", "permissions": "1024"}, {"id": 10, "name": "low", "position": 1}, {"id": 11, "name": "level", "position": 2}, {"id": 12, "name": "high", "position": 3}],
 "guild_members": [[{"user": {"id": 1, "username": "a"}, "roles": [10, "11"], "joined_at": null, "unknown": 1}]], "limits": {}}
`)})
	if r.guild != 900 || r.s.Hello().ApplicationID != 77 {
		t.Fatalf("guild %d, bot %d; want 900, which is @everyone's, and 77", r.guild, r.s.Hello().ApplicationID)
	}
	r.want(204, 0, "DELETE", "/guilds/{g}/members/1/roles/10", "")
	r.want(403, 50013, "DELETE", "/guilds/{g}/members/1/roles/11", "")
	r.want(403, 50013, "PUT", "/guilds/{g}/members/1/roles/12", "")
	m := into[map[string]any](t, r.want(200, 0, "GET", "/guilds/{g}/members/1", ""))
	if m["joined_at"] != nil || cmp.Diff([]any{"11"}, m["roles"]) != "" {
		t.Errorf("the member is %v", m)
	}
}

func TestRolesMoveWithoutChangingTheOrderOfTheOthers(t *testing.T) {
	r := newRig(t, discordtest.Config{World: world(t, "corporation")})
	at := 5
	if _, err := r.s.EditRole(r.guild, 2001, 0, discordtest.RoleEdit{Position: &at}); err != nil {
		t.Fatal(err)
	}
	roles, err := r.s.Roles(r.guild)
	r.must(err)
	var got []string
	for _, role := range roles {
		got = append(got, role.Name)
	}
	want := []string{"@everyone", "Guest", "Miners", "Fleet Commanders", "Directors", "Member", "auth", "gatecamp"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the order differs (-want +got):\n%s", d)
	}
	if err := r.s.GiveRole(r.guild, 1006, 2003, 1002); err == nil {
		t.Error("a moderator without Manage Roles gave a role")
	}
	if slices.Contains(got, "") {
		t.Error("a role has no name")
	}
}
