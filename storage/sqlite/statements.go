package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// statements are those of a pool that are compiled once for each of its connections: compiling one costs more than most of them take.
type statements struct {
	pool *sql.DB

	mu    sync.Mutex
	ready map[string]*sql.Stmt
	seen  map[string]struct{} // since the last transaction began, and not compiled yet
}

// mostStatements bounds how many are kept; lists of ids make texts of many lengths.
const mostStatements = 400

func newStatements(pool *sql.DB) *statements {
	return &statements{pool: pool, ready: map[string]*sql.Stmt{}, seen: map[string]struct{}{}}
}

// of finds a compiled statement; nil: there is none yet, and it is kept in mind.
func (s *statements) of(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := s.ready[query]
	if ready == nil && len(s.ready)+len(s.seen) < mostStatements {
		s.seen[query] = struct{}{}
	}
	return ready
}

// compile readies what earlier transactions had to compile for themselves. It needs a connection, so it comes before the next
// transaction takes one.
func (s *statements) compile(ctx context.Context) {
	s.mu.Lock()
	if len(s.seen) == 0 {
		s.mu.Unlock()
		return
	}
	texts := s.seen
	s.seen = map[string]struct{}{}
	s.mu.Unlock()
	for text := range texts {
		if ready, err := s.pool.PrepareContext(ctx, text); err == nil { // else whoever executes it will say why
			s.keep(text, ready)
		}
	}
}

func (s *statements) keep(text string, ready *sql.Stmt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.ready[text]; twice {
		defer func() { _ = ready.Close() }()
		return
	}
	s.ready[text] = ready
}
