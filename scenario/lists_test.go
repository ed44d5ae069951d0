package scenario

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// whatGoesWrong is what gatecamp must bear while it serves. Each stands as (fault: NAME) in the first lines of a story, or before a test, that would
// fail if it did not.
var whatGoesWrong = []string{
	"gateway cut", "resume refused", "op 7", "op 9", "4014", "lost events", "duplicates", "Auth down", "Auth empty", "Auth half-restored",
	"MariaDB killed mid-read", "database gone mid-run", "Redis gone", "webhook 404", "webhook 429", "webhook 5xx", "webhook slow", "disk full",
	"kill -9 before the intention", "kill -9 between intention and call", "kill -9 between call and outcome", "two replicas", "clock jump",
	"right taken between card and press", "interaction answered twice", "pressed twice", "custom id forged", "two guilds on two shards", "secrets",
}

// weaknesses are numbers of docs/coming-from-aa-discord-audit.md: each stands in the first lines of a story, or before a test, that the peer would fail.
var weaknesses = []int{2, 5, 6, 7, 13, 15, 19, 21, 22, 25, 29, 30, 31, 32, 33, 34}

var (
	faultMark    = regexp.MustCompile(`\(fault: ([^)]+)\)`)
	weaknessMark = regexp.MustCompile(`\bA(\d{1,2})\b`)
)

func TestEverythingThatGoesWrongIsToldByAStoryOrATest(t *testing.T) {
	where := marked(t, faultMark)
	for _, name := range whatGoesWrong {
		if len(where[name]) == 0 {
			t.Errorf("nothing shows what becomes of %q", name)
		}
		t.Logf("%-38s %s", name, strings.Join(where[name], " "))
		delete(where, name)
	}
	for name, places := range where {
		t.Errorf("%q, in %v, is no fault of the list", name, places)
	}
}

func TestEveryWeaknessOfThePeerIsNamedByAStoryOrATest(t *testing.T) {
	where := marked(t, weaknessMark)
	for _, n := range weaknesses {
		if len(where[fmt.Sprint(n)]) == 0 {
			t.Errorf("no story and no test names A%d", n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(where)) {
		t.Logf("A%-3s %s", n, strings.Join(where[n], " "))
	}
}

// marked finds marks in the first words of stories, and in what stands before tests: mark → where.
func marked(t *testing.T, mark *regexp.Regexp) map[string][]string {
	t.Helper()
	where := map[string][]string{}
	note := func(words, place string) {
		for _, m := range mark.FindAllStringSubmatch(words, -1) {
			for name := range strings.SplitSeq(m[1], ", ") {
				if !slices.Contains(where[name], place) {
					where[name] = append(where[name], place)
				}
			}
		}
	}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(path, ".txtar"):
			archive, err := txtar.ParseFile(path)
			if err != nil {
				return err
			}
			note(string(archive.Comment), path)
		case strings.HasSuffix(path, "_test.go"):
			return beforeTests(path, note)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

func beforeTests(path string, note func(words, place string)) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Doc != nil && strings.HasPrefix(f.Name.Name, "Test") {
			note(f.Doc.Text(), path+":"+f.Name.Name)
		}
	}
	return nil
}
