package discordtest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

// admins is a guild whose bot is an administrator.
const admins = `-- guild.json --
{"guild": {"id": "900000000000000001", "owner_id": "100", "bot_user_id": "42"},
 "guild_roles": [{"id": "30", "name": "Low", "position": 1}, {"id": "31", "name": "Lower", "position": 2},
  {"id": "42420", "name": "gatecamp", "position": 10, "managed": true, "permissions": "8"}],
 "guild_members": [[
  {"user": {"id": "42", "username": "gatecamp", "bot": true}, "roles": ["42420"]},
  {"user": {"id": "100", "username": "owner"}, "roles": []},
  {"user": {"id": "201", "username": "plain"}, "roles": ["30"], "pending": true}]]}
`

type withID struct{ ID, Name, Content string }

func TestChannelsMessagesAndOverwrites(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, admins)})
	l, _ := r.connect(1 | 2 | 4 | 32 | 512)
	c := into[withID](t, r.want(201, 0, "POST", "/guilds/{g}/channels", `{"name": "audit"}`)).ID
	r.want(204, 0, "PUT", "/channels/"+c+"/permissions/30", `{"type": 0, "allow": "0", "deny": "1024"}`)
	r.want(204, 0, "PUT", "/channels/"+c+"/permissions/30", `{"type": 0, "allow": "0", "deny": "2048"}`)
	r.want(404, 10011, "PUT", "/channels/"+c+"/permissions/77", `{"type": 0}`)
	r.want(204, 0, "DELETE", "/channels/"+c+"/permissions/30", "")
	r.want(404, 10009, "DELETE", "/channels/"+c+"/permissions/30", "")
	m := into[withID](t, r.want(200, 0, "POST", "/channels/"+c+"/messages", `{"content": "one"}`)).ID
	r.want(200, 0, "PATCH", "/channels/"+c+"/messages/"+m, `{"content": "two"}`)
	if got := into[withID](t, r.want(200, 0, "GET", "/channels/"+c+"/messages/"+m, "")).Content; got != "two" {
		t.Errorf("the message says %q", got)
	}
	if list := into[[]withID](t, r.want(200, 0, "GET", "/channels/"+c+"/messages", "")); len(list) != 1 {
		t.Errorf("%d messages, want 1", len(list))
	}
	other := r.as(discordtest.BotAuth)
	other.want(403, 50005, "PATCH", "/channels/"+c+"/messages/"+m, `{"content": "mine"}`)
	other.want(403, 50013, "DELETE", "/channels/"+c+"/messages/"+m, "")
	r.want(204, 0, "POST", "/channels/"+c+"/typing", "")
	r.want(204, 0, "DELETE", "/channels/"+c+"/messages/"+m, "")
	r.want(404, 10008, "GET", "/channels/"+c+"/messages/"+m, "")
	hook := into[withID](t, r.want(200, 0, "POST", "/channels/"+c+"/webhooks", `{"name": "h"}`)).ID
	r.want(200, 0, "GET", "/webhooks/"+hook, "")
	for path, want := range map[string]int{"/guilds/{g}/channels": 2, "/guilds/{g}/webhooks": 2, "/channels/" + c + "/webhooks": 1} {
		if list := into[[]withID](t, r.want(200, 0, "GET", path, "")); len(list) != want {
			t.Errorf("%s has %d, want %d", path, len(list), want)
		}
	}
	want := []string{
		"CHANNEL_CREATE", auditCreated, "CHANNEL_UPDATE", auditCreated, "CHANNEL_UPDATE", auditCreated, "CHANNEL_UPDATE", auditCreated,
		"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "WEBHOOKS_UPDATE", auditCreated,
	}
	if d := cmp.Diff(want, l.names(len(want))); d != "" {
		t.Errorf("the events differ (-want +got):\n%s", d)
	}
}

const auditCreated = "GUILD_AUDIT_LOG_ENTRY_CREATE"

