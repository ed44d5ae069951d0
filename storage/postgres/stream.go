package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// blockChannel is where the transactions that change blocks say so.
const blockChannel = "gatecamp_block"

// reconnect bounds the pause before a lost connection is made anew.
const (
	reconnectLeast = 50 * time.Millisecond
	reconnectMost  = 2 * time.Second
)

// Stream listens on a connection of its own. A transaction that changes a block notifies in itself, so news cannot get lost between the
// write and the telling; and every storage.PulseEvery the newest revision is read on the same connection, so a dead one is noticed.
type Stream struct {
	config *pgx.ConnConfig
	pulse  *storage.Pulse
}

// BlockStream makes the stream; it connects when it runs.
func (s *Store) BlockStream() *Stream {
	c := s.pool.Config().ConnConfig.Copy()
	c.RuntimeParams["application_name"] = "gatecamp listen"
	return &Stream{c, storage.NewPulse(time.Now())}
}

// Silent reports whether nothing was heard for longer than storage.SilentAfter.
func (s *Stream) Silent(at time.Time) bool { return s.pulse.Silent(at) }

// Run tells of every change until the context ends. A lost connection is made anew, and then everything that was missed is asked for.
func (s *Stream) Run(ctx context.Context, news func(storage.BlockNews)) error {
	for pause := reconnectLeast; ctx.Err() == nil; pause = min(2*pause, reconnectMost) {
		if stood, _ := s.listen(ctx, news); stood { // why it broke is told by whoever asks the database next
			pause = reconnectLeast
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}

// listen listens on one connection until it breaks. It reports whether the connection stood at all.
func (s *Stream) listen(ctx context.Context, news func(storage.BlockNews)) (stood bool, err error) {
	defer wrap.Err(&err, "postgres: listen for blocks")
	within, cancel := context.WithTimeout(ctx, reconnectMost)
	defer cancel()
	conn, err := pgx.ConnectConfig(within, s.config)
	if err != nil {
		return false, translate(ctx, err)
	}
	defer func() {
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), reconnectMost)
		defer cancel()
		_ = conn.Close(brief)
	}()
	if _, err := conn.Exec(within, `LISTEN `+blockChannel); err != nil {
		return false, translate(ctx, err)
	}
	var schema string
	if err := conn.QueryRow(within, `SELECT current_schema()`).Scan(&schema); err != nil {
		return false, translate(ctx, err)
	}
	l := listener{conn: conn, schema: schema + ":", told: -1}
	for {
		if err := l.probe(ctx, news); err != nil {
			return true, err
		}
		s.pulse.Beat(time.Now())
		if err := l.wait(ctx, news); err != nil {
			return true, err
		}
		s.pulse.Beat(time.Now())
	}
}

// listener is one connection that listens.
type listener struct {
	conn   *pgx.Conn
	schema string // ours, with a colon
	told   int64
}

// probe reads the newest revision: the first time it tells in any case, since before nobody listened.
func (l *listener) probe(ctx context.Context, news func(storage.BlockNews)) error {
	ctx, cancel := context.WithTimeout(ctx, storage.SilentAfter)
	defer cancel()
	var revision int64
	if err := l.conn.QueryRow(ctx, `SELECT revision FROM block_revision WHERE id = 1`).Scan(&revision); err != nil {
		return translate(ctx, err)
	}
	l.tell(revision, news)
	return nil
}

// wait tells what comes in, until it is time for the next probe.
func (l *listener) wait(ctx context.Context, news func(storage.BlockNews)) error {
	within, cancel := context.WithTimeout(ctx, storage.PulseEvery)
	defer cancel()
	for {
		n, err := l.conn.WaitForNotification(within)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(within.Err(), context.DeadlineExceeded) && !l.conn.IsClosed():
			return nil
		case err != nil:
			return translate(ctx, err)
		}
		text, ours := strings.CutPrefix(n.Payload, l.schema)
		revision, err := strconv.ParseInt(text, 10, 64)
		if ours && err == nil {
			l.tell(revision, news)
		}
	}
}

func (l *listener) tell(revision int64, news func(storage.BlockNews)) {
	if revision != l.told {
		l.told = max(revision, 0)
		news(storage.BlockNews{Revision: revision})
	}
}
