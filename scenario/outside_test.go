package scenario

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatecamp/internal/secret"
	"gatecamp/storage/postgres"
)

// TestStoriesOfTheFleet are told on Postgres and Redis: several replicas, and servers that go away.
func TestStoriesOfTheFleet(t *testing.T) {
	if os.Getenv("GATECAMP_TEST_POSTGRES_URL") == "" || os.Getenv("GATECAMP_TEST_REDIS_URL") == "" {
		t.Skip("GATECAMP_TEST_POSTGRES_URL or GATECAMP_TEST_REDIS_URL is not set: needs a Postgres in which databases can be made, and a Redis")
	}
	paths, err := filepath.Glob("testdata/fleet/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			tell(t, path)
		})
	}
}

// link stands between the program and a server, and can be cut.
type link struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	open map[net.Conn]struct{}
	cut  bool
	left int64 // how many bytes of answers still come through; 0: all
}

func (s *story) link(to string) (*link, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, to: to, open: map[net.Conn]struct{}{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.pass(from) })
		}
	})
	s.t.Cleanup(func() {
		_ = listener.Close()
		l.down(true)
		all.Wait()
	})
	return l, nil
}

// pass carries one connection until either side, or the story, ends it.
func (l *link) pass(from net.Conn) {
	defer func() { _ = from.Close() }()
	to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.to)
	if err != nil || !l.took(from, to) {
		return
	}
	defer func() { _ = to.Close() }()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], &counted{pair[1], l, pair[1] == to})
			_ = from.Close()
			_ = to.Close()
		})
	}
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, from)
	delete(l.open, to)
}

func (l *link) took(ends ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return false
	}
	for _, c := range ends {
		l.open[c] = struct{}{}
	}
	return true
}

// counted reads one side of a link.
type counted struct {
	net.Conn
	link   *link
	answer bool
}

// Read gives what may still come through; with the last byte that may, everything is cut.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.answer {
		n = c.link.spend(n)
	}
	return n, err
}

func (l *link) spend(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.left == 0:
		return n
	case l.left > int64(n):
		l.left -= int64(n)
		return n
	}
	n, l.left = int(l.left), 0
	l.shut(true)
	return n
}

// dieAfter cuts everything after so many bytes of answers: in the middle of one.
func (l *link) dieAfter(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = bytes
}

func (l *link) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// down cuts everything and lets nothing new through, or mends it.
func (l *link) down(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut(yes)
}

func (l *link) shut(yes bool) {
	if l.cut = yes; yes {
		for c := range l.open {
			_ = c.Close()
		}
	}
}

// database gives the program a server and takes it away: database postgres · database cut|mend · redis start|stop.
func (s *story) database(a []string) error {
	switch {
	case a[0] == "postgres":
		return s.onPostgres()
	case s.db == nil:
		return errors.New("the database is a file")
	}
	s.db.down(a[0] == "cut")
	return nil
}

// onPostgres makes a database of the story's own, reached over a link that can be cut.
func (s *story) onPostgres() error {
	address, err := url.Parse(os.Getenv("GATECAMP_TEST_POSTGRES_URL"))
	if err != nil {
		return err
	}
	name := strings.ToLower("story_" + rand.Text())
	if err := s.makeDatabase(secret.New(address.String()), name); err != nil {
		return err
	}
	if s.db, err = s.link(address.Host); err != nil {
		return err
	}
	address.Host, address.Path = s.db.listener.Addr().String(), "/"+name
	s.env = append(s.env, "GATECAMP_DATABASE_URL="+address.String())
	return nil
}

// makeDatabase makes an empty database, and drops it in the end.
func (s *story) makeDatabase(address secret.String, name string) error {
	admin, err := postgres.Open(s.t.Context(), address, postgres.Config{Connections: 1})
	if err != nil {
		return err
	}
	s.t.Cleanup(func() {
		if _, err := admin.SQL().ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			s.t.Error(err)
		}
		_ = admin.Close()
	})
	_, err = admin.SQL().ExecContext(s.t.Context(), "CREATE DATABASE "+name)
	return err
}

// redis gives the program a Redis over a link, and takes it away: redis start · redis stop.
func (s *story) redis(a []string) error {
	if a[0] == "stop" {
		if s.counts == nil {
			return errors.New("there is no Redis")
		}
		s.counts.down(true)
		return nil
	}
	address, err := url.Parse(os.Getenv("GATECAMP_TEST_REDIS_URL"))
	if err != nil {
		return err
	}
	if s.counts, err = s.link(address.Host); err != nil {
		return err
	}
	address.Host = s.counts.listener.Addr().String()
	s.env = append(s.env, "GATECAMP_REDIS_URL="+address.String())
	return nil
}
