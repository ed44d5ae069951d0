package discordtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

// dara is the owner of the corporation, mako a plain member, kael a commander.
const dara, mako, kael = snowflake.ID(1001), snowflake.ID(1004), snowflake.ID(1002)

func status(err error) int {
	if e, is := err.(*discordtest.APIError); is { //nolint:errorlint // the methods promise it unwrapped
		return e.Status
	}
	return 0
}

// quiet is a rig with a raw bot that answers only what the test sends, and one running command.
func quiet(t *testing.T) (r *rig, l *line, id, token string, replied chan error) {
	t.Helper()
	r = newRig(t, discordtest.Config{World: world(t, "corporation")})
	l, _ = r.connect(intentsOurs)
	r.want(200, 0, "PUT", "/applications/42/commands", `[{"name": "slow", "description": "d"}]`)
	replied = make(chan error, 1)
	go func() {
		_, err := r.s.RunCommand(t.Context(), r.guild, discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "slow"})
		replied <- err
	}()
	var i struct{ ID, Token string }
	l.decode(l.await("INTERACTION_CREATE"), &i)
	return r, l, i.ID, i.Token, replied
}

func TestAnAnswerAfterThreeSecondsIsTooLate(t *testing.T) {
	r, _, id, token, replied := quiet(t)
	r.clock.Advance(3*time.Second + time.Millisecond)
	if got := status(next(t, replied)); got != 504 {
		t.Errorf("the person sees %d, want 504", got)
	}
	r.want(404, 10062, "POST", "/interactions/"+id+"/"+token+"/callback", `{"type": 5}`)
	r.want(404, 10015, "POST", "/webhooks/42/"+token, `{"content": "x"}`)
}

func TestATokenLivesFifteenMinutes(t *testing.T) {
	r, _, id, token, replied := quiet(t)
	original := "/webhooks/42/" + token + "/messages/@original"
	r.want(404, 10015, "PATCH", original, `{"content": "too early"}`)
	r.want(204, 0, "POST", "/interactions/"+id+"/"+token+"/callback", `{"type": 5}`)
	r.must(next(t, replied))
	if got := into[struct{ Flags int }](t, r.want(200, 0, "GET", original, "")).Flags; got != 128 {
		t.Errorf("while the bot thinks the flags are %d, want loading", got)
	}
	r.want(400, 40060, "POST", "/interactions/"+id+"/"+token+"/callback", `{"type": 4, "data": {"content": "x"}}`)
	r.want(200, 0, "PATCH", original, `{"content": "done"}`)
	r.clock.Advance(15 * time.Minute)
	r.want(200, 0, "PATCH", original, `{"content": "just in time"}`)
	r.clock.Advance(time.Millisecond)
	r.want(404, 10015, "PATCH", original, `{"content": "late"}`)
	for _, req := range r.s.Requests(0) {
		if strings.Contains(req.Path, token) {
			t.Errorf("the log shows the token: %s", req.Path)
		}
	}
}

