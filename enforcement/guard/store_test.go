package guard

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

var noon = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

// rows is a store that counts how often it is asked; it keeps only what the tests here need.
type rows struct {
	mu       sync.Mutex
	revision int64
	blocks   map[string]storage.Block
	asked    int
	before   func() // called with nothing locked, before what is asked is answered
	err      error
	hang     bool
	fail     func(context.Context) error
}

func newRows() *rows { return &rows{blocks: map[string]storage.Block{}} }

func (s *rows) ask(ctx context.Context) error {
	s.mu.Lock()
	s.asked++
	err, hang, before, fail := s.err, s.hang, s.before, s.fail
	s.mu.Unlock()
	if fail != nil {
		return fail(ctx)
	}
	if before != nil {
		before()
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (s *rows) Block(ctx context.Context, b storage.Block, by storage.Author) (storage.Block, storage.BlockChange, error) {
	if err := s.ask(ctx); err != nil {
		return storage.Block{}, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
	b.ID, b.Revision, b.Reason, b.Owner, b.Start = s.revision, s.revision, by.Reason, by.Actor, by.At
	s.blocks[b.Scope+b.Value] = b
	return b, storage.BlockMade, nil
}

func (s *rows) Unblock(ctx context.Context, _ snowflake.ID, scope, value string, by storage.Author) (storage.Block, error) {
	if err := s.ask(ctx); err != nil {
		return storage.Block{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, known := s.blocks[scope+value]
	if !known || !b.Closed.IsZero() {
		return storage.Block{}, storage.ErrNotFound
	}
	s.revision++
	b.Revision, b.Closed = s.revision, by.At
	s.blocks[scope+value] = b
	return b, nil
}

func (s *rows) ShortenBlock(ctx context.Context, _ snowflake.ID, scope, value string, end time.Time, _ storage.Author) (storage.Block, error) {
	if err := s.ask(ctx); err != nil {
		return storage.Block{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, known := s.blocks[scope+value]
	if !known || !b.Closed.IsZero() {
		return storage.Block{}, storage.ErrNotFound
	}
	s.revision++
	b.Revision, b.End = s.revision, end
	s.blocks[scope+value] = b
	return b, nil
}

func (s *rows) RefuseBlock(ctx context.Context, _ storage.Block, _ storage.Author) error {
	return s.ask(ctx)
}

// BlocksSince reads first and hands over then, as a database does whose answer is on its way.
func (s *rows) BlocksSince(ctx context.Context, revision int64, each func(storage.Block) error) (int64, error) {
	s.mu.Lock()
	var read []storage.Block
	newest := revision
	for _, b := range s.blocks {
		if b.Revision > revision {
			read, newest = append(read, b), max(newest, b.Revision)
		}
	}
	s.mu.Unlock()
	if err := s.ask(ctx); err != nil {
		return 0, err
	}
	for _, b := range read {
		if err := each(b); err != nil {
			return 0, err
		}
	}
	return newest, nil
}

func (s *rows) BlockStrikes(ctx context.Context, _ snowflake.ID, _, _, _ string, _ time.Time) (int, error) {
	return 0, s.ask(ctx)
}

func (s *rows) failing(fail func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *rows) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func made(t testing.TB, c enforcement.Config, p Parts) *Guard {
	t.Helper()
	if p.Now == nil {
		p.Now = func() time.Time { return noon }
	}
	g, err := New(c, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

func user(id uint64) enforcement.Subject { return enforcement.Subject{Scope: enforcement.User, ID: id} }

func author() storage.Author {
	return storage.Author{Actor: "console:root", Origin: "console", Reason: "because", At: noon}
}
