package enforcement_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"gatecamp/enforcement"
)

// full is an event with everything that one of its type can have.
func full(t enforcement.EventType) enforcement.Event {
	noon := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	return enforcement.Event{
		Type: t, At: noon, Namespace: 7, Subject: enforcement.Subject{Scope: enforcement.User, ID: 9}, Block: 3, Rule: "command_flood", Severity: 4, Action: "temp",
		Route: "cmd:audit/run", TTL: time.Hour, Expires: noon.Add(time.Hour), Before: noon.Add(time.Minute), Status: 429, Actor: "discord:5", Reason: "spam",
		FailMode: enforcement.Closed, Error: "store", Held: true, Also: enforcement.AlsoKick, Suppressed: 2, Summary: true, User: 9, Guild: 7, Channel: 8, Session: "card",
		Address: netip.MustParseAddr("192.0.2.7"),
	}
}

func TestTheTableOfFieldsHasEveryAttributeAndItsKind(t *testing.T) {
	fields := map[string]enforcement.Field{}
	for _, f := range enforcement.Fields() {
		if _, twice := fields[f.Name]; twice || f.Meaning == "" || len(f.Always)+len(f.May) == 0 {
			t.Errorf("%s stands twice, means nothing or is on no event", f.Name)
		}
		fields[f.Name] = f
	}
	seen := map[string]bool{}
	for _, typ := range enforcement.EventTypes() {
		e := full(typ)
		for name, v := range e.Attributes() {
			seen[name] = true
			ok := false
			switch f := fields[name]; f.Kind {
			case enforcement.Integer:
				switch v.(type) {
				case int, int64:
					ok = true
				}
			case enforcement.Boolean:
				_, ok = v.(bool)
			case enforcement.Text:
				_, ok = v.(string)
			case enforcement.Instant:
				text, is := v.(string)
				_, err := time.Parse("2006-01-02T15:04:05.000000-07:00", text)
				ok = is && err == nil
			}
			if !ok {
				t.Errorf("%s: %s = %v (%T), the table says %v", typ, name, v, v, fields[name].Kind)
			}
		}
	}
	for name := range fields {
		if !seen[name] {
			t.Errorf("no event ever carries %s", name)
		}
	}
}

func TestEveryTypeHasItsNameBack(t *testing.T) {
	all := enforcement.EventTypes()
	if !slices.IsSorted(all) || len(all) != int(enforcement.Unscoped) {
		t.Errorf("the types are %v", all)
	}
	for _, typ := range all {
		for _, name := range []string{typ.String(), typ.Name()} {
			if got, err := enforcement.ParseEventType(name); err != nil || got != typ {
				t.Errorf("%s reads as %v: %v", name, got, err)
			}
		}
	}
	if _, err := enforcement.ParseEventType("denied"); err == nil {
		t.Error("a name that is none is taken")
	}
}

func TestAFailureWithoutAnAttemptIsOpen(t *testing.T) {
	e := enforcement.Event{Type: enforcement.EvaluationFailed, Error: "rule"}
	if got := e.Attributes()["enforcement.fail_mode"]; got != "open" {
		t.Errorf("fail mode %v", got)
	}
	e = enforcement.Event{Type: enforcement.Blocked}
	if got, there := e.Attributes()["enforcement.fail_mode"]; there {
		t.Errorf("a denial has the fail mode %v", got)
	}
}
