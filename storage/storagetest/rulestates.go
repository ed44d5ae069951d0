package storagetest

import (
	"sync"
	"testing"
	"time"

	"gatecamp/storage"
)

func testRuleStates(t *testing.T, s suite) {
	state := func(t testing.TB, name string) storage.RuleState {
		t.Helper()
		for _, r := range must(s.RuleStates(t.Context()))(t) {
			if r.Name == name {
				return r
			}
		}
		t.Fatalf("nothing is known of %s", name)
		return storage.RuleState{}
	}
	t.Run("a decision is read back as it was made, by another process too, by name", func(t *testing.T) {
		d := storage.RuleDecision{Name: "b flood", Switch: storage.RuleOn, Action: "temp_block", TTL: 90*time.Second + 5*time.Microsecond}
		made, err := s.DecideRule(t.Context(), d, author(noon))
		ok(t, err)
		same(t, storage.RuleState{RuleDecision: d, Actor: "console:root", Reason: "because", Changed: noon}, made, "decision")
		ok(t, s.CountRules(t.Context(), []storage.RuleCount{{Name: "Z", Fired: 1, Last: noon}, {Name: "a", Fired: 1, Last: noon}}))
		all := must(s.db.Open(t).RuleStates(t.Context()))(t)
		same(t, []string{"Z", "a", "b flood"}, []string{all[0].Name, all[1].Name, all[2].Name}, "order")
		same(t, made, all[2], "what another process reads")
	})
	t.Run("every decision leaves a configuration change, the same once more none", func(t *testing.T) {
		d := storage.RuleDecision{Name: "changing", Switch: storage.RuleOff}
		before := len(changes(t, s, 0))
		for _, next := range []storage.RuleDecision{d, d, {Name: "changing", Switch: storage.RuleOn, Action: "alert"}} {
			must(s.DecideRule(t.Context(), next, author(noon)))(t)
		}
		same(t, []string{"rule_state added", "rule_state changed"}, changes(t, s, 0)[before:], "configuration changes")
		by := author(noon)
		by.Actor = ""
		if _, err := s.DecideRule(t.Context(), storage.RuleDecision{Name: "changing", Switch: storage.RuleFailed}, by); err == nil {
			t.Error("nobody decided, and it was stored")
		}
		same(t, storage.RuleOn, state(t, "changing").Switch, "after a refused decision")
	})
	t.Run("counts of several processes add up, and of times the latest stays", func(t *testing.T) {
		other := s.db.Open(t)
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				to := storage.Store(s)
				if n%2 == 0 {
					to = other
				}
				if err := to.CountRules(t.Context(), []storage.RuleCount{
					{Name: "y", Fired: 1, Shadowed: 2, Failures: 3, Last: noon.Add(time.Duration(n) * time.Second), Failed: noon.Add(-time.Duration(n) * time.Second)},
					{Name: "x", Shadowed: 1, Last: noon},
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		same(t, storage.RuleState{
			RuleDecision: storage.RuleDecision{Name: "y"}, Fired: 8, Shadowed: 16, Failures: 24, Last: noon.Add(7 * time.Second), Failed: noon,
		}, state(t, "y"), "counts")
		ok(t, s.CountRules(t.Context(), []storage.RuleCount{{Name: "x", Failures: 1, Failed: noon}}))
		same(t, noon, state(t, "x").Last, "when it fired last, after a count in which it did not")
	})
	t.Run("a decision keeps the counts; switching on forgets the failures", func(t *testing.T) {
		ok(t, s.CountRules(t.Context(), []storage.RuleCount{{Name: "failing", Fired: 4, Failures: 10, Last: noon, Failed: noon}}))
		off := must(s.DecideRule(t.Context(), storage.RuleDecision{Name: "failing", Switch: storage.RuleFailed}, author(noon)))(t)
		same(t, []int64{4, 10}, []int64{off.Fired, off.Failures}, "fired and failures while off")
		on := must(s.DecideRule(t.Context(), storage.RuleDecision{Name: "failing", Switch: storage.RuleOn}, author(noon)))(t)
		same(t, []int64{4, 0}, []int64{on.Fired, on.Failures}, "fired and failures when it is on again")
	})
}
