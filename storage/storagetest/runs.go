package storagetest

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
)

func testRuns(t *testing.T, s suite) {
	t.Run("a run keeps exactly what was ordered, microseconds and the biggest ids included", func(t *testing.T) {
		east := time.FixedZone("east", 9*3600)
		order := storage.Order{
			Kind: "live", Mode: "strip", Overrides: json.RawMessage(`[ {"b":1, "a":"ä"} ]`), PolicyVersion: 3, Policy: json.RawMessage(`{"z":1,"a":2}`), Limit: 5,
			Members: []snowflake.ID{biggest, 1}, Actor: "discord:1", Origin: "discord", Deadline: noon.Add(time.Hour).In(east), DryRun: true,
			Gates: json.RawMessage(`["pause"]`), Plan: "d1", Slot: "s1",
		}
		r := must(s.CreateRun(t.Context(), biggest, order, noon.In(east)))(t)
		order.Deadline = noon.Add(time.Hour)
		got := must(s.Run(t.Context(), r.ID))(t)
		same(t, storage.Run{ID: r.ID, Guild: biggest, Order: order, State: storage.Pending, Created: noon}, got, "run")
		same(t, got, r, "what CreateRun returned")
		if got.Created.Location() != time.UTC {
			t.Errorf("time in zone %v, want UTC", got.Created.Location())
		}
	})
	t.Run("a slot is taken once for a guild, also by two at once", func(t *testing.T) {
		g := guild()
		other := s.db.Open(t)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				_, errs[i] = store.CreateRun(t.Context(), g, storage.Order{Kind: "live", Slot: "2026-05-03T12"}, noon)
			})
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
		if won != 1 {
			t.Errorf("%d runs took the slot, want 1", won)
		}
		must(s.CreateRun(t.Context(), guild(), storage.Order{Kind: "live", Slot: "2026-05-03T12"}, noon))(t)
		must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, noon))(t)
		must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, noon))(t)
	})
	t.Run("only allowed moves are made, and an end is final", func(t *testing.T) {
		states := []storage.RunState{
			storage.Pending, storage.Running, storage.Succeeded, storage.CompletedWithErrors, storage.Failed, storage.Interrupted, storage.Abandoned,
			storage.DeadlineExceeded, storage.Cancelled,
		}
		path := map[storage.RunState][]storage.RunState{storage.Pending: {}, storage.Running: {storage.Running}, storage.Interrupted: {storage.Running, storage.Interrupted}}
		for _, end := range states {
			if end.IsEnd() {
				path[end] = []storage.RunState{storage.Running, end}
			}
		}
		for from, steps := range path {
			for _, to := range states {
				r := newRun(t, s, guild())
				at := r.State
				for _, step := range steps {
					r = must(s.MoveRun(t.Context(), storage.Move{Run: r.ID, From: at, To: step, At: noon, Owner: "o"}))(t)
					at = step
				}
				_, err := s.MoveRun(t.Context(), storage.Move{Run: r.ID, From: from, To: to, At: noon, Owner: "o"})
				if allowed := from.MayBecome(to); allowed != (err == nil) || err != nil && !errors.Is(err, storage.ErrConflict) {
					t.Errorf("from %s to %s: %v, allowed is %v", from, to, err, allowed)
				}
			}
		}
		_, err := s.MoveRun(t.Context(), storage.Move{Run: 1 << 40, From: storage.Pending, To: storage.Running, At: noon})
		want(t, err, storage.ErrNotFound, "unknown run")
	})
	t.Run("a move keeps what it brings and leaves the rest", func(t *testing.T) {
		r := newRun(t, s, guild())
		move := func(from, to storage.RunState, at time.Time, m storage.Move) storage.Run {
			m.Run, m.From, m.To, m.At = r.ID, from, to, at
			return must(s.MoveRun(t.Context(), m))(t)
		}
		move(storage.Pending, storage.Running, noon, storage.Move{Owner: "a"})
		ok(t, s.BeatRun(t.Context(), r.ID, "a", noon.Add(time.Second), json.RawMessage(`{"n":1}`)))
		ok(t, s.BeatRun(t.Context(), r.ID, "a", noon.Add(2*time.Second), nil))
		got := move(storage.Running, storage.Interrupted, noon.Add(time.Minute), storage.Move{Digest: "d", Sources: json.RawMessage(`"s"`), Error: "stopped"})
		r.State, r.Started, r.Ended, r.Heartbeat = storage.Interrupted, noon, noon.Add(time.Minute), noon.Add(2*time.Second)
		r.Counts, r.Digest, r.Sources, r.Error = json.RawMessage(`{"n":1}`), "d", json.RawMessage(`"s"`), "stopped"
		same(t, r, got, "interrupted")
		got = move(storage.Interrupted, storage.Running, noon.Add(time.Hour), storage.Move{Owner: "b"})
		r.State, r.Ended, r.Heartbeat, r.Owner, r.Error = storage.Running, time.Time{}, noon.Add(time.Hour), "b", ""
		same(t, r, got, "resumed")
	})
	t.Run("a cancelled run tells its worker at the next beat", func(t *testing.T) {
		r := newRun(t, s, guild())
		want(t, s.BeatRun(t.Context(), r.ID, "a", noon, nil), storage.ErrConflict, "beat of a pending run")
		must(s.MoveRun(t.Context(), storage.Move{Run: r.ID, From: storage.Pending, To: storage.Running, At: noon, Owner: "a"}))(t)
		want(t, s.BeatRun(t.Context(), r.ID, "b", noon, nil), storage.ErrConflict, "beat of another owner")
		ok(t, s.BeatRun(t.Context(), r.ID, "a", noon, nil))
		must(s.MoveRun(t.Context(), storage.Move{Run: r.ID, From: storage.Running, To: storage.Cancelled, At: noon}))(t)
		want(t, s.BeatRun(t.Context(), r.ID, "a", noon, nil), storage.ErrConflict, "beat of a cancelled run")
		want(t, s.BeatRun(t.Context(), 1<<40, "a", noon, nil), storage.ErrNotFound, "beat of no run")
	})
	t.Run("of two who move a run one wins", func(t *testing.T) {
		r, other := newRun(t, s, guild()), s.db.Open(t)
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				_, errs[i] = store.MoveRun(t.Context(), storage.Move{Run: r.ID, From: storage.Pending, To: storage.Running, At: noon, Owner: "o"})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d moved the run, want 1: %v", won, errors.Join(errs...))
		}
	})
	t.Run("lists are newest first, by page, state and guild", func(t *testing.T) {
		g := guild()
		var all []int64
		for range 5 {
			all = append([]int64{newRun(t, s, g).ID}, all...)
		}
		newRun(t, s, guild())
		must(s.MoveRun(t.Context(), storage.Move{Run: all[2], From: storage.Pending, To: storage.Running, At: noon, Owner: "a"}))(t)
		for _, c := range []struct {
			filter storage.RunFilter
			want   []int64
		}{
			{storage.RunFilter{}, all},
			{storage.RunFilter{Page: storage.Page{Limit: 2}}, all[:2]},
			{storage.RunFilter{Page: storage.Page{Before: all[1], Limit: 2}}, all[2:4]},
			{storage.RunFilter{States: []storage.RunState{storage.Running, storage.Failed}}, all[2:3]},
			{storage.RunFilter{Kind: "snapshot"}, nil},
		} {
			var got []int64
			for _, r := range must(s.Runs(t.Context(), g, c.filter))(t) {
				got = append(got, r.ID)
			}
			same(t, c.want, got, "runs")
		}
		_, err := s.Run(t.Context(), 1<<40)
		want(t, err, storage.ErrNotFound, "unknown run")
	})
}
