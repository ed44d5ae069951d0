package postgres_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gatecamp/internal/secret"
	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// schema is a migrated schema of its own in the database of the environment.
type schema struct{ address secret.String }

func fresh(t testing.TB) storagetest.Database {
	s := empty(t)
	if _, err := migrations.Up(t.Context(), s.SQL(t), migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	return s
}

func empty(t testing.TB) schema {
	t.Helper()
	address := os.Getenv("GATECAMP_TEST_POSTGRES_URL")
	if address == "" {
		t.Skip("GATECAMP_TEST_POSTGRES_URL is not set: no Postgres to test against")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("GATECAMP_TEST_POSTGRES_URL is not a URL")
	}
	name := "test_" + strings.ToLower(rand.Text())
	root := schema{secret.New(address)}.SQL(t)
	if _, err := root.ExecContext(t.Context(), `CREATE SCHEMA `+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's context has ended by now.
		if _, err := root.Exec(`DROP SCHEMA ` + name + ` CASCADE`); err != nil { //nolint:noctx // see above
			t.Error(err)
		}
	})
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return schema{secret.New(u.String())}
}

func (s schema) open(t testing.TB) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), s.address, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func (s schema) Open(t testing.TB) storage.Store { return s.open(t) }

func (s schema) SQL(t testing.TB) *sql.DB { return s.open(t).SQL() }

// Die lets the leases end as they do when nobody renews them, without the wait.
func (s schema) Die(t testing.TB, store storage.Store) {
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SQL(t).ExecContext(t.Context(), `UPDATE lease SET ends_at = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
}

func (s schema) LeasesEnd() bool { return true }

func TestStore(t *testing.T) { storagetest.Run(t, fresh) }
