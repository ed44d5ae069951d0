package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecamp/config"
	"gatecamp/enforcement"
	"gatecamp/telemetry"
)

// eventLine is an event as a line of the file.
func eventLine(e enforcement.Event) string {
	e.At = time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)
	return string(telemetry.Line(&telemetry.Told{Event: e, Observed: e.At}, "gatecamp", ""))
}

func someEvents() []enforcement.Event {
	user := enforcement.Subject{Scope: enforcement.User, ID: 7}
	end := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return []enforcement.Event{
		{Type: enforcement.BlockApplied, Namespace: 900, Subject: user, Rule: "manual", Action: "temp", TTL: time.Hour, Expires: end, Actor: "discord:5", Reason: "spam\x1b[2J", Also: enforcement.AlsoKick, Held: true},
		{Type: enforcement.Blocked, Namespace: 900, Subject: user, Action: "blocked", Route: "cmd:audit/run", Status: 429},
		{Type: enforcement.Blocked, Namespace: 900, Subject: user, Action: "blocked", Route: "cmd:audit/run", Status: 429, Suppressed: 97, Summary: true},
		{Type: enforcement.BlockRevoked, Subject: enforcement.Subject{Scope: enforcement.IP, Net: netip.MustParsePrefix("192.0.2.0/24")}, Actor: "console:root", Reason: "appeal"},
		{Type: enforcement.Shadow, Rule: "command_flood", Subject: user, Action: "observe", Route: "cmd:why"},
		{Type: enforcement.Shadow, Rule: "own", Subject: user, Action: "temp", Suppressed: 3},
		{Type: enforcement.Alert, Rule: "distinct_targets", Severity: 9, Subject: enforcement.Subject{Scope: enforcement.Member, Guild: 900, ID: 8}, Action: "contain"},
		{Type: enforcement.EvaluationFailed, Error: "store", FailMode: enforcement.Closed, Route: "cmd:block/add"},
		{Type: enforcement.EvaluationFailed, Error: "events_dropped", Suppressed: 490, Summary: true},
		{Type: enforcement.Unscoped, Rule: "join_wave", Action: "temp_block"},
	}
}

func TestTheEventsOfTheFileAreToldInPlainWords(t *testing.T) {
	tt := newTerminal(t).offline()
	var text strings.Builder
	text.WriteString("half a li\n")
	for _, e := range someEvents() {
		text.WriteString(eventLine(e))
	}
	tt.env["GATECAMP_EVENTS"] = tt.file("events.jsonl", text.String()+`{"not whole`)
	a := tt.ok("enforcement", "tail")
	want := `2026-11-22 17:00:00  blocked     user:7 in guild:900 until 2026-11-23 12:00:00, by discord:5; they are removed from the guild; held in memory until the database is back: spam` + "\uFFFD" + `[2J
2026-11-22 17:00:00  denied      user:7 in guild:900 at cmd:audit/run, blocked for good
2026-11-22 17:00:00  denied      user:7 in guild:900 at cmd:audit/run, blocked for good (in sum: 97 more like it)
2026-11-22 17:00:00  unblocked   ip:192.0.2.0/24, by console:root: appeal
2026-11-22 17:00:00  seen        rule command_flood fired about user:7 at cmd:why; it only observes
2026-11-22 17:00:00  would have  blocked for a while user:7, rule own (and 3 like it before)
2026-11-22 17:00:00  ALERT       rule distinct_targets about member:900:8; their privileged roles are to be taken
2026-11-22 17:00:00  FAILED      the check at cmd:block/add (store); the attempt was denied
2026-11-22 17:00:00  LOST        490 events: there was no room for them
2026-11-22 17:00:00  NOBODY      rule join_wave fired, and nobody who could be blocked was there
`
	if a.out != want {
		t.Errorf("got\n%s\nwant\n%s", a.out, want)
	}
	if !strings.Contains(a.err, "1 line of the file could not be read") {
		t.Errorf("said %q", a.err)
	}
	if got := tt.ok("enforcement", "tail", "--lines", "1", "--type", "blocked").out; strings.Count(got, "\n") != 1 || !strings.Contains(got, "97 more") {
		t.Errorf("one denial is\n%s", got)
	}
	if got := tt.ok("enforcement", "tail", "--rule", "own", "--json").out; got != eventLine(someEvents()[5]) {
		t.Errorf("as JSON: %s", got)
	}
	tt.ok("enforcement", "tail", "--rule", "none").says("There are no such events")
}

func TestWithoutAFileTheCureIsSaid(t *testing.T) {
	tt := newTerminal(t).offline()
	tt.run("enforcement", "tail").exits(exitUsage).says("GATECAMP_EVENTS is not set", "set GATECAMP_EVENTS=")
	tt.env["GATECAMP_EVENTS"] = "stdout"
	tt.run("enforcement", "tail").exits(exitUsage).says("journalctl")
	tt.env["GATECAMP_EVENTS"] = filepath.Join(tt.dir, "not-there")
	tt.run("enforcement", "tail").exits(exitFailed).says("nothing has been told yet")
	tt.run("enforcement", "tail", "--type", "denied").exits(exitUsage).says("there are blocked, block_applied")
}

// heard collects what a command prints while it runs.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) lines() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Count(h.b.String(), "\n")
}

func TestAFileThatIsFollowedIsFollowedThroughItsRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	add := func(text string) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	line := eventLine(someEvents()[1])
	add(line + line)
	ctx, stop := context.WithCancel(t.Context())
	var out heard
	done := make(chan error, 1)
	c := &console{env: config.Environment{Lookup: func(string) (string, bool) { return "", false }}, out: &out, err: &out, now: time.Now}
	go func() { done <- run(ctx, []string{"enforcement", "tail", "-f", "-n", "1", path}, c) }()
	for n, step := range []func(){
		func() {},
		func() { add(line[:40]); add(line[40:]) },
		func() {
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			add(line)
		},
		func() {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			add(eventLine(enforcement.Event{Type: enforcement.Unscoped}))
		},
	} {
		step()
		for out.lines() < n+1 {
			if wait(t.Context(), time.Millisecond) != nil {
				t.Fatalf("only %d lines after step %d", out.lines(), n)
			}
		}
	}
	stop()
	if err := <-done; err != nil || out.lines() != 4 {
		t.Errorf("%d lines, %v", out.lines(), err)
	}
}

func TestWhatAConsoleBlocksIsToldToo(t *testing.T) {
	tt := newTerminal(t)
	tt.env["GATECAMP_EVENTS"] = filepath.Join(tt.dir, "events.jsonl")
	tt.ok("block", "add", "211", "--duration", "7d", "--reason", "spams").silentAbout("audit.enforcement")
	tt.ok("block", "add", "211", "--duration", "1h", "--reason", "changes nothing")
	tt.ok("block", "remove", "211", "--reason", "a mistake")
	tt.ok("enforcement", "tail").says("blocked     member:900:211 until ", ", by console:tester; they are removed from the guild: spams", "unblocked   member:900:211, by console:tester: a mistake").silentAbout("changes nothing")

	tt.env["GATECAMP_EVENTS"] = tt.dir // a folder
	tt.ok("block", "add", "212", "--duration", "7d", "--reason", "spams").says("is blocked", "is not told as an event")
	tt.env["GATECAMP_EVENTS"] = "stdout"
	tt.ok("block", "add", "213", "--duration", "7d", "--reason", "spams").says("is blocked").silentAbout("audit.enforcement")
}
