package enforcement_test

import (
	"testing"
	"time"

	"gatecamp/enforcement"
)

func TestWhatPeopleDecidedStandsBeforeWhatIsWritten(t *testing.T) {
	block := enforcement.TempBlock
	written := enforcement.Config{Rules: []enforcement.Rule{
		{Name: "a", Off: true, Escalate: []time.Duration{time.Minute, enforcement.Forever}}, {Name: "b"}, {Name: "c", Off: true},
	}}
	now := written.Changed(map[string]enforcement.RuleChange{
		"a": {Switch: enforcement.SwitchedOn, Do: &block, TTL: time.Hour}, "b": {Switch: enforcement.SwitchedOff}, "c": {}, "gone": {Switch: enforcement.SwitchedOn},
	})
	a, b, c := now.Rules[0], now.Rules[1], now.Rules[2]
	if a.Off || a.Action.Do != block || a.Lifetime(&now, 1) != time.Hour || !b.Off || !c.Off || len(now.Rules) != 3 {
		t.Errorf("rules %+v", now.Rules)
	}
	if !written.Rules[0].Off || written.Rules[1].Off {
		t.Errorf("what is written was changed: %+v", written.Rules)
	}
}
