package auth

import (
	"context"
	"database/sql/driver"
	"strings"
	"sync"
	"testing"

	"gatecamp/auth/authtest"
	"gatecamp/internal/secret"
)

// counting passes everything on and keeps the statements.
type counting struct {
	driver.Connector
	mu         sync.Mutex
	statements []string
}

func (c *counting) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return countingConn{conn, c}, err
}

func (c *counting) add(statement string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statements = append(c.statements, statement)
}

type countingConn struct {
	driver.Conn
	to *counting
}

func (c countingConn) QueryContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Rows, error) {
	c.to.add(statement)
	inner, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return inner.QueryContext(ctx, statement, args)
}

func (c countingConn) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	c.to.add(statement)
	inner, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return inner.ExecContext(ctx, statement, args)
}

// counted is a reader of a made-up Auth whose statements are counted.
func counted(t *testing.T, w authtest.World) (*Reader, *counting) {
	t.Helper()
	target, err := parse(secret.New(authtest.SQLite(t, w)))
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{Connector: target.connector}
	r := open(target, c)
	t.Cleanup(func() { _ = r.Close() })
	return r, c
}

func TestAReadTakesFourteenStatementsWhateverTheNumberOfUsers(t *testing.T) {
	for _, users := range []int{3, 3_000} {
		p := authtest.Population{Seed: 2, Users: users, Memberships: users, Links: users / 2, Chars: users * 2, Groups: 30, Permissions: 100}
		r, counted := counted(t, p.World())
		d, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Accounts) != users || len(counted.statements) > 14 {
			t.Errorf("%d users took %d statements:\n%s", len(d.Accounts), len(counted.statements), strings.Join(counted.statements, "\n"))
		}
		for _, s := range counted.statements {
			for _, never := range []string{"*", "password", "email", "token", "owner_hash", "INSERT", "UPDATE", "DELETE"} {
				if strings.Contains(s, never) {
					t.Errorf("%q in %s", never, s)
				}
			}
		}
	}
}

func TestEveryColumnThatIsReadIsAmongThoseThatAreGranted(t *testing.T) {
	r, counted := counted(t, authtest.Small())
	if _, err := r.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(counted.statements, "\n")
	for _, table := range needed {
		if !strings.Contains(all, table.name) {
			t.Errorf("%s is granted and never read", table.name)
		}
	}
}

func TestRightsBeyondReadingAreFoundInShowGrants(t *testing.T) {
	for line, want := range map[string]string{
		"GRANT USAGE ON *.* TO `ro`@`%` IDENTIFIED BY PASSWORD '*CANARY'":              "",
		"GRANT SELECT (`id`, `username`), SELECT ON `aa`.`auth_user` TO `ro`@`%`":      "",
		"GRANT SELECT, INSERT (`id`), UPDATE ON `aa`.* TO `ro`@`%`":                    "INSERT UPDATE",
		"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION":          "ALL PRIVILEGES GRANT OPTION",
		"SET DEFAULT ROLE NONE FOR `ro`@`%`":                                           "",
		"GRANT SELECT (`user_id`, `main_character_id`) ON `aa`.`x, y` TO `a ON b`@`%`": "",
	} {
		if got := strings.Join(beyondSelect([]string{line}), " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAReaderCannotWrite(t *testing.T) {
	target, err := parse(secret.New(authtest.SQLite(t, authtest.Small())))
	if err != nil {
		t.Fatal(err)
	}
	r := open(target, target.connector)
	defer func() { _ = r.Close() }()
	for _, s := range []string{"DELETE FROM auth_user", "CREATE TABLE x (y int)", "UPDATE auth_user SET is_active = 1"} {
		if _, err := r.db.ExecContext(t.Context(), s); err == nil {
			t.Errorf("%s went through", s)
		}
	}
}

func TestWhatHasNotChangedIsNotReadAgain(t *testing.T) {
	r, counted := counted(t, authtest.Small())
	for i, most := range []int{15, 4, 4} { // begin, digest, clock, end
		counted.statements = nil
		if _, err := r.Current(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(counted.statements) > most {
			t.Errorf("look %d took %d statements, want %d at most:\n%s", i, len(counted.statements), most, strings.Join(counted.statements, "\n"))
		}
	}
}

func TestADigestReadsEveryColumnThatARealReadDoes(t *testing.T) {
	for _, e := range []engine{mysqlEngine, postgresEngine} {
		statement, columns := e.token()
		if columns != len(needed) {
			t.Errorf("%s: %d columns for %d tables", e, columns, len(needed))
		}
		for _, table := range needed {
			for _, column := range table.columns {
				part, _, _ := strings.Cut(statement, " FROM "+table.name+")")
				if !strings.Contains(part[strings.LastIndex(part, "(SELECT "):], column) {
					t.Errorf("%s: %s.%s is not digested", e, table.name, column)
				}
			}
		}
		for _, never := range []string{"*,", "password", "email", "token", "owner_hash"} {
			if strings.Contains(statement, never) {
				t.Errorf("%s: %q in %s", e, never, statement)
			}
		}
	}
}
