package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rulefile"
	"gatecamp/enforcement/rules"
)

const enforcementGuide = "../../docs/enforcement.md"

// written puts a generated part between its marks.
func written(t *testing.T, text, name, part string) string {
	t.Helper()
	begin, end := "<!-- "+name+": written by go test ./cmd/gatecamp -update -->\n", "<!-- end of "+name+" -->\n"
	before, rest, found := strings.Cut(text, begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s has no place for the %s", enforcementGuide, name)
	}
	return before + begin + part + end + after
}

// rulesTable is about every built-in, from the rules themselves.
func rulesTable() string {
	var b strings.Builder
	b.WriteString("\n| Rule | Set off by | Counts | Severity | Incidents | Names |\n|---|---|---|---|---|---|\n")
	for _, r := range rules.All() {
		one := ruled{Rule: r.Rule}
		kinds := make([]string, len(r.On))
		for i, kind := range r.On {
			kinds[i] = "`" + kind + "`"
		}
		var scopes []string
		for _, s := range r.Targets() {
			scopes = append(scopes, "`"+s.String()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %s | %s |\n", r.Name, r.Fires, one.counts(), r.Severity, strings.Join(kinds, " "), strings.Join(scopes, ", "))
	}
	return b.String() + "\n"
}

// incidentsTable is about every type of incident.
func incidentsTable() string {
	var b strings.Builder
	b.WriteString("\n| Incident | When | Actor | Fields |\n|---|---|---|---|\n")
	for _, i := range rules.Incidents() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", i.Type, i.When, i.Actor, i.Fields)
	}
	return b.String() + "\n"
}

func TestTheGuideToEnforcementHasEveryRuleAndIncidentAsItIs(t *testing.T) {
	text, err := os.ReadFile(enforcementGuide)
	if err != nil {
		t.Fatal(err)
	}
	want := written(t, written(t, string(text), "rules", rulesTable()), "incidents", incidentsTable())
	if *update {
		if err := os.WriteFile(enforcementGuide, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is not as the rules are; run: go test ./cmd/gatecamp -update", enforcementGuide)
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestTheRulesFileOfTheGuideIsSoundAndUsesEveryKeyOfARule(t *testing.T) {
	text, err := os.ReadFile(enforcementGuide)
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d rule files in the guide", len(blocks))
	}
	c, err := rulefile.Parse([]byte(blocks[0][1]), "docs/enforcement.md")
	if err != nil {
		t.Fatal(err)
	}
	all := rules.Beside(c)
	if err := all.Validate(); err != nil {
		t.Error(err)
	}
	told := map[string]bool{}
	for _, i := range rules.Incidents() {
		told[i.Type] = true
	}
	used := map[string]bool{}
	for _, r := range c.Rules {
		for _, kind := range r.On {
			if !told[kind] {
				t.Errorf("%s looks at %s, which nobody tells", r.Name, kind)
			}
		}
		for name, is := range map[string]bool{
			"where": r.Where != nil, "count": r.Count != nil, "distinct": r.Count != nil && r.Count.Distinct != "", "fixed": r.Count != nil && r.Count.Fixed, "gate_of": r.GateOf != "",
			"cooldown": r.Cooldown > 0, "escalate": len(r.Escalate) > 0, "exempt": len(r.Exempt) > 0, "paths": len(r.Paths) > 0, "ingress": r.Stage == enforcement.AtIngress,
			"ttl": r.Action.TTL > 0, "message": r.Action.Message != "", "scopes": len(r.Action.Scopes) > 0,
		} {
			used[name] = used[name] || is
		}
	}
	for name, is := range used {
		if !is {
			t.Errorf("the example shows no %s", name)
		}
	}
}
