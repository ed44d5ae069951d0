package law

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxLines is where a file is certainly about more than one thing; most stay under 400.
const maxLines = 700

// secrets are forms that a credential has. A pattern's first group, where it has one, is the part that a canary may fill.
var secrets = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a Discord bot's token", regexp.MustCompile(`\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}\b`)},
	{"a webhook's token", regexp.MustCompile(`/webhooks/\d{15,20}/([A-Za-z0-9_-]{60,})`)},
	{"a private key or certificate", regexp.MustCompile(`-----BEGIN [A-Z ]+-----`)},
	{"a password in an address", regexp.MustCompile(`\b[a-z][a-z0-9+]*://[^\s/:@"'<>]*:([^\s/@"'<>]+)@`)},
}

// canaries are what may stand where a secret would: made-up words that a test looks for, and gaps for the reader to fill.
var canaries = regexp.MustCompile(`(?i)^(canary.*|password|secret|gatecamp|\.\.\.|…|p%[0-9a-f]{2}|[$%{].*)$`)

// SecretsIn says which lines of a file look as if they held a real secret. It never repeats the secret.
func SecretsIn(name string, text []byte) []string {
	var found []string
	for i, line := range bytes.Split(text, []byte("\n")) {
		for _, s := range secrets {
			for _, match := range s.pattern.FindAllSubmatch(line, -1) {
				if len(match) > 1 && canaries.Match(match[1]) {
					continue
				}
				found = append(found, fmt.Sprintf("%s:%d looks like %s; if it is one, revoke it; else write a word that begins with \"canary\" in its place", name, i+1, s.what))
			}
		}
	}
	return found
}

// TooLong says so if a hand-written Go file is over maxLines.
func TooLong(name string, text []byte) []string {
	if n := bytes.Count(text, []byte("\n")); n > maxLines && !bytes.Contains(text, []byte("\n// Code generated ")) && !bytes.HasPrefix(text, []byte("// Code generated ")) {
		return []string{fmt.Sprintf("%s has %d lines, more than %d; split it by what it is about", name, n, maxLines)}
	}
	return nil
}

// clocks are calls whose answer differs from run to run.
var clocks = map[string][]string{"time": {"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}}

// Clocks finds calls of the clock in a file of a pure package.
func Clocks(name string, text []byte) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := s.X.(*ast.Ident); ok && slices.Contains(clocks[pkg.Name], s.Sel.Name) {
			found = append(found, fmt.Sprintf("%s calls %s.%s; pure code gets time as a value (Facts.At)", set.Position(s.Pos()), pkg.Name, s.Sel.Name))
		}
		return true
	})
	return found, nil
}

// Sleeps finds a test file that sleeps outside testing/synctest, whose bubbles make a sleep take no time.
func Sleeps(name string, text []byte) []string {
	if !strings.HasSuffix(name, "_test.go") || !bytes.Contains(text, []byte("\ttime.Sleep(")) || bytes.Contains(text, []byte("\"testing/synctest\"\n")) {
		return nil
	}
	return []string{name + " sleeps; wait for a signal, or run the test in a testing/synctest bubble"}
}

// isPure reports whether a Go file, named from the module's root, belongs to a pure package.
func isPure(name string) bool {
	r, ok := roomOf(path.Dir(name))
	return ok && r.layer == Pure && !strings.HasSuffix(name, "_test.go")
}
