package storagetest

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
	"gatecamp/trail"
)

func testPlans(t *testing.T, s suite) {
	plan := func(g snowflake.ID, digest string, run int64, at time.Time) storage.Plan {
		return storage.Plan{
			Guild: g, Digest: digest, Run: run, Created: at, Made: at, State: storage.PlanStored, Document: json.RawMessage(`{"population":{"members":3}}`),
			Untouched: map[string]int64{"in_order": 3},
			Actions: []storage.PlanAction{
				{Key: "k2", Member: biggest, Kind: "remove_role", Role: 5, Held: []string{"first_run_lock", "brake:kicks"}},
				{Key: "k1", Member: 1, Kind: "kick"},
			},
		}
	}
	t.Run("a plan is read back in its order, with what came of it", func(t *testing.T) {
		g := guild()
		p := plan(g, "d", newRun(t, s, g).ID, noon)
		ok(t, s.StorePlan(t.Context(), p))
		same(t, p, must(s.Plan(t.Context(), g, "d"))(t), "plan")
		l := lease(t, s, 1, "o")
		a := must(s.Intend(t.Context(), l.Fence, storage.Action{Guild: g, Run: p.Run, Plan: "d", Key: "k1", Member: 1, Kind: "kick", Budget: storage.BudgetCommon, Intended: noon}))(t)
		ok(t, s.Settle(t.Context(), a.ID, "refused", "discord_50013", noon))
		p.Actions[1].Outcome, p.Actions[1].Code = "refused", "discord_50013"
		same(t, p, must(s.Plan(t.Context(), g, "d"))(t), "plan with outcome")
		passed := storage.TrailRecord{Entry: trail.Entry{Guild: g, At: noon.Add(time.Second), Kind: trail.Refused, Run: p.Run, What: "kick", Code: "discord_50013", Plan: "d", Action: "k1"}}
		ok(t, s.AppendTrail(t.Context(), []storage.TrailRecord{passed}))
		same(t, p, must(s.Plan(t.Context(), g, "d"))(t), "the trail says the same of the attempt")
		passed.Action, passed.Code = "k2", "role_not_held"
		later := passed
		later.Action, later.Code, later.Run = "k1", "pause", newRun(t, s, g).ID
		ok(t, s.AppendTrail(t.Context(), []storage.TrailRecord{passed, later}))
		p.Actions[0].Outcome, p.Actions[0].Code = "not_tried", "role_not_held"
		p.Actions[1].Outcome, p.Actions[1].Code = "not_tried", "pause"
		same(t, p, must(s.Plan(t.Context(), g, "d"))(t), "plan of which a run let something be")
		_, err := s.Plan(t.Context(), guild(), "d")
		want(t, err, storage.ErrNotFound, "another guild's plan")
	})
	t.Run("equal digests are one plan, and the newest that has actions is found", func(t *testing.T) {
		g := guild()
		first, second := newRun(t, s, g).ID, newRun(t, s, g).ID
		ok(t, s.StorePlan(t.Context(), plan(g, "d", first, noon)))
		ok(t, s.StorePlan(t.Context(), plan(g, "e", first, noon.Add(time.Minute))))
		again := plan(g, "d", second, noon.Add(time.Hour))
		again.Actions[0].Held = []string{"pause"}
		ok(t, s.MovePlan(t.Context(), g, "d", storage.PlanStored, storage.PlanPerforming))
		ok(t, s.StorePlan(t.Context(), again))
		empty := plan(g, "f", second, noon.Add(2*time.Hour))
		empty.Actions = nil
		ok(t, s.StorePlan(t.Context(), empty))
		again.Created = noon
		same(t, again, must(s.Plan(t.Context(), g, ""))(t), "newest plan")
		want(t, s.MovePlan(t.Context(), g, "d", storage.PlanPerforming, storage.PlanPerformed), storage.ErrConflict, "move from the wrong state")
		want(t, s.MovePlan(t.Context(), g, "x", storage.PlanStored, storage.PlanPerformed), storage.ErrNotFound, "move of no plan")
	})
	t.Run("a pass is given once, survives, and is used up when its run ends", func(t *testing.T) {
		g := guild()
		r := newRun(t, s, g)
		pass := storage.Pass{Guild: g, Digest: "d", Run: r.ID, Actor: "console:root", Reason: "the merger", At: noon}
		_, err := s.OpenPass(t.Context(), g, "d")
		want(t, err, storage.ErrNotFound, "no pass yet")
		ok(t, s.GivePass(t.Context(), pass))
		want(t, s.GivePass(t.Context(), pass), storage.ErrConflict, "second pass")
		same(t, pass, must(s.db.Open(t).OpenPass(t.Context(), g, "d"))(t), "pass as another process sees it")
		for _, m := range []storage.Move{
			{From: storage.Pending, To: storage.Running, Owner: "a"}, {From: storage.Running, To: storage.Interrupted}, {From: storage.Interrupted, To: storage.Running, Owner: "b"},
		} {
			m.Run, m.At = r.ID, noon
			must(s.MoveRun(t.Context(), m))(t)
			must(s.OpenPass(t.Context(), g, "d"))(t)
		}
		must(s.MoveRun(t.Context(), storage.Move{Run: r.ID, From: storage.Running, To: storage.Succeeded, At: noon}))(t)
		_, err = s.OpenPass(t.Context(), g, "d")
		want(t, err, storage.ErrNotFound, "used up")
		want(t, s.GivePass(t.Context(), pass), storage.ErrConflict, "pass for a run that has ended")
		pass.Run = 1 << 40
		want(t, s.GivePass(t.Context(), pass), storage.ErrNotFound, "pass for no run")
	})
}

