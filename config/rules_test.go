package config_test

import (
	"strings"
	"testing"

	"gatecamp/enforcement"
)

func TestWithoutARulesFileEnforcementIsAsItComes(t *testing.T) {
	c, err := env().load(t)
	if err != nil || c.Enforcement() != nil {
		t.Errorf("%+v, %v", c.Enforcement(), err)
	}
}

func TestTheRulesFileIsReadAtTheStart(t *testing.T) {
	w := env("GATECAMP_RULES_FILE", "rules.yaml")
	w.files["rules.yaml"] = "mode: shadow\ndeny: {message: Ask in the forum.}\n"
	c, err := w.load(t)
	if err != nil || c.RulesFile != "rules.yaml" || !c.Enforcement().Shadow || c.Enforcement().Message != "Ask in the forum." {
		t.Errorf("%+v, %v", c.Enforcement(), err)
	}
}

func TestAMistakeInTheRulesFileIsToldWithItsPlace(t *testing.T) {
	w := env("GATECAMP_RULES_FILE", "rules.yaml")
	if _, err := w.load(t); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a file that is not there: %v", err)
	}
	w.files["rules.yaml"] = "rules:\n  - name: a\n    count: {by: [colour], threshold: 0, window: 5m}\n"
	_, err := w.load(t)
	for _, part := range []string{"GATECAMP_RULES_FILE", "rules.yaml", "rules[0].count.by[0]", `"colour"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

func TestAGuildHasItsOwnSwitchAndItsOwnWordsForThoseWhoAreBlocked(t *testing.T) {
	w := env("GATECAMP_GUILDS_FILE", "guilds.yaml")
	w.files["guilds.yaml"] = "- id: 7\n  enforcement: shadow\n  appeal: Write to the directors in <#99>.\n- id: 8\n"
	c, err := w.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if g := c.Guild(7); g.Enforcement != enforcement.Shadowing || g.Appeal != "Write to the directors in <#99>." {
		t.Errorf("guild 7: %+v", g)
	}
	if g := c.Guild(8); g.Enforcement != enforcement.Enforcing || g.Appeal != "" {
		t.Errorf("guild 8: %+v", g)
	}
	w.files["guilds.yaml"] = "- id: 7\n  enforcement: perhaps\n  appeal: " + strings.Repeat("a", 501) + "\n"
	_, err = w.load(t)
	for _, part := range []string{"line 2", "enforce, shadow", "line 3", "500 bytes"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

func TestTheRulesFileIsReadAgain(t *testing.T) {
	w := env("GATECAMP_RULES_FILE", "rules.yaml")
	w.files["rules.yaml"] = "rules: [{name: a}]\n"
	c, err := w.load(t)
	if err != nil {
		t.Fatal(err)
	}
	w.files["rules.yaml"] = "rules: [{name: a}, {name: b, severity: 99}]\n"
	if _, err := c.WithRules(w.environment()); err == nil || !strings.Contains(err.Error(), "rules[1].severity") {
		t.Errorf("a mistake: %v", err)
	}
	w.files["rules.yaml"] = "rules: [{name: a}, {name: b}]\n"
	again, err := c.WithRules(w.environment())
	if err != nil || len(again.Enforcement().Rules) != 2 || len(c.Enforcement().Rules) != 1 {
		t.Errorf("read again: %+v, %v; before %+v", again.Enforcement(), err, c.Enforcement())
	}
}
