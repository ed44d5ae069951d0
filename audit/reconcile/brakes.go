package reconcile

import (
	"context"
	"encoding/json"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// BrakeState is everything that there is to tell about the brakes of a guild.
type BrakeState struct {
	Version int64 // of the policy that sets them
	Limits  audit.Limits
	Used    storage.Used
	Trips   []storage.Trip // those that hold, oldest first
	Members int            // of the guild at its last complete run; -1: unknown
}

// Brakes reads how the brakes stand now.
func (e *Engine) Brakes(ctx context.Context) (b BrakeState, err error) {
	defer wrap.Err(&err, "brakes of guild %d", e.cfg.Guild)
	policy, version, err := e.Policy(ctx, 0)
	if err != nil {
		return b, err
	}
	b.Version, b.Limits, b.Members = version, policy.Limits, -1
	if b.Used, err = e.db.Used(ctx, e.cfg.Guild, e.now()); err != nil {
		return b, err
	}
	if b.Trips, err = e.db.OpenTrips(ctx, e.cfg.Guild); err != nil {
		return b, err
	}
	runs, err := e.db.Runs(ctx, e.cfg.Guild, storage.RunFilter{States: []storage.RunState{storage.Succeeded, storage.CompletedWithErrors}, Page: storage.Page{Limit: 20}})
	if err != nil {
		return b, err
	}
	for _, r := range runs {
		var counts Counts
		if r.Order.Limit == 0 && len(r.Order.Members) == 0 && json.Unmarshal(r.Counts, &counts) == nil && counts.Members > 0 {
			b.Members = counts.Members
			break
		}
	}
	return b, nil
}

// BrakeLine is one brake in one window.
type BrakeLine struct {
	Dimension audit.Dimension
	Window    audit.Window
	Brake     audit.Brake
	Allows    *int // nil: the size of the guild, or of the role, is unknown
	Used      *int // nil: each run begins anew. Of one role it is the most that any role has lost
}

// Lines are the brakes that are set, by dimension and window.
func (b *BrakeState) Lines() (lines []BrakeLine) {
	for d, windows := range b.Limits {
		for w, brake := range windows {
			if !brake.Set {
				continue
			}
			line := BrakeLine{Dimension: audit.Dimension(d), Window: audit.Window(w), Brake: brake, Used: b.usedOf(audit.Dimension(d), audit.Window(w))}
			if flat := brake.BasisPoints == 0; flat || b.Members >= 0 && line.Dimension != audit.OneRole {
				n := brake.Allows(max(0, b.Members))
				line.Allows = &n
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func (b *BrakeState) usedOf(d audit.Dimension, w audit.Window) *int {
	var u storage.Use
	switch w {
	case audit.PerRun:
		return nil
	case audit.Live15m:
		u = b.Used.Live
	case audit.PerDay:
		u = b.Used.Day
	}
	n := 0
	switch d {
	case audit.MembersTouched:
		n = len(u.Members)
	case audit.RolesRemoved:
		n = u.Roles
	case audit.OneRole:
		for _, lost := range u.PerRole {
			n = max(n, lost)
		}
	case audit.Kicks:
		n = u.Kicks
	case audit.PrivilegedRemoved:
		n = u.Privileged
	case audit.BlockKicks:
		n = u.BlockKicks + len(u.Stripped)
	}
	return &n
}

// TripCause is what a plan asked for when it tripped a brake.
type TripCause struct {
	Window         audit.Window
	Asked, Allowed int
}

// CauseOf reads why a brake tripped; false: it does not say.
func CauseOf(t storage.Trip) (c TripCause, ok bool) {
	var stored struct {
		Window         string
		Asked, Allowed int
	}
	if json.Unmarshal(t.Cause, &stored) != nil || stored.Asked <= 0 {
		return c, false
	}
	c.Asked, c.Allowed = stored.Asked, stored.Allowed
	c.Window, ok = audit.ParseWindow(stored.Window)
	return c, ok
}
