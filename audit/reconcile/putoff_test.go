package reconcile_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// What is said to be put off would be done: where nobody would be kicked, nobody is told so.
func TestAKickIsPutOffOnlyWhereItWouldBePerformed(t *testing.T) {
	kicks := func(realtime string) string {
		return "unknown_guest: {default: strip_kick, realtime: " + realtime + ", grace: 72h}\n"
	}
	for name, c := range map[string]struct {
		policy string
		before func(w *world)
		live   bool
		order  storage.Order
		want   bool
	}{
		"real time acts":              {kicks("act"), nil, true, storage.Order{}, true},
		"real time only reports":      {kicks("report"), nil, true, storage.Order{}, false},
		"the guild is paused":         {kicks("act"), (*world).pause, true, storage.Order{}, false},
		"a run that acts":             {kicks("report"), nil, false, storage.Order{}, true},
		"a run that looks only":       {kicks("act"), nil, false, storage.Order{DryRun: true}, false},
		"a run that reports":          {kicks("act"), nil, false, storage.Order{Mode: "report"}, false},
		"kicks were not acknowledged": {"unknown_guest: {default: strip}\n", func(w *world) { w.policy(kicks("act")) }, true, storage.Order{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, c.policy)
			if c.before != nil {
				c.before(w)
			}
			w.join(2001)
			joined := w.now().Add(-time.Hour).Truncate(time.Microsecond)
			w.mu.Lock()
			m := w.members[2001]
			m.Joined = joined.UnixMicro()
			w.members[2001] = m
			w.mu.Unlock()
			var want []reconcile.PutOff
			if c.want {
				want = []reconcile.PutOff{{Member: 2001, Category: audit.UnknownGuest, Until: joined.Add(72 * time.Hour)}}
			}
			var r *reconcile.Report
			if c.live {
				r = w.one(e, 2001)
			} else {
				r = w.run(e, c.order)
			}
			if diff := cmp.Diff(want, r.PutOff); diff != "" {
				t.Errorf("put off (-want +got):\n%s", diff)
			}
		})
	}
}
