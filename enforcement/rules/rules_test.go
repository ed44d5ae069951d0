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
