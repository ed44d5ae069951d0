package telemetry

import (
	"bytes"
	"encoding/json"
	"time"

	"gatecamp/enforcement"
)

// Record is one line: a log record in OpenTelemetry's data model, with the names that django-sec-audit gives its fields.
// https://opentelemetry.io/docs/specs/otel/logs/data-model/
type Record struct {
	Timestamp  int64             `json:"timestamp"`          // nanoseconds since the epoch: when it happened
	Observed   int64             `json:"observed_timestamp"` // when it was told
	Severity   string            `json:"severity_text"`
	Number     int               `json:"severity_number"`
	Body       string            `json:"body"`
	Resource   map[string]string `json:"resource"`
	Scope      Scope             `json:"instrumentation_scope"`
	Attributes map[string]any    `json:"attributes"`
	Event      string            `json:"event_name"`
}

// Scope says which part of which program told.
type Scope struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// severities are the names of OpenTelemetry's numbers as Python's logging, and with it the peer, has them.
func severityText(number int) string {
	switch {
	case number >= 17:
		return "ERROR"
	case number >= 13:
		return "WARNING"
	}
	return "INFO"
}

// encoder makes lines.
type encoder struct{ service, version string }

func (c encoder) record(t *Told) Record {
	return Record{
		Timestamp: nanoseconds(t.At), Observed: max(nanoseconds(t.Observed), nanoseconds(t.At)), Severity: severityText(t.Type.Severity()), Number: t.Type.Severity(),
		Body: t.Type.Name(), Resource: map[string]string{"service.name": c.service}, Scope: Scope{scopeName, c.version}, Attributes: t.Attributes(), Event: t.Type.Name(),
	}
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixNano(), 0)
}

// append adds the line of an event. What cannot be made a line of becomes one that says so.
func (c encoder) append(to *bytes.Buffer, t *Told) {
	at, enc := to.Len(), json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	if enc.Encode(c.record(t)) == nil {
		return
	}
	to.Truncate(at)
	t = &Told{enforcement.Event{Type: enforcement.EvaluationFailed, At: t.At, Error: "malformed"}, t.Observed}
	_ = enc.Encode(c.record(t)) // of nothing but short texts
}

// Line is an event as one line, with its line end.
func Line(t *Told, serviceName, version string) []byte {
	var b bytes.Buffer
	encoder{serviceName, version}.append(&b, t)
	return b.Bytes()
}
