package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"gatecamp/config"
)

var update = flag.Bool("update", false, "rewrite the table in docs/configuration.md")

const (
	docs       = "../docs/configuration.md"
	beginTable = "<!-- settings: written by go test ./config -update -->\n"
	endTable   = "<!-- end of settings -->\n"
)

func table() string {
	var b strings.Builder
	b.WriteString("| Name | Default | Meaning |\n|---|---|---|\n")
	for _, s := range config.Settings() {
		name, value := "`"+s.Name+"`", s.Unset
		if s.Secret {
			name += " (secret)"
		}
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, s.Meaning)
	}
	return b.String()
}

func TestTheDocumentationListsEverySettingAsItIs(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), beginTable)
	got, after, ended := strings.Cut(rest, endTable)
	if !found || !ended {
		t.Fatalf("%s lacks the marks %q and %q", docs, beginTable, endTable)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(before+beginTable+table()+endTable+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != table() {
		t.Errorf("the table in %s is not what the program has; run: go test ./config -update", docs)
	}
}
