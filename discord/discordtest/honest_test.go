package discordtest_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

// hierarchy is a guild whose bot stands in the middle: 30 and 31 are below it, 50 above, 60 managed below, 70 boosters.
const hierarchy = `-- guild.json --
{"guild": {"id": "900000000000000001", "owner_id": "100", "bot_user_id": "42"},
 "guild_roles": [
  {"id": "30", "name": "Low", "position": 1}, {"id": "31", "name": "Lower", "position": 2}, {"id": "60", "name": "Other bot", "position": 3, "managed": true},
  {"id": "70", "name": "Booster", "position": 4, "managed": true, "tags": {"premium_subscriber": null}},
  {"id": "42420", "name": "gatecamp", "position": 10, "managed": true, "tags": {"bot_id": "42"}},
  {"id": "50", "name": "High", "position": 20}],
 "guild_members": [[
  {"user": {"id": "42", "username": "gatecamp", "bot": true}, "roles": ["42420"]},
  {"user": {"id": "100", "username": "owner"}, "roles": ["30"]},
  {"user": {"id": "201", "username": "plain"}, "roles": ["30", "31"]},
  {"user": {"id": "202", "username": "lofty"}, "roles": ["30", "50"]},
  {"user": {"id": "203", "username": "booster"}, "roles": ["30", "70"]},
  {"user": {"id": "204", "username": "haunted"}, "roles": ["30", "999"]}]]}
`

