package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"gatecamp/storage"
	"gatecamp/storage/relational"
)

// database satisfies relational.Database.
type database struct {
	writer *statements
	reader *statements
	path   string
	file   fs.FileInfo // the file that was opened
	lock   *lock
}

// Write holds the file's write lock from the beginning, so that two writers wait for each other instead of failing half-way.
func (d *database) Write(ctx context.Context, do func(relational.Tx) error) error {
	return d.run(ctx, d.writer, do)
}

// Read sees one state of the database.
func (d *database) Read(ctx context.Context, do func(relational.Tx) error) error {
	return d.run(ctx, d.reader, do)
}

func (d *database) run(ctx context.Context, texts *statements, do func(relational.Tx) error) error {
	// An open file goes on working after it was removed, and everything written to it is lost.
	if now, err := os.Stat(d.path); err != nil || !os.SameFile(now, d.file) {
		return gone(errors.Join(errors.New("the file was removed or replaced while it was open"), err))
	}
	texts.compile(ctx)
	t, err := texts.pool.BeginTx(ctx, nil)
	if err != nil {
		return translate(ctx, err)
	}
	if err := do(&tx{Tx: t, texts: texts, lock: d.lock}); err != nil {
		// When the context has ended, the transaction was rolled back already.
		if undo := t.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, translate(ctx, undo))
		}
		return err
	}
	if err := t.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			return ctx.Err()
		}
		return translate(ctx, err)
	}
	return nil
}

// tx satisfies relational.Tx.
type tx struct {
	*sql.Tx
	texts *statements
	lock  *lock
}

// with is a compiled statement on the transaction's connection. The transaction closes it when it ends; what was compiled stays.
func (t *tx) with(ctx context.Context, ready *sql.Stmt) *sql.Stmt {
	return t.StmtContext(ctx, ready)
}

// Exec satisfies relational.Tx.
func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var done sql.Result
	var err error
	if ready := t.texts.of(query); ready != nil {
		done, err = t.with(ctx, ready).ExecContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes it
	} else {
		done, err = t.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, translate(ctx, err)
	}
	return done.RowsAffected()
}

type answer struct {
	*sql.Rows
	ctx context.Context //nolint:containedctx // lives as long as the call that asked
}

func (a answer) Close() { _ = a.Rows.Close() }

func (a answer) Err() error { return translate(a.ctx, a.Rows.Err()) }

// Query satisfies relational.Tx.
func (t *tx) Query(ctx context.Context, query string, args ...any) (relational.Rows, error) {
	var rows *sql.Rows
	var err error
	if ready := t.texts.of(query); ready != nil {
		rows, err = t.with(ctx, ready).QueryContext(ctx, args...) //nolint:rowserrcheck,sqlclosecheck // the transaction closes it; the caller reads them, and asks answer.Err
	} else {
		rows, err = t.QueryContext(ctx, query, args...) //nolint:rowserrcheck // likewise
	}
	if err != nil {
		return nil, translate(ctx, err)
	}
	return answer{rows, ctx}, nil
}

type line struct {
	*sql.Row
	ctx context.Context //nolint:containedctx // lives as long as the call that asked
}

func (l line) Scan(dest ...any) error { return translate(l.ctx, l.Row.Scan(dest...)) }

// QueryRow satisfies relational.Tx.
func (t *tx) QueryRow(ctx context.Context, query string, args ...any) relational.Row {
	if ready := t.texts.of(query); ready != nil {
		return line{t.with(ctx, ready).QueryRowContext(ctx, args...), ctx} //nolint:sqlclosecheck // the transaction closes it
	}
	return line{t.QueryRowContext(ctx, query, args...), ctx}
}

// Insert prepares once: with SQLite that is as fast as many rows in one statement.
func (t *tx) Insert(ctx context.Context, table string, columns []string, n int, row func(i int) []any) error {
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	return t.Repeat(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", n, row)
}

// Repeat satisfies relational.Tx.
func (t *tx) Repeat(ctx context.Context, query string, n int, args func(i int) []any) (err error) {
	if n == 0 {
		return nil
	}
	prepared, err := t.PrepareContext(ctx, query)
	if err != nil {
		return translate(ctx, err)
	}
	defer func() { err = errors.Join(err, prepared.Close()) }()
	// For a context that can end the driver starts a goroutine with each execution; one row is quick enough to do without.
	row := context.WithoutCancel(ctx)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := prepared.ExecContext(row, args(i)...); err != nil {
			return translate(ctx, err)
		}
	}
	return nil
}

// Alone has nothing to do: one connection writes, and other processes wait for the file's lock.
func (t *tx) Alone(context.Context, string) error { return nil }

// Fenced satisfies relational.Tx.
func (t *tx) Fenced(ctx context.Context, f storage.Fence) error {
	if !t.lock.holds(f) {
		return storage.ErrFenced
	}
	var held bool
	err := t.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM lease WHERE shard = $1 AND fence = $2 AND owner = $3 AND NOT released)`, f.Shard, f.Number, f.Owner).Scan(&held)
	if err == nil && !held {
		return storage.ErrFenced
	}
	return err
}

// Announce has nothing to do: listeners look at the file.
func (t *tx) Announce(context.Context, int64) error { return nil }

// Now has whole seconds, as the triggers have.
func (t *tx) Now(ctx context.Context) (time.Time, error) {
	var seconds int64
	err := t.QueryRow(ctx, `SELECT unixepoch()`).Scan(&seconds)
	return time.Unix(seconds, 0).UTC(), err
}
