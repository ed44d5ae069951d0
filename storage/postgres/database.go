package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gatecamp/storage"
	"gatecamp/storage/relational"
)

// copyFrom is from how many rows on COPY is faster than statements.
const copyFrom = 32

// database satisfies relational.Database.
type database struct{ pool *pgxpool.Pool }

// Write satisfies relational.Database.
func (d *database) Write(ctx context.Context, do func(relational.Tx) error) error {
	return d.run(ctx, pgx.TxOptions{}, do)
}

// Read sees one state of the database.
func (d *database) Read(ctx context.Context, do func(relational.Tx) error) error {
	return d.run(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead}, do)
}

func (d *database) run(ctx context.Context, options pgx.TxOptions, do func(relational.Tx) error) error {
	t, err := d.pool.BeginTx(ctx, options)
	if err != nil {
		return translate(ctx, err)
	}
	// After a commit this does nothing; when the context has ended, the rollback needs one of its own.
	defer func() {
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = t.Rollback(brief)
	}()
	if err := do(&tx{Tx: t, readOnly: options.AccessMode == pgx.ReadOnly}); err != nil {
		return err
	}
	return translate(ctx, t.Commit(ctx))
}

// tx satisfies relational.Tx.
type tx struct {
	pgx.Tx
	readOnly bool
}

// Exec satisfies relational.Tx.
func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := t.Tx.Exec(ctx, query, args...)
	return tag.RowsAffected(), translate(ctx, err)
}

type answer struct {
	pgx.Rows
	ctx context.Context //nolint:containedctx // lives as long as the call that asked
}

func (a answer) Err() error { return translate(a.ctx, a.Rows.Err()) }

// Query satisfies relational.Tx.
func (t *tx) Query(ctx context.Context, query string, args ...any) (relational.Rows, error) {
	rows, err := t.Tx.Query(ctx, query, args...)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return answer{rows, ctx}, nil
}

type line struct {
	pgx.Row
	ctx context.Context //nolint:containedctx // lives as long as the call that asked
}

func (l line) Scan(dest ...any) error { return translate(l.ctx, l.Row.Scan(dest...)) }

// QueryRow satisfies relational.Tx.
func (t *tx) QueryRow(ctx context.Context, query string, args ...any) relational.Row {
	return line{t.Tx.QueryRow(ctx, query, args...), ctx}
}

// Insert copies many rows at once; COPY fires the triggers too.
func (t *tx) Insert(ctx context.Context, table string, columns []string, n int, row func(i int) []any) error {
	if n >= copyFrom {
		_, err := t.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
		return translate(ctx, err)
	}
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	return t.Repeat(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", n, row)
}

// Repeat sends the statements in batches, without waiting for each answer.
func (t *tx) Repeat(ctx context.Context, query string, n int, args func(i int) []any) error {
	const most = 1000
	for from := 0; from < n; from += most {
		var b pgx.Batch
		for i := from; i < min(from+most, n); i++ {
			b.Queue(query, args(i)...)
		}
		if err := t.SendBatch(ctx, &b).Close(); err != nil {
			return translate(ctx, err)
		}
	}
	return nil
}

// Alone satisfies relational.Tx.
func (t *tx) Alone(ctx context.Context, key string) error {
	_, err := t.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':' || CAST($1 AS TEXT), 0))`, key)
	return err
}

// Fenced keeps the lease as it is until the transaction ends, so that nobody takes it over between this look and the commit.
func (t *tx) Fenced(ctx context.Context, f storage.Fence) error {
	query := `SELECT shard FROM lease WHERE shard = $1 AND fence = $2 AND owner = $3 AND NOT released AND ends_at > clock_timestamp()`
	if !t.readOnly {
		query += ` FOR SHARE`
	}
	n, err := t.Exec(ctx, query, f.Shard, f.Number, f.Owner)
	if err == nil && n == 0 {
		return storage.ErrFenced
	}
	return err
}

// Announce satisfies relational.Tx. Listeners of other schemas of the database tell them apart by the name before the colon.
func (t *tx) Announce(ctx context.Context, revision int64) error {
	_, err := t.Exec(ctx, `SELECT pg_notify('`+blockChannel+`', current_schema() || ':' || CAST(CAST($1 AS BIGINT) AS TEXT))`, revision)
	return err
}

// Now is the transaction's, as in the triggers.
func (t *tx) Now(ctx context.Context) (now time.Time, err error) {
	err = t.QueryRow(ctx, `SELECT now()`).Scan(&now)
	return now.UTC(), err
}
