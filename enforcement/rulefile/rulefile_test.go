package rulefile_test

import (
	"strings"
	"testing"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rulefile"
)

func TestAnOperatorWritesARuleWithoutGo(t *testing.T) {
	c, err := rulefile.Parse([]byte(`
fail_closed: ["^cmd:mod/"]
precedence: [ip]
immune: [{role: superuser}, {scope: user, value: "175928847299117063"}]
rules:
  - name: probing
    severity: 6
    on: [discord.command.refused]
    count: {by: [user], threshold: 10, window: 10m}
    escalate: [5m, 1h, 1d, permanent]
    exempt: [{scope: role, value: "77"}]
    action: {do: temp_block, scopes: [user]}
`), "rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := c.Rules[0]
	if r.Count.Threshold != 10 || r.Count.Window != 10*time.Minute || r.Count.Fixed || r.Action.Do != enforcement.TempBlock || len(r.Escalate) != 4 ||
		r.Escalate[2] != 24*time.Hour || r.Escalate[3] != enforcement.Forever || r.Exempt[0].ID != 77 {
		t.Errorf("rule %+v", r)
	}
	if c.ModeOf("cmd:mod/ban") != enforcement.Closed || c.ModeOf("cmd:audit") != enforcement.Open || c.Order()[0] != enforcement.IP || !c.Immune.Superusers {
		t.Errorf("configuration %+v", c)
	}
}

func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	_, err := rulefile.Parse([]byte("deny: {status: 200}\nrules:\n  - name: a\n    count: {by: [colour], threshold: 1, window: soon}\n    action: {do: explode}\n"), "rules.yaml")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"rules.yaml", `rules[0].count.by[0]: "colour" is no scope`, `rules[0].count.window: "soon" is no duration`, `rules[0].action.do: "explode" is no action`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	_, err = rulefile.Parse([]byte("rules:\n  - name: a\n    treshold: 5\n"), "rules.yaml")
	if err == nil || !strings.Contains(err.Error(), "[3:5]") || !strings.Contains(err.Error(), "treshold") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestDurationsKnowDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"300s": 5 * time.Minute, "30d": 30 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "2h": 2 * time.Hour} {
		if got, err := rulefile.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s is %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "soon", "5", "1d2", "99999999d"} {
		if got, err := rulefile.ParseDuration(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}
