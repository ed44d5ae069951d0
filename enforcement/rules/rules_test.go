package rules_test

import (
	"testing"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
)

func TestEveryRuleOnlyObservesAndNamesWhatFiresIt(t *testing.T) {
	c := enforcement.Defaults()
	last := ""
	for _, r := range rules.All() {
		if r.Action.Do != enforcement.Observe || len(r.On) == 0 || r.Fires == "" || r.Severity == 0 {
			t.Errorf("%s: %+v", r.Name, r)
		}
		if r.Name <= last {
			t.Errorf("%s comes after %s", r.Name, last)
		}
		last = r.Name
		c.Rules = append(c.Rules, r.Rule)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryRuleStillValidatesWhenItBlocks(t *testing.T) {
	c := enforcement.Defaults()
	for _, r := range rules.All() {
		r.Action.Do = enforcement.TempBlock
		c.Rules = append(c.Rules, r.Rule)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestARuleOfABuiltInsNameStandsInItsPlace(t *testing.T) {
	own := enforcement.Rule{Name: "join_wave", Severity: 2}
	c := rules.Beside(enforcement.Config{Rules: []enforcement.Rule{{Name: "mine"}, own}})
	found := map[string]int{}
	for _, r := range c.Rules {
		if found[r.Name]++; r.Name == own.Name && r.Severity != own.Severity {
			t.Errorf("the built-in stands beside: %+v", r)
		}
	}
	if len(c.Rules) != len(rules.All())+1 || found["join_wave"] != 1 || found["mine"] != 1 {
		t.Errorf("rules %v", found)
	}
}

func TestEveryBuiltInRuleLooksAtIncidentsThatAreTold(t *testing.T) {
	told := map[string]bool{}
	for _, i := range rules.Incidents() {
		if told[i.Type] || i.When == "" || i.Actor == "" || i.Fields == "" {
			t.Errorf("%+v", i)
		}
		told[i.Type] = true
	}
	for _, r := range rules.All() {
		for _, kind := range r.On {
			if !told[kind] {
				t.Errorf("%s looks at %s, which nobody tells", r.Name, kind)
			}
		}
	}
}
