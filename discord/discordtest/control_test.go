package discordtest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

func TestNonsenseOnTheControlPortIsRefusedInJSON(t *testing.T) {
	r := newRig(t, discordtest.Config{World: world(t, "corporation")}).control()
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/nothing", "", 404},
		{"PATCH", "/guilds/{g}", "{}", 404},
		{"GET", "/guilds/x", "", 400},
		{"GET", "/guilds/5", "", 404},
		{"GET", "/guilds/{g}/members/5", "", 404},
		{"GET", "/guilds/{g}/members?limit=x", "", 400},
		{"POST", "/guilds/{g}/members", "nonsense", 400},
		{"POST", "/guilds/{g}/members", "", 400},
		{"POST", "/guilds/{g}/members", "{}", 400},
		{"POST", "/guilds/{g}/members", `{"user": {"id": "1001"}}`, 400},
		{"POST", "/guilds/{g}/members", `{"user": {"id": "5", "username": "x"}, "roles": ["77"]}`, 404},
		{"DELETE", "/guilds/{g}/members/5", "", 404},
		{"PUT", "/guilds/{g}/members/1004/roles/77", "", 404},
		{"PUT", "/guilds/{g}/members/1004/roles/2005?by=1002", "", 403},
		{"PUT", "/guilds/{g}/members/1004/roles/2005?by=x", "", 400},
		{"POST", "/guilds/{g}/roles?by=1004", `{"name": "x"}`, 403},
		{"DELETE", "/guilds/{g}/roles/77", "", 404},
		{"POST", "/guilds/{g}/commands", `{"user": "1001", "name": "nothing"}`, 404},
		{"POST", "/guilds/{g}/commands", `{"user": 1}`, 404},
		{"POST", "/interactions/5/press", `{"user": "1001", "custom_id": "x"}`, 404},
		{"POST", "/messages/5/press", `{"user": "1001", "custom_id": "x"}`, 404},
		{"GET", "/interactions/5", "", 404},
		{"GET", "/channels/5/messages", "", 404},
		{"GET", "/requests?since=x", "", 400},
		{"DELETE", "/gateway/connections/5", "", 404},
		{"POST", "/faults", `{"name": "nothing"}`, 400},
		{"POST", "/faults", `{"name": "op7", "at": 1, "probability": 0.5}`, 400},
		{"POST", "/faults", `{"name": "op7", "probability": 2}`, 400},
		{"POST", "/clock", `{"advance": "soon"}`, 400},
		{"POST", "/clock", `{"advance": "-1s"}`, 400},
	} {
		a := r.do(c.method, c.path, c.body)
		e := into[struct{ Error string }](t, a)
		if a.status != c.status || e.Error == "" {
			t.Errorf("%s %s %s: %d %s, want %d and an error", c.method, c.path, c.body, a.status, a.body, c.status)
		}
	}
}

func TestTheControlPortActsAsPeopleAndAsTheWorld(t *testing.T) {
	base := newRig(t, discordtest.Config{World: world(t, "corporation")})
	l, _ := base.connect(intentsOurs)
	r := base.control()
	joined := into[map[string]any](t, r.want(201, 0, "POST", "/guilds/{g}/members", `{"user": {"id": "5", "username": "newcomer", "bot": false}, "roles": ["2002"], "pending": true}`))
	if joined["pending"] != true || cmp.Diff([]any{"2002"}, joined["roles"]) != "" {
		t.Errorf("joined as %v", joined)
	}
	r.want(204, 0, "PUT", "/guilds/{g}/members/5/roles/2003?by=1001", "")
	r.want(204, 0, "DELETE", "/guilds/{g}/members/5/roles/2003", "")
	r.want(204, 0, "DELETE", "/guilds/{g}/members/5", "")
	r.want(201, 0, "POST", "/guilds/{g}/members", `{"user": {"id": "5", "username": "newcomer"}}`)
	role := into[map[string]any](t, r.want(201, 0, "POST", "/guilds/{g}/roles", `{"name": "New", "permissions": "0"}`))
	id, _ := role["id"].(string)
	renamed := into[map[string]any](t, r.want(200, 0, "PATCH", "/guilds/{g}/roles/"+id, `{"name": "Newer"}`))
	if renamed["name"] != "Newer" || role["permissions"] != "0" {
		t.Errorf("made %v, renamed %v", role, renamed)
	}
	r.want(204, 0, "DELETE", "/guilds/{g}/roles/"+id, "")
	channel := into[map[string]any](t, r.want(201, 0, "POST", "/guilds/{g}/channels", `{"name": "new"}`))
	hook := into[map[string]any](t, r.want(201, 0, "POST", "/guilds/{g}/webhooks", `{"channel_id": "`+channel["id"].(string)+`", "name": "h"}`)) //nolint:forcetypeassert // a test
	if url, _ := hook["url"].(string); !strings.HasPrefix(url, base.s.APIURL()) {
		t.Errorf("the webhook is %v", hook)
	}
	want := []string{
		"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_MEMBER_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_MEMBER_REMOVE",
		"GUILD_MEMBER_ADD", "GUILD_ROLE_CREATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_ROLE_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_ROLE_DELETE",
		"GUILD_AUDIT_LOG_ENTRY_CREATE", "CHANNEL_CREATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_AUDIT_LOG_ENTRY_CREATE",
	}
	if d := cmp.Diff(want, l.names(len(want))); d != "" {
		t.Errorf("the events differ (-want +got):\n%s", d)
	}
	members := into[[]map[string]any](t, r.want(200, 0, "GET", "/guilds/{g}/members?limit=2&after=1002", ""))
	if len(members) != 2 || members[0]["user"].(map[string]any)["id"] != "1003" { //nolint:forcetypeassert // a test
		t.Errorf("the page after 1002 is %v", members)
	}
	log := into[struct {
		Entries []struct{ ID string } `json:"audit_log_entries"`
	}](t, r.want(200, 0, "GET", "/guilds/{g}/audit-log", "")).Entries
	if len(log) != 7 || log[0].ID < log[1].ID {
		t.Errorf("the log has %d entries, want 7 and the newest first: %v", len(log), log)
	}
	g := into[map[string]any](t, r.want(200, 0, "GET", "/guilds/{g}", ""))
	if g["owner_id"] != "1001" || len(into[[]any](t, r.want(200, 0, "GET", "/guilds/{g}/roles", ""))) != 8 {
		t.Errorf("the guild is %v", g)
	}
}

