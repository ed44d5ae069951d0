package discordtest_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

// The tests of this file hold what other people's libraries were found to need, on raw sockets; each names the library.

func TestTheApplicationHasAnOwner(t *testing.T) { // discord.py
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	for _, path := range []string{"/applications/@me", "/oauth2/applications/@me"} {
		app := into[struct{ Owner struct{ ID, Username string } }](t, r.want(200, 0, "GET", path, ""))
		if app.Owner.ID != "100" || app.Owner.Username != "owner" {
			t.Errorf("%s: the owner is %+v, want the guild's", path, app.Owner)
		}
	}
}

type roleColors struct {
	Color  int
	Colors map[string]*int
}

func TestARoleHasColors(t *testing.T) { // discord.py, discord.js
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	one, two, none := 255, 7, (*int)(nil)
	for body, want := range map[string]roleColors{
		`{"colors": {"primary_color": 255}}`: {255, map[string]*int{"primary_color": &one, "secondary_color": none, "tertiary_color": none}},
		`{"color": 7}`:                       {7, map[string]*int{"primary_color": &two, "secondary_color": none, "tertiary_color": none}},
		`{"colors": {"primary_color": 255, "secondary_color": 7}}`: {255, map[string]*int{"primary_color": &one, "secondary_color": &two, "tertiary_color": none}},
	} {
		for method, path := range map[string]string{"POST": "/guilds/{g}/roles", "PATCH": "/guilds/{g}/roles/30"} {
			if d := cmp.Diff(want, into[roleColors](t, r.want(200, 0, method, path, body))); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, body, d)
			}
		}
	}
}

// discord.py asks for the oldest entries with after=0, and writes yes as 1.
func TestAfterZeroAscends(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "")
	r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/31", "")
	log := into[struct {
		Entries []struct{ ID string } `json:"audit_log_entries"`
	}](t, r.want(200, 0, "GET", "/guilds/{g}/audit-logs?after=0", ""))
	if len(log.Entries) != 2 || log.Entries[0].ID >= log.Entries[1].ID {
		t.Errorf("the entries are %v, want two ascending", log.Entries)
	}
}

