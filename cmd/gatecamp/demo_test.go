//go:build !race

// disgo's gateway is not race-clean: its connection and heartbeat share fields without a lock.

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheDemoSaysWhatBecameOfEachStep(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	tt.env, tt.now = map[string]string{}, time.Now() // the made-up Discord goes by the real clock
	kept := filepath.Join(tt.dir, "kept")
	got := tt.ok("demo", "--json", "--dir", kept).object()
	if got["ok"] != true || len(items(got, "steps")) < 10 {
		t.Errorf("demo: %v", got)
	}
	if _, err := os.Stat(filepath.Join(kept, databaseFile)); err != nil {
		t.Errorf("--dir kept nothing: %v", err)
	}
	tt.run("demo", "--dir", kept).exits(exitUsage).says("holds a database already")
}

func TestADemoThatShowsSomethingElseThanItSaysFails(t *testing.T) {
	t.Parallel()
	s := &story{before: map[string][]string{"1": {"11"}, "2": {}}}
	done := `{"actions":[{"member_id":"1","kind":"remove_role","role_id":"11","held":[],"outcome":%s},{"member_id":"2","kind":"kick","held":["kicks"],"outcome":null}]}`
	for name, c := range map[string]struct{ output, says string }{
		"an empty plan":                  {`{"actions":[]}`, "empty"},
		"a role that was not taken":      {strings.Replace(done, "%s", "null", 1), "was not taken"},
		"a kick that no brake held":      {strings.Replace(strings.Replace(done, "%s", `"done"`, 1), `["kicks"]`, `[]`, 1), "did not hold"},
		"something that is no plan":      {"{", "JSON"},
		"findings that are not the same": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			check := s.asDiscordSaw
			if c.output == "" {
				s.findings = "before"
				check = s.same
			}
			if err := check(c.output); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
	if err := same(map[string][]string{"1": {"11"}}, map[string][]string{"1": {}}); err == nil {
		t.Error("a lost role is not noticed")
	}
	if err := same(map[string][]string{"1": {}, "2": {}}, map[string][]string{"1": {}}); err == nil {
		t.Error("a member who is gone is not noticed")
	}
}

func TestTheDemoTellsItsStoryHoldsItAgainstDiscordAndStaysUpWhenItShall(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"demo", "--keep"}, &console{in: strings.NewReader(""), out: writer, err: io.Discard, now: time.Now, user: "tester"})
		ended <- err
		_ = writer.CloseWithError(io.EOF)
	}()
	var said strings.Builder
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "Auth is still broken") {
			stop()
		}
	}
	if err := <-ended; err == nil {
		t.Error("it did not say that it was stopped")
	}
	for _, want := range []string{
		"=== The lock holds", "Sable Kest", "held by the brake on kicks", "=== Auth breaks", "read now: blind", "| 11 changes were made, to 9 members.", "11 writes, 0 of them refused; nobody was removed but the one who was blocked", "=== Someone is blocked", "for good", "  done        100000000000000005: kick",
		"nothing would be changed in Discord", "revoked", "unblocked   member:900000000000000001:100000000000000005",
		"export GATECAMP_DISCORD_API_URL=http://127.0.0.1:", "gatecamp audit explain", "/audit-log",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, said.String())
		}
	}
}
