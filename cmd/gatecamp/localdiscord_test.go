package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

// serving is a local Discord that was started at the console.
type serving struct {
	t     *testing.T
	hello discordtest.Hello
}

// serveLocally starts `gatecamp local-discord` and reads its first line; it is stopped when the test ends.
func serveLocally(t *testing.T, args ...string) *serving {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"local-discord"}, args...), &console{out: writer, err: io.Discard, now: time.Now, user: "tester"})
		ended <- err
		_ = writer.CloseWithError(err)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stopped with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	s := &serving{t: t}
	if err := json.Unmarshal(line, &s.hello); err != nil {
		t.Fatalf("the first line is no JSON object: %v\n%s", err, line)
	}
	return s
}

// call speaks with a port and gives the answer's status and JSON.
func (s *serving) call(method, url, token string, body any) (int, any) {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, url, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bot "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var got any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil && err != io.EOF {
		s.t.Fatalf("%s %s answers no JSON: %v", method, url, err)
	}
	return answer.StatusCode, got
}

func (s *serving) control(method, path string, body any) (int, any) {
	s.t.Helper()
	return s.call(method, s.hello.Control+path, "", body)
}

func TestALocalDiscordSaysWhereItIsAndIsThere(t *testing.T) {
	s := serveLocally(t, "--world", "corporation", "--members", "20", "--seed", "3")
	h := s.hello
	if h.Schema != "gatecamp.local-discord/1" || h.ApplicationID != 42 || len(h.GuildIDs) != 1 || len(h.Webhooks) != 1 {
		t.Fatalf("hello: %+v", h)
	}
	if diff := cmp.Diff([]string{"gatecamp", "auth"}, []string{h.Bots[0].Name, h.Bots[1].Name}); diff != "" {
		t.Errorf("bots (-want +got):\n%s", diff)
	}
	guild := "/guilds/" + h.GuildIDs[0].String()
	_, members := s.control("GET", guild+"/members?limit=1000", nil)
	if list, _ := members.([]any); len(list) != 7+2+20 {
		t.Errorf("%d members, want the seven of the world, two bots and twenty made up", len(list))
	}

	// What a bot does by REST is seen at the control port, with who did it and why.
	if status, me := s.call("GET", h.API+"/v10/users/@me", h.Bots[0].Token, nil); status != 200 || text(me, "id") != "42" {
		t.Errorf("own user: %d %v", status, me)
	}
	if status, _ := s.call("DELETE", h.API+"/v10"+guild+"/members/1005/roles/2004", h.Bots[0].Token, nil); status != 204 {
		t.Errorf("taking a role: status %d", status)
	}
	_, member := s.control("GET", guild+"/members/1005", nil)
	if diff := cmp.Diff([]any{"2001"}, items(member, "roles")); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	_, log := s.control("GET", guild+"/audit-log", nil)
	if text(log, "audit_log_entries", 0, "user_id") != "42" || text(log, "audit_log_entries", 0, "target_id") != "1005" {
		t.Errorf("audit log: %v", log)
	}
	_, requests := s.control("GET", "/requests?since=0", nil)
	if last := dig(requests, len(items(requests))-1); text(last, "bot") != "gatecamp" || text(last, "method") != "DELETE" || strings.Contains(text(last, "path"), h.Bots[0].Token) {
		t.Errorf("last request: %v", last)
	}
}

func TestALocalDiscordWithAClockOfItsOwnStandsStillUntilItIsToldToGoOn(t *testing.T) {
	s := serveLocally(t, "--clock", "manual")
	url := s.hello.API + "/v10/guilds/" + s.hello.GuildIDs[0].String() + "/members/41/roles/42"
	last := 0
	for range 11 {
		last, _ = s.call("DELETE", url, s.hello.Bots[0].Token, nil)
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the eleventh write of a window is answered with %d, want 429", last)
	}
	if status, answer := s.control("POST", "/clock", map[string]any{"advance": "10s"}); status != 200 && status != 201 {
		t.Errorf("advance: %d %v", status, answer)
	}
	if status, _ := s.call("DELETE", url, s.hello.Bots[0].Token, nil); status == http.StatusTooManyRequests {
		t.Error("the window did not end when the clock was advanced")
	}
}

func TestNonsenseAtTheControlPortIsRefusedWithWords(t *testing.T) {
	s := serveLocally(t)
	guild := "/guilds/" + s.hello.GuildIDs[0].String()
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/faults", map[string]any{"name": "gremlins"}},
		{"POST", "/faults", []int{1}},
		{"POST", "/clock", map[string]any{"advance": "1h"}}, // the clock is real
		{"GET", "/guilds/1/members", nil},
		{"DELETE", guild + "/members/77", nil},
		{"PUT", guild + "/members/41/roles/zero", nil},
		{"POST", guild + "/commands", map[string]any{"user": "41", "name": "nothing"}},
		{"GET", "/interactions/5", nil},
		{"GET", "/nowhere", nil},
	} {
		status, answer := s.control(c.method, c.path, c.body)
		if status < 400 || status > 499 || text(answer, "error") == "" {
			t.Errorf("%s %s: %d %v, want a refusal that says why", c.method, c.path, status, answer)
		}
	}
}

func TestALocalDiscordThatCannotBeIsRefusedWithTheCure(t *testing.T) {
	tt := newTerminal(t)
	broken := tt.file("broken.txtar", "-- guild.json --\n{\n  \"guild_roles\": [\n    {\"id\": \"2\"}\n  ],\n  \"guild_members\": []\n}\n")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"a clock that is none":        {[]string{"--clock", "lunar"}, []string{`"lunar"`, "real or manual"}},
		"fewer members than none":     {[]string{"--members", "-1"}, []string{"--members", "1 to 1000000"}},
		"more members than there are": {[]string{"--members", "2000000"}, []string{"1 to 1000000"}},
		"an address others can reach": {[]string{"--listen", "0.0.0.0:0"}, []string{"loopback only"}},
		"an address that is none":     {[]string{"--control", "here"}, []string{"host:port"}},
		"a world nobody knows":        {[]string{"--world", "atlantis"}, []string{`"atlantis"`, "corporation"}},
		"a world with an error":       {[]string{"--world", broken}, []string{"broken.txtar:4", "name", "want the role's name"}},
		"an argument too many":        {[]string{"now"}, []string{"usage: gatecamp local-discord"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt := &terminal{t: t, dir: t.TempDir(), env: tt.env, now: tt.now}
			tt.run(append([]string{"local-discord"}, c.args...)...).exits(exitUsage).says(c.says...)
		})
	}
}
