package auth_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/auth"
	"gatecamp/auth/authtest"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// bell is the table as Auth has it (alliance-auth 5.5, notifications/migrations), in types that all three databases know.
const bell = `CREATE TABLE notifications_notification (id %s, user_id integer NOT NULL, level varchar(10) NOT NULL,
	title varchar(254) NOT NULL, message text NOT NULL, timestamp %s NOT NULL, viewed bool NOT NULL)`

func bellOf(d authtest.Dialect) string {
	id, moment := "integer PRIMARY KEY", "datetime"
	switch d {
	case authtest.MySQLDialect:
		id, moment = "integer AUTO_INCREMENT PRIMARY KEY", "datetime(6)"
	case authtest.PostgresDialect:
		id, moment = "serial PRIMARY KEY", "timestamptz"
	case authtest.SQLiteDialect:
	}
	return strings.Replace(strings.Replace(bell, "%s", id, 1), "%s", moment, 1)
}

func TestANoticeIsWrittenForEachUser(t *testing.T) {
	try := func(t *testing.T, db *sql.DB, d authtest.Dialect, url string) {
		n, err := auth.OpenNotices(secret.New(url))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = n.Close() }()
		notice := auth.Notice{Level: auth.Danger, Title: strings.Repeat("ж", 300), Text: "No audit has succeeded since noon.", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		if err := n.Write(t.Context(), []int64{1, 2}, notice); problem.KindOf(err) != problem.Refused || !strings.Contains(err.Error(), "INSERT on notifications_notification") {
			t.Fatalf("without the table: %v", err)
		}
		execute(t, db, bellOf(d))
		if err := n.Write(t.Context(), []int64{1, 2}, notice); err != nil {
			t.Fatal(err)
		}
		rows, err := db.QueryContext(t.Context(), "SELECT user_id, level, title, message, viewed FROM notifications_notification ORDER BY user_id")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		type row struct {
			User                  int64
			Level, Title, Message string
			Viewed                bool
		}
		var got []row
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.User, &r.Level, &r.Title, &r.Message, &r.Viewed); err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		title := strings.Repeat("ж", 254)
		want := []row{{1, "danger", title, notice.Text, false}, {2, "danger", title, notice.Text, false}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		url := authtest.SQLite(t, authtest.Small())
		db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		try(t, db, authtest.SQLiteDialect, url)
	})
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			try(t, s.db, s.dialect, s.url)
		})
	}
}

func TestANoticeThatCannotBeWrittenTellsNoPassword(t *testing.T) {
	n, err := auth.OpenNotices(secret.New("mysql://bell:canaryhunter2@127.0.0.1:1/aa"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	err = n.Write(t.Context(), []int64{1}, auth.Notice{Level: auth.Info, Title: "t", Text: "t"})
	if problem.KindOf(err) != problem.Held || strings.Contains(err.Error(), "canaryhunter2") {
		t.Errorf("%v", err)
	}
}
