package storagetest

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"gatecamp/storage"
)

func testLeases(t *testing.T, s suite) {
	owner := func(id string) storage.Owner { return storage.Owner{ID: id, Host: "here", PID: 42, Since: noon} }
	t.Run("one owner at a time; the other hears who it is", func(t *testing.T) {
		_, err := s.LeaseHolder(t.Context(), 10)
		want(t, err, storage.ErrNotFound, "nobody's shard")
		first := must(s.AcquireLease(t.Context(), 10, owner("a")))(t)
		if first.Number < 1 || first.Fence.Owner != "a" || first.Holder != owner("a") || first.Taken {
			t.Errorf("lease: %+v", first)
		}
		if ends := !first.Ends.IsZero(); ends != s.db.LeasesEnd() {
			t.Errorf("lease ends at %v", first.Ends)
		}
		other := s.db.Open(t)
		_, err = other.AcquireLease(t.Context(), 10, owner("b"))
		want(t, err, storage.ErrConflict, "held by another")
		if held, isHeld := errors.AsType[*storage.HeldError](err); !isHeld || held.Holder != owner("a") {
			t.Errorf("held by: %v", err)
		}
		if seen := must(other.LeaseHolder(t.Context(), 10))(t); seen.Fence != first.Fence || seen.Holder != owner("a") {
			t.Errorf("as another process sees it: %+v", seen)
		}
		renewed := must(s.RenewLease(t.Context(), first.Fence))(t)
		if renewed.Fence != first.Fence || renewed.Renewed.Before(first.Renewed) {
			t.Errorf("renewed: %+v", renewed)
		}
		ok(t, s.ReleaseLease(t.Context(), first.Fence))
		want(t, s.ReleaseLease(t.Context(), first.Fence), storage.ErrFenced, "released twice")
		_, err = s.RenewLease(t.Context(), first.Fence)
		want(t, err, storage.ErrFenced, "renewed after release")
		_, err = other.LeaseHolder(t.Context(), 10)
		want(t, err, storage.ErrNotFound, "released")
		second := must(other.AcquireLease(t.Context(), 10, owner("b")))(t)
		if second.Number <= first.Number || second.Taken {
			t.Errorf("next lease: %+v after %+v", second, first)
		}
		ok(t, other.ReleaseLease(t.Context(), second.Fence))
	})
	t.Run("after a crash the next owner gets a higher number, and the old one is fenced off", func(t *testing.T) {
		g, dead, heir := guild(), s.db.Open(t), s.db.Open(t)
		old := must(dead.AcquireLease(t.Context(), 11, owner("dead")))(t)
		a := storage.Action{Guild: g, Member: 1, Kind: "kick", Budget: storage.BudgetCommon, Intended: noon}
		must(dead.Intend(t.Context(), old.Fence, a))(t)
		s.db.Die(t, dead)
		_, err := heir.LeaseHolder(t.Context(), 11)
		want(t, err, storage.ErrNotFound, "the dead hold nothing")
		next := must(heir.AcquireLease(t.Context(), 11, owner("heir")))(t)
		if next.Number <= old.Number || !next.Taken {
			t.Errorf("taken over: %+v after %+v", next, old)
		}
		if open := must(heir.OpenActions(t.Context(), g))(t); len(open) != 1 {
			t.Errorf("open actions: %+v", open)
		}
		a.Member = 2
		_, err = heir.Intend(t.Context(), old.Fence, a)
		want(t, err, storage.ErrFenced, "intention under the old number")
		_, err = heir.RenewLease(t.Context(), old.Fence)
		want(t, err, storage.ErrFenced, "renewal under the old number")
		ok(t, heir.ReleaseLease(t.Context(), next.Fence))
	})
	t.Run("of many processes that want a shard at once one gets it", func(t *testing.T) {
		stores := make([]storage.Store, 4)
		for i := range stores {
			stores[i] = s.db.Open(t)
		}
		leases, errs := make([]storage.Lease, len(stores)), make([]error, len(stores))
		var wg sync.WaitGroup
		for i := range stores {
			wg.Go(func() { leases[i], errs[i] = stores[i].AcquireLease(t.Context(), 12, owner(string(rune('a'+i)))) })
		}
		wg.Wait()
		won := 0
		for i, err := range errs {
			if err == nil {
				won++
				ok(t, stores[i].ReleaseLease(t.Context(), leases[i].Fence))
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Errorf("loser: %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d got the shard, want 1", won)
		}
	})
	t.Run("one process may own several shards", func(t *testing.T) {
		a, b := must(s.AcquireLease(t.Context(), 20, owner("x")))(t), must(s.AcquireLease(t.Context(), 21, owner("x")))(t)
		ok(t, s.ReleaseLease(t.Context(), a.Fence))
		must(s.RenewLease(t.Context(), b.Fence))(t)
		ok(t, s.ReleaseLease(t.Context(), b.Fence))
	})
}

func testCommands(t *testing.T, s suite) {
	t.Run("a command goes to the owner, who tells how it goes and how it ended", func(t *testing.T) {
		g, console := guild(), s.db.Open(t)
		l := lease(t, s, 1, "owner")
		c := must(console.AskOwner(t.Context(), storage.Command{Guild: g, Kind: "run", Args: json.RawMessage(`{"a":1}`), Actor: "console:root", Created: noon}))(t)
		second := must(console.AskOwner(t.Context(), storage.Command{Guild: g, Kind: "pause", Actor: "console:root", Created: noon}))(t)
		other := must(console.AskOwner(t.Context(), storage.Command{Guild: guild(), Kind: "pause", Actor: "console:root", Created: noon}))(t)
		_, err := console.TakeCommands(t.Context(), storage.Fence{Shard: 1, Number: l.Number, Owner: "x"}, g, noon)
		want(t, err, storage.ErrFenced, "taken by another than the owner")
		got := must(s.TakeCommands(t.Context(), l.Fence, g, noon.Add(time.Second)))(t)
		c.TakenBy, c.Taken, second.TakenBy, second.Taken = "owner", noon.Add(time.Second), "owner", noon.Add(time.Second)
		same(t, []storage.Command{c, second}, got, "taken")
		if again := must(s.TakeCommands(t.Context(), l.Fence, g, noon))(t); len(again) != 0 {
			t.Errorf("taken again: %+v", again)
		}
		if rest := must(s.TakeCommands(t.Context(), l.Fence, 0, noon))(t); len(rest) != 1 || rest[0].ID != other.ID {
			t.Errorf("of all guilds: %+v", rest)
		}
		ok(t, s.ReportProgress(t.Context(), c.ID, "owner", noon, json.RawMessage(`{"done":1}`)))
		ok(t, s.ReportProgress(t.Context(), c.ID, "owner", noon, json.RawMessage(`{"done":2}`)))
		want(t, s.ReportProgress(t.Context(), c.ID, "x", noon, nil), storage.ErrConflict, "progress by another")
		now, lines, err := console.FollowCommand(t.Context(), c.ID, 0)
		if err != nil || len(lines) != 2 || !now.Finished.IsZero() || string(lines[1].Data) != `{"done":2}` {
			t.Errorf("following: %+v, %+v, %v", now, lines, err)
		}
		ok(t, s.FinishCommand(t.Context(), c.ID, "owner", noon.Add(time.Minute), json.RawMessage(`{"run":1}`), ""))
		want(t, s.FinishCommand(t.Context(), c.ID, "owner", noon, nil, ""), storage.ErrConflict, "finished twice")
		want(t, s.FinishCommand(t.Context(), 1<<40, "owner", noon, nil, ""), storage.ErrNotFound, "finished what is not there")
		now, lines, err = console.FollowCommand(t.Context(), c.ID, lines[1].ID)
		if err != nil || len(lines) != 0 || !now.Finished.Equal(noon.Add(time.Minute)) || string(now.Result) != `{"run":1}` {
			t.Errorf("finished: %+v, %+v, %v", now, lines, err)
		}
		_, _, err = console.FollowCommand(t.Context(), 1<<40, 0)
		want(t, err, storage.ErrNotFound, "no command")
		ok(t, s.ReleaseLease(t.Context(), l.Fence))
	})
	t.Run("a new owner takes up what the old one left", func(t *testing.T) {
		g := guild()
		first := lease(t, s, 1, "first")
		c := must(s.AskOwner(t.Context(), storage.Command{Guild: g, Kind: "run", Created: noon}))(t)
		must(s.TakeCommands(t.Context(), first.Fence, g, noon))(t)
		ok(t, s.ReleaseLease(t.Context(), first.Fence))
		next := lease(t, s, 1, "next")
		if got := must(s.TakeCommands(t.Context(), next.Fence, g, noon))(t); len(got) != 1 || got[0].ID != c.ID {
			t.Errorf("taken up: %+v", got)
		}
		want(t, s.FinishCommand(t.Context(), c.ID, "first", noon, nil, ""), storage.ErrConflict, "finished by the old owner")
		want(t, s.WithdrawCommand(t.Context(), c.ID, noon), storage.ErrConflict, "withdrawn after it was taken")
		ok(t, s.ReleaseLease(t.Context(), next.Fence))
	})
	t.Run("a command that nobody took can be withdrawn", func(t *testing.T) {
		g := guild()
		c := must(s.AskOwner(t.Context(), storage.Command{Guild: g, Kind: "run", Created: noon}))(t)
		ok(t, s.WithdrawCommand(t.Context(), c.ID, noon))
		want(t, s.WithdrawCommand(t.Context(), 1<<40, noon), storage.ErrNotFound, "no command")
		l := lease(t, s, 1, "o")
		if got := must(s.TakeCommands(t.Context(), l.Fence, g, noon))(t); len(got) != 0 {
			t.Errorf("taken: %+v", got)
		}
	})
}