func TestTheControlPortListsRequestsConnectionsAndFaults(t *testing.T) {
	base := newRig(t, discordtest.Config{World: world(t, "corporation")})
	_, session := base.connect(intentsOurs)
	base.want(204, 0, "DELETE", "/guilds/{g}/members/1004/roles/2003", "", "X-Audit-Log-Reason", "a%20reason")
	base.want(200, 0, "PATCH", "/guilds/{g}/members/1004", `{"roles": ["2001"]}`)
	r := base.control()
	list := into[[]map[string]any](t, r.want(200, 0, "GET", "/requests?since=0", ""))
	first := list[0]
	for key, want := range map[string]any{
		"number": 1.0, "time": float64(base.clock.Now().UnixMicro()), "bot": "gatecamp", "method": "DELETE", "route": "/guilds/{g}/members/{u}/roles/{r}",
		"path": "/guilds/" + base.guild.String() + "/members/1004/roles/2003", "body": nil, "status": 204.0, "reason": "a reason", "fault": nil,
	} {
		if d := cmp.Diff(want, first[key]); d != "" {
			t.Errorf("%s differs (-want +got):\n%s", key, d)
		}
	}
	if b, _ := first["bucket"].(string); len(b) != 32 {
		t.Errorf("the bucket is %v", first["bucket"])
	}
	later := into[[]map[string]any](t, r.want(200, 0, "GET", "/requests?since=1", ""))
	if len(later) != 1 || cmp.Diff(map[string]any{"roles": []any{"2001"}}, later[0]["body"]) != "" {
		t.Errorf("since 1 came %v", later)
	}
	conns := into[[]discordtest.Connection](t, r.want(200, 0, "GET", "/gateway/connections", ""))
	if len(conns) != 1 || conns[0].SessionID != session || conns[0].Shard != [2]int{0, 1} || conns[0].Intents != intentsOurs || conns[0].Bot != "gatecamp" || conns[0].Sequence < 2 {
		t.Errorf("the connections are %+v", conns)
	}
	f := into[map[string]any](t, r.want(201, 0, "POST", "/faults", `{"name": "5xx_before", "at": 2, "match": {"method": "GET"}}`))
	if f["id"] == nil || f["fired"] != 0.0 || f["count"] != 1.0 {
		t.Errorf("the fault is %v", f)
	}
	base.want(200, 0, "GET", "/guilds/{g}/roles", "")
	if a := base.do("GET", "/guilds/{g}/roles", ""); a.status != 502 {
		t.Errorf("the second call: %d, want 502", a.status)
	}
	faults := into[struct {
		Names  []discordtest.FaultKind
		Active []map[string]any
	}](t, r.want(200, 0, "GET", "/faults", ""))
	if len(faults.Names) != 29 || len(faults.Active) != 1 || faults.Active[0]["fired"] != 1.0 {
		t.Errorf("the faults are %+v", faults)
	}
	r.want(204, 0, "DELETE", "/faults", "")
	r.want(201, 0, "POST", "/clock", `{"advance": "15m"}`)
	r.want(204, 0, "DELETE", "/gateway/connections/1?code=4000", "")
}

func TestARealClockIsNotAdvanced(t *testing.T) {
	r := newRig(t, discordtest.Config{Clock: discordtest.RealClock{}}).control()
	if a := r.do("POST", "/clock", `{"advance": "15m"}`); a.status != 400 || !json.Valid(a.body) {
		t.Errorf("%d %s, want 400", a.status, a.body)
	}
}
