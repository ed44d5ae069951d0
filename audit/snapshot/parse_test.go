package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/audit/snapshot/demo"
	"gatecamp/internal/problem"
)

// A file that does not fit is refused with its place. Each line replaces one part of a small good file.
func TestWhatDoesNotFitIsRefusedWithItsPlace(t *testing.T) {
	member := func(m string) string { return `{"guild_roles": [], "guild_members": [[], [` + m + `]]}` }
	role := func(r string) string { return `{"guild_members": [], "guild_roles": [` + r + `]}` }
	rest := func(r string) string { return `{"guild_roles": [], "guild_members": [], ` + r + `}` }
	aa := func(a string) string { return rest(`"aa": {` + a + `}`) }
	policy := func(p string) string {
		return aa(`"groups": ["Directors"], "states": ["Member"], "policy": ` + p)
	}
	user := func(u string) string { return aa(`"states": ["Member"], "groups": ["A"], "users": [` + u + `]`) }
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, test := range []struct{ name, file, want string }{
		{"nothing", ``, "guild.json: empty"},
		{"blanks", " \n ", "guild.json: empty"},
		{"not an object", `[]`, "guild.json: a list, where an object {…} should be"},
		{"null", `null`, "null, where an object"},
		{"text", `"x"`, `"x", where an object`},
		{"cut off", `{"guild_roles": [], "guild_members": [[{"user": {"id": "1"`, "cut off at byte 58, in guild_members[0][0].user"},
		{"cut off early", `{`, "cut off at byte 1"},
		{"cut off in a string", `{"guild_roles": "abc`, "cut off"},
		{"cut off in a letter", "{\"guild_roles\": [{\"id\": 1, \"name\": \"\xc3", "cut off"},
		{"trailing garbage", member("") + " {}", "'{' follows the snapshot"},
		{"trailing letters", member("") + " x", "'x' follows the snapshot"},
		{"a comma too many", `{"guild_roles": [],}`, "not JSON at byte"},
		{"not UTF-8", "{\"guild_roles\": [{\"id\": 1, \"name\": \"\xff\"}]}", "byte 36 is not UTF-8"},
		{"deep", rest(`"x": ` + deep), "x[0][0]…: nested too deeply"},
		{"deep in the policy", policy(deep), "nested too deeply"},
		{"no roles", `{"guild_members": []}`, "guild_roles: missing"},
		{"no members", `{"guild_roles": []}`, "guild_members: missing"},
		{"roles twice", `{"guild_roles": [], "guild_roles": []}`, "guild_roles: written twice"},
		{"roles no list", `{"guild_roles": {}}`, "guild_roles: an object, where a list of roles should be"},
		{"role no object", role(`7`), "guild_roles[0]: 7, where an object"},
		{"role without id", role(`{"name": "a"}`), "guild_roles[0].id: missing"},
		{"role without name", role(`{"id": 1}`), "guild_roles[0].name: missing"},
		{"role twice", role(`{"id": 1, "name": "a"}, {"id": "1", "name": "b"}`), "guild_roles[1]: role 1 is guild_roles[0] already"},
		{"role name no text", role(`{"id": 1, "name": 5}`), "guild_roles[0].name: 5, where text should be"},
		{"bad permissions", role(`{"id": 1, "name": "a", "permissions": "-8"}`), "guild_roles[0].permissions:"},
		{"bad position", role(`{"id": 1, "name": "a", "position": 1.5}`), "guild_roles[0].position: 1.5, where a whole number"},
		{"bad managed", role(`{"id": 1, "name": "a", "managed": "yes"}`), `guild_roles[0].managed: "yes", where true or false`},
		{"members no pages", `{"guild_roles": [], "guild_members": [{"user": {"id": 1}}]}`, "guild_members[0]: an object, where a list of members (guild_members is a list of pages) should be"},
		{"member null", member(`null`), "guild_members[1][0]: null, where an object"},
		{"member without user", member(`{"roles": []}`), "guild_members[1][0].user: missing"},
		{"member without id", member(`{"user": {"id": 1, "username": "a"}}, {"user": {"username": "b"}}`), "guild_members[1][1].user.id: missing"},
		{"member without name", member(`{"user": {"id": 1}}`), "guild_members[1][0].user.username: missing"},
		{"id zero", member(`{"user": {"id": 0, "username": "a"}}`), "guild_members[1][0].user.id: 0 is no id"},
		{"id negative", member(`{"user": {"id": -5, "username": "a"}}`), "guild_members[1][0].user.id: -5 is no id"},
		{"id a fraction", member(`{"user": {"id": 5.0, "username": "a"}}`), "guild_members[1][0].user.id: 5.0 is no id"},
		{"id an exponent", member(`{"user": {"id": 1e3, "username": "a"}}`), "guild_members[1][0].user.id: 1e3 is no id"},
		{"id too large", member(`{"user": {"id": 9223372036854775808, "username": "a"}}`), "guild_members[1][0].user.id: 9223372036854775808 is no id"},
		{"id empty", member(`{"user": {"id": "", "username": "a"}}`), `guild_members[1][0].user.id: "" is no id`},
		{"id with a sign", member(`{"user": {"id": "+5", "username": "a"}}`), `guild_members[1][0].user.id: "+5" is no id`},
		{"id true", member(`{"user": {"id": true, "username": "a"}}`), "guild_members[1][0].user.id: true is no id"},
		{
			"member twice", `{"guild_roles": [], "guild_members": [[{"user": {"id": 7, "username": "a"}}], [{"user": {"id": 9, "username": "b"}}, {"user": {"id": "7", "username": "c"}}]]}`,
			"guild_members[1][1].user.id: member 7 is guild_members[0][0] already",
		},
		{"bad role id", member(`{"user": {"id": 1, "username": "a"}, "roles": ["1", "x"]}`), `guild_members[1][0].roles[1]: "x" is no id`},
		{"bad joined_at", member(`{"user": {"id": 1, "username": "a"}, "joined_at": "yesterday"}`), `guild_members[1][0].joined_at: "yesterday", where a time such as`},
		{"joined before Unix", member(`{"user": {"id": 1, "username": "a"}, "joined_at": "0001-01-01T00:00:00Z"}`), "guild_members[1][0].joined_at:"},
		{"bad bot", member(`{"user": {"id": 1, "username": "a", "bot": 1}}`), "guild_members[1][0].user.bot: 1, where true or false"},
		{"bad at", rest(`"at": "2026-13-01T00:00:00Z"`), `at: "2026-13-01T00:00:00Z", where a time`},
		{"bad owner", rest(`"guild": {"owner_id": "me"}`), `guild.owner_id: "me" is no id`},
		{"bad top", rest(`"guild": {"bot_top_position": -1}`), "guild.bot_top_position: -1, where a whole number"},
		{"bad count", rest(`"guild": {"member_count": "3"}`), `guild.member_count: "3", where a whole number`},
		{"aa a list", rest(`"aa": []`), "aa: a list, where an object"},
		{"aa key twice", aa(`"groups": [], "groups": []`), "aa.groups: written twice"},
		{"user without id", user(`{"username": "x"}`), "aa.users[0].id: missing"},
		{"user twice", user(`{"id": 3}, {"id": 4}, {"id": "3"}`), "aa.users[2].id: user 3 is aa.users[0] already"},
		{"user in no state", user(`{"id": 3, "state": "Membre"}`), `aa.users[0].state: "Membre" is not among aa.states`},
		{"user in no group", user(`{"id": 3, "groups": ["A", "B"]}`), `aa.users[0].groups[1]: "B" is not among aa.groups`},
		{"bad uid", user(`{"id": 3, "discord_uid": "x"}`), `aa.users[0].discord_uid: "x" is no id`},
		{"bad permission", user(`{"id": 3, "permissions": ["access_discord"]}`), `aa.users[0].permissions[0]: "access_discord", where a permission such as`},
		{"bad active", user(`{"id": 3, "active": "no"}`), "aa.users[0].active:"},
		{"group twice", aa(`"groups": ["A", "A"]`), `aa.groups[1]: "A" is item 0 already`},
		{"state a number", aa(`"states": [5]`), "aa.states[0]: 5, where a state's name should be"},
		{"bad access", aa(`"access": {"users": ["x"]}`), `aa.access.users[0]: "x" is no id`},
		{"identity without uid", aa(`"identities": [{"user": 1}]`), "aa.identities[0].uid: missing"},
		{"identity without user", aa(`"identities": [{"uid": 1}]`), "aa.identities[0].user: missing"},
		{"identity of no source", aa(`"identities": [{"uid": 1, "user": 1, "source": "guess"}]`), `aa.identities[0].source: "guess", where historical or operator`},
		{"bad bot uid", aa(`"bot_uids": [0]`), "aa.bot_uids[0]: 0 is no id"},
		{"protection of nobody", aa(`"protected": [{"reason": "x"}]`), "aa.protected[0].uid: missing"},
		{"protection without end", aa(`"protected": [{"uid": 1, "expires_at": "soon"}]`), "aa.protected[0].expires_at:"},
		{"block of nobody", aa(`"blocks": [{"ban": true}]`), "aa.blocks[0].uid: missing"},
		{"bad block end", aa(`"blocks": [{"uid": 1, "until": 5}]`), "aa.blocks[0].until: 5, where a time"},
		{"override of nobody", aa(`"overrides": [{"action": "strip"}]`), "aa.overrides[0].member_id: missing"},
		{"override without action", aa(`"overrides": [{"member_id": 1}]`), "aa.overrides[0].action: missing"},
		{"override of no action", aa(`"overrides": [{"member_id": 1, "action": "ban"}]`), `aa.overrides[0].action: "ban", where report, strip or strip_kick should be`},
		{"opened by nobody", aa(`"opened": {"x": "2026-01-01T00:00:00Z"}`), "aa.opened.x: the key is no member's id"},
		{"bad binding", aa(`"bindings": {"groups": {"A": ["x"]}}`), `aa.bindings.groups.A[0]: "x" is no id`},
		{"bad guarded", aa(`"bindings": {"guarded": 5}`), "aa.bindings.guarded: 5, where a list of role ids"},
		{"unknown category", policy(`{"unknown_gest": "report"}`), "aa.policy.unknown_gest: unknown category; did you mean unknown_guest"},
		{"unknown action", policy(`{"unknown_guest": "kick"}`), `aa.policy.unknown_guest: "kick" is no action`},
		{"too much", policy(`{"surplus_roles": {"default": "strip_kick"}}`), "aa.policy.surplus_roles.default: strip_kick is too much"},
		{"act on report only", policy(`{"missing_roles": "strip"}`), "aa.policy.missing_roles.default: strip is too much"},
		{"unknown realtime", policy(`{"unknown_guest": {"realtime": "on"}}`), `aa.policy.unknown_guest.realtime: "on" is not known`},
		{"negative grace", policy(`{"unknown_guest": {"grace": "-1h"}}`), `aa.policy.unknown_guest.grace: "-1h" is less than nothing`},
		{"bad grace", policy(`{"unknown_guest": {"grace": 72}}`), "aa.policy.unknown_guest.grace: 72 is no duration"},
		{"unknown group", policy(`{"linked_no_perm": {"by_group": {"Directrs": "report"}}}`), "aa.policy.linked_no_perm.by_group.Directrs: Auth has no group of this name"},
		{"unknown state", policy(`{"linked_no_perm": {"by_state": {"member": "report"}}}`), "aa.policy.linked_no_perm.by_state.member: Auth has no state of this name"},
		{"unknown rule key", policy(`{"linked_no_perm": {"by_groups": {}}}`), "aa.policy.linked_no_perm.by_groups: unknown; did you mean by_group"},
		{"limits in the policy", policy(`{"limits": {}}`), "aa.policy.limits: does not belong"},
		{"policy a list", policy(`[]`), "aa.policy: a list, where a table of keys"},
		{"unknown dimension", rest(`"limits": {"kick": {}}`), "limits.kick: unknown; did you mean kicks"},
		{"a share of a share", rest(`"limits": {"members": {"run": {"share": 0.5, "ceiling": 5}}}`), "limits.members.run.share: 0.5; write a whole number"},
		{"floor over ceiling", rest(`"limits": {"members": {"run": {"floor": 9, "ceiling": 5}}}`), "limits.members.run: the floor 9 is above the ceiling 5"},
		{"bad privileged role", aa(`"privileged_roles": ["x"]`), `aa.privileged_roles[0]: "x" is no role id`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := snapshot.Parse(strings.NewReader(test.file), "guild.json")
			if err == nil {
				t.Fatalf("accepted: %+v", f)
			}
			if f != nil {
				t.Error("a refused file came back all the same")
			}
			if !strings.HasPrefix(err.Error(), "guild.json: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
			if problem.KindOf(err) != problem.Usage {
				t.Errorf("kind %s, want usage", problem.KindOf(err))
			}
		})
	}
}