func parse(t *testing.T, text string) *discordtest.World {
	t.Helper()
	w, err := discordtest.ParseWorld("test.txtar", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The facts of reference/discord.md 2.5, 2.6 and 4.1, one line each.
func TestAnswersAreThoseOfTheReference(t *testing.T) {
	for _, f := range []struct {
		fact         string
		method, path string
		body         string
		status, code int
	}{
		{"a role below the bot can be taken", "DELETE", "/guilds/{g}/members/201/roles/30", "", 204, 0},
		{"a role that is not held is taken without complaint", "DELETE", "/guilds/{g}/members/201/roles/30", "", 204, 0},
		{"a role that is held is given without complaint", "PUT", "/guilds/{g}/members/201/roles/31", "", 204, 0},
		{"the owner can be stripped of a role below the bot", "DELETE", "/guilds/{g}/members/100/roles/30", "", 204, 0},
		{"what else the target holds does not matter", "DELETE", "/guilds/{g}/members/202/roles/30", "", 204, 0},
		{"a role above the bot cannot be taken", "DELETE", "/guilds/{g}/members/202/roles/50", "", 403, 50013},
		{"a managed role cannot be given", "PUT", "/guilds/{g}/members/201/roles/60", "", 403, 50013},
		{"a managed role cannot be taken", "DELETE", "/guilds/{g}/members/203/roles/70", "", 403, 50013},
		{"the bot's own role cannot be given", "PUT", "/guilds/{g}/members/201/roles/42420", "", 403, 50013},
		{"an unknown role", "DELETE", "/guilds/{g}/members/201/roles/31999", "", 404, 10011},
		{"an unknown member", "DELETE", "/guilds/{g}/members/999/roles/30", "", 404, 10007},
		{"an unknown guild", "DELETE", "/guilds/5/members/201/roles/30", "", 404, 10004},
		{"an id that is none", "DELETE", "/guilds/{g}/members/x/roles/30", "", 400, 50035},

		{"the array replaces the set", "PATCH", "/guilds/{g}/members/201", `{"roles": ["30"]}`, 200, 0},
		{"an array that leaves a managed role out fails", "PATCH", "/guilds/{g}/members/203", `{"roles": []}`, 403, 50013},
		{"an array that keeps the managed role passes", "PATCH", "/guilds/{g}/members/203", `{"roles": ["70"]}`, 200, 0},
		{"an unknown role in the array", "PATCH", "/guilds/{g}/members/201", `{"roles": ["30", "31999"]}`, 400, 10011},
		{"a role of the array that was deleted but lingers may stay", "PATCH", "/guilds/{g}/members/204", `{"roles": ["999"]}`, 200, 0},
		{"an array that would take a role above the bot fails", "PATCH", "/guilds/{g}/members/202", `{"roles": ["30"]}`, 403, 50013},
		{"a wrong type is told with its place", "PATCH", "/guilds/{g}/members/201", `{"roles": "30"}`, 400, 50035},
		{"no JSON", "PATCH", "/guilds/{g}/members/201", `{`, 400, 50109},
		{"a nickname needs its permission", "PATCH", "/guilds/{g}/members/201", `{"nick": "x"}`, 403, 50013},

		{"a member below is kicked", "DELETE", "/guilds/{g}/members/201", "", 204, 0},
		{"who is gone is unknown", "DELETE", "/guilds/{g}/members/201", "", 404, 10007},
		{"a member above is not kicked", "DELETE", "/guilds/{g}/members/202", "", 403, 50013},
		{"the owner is not kicked", "DELETE", "/guilds/{g}/members/100", "", 403, 50013},
		{"the bot does not kick itself", "DELETE", "/guilds/{g}/members/42", "", 403, 50013},
		{"the owner is not banned", "PUT", "/guilds/{g}/bans/100", "", 403, 50013},
		{"a member is banned", "PUT", "/guilds/{g}/bans/204", "{}", 204, 0},
		{"who is banned is shown", "GET", "/guilds/{g}/bans/204", "", 200, 0},
		{"who is not banned is not", "GET", "/guilds/{g}/bans/202", "", 404, 10026},
		{"a ban is lifted", "DELETE", "/guilds/{g}/bans/204", "", 204, 0},
		{"bulk bans need to manage the guild too", "POST", "/guilds/{g}/bulk-ban", `{"user_ids": ["202"]}`, 403, 50013},

		{"a managed role is not deleted", "DELETE", "/guilds/{g}/roles/60", "", 400, 50028},
		{"a role above is not changed", "PATCH", "/guilds/{g}/roles/50", `{"permissions": "0"}`, 403, 50013},
		{"nobody hands out more than he holds", "PATCH", "/guilds/{g}/roles/31", `{"permissions": "8"}`, 403, 50013},
		{"a role below loses its permissions", "PATCH", "/guilds/{g}/roles/31", `{"permissions": "0"}`, 200, 0},
		{"a role is made", "POST", "/guilds/{g}/roles", `{"name": "New"}`, 200, 0},
		{"a role's name has 100 characters at most", "POST", "/guilds/{g}/roles", `{"name": "` + strings.Repeat("x", 101) + `"}`, 400, 50035},
		{"a role below is deleted", "DELETE", "/guilds/{g}/roles/31", "", 204, 0},
		{"channels need their permission", "POST", "/guilds/{g}/channels", `{"name": "x"}`, 403, 50013},

		{"roles", "GET", "/guilds/{g}/roles", "", 200, 0},
		{"role counts", "GET", "/guilds/{g}/roles/member-counts", "", 200, 0},
		{"onboarding", "GET", "/guilds/{g}/onboarding", "", 200, 0},
		{"the audit log", "GET", "/guilds/{g}/audit-logs?limit=100", "", 200, 0},
		{"a page of the audit log has 100 entries at most", "GET", "/guilds/{g}/audit-logs?limit=101", "", 400, 50035},
		{"a page of members has 1,000 at most", "GET", "/guilds/{g}/members?limit=1001", "", 400, 50035},
		{"members are found by name", "GET", "/guilds/{g}/members/search?query=lof&limit=5", "", 200, 0},
		{"an unknown path", "GET", "/nothing", "", 404, 0},
		{"a known path with another method", "PATCH", "/guilds/{g}/audit-logs", "{}", 405, 0},
		{"the application", "GET", "/applications/@me", "", 200, 0},
		{"the gateway", "GET", "/gateway/bot", "", 200, 0},
		{"somebody else's commands", "GET", "/applications/43/commands", "", 403, 20012},
		{"an interaction that never was", "POST", "/interactions/1/x/callback", `{"type": 5}`, 404, 10062},
		{"a webhook that never was", "POST", "/webhooks/99/x", `{"content": "x"}`, 404, 10015},
		{"a webhook with a wrong token", "POST", "/webhooks/1/x", `{"content": "x"}`, 401, 50027},
		{"a channel that never was", "GET", "/channels/99", "", 404, 10003},
		{"an empty message", "POST", "/channels/7/messages", `{}`, 400, 50006},
		{"a message that is too long", "POST", "/channels/7/messages", `{"content": "` + strings.Repeat("x", 2001) + `"}`, 400, 50035},
		{"a message", "POST", "/channels/7/messages", `{"content": "x"}`, 200, 0},
	} {
		t.Run(f.fact, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
			if strings.Contains(f.fact, "gone") {
				r.want(204, 0, "DELETE", "/guilds/{g}/members/201", "")
			}
			if strings.Contains(f.fact, "banned is shown") || strings.Contains(f.fact, "lifted") {
				r.want(204, 0, "PUT", "/guilds/{g}/bans/204", "{}")
			}
			a := r.want(f.status, f.code, f.method, f.path, f.body)
			if a.header.Get("Via") == "" {
				t.Error("no Via: libraries take that for Cloudflare")
			}
		})
	}
}

func TestWithoutATokenNobodyIsServed(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	for _, token := range []string{"", "NDI.wrong"} {
		r.token = token
		r.want(401, 0, "GET", "/guilds/{g}", "")
	}
	r.want(200, 0, "GET", "/gateway", "")
}

func TestARoleChangeIsToldWrittenDownAndAttributed(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, _ := r.connect(7)
	reason := "[ra:01J] no matching group: Ф"
	r.want(200, 0, "PATCH", "/guilds/{g}/members/201", `{"roles": ["31"]}`, "X-Audit-Log-Reason", url.PathEscape(reason))
	var m struct {
		Guild string   `json:"guild_id"`
		Roles []string `json:"roles"`
	}
	l.decode(l.await("GUILD_MEMBER_UPDATE"), &m)
	if m.Guild != r.guild.String() || cmp.Diff([]string{"31"}, m.Roles) != "" {
		t.Errorf("the update says %+v", m)
	}
	entry := l.await("GUILD_AUDIT_LOG_ENTRY_CREATE")
	var got map[string]any
	l.decode(entry, &got)
	delete(got, "id")
	want := map[string]any{
		"guild_id": r.guild.String(), "user_id": "42", "target_id": "201", "action_type": 25.0, "reason": reason,
		"changes": []any{map[string]any{"key": "$remove", "new_value": []any{map[string]any{"id": "30", "name": "Low"}}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the entry differs (-want +got):\n%s", d)
	}
	log := into[struct {
		Entries []json.RawMessage `json:"audit_log_entries"`
	}](t, r.want(200, 0, "GET", "/guilds/{g}/audit-logs?action_type=25&user_id=42", ""))
	if len(log.Entries) != 1 {
		t.Errorf("the log has %d entries, want 1", len(log.Entries))
	}
}

func TestAReasonIsDecodedOrTakenAsItIs(t *testing.T) {
	for name, c := range map[string]struct{ sent, want string }{
		"encoded":         {"a%20b%C3%A9", "a bé"},
		"raw":             {"plain é", "plain é"},
		"a lonely sign":   {"100% sure", "100% sure"},
		"plus is no gap":  {"a+b", "a+b"},
		"not valid UTF-8": {"%ff", "%ff"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
			r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "", "X-Audit-Log-Reason", c.sent)
			if got := r.s.Requests(0)[0].Reason; got != c.want {
				t.Errorf("the reason is %q, want %q", got, c.want)
			}
		})
	}
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "", "X-Audit-Log-Reason", strings.Repeat("%C3%A9", 512))
	r.want(400, 50035, "DELETE", "/guilds/{g}/members/201/roles/31", "", "X-Audit-Log-Reason", strings.Repeat("%C3%A9", 513))
}

