package auth_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/auth"
	"gatecamp/auth/authtest"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// servers are the databases that a test runs on when their URLs are set.
var servers = []string{"GATECAMP_TEST_MARIADB_URL", "GATECAMP_TEST_POSTGRES_URL"}

// server is an Auth of a test's own.
type server struct {
	db      *sql.DB
	url     string
	dialect authtest.Dialect
}

func start(t *testing.T, name string, w authtest.World) server {
	t.Helper()
	db, url, dialect := database(t, name)
	if err := w.Fill(t.Context(), db, dialect); err != nil {
		t.Fatal(err)
	}
	return server{db, url, dialect}
}

func execute(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// reader makes the user that docs/auth.md describes, with the statements of .ci/auth, less those that without names.
func reader(t *testing.T, s server, without ...string) string {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimPrefix(u.Path, "/")
	user := "ro_" + base[max(0, len(base)-20):]
	file, drop := "../.ci/auth/grants-postgres.sql", []string{"DROP OWNED BY " + user, "DROP ROLE " + user}
	if s.dialect == authtest.MySQLDialect {
		file, drop = "../.ci/auth/grants-mysql.sql", []string{"DROP USER '" + user + "'@'%'"}
	}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.NewReplacer("gatecamp_ro", user, "choose-a-password", "canary-pw", " aa.", " "+base+".", "DATABASE aa", "DATABASE "+base)
	for statement := range strings.SplitSeq(names.Replace(strings.TrimSpace(string(script))), "\n") {
		skip := false
		for _, table := range without {
			skip = skip || strings.Contains(statement, table+" ")
		}
		if !skip {
			execute(t, s.db, statement)
		}
	}
	t.Cleanup(func() {
		for _, statement := range drop {
			if _, err := s.db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
				t.Error(err)
			}
		}
	})
	u.User = url.UserPassword(user, "canary-pw")
	return u.String()
}

func TestEveryEngineGivesTheSameAnswers(t *testing.T) {
	w := authtest.Population{Seed: 3, Users: 300, Memberships: 900, Links: 200, Chars: 500, Groups: 40, Permissions: 150}.World()
	w.Groups = append(w.Groups, authtest.Group{Name: "🚀 Ünïcode "}, authtest.Group{Name: "🛸 Unicode"}, authtest.Group{Name: strings.Repeat("🚀", 150)})
	for i := range w.Groups {
		w.Users[i].Groups = append(w.Users[i].Groups, w.Groups[len(w.Groups)-1-i].Name)
	}
	answers := func(t *testing.T, url string) string {
		t.Helper()
		var out bytes.Buffer
		if err := auth.WriteAccounts(&out, read(t, url)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := read(t, authtest.SQLite(t, w))
	lines := answers(t, authtest.SQLite(t, w))
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, w)
			ro := reader(t, s)
			if diff := cmp.Diff(lines, answers(t, ro)); diff != "" {
				t.Errorf("(-SQLite +%s):\n%s", s.dialect, diff)
			}
			got := read(t, ro)
			delete(got.Counts, audit.ClockSkew)
			if diff := cmp.Diff(want.Counts, got.Counts); diff != "" {
				t.Error(diff)
			}
			if got.Fingerprint != want.Fingerprint {
				t.Error("the same Auth on another engine has another fingerprint")
			}
			for i := range got.Accounts {
				if got.Accounts[i].Revision != want.Accounts[i].Revision {
					t.Fatalf("revision of %s differs", got.Accounts[i].Username)
				}
			}
		})
	}
}

func TestAMissingGrantIsNamedWithTheStatementThatGivesIt(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			p := failure(t, reader(t, s, "auth_user_groups", "eveonline_evecharacter"))
			for _, want := range []string{"GRANT SELECT (user_id, group_id) ON ", "auth_user_groups TO ", "GRANT SELECT ON ", "eveonline_evecharacter TO "} {
				if p.Kind != problem.Usage || !strings.Contains(p.Cure, want) || strings.Contains(p.Cure, "auth_permission") {
					t.Errorf("%q is not in %s", want, p)
				}
			}
			quiet(t, p)
		})
	}
}

