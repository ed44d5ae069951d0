package bot

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
)

func TestTheAdminChannelHearsOfRulesThatDidSomethingAndOfNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		b := posts(t, w, &shelf{kept: map[string][]byte{}})
		subject := enforcement.Subject{Scope: enforcement.Member, Guild: 1, ID: 1002}
		b.Rule(&enforcement.Event{Type: enforcement.Shadow, Rule: "distinct_targets", Action: "observe", User: 1002})
		b.Rule(&enforcement.Event{Type: enforcement.BlockApplied, Rule: "manual", Subject: subject, User: 1002})
		b.Rule(&enforcement.Event{Type: enforcement.Alert, Rule: "mine", Action: "rule_off"})
		b.Rule(&enforcement.Event{Type: enforcement.EvaluationFailed, Rule: "mine"})
		time.Sleep(time.Minute)
		if w.total() != 0 {
			t.Fatalf("told of what did nothing:\n%s", w.shows(1))
		}
		b.Rule(&enforcement.Event{Type: enforcement.BlockApplied, Rule: "distinct_targets", Subject: subject, User: 1002, Expires: time.Unix(1_800_000_000, 0)})
		b.Rule(&enforcement.Event{Type: enforcement.BlockApplied, Rule: "command_flood", Subject: subject, User: 1002})
		b.Rule(&enforcement.Event{Type: enforcement.Alert, Rule: "sensitive_change", Action: "alert", User: 1001})
		b.Rule(&enforcement.Event{Type: enforcement.Alert, Rule: "mine `x`", Action: "contain", User: 1001})
		b.Rule(&enforcement.Event{Type: enforcement.Unscoped, Rule: "sensitive_change", Action: "temp_block"})
		time.Sleep(time.Minute)
		var text strings.Builder
		for n := range w.total() { // the first may go out before the others are told
			text.WriteString(w.shows(n + 1))
		}
		for _, part := range []string{
			"<@1002> `Spy'1` `1002`: set off the rule `distinct_targets` (kicked", "`member:1:1002` is blocked until <t:1800000000:F>", "is blocked for good",
			"Nothing was done about it", "the rule `mine 'x'`. Their privileged roles", "Nobody who is known set off the rule `sensitive_change`", "/block remove",
		} {
			if !strings.Contains(text.String(), part) {
				t.Errorf("%q is not in:\n%s", part, text.String())
			}
		}
		if w.total() > 2 {
			t.Errorf("%d messages for what came at once", w.total())
		}
	})
}

func TestAFloodOfRulesIsBoundedAndAFailedPostIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{fails: errors.New("no")}
		b := posts(t, w, &shelf{kept: map[string][]byte{}})
		for range 3 * mostLines {
			b.Rule(&enforcement.Event{Type: enforcement.Alert, Rule: "sensitive_change", Action: "alert", User: 1001})
		}
		time.Sleep(time.Second)
		b.mu.Lock()
		kept := len(b.fired)
		b.mu.Unlock()
		if kept == 0 || kept > mostLines {
			t.Errorf("%d lines are kept", kept)
		}
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if n := w.total(); n < mostLines/firedAtOnce {
			t.Errorf("%d messages", n)
		}
	})
}

func TestEveryBuiltInRuleHasWordsForTheAdminChannel(t *testing.T) {
	for _, r := range rules.All() {
		if builtIns[r.Name] == "" {
			t.Errorf("%s has none", r.Name)
		}
	}
	if len(builtIns) != len(rules.All()) {
		t.Errorf("%d words for %d rules", len(builtIns), len(rules.All()))
	}
}
