package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// PutOff is a member who is not kicked now because of grace, and for no other reason.
type PutOff struct {
	Member   snowflake.ID
	Category audit.Category
	Until    time.Time // when the grace ends
}

// putOff lists whose kick is put off, also strangers without a role, of whom no decision is stored. Nobody is listed where nobody would
// be kicked after the grace either: the order is to look only, real time does not act, Auth is not believed, the guild is paused or
// away, or its lock is on for kicks.
func (e *Engine) putOff(ctx context.Context, r *Report, members []audit.Member) (list []PutOff, err error) {
	l, order := r.Look, &r.Run.Order
	if order.DryRun || l.Verdict.Health != audit.Healthy || !slices.Contains(l.Policy.Destructive(), audit.StripKick) {
		return nil, nil
	}
	for _, m := range members {
		if len(order.Members) > 0 && !slices.Contains(order.Members, m.ID) {
			continue
		}
		d := l.Member(m)
		if d.Layer != audit.LayerGrace || r.unasked() && l.realtime(&d) != audit.RealtimeAct {
			continue
		}
		if until, ok := audit.KickPutOff(l.Scene.Facts(m), &d, &l.Policy); ok {
			list = append(list, PutOff{m.ID, d.Category, until})
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	g, err := e.gates(ctx, e.db, l, false)
	if err != nil || g.DryRun || g.Paused || g.Outage || g.Locked || g.KicksLocked {
		return nil, err
	}
	return list, nil
}
