package audit_test

import (
	"testing"

	"pgregory.net/rapid"

	"gatecamp/audit"
)

func TestTheLinesOfTheFactsAddUpToTheVerdict(t *testing.T) {
	counts := rapid.Custom(func(t *rapid.T) audit.Counts {
		c := audit.Counts{}
		for _, f := range audit.AllFacts() {
			if f != audit.Reachable && rapid.Bool().Draw(t, "known "+f.String()) {
				c[f] = rapid.Int64Range(0, 40).Draw(t, f.String())
			}
		}
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		now, baseline := counts.Draw(t, "now"), counts.Draw(t, "baseline")
		if rapid.Bool().Draw(t, "first contact") {
			baseline = nil
		}
		verdict := audit.JudgeAuth(now, baseline, audit.DefaultThresholds())
		worst, against := audit.Healthy, 0
		for _, line := range audit.FactLines(now, baseline, audit.DefaultThresholds()) {
			worst = max(worst, line.Health)
			if line.Health != audit.Healthy {
				against++
			}
		}
		if worst != verdict.Health || against != len(verdict.Reasons) {
			t.Fatalf("the lines say %s with %d against it, the verdict is %s with %d reasons", worst, against, verdict.Health, len(verdict.Reasons))
		}
	})
}

func TestAnUnreadableAuthShowsWhatWasNormalAndNothingElse(t *testing.T) {
	lines := audit.FactLines(nil, audit.Counts{audit.Users: 7}, audit.DefaultThresholds())
	if len(lines) != 1 || lines[0].Fact != audit.Users || lines[0].Now != audit.Unknown || lines[0].Baseline != 7 || lines[0].Health != audit.Blind {
		t.Errorf("%+v", lines)
	}
	if lines := audit.FactLines(nil, nil, audit.DefaultThresholds()); len(lines) != 0 {
		t.Errorf("lines about nothing: %+v", lines)
	}
}
