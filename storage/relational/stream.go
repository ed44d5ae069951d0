package relational

import (
	"context"
	"time"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// BlockRevision is the newest revision of any block: one row, whatever the number of blocks.
func (s *Store) BlockRevision(ctx context.Context) (revision int64, err error) {
	defer wrap.Err(&err, "blocks.BlockRevision")
	err = s.db.Read(ctx, func(tx Tx) error {
		return tx.QueryRow(ctx, `SELECT revision FROM block_revision WHERE id = 1`).Scan(&revision)
	})
	return revision, err
}

// Probe is a stream for a database that cannot call: it looks every storage.PulseEvery whether blocks changed.
type Probe struct {
	store *Store
	pulse *storage.Pulse
}

// NewProbe looks at the store.
func NewProbe(s *Store) *Probe { return &Probe{s, storage.NewPulse(time.Now())} }

// Silent reports whether the database has not answered for longer than storage.SilentAfter.
func (p *Probe) Silent(at time.Time) bool { return p.pulse.Silent(at) }

// Run tells of every change, of this process too, until the context ends. After a failure it asks for everything that was missed.
func (p *Probe) Run(ctx context.Context, news func(storage.BlockNews)) error {
	t := time.NewTicker(storage.PulseEvery)
	defer t.Stop()
	told, missed := int64(0), true
	for {
		within, cancel := context.WithTimeout(ctx, storage.SilentAfter)
		revision, err := p.store.BlockRevision(within)
		cancel()
		switch {
		case err != nil:
			missed = true
		case missed || revision != told:
			told, missed = revision, false
			news(storage.BlockNews{Revision: revision})
			fallthrough
		default:
			p.pulse.Beat(time.Now())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}
