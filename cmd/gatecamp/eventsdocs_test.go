package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"gatecamp/enforcement"
	"gatecamp/telemetry"
)

const (
	eventDocs   = "../../docs/events.md"
	beginEvents = "<!-- events: written by go test ./cmd/gatecamp -run Events -update -->\n"
	endEvents   = "<!-- end of events -->\n"
)

// eventSample is an event as it happens, and what it tells.
type eventSample struct {
	words string
	wazuh int // the rule that it must meet
	enforcement.Event
}

func eventSamples() []eventSample {
	const guild, person, moderator = 900000000000000001, 735000000000000000, 735000000000000001
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	who := enforcement.Subject{Scope: enforcement.User, ID: person}
	member := enforcement.Subject{Scope: enforcement.Member, Guild: guild, ID: moderator}
	denied := enforcement.Event{
		Type: enforcement.Blocked, At: at, Namespace: guild, Subject: who, Block: 41, Rule: "command_flood", Action: "blocked", Route: "cmd:why", Status: 429,
		Expires: at.Add(5 * time.Minute), User: person, Guild: guild, Channel: 900000000000000002,
	}
	summary := denied
	summary.Suppressed, summary.Summary = 97, true
	return []eventSample{
		{"Somebody who is blocked tried something.", 100181, denied},
		{"The flood is over: so many more attempts were only counted.", 100193, summary},
		{"A rule blocked somebody for a while.", 100182, enforcement.Event{
			Type: enforcement.BlockApplied, At: at, Subject: who, Block: 41, Rule: "command_flood", Severity: 4, Action: "temp", TTL: 5 * time.Minute, Expires: at.Add(5 * time.Minute),
			Actor: "rule:command_flood", Reason: "the rule command_flood fired", User: person, Guild: guild, Channel: 900000000000000002,
		}},
		{"A moderator blocked somebody for good; they leave the guild too.", 100188, enforcement.Event{
			Type: enforcement.BlockApplied, At: at, Namespace: guild, Subject: who, Block: 42, Rule: "manual", Action: "permanent", Actor: "discord:735000000000000001", Reason: "sold our fleet plans", Also: enforcement.AlsoKick,
		}},
		{"A block was made longer while the database was away.", 100182, enforcement.Event{
			Type: enforcement.BlockApplied, At: at, Subject: enforcement.Subject{Scope: enforcement.IP, Net: netip.MustParsePrefix("192.0.2.0/24")}, Rule: "manual", Action: "temp", TTL: time.Hour,
			Expires: at.Add(time.Hour), Before: at.Add(time.Minute), Actor: "console:root", Reason: "guesses passwords", Held: true,
		}},
		{"A block was taken back.", 100184, enforcement.Event{Type: enforcement.BlockRevoked, At: at, Namespace: guild, Subject: who, Actor: "discord:735000000000000001", Reason: "appeal accepted"}},
		{"A rule wants to be looked at.", 100185, enforcement.Event{
			Type: enforcement.Alert, At: at, Subject: member, Rule: "sensitive_change", Severity: 8, Action: "alert", User: moderator, Guild: guild,
		}},
		{"A rule asks for the privileged roles of a moderator.", 100189, enforcement.Event{
			Type: enforcement.Alert, At: at, Subject: member, Rule: "distinct_targets", Severity: 9, Action: "contain", User: moderator, Guild: guild,
		}},
		{"What became of that.", 100189, enforcement.Event{
			Type: enforcement.Alert, At: at, Namespace: guild, Subject: member, Rule: "distinct_targets", Action: "contained", Actor: "rule:distinct_targets", Reason: "contain: 4 privileged roles taken",
		}},
		{"A rule kept failing and is off.", 100190, enforcement.Event{
			Type: enforcement.Alert, At: at, Rule: "our_own", Severity: 5, Action: "rule_off", Reason: "the rule failed 10 times in a row and is off until the rules are loaded again",
		}},
		{"A rule that only observes has fired.", 100186, enforcement.Event{
			Type: enforcement.Shadow, At: at, Subject: who, Rule: "permission_probing", Severity: 6, Action: "observe", Route: "cmd:audit/run", User: person, Guild: guild,
		}},
		{"A rule fired about nobody who could be blocked.", 100187, enforcement.Event{Type: enforcement.Unscoped, At: at, Rule: "our_own", Severity: 5, Action: "temp_block", Guild: guild}},
		{"The check could not be carried out; what changes things is denied meanwhile.", 100192, enforcement.Event{
			Type: enforcement.EvaluationFailed, At: at, FailMode: enforcement.Closed, Error: "store", Route: "cmd:audit/run", User: person, Guild: guild,
		}},
		{"A rule could not be carried out; the attempt went on.", 100183, enforcement.Event{Type: enforcement.EvaluationFailed, At: at, Rule: "our_own", Severity: 5, Error: "rule", Route: "cmd:why"}},
		{"Events were lost: there was no room for them.", 100191, enforcement.Event{
			Type: enforcement.EvaluationFailed, At: at, FailMode: enforcement.Open, Error: "events_dropped", Suppressed: 490, Summary: true,
		}},
	}
}

