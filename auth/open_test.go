package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecamp/auth"
	"gatecamp/auth/authtest"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// failure opens and reads, expecting a Problem from one of the two.
func failure(t *testing.T, url string) *problem.Problem {
	t.Helper()
	r, err := auth.Open(secret.New(url))
	if err == nil {
		t.Cleanup(func() { _ = r.Close() })
		_, err = r.Read(t.Context())
	}
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		t.Fatalf("no problem but %v", err)
	}
	if p.Cure == "" {
		t.Errorf("no cure: %s", p.What)
	}
	return p
}

func TestAURLOfAnotherFormIsRefusedWithTheFourForms(t *testing.T) {
	for _, url := range []string{
		"", "mysql", "oracle://u:canary-pw@host/db", "snapshot:file.json", "/var/lib/auth.sqlite3", "mysql://", "mysql://host/db", "mysql://u:canary-pw@/db",
		"mysql://u:canary-pw@host", "mysql://u:canary-pw@host/a/b", "postgres://u:canary-pw@host/", "postgres://u:canary-pw@host:port/db",
		"mysql://u:canary-pw%zz@host/db", "mysql://u:canary-pw#@host/db", "sqlite:", "sqlite://", "mysql://u:canary-pw@ho st/db", "mysql://u:canary/pw@host/db",
		"postgres://u:canary-pw@host/db?sslmode=whatever", "mysql://u:canary-pw@host/db?tls=canary-pw", "mysql://u:canary-pw@host/db?allowAllFiles=true",
	} {
		p := failure(t, url)
		if p.Kind != problem.Usage {
			t.Errorf("%s: %s", url, p.Kind)
		}
		if !strings.Contains(p.Cure, "snapshot:FILE") && !strings.Contains(p.Cure, "tls=true") {
			t.Errorf("%s: %s", url, p)
		}
		quiet(t, p)
	}
}

// quiet fails if an error, or anything below it, shows the password in any form.
func quiet(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			if strings.Contains(text, "canary") {
				t.Errorf("the password is in %q", text)
			}
		}
	}
}

func TestAPasswordIsInNoError(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"mysql", "postgres"} {
		for _, password := range []string{"canary-pw", "canary%40%2F%23pw", "canary%20pw"} {
			url := scheme + "://ann:" + password + "@" + closed + "/aa"
			p := failure(t, url)
			if p.Kind != problem.Held || !strings.Contains(p.What, "cannot be reached") || !strings.Contains(p.What, closed) {
				t.Errorf("%s: %s", scheme, p)
			}
			quiet(t, p)
			r, err := auth.Open(secret.New(url))
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Inspect(t.Context())
			quiet(t, err)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAnUnknownHostIsSaid(t *testing.T) {
	for _, scheme := range []string{"mysql", "postgres"} {
		p := failure(t, scheme+"://ann:canary-pw@no-such-host.invalid/aa")
		// Without any name server the answer is that nothing can be reached.
		if !strings.Contains(p.What, "nobody knows") && !strings.Contains(p.What, "cannot be reached") {
			t.Errorf("%s: %s", scheme, p)
		}
		quiet(t, p)
	}
}

func TestAnEndedContextStaysOne(t *testing.T) {
	r, err := auth.Open(secret.New(authtest.SQLite(t, authtest.Small())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := r.Read(t.Context()); err != nil {
		t.Errorf("the next read: %v", err)
	}
}

func TestAFileThatIsNoAuthIsSaid(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(folder, "missing.sqlite3")
	for url, want := range map[string]string{
		"sqlite:" + missing: "does not exist",
		"sqlite:" + folder:  "damaged or no SQLite database",
		"sqlite:" + text:    "no SQLite database",
	} {
		if p := failure(t, url); !strings.Contains(p.What, want) {
			t.Errorf("%s: %s", url, p)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Error("the missing file was made")
	}
	empty := filepath.Join(folder, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := failure(t, "sqlite:"+empty); !strings.Contains(p.What, "none of Alliance Auth's tables") || p.Kind != problem.Usage {
		t.Errorf("%s", p)
	}
}

func TestWhatIsMissingIsNamedWithItsCure(t *testing.T) {
	for _, c := range []struct {
		damage []string
		kind   problem.Kind
		what   []string
		cure   string
	}{
		{[]string{"DROP TABLE discord_discorduser"}, problem.Usage, []string{"Discord service is not installed"}, "INSTALLED_APPS"},
		{[]string{"DROP TABLE discord_discorduser", "DROP TABLE eveonline_evecharacter"}, problem.Held, []string{"discord_discorduser", "eveonline_evecharacter", "restore"}, "wait"},
		{[]string{"DROP TABLE authentication_state_permissions"}, problem.Held, []string{"authentication_state_permissions", "restore"}, "wait"},
		{[]string{"ALTER TABLE auth_user DROP COLUMN is_superuser", "ALTER TABLE authentication_state DROP COLUMN priority"}, problem.Held, []string{"auth_user.is_superuser", "authentication_state.priority", "update in progress"}, "migrations"},
	} {
		url := authtest.SQLite(t, authtest.Small())
		authtest.Exec(t, url, c.damage...)
		p := failure(t, url)
		if p.Kind != c.kind || !strings.Contains(p.Cure, c.cure) {
			t.Errorf("%s: %s (%s)", c.damage, p, p.Kind)
		}
		for _, want := range c.what {
			if !strings.Contains(p.What, want) {
				t.Errorf("%s: %q does not say %q", c.damage, p.What, want)
			}
		}
	}
}

func TestTheFileNameMayHoldAnything(t *testing.T) {
	url := authtest.SQLite(t, authtest.Small())
	odd := filepath.Join(t.TempDir(), "a b?c#d%20&mode=rwc.sqlite3")
	content, err := os.ReadFile(strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(odd, content, 0o400); err != nil {
		t.Fatal(err)
	}
	if d := read(t, "sqlite:"+odd); len(d.Accounts) != 4 {
		t.Errorf("%d accounts", len(d.Accounts))
	}
}