func TestTheSecondFactorIsAskedFor(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	if err := r.s.RequireTwoFactor(r.guild, true, false); err != nil {
		t.Fatal(err)
	}
	r.want(403, 60003, "DELETE", "/guilds/{g}/members/201/roles/30", "")
	r.want(200, 0, "GET", "/guilds/{g}/members/201", "")
}

func TestAuditLogPagesAscendWithAfter(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	for range 3 {
		r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "")
		r.want(204, 0, "PUT", "/guilds/{g}/members/201/roles/30", "")
	}
	type page struct {
		Entries []struct {
			ID string `json:"id"`
		} `json:"audit_log_entries"`
	}
	newest := into[page](t, r.want(200, 0, "GET", "/guilds/{g}/audit-logs?limit=2", "")).Entries
	oldest := into[page](t, r.want(200, 0, "GET", "/guilds/{g}/audit-logs?limit=2&after=1", "")).Entries
	if newest[0].ID <= newest[1].ID || oldest[0].ID >= oldest[1].ID || oldest[0].ID >= newest[1].ID {
		t.Errorf("newest %v, after=1 %v: want descending, and ascending from the oldest", newest, oldest)
	}
	next := into[page](t, r.want(200, 0, "GET", "/guilds/{g}/audit-logs?after="+oldest[1].ID, "")).Entries
	if len(next) != 4 {
		t.Errorf("after the second of six come %d, want 4", len(next))
	}
}

