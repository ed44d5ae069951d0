// Package relational keeps the roles of package storage in SQL that Postgres and SQLite both take. The two stores hand it a Database
// and add what differs: how to connect, leases, bulk writing, and the words of their driver.
//
// What must stay true: there is one statement for both databases, and no driver is known here.
package relational

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// Row is one row of an answer.
type Row interface {
	Scan(dest ...any) error
}

// Rows are an answer that is read row by row.
type Rows interface {
	Row
	Next() bool
	Err() error
	Close()
}

// Tx is a transaction. Its errors are storage's sentinels already, as far as those fit.
type Tx interface {
	// Exec returns how many rows it touched.
	Exec(ctx context.Context, sql string, args ...any) (int64, error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) Row
	// Insert adds n rows in the fastest way there is; ids are given by the database, in order.
	Insert(ctx context.Context, table string, columns []string, n int, row func(i int) []any) error
	// Repeat executes one statement n times.
	Repeat(ctx context.Context, sql string, n int, args func(i int) []any) error
	// Alone lets only one transaction at a time go on with the key, until it ends.
	Alone(ctx context.Context, key string) error
	// Fenced is storage.ErrFenced unless the lease is held now, under this number and owner; it stays so until the transaction ends.
	Fenced(ctx context.Context, fence storage.Fence) error
	// Announce tells all processes that listen about a revision of blocks, if the transaction is committed. A database that cannot call
	// does nothing.
	Announce(ctx context.Context, revision int64) error
	// Now is the clock that the database's own rules go by.
	Now(ctx context.Context) (time.Time, error)
}

// Database runs transactions: all of what is done in one, or nothing.
type Database interface {
	Write(ctx context.Context, do func(Tx) error) error
	Read(ctx context.Context, do func(Tx) error) error
}

// Store is every role of storage.Store but the leases and Close.
type Store struct{ db Database }

// New uses a database that migrations have brought up to date.
func New(db Database) *Store { return &Store{db: db} }

// insertions are the columns of a row and their values, in pairs.
type insertion struct {
	column string
	value  any
}

// insert adds a row and returns its id.
func insert(ctx context.Context, tx Tx, table string, row []insertion) (id int64, err error) {
	columns, marks, args := make([]string, len(row)), make([]string, len(row)), make([]any, len(row))
	for i, c := range row {
		columns[i], marks[i], args[i] = c.column, fmt.Sprintf("$%d", i+1), c.value
	}
	err = tx.QueryRow(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+") RETURNING id", args...).Scan(&id)
	return id, err
}

// list reads all rows of an answer.
func list[T any](ctx context.Context, tx Tx, scan func(Row) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// query is a statement that grows with the filter; %s in a condition stands for its argument.
type query struct {
	sql  strings.Builder
	args []any
}

func newQuery(sql string, args ...any) *query {
	q := &query{args: args}
	q.sql.WriteString(sql)
	return q
}

func (q *query) and(condition string, args ...any) *query {
	marks := make([]any, len(args))
	for i, a := range args {
		q.args = append(q.args, a)
		marks[i] = fmt.Sprintf("$%d", len(q.args))
	}
	fmt.Fprintf(&q.sql, " AND "+condition, marks...)
	return q
}

func (q *query) in(column string, values []any) *query {
	if len(values) == 0 {
		return q.add("AND 1 = 0")
	}
	marks := make([]string, len(values))
	for i, v := range values {
		q.args = append(q.args, v)
		marks[i] = fmt.Sprintf("$%d", len(q.args))
	}
	q.sql.WriteString(" AND " + column + " IN (" + strings.Join(marks, ", ") + ")")
	return q
}

func (q *query) add(sql string) *query {
	q.sql.WriteString(" " + sql)
	return q
}

// newest asks for the page with the newest rows first.
func (q *query) newest(p storage.Page) *query {
	if p.Before > 0 {
		q.and("id < %s", p.Before)
	}
	q.add(fmt.Sprintf("ORDER BY id DESC LIMIT %d", limit(p.Limit)))
	return q
}

func limit(n int) int {
	if n <= 0 {
		return 1000
	}
	return n
}

// when is a time as an argument: UTC microseconds, or NULL.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micro(t)
}

func micro(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// doc is a JSON document as an argument: its text, or NULL.
func doc(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}

// text is a string as an argument that is NULL when empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// toTime, toDoc and toText take what may be NULL.
type (
	toTime struct{ t *time.Time }
	toDoc  struct{ raw *json.RawMessage }
	toText struct{ s *string }
)

func (d toTime) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*d.t = time.Time{}
	case time.Time:
		*d.t = v.UTC()
	case int64:
		*d.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time came as %T", v)
	}
	return nil
}

func (d toDoc) Scan(v any) error {
	var s string
	if err := (toText{&s}).Scan(v); err != nil {
		return err
	}
	*d.raw = nil
	if s != "" {
		*d.raw = json.RawMessage(s)
	}
	return nil
}

func (d toText) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*d.s = ""
	case string:
		*d.s = v
	case []byte:
		*d.s = string(v)
	default:
		return fmt.Errorf("a text came as %T", v)
	}
	return nil
}

// toJSON fills a value from a JSON column.
type toJSON struct{ into any }

func (d toJSON) Scan(v any) error {
	var s string
	if err := (toText{&s}).Scan(v); err != nil || s == "" {
		return err
	}
	return json.Unmarshal([]byte(s), d.into)
}

// encode makes JSON of a value of ours, which cannot fail: strings, numbers, and lists and maps of them.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("a value of ours is not JSON: %v", err))
	}
	return string(b)
}

func fingerprint(v []byte) string {
	sum := sha256.Sum256(v)
	return hex.EncodeToString(sum[:16])
}

// chunks cuts arguments to what one statement takes.
func chunks(args []any) [][]any {
	const most = 500
	var all [][]any
	for len(args) > most {
		all, args = append(all, args[:most]), args[most:]
	}
	if len(args) > 0 {
		all = append(all, args)
	}
	return all
}

// check refuses what nobody signed for.
func check(by storage.Author) error {
	if by.Actor == "" || strings.TrimSpace(by.Reason) == "" || by.At.IsZero() {
		return problem.New(problem.Usage, "a change needs who made it, why and when; nothing was changed", "give a reason")
	}
	return nil
}

// note writes a configuration change: nil before means that there was nothing, nil after that it is gone.
func note(ctx context.Context, tx Tx, guild snowflake.ID, table, key string, before, after any, by storage.Author) error {
	if err := check(by); err != nil {
		return err
	}
	value := func(v any) any {
		if v == nil {
			return nil
		}
		return encode(v)
	}
	_, err := insert(ctx, tx, "config_change", []insertion{
		{"guild_id", int64(guild)},
		{"table_name", table},
		{"row_key", key},
		{"before_value", value(before)},
		{"after_value", value(after)},
		{"actor", by.Actor},
		{"origin", by.Origin},
		{"reason", by.Reason},
		{"at", when(by.At)},
	})
	return err
}

// touched turns the count of a compare-and-set into an error: nothing changed is a conflict if the row is known.
func touched(ctx context.Context, tx Tx, n int64, known string, args ...any) error {
	if n > 0 {
		return nil
	}
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+known+")", args...).Scan(&there); err != nil {
		return err
	}
	if there {
		return storage.ErrConflict
	}
	return storage.ErrNotFound
}
