package law

import (
	"slices"
	"strings"
	"testing"
)

// graph makes packages from lines "name: import import", and works out what each reaches as go list does.
func graph(lines ...string) []Package {
	standard := []string{"fmt", "os", "context", "net", "net/http", "database/sql", "log/slog", "time", "strings"}
	imports := map[string][]string{"net/http": {"net"}, "fmt": {"os"}, "log/slog": {"context"}}
	var order []string
	for _, line := range lines {
		name, list, _ := strings.Cut(line, ":")
		order = append(order, name)
		imports[name] = strings.Fields(list)
	}
	var reach func(name string, seen map[string]bool)
	reach = func(name string, seen map[string]bool) {
		for _, next := range imports[name] {
			if !seen[next] {
				seen[next] = true
				reach(next, seen)
			}
		}
	}
	var packages []Package
	for _, name := range slices.Concat(order, standard) {
		seen := map[string]bool{}
		reach(name, seen)
		p := Package{ImportPath: name, Standard: slices.Contains(standard, name), Imports: imports[name]}
		for dep := range seen {
			p.Deps = append(p.Deps, dep)
		}
		slices.Sort(p.Deps)
		packages = append(packages, p)
	}
	return packages
}

func TestAHouseInOrderHasNoBreach(t *testing.T) {
	found := Breaches("m", graph(
		"m/trail: fmt time",
		"m/audit: m/trail github.com/disgoorg/snowflake/v2 golang.org/x/text/unicode/norm",
		"m/storage: context m/audit",
		"m/internal/secret: log/slog",
		"m/audit/policyfile: m/audit github.com/goccy/go-yaml/ast",
		"m/audit/reconcile: context log/slog m/audit m/storage golang.org/x/sync/errgroup",
		"m/storage/postgres: m/storage github.com/jackc/pgx/v5/pgxpool",
		"m/discord: net/http github.com/disgoorg/disgo/rest m/audit",
		"m/bot: m/audit/reconcile m/discord github.com/disgoorg/disgo/bot",
		"m/schedule: github.com/riverqueue/river github.com/robfig/cron/v3",
		"m/migrations: database/sql github.com/pressly/goose/v3 github.com/riverqueue/river/rivermigrate",
		"m/cmd/gatecamp: m/bot m/storage/postgres github.com/spf13/cobra m/config",
		"m/config: m/internal/secret github.com/sethvargo/go-envconfig",
		"m/scenario: m/cmd/gatecamp golang.org/x/tools/txtar",
	))
	if len(found) > 0 {
		t.Errorf("breaches of a house in order:\n%s", strings.Join(found, "\n"))
	}
}

func TestEveryBreachIsFoundWithItsCure(t *testing.T) {
	for name, c := range map[string]struct {
		packages []string
		want     string
	}{
		"a package without a layer": {
			[]string{"m/attic: fmt"},
			"attic has no layer; give it a line in internal/law/rooms.go",
		},
		"a name that says nothing": {
			[]string{"m/audit/util: fmt"},
			"audit/util: the name says nothing",
		},
		"pure code that knows its neighbour": {
			[]string{"m/enforcement: fmt", "m/audit: m/enforcement"},
			"audit (pure) imports enforcement (pure); pure code takes what it needs as a value",
		},
		"pure code that waits": {
			[]string{"m/audit: context"},
			"audit (pure) reaches context by m/audit → context",
		},
		"pure code that talks, deep down": {
			[]string{"m/audit: golang.org/x/text/far", "golang.org/x/text/far: net/http"},
			"audit (pure) reaches net/http by m/audit → golang.org/x/text/far → net/http",
		},
		"pure code that logs": {
			[]string{"m/trail: log/slog"},
			"trail (pure) reaches log/slog",
		},
		"a leaf that knows an engine": {
			[]string{"m/audit/reconcile: fmt", "m/notify: m/audit/reconcile"},
			"notify (leaf) imports audit/reconcile (engine); a leaf knows",
		},
		"a leaf that reaches a driver": {
			[]string{"m/storage: database/sql"},
			"storage (leaf) reaches database/sql",
		},
		"an engine that knows an adapter": {
			[]string{"m/auth: fmt", "m/audit/reconcile: m/auth"},
			"audit/reconcile (engine) imports auth (adapter); an engine says what it needs as an interface",
		},
		"an engine that reaches disgo": {
			[]string{"m/audit/reconcile: m/notify", "m/notify: github.com/disgoorg/disgo/discord"},
			"audit/reconcile (engine) reaches github.com/disgoorg/disgo/discord by m/audit/reconcile → m/notify →",
		},
		"adapters that know each other": {
			[]string{"m/auth: m/storage/sqlite", "m/storage/sqlite: fmt"},
			"auth (adapter) imports storage/sqlite (adapter); adapters do not know each other",
		},
		"edges that know each other": {
			[]string{"m/bot: fmt", "m/commands: m/bot"},
			"commands (edge) imports bot (edge); edges know engines and discord",
		},
		"an edge that reaches a database": {
			[]string{"m/schedule: github.com/riverqueue/river", "github.com/riverqueue/river: github.com/jackc/pgx/v5"},
			"schedule (edge) reaches github.com/jackc/pgx/v5",
		},
		"an adapter that knows what wires it": {
			[]string{"m/config: fmt", "m/auth: m/config"},
			"auth (adapter) imports config (wiring)",
		},
		"a library away from home": {
			[]string{"m/notify: github.com/goccy/go-yaml"},
			"notify imports github.com/goccy/go-yaml, whose home is audit/policyfile, config",
		},
		"a library for tests in the program": {
			[]string{"m/config: github.com/google/go-cmp/cmp"},
			"config imports github.com/google/go-cmp/cmp, whose home is harness",
		},
		"a library without a home": {
			[]string{"m/config: example.org/left-pad"},
			"config imports example.org/left-pad, which has no home",
		},
		"a library whose name only begins like one with a home": {
			[]string{"m/config: github.com/sethvargo/go-envconfig-more"},
			"which has no home",
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := Breaches("m", graph(c.packages...))
			if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("breaches = %q, want one with %q", found, c.want)
			}
		})
	}
}

