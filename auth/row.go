package auth

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// query runs statements in one snapshot.
type query struct {
	conn   *sql.Conn
	engine engine
}

// each calls visit with every row of the answer. The row is only good until visit returns.
func (q query) each(ctx context.Context, statement string, columns int, visit func(*row)) (err error) {
	rows, err := q.conn.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	r := row{cells: make([]cell, columns)}
	into := make([]any, columns)
	for i := range into {
		into[i] = &r.cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if visit(&r); r.err != nil {
			return fmt.Errorf("%s: %w", statement, r.err)
		}
	}
	return rows.Err()
}

// row gives the columns of one row as what they should be. The first that is something else is kept as err.
type row struct {
	cells []cell
	err   error
}

// cell takes whatever a driver gives, without copying it: the drivers differ in what a boolean, a number or a time is.
type cell struct {
	kind  kind
	n     int64
	bytes []byte // the driver's, until the next row
	text  string
	at    time.Time
}

type kind uint8

const (
	null kind = iota
	number
	borrowed
	text
	moment
)

// Scan satisfies sql.Scanner.
func (c *cell) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		c.kind = null
	case int64:
		c.kind, c.n = number, v
	case bool:
		c.kind, c.n = number, 0
		if v {
			c.n = 1
		}
	case []byte:
		c.kind, c.bytes = borrowed, v
	case string:
		c.kind, c.text = text, v
	case time.Time:
		c.kind, c.at = moment, v
	default:
		return fmt.Errorf("a column holds a %T", value)
	}
	return nil
}

func (r *row) null(i int) bool { return r.cells[i].kind == null }

// int is a whole number; NULL is zero.
func (r *row) int(i int) int64 {
	c := &r.cells[i]
	var n int64
	var err error
	switch c.kind {
	case null:
	case number:
		n = c.n
	case borrowed:
		n, err = strconv.ParseInt(string(c.bytes), 10, 64)
	case text:
		n, err = strconv.ParseInt(c.text, 10, 64)
	case moment:
		err = fmt.Errorf("a time where a number belongs")
	}
	r.fail(i, err)
	return n
}

func (r *row) bool(i int) bool { return r.int(i) != 0 }

// string is a copy of the text; NULL is empty, as Auth 4 has NULL where Auth 5 has an empty text.
func (r *row) string(i int) string {
	c := &r.cells[i]
	switch c.kind {
	case null:
	case number:
		return strconv.FormatInt(c.n, 10)
	case borrowed:
		return string(c.bytes)
	case text:
		return c.text
	case moment:
		r.fail(i, fmt.Errorf("a time where text belongs"))
	}
	return ""
}

// shared is the text as one string for all rows that have it.
func (r *row) shared(i int, seen map[string]string) string {
	c := &r.cells[i]
	if c.kind == borrowed {
		if s, ok := seen[string(c.bytes)]; ok {
			return s
		}
	} else if s, ok := seen[c.text]; ok && c.kind == text {
		return s
	}
	s := r.string(i)
	seen[s] = s
	return s
}

// layouts of times that are kept as text (SQLite).
var layouts = []string{"2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999", time.RFC3339Nano, "2006-01-02T15:04:05.999999999"}

// time is a moment in UTC; NULL, and text that is no time, is the zero time: freshness is then unknown, which nothing relies on.
func (r *row) time(i int) time.Time {
	c := &r.cells[i]
	written := c.text
	switch c.kind {
	case moment:
		return c.at.UTC()
	case borrowed:
		written = string(c.bytes)
	case text:
	case null, number:
		return time.Time{}
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, written); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

func (r *row) fail(i int, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("column %d: %w", i+1, err)
	}
}