func TestAnswersAreHeldAgainstDiscordsLimits(t *testing.T) {
	for name, body := range map[string]string{
		"too long":                 `{"type": 4, "data": {"content": "` + strings.Repeat("x", 2001) + `"}}`,
		"11 embeds":                `{"type": 4, "data": {"embeds": [` + strings.Repeat(`{"title": "x"},`, 10) + `{"title": "x"}]}}`,
		"6,001 characters":         `{"type": 4, "data": {"embeds": [{"description": "` + strings.Repeat("x", 4000) + `"}, {"description": "` + strings.Repeat("x", 2001) + `"}]}}`,
		"six buttons in a row":     `{"type": 4, "data": {"content": "x", "components": [{"type": 1, "components": [` + buttons(6) + `]}]}}`,
		"one custom id twice":      `{"type": 4, "data": {"content": "x", "components": [{"type": 1, "components": [` + buttons(1) + "," + buttons(1) + `]}]}}`,
		"V2 without the flag":      `{"type": 4, "data": {"components": [{"type": 10, "content": "x"}]}}`,
		"V2 with content":          `{"type": 4, "data": {"flags": 32768, "content": "x", "components": [{"type": 10, "content": "x"}]}}`,
		"41 components":            `{"type": 4, "data": {"flags": 32768, "components": [` + strings.Repeat(`{"type": 10, "content": "x"},`, 40) + `{"type": 10, "content": "x"}]}}`,
		"choices for a command":    `{"type": 8, "data": {"choices": []}}`,
		"an update of nothing":     `{"type": 7, "data": {"content": "x"}}`,
		"a modal's title too long": `{"type": 9, "data": {"custom_id": "m", "title": "` + strings.Repeat("x", 46) + `", "components": [{"type": 18, "label": "l", "component": {"type": 4, "custom_id": "i"}}]}}`,
		"a modal with six inputs":  `{"type": 9, "data": {"custom_id": "m", "title": "t", "components": [{},{},{},{},{},{}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r, _, id, token, replied := quiet(t)
			r.want(400, 50035, "POST", "/interactions/"+id+"/"+token+"/callback", body)
			r.want(204, 0, "POST", "/interactions/"+id+"/"+token+"/callback", `{"type": 4, "data": {"content": "right"}}`)
			r.must(next(t, replied))
		})
	}
}

func buttons(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = `{"type": 2, "style": 1, "label": "b", "custom_id": "b` + string(rune('0'+i)) + `"}`
	}
	return strings.Join(out, ",")
}

func TestCommandsAreHeldAgainstDiscordsLimitsAndKeepTheirIds(t *testing.T) {
	r := newRig(t, discordtest.Config{Unlimited: true})
	put := func(status, code int, body string) answer {
		t.Helper()
		return r.want(status, code, "PUT", "/applications/42/guilds/{g}/commands", body)
	}
	type command struct{ ID, Version, Name string }
	first := into[[]command](t, put(200, 0, `[{"name": "a", "description": "d"}, {"name": "B", "type": 2}]`))
	second := into[[]command](t, put(200, 0, `[{"name": "a", "description": "other"}, {"name": "B", "type": 2}]`))
	if first[0].ID != second[0].ID || first[0].Version == second[0].Version || first[1] != second[1] {
		t.Errorf("first %v, second %v: want the ids kept and the version of the changed one new", first, second)
	}
	put(400, 50035, `[{"name": "A", "description": "d"}]`)
	put(400, 50035, `[{"name": "a b", "description": "d"}]`)
	put(400, 50035, `[{"name": "a"}]`)
	put(400, 50035, `[{"name": "a", "description": "d"}, {"name": "a", "description": "d"}]`)
	put(400, 50035, `[{"name": "a", "description": "d", "options": [{"type": 3, "name": "x", "description": "d"}, {"type": 3, "name": "y", "description": "d", "required": true}]}]`)
	put(400, 50035, `[{"name": "a", "description": "`+strings.Repeat("x", 101)+`"}]`)
	users := make([]string, 16)
	for i := range users {
		users[i] = `{"type": 2, "name": "u` + string(rune('a'+i)) + `"}`
	}
	put(400, 30032, `[`+strings.Join(users, ",")+`]`)
	if got := len(into[[]command](t, r.want(200, 0, "GET", "/applications/42/guilds/{g}/commands", ""))); got != 2 {
		t.Errorf("%d commands stand after refusals, want the 2 of before", got)
	}
}

func TestAWebhookTakesMessagesFilesAndEdits(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	hook := r.s.Hello().Webhooks[0].URL
	post := func(method, url, kind string, body io.Reader) (int, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		r.must(err)
		req.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(req)
		r.must(err)
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		r.must(err)
		return res.StatusCode, data
	}
	if got, _ := post("POST", hook, "application/json", strings.NewReader(`{"content": "one"}`)); got != 204 {
		t.Errorf("without wait: %d, want 204", got)
	}
	form := "--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{\"content\": \"two\"}\r\n--b\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.csv\"\r\n\r\nx,y\r\n--b--\r\n"
	got, data := post("POST", hook+"?wait=true", "multipart/form-data; boundary=b", bytes.NewReader([]byte(form)))
	var m struct{ ID string }
	if err := json.Unmarshal(data, &m); err != nil || got != 200 {
		t.Fatalf("with wait: %d %s", got, data)
	}
	if got, data := post("PATCH", hook+"/messages/"+m.ID, "application/json", strings.NewReader(`{"content": "three"}`)); got != 200 {
		t.Errorf("the edit: %d %s", got, data)
	}
	if got, _ := post("POST", hook, "application/json", strings.NewReader(`{"flags": 32768, "components": [{"type": 10, "content": "x"}]}`)); got != 400 {
		t.Errorf("components without with_components: %d, want 400", got)
	}
	d := r.s.Deliveries()
	var statuses []int
	for _, one := range d {
		statuses = append(statuses, one.Status)
	}
	if diff := cmp.Diff([]int{204, 200, 200, 400}, statuses); diff != "" {
		t.Errorf("the deliveries differ (-want +got):\n%s", diff)
	}
	if len(d[1].Files) != 1 || string(d[1].Files[0].Data) != "x,y" || d[1].MessageID.String() != m.ID {
		t.Errorf("the second delivery is %+v", d[1])
	}
	messages, err := r.s.Messages(7)
	r.must(err)
	if !strings.Contains(string(messages[1]), `"content":"three"`) || !strings.Contains(string(messages[1]), `"edits":[{`) {
		t.Errorf("the channel shows %s", messages[1])
	}
}

func TestDirectMessagesReachOnlyThoseOfTheGuild(t *testing.T) {
	r := newRig(t, discordtest.Config{World: world(t, "corporation")})
	open := func(user string) string {
		return into[struct{ ID string }](t, r.want(200, 0, "POST", "/users/@me/channels", `{"recipient_id": "`+user+`"}`)).ID
	}
	dm := open("1004")
	r.want(200, 0, "POST", "/channels/"+dm+"/messages", `{"content": "a warning"}`)
	r.must(r.s.Leave(r.guild, mako))
	r.want(403, 50007, "POST", "/channels/"+dm+"/messages", `{"content": "too late"}`)
	if again := open("1004"); again != dm {
		t.Errorf("opened again it is %s, want %s", again, dm)
	}
}