func testActions(t *testing.T, s suite) {
	l := lease(t, s, 3, "owner")
	t.Run("an intention and its outcome are read back", func(t *testing.T) {
		g := guild()
		a := storage.Action{
			Guild: g, Run: 4, Plan: "d", Key: "k", Member: biggest, Kind: "contain", Roles: []snowflake.ID{1, 2}, Budget: storage.BudgetNone, Live: true,
			Actor: "system", Intended: noon,
		}
		stored := must(s.Intend(t.Context(), l.Fence, a))(t)
		a.ID = stored.ID
		same(t, a, stored, "what Intend returned")
		same(t, []storage.Action{a}, must(s.OpenActions(t.Context(), g))(t), "open")
		ok(t, s.Settle(t.Context(), a.ID, "done", "", noon.Add(time.Second)))
		want(t, s.Settle(t.Context(), a.ID, "done", "", noon), storage.ErrConflict, "settled twice")
		want(t, s.Settle(t.Context(), 1<<40, "done", "", noon), storage.ErrNotFound, "settled what is not there")
		a.Outcome, a.Settled = "done", noon.Add(time.Second)
		same(t, []storage.Action{a}, must(s.ActionsOf(t.Context(), g, 4))(t), "of the run")
		same(t, []storage.Action{a}, must(s.MemberActions(t.Context(), g, biggest, storage.Page{}))(t), "of the member")
		if open := must(s.OpenActions(t.Context(), g))(t); len(open) != 0 {
			t.Errorf("still open: %+v", open)
		}
	})
	t.Run("what was removed again and again is found by member and role", func(t *testing.T) {
		g := guild()
		remove := func(member, role snowflake.ID, at time.Time, outcome string) {
			t.Helper()
			a := storage.Action{Guild: g, Member: member, Kind: "remove_role", Role: role, Budget: storage.BudgetCommon, Intended: at}
			if member == 3 {
				a.Budget = storage.BudgetPrivileged
			}
			stored := must(s.Intend(t.Context(), l.Fence, a))(t)
			if outcome != "" {
				ok(t, s.Settle(t.Context(), stored.ID, outcome, "", at.Add(time.Second)))
			}
		}
		for i, outcome := range []string{"done", "not_applied", "collateral"} {
			at := noon.Add(time.Duration(i) * time.Minute)
			remove(1, 7, at, outcome)
			remove(1, 8, at, "already_so")
			remove(2, 7, at.Add(-time.Minute), "done") // the first is too old
			remove(3, biggest, at, "done")
		}
		remove(1, 7, noon.Add(time.Hour), "") // open
		want := []storage.Reversal{{Member: 1, Role: 7, Times: 3, Last: noon.Add(2 * time.Minute)}, {Member: 3, Role: biggest, Times: 3, Last: noon.Add(2 * time.Minute)}}
		same(t, want, must(s.Reversals(t.Context(), g, noon, 3))(t), "three times")
		same(t, 3, len(must(s.Reversals(t.Context(), g, noon, 2))(t)), "twice")
		same(t, 0, len(must(s.Reversals(t.Context(), guild(), noon, 1))(t)), "in another guild")
	})
	t.Run("one action is open for a member, kind and role, however many try at once", func(t *testing.T) {
		g := guild()
		a := storage.Action{Guild: g, Member: 1, Kind: "remove_role", Role: 2, Budget: storage.BudgetCommon, Intended: noon}
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = s.Intend(t.Context(), l.Fence, a) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Errorf("loser: %v, want ErrConflict", err)
			}
		}
		used := must(s.Used(t.Context(), g, noon))(t)
		if won != 1 || used.Day.Roles != 1 {
			t.Errorf("%d intentions, %d drawn; want 1 and 1", won, used.Day.Roles)
		}
		other := a
		other.Role = 3
		must(s.Intend(t.Context(), l.Fence, other))(t)
	})
	t.Run("a run does not repeat what it has done, and may repeat what failed", func(t *testing.T) {
		g := guild()
		for i, c := range []struct {
			outcome string
			again   error
		}{{"failed", nil}, {"not_tried", nil}, {"refused", nil}, {"done", storage.ErrConflict}, {"already_so", storage.ErrConflict}, {"gone", storage.ErrConflict}} {
			a := storage.Action{Guild: g, Run: 9, Key: c.outcome, Member: snowflake.ID(i + 1), Kind: "kick", Budget: storage.BudgetCommon, Intended: noon}
			first := must(s.Intend(t.Context(), l.Fence, a))(t)
			ok(t, s.Settle(t.Context(), first.ID, c.outcome, "", noon))
			if _, err := s.Intend(t.Context(), l.Fence, a); !errors.Is(err, c.again) {
				t.Errorf("again after %s: %v, want %v", c.outcome, err, c.again)
			}
		}
	})
	t.Run("without the lease nothing is intended and nothing drawn", func(t *testing.T) {
		g := guild()
		a := storage.Action{Guild: g, Member: 1, Kind: "kick", Budget: storage.BudgetCommon, Intended: noon}
		for name, fence := range map[string]storage.Fence{
			"an old number": {Shard: 3, Number: l.Number - 1, Owner: "owner"}, "another owner": {Shard: 3, Number: l.Number, Owner: "x"},
			"another shard": {Shard: 4, Number: l.Number, Owner: "owner"}, "no lease": {},
		} {
			_, err := s.Intend(t.Context(), fence, a)
			want(t, err, storage.ErrFenced, name)
		}
		if used := must(s.Used(t.Context(), g, noon))(t); used.Day.Kicks != 0 {
			t.Errorf("%d kicks were drawn", used.Day.Kicks)
		}
		if open := must(s.OpenActions(t.Context(), g))(t); len(open) != 0 {
			t.Errorf("intended: %+v", open)
		}
	})
}