// Alliance Auth wants 204 from PATCH, sends ids as numbers, and takes waits for milliseconds (alliance-auth.md 3).
func TestTheUnversionedPathsSpeakAllianceAuth(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	aa := r.as(discordtest.BotAuth).unversioned()
	aa.want(204, 0, "PATCH", "/guilds/{g}/members/201", `{"roles": [31]}`)
	if m, err := r.s.Member(r.guild, 201); err != nil || len(m.Roles) != 1 || m.Roles[0] != 31 {
		t.Errorf("the member is %+v (%v), want role 31 alone", m, err)
	}
	aa.want(200, 0, "POST", "/guilds/{g}/roles", `{"name": "From Auth"}`)
	aa.want(201, 0, "PUT", "/guilds/{g}/members/300", `{"access_token": "secret", "roles": [30], "nick": "N"}`)
	aa.want(204, 0, "PUT", "/guilds/{g}/members/300", `{"access_token": "secret"}`)
	aa.want(404, 10007, "GET", "/guilds/{g}/members/999", "")
	for range 9 {
		aa.want(204, 0, "PATCH", "/guilds/{g}/members/201", `{"roles": [31]}`)
	}
	a := aa.want(429, 0, "PATCH", "/guilds/{g}/members/201", `{"roles": [31]}`)
	body := into[struct {
		Retry float64 `json:"retry_after"`
	}](t, a)
	if body.Retry != 10_000 || a.header.Get("Retry-After") != "10000" {
		t.Errorf("retry_after %v, Retry-After %s: want 10000 milliseconds", body.Retry, a.header.Get("Retry-After"))
	}
	for _, req := range r.s.Requests(0) {
		if strings.Contains(string(req.Body), "secret") {
			t.Errorf("the log shows an access token: %s", req.Body)
		}
	}
	me := into[struct{ ID string }](t, aa.asPerson("300").want(200, 0, "GET", "/users/@me", ""))
	if me.ID != "300" {
		t.Errorf("a person's token is %s's, want 300's", me.ID)
	}
}

func (r rig) asPerson(token string) *rig {
	r.token, r.bearer = "", token
	return &r
}

func TestMembersComeInPagesAscendingById(t *testing.T) {
	r := newRig(t, discordtest.Config{World: world(t, "empty").Populate(2500, 3)})
	type member struct {
		User struct{ ID string } `json:"user"`
	}
	after, total := "0", 0
	for {
		page := into[[]member](t, r.want(200, 0, "GET", "/guilds/{g}/members?limit=1000&after="+after, ""))
		for _, m := range page {
			if len(m.User.ID) < len(after) || len(m.User.ID) == len(after) && m.User.ID <= after {
				t.Fatalf("%s comes after %s", m.User.ID, after)
			}
			after = m.User.ID
		}
		if total += len(page); len(page) < 1000 {
			break
		}
	}
	if total != 2503 {
		t.Errorf("%d members, want 2,503", total)
	}
}

func TestABotThatIsNotInTheGuildHasNoAccess(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	aa := r.as(discordtest.BotAuth)
	r.want(403, 50013, "DELETE", "/guilds/{g}/members/41", "")  // the owner
	aa.want(403, 50013, "DELETE", "/guilds/{g}/members/42", "") // gatecamp is above
	r.want(204, 0, "DELETE", "/guilds/{g}/members/43", "")
	aa.want(404, 10004, "GET", "/guilds/{g}", "")
	aa.want(403, 50001, "GET", "/guilds/{g}/roles", "")
}
