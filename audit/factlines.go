package audit

// FactLine is one fact of a source's health as a person reads it.
type FactLine struct {
	Fact     Fact
	Now      int64 // Unknown: the source does not say
	Baseline int64 // Unknown: there is none
	Want     int64 // the least that is accepted, or the most, if Fact.Ceiling; Unknown: it is shown and never judged
	Health   Health
}

// FactLines lists every fact that is known now, was known before, or speaks against the source, in the order in which a person reads
// them. JudgeAuth is their sum.
func FactLines(now, baseline Counts, t Thresholds) []FactLine {
	var lines []FactLine
	for _, f := range AllFacts() {
		if f == Reachable {
			continue
		}
		line := FactLine{Fact: f, Now: countOr(now, f), Baseline: countOr(baseline, f), Want: Unknown}
		want, health := t.judge(f, now, baseline)
		if line.Health = health; now == nil {
			line.Health = Blind
		}
		if rule := judged[f].rule; rule != unjudged && (baseline != nil || rule != growth && rule != demotion) {
			line.Want = want
		}
		if line.Now != Unknown || line.Baseline != Unknown || health != Healthy && now != nil {
			lines = append(lines, line)
		}
	}
	return lines
}

func countOr(c Counts, f Fact) int64 {
	if n, known := c[f]; known {
		return n
	}
	return Unknown
}
