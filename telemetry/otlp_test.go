package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"gatecamp/enforcement"
	"gatecamp/internal/secret"
	"gatecamp/telemetry"
)

// local is a collector on this machine.
type local struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	asked  int
	header http.Header
	got    []*logs.ResourceLogs
	raw    bytes.Buffer
}

func newCollector(t *testing.T) *local {
	c := &local{status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked++
		c.header = r.Header.Clone()
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		raw, err := io.ReadAll(body)
		var in collector.ExportLogsServiceRequest
		if err == nil {
			err = proto.Unmarshal(raw, &in)
		}
		if err != nil || r.URL.Path != "/v1/logs" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(c.status)
		if c.status == http.StatusOK {
			c.raw.Write(raw)
			c.got = append(c.got, in.ResourceLogs...)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *local) answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

func (c *local) records() (all []*logs.LogRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.got {
		for _, s := range r.ScopeLogs {
			all = append(all, s.LogRecords...)
		}
	}
	return all
}

func TestEventsReachACollectorAsTheyStandInALine(t *testing.T) {
	c := newCollector(t)
	s, end := running(t, telemetry.Config{Version: "1.2.3", OTLP: telemetry.OTLP{
		Endpoint: c.URL + "/v1/logs", Headers: map[string]secret.String{"Authorization": secret.New("canary")},
	}})
	e := denied(7)
	e.Rule, e.Reason = "MTc1OTI4ODQ3Mjk5MTE3MDYz.Gx4mPl."+strings.Repeat("canary", 6), ""
	s.Emit(e)
	s.Emit(enforcement.Event{Type: enforcement.BlockApplied, At: noon, Subject: e.Subject, Action: "temp", TTL: 1, Held: true})
	end()
	all := c.records()
	if len(all) != 2 {
		t.Fatalf("%d records", len(all))
	}
	line := records(t, telemetry.Line(&telemetry.Told{Event: e, Observed: noon}, "gatecamp", ""))[0]
	if r := all[0]; r.EventName != line.Event || int(r.SeverityNumber) != line.Number || r.SeverityText != line.Severity || r.Body.GetStringValue() != line.Body || int64(r.TimeUnixNano) != line.Timestamp {
		t.Errorf("got %v", r)
	}
	sent := map[string]any{}
	for _, a := range all[0].Attributes {
		sent[a.Key] = a.Value.GetStringValue()
		if a.Value.GetStringValue() == "" {
			sent[a.Key] = float64(a.Value.GetIntValue())
		}
	}
	for name, want := range line.Attributes {
		if sent[name] != want {
			t.Errorf("%s is %v by OTLP and %v in a line", name, sent[name], want)
		}
	}
	if len(sent) != len(line.Attributes) {
		t.Errorf("%d attributes by OTLP, %d in a line", len(sent), len(line.Attributes))
	}
	held := false
	for _, a := range all[1].Attributes {
		held = held || a.Key == "enforcement.held_in_process" && a.Value.GetBoolValue()
	}
	scope := c.got[0].ScopeLogs[0].Scope
	if !held || scope.Name != "gatecamp/enforcement" || scope.Version != "1.2.3" || c.header.Get("Authorization") != "canary" {
		t.Errorf("held %v, scope %v, header %q", held, scope, c.header.Get("Authorization"))
	}
	about := c.got[0].Resource.String()
	if !strings.Contains(about, "service.name") || !strings.Contains(about, "gatecamp") || bytes.Contains(c.raw.Bytes(), []byte("canarycanary")) {
		t.Errorf("the resource is %s", about)
	}
}

func TestACollectorThatIsAwayIsToldOnceAndTriedAgain(t *testing.T) {
	var log bytes.Buffer
	c := newCollector(t)
	c.answer(http.StatusServiceUnavailable)
	s, end := running(t, telemetry.Config{OTLP: telemetry.OTLP{Endpoint: c.URL + "/v1/logs"}, Log: slog.New(slog.NewTextHandler(&log, nil)), Pause: 1})
	s.Emit(denied(1))
	until(t, "it is given up", func() bool { return s.Stats()["otlp"].Dropped == 1 })
	if st := s.Stats()["otlp"]; st.Failed != 5 || !st.Broken {
		t.Errorf("%+v", st)
	}
	c.answer(http.StatusOK)
	s.Emit(denied(2))
	until(t, "the next is told", func() bool { return len(c.records()) == 2 })
	end()
	all := c.records()
	if all[0].EventName != enforcement.EvaluationFailed.Name() || all[1].EventName != enforcement.Blocked.Name() {
		t.Errorf("%v", all)
	}
	if said := log.String(); strings.Count(said, "events cannot be told") != 1 || strings.Count(said, "events are told again") != 1 {
		t.Errorf("the log says:\n%s", said)
	}
}

func TestACollectorThatFailsHoldsUpNoFile(t *testing.T) {
	c := newCollector(t)
	c.answer(http.StatusInternalServerError)
	var out bytes.Buffer
	s, end := running(t, telemetry.Config{Events: telemetry.Stdout, Stdout: &out, Queue: 4, Pause: 1 << 40, OTLP: telemetry.OTLP{Endpoint: c.URL + "/v1/logs"}})
	for n := range uint64(50) {
		s.Emit(denied(n + 1))
		until(t, "a line", func() bool { return s.Stats()["stdout"].Written == n+1 })
	}
	end()
	if n := len(records(t, out.Bytes())); n != 50 {
		t.Errorf("%d lines", n)
	}
	if st := s.Stats()["otlp"]; st.Written != 0 || st.Dropped == 0 {
		t.Errorf("%+v", st)
	}
}
