package migrations_test

import (
	"cmp"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"gatecamp/migrations"
)

var update = flag.Bool("update", false, "write schema.sql anew")

// A database as its own catalogue describes it, in words that both databases share.
type column struct {
	table, name, kind string
	required          bool
}

type index struct {
	table, name, columns string
	unique, partial      bool
}

// What the catalogues say, less what goose, the job queue, the primary keys and the unnamed constraints bring.
var catalogue = map[migrations.Dialect]struct{ columns, indexes string }{
	migrations.SQLite: {
		`SELECT m.name, c.name, c.type, c."notnull" = 1 OR c.pk > 0 FROM sqlite_master m, pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version' AND m.name NOT LIKE 'river\_%' ESCAPE '\' ORDER BY m.name, c.cid`,
		`SELECT m.name, i.name, i."unique" = 1, i.partial = 1, (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
			FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'c' AND m.name NOT LIKE 'river\_%' ESCAPE '\'`,
	},
	migrations.Postgres: {
		`SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name <> 'goose_db_version' AND table_name NOT LIKE 'river\_%' ORDER BY table_name, ordinal_position`,
		`SELECT t.relname, c.relname, i.indisunique, i.indpred IS NOT NULL,
				(SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k(attnum, n) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum)
			FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
			WHERE t.relnamespace = current_schema()::regnamespace AND NOT i.indisprimary AND t.relname <> 'goose_db_version' AND t.relname NOT LIKE 'river\_%'`,
	},
}

var kinds = map[string]string{"INTEGER": "BIGINT", "bigint": "BIGINT", "bytea": "BLOB", "text": "TEXT", "boolean": "BOOLEAN", "timestamp with time zone": "TIMESTAMP"}

func read[T any](t *testing.T, db *sql.DB, query string, scan func(*sql.Rows) (T, error)) []T {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// describe writes a database's tables, columns and indexes down.
func describe(t *testing.T, db *sql.DB, dialect migrations.Dialect) string {
	t.Helper()
	columns := read(t, db, catalogue[dialect].columns, func(r *sql.Rows) (c column, err error) {
		err = r.Scan(&c.table, &c.name, &c.kind, &c.required)
		if same, known := kinds[c.kind]; known {
			c.kind = same
		}
		return c, err
	})
	indexes := read(t, db, catalogue[dialect].indexes, func(r *sql.Rows) (i index, err error) {
		err = r.Scan(&i.table, &i.name, &i.unique, &i.partial, &i.columns)
		return i, err
	})
	slices.SortFunc(indexes, func(a, b index) int { return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.name, b.name)) })
	var b strings.Builder
	b.WriteString("-- What the migrations make, in both databases: written by go test ./migrations -update. Types are SQLite's names; in Postgres\n" +
		"-- TIMESTAMP is TIMESTAMPTZ. The triggers that make records append-only stand in the migrations alone.\n")
	for i, c := range columns {
		if i == 0 || columns[i-1].table != c.table {
			fmt.Fprintf(&b, "\nCREATE TABLE %s (\n", c.table)
		}
		line := "\t" + c.name + " " + c.kind
		if c.required {
			line += " NOT NULL"
		}
		if i+1 < len(columns) && columns[i+1].table == c.table {
			b.WriteString(line + ",\n")
			continue
		}
		b.WriteString(line + "\n);\n")
		for _, x := range indexes {
			if x.table != c.table {
				continue
			}
			unique, partial := "", ""
			if x.unique {
				unique = "UNIQUE "
			}
			if x.partial {
				partial = " -- partial"
			}
			fmt.Fprintf(&b, "CREATE %sINDEX %s ON %s (%s);%s\n", unique, x.name, x.table, x.columns, partial)
		}
	}
	return b.String()
}

func TestBothDatabasesAreWhatSchemaSQLSays(t *testing.T) {
	eachDialect(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		if done, err := migrations.Up(t.Context(), db, dialect); err != nil || done.From != 0 || done.To == 0 {
			t.Fatalf("up from zero: %+v, %v", done, err)
		}
		got := describe(t, db, dialect)
		if *update && dialect == migrations.SQLite {
			if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil { //nolint:gosec // a source file
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("schema.sql")
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s differs from schema.sql (-want +got); if that is meant, go test ./migrations -update:\n%s", dialect, diff)
		}
	})
}

func TestBothDatabasesHaveTheSameMigrations(t *testing.T) {
	names := map[string][]string{}
	for _, dialect := range []string{"sqlite", "postgres"} {
		entries, err := os.ReadDir(dialect)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names[dialect] = append(names[dialect], e.Name())
		}
	}
	if diff := gocmp.Diff(names["sqlite"], names["postgres"]); diff != "" {
		t.Errorf("migrations differ (-sqlite +postgres):\n%s", diff)
	}
}

func exec(ctx context.Context, t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatal(err)
	}
}
