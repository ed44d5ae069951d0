package auth_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"gatecamp/auth"
	"gatecamp/auth/authtest"
	"gatecamp/internal/secret"
)

// database makes an empty database on the server of a test URL for this test alone, and returns it with its GATECAMP_AUTH_URL.
func database(tb testing.TB, name string) (*sql.DB, string, authtest.Dialect) {
	tb.Helper()
	raw := os.Getenv(name)
	if raw == "" {
		tb.Skipf("%s is not set: mysql:// or postgres:// of a user who may create databases", name)
	}
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal("the test URL cannot be read")
	}
	dialect, driver := authtest.PostgresDialect, "pgx"
	if u.Scheme == "mysql" {
		dialect, driver = authtest.MySQLDialect, "mysql"
	}
	dsn := func(base string) string {
		if dialect == authtest.PostgresDialect {
			copied := *u
			copied.Path = "/" + base
			return copied.String()
		}
		password, _ := u.User.Password()
		return fmt.Sprintf("%s:%s@tcp(%s)/%s?charset=utf8mb4&interpolateParams=true&maxAllowedPacket=0", u.User.Username(), password, u.Host, base)
	}
	admin, err := sql.Open(driver, dsn(strings.TrimPrefix(u.Path, "/")))
	if err != nil {
		tb.Fatal(err)
	}
	own := fmt.Sprintf("gatecamp_auth_%d_%s", os.Getpid(), strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, tb.Name())))
	own = own[:min(len(own), 60)]
	options := ""
	if dialect == authtest.MySQLDialect {
		options = " CHARACTER SET utf8mb4"
	}
	if _, err := admin.ExecContext(tb.Context(), "CREATE DATABASE "+own+options); err != nil {
		tb.Fatal(err)
	}
	db, err := sql.Open(driver, dsn(own))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = db.Close()
		if _, err := admin.ExecContext(context.WithoutCancel(tb.Context()), "DROP DATABASE "+own); err != nil {
			tb.Error(err)
		}
		_ = admin.Close()
	})
	u.Path = "/" + own
	return db, u.String(), dialect
}

func BenchmarkRead(b *testing.B) { onEach(b, benchmarkRead) }

// What a live look costs when nothing has changed.
func BenchmarkCurrent(b *testing.B) {
	onEach(b, func(b *testing.B, url string) {
		b.Helper()
		benchmark(b, url, func(r *auth.Reader) error { _, err := r.Current(b.Context()); return err })
	})
}

func BenchmarkDigest(b *testing.B) {
	onEach(b, func(b *testing.B, url string) {
		b.Helper()
		benchmark(b, url, func(r *auth.Reader) error { _, err := r.Digest(b.Context()); return err })
	})
}

func benchmark(b *testing.B, url string, one func(r *auth.Reader) error) {
	b.Helper()
	r, err := auth.Open(secret.New(url))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if err := one(r); err != nil { // the first reads all of it
		b.Fatal(err)
	}
	for b.Loop() {
		if err := one(r); err != nil {
			b.Fatal(err)
		}
	}
}

// onEach measures on a large Auth in each database that there is.
func onEach(b *testing.B, measure func(b *testing.B, url string)) {
	b.Helper()
	world := authtest.Large().World()
	b.Run("SQLite", func(b *testing.B) { measure(b, authtest.SQLite(b, world)) })
	for engine, name := range map[string]string{"MariaDB": "GATECAMP_TEST_MARIADB_URL", "Postgres": "GATECAMP_TEST_POSTGRES_URL"} {
		b.Run(engine, func(b *testing.B) {
			db, url, dialect := database(b, name)
			if err := world.Fill(b.Context(), db, dialect); err != nil {
				b.Fatal(err)
			}
			measure(b, url)
		})
	}
}

func benchmarkRead(b *testing.B, url string) {
	b.Helper()
	r, err := auth.Open(secret.New(url))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	d, err := r.Read(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if len(d.Accounts) != 20_000 {
		b.Fatalf("%d accounts", len(d.Accounts))
	}
	b.ReportAllocs()
	for b.Loop() {
		if d, err = r.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	runtime.KeepAlive(d)
}