func testBrakes(t *testing.T, s suite) {
	l := lease(t, s, 1, "owner")
	act := func(g, member snowflake.ID, kind string, role snowflake.ID, b storage.Budget, live bool, at time.Time) int64 {
		t.Helper()
		return must(s.Intend(t.Context(), l.Fence, storage.Action{Guild: g, Member: member, Kind: kind, Role: role, Budget: b, Live: live, Intended: at}))(t).ID
	}
	type sums struct{ Members, Roles, Kicks, Privileged, BlockKicks int }
	sum := func(u storage.Use) sums { return sums{len(u.Members), u.Roles, u.Kicks, u.Privileged, u.BlockKicks} }
	t.Run("each budget counts by itself, members once, roles each", func(t *testing.T) {
		g := guild()
		act(g, 1, "remove_role", 10, storage.BudgetCommon, false, noon)
		act(g, 1, "remove_role", 11, storage.BudgetCommon, false, noon)
		act(g, 2, "remove_role", 10, storage.BudgetCommon, true, noon)
		act(g, 3, "kick", 0, storage.BudgetCommon, true, noon)
		act(g, 4, "remove_role", 12, storage.BudgetPrivileged, true, noon)
		act(g, 5, "kick", 0, storage.BudgetBlock, true, noon)
		act(g, 6, "ban", 0, storage.BudgetBlock, false, noon)
		act(g, 7, "contain", 0, storage.BudgetNone, true, noon)
		same(t, 1, len(must(s.ActionsSince(t.Context(), g, "contain", noon.Add(-time.Microsecond)))(t)), "contained since then")
		same(t, 0, len(must(s.ActionsSince(t.Context(), g, "contain", noon))(t)), "contained later")
		act(g, 8, "remove_role", 10, storage.BudgetBlock, false, noon)
		act(g, 8, "remove_role", 11, storage.BudgetBlock, false, noon)
		u := must(s.Used(t.Context(), g, noon))(t)
		same(t, map[snowflake.ID]struct{}{8: {}}, u.Day.Stripped, "whose roles blocks took")
		same(t, sums{3, 3, 1, 1, 2}, sum(u.Day), "24 hours")
		same(t, sums{2, 1, 1, 1, 1}, sum(u.Live), "15 minutes, live")
		same(t, map[snowflake.ID]int{10: 2, 11: 1}, u.Day.PerRole, "by role")
		same(t, sums{}, sum(must(s.Used(t.Context(), guild(), noon))(t).Day), "another guild")
	})
	t.Run("a draw leaves its windows by the microsecond", func(t *testing.T) {
		g := guild()
		act(g, 1, "kick", 0, storage.BudgetCommon, true, noon)
		for _, c := range []struct {
			after     time.Duration
			live, day int
		}{
			{0, 1, 1},
			{storage.LiveWindow - time.Microsecond, 1, 1},
			{storage.LiveWindow, 0, 1},
			{storage.DayWindow - time.Microsecond, 0, 1},
			{storage.DayWindow, 0, 0},
			{-time.Hour, 1, 1}, // a clock that was set back hides nothing
		} {
			u := must(s.Used(t.Context(), g, noon.Add(c.after)))(t)
			if u.Live.Kicks != c.live || u.Day.Kicks != c.day {
				t.Errorf("%v later: %d and %d, want %d and %d", c.after, u.Live.Kicks, u.Day.Kicks, c.live, c.day)
			}
		}
	})
	t.Run("refused and already so are given back, and nothing else", func(t *testing.T) {
		for outcome, left := range map[string]int{"refused": 0, "already_so": 0, "not_tried": 0, "done": 1, "failed": 1, "not_applied": 1, "gone": 1, "collateral": 1} {
			g := guild()
			ok(t, s.Settle(t.Context(), act(g, 1, "kick", 0, storage.BudgetCommon, true, noon), outcome, "", noon))
			if got := must(s.Used(t.Context(), g, noon))(t).Day.Kicks; got != left {
				t.Errorf("%s leaves %d drawn, want %d", outcome, got, left)
			}
		}
	})
	t.Run("a trip holds until it is reset with a reason", func(t *testing.T) {
		g := guild()
		trip := storage.Trip{Guild: g, Dimension: "one_role:5", Plan: "d", Run: 3, Cause: json.RawMessage(`{"limit":2}`), At: noon}
		stored := must(s.Trip(t.Context(), trip))(t)
		_, err := s.Trip(t.Context(), trip)
		want(t, err, storage.ErrConflict, "tripped twice")
		must(s.Trip(t.Context(), storage.Trip{Guild: g, Dimension: "kicks", At: noon}))(t)
		trip.ID = stored.ID
		open := must(s.OpenTrips(t.Context(), g))(t)
		if len(open) != 2 {
			t.Fatalf("open trips: %+v", open)
		}
		same(t, trip, open[0], "first trip")
		by := author(noon.Add(time.Hour))
		by.Reason = " "
		if _, err := s.ResetTrip(t.Context(), g, "one_role:5", by); err == nil {
			t.Error("reset without a reason")
		}
		by.Reason = "looked into it"
		trip.Reset, trip.ResetBy, trip.ResetReason = by.At, by.Actor, by.Reason
		same(t, trip, must(s.ResetTrip(t.Context(), g, "one_role:5", by))(t), "reset")
		_, err = s.ResetTrip(t.Context(), g, "one_role:5", by)
		want(t, err, storage.ErrNotFound, "reset twice")
		same(t, []string{"brake_trip removed"}, changes(t, s, g), "configuration changes")
		must(s.Trip(t.Context(), storage.Trip{Guild: g, Dimension: "one_role:5", At: noon}))(t)
		if all := must(s.Trips(t.Context(), g, storage.Page{}))(t); len(all) != 3 || all[2].ID != trip.ID {
			t.Errorf("all trips: %+v", all)
		}
	})
}