func TestAQuerySaysYesInSeveralWays(t *testing.T) { // discord.py writes 1, Python programs write True
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	hook, err := url.Parse(r.s.Hello().Webhooks[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	r.base, r.token = r.s.APIURL()[:len(r.s.APIURL())-len("/api")], ""
	for value, status := range map[string]int{"1": 200, "true": 200, "True": 200, "0": 204, "false": 204, "": 204, "maybe": 204} {
		r.want(status, 0, "POST", hook.Path+"?wait="+value, `{"content": "x"}`)
		r.clock.Advance(2 * time.Second)
	}
}

func TestTheCallbackTellsOfItsMessage(t *testing.T) { // discord.py, discord.js
	r, _, id, token, replied := quiet(t)
	a := r.want(200, 0, "POST", "/interactions/"+id+"/"+token+"/callback?with_response=1", `{"type": 5, "data": {"flags": 64}}`)
	r.must(next(t, replied))
	got := into[struct {
		Interaction struct {
			ID        string
			Message   string `json:"response_message_id"`
			Loading   bool   `json:"response_message_loading"`
			Ephemeral bool   `json:"response_message_ephemeral"`
		}
		Resource struct {
			Type    int
			Message struct{ ID string }
		}
	}](t, a)
	if i := got.Interaction; i.ID != id || !i.Loading || !i.Ephemeral || i.Message == "" || i.Message != got.Resource.Message.ID || got.Resource.Type != 5 {
		t.Errorf("the callback is %+v", got)
	}
}

// discord.js sends every role of the guild for one move: @everyone, and those above the bot, with new numbers but in their old order.
func TestAListOfAllRolesMovesOne(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	g := r.guild.String()
	list := func(order ...string) string {
		type place struct {
			ID       string `json:"id"`
			Position int    `json:"position"`
		}
		out := []place{{g, 0}}
		for i, id := range order {
			out = append(out, place{id, i + 1})
		}
		return jsonOf(t, out)
	}
	var auth string
	for _, role := range r.roles() {
		if role.Name == "auth" {
			auth = role.ID.String()
		}
	}
	r.want(200, 0, "PATCH", "/guilds/{g}/roles", list("31", "30", "60", "70", "42420", "50", auth))
	var order []string
	for _, role := range r.roles() {
		order = append(order, role.Name)
	}
	if d := cmp.Diff([]string{"@everyone", "Lower", "Low", "Other bot", "Booster", "gatecamp", "High", "auth"}, order); d != "" {
		t.Errorf("the order (-want +got):\n%s", d)
	}
	r.want(403, 50013, "PATCH", "/guilds/{g}/roles", list("31", "30", "60", "70", "42420", auth, "50"))
	r.want(403, 50013, "PATCH", "/guilds/{g}/roles", list("31", "60", "70", "42420", "30", "50", auth))
	r.want(400, 50035, "PATCH", "/guilds/{g}/roles", `[{"id": "`+g+`", "position": 1}, {"id": "30", "position": 2}]`)
	r.want(400, 50035, "PATCH", "/guilds/{g}/roles", `[{"id": "30", "position": 0}, {"id": "31", "position": 2}]`)
}

// After op 9 discord.js resumes and discordgo identifies on the same socket.
func TestAfterOp9TheSocketMayBeUsedAgain(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, session := r.connect(intentsOurs)
	invalid := func(fault string) {
		t.Helper()
		if _, err := r.s.AddFault(discordtest.Fault{Name: fault}); err != nil {
			t.Fatal(err)
		}
		r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "")
		for op := l.read().Op; op != 9; op = l.read().Op {
			t.Logf("op %d comes first", op)
		}
		r.s.ClearFaults()
		r.want(204, 0, "PUT", "/guilds/{g}/members/201/roles/30", "") // missed
	}
	invalid("op9_resumable")
	l.send(6, map[string]any{"token": r.token, "session_id": session, "seq": 2})
	l.await("RESUMED")
	invalid("op9_resumable")
	l.send(2, map[string]any{"token": r.token, "intents": intentsOurs})
	l.await("GUILD_CREATE")
	if c := r.s.Connections(); len(c) != 1 || c[0].SessionID == session {
		t.Errorf("the connections are %+v, want one with a new session", c)
	}
	invalid("op9_new")
	l.send(2, map[string]any{"token": r.token, "intents": intentsOurs})
	l.await("GUILD_CREATE")
}

func TestAFaultOfTheStreamIsNotWastedOnASessionThatIsCutOff(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	r.connect(intentsOurs)
	if err := r.s.CloseConnection(r.s.Connections()[0].ID, 4000); err != nil {
		t.Fatal(err)
	}
	if open := r.s.Connections(); len(open) != 0 {
		t.Errorf("closed, and yet there: %+v", open)
	}
	l, _ := r.connect(intentsOurs)
	if _, err := r.s.AddFault(discordtest.Fault{Name: "op7"}); err != nil {
		t.Fatal(err)
	}
	r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "")
	for op := l.read().Op; op != 7; op = l.read().Op {
		t.Logf("op %d comes first", op)
	}
}

// discordgo speaks v9, where the reason of a ban or kick could stand in the query; v10 took that away.
func TestBeforeVersion10TheReasonMayStandInTheQuery(t *testing.T) {
	for version, want := range map[string]string{"/v9": "100% blocked: é", "/v10": ""} {
		r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
		r.base = r.s.APIURL() + version
		r.want(204, 0, "PUT", "/guilds/{g}/bans/201?reason=100%25+blocked%3A+%C3%A9", "")
		if got := r.s.Requests(0)[0].Reason; got != want {
			t.Errorf("%s: the reason is %q, want %q", version, got, want)
		}
	}
}

// roles are the guild's roles, lowest first.
func (r rig) roles() []discordtest.Role {
	r.Helper()
	roles, err := r.s.Roles(r.guild)
	if err != nil {
		r.Fatal(err)
	}
	return roles
}

func TestTheControlPortTakesObjectsOnly(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)}).control()
	for _, path := range []string{"roles", "webhooks", "channels", "members", "commands"} {
		for _, body := range []string{"null", " null", "[]", "1", `"x"`} {
			r.want(400, 0, "POST", "/guilds/{g}/"+path, body)
		}
	}
	if len(r.roles()) != 8 || len(r.s.Hello().Webhooks) != 1 {
		t.Errorf("nonsense made something: %d roles, %d webhooks", len(r.roles()), len(r.s.Hello().Webhooks))
	}
	r.want(413, 0, "POST", "/guilds/{g}/roles", `{"name": "`+strings.Repeat("x", 26<<20)+`"}`)
	for _, path := range []string{"//guilds/{g}", "/guilds/{g}/", "/guilds/{g}/./roles"} {
		if e := into[struct{ Error string }](t, r.want(404, 0, "GET", path, "")); e.Error == "" {
			t.Errorf("%s: no error is told", path)
		}
	}
}