func TestTheTablesAgreeWithEachOther(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rooms {
		if seen[r.path] {
			t.Errorf("%s stands in the table a second time", r.path)
		}
		seen[r.path] = true
	}
	for _, r := range rooms {
		for _, other := range r.also {
			if !seen[other] {
				t.Errorf("%s may import %s, which has no layer", r.path, other)
			}
		}
	}
	layers := map[string]bool{"": true}
	for l := Pure; l <= Harness; l++ {
		layers[l.String()] = true
	}
	for i, h := range homes {
		for _, in := range h.in {
			if !seen[in] && !layers[in] {
				t.Errorf("the home %q of %s is no package and no layer", in, h.library)
			}
		}
		for _, later := range homes[i+1:] {
			if within(later.library, h.library) {
				t.Errorf("%s stands before %s and hides it", h.library, later.library)
			}
		}
	}
}

func TestRealLookingSecretsAreFoundAndNeverRepeated(t *testing.T) {
	token := "M" + strings.Repeat("T", 25) + ".G" + strings.Repeat("a", 5) + "." + strings.Repeat("b", 38)
	hook := strings.Repeat("Q7", 34)
	for name, c := range map[string]struct{ text, secret string }{
		"token":           {"x: " + token, token},
		"webhook":         {"https://discord.com/api/webhooks/" + "900000000000000001/" + hook, hook},
		"escaped webhook": {`{"u":"https://discord.com/api/v10/webhooks/` + "900000000000000001/" + hook + `"}`, hook},
		"key":             {"-----" + "BEGIN RSA PRIVATE KEY-----", "RSA"},
		"password":        {"mysql://root:" + "hunter2@db/aa", "hunter2"},
		"no user":         {"redis://:" + "hunter2@db/0", "hunter2"},
	} {
		found := SecretsIn("f.txt", []byte("first line\n"+c.text+"\n"))
		if len(found) != 1 || !strings.HasPrefix(found[0], "f.txt:2 looks like ") {
			t.Errorf("%s: found %q, want one of line 2", name, found)
			continue
		}
		if strings.Contains(found[0], c.secret) {
			t.Errorf("%s: the finding repeats the secret", name)
		}
	}
}

func TestCanariesAndGapsAreNoSecrets(t *testing.T) {
	for _, text := range []string{
		"mysql://aa:canary-1@db/aa", "postgres://USER:PASSWORD@HOST:PORT/NAME", "redis://:$REDIS_PASSWORD@r/0", "https://discord.com/api/webhooks/1/canary",
		"https://example.org/a:b@c", "NDI.x.y", "http://127.0.0.1:41000/api", "https://discord.com/api/webhooks/900000000000000001/canary-" + strings.Repeat("a", 60),
	} {
		if found := SecretsIn("f.txt", []byte(text)); len(found) > 0 {
			t.Errorf("%q: %q", text, found)
		}
	}
}

func TestALongFileIsFoundUnlessItWasGenerated(t *testing.T) {
	long := strings.Repeat("\n", maxLines+1)
	if found := TooLong("a.go", []byte("package a"+long)); len(found) != 1 {
		t.Errorf("found %q, want one", found)
	}
	if found := TooLong("a.go", []byte("// Code generated by x. DO NOT EDIT.\npackage a"+long)); len(found) > 0 {
		t.Errorf("a generated file is found: %q", found)
	}
	if found := TooLong("a.go", []byte("package a"+long[2:])); len(found) > 0 {
		t.Errorf("a file at the limit is found: %q", found)
	}
}

func TestAClockInPureCodeIsFound(t *testing.T) {
	found, err := Clocks("audit/a.go", []byte("package audit\nimport \"time\"\nvar a = time.Now()\nvar d = 3 * time.Second\nvar now = x.Now()\n"))
	if err != nil || len(found) != 1 || !strings.HasPrefix(found[0], "audit/a.go:3:9 calls time.Now") {
		t.Errorf("found %q, %v; want the call of line 3", found, err)
	}
}

func TestASleepInATestIsFoundUnlessItsTimeIsMadeUp(t *testing.T) {
	for text, want := range map[string]int{
		"import \"testing\"\n\ttime.Sleep(1)\n":                                 1,
		"import (\n\t\"testing\"\n\t\"testing/synctest\"\n)\n\ttime.Sleep(1)\n": 0,
		"import \"testing\"\n":                                                  0,
	} {
		if found := Sleeps("a_test.go", []byte(text)); len(found) != want {
			t.Errorf("%q: found %q, want %d", text, found, want)
		}
	}
	if found := Sleeps("a.go", []byte("\ttime.Sleep(1)\n")); len(found) > 0 {
		t.Errorf("found in a file that is no test: %q", found)
	}
}

func TestPureFilesAreKnownByTheirFolder(t *testing.T) {
	for name, want := range map[string]bool{
		"audit/plan.go": true, "audit/plan_test.go": false, "audit/reconcile/sweep.go": false, "enforcement/rules/a.go": true, "main.go": false,
	} {
		if got := isPure(name); got != want {
			t.Errorf("isPure(%s) = %v, want %v", name, got, want)
		}
	}
}
