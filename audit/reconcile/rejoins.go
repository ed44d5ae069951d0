package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/enforcement"
	"gatecamp/storage"
)

// RejoinsTold is how often a blocked member must have come back within RejoinWindow, after having been removed for the block each time,
// before people are told: whoever lets them in again and again is not stopped by kicks.
const (
	RejoinsTold  = 3
	RejoinWindow = 24 * time.Hour
)

// Rejoin is a blocked member who came back.
type Rejoin struct {
	Member snowflake.ID
	Times  int // within RejoinWindow
}

// mostRejoins bounds how many blocked members one look counts the returns of: a look at everybody after long may find many of them.
const mostRejoins = 20

// rejoins counts how often blocked members who are here came back, by what was done to them: removals that are recorded, in this process
// or before it. It tells of each return once.
func (e *Engine) rejoins(ctx context.Context, r *Report) error {
	asked := 0
	for i := range r.Decisions {
		d := &r.Decisions[i]
		if d.Layer != audit.LayerBlock || d.Act < audit.Kick || asked >= mostRejoins {
			continue
		}
		asked++
		times, err := e.removals(ctx, d.Member)
		if err != nil {
			return err
		}
		if times < RejoinsTold || !e.isNewReturn(d.Member, times) {
			continue
		}
		r.Rejoins = append(r.Rejoins, Rejoin{d.Member, times})
		if e.cfg.Emit != nil {
			e.cfg.Emit(enforcement.Event{
				Type: enforcement.Alert, At: e.now(), Namespace: enforcement.Namespace(e.cfg.Guild), Rule: "blocked-rejoins", Severity: 6, Action: "alert",
				Subject: enforcement.Subject{Scope: enforcement.User, ID: uint64(d.Member)},
				User:    uint64(d.Member), Guild: uint64(e.cfg.Guild),
				Reason: fmt.Sprintf("a blocked member came back %d times within %s", times, RejoinWindow),
			})
		}
	}
	return nil
}

// removals is how often the member was removed for a block within the window.
func (e *Engine) removals(ctx context.Context, member snowflake.ID) (times int, err error) {
	done, err := e.db.MemberActions(ctx, e.cfg.Guild, member, storage.Page{Limit: 100})
	if err != nil {
		return 0, err
	}
	since := e.now().Add(-RejoinWindow)
	for _, a := range done {
		if a.Budget == storage.BudgetBlock && a.Role == 0 && a.Outcome == audit.Done.String() && a.Intended.After(since) {
			times++
		}
	}
	return times, nil
}

// isNewReturn reports whether this return of the member has not been told of.
func (e *Engine) isNewReturn(member snowflake.ID, times int) bool {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	if e.kept.returns[member] == times {
		return false
	}
	if e.kept.returns == nil || len(e.kept.returns) > 1000 {
		e.kept.returns = map[snowflake.ID]int{}
	}
	e.kept.returns[member] = times
	return true
}