func TestGuildRolesBansAndUsers(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, admins)})
	if got := into[withID](t, r.want(200, 0, "PATCH", "/guilds/{g}", `{"name": "Renamed"}`)).Name; got != "Renamed" {
		t.Errorf("the guild is %q", got)
	}
	r.want(200, 0, "PUT", "/guilds/{g}/onboarding", `{"prompts": [{"id": "1", "title": "t", "options": [{"role_ids": ["30"]}]}], "enabled": true}`)
	if a := r.want(200, 0, "GET", "/guilds/{g}/onboarding", ""); !strings.Contains(string(a.body), `"role_ids"`) {
		t.Errorf("onboarding is %s", a.body)
	}
	order := into[[]withID](t, r.want(200, 0, "PATCH", "/guilds/{g}/roles", `[{"id": "30", "position": 2}]`))
	if order[1].ID != "31" || order[2].ID != "30" {
		t.Errorf("the order is %v, want 31 below 30", order)
	}
	r.want(403, 50013, "PATCH", "/guilds/{g}/roles", `[{"id": "30", "position": 10}]`)
	r.want(404, 10011, "GET", "/guilds/{g}/roles/77", "")
	r.want(200, 0, "GET", "/guilds/{g}/roles/30", "")
	r.want(200, 0, "PATCH", "/guilds/{g}/members/@me", `{"nick": "camp"}`)
	bulk := into[struct {
		Banned []string `json:"banned_users"`
		Failed []string `json:"failed_users"`
	}](t, r.want(200, 0, "POST", "/guilds/{g}/bulk-ban", `{"user_ids": ["201", "100", "5555"]}`))
	if cmp.Diff([]string{"201", "5555"}, bulk.Banned) != "" || cmp.Diff([]string{"100"}, bulk.Failed) != "" {
		t.Errorf("banned %v, failed %v; want the owner to fail", bulk.Banned, bulk.Failed)
	}
	if list := into[[]struct{ User withID }](t, r.want(200, 0, "GET", "/guilds/{g}/bans", "")); len(list) != 2 || list[0].User.ID != "201" {
		t.Errorf("the bans are %v", list)
	}
	r.want(200, 0, "GET", "/users/201", "")
	r.want(404, 10013, "GET", "/users/777", "")
	if list := into[[]withID](t, r.want(200, 0, "GET", "/users/@me/guilds", "")); len(list) != 1 {
		t.Errorf("the bot is in %d guilds, want 1", len(list))
	}
	if err := r.s.Join(r.guild, discordtest.Arrival{ID: 201}); status(err) != 403 {
		t.Errorf("a banned person came back: %v", err)
	}
}

func TestCommandsOneByOne(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, admins)})
	const base = "/applications/42/guilds/{g}/commands"
	id := into[withID](t, r.want(201, 0, "POST", base, `{"name": "a", "description": "d"}`)).ID
	if again := into[withID](t, r.want(200, 0, "POST", base, `{"name": "a", "description": "e"}`)).ID; again != id {
		t.Errorf("the same name is %s, want %s", again, id)
	}
	r.want(200, 0, "PATCH", base+"/"+id, `{"description": "f"}`)
	if a := r.want(200, 0, "GET", base+"/"+id, ""); !strings.Contains(string(a.body), `"description":"f"`) {
		t.Errorf("the command is %s", a.body)
	}
	r.want(200, 0, "GET", base+"/permissions", "")
	r.want(404, 10066, "GET", base+"/"+id+"/permissions", "")
	r.want(204, 0, "DELETE", base+"/"+id, "")
	r.want(404, 10063, "GET", base+"/"+id, "")
}

func TestOnboardingAndScreeningAreTheMembersOwnAct(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, admins)})
	l, _ := r.connect(intentsOurs)
	r.must(r.s.FinishScreening(r.guild, 201))
	r.must(r.s.TakeOnboarding(r.guild, 201, 31))
	var m struct{ Pending bool }
	l.decode(l.await("GUILD_MEMBER_UPDATE"), &m)
	var e struct {
		User string `json:"user_id"`
	}
	l.decode(l.await(auditCreated), &e)
	if m.Pending || e.User != "201" {
		t.Errorf("pending %v, executor %s; want false and the member", m.Pending, e.User)
	}
	r.must(r.s.Ban(r.guild, 201))
	if is, err := r.s.Banned(r.guild, 201); err != nil || !is {
		t.Errorf("banned: %v (%v)", is, err)
	}
}

func TestARequestCanBeAwaited(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	r.do("GET", "/gateway", "")
	r.do("GET", "/guilds/{g}/roles", "")
	got, err := r.s.AwaitRequest(t.Context(), 1, func(q discordtest.Request) bool { return q.Route == "/guilds/{g}/roles" })
	if err != nil || got.Number != 2 {
		t.Errorf("request %d (%v), want 2", got.Number, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := r.s.AwaitRequest(ctx, 2, func(discordtest.Request) bool { return true }); err == nil {
		t.Error("a request came that nobody made")
	}
}
