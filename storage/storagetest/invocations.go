package storagetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
)

func testInvocations(t *testing.T, s suite) {
	try := func(g snowflake.ID, user string, at time.Time) storage.Invocation {
		return storage.Invocation{Guild: g, User: user, Command: "audit run", Args: "--action strip", Origin: "console", First: at}
	}
	t.Run("the allowance is a rolling day, and says when the next is free", func(t *testing.T) {
		g := guild()
		for i := range 3 {
			v := must(s.Admit(t.Context(), try(g, "a", noon.Add(time.Duration(i)*time.Hour)), 3))(t)
			if !v.Accepted || !v.Counted || v.ID == 0 {
				t.Errorf("admitted as %+v", v)
			}
		}
		v, err := s.Admit(t.Context(), try(g, "a", noon.Add(3*time.Hour)), 3)
		want(t, err, storage.ErrConflict, "the fourth")
		spent, isSpent := errors.AsType[*storage.AllowanceError](err)
		if !isSpent || !spent.FreeAt.Equal(noon.Add(24*time.Hour)) || spent.Used != 3 || v.Accepted || v.Refusal != "rate_limited" {
			t.Errorf("refused as %+v with %+v", v, spent)
		}
		must(s.Admit(t.Context(), try(g, "b", noon.Add(3*time.Hour)), 3))(t)
		must(s.Accept(t.Context(), try(g, "a", noon.Add(3*time.Hour))))(t)
		_, err = s.Admit(t.Context(), try(g, "a", noon.Add(24*time.Hour-time.Microsecond)), 3)
		want(t, err, storage.ErrConflict, "a microsecond before the day is over")
		must(s.Admit(t.Context(), try(g, "a", noon.Add(24*time.Hour)), 3))(t)
		must(s.Admit(t.Context(), try(g, "a", noon.Add(24*time.Hour)), 0))(t)
	})
	t.Run("two at once cannot both take the last one", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				_, errs[i] = store.Admit(t.Context(), try(g, "a", noon), 2)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Errorf("loser: %v", err)
			}
		}
		if won != 2 {
			t.Errorf("%d were admitted, want 2", won)
		}
	})
	t.Run("refused attempts alike become one row for ten minutes", func(t *testing.T) {
		g := guild()
		for _, c := range []struct {
			after   time.Duration
			refusal string
			count   int
		}{
			{0, "permission_denied", 1},
			{0, "permission_denied", 2},
			{time.Minute, "permission_denied", 3},
			{2 * time.Minute, "first_run_lock", 1},
			{storage.RefusalMerge - time.Microsecond, "permission_denied", 4},
			{storage.RefusalMerge, "permission_denied", 1},
		} {
			v := try(g, "a", noon.Add(c.after))
			v.Refusal = c.refusal
			if got := must(s.Refuse(t.Context(), v))(t); got.Count != c.count || got.Accepted {
				t.Errorf("%v later: %+v, want count %d", c.after, got, c.count)
			}
		}
		all := must(s.Invocations(t.Context(), g, storage.InvocationFilter{Refused: true, User: "a"}))(t)
		if len(all) != 3 || !all[2].First.Equal(noon) || !all[2].Last.Equal(noon.Add(storage.RefusalMerge-time.Microsecond)) {
			t.Errorf("rows: %+v", all)
		}
	})
	t.Run("an accepted attempt names its run once", func(t *testing.T) {
		g := guild()
		v := must(s.Accept(t.Context(), try(g, "a", noon)))(t)
		ok(t, s.StartedRun(t.Context(), v.ID, 12))
		want(t, s.StartedRun(t.Context(), v.ID, 13), storage.ErrConflict, "a second run")
		want(t, s.StartedRun(t.Context(), 1<<40, 13), storage.ErrNotFound, "no attempt")
		v.Run = 12
		same(t, []storage.Invocation{v}, must(s.Invocations(t.Context(), g, storage.InvocationFilter{}))(t), "attempts")
	})
}

