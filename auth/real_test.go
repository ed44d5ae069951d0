package auth_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/auth"
	"gatecamp/internal/secret"
)

// The databases and answers that .ci/auth/fill.sh makes with Alliance Auth's own code. The URL is that of the read-only user with the
// grants of docs/auth.md and nothing else.

func TestAgainstAllianceAuthOnMariaDBEveryAccountIsTheSame(t *testing.T) {
	againstAllianceAuth(t, "GATECAMP_TEST_AUTH_MARIADB_URL", "GATECAMP_TEST_AUTH_MARIADB_ANSWERS")
}

func TestAgainstAllianceAuthOnPostgresEveryAccountIsTheSame(t *testing.T) {
	againstAllianceAuth(t, "GATECAMP_TEST_AUTH_POSTGRES_URL", "GATECAMP_TEST_AUTH_POSTGRES_ANSWERS")
}

func againstAllianceAuth(t *testing.T, urlName, answersName string) {
	t.Helper()
	url, answers := os.Getenv(urlName), os.Getenv(answersName)
	if url == "" || answers == "" {
		t.Skipf("%s and %s are not set: .ci/auth/fill.sh makes both", urlName, answersName)
	}
	d := read(t, url)
	if d.Edition != "5" {
		t.Errorf("edition %q, want 5", d.Edition)
	}
	if v := audit.JudgeAuth(d.Counts, nil, audit.DefaultThresholds()); v.Health != audit.Healthy {
		t.Errorf("a fresh Auth is %s: %v", v.Health, v.Reasons)
	}
	if n := d.Counts[audit.Orphans]; n != 0 {
		t.Errorf("%d orphans in a database with foreign keys", n)
	}
	var out bytes.Buffer
	if err := auth.WriteAccounts(&out, d); err != nil {
		t.Fatal(err)
	}
	want, err := os.Open(answers)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = want.Close() }()
	different, accounts := 0, lines(t, bufio.NewScanner(want))
	for i, ours := range lines(t, bufio.NewScanner(&out)) {
		if i >= len(accounts) {
			t.Fatalf("Auth has %d accounts, we have more: %v", len(accounts), ours)
		}
		if diff := cmp.Diff(accounts[i], ours); diff != "" {
			if different++; different <= 5 {
				t.Errorf("account %v (-Auth +ours):\n%s", accounts[i]["user_id"], diff)
			}
		}
		accounts[i]["seen"] = true
	}
	for _, a := range accounts {
		if a["seen"] == nil {
			t.Errorf("account %v is missing", a["user_id"])
		}
	}
	if len(accounts) < 500 {
		t.Errorf("only %d accounts were compared", len(accounts))
	}
	t.Logf("%d accounts compared, %d different", len(accounts), different)
}

func lines(t *testing.T, in *bufio.Scanner) (all []map[string]any) {
	t.Helper()
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var one map[string]any
		if err := json.Unmarshal(in.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// read opens, reads and closes.
func read(tb testing.TB, url string) *audit.Directory {
	tb.Helper()
	r, err := auth.Open(secret.New(url))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	d, err := r.Read(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