func TestAScheduleThatIsNotGrantedIsNoHindrance(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			d := read(t, reader(t, s, "django_celery_beat_periodictask"))
			if _, known := d.Counts[audit.BeatAge]; known || len(d.Accounts) != 4 {
				t.Errorf("%v", d.Counts)
			}
		})
	}
}

func TestDamageOnAServerIsNamed(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			execute(t, s.db, "ALTER TABLE auth_user DROP COLUMN is_superuser")
			if p := failure(t, s.url); p.Kind != problem.Held || !strings.Contains(p.What, "auth_user.is_superuser") {
				t.Errorf("%s", p)
			}
			execute(t, s.db, "DROP TABLE authentication_state")
			if p := failure(t, s.url); p.Kind != problem.Held || !strings.Contains(p.What, "no table authentication_state;") {
				t.Errorf("%s", p)
			}
		})
	}
}

func TestAWrongPasswordAndAWrongDatabaseAreSaid(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			u, err := url.Parse(s.url)
			if err != nil {
				t.Fatal(err)
			}
			u.Path = "/no_such_database"
			if p := failure(t, u.String()); p.Kind != problem.Usage || !strings.Contains(p.What, "no_such_database") {
				t.Errorf("%s", p)
			}
			u.User = url.UserPassword("nobody_at_all", "canary-pw")
			p := failure(t, u.String())
			if p.Kind != problem.Usage || !strings.Contains(p.What, "refuses the user or the password") {
				t.Errorf("%s: %s", s.dialect, p)
			}
			quiet(t, p)
		})
	}
}

func TestAReadIsOneSnapshotAndHoldsNothing(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			r, err := auth.Open(secret.New(s.url))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			if err := move(t.Context(), s.db, 1); err != nil {
				t.Fatal(err)
			}
			stop, stopped := make(chan struct{}), make(chan error, 1)
			go func() { // moves ann from one group to the other, always in one transaction
				for i := 0; ; i++ {
					select {
					case <-stop:
						stopped <- nil
						return
					default:
					}
					if err := move(t.Context(), s.db, i%2); err != nil {
						stopped <- err
						return
					}
				}
			}()
			for range 50 {
				d, err := r.Read(t.Context())
				if err != nil {
					t.Error(err)
					break
				}
				group := groupNames(d, account(t, d, "ann"))
				name := account(t, d, "ann").Main.Name
				if len(group) != 1 || name != "Ann of "+group[0] {
					t.Errorf("ann %q is in %q: not of one moment", name, group)
					break
				}
			}
			close(stop)
			if err := <-stopped; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func move(ctx context.Context, db *sql.DB, to int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	group := []string{"Fleet Commanders", "Directors"}[to]
	for _, s := range []string{
		"DELETE FROM auth_user_groups WHERE user_id = 2",
		"INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (" + []string{"91, 2, 1", "92, 2, 2"}[to] + ")",
		"UPDATE eveonline_evecharacter SET character_name = 'Ann of " + group + "' WHERE id = 2",
	} {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func TestInspectWarnsOfRightsAndEnginesAndIsSilentForTheDocumentedUser(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			if warnings := inspect(t, reader(t, s)); len(warnings) > 0 {
				t.Errorf("the documented user: %q", warnings)
			}
			all := strings.Join(inspect(t, s.url), "\n")
			for _, want := range []string{"may do more", "auth_user.password", "esi_token"} {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not in %q", want, all)
				}
			}
			if s.dialect == authtest.MySQLDialect {
				execute(t, s.db, "ALTER TABLE auth_group ENGINE=MyISAM")
				if all := strings.Join(inspect(t, s.url), "\n"); !strings.Contains(all, "not InnoDB (auth_group)") {
					t.Errorf("%q", all)
				}
			}
		})
	}
}

func inspect(t *testing.T, url string) []string {
	t.Helper()
	r, err := auth.Open(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	warnings, err := r.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return warnings
}
