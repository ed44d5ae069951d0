package bot

import (
	"context"
	"slices"
	"sync"
	"time"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
)

// blockNews are changes of blocks whose members wait to be looked at.
type blockNews struct {
	mu      sync.Mutex
	changed []enforcement.Block
	lost    bool // there were too many to keep
}

// put takes a change.
func (n *blockNews) put(b enforcement.Block) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.changed) < mostChanged {
		n.changed = append(n.changed, b)
		return
	}
	n.lost = true
}

// take gives what came since it was last asked.
func (n *blockNews) take() (changed []enforcement.Block, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	changed, lost = n.changed, n.lost
	n.changed, n.lost = nil, false
	return changed, lost
}

// mostChanged is how many changes of blocks are kept apart; beyond it whoever is blocked and here is looked at.
const mostChanged = 1000

// BlockChanged has those looked at at once whom a block is about that was made, extended or taken back, by this process or another one.
// It never waits.
func (g *Guild) BlockChanged(b enforcement.Block) {
	if !b.Subject.Scope.Person() || b.Also == enforcement.AlsoNone || b.Namespace != enforcement.Global && b.Namespace != enforcement.Namespace(g.cfg.Guild) {
		return
	}
	g.blocks.put(b)
	nudge(g.wake)
}

// lookAtBlocks marks whom changes of blocks are about.
func (g *Guild) lookAtBlocks(ctx context.Context) {
	changed, lost := g.blocks.take()
	if lost {
		g.lookAtBlocked(ctx)
	}
	for _, b := range changed {
		ids, err := g.cfg.Line.DiscordIDs(ctx, b.Subject)
		if err != nil {
			if ctx.Err() == nil {
				g.cfg.Log.WarnContext(ctx, "members of a block not found out", "guild", g.cfg.Guild, "error", err)
				g.runner.catchUp(causeAgain, false)
			}
			continue
		}
		g.box.urgent(ids, time.Now())
	}
}

// heldByGate reports whether lock or pause held what a block does.
func heldByGate(r *reconcile.Report) bool {
	gates := []string{audit.Lock.String(), audit.Pause.String()}
	return slices.ContainsFunc(r.Plan.Actions, func(a audit.Planned) bool {
		return a.Budget == audit.BlockBudget && slices.ContainsFunc(a.Held, func(by audit.By) bool { return slices.Contains(gates, by.String()) })
	}) || slices.ContainsFunc(r.Outcomes, func(o audit.Outcome) bool {
		return o.Action.Budget == audit.BlockBudget && o.Result == audit.NotTried && slices.Contains(gates, o.Code)
	})
}
