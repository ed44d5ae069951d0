package auth

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// kept is what was read last, and the token of the tables that it was read from.
type kept struct {
	token  string
	d      *audit.Directory
	layout layout
	clocks clocks // of a SQLite file: they are part of what its token stands for. Without a time: not read yet
}

// Current is Read, only cheaper where nothing has changed: a digest that is taken in the snapshot of this very moment proves that what
// was read before is what would be read now. Ages and the clock are always asked anew. Callers must not change the answer. Its Version is
// equal as long as nothing but ages and clocks differs.
func (r *Reader) Current(ctx context.Context) (_ *audit.Directory, err error) {
	defer wrap.Err(&err, "auth.Current")
	d, err := r.current(ctx)
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	return d, nil
}

func (r *Reader) current(ctx context.Context) (*audit.Directory, error) {
	s, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	token, err := s.token(ctx)
	if err != nil {
		s.end(ctx)
		if ctx.Err() != nil {
			return nil, err
		}
		return r.read(ctx) // it says what is wrong, or does without the digest
	}
	defer s.end(ctx)
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last.d == nil || last.token != token {
		return r.keep(ctx, s, token)
	}
	c, err := r.clocks(ctx, s, last)
	if err != nil {
		return nil, err
	}
	counts := maps.Clone(last.d.Counts)
	for _, f := range measured {
		delete(counts, f)
	}
	maps.Copy(counts, c.ages())
	return withCounts(last.d, counts), nil
}

// clocks asks for the clocks anew, but those of a file to which nobody has written: there only ours goes on.
func (r *Reader) clocks(ctx context.Context, s *snapshot, last kept) (c clocks, err error) {
	if c = last.clocks; !c.ours.IsZero() {
		c.ours = time.Now().UTC()
		return c, nil
	}
	if c, err = readClocks(ctx, s.query, last.layout); err != nil || r.target.engine != sqliteEngine {
		return c, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.token == last.token {
		r.last.clocks = c
	}
	return c, nil
}

// keep reads all of Auth and remembers it under its token.
func (r *Reader) keep(ctx context.Context, s *snapshot, token string) (*audit.Directory, error) {
	d, layout, err := assemble(ctx, s.query)
	if err != nil {
		return nil, err
	}
	d.Version = fmt.Sprintf("%p %s", r, token)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = kept{token: token, d: d, layout: layout}
	return d, nil
}

// learn drops what is kept if other columns can be read than when it was: ages that were unknown may be known.
func (r *Reader) learn(l layout) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.layout != l {
		r.last = kept{}
	}
}

// snapshot is a transaction that only reads.
type snapshot struct {
	query
	file string // which file this is, of a SQLite database; empty for others
	end  func(ctx context.Context)
}

// begin opens a snapshot; end must be called.
func (r *Reader) begin(ctx context.Context) (*snapshot, error) {
	if r.target.engine == sqliteEngine {
		return r.beginFile(ctx)
	}
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{query: query{conn: conn, engine: r.target.engine}}
	if _, err := conn.ExecContext(ctx, r.target.engine.begin()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.end = func(ctx context.Context) {
		_ = rollback(ctx, conn)
		_ = conn.Close()
	}
	return s, nil
}

// pinned is the one connection whose data_version can be compared with an earlier one, for as long as the path names the same file.
type pinned struct {
	conn *sql.Conn
	file fs.FileInfo
	nth  int
}

func (r *Reader) beginFile(ctx context.Context) (*snapshot, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := r.pin(ctx)
	if err == nil {
		if _, err = conn.ExecContext(ctx, r.target.engine.begin()); err != nil {
			r.unpin()
		}
	}
	if err != nil {
		<-r.turn
		return nil, err
	}
	s := &snapshot{query: query{conn: conn, engine: r.target.engine}, file: fmt.Sprintf("%d ", r.pinned.nth)}
	s.end = func(ctx context.Context) {
		if rollback(ctx, conn) != nil {
			r.unpin()
		}
		<-r.turn
	}
	return s, nil
}

// pin gives the connection to the file that is there now; by the holder of turn.
func (r *Reader) pin(ctx context.Context) (*sql.Conn, error) {
	now, err := os.Stat(r.target.place)
	if r.pinned.conn != nil && (err != nil || !os.SameFile(now, r.pinned.file)) {
		r.unpin()
	}
	if r.pinned.conn != nil {
		return r.pinned.conn, nil
	}
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// The file may have been replaced while it was being opened: then the next call finds another one.
	r.pinned.conn, r.pinned.file = conn, now
	r.pinned.nth++
	return conn, nil
}

func (r *Reader) unpin() {
	_ = r.pinned.conn.Close()
	r.pinned.conn = nil
}