func (s *eventSample) line() []byte {
	return telemetry.Line(&telemetry.Told{Event: s.Event, Observed: s.At.Add(time.Millisecond)}, "gatecamp", "")
}

func eventsText(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n## Types\n\n| Type | Severity | Attributes that it always has |\n|---|---|---|\n")
	for _, typ := range enforcement.EventTypes() {
		var always []string
		for _, f := range enforcement.Fields() {
			if _, yes := f.On(typ); yes && f.Name != "event_type" && f.Name != "schema_version" {
				always = append(always, "`"+f.Name+"`")
			}
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", typ.Name(), typ.Severity(), strings.Join(always, ", "))
	}
	b.WriteString("\n## Attributes\n\n*Always* are the types that have it in every case, *where known* those that may have it.\n\n| Attribute | Type | Always | Where known | Meaning |\n|---|---|---|---|---|\n")
	list := func(types []enforcement.EventType) string {
		if len(types) == len(enforcement.EventTypes()) {
			return "all"
		}
		var names []string
		for _, typ := range types {
			names = append(names, typ.String())
		}
		return strings.Join(names, ", ")
	}
	for _, f := range enforcement.Fields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Kind, list(f.Always), list(f.May), f.Meaning)
	}
	b.WriteString("\n## Examples\n")
	for _, s := range eventSamples() {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, s.line(), "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n%s\n\n```json\n%s\n```\n", s.words, strings.TrimSpace(pretty.String()))
	}
	return b.String() + "\n"
}

func TestTheEventsAreDocumentedAsTheyAre(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile(eventDocs)))
	before, rest, found := strings.Cut(text, beginEvents)
	got, after, ended := strings.Cut(rest, endEvents)
	if !found || !ended {
		t.Fatalf("%s lacks the marks %q and %q", eventDocs, beginEvents, endEvents)
	}
	want := eventsText(t)
	if *update {
		if err := os.WriteFile(eventDocs, []byte(before+beginEvents+want+endEvents+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s is not what the program has; run: go test ./cmd/gatecamp -run Events -update", eventDocs)
	}
}

// Every example keeps to the table, and the examples show every attribute.
func TestTheExamplesOfEventsKeepToTheTable(t *testing.T) {
	shown := map[string]bool{}
	for _, s := range eventSamples() {
		if b := s.Breach(); b != "" {
			t.Errorf("%s: %s", s.words, b)
		}
		for name := range s.Attributes() {
			shown[name] = true
		}
	}
	for _, f := range enforcement.Fields() {
		if !shown[f.Name] && f.Name != "session.id" && f.Name != "source.address" { // of the dashboard
			t.Errorf("no example shows %s", f.Name)
		}
	}
}
