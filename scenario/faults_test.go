package scenario

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatecamp/discord/discordtest"
)

// Each fault of the local Discord happens in a story, or in a test of the edge against it. A fault that nobody orders shows nothing.
func TestEveryFaultHappensInAStoryOrToTheEdge(t *testing.T) {
	where := map[string][]string{} // fault, in small letters without underscores → the files that order it
	for glob, order := range map[string]*regexp.Regexp{
		"testdata/*.txtar":      regexp.MustCompile(`(?m)^fault (\w+)`),
		"../discord/*_test.go":  regexp.MustCompile(`discordtest\.Fault(\w+)`),
		"../cmd/gatecamp/*.go":  regexp.MustCompile(`discordtest\.Fault(\w+)`),
		"../bot/*_test.go":      regexp.MustCompile(`discordtest\.Fault(\w+)`),
		"../commands/*_test.go": regexp.MustCompile(`discordtest\.Fault(\w+)`),
	} {
		paths, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range order.FindAllStringSubmatch(string(text), -1) {
				name := bareName(m[1])
				if !slices.Contains(where[name], path) {
					where[name] = append(where[name], path)
				}
			}
		}
	}
	for _, k := range discordtest.FaultNames() {
		files := where[bareName(k.Name)]
		if len(files) == 0 {
			t.Errorf("%s happens nowhere: %s", k.Name, k.Doc)
		}
		slices.Sort(files)
		t.Logf("%-26s %s", k.Name, strings.Join(files, " "))
	}
}

func bareName(fault string) string { return strings.ToLower(strings.ReplaceAll(fault, "_", "")) }