func TestARoleThatIsRefusedLeavesNothing(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)}).control()
	before := r.roles()
	r.want(400, 50035, "POST", "/guilds/{g}/roles", `{"name": "x", "position": -1}`)
	r.want(403, 50013, "POST", "/guilds/{g}/roles?by=42", `{"name": "x", "position": 20}`)
	r.want(403, 50013, "PATCH", "/guilds/{g}/roles/30?by=42", `{"name": "x", "position": 20}`)
	if d := cmp.Diff(before, r.roles()); d != "" {
		t.Errorf("the roles changed (-before +after):\n%s", d)
	}
	if log, err := r.s.AuditLog(r.guild); err != nil || len(log) != 0 {
		t.Errorf("the audit log has %d entries (%v), want none", len(log), err)
	}
}

func TestAWebhookGoesWhereItIsSent(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)}).control()
	type made struct {
		ID      string
		Channel string `json:"channel_id"`
	}
	ch := into[made](t, r.want(201, 0, "POST", "/guilds/{g}/channels", `{"name": "new"}`)).ID
	for _, key := range []string{"channel_id", "channel"} {
		if got := into[made](t, r.want(201, 0, "POST", "/guilds/{g}/webhooks", `{"`+key+`": "`+ch+`"}`)); got.Channel != ch {
			t.Errorf("%s: the webhook is in %s, want %s", key, got.Channel, ch)
		}
	}
}

func TestTheListOfMembersComesInPagesAndWhole(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy).Populate(2500, 1)}).control()
	type members []struct{ User struct{ ID string } }
	all := into[members](t, r.want(200, 0, "GET", "/guilds/{g}/members?limit=1000000", ""))
	var paged members
	for after := "0"; ; {
		page := into[members](t, r.want(200, 0, "GET", "/guilds/{g}/members?limit=1500&after="+after, ""))
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		after = page[len(page)-1].User.ID
	}
	preset := into[members](t, r.want(200, 0, "GET", "/guilds/{g}/members", ""))
	if d := cmp.Diff(all, paged); d != "" || len(all) != 2507 || len(preset) != 1000 {
		t.Errorf("%d at once, %d in pages, %d without a limit: want 2507, 2507, 1000", len(all), len(paged), len(preset))
	}
}

func TestAWorldsErrorIsAtItsLine(t *testing.T) {
	const members = `"guild_members": []}`
	for name, c := range map[string]struct{ text, want string }{
		"a slip deep inside":  {"-- guild.json --\n{\"guild_roles\": [\n{\"id\": \"1\", \"name\": \"x\"},\n{\"id\": }], " + members, "w.txtar:4: guild.json: guild_roles: invalid character '}' looking for beginning of value; want JSON"},
		"something follows":   {"-- guild.json --\n{\"guild_roles\": [],\n" + members + "\nmore", "w.txtar:4: guild.json: invalid character 'm' after top-level value; want JSON"},
		"it ends too early":   {"-- guild.json --\n{\"guild_roles\": [],\n", "w.txtar:2: guild.json: unexpected end of JSON input; want JSON"},
		"a channel twice":     {"-- guild.json --\n{\"guild_roles\": [], " + members + "\n-- channels.json --\n[{\"id\": \"7\", \"name\": \"a\"},\n{\"id\": \"7\", \"name\": \"b\"}]", "w.txtar:5: channels.json: [1].id: 7 is there a second time; want each channel once"},
		"a time that is none": {"-- guild.json --\n{\"guild_roles\": [], \"guild_members\": [[\n{\"user\": {\"id\": \"5\", \"username\": \"a\"}, \"joined_at\": \"soon\"}]]}", "w.txtar:3: guild.json: guild_members[0][0]: soon is no time; want one like 2026-03-01T12:00:00Z"},
		"not an object":       {"-- guild.json --\n{\"guild_roles\": [],\n\"guild\": 5, " + members, "w.txtar:3: guild.json: guild: a number does not fit; want an object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := discordtest.ParseWorld("w.txtar", []byte(c.text))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestACodeThatNoFrameCarriesIsRefused(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	l, _ := r.connect(1)
	path := "/gateway/connections/" + strconv.Itoa(r.s.Connections()[0].ID)
	for _, code := range []string{"1", "999", "1004", "1005", "1006", "1015", "2000", "2999", "5000"} {
		r.control().want(400, 0, "DELETE", path+"?code="+code, "")
	}
	r.control().want(204, 0, "DELETE", path+"?code=4000", "")
	if code := l.closed(); code != 4000 {
		t.Errorf("closed with %d, want 4000", code)
	}
	r.control().want(404, 0, "DELETE", path, "")
}
