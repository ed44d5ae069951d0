package auth

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gatecamp/audit"
)

func content(t *testing.T, file string) string {
	t.Helper()
	read, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(read)
}

func TestTheDocumentedGrantsAreThoseThatAreNeeded(t *testing.T) {
	guide := content(t, "../docs/auth.md")
	for file, engine := range map[string]engine{"mysql": mysqlEngine, "postgres": postgresEngine} {
		script := strings.TrimSpace(content(t, "../.ci/auth/grants-"+file+".sql"))
		if !strings.Contains(guide, "```sql\n"+script+"\n```") {
			t.Errorf("docs/auth.md has other statements than .ci/auth/grants-%s.sql, which the tests run", file)
		}
		grants := 0
		for _, table := range append(append([]table{}, needed...), optional) {
			if grants++; !strings.Contains(script, table.grant(engine, "aa", "gatecamp_ro")) {
				t.Errorf("%s lacks: %s", file, table.grant(engine, "aa", "gatecamp_ro"))
			}
			if !strings.Contains(guide, "`"+table.name+"`") {
				t.Errorf("docs/auth.md does not say why %s is read", table.name)
			}
		}
		if n := strings.Count(script, "GRANT SELECT"); n != grants {
			t.Errorf("%s grants %d tables, %d are read", file, n, grants)
		}
	}
}

func TestTheDocumentedThresholdsAreTheDefaults(t *testing.T) {
	guide := content(t, "../docs/auth.md")
	for _, f := range audit.AllFacts() {
		if !strings.Contains(guide, "\n| `"+f.String()+"` | ") {
			t.Errorf("docs/auth.md lacks the fact %s", f)
		}
	}
	for _, known := range audit.DefaultThresholds().All() {
		row := fmt.Sprintf("| `%s` | %d | ", known.Name, known.Value)
		if known.Name == "slack" {
			row = fmt.Sprintf("`slack` rows (default %d)", known.Value)
		}
		if !strings.Contains(guide, row) {
			t.Errorf("docs/auth.md lacks %q", row)
		}
	}
}