func testSources(t *testing.T, s suite) {
	healthy := func(source string, at time.Time, users int64, accounts ...storage.AccountRevision) storage.SourceRead {
		return storage.SourceRead{
			Source: source, Fingerprint: "f", Edition: "5", At: at, Verdict: "healthy", Reasons: []string{"none"}, Counts: map[string]int64{"users": users, "links": 1},
			Accounts: accounts,
		}
	}
	t.Run("the first read changes nobody; later ones say who changed, came and went", func(t *testing.T) {
		const big = uint64(1<<64 - 1)
		a, b, c := storage.AccountRevision{User: 1, Discord: biggest, Revision: big}, storage.AccountRevision{User: 2, Revision: 2}, storage.AccountRevision{User: 3, Revision: 3}
		if d := must(s.NoteRead(t.Context(), healthy("one", noon, 2, a, b)))(t); d != nil {
			t.Errorf("the first read changed %+v", d)
		}
		if d := must(s.NoteRead(t.Context(), healthy("one", noon.Add(time.Minute), 2, a, b)))(t); len(d) != 0 {
			t.Errorf("an equal read changed %+v", d)
		}
		at := noon.Add(2 * time.Minute)
		moved := b
		moved.Revision = 22
		d := must(s.NoteRead(t.Context(), healthy("one", at, 2, moved, c)))(t)
		moved.Changed, c.Changed = at, at
		goneA := storage.AccountRevision{User: 1, Discord: biggest, Changed: at}
		same(t, []storage.AccountRevision{goneA, moved, c}, d, "changed, new and gone")
		same(t, d, must(s.ChangedAccounts(t.Context(), "one", at))(t), "changed since then")
		if later := must(s.ChangedAccounts(t.Context(), "one", at.Add(time.Microsecond)))(t); len(later) != 0 {
			t.Errorf("changed later: %+v", later)
		}
		same(t, []storage.AccountRevision{goneA, c}, must(s.LastLinks(t.Context(), "one", []int64{3, 1, 9}))(t), "last links")
		same(t, 0, len(must(s.LastLinks(t.Context(), "one", nil))(t)), "links of nobody")
		linked := moved
		for i, now := range []snowflake.ID{7, 8, 0} {
			linked.Discord, linked.Revision, linked.Changed, linked.Was = now, uint64(30+i), time.Time{}, 0
			at := noon.Add(2*time.Minute + time.Duration(i+1)*time.Second)
			d := must(s.NoteRead(t.Context(), healthy("one", at, 2, linked, c)))(t)
			linked.Changed, linked.Was = at, []snowflake.ID{0, 7, 8}[i]
			same(t, []storage.AccountRevision{linked}, d, "which Discord account it was")
			same(t, d, must(s.ChangedAccounts(t.Context(), "one", at))(t), "and as it is told later")
		}
		again := linked
		again.Revision, again.Changed, again.Was = 40, time.Time{}, 0
		later := noon.Add(2*time.Minute + 10*time.Second)
		must(s.NoteRead(t.Context(), healthy("one", later, 2, again, c)))(t)
		again.Changed = later
		same(t, []storage.AccountRevision{again}, must(s.ChangedAccounts(t.Context(), "one", later))(t), "who it was before the instant asked for")
		again.Was = 8
		same(t, []storage.AccountRevision{again}, must(s.ChangedAccounts(t.Context(), "one", noon.Add(2*time.Minute+3*time.Second)))(t), "who it was, though it has changed since")
		blind := storage.SourceRead{Source: "one", At: noon.Add(3 * time.Minute), Verdict: "blind", Reasons: []string{"unreachable"}}
		if d := must(s.NoteRead(t.Context(), blind))(t); len(d) != 0 {
			t.Errorf("a blind read changed %+v", d)
		}
		got := must(s.LastRead(t.Context(), "one"))(t)
		same(t, blind, got, "last read")
		_, err := s.NoteRead(t.Context(), healthy("one", noon, 2))
		want(t, err, storage.ErrConflict, "an older read")
		_, err = s.LastRead(t.Context(), "none")
		want(t, err, storage.ErrNotFound, "no read")
	})
	t.Run("the baseline is the highest of seven healthy days", func(t *testing.T) {
		if b := must(s.Baseline(t.Context(), "two", noon))(t); b.Counts != nil || b.Accepted != nil {
			t.Errorf("baseline of nothing: %+v", b)
		}
		doubtful := healthy("two", noon.Add(2*time.Hour), 500)
		doubtful.Verdict = "doubtful"
		for _, r := range []storage.SourceRead{
			healthy("two", noon, 90), healthy("two", noon.Add(time.Minute), 100), healthy("two", noon.Add(time.Hour), 80), doubtful,
			healthy("two", noon.Add(storage.HealthyWindow), 70),
		} {
			must(s.NoteRead(t.Context(), r))(t)
		}
		users := func(at time.Time) int64 { return must(s.Baseline(t.Context(), "two", at))(t).Counts["users"] }
		if got := users(noon.Add(storage.HealthyWindow)); got != 100 {
			t.Errorf("after seven days %d, want 100", got)
		}
		if got := users(noon.Add(5 * storage.HealthyWindow)); got != 100 {
			t.Errorf("after weeks without a healthy read %d, want 100: an outage is no first contact", got)
		}
		must(s.NoteRead(t.Context(), healthy("two", noon.Add(storage.HealthyWindow+3*time.Hour), 70)))(t)
		if got := users(noon.Add(storage.HealthyWindow + 3*time.Hour)); got != 70 {
			t.Errorf("after the first hours have left %d, want 70", got)
		}
	})
	t.Run("accepted counts become the baseline exactly", func(t *testing.T) {
		g := guild()
		must(s.NoteRead(t.Context(), healthy("three", noon, 100)))(t)
		at := noon.Add(time.Hour)
		ok(t, s.AcceptSource(t.Context(), g, "three", map[string]int64{"users": 60, "links": 1}, author(at)))
		b := must(s.Baseline(t.Context(), "three", at))(t)
		same(t, map[string]int64{"users": 60, "links": 1}, b.Counts, "baseline")
		if b.Accepted == nil || b.Accepted.Actor != "console:root" || b.Accepted.Reason != "because" || !b.Accepted.At.Equal(at) {
			t.Errorf("accepted: %+v", b.Accepted)
		}
		must(s.NoteRead(t.Context(), healthy("three", at.Add(time.Minute), 65)))(t)
		if b := must(s.Baseline(t.Context(), "three", at.Add(time.Minute)))(t); b.Counts["users"] != 65 {
			t.Errorf("baseline after a healthy read: %+v", b)
		}
		log := must(s.Changes(t.Context(), g, storage.ChangeFilter{}))(t)
		if len(log) != 1 || log[0].Key != "three" || string(log[0].Before) != `{"links":1,"users":100}` || string(log[0].After) != `{"links":1,"users":60}` {
			t.Errorf("configuration changes: %+v", log)
		}
	})
}
