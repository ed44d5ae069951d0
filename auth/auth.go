// Package auth reads what Alliance Auth says about its users, straight from its database: MySQL or MariaDB, Postgres, SQLite.
//
// What must stay true: it only ever reads, in one snapshot of the database, and never a password, an e-mail address or a token; names
// are compared here and never by the database, whose collations call different names equal; no error holds the password of its URL.
package auth

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"time"

	"gatecamp/audit"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
)

// Reader reads one Alliance Auth. It may be used by several goroutines.
type Reader struct {
	db     *sql.DB
	target target

	mu   sync.Mutex
	last kept

	turn   chan struct{} // held by whoever uses pinned
	pinned pinned        // of a SQLite file
}

// Open takes GATECAMP_AUTH_URL: mysql://user:password@host:port/database, postgres://user:password@host:port/database or sqlite:FILE.
// It checks the form and connects to nothing: an Auth that is down is a matter for Read. A URL of another form is a problem.Problem.
func Open(url secret.String) (*Reader, error) {
	target, err := parse(url)
	if err != nil {
		return nil, err
	}
	return open(target, target.connector), nil
}

// open is apart from Open so that tests can count what goes through the connector.
func open(target target, connector driver.Connector) *Reader {
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(3)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if target.engine == sqliteEngine { // an open file goes on answering after another one has taken its name
		db.SetMaxIdleConns(0)
	}
	return &Reader{db: db, target: target, turn: make(chan struct{}, 1)}
}

// Close gives the connections back.
func (r *Reader) Close() error {
	r.turn <- struct{}{}
	if r.pinned.conn != nil {
		r.unpin()
	}
	<-r.turn
	return r.db.Close()
}

// Read reads every account, in one read-only snapshot and with at most 14 statements however many users there are. The error is a
// problem.Problem that says what is missing, and which grant or act mends it, unless ctx ended.
func (r *Reader) Read(ctx context.Context) (_ *audit.Directory, err error) {
	defer wrap.Err(&err, "auth.Read")
	d, err := r.read(ctx)
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	return d, nil
}

func (r *Reader) read(ctx context.Context) (_ *audit.Directory, err error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, r.target.engine.begin()); err != nil {
		return nil, err
	}
	defer func() { _ = rollback(ctx, conn) }()
	d, layout, err := assemble(ctx, query{conn: conn, engine: r.target.engine})
	if err == nil {
		r.learn(layout)
	}
	return d, err
}

// rollback ends the snapshot even when ctx has ended; a connection that cannot is thrown away.
func rollback(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := conn.ExecContext(ctx, "ROLLBACK")
	if err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}
