package reconcile

import (
	"context"
	"errors"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Obstacle is what would hold every change in the guild now, whatever a plan asks for. Edges ask for it before they order anything.
type Obstacle struct {
	Gate  audit.Gate    // Lock, Pause; zero: there is none
	Pause storage.Pause // of Pause
}

// Code is the word under which a refusal for it is recorded; empty: there is none.
func (o Obstacle) Code() string {
	switch o.Gate {
	case audit.Lock:
		return "initial_lock_held"
	case audit.Pause:
		return "paused"
	case audit.DryRun, audit.Roster, audit.NothingWanted, audit.Outage, audit.Fight:
	}
	return ""
}

// Obstacle looks at the lock and the pause as they stand now.
func (e *Engine) Obstacle(ctx context.Context) (o Obstacle, err error) {
	defer wrap.Err(&err, "obstacles in guild %d", e.cfg.Guild)
	_, err = e.db.Acknowledged(ctx, e.cfg.Guild)
	if errors.Is(err, storage.ErrNotFound) {
		return Obstacle{Gate: audit.Lock}, nil
	}
	if err != nil {
		return o, err
	}
	p, err := e.db.Paused(ctx, e.cfg.Guild)
	if errors.Is(err, storage.ErrNotFound) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	return Obstacle{Gate: audit.Pause, Pause: p}, nil
}
