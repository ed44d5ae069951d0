package auth

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
)

// Notices writes notifications into Auth, as its own pages show them behind the bell. It is the only thing here that writes, into one
// table, and only where an operator has given it a database user of its own that may INSERT there.
//
// Auth does not support rows from outside: its number of unread ones is cached for a day and may not change at once, and its limit of
// 50 for each user is not kept (measured on Alliance Auth 5).
type Notices struct {
	db     *sql.DB
	target target
}

// OpenNotices takes GATECAMP_AUTH_NOTIFY_URL: mysql://user:password@host:port/database, postgres://… or sqlite:FILE, as Open does.
// It connects to nothing yet.
func OpenNotices(address secret.String) (*Notices, error) {
	target, err := parse(address)
	if err != nil {
		return nil, err
	}
	switch c := target.connector.(type) {
	case mysqlSession:
		target.connector = c.Connector
	case sqliteFile:
		name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: target.place}).EscapedPath(), RawQuery: "mode=rw&_pragma=busy_timeout(5000)"}
		target.connector = sqliteFile(name.String())
	}
	db := sql.OpenDB(target.connector)
	db.SetMaxOpenConns(1)
	db.SetConnMaxIdleTime(time.Minute)
	return &Notices{db, target}, nil
}

// Close gives the connection back.
func (n *Notices) Close() error { return n.db.Close() }

// Level is how Auth shows a notification.
type Level string

// The levels of Auth's notifications that are used.
const (
	Info    Level = "info"
	Warning Level = "warning"
	Danger  Level = "danger"
)

// Auth's own bound on a title, in characters (notifications_notification.title).
const mostTitle = 254

// Notice is what is written to each of some users.
type Notice struct {
	Level Level
	Title string // what is beyond 254 characters is cut off
	Text  string
	At    time.Time
}

// Write gives the notice to all the users, or, with an error, to none.
func (n *Notices) Write(ctx context.Context, users []int64, notice Notice) (err error) {
	defer wrap.Err(&err, "notifications in Auth for %d users", len(users))
	if err := n.write(ctx, users, notice); err != nil {
		return n.explain(ctx, err)
	}
	return nil
}

func (n *Notices) write(ctx context.Context, users []int64, notice Notice) error {
	tx, err := n.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	title := []rune(notice.Title)
	for _, user := range users {
		_, err := tx.ExecContext(ctx, n.target.engine.insertNotice(), user, string(notice.Level), string(title[:min(len(title), mostTitle)]), notice.Text, notice.At.UTC(), false)
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (e engine) insertNotice() string {
	const into = "INSERT INTO notifications_notification (user_id, level, title, message, timestamp, viewed) VALUES "
	if e == postgresEngine {
		return into + "($1, $2, $3, $4, $5, $6)"
	}
	return into + "(?, ?, ?, ?, ?, ?)"
}

// explain says what to do, without the password that a driver's text may hold.
func (n *Notices) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	cause := n.target.scrub(err)
	switch kindOf(err) {
	case denied, missingTable, missingColumn:
		return problem.New(problem.Refused, fmt.Sprintf("Auth's database (%s) takes no notification from %s; nothing was written", n.target.place, n.target.user),
			"give that user INSERT on notifications_notification (docs/auth.md), or unset GATECAMP_AUTH_NOTIFY_URL").Because(cause)
	case none, otherwise, unreachable, unknownHost, wrongPassword, wrongDatabase, noEncryption, busy, missingFile, notADatabase:
	}
	return problem.New(problem.Held, fmt.Sprintf("Auth's database (%s) took no notification; nothing was written", n.target.place),
		"check that it runs, and the address in GATECAMP_AUTH_NOTIFY_URL").Because(cause)
}
