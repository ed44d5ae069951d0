package discordtest_test

import (
	"net/url"
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
	gone, _ := r.connect(intentsOurs)
	if err := r.s.CloseConnection(r.s.Connections()[0].ID, 4000); err != nil {
		t.Fatal(err)
	}
	gone.closed()
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
