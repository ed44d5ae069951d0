package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 5, 3, 12, 0, 0, 123456789, time.UTC)

func denied(n uint64) enforcement.Event {
	return enforcement.Event{
		Type: enforcement.Blocked, At: noon, Subject: enforcement.Subject{Scope: enforcement.User, ID: n}, Block: 3, Action: "blocked", Route: "cmd:audit/run", Status: 429, User: n,
	}
}

// running is a sink at work; end stops it and waits until everything is told.
func running(t *testing.T, cfg telemetry.Config) (s *telemetry.Sink, end func()) {
	t.Helper()
	if cfg.Pause == 0 {
		cfg.Pause = time.Millisecond
	}
	s, err := telemetry.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// until waits for something that others bring about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("the test ended before %s", what)
		}
	}
}

func records(t *testing.T, raw []byte) []telemetry.Record {
	t.Helper()
	var all []telemetry.Record
	for line := range bytes.Lines(raw) {
		var r telemetry.Record
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestALineHasTheShapeOfALogRecord(t *testing.T) {
	e := denied(7)
	got := string(telemetry.Line(&telemetry.Told{Event: e, Observed: noon.Add(time.Microsecond)}, "gatecamp", "1.2.3"))
	want := `{"timestamp":1777809600123456789,"observed_timestamp":1777809600123457789,"severity_text":"WARNING","severity_number":13,` +
		`"body":"audit.enforcement.blocked","resource":{"service.name":"gatecamp"},"instrumentation_scope":{"name":"gatecamp/enforcement","version":"1.2.3"},` +
		`"attributes":{"enforcement.action":"blocked","enforcement.block_id":3,"enforcement.namespace":"global","enforcement.route":"cmd:audit/run",` +
		`"event_type":"audit.enforcement.blocked","http.response.status_code":429,"schema_version":"1.0","scope.type":"user","scope.value":"7","user.id":"7"},` +
		`"event_name":"audit.enforcement.blocked"}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		typ    enforcement.EventType
		text   string
		number int
	}{
		{enforcement.BlockRevoked, "INFO", 9},
		{enforcement.Shadow, "INFO", 9},
		{enforcement.Alert, "WARNING", 13},
		{enforcement.EvaluationFailed, "ERROR", 17},
	} {
		r := records(t, telemetry.Line(&telemetry.Told{Event: enforcement.Event{Type: c.typ, At: noon}}, "g", ""))[0]
		if r.Severity != c.text || r.Number != c.number || r.Event != c.typ.Name() || r.Observed < r.Timestamp || r.Scope.Version != "" {
			t.Errorf("%s: %+v", c.typ, r)
		}
	}
}

func TestNoSecretAndNoEndlessTextLeavesInALine(t *testing.T) {
	canary := strings.Repeat("canary", 6)
	for _, secret := range []string{
		"MTc1OTI4ODQ3Mjk5MTE3MDYz.Gx4mPl." + canary + "aa",
		"https://discord.com/api/webhooks/175928847299117063/" + canary,
		"aW50ZXJhY3Rpb246" + canary,
		"mysql://aa:" + canary + "@db/aa",
		"Bot " + canary,
	} {
		e := enforcement.Event{
			Type: enforcement.BlockApplied, At: noon, Subject: enforcement.Subject{Scope: enforcement.Session, Text: secret}, Rule: "r " + secret, Action: "temp", Reason: "they posted " + secret + " here",
			Actor: "console:" + secret, Route: "cmd:x " + secret, Session: secret,
		}
		for _, typ := range enforcement.EventTypes() {
			e.Type, e.Error = typ, secret
			line := telemetry.Line(&telemetry.Told{Event: e}, "gatecamp", "")
			if bytes.Contains(line, []byte(canary)) || !bytes.Contains(line, []byte(enforcement.Redacted)) {
				t.Errorf("%s: %s", typ, line)
			}
			records(t, line)
		}
	}
	e := enforcement.Event{Type: enforcement.Alert, Reason: strings.Repeat("\x00\xff\n", 100_000), Rule: strings.Repeat("é", 100_000), Route: strings.Repeat("x", 100_000)}
	if line := telemetry.Line(&telemetry.Told{Event: e}, "gatecamp", ""); len(line) > 20_000 || bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("a line of %d bytes", len(line))
	}
}

func TestEventsAreAppendedToTheFileAndFlushedAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(`{"cut off by a cra`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, end := running(t, telemetry.Config{Events: path})
	for n := range uint64(1_000) {
		s.Emit(denied(n + 1))
	}
	end()
	first, rest, _ := bytes.Cut(read(t, path), []byte("\n"))
	if string(first) != `{"cut off by a cra` {
		t.Errorf("the first line is %q", first)
	}
	all := records(t, rest)
	if len(all) != 1_000 || all[0].Attributes["scope.value"] != "1" || all[999].Attributes["scope.value"] != "1000" {
		t.Errorf("%d lines", len(all))
	}
	if st := s.Stats()["file"]; st.Written != 1_000 || st.Dropped != 0 || st.Waiting != 0 || st.Broken {
		t.Errorf("%+v", st)
	}
}

func TestAFileThatIsMovedAwayIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	s, end := running(t, telemetry.Config{Events: path})
	defer end()
	s.Emit(denied(1))
	until(t, "the first line", func() bool { return s.Stats()["file"].Written == 1 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.Emit(denied(2))
	until(t, "the second line", func() bool { return s.Stats()["file"].Written == 2 })
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	s.Reopen() // as SIGHUP does: the new file is there before anything is told
	until(t, "the third file", func() bool { _, err := os.Stat(path); return err == nil })
	end()
	for name, want := range map[string]string{path + ".1": "1", path + ".2": "2"} {
		if all := records(t, read(t, name)); len(all) != 1 || all[0].Attributes["scope.value"] != want {
			t.Errorf("%s has %d lines", filepath.Base(name), len(all))
		}
	}
	if raw := read(t, path); len(raw) != 0 {
		t.Errorf("the third file has %q", raw)
	}
}

func TestAFileThatCannotBeOpenedIsSaidAtStart(t *testing.T) {
	_, err := telemetry.New(t.Context(), telemetry.Config{Events: t.TempDir()})
	if problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), "GATECAMP_EVENTS") {
		t.Errorf("got %v", err)
	}
}

// disk is a writer that has room for so many bytes, and then no more.
type disk struct {
	mu   sync.Mutex
	b    bytes.Buffer
	room int
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(p), d.room)
	d.b.Write(p[:n])
	if d.room -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

func (d *disk) free() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = 1 << 30
}

func TestAFullDiskIsToldOnceAndHealedWithoutALoss(t *testing.T) {
	var log bytes.Buffer
	d := &disk{room: 1_000}
	s, end := running(t, telemetry.Config{Events: telemetry.Stdout, Stdout: d, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for n := range uint64(100) {
		s.Emit(denied(n + 1))
	}
	until(t, "some tries", func() bool { return s.Stats()["stdout"].Failed > 5 })
	if !s.Stats()["stdout"].Broken {
		t.Error("it does not look broken")
	}
	d.free()
	until(t, "all lines", func() bool { return s.Stats()["stdout"].Written == 100 })
	end()
	var whole, torn int
	for line := range bytes.Lines(d.b.Bytes()) {
		if json.Valid(line) {
			whole++
		} else {
			torn++
		}
	}
	if whole != 100 || torn != 1 {
		t.Errorf("%d whole lines, %d torn", whole, torn)
	}
	if said := log.String(); strings.Count(said, "events cannot be told") != 1 || strings.Count(said, "events are told again") != 1 || !strings.Contains(said, "no space left") {
		t.Errorf("the log says:\n%s", said)
	}
}

// stuck is a writer that lets nobody through until it is opened.
type stuck struct {
	in, open chan struct{}
	b        bytes.Buffer
}

func newStuck() *stuck { return &stuck{in: make(chan struct{}, 100), open: make(chan struct{})} }

func (s *stuck) Write(p []byte) (int, error) {
	s.in <- struct{}{}
	<-s.open
	return s.b.Write(p)
}

func TestASlowReaderStallsNobodyAndLossesAreCountedAndTold(t *testing.T) {
	var log bytes.Buffer
	w := newStuck()
	s, end := running(t, telemetry.Config{Events: telemetry.Stdout, Stdout: w, Queue: 10, Log: slog.New(slog.NewTextHandler(&log, nil))})
	s.Emit(denied(1))
	<-w.in
	for n := range uint64(500) {
		s.Emit(denied(n + 2)) // a channel that blocked here would be a deadlock: nobody reads
	}
	if st := s.Stats()["stdout"]; st.Dropped != 490 || st.Waiting != 10 {
		t.Fatalf("%+v", st)
	}
	close(w.open)
	until(t, "the rest", func() bool { return s.Stats()["stdout"].Written == 12 })
	end()
	all := records(t, w.b.Bytes())
	if a := all[1].Attributes; a["error.type"] != "events_dropped" || a["enforcement.suppressed"] != 490.0 || a["event_type"] != "audit.enforcement.evaluation_failed" {
		t.Errorf("the loss is told as %v", a)
	}
	if !strings.Contains(log.String(), "events were lost") {
		t.Errorf("the log says:\n%s", log.String())
	}
	if n := s.Counts()[telemetry.Counted{Type: enforcement.Blocked}]; n != 501 {
		t.Errorf("counted %d", n)
	}
}

func TestAReaderThatHangsAtTheEndDoesNotKeepTheProgramUp(t *testing.T) {
	w := newStuck()
	s, err := telemetry.New(t.Context(), telemetry.Config{Events: telemetry.Stdout, Stdout: w, Flush: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s.Emit(denied(1))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-w.in
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("got %v", err)
	}
	close(w.open) // lets the writer go, for goleak
}

func TestEventsAreCountedByTypeAndRuleWithThoseTheyStandFor(t *testing.T) {
	s, err := telemetry.New(t.Context(), telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	e := enforcement.Event{Type: enforcement.Shadow, Rule: "command_flood"}
	s.Emit(e)
	e.Suppressed = 4
	s.Emit(e)
	e.Summary = true
	s.Emit(e)
	for n := range 3_000 {
		s.Emit(enforcement.Event{Type: enforcement.Alert, Rule: strings.Repeat("x", n)})
	}
	if n := s.Counts()[telemetry.Counted{Type: enforcement.Shadow, Rule: "command_flood"}]; n != 1+5+4 {
		t.Errorf("counted %d", n)
	}
	if n := len(s.Counts()); n > 1_100 {
		t.Errorf("%d series", n)
	}
	var none *telemetry.Sink
	none.Emit(e)
	none.Reopen()
	if err := none.Run(t.Context()); err != nil || len(none.Counts())+len(none.Stats()) != 0 {
		t.Error("no sink does something")
	}
}