func TestMoreRolesThanAGuildCanHaveAreRefused(t *testing.T) {
	file := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"guild_members": [], "guild_roles": [`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id": %d, "name": "r"}`, i+1)
		}
		return b.String() + "]}"
	}
	if f := parse(t, []byte(file(audit.MaxRoles))); len(f.Guild.Roles) != audit.MaxRoles {
		t.Errorf("%d roles of %d were read", len(f.Guild.Roles), audit.MaxRoles)
	}
	_, err := snapshot.Parse(strings.NewReader(file(audit.MaxRoles+1)), "guild.json")
	if err == nil || !strings.Contains(err.Error(), "guild_roles[256]: more than 256 roles") {
		t.Errorf("got %v", err)
	}
}

// The peer's whole build ends when a member object lacks a discriminator.
func TestOddMembersThatDoNoHarmAreRead(t *testing.T) {
	f := parse(t, []byte(`{"guild_roles": [{"id": 1, "name": "r", "tags": {"bot_id": "5"}, "color": 1, "permissions": null}], "guild_members": [[
		{"user": {"id": "9223372036854775807", "username": "a", "avatar": null, "discriminator": null, "bot": null, "global_name": null},
		 "roles": null, "nick": null, "joined_at": null, "pending": null, "flags": 9, "communication_disabled_until": "2026-01-01T00:00:00Z"},
		{"deaf": [[{}]], "roles": ["1", 1, 2], "user": {"username": "", "id": 5}, "nick": "\ud800 \u202e"}]]}`))
	if len(f.Members) != 2 || f.Members[0].ID != 5 || f.Members[1].ID != 1<<63-1 {
		t.Fatalf("members %+v", f.Members)
	}
	if f.Members[0].Roles != (audit.RoleSet{1}) || f.UnknownRoles != 1 {
		t.Errorf("roles %v, %d unknown", f.Members[0].Roles, f.UnknownRoles)
	}
}

func TestByteOrderMarkIsNoPartOfTheFile(t *testing.T) {
	parse(t, []byte("\uFEFF"+`{"guild_roles": [], "guild_members": []}`))
}

// A slow pipe gives a byte at a time, letters of several bytes cut in two.
func TestReadersMayGiveALittleAtATime(t *testing.T) {
	whole := parse(t, demo.Guild())
	f, err := snapshot.Parse(iotest.OneByteReader(bytes.NewReader(demo.Guild())), "guild.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written(t, whole), written(t, f)); diff != "" {
		t.Error(diff)
	}
}

func TestReadErrorsAreNotTakenForBadFiles(t *testing.T) {
	lost := errors.New("the disk is gone")
	_, err := snapshot.Parse(io.MultiReader(strings.NewReader(`{"guild_roles": [`), iotest.ErrReader(lost)), "guild.json")
	if !errors.Is(err, lost) || problem.KindOf(err) != problem.Failed {
		t.Errorf("got %v", err)
	}
}

func written(t testing.TB, f *snapshot.File) string {
	t.Helper()
	var b strings.Builder
	if err := snapshot.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
