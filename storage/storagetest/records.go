package storagetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
	"gatecamp/trail"
)

// fill writes one of everything that retention lets go, at an instant.
func fill(t testing.TB, s storage.Store, g snowflake.ID, at time.Time) storage.Run {
	t.Helper()
	ctx := t.Context()
	r := must(s.CreateRun(ctx, g, storage.Order{Kind: "live"}, at))(t)
	must(s.MoveRun(ctx, storage.Move{Run: r.ID, From: storage.Pending, To: storage.Running, At: at, Owner: "o"}))(t)
	ok(t, s.GivePass(ctx, storage.Pass{Guild: g, Digest: "d", Run: r.ID, Actor: "a", Reason: "r", At: at}))
	f := found(1, "unknown_guest", storage.FindingFacts{Wanted: "report"})
	for _, wanted := range []string{"report", "strip"} {
		f.Wanted = wanted
		apply(t, s, storage.Look{Guild: g, Run: r.ID, At: at, Extent: storage.Complete, Found: []storage.Found{f}})
	}
	apply(t, s, storage.Look{Guild: g, Run: r.ID, At: at, Extent: storage.Complete})
	ok(t, s.StorePlan(ctx, storage.Plan{Guild: g, Digest: "d", Run: r.ID, Made: at, Actions: []storage.PlanAction{{Key: "k", Member: 1, Kind: "kick"}}}))
	l := lease(t, s, 1, "o")
	a := must(s.Intend(ctx, l.Fence, storage.Action{Guild: g, Run: r.ID, Plan: "d", Key: "k", Member: 1, Kind: "kick", Budget: storage.BudgetCommon, Intended: at}))(t)
	ok(t, s.Settle(ctx, a.ID, "done", "", at))
	key := must(s.PersonKeys(ctx, g, []storage.Person{{Ref: "discord:1"}}))(t)[0]
	ok(t, s.AppendTrail(ctx, []storage.TrailRecord{{Entry: trail.Entry{Guild: g, At: at, Kind: trail.Done, Subject: key}, Text: "x"}}))
	must(s.Accept(ctx, storage.Invocation{Guild: g, User: "a", Command: "c", First: at}))(t)
	ok(t, s.SetSetting(ctx, g, "locale", at.String(), author(at)))
	ok(t, s.MakeCard(ctx, storage.Card{ID: rand.Text(), Guild: g, Kind: "apply", Invoker: 1, Created: at, Expires: at.Add(time.Minute)}))
	ok(t, s.Remember(ctx, g, "commands.digest", []byte("d"), at))
	ok(t, s.NoteRoleGrants(ctx, []storage.RoleGrant{{Guild: g, Entry: 1, Role: 2, Member: 1, Actor: 3, Added: true, At: at}}))
	ok(t, s.NoteRights(ctx, storage.SeenRights{Guild: g, Discord: 1, At: at}))
	must(s.AdmitMessage(ctx, g, 1, "run", at))(t)
	_, _, err := s.Block(ctx, storage.Block{Guild: g, Scope: "user", Value: "1"}, author(at))
	ok(t, err)
	must(s.Unblock(ctx, g, "user", "1", author(at)))(t)
	_, _, err = s.Block(ctx, storage.Block{Guild: g, Scope: "user", Value: "2"}, author(at)) // in force: it stays
	ok(t, err)
	c := must(s.AskOwner(ctx, storage.Command{Guild: g, Kind: "run", Created: at}))(t)
	must(s.TakeCommands(ctx, l.Fence, g, at))(t)
	ok(t, s.ReportProgress(ctx, c.ID, "o", at, json.RawMessage(`1`)))
	ok(t, s.FinishCommand(ctx, c.ID, "o", at, nil, ""))
	return must(s.MoveRun(ctx, storage.Move{Run: r.ID, From: storage.Running, To: storage.Succeeded, At: at}))(t)
}

// filled are the rows that fill writes.
var filled = map[string]int64{
	"command_progress": 1, "command": 1, "trail_text": 1, "trail": 1, "person": 1, "finding_change": 1, "finding": 1, "brake_draw": 1, "action": 1,
	"invocation": 1, "config_change": 1, "plan_pass": 1, "run": 1, "plan_action": 1, "plan": 1,
	"block": 1, "block_history": 2, "card": 1, "memory": 1, "role_grant": 1, "seen_rights": 1, "direct_message": 1,
}

func none() map[string]int64 {
	m := maps.Clone(filled)
	for name := range m {
		m[name] = 0
	}
	return m
}

func daysAgo(n int) time.Time {
	return time.Now().UTC().Truncate(time.Microsecond).Add(-time.Duration(n) * 24 * time.Hour)
}

func testRetention(t *testing.T, s suite) {
	t.Run("what is older than the retention goes, whole, and a dry run only counts it", func(t *testing.T) {
		g := guild()
		fill(t, s, g, daysAgo(200))
		for range 2 {
			p := must(s.Prune(t.Context(), g, time.Now(), true))(t)
			same(t, filled, p.Rows, "dry run")
			if age := time.Since(p.Before); age < 180*24*time.Hour || age > 181*24*time.Hour {
				t.Errorf("pruned before %v, which is %v ago", p.Before, age)
			}
		}
		same(t, filled, must(s.Prune(t.Context(), g, time.Now(), false))(t).Rows, "pruned")
		same(t, none(), must(s.Prune(t.Context(), g, time.Now(), false))(t).Rows, "pruned again")
	})
	t.Run("what is younger than the stored retention stays, whatever is asked", func(t *testing.T) {
		g := guild()
		fill(t, s, g, daysAgo(40))
		same(t, none(), must(s.Prune(t.Context(), g, time.Now(), false))(t).Rows, "180 days")
		ok(t, s.SetSetting(t.Context(), g, storage.SettingRetentionDays, "0", author(time.Now())))
		p := must(s.Prune(t.Context(), g, time.Now(), false))(t)
		same(t, none(), p.Rows, "for ever")
		if !p.Before.IsZero() {
			t.Errorf("pruned before %v, want never", p.Before)
		}
		ok(t, s.SetSetting(t.Context(), g, storage.SettingRetentionDays, "30", author(time.Now())))
		same(t, none(), must(s.Prune(t.Context(), g, daysAgo(41), false))(t).Rows, "asked for less")
		same(t, filled, must(s.Prune(t.Context(), g, time.Now(), false))(t).Rows, "30 days")
	})
	t.Run("what is open stays, and so does what it rests on", func(t *testing.T) {
		g, at := guild(), daysAgo(300)
		l := lease(t, s, 1, "o")
		interrupted := must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, at))(t)
		must(s.MoveRun(t.Context(), storage.Move{Run: interrupted.ID, From: storage.Pending, To: storage.Interrupted, At: at}))(t)
		must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, at))(t)
		finder := must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, at))(t)
		apply(t, s, storage.Look{Guild: g, Run: finder.ID, At: at, Extent: storage.Complete, Found: []storage.Found{found(1, "unknown_guest", storage.FindingFacts{})}})
		released := must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, at))(t)
		must(s.Acknowledge(t.Context(), storage.Acknowledgement{Guild: g, Run: released.ID, Actor: "a", Reason: "r", At: daysAgo(1)}, "console"))(t)
		actor := must(s.CreateRun(t.Context(), g, storage.Order{Kind: "live"}, at))(t)
		must(s.Intend(t.Context(), l.Fence, storage.Action{Guild: g, Run: actor.ID, Plan: "d", Key: "k", Member: 1, Kind: "kick", Budget: storage.BudgetCommon, Intended: at}))(t)
		for _, r := range []storage.Run{finder, released, actor} {
			must(s.MoveRun(t.Context(), storage.Move{Run: r.ID, From: storage.Pending, To: storage.Failed, At: at}))(t)
		}
		same(t, none(), must(s.Prune(t.Context(), g, time.Now(), false))(t).Rows, "pruned")
	})
	t.Run("another guild's records stay", func(t *testing.T) {
		g := guild()
		fill(t, s, g, daysAgo(200))
		same(t, none(), must(s.Prune(t.Context(), guild(), time.Now(), false))(t).Rows, "pruned")
	})
}

func testRecords(t *testing.T, s suite) {
	db := s.db.SQL(t)
	exec := func(statement string, args ...any) error {
		_, err := db.ExecContext(t.Context(), statement, args...)
		return err
	}
	kept := []string{"trail", "config_change", "finding_change", "run", "finding", "action", "invocation", "brake_draw", "plan_action", "plan"}
	t.Run("the database refuses to delete what is younger than the retention", func(t *testing.T) {
		g := guild()
		fill(t, s, g, daysAgo(100))
		for _, table := range kept {
			if err := exec(`DELETE FROM `+table+` WHERE guild_id = $1`, int64(g)); err == nil {
				t.Errorf("rows of %s were deleted", table)
			}
		}
	})
	t.Run("the floor of 30 days holds, also when a smaller retention was smuggled in", func(t *testing.T) {
		young, old := guild(), guild()
		for g, age := range map[snowflake.ID]int{young: 29, old: 31} {
			fill(t, s, g, daysAgo(age))
			ok(t, exec(`INSERT INTO setting (guild_id, name, value) VALUES ($1, 'retention_days', '1')`, int64(g)))
			ok(t, exec(`DELETE FROM trail_text WHERE guild_id = $1`, int64(g)))
		}
		if err := exec(`DELETE FROM trail WHERE guild_id = $1`, int64(young)); err == nil {
			t.Error("entries of 29 days were deleted")
		}
		ok(t, exec(`DELETE FROM trail WHERE guild_id = $1`, int64(old)))
	})
	t.Run("the database refuses to change what was recorded", func(t *testing.T) {
		g := guild()
		r := fill(t, s, g, daysAgo(200))
		must(s.Acknowledge(t.Context(), storage.Acknowledgement{Guild: g, Run: r.ID, Actor: "a", Reason: "r", At: noon}, "console"))(t)
		must(s.SetPolicy(t.Context(), g, 0, "x", json.RawMessage(`{}`), author(noon)))(t)
		must(s.Pause(t.Context(), g, author(noon)))(t)
		must(s.Trip(t.Context(), storage.Trip{Guild: g, Dimension: "kicks", At: noon}))(t)
		for _, change := range []string{
			"trail SET what = 'x'", "trail SET at = at", "config_change SET actor = 'x'", "finding_change SET run_id = 0", "trail_text SET body = 'x'",
			"run SET actor = 'x'", "run SET mode = 'strip'", "run SET state = 'failed'", "finding SET opened_at = changed_at", "finding SET category = 'x'",
			"action SET outcome = 'failed'", "action SET member_id = 2", "invocation SET user_ref = 'x'", "brake_draw SET member_id = 3", "policy SET document = 'x'",
			"plan SET created_at = made_at", "plan SET digest = 'x'", "plan SET actions = 0", "plan_action SET member_id = 2", "plan_action SET action_key = 'x'",
		} {
			if err := exec(`UPDATE `+change+` WHERE guild_id = $1`, int64(g)); err == nil {
				t.Errorf("UPDATE %s went through", change)
			}
		}
		for _, table := range []string{"policy", "acknowledgement", "pause", "brake_trip"} {
			if err := exec(`DELETE FROM `+table+` WHERE guild_id = $1`, int64(g)); err == nil {
				t.Errorf("rows of %s were deleted", table)
			}
		}
	})
	t.Run("what a person approves is what was planned: nobody makes a plan older, or exchanges its actions", func(t *testing.T) {
		g := guild()
		r := fill(t, s, g, daysAgo(100))
		if err := exec(`UPDATE plan SET made_at = $2 WHERE guild_id = $1`, int64(g), daysAgo(300)); err == nil {
			t.Error("a plan was made older, and could be deleted then")
		}
		if err := exec(`INSERT INTO plan_action SELECT guild_id, digest, 0, 'x', 2, kind, role_id, held FROM plan_action WHERE guild_id = $1`, int64(g)); err == nil {
			t.Error("an action of a plan was put in another's place")
		}
		other := storage.Plan{Guild: g, Digest: "d", Run: r.ID, Made: noon, Actions: []storage.PlanAction{{Key: "x", Member: 2, Kind: "kick"}}}
		want(t, s.StorePlan(t.Context(), other), storage.ErrConflict, "other actions under the digest")
		same(t, snowflake.ID(1), must(s.Plan(t.Context(), g, "d"))(t).Actions[0].Member, "whom the plan kicks")
	})
	t.Run("a plan that is being performed stays, however old", func(t *testing.T) {
		g := guild()
		fill(t, s, g, daysAgo(200))
		ok(t, s.MovePlan(t.Context(), g, "d", storage.PlanStored, storage.PlanPerforming))
		for _, table := range []string{"plan_action", "plan"} {
			if err := exec(`DELETE FROM `+table+` WHERE guild_id = $1`, int64(g)); err == nil {
				t.Errorf("rows of %s were deleted", table)
			}
		}
	})
	t.Run("a change that fails leaves no trace of itself", func(t *testing.T) {
		g := guild()
		r := newRun(t, s, g)
		before := changes(t, s, g)
		_, err := s.Acknowledge(t.Context(), storage.Acknowledgement{Guild: g, Run: r.ID, Actor: "a", At: noon}, "console")
		if err == nil {
			t.Fatal("acknowledged without a reason")
		}
		_, err = s.Acknowledged(t.Context(), g)
		want(t, err, storage.ErrNotFound, "acknowledged")
		same(t, before, changes(t, s, g), "configuration changes")
	})
}

func testFaults(t *testing.T, s suite) {
	t.Run("many who write at once all get through", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		const writers, each = 8, 25
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				for j := range each {
					v := storage.Invocation{Guild: g, User: fmt.Sprint(i), Command: "c", First: noon.Add(time.Duration(j) * time.Hour)}
					if _, err := store.Accept(t.Context(), v); err != nil {
						errs[i] = err
						return
					}
				}
			})
		}
		wg.Wait()
		ok(t, errors.Join(errs...))
		if n := len(must(s.Invocations(t.Context(), g, storage.InvocationFilter{}))(t)); n != writers*each {
			t.Errorf("%d rows, want %d", n, writers*each)
		}
	})
	t.Run("an ended context stops every call, and nothing was written", func(t *testing.T) {
		g, ctx := guild(), cancelled(t)
		for name, call := range map[string]func(context.Context) error{
			"write": func(ctx context.Context) error {
				_, err := s.Bind(ctx, g, []storage.Binding{{Role: 1, Kind: storage.BoundGuarded}}, author(noon))
				return err
			},
			"read": func(ctx context.Context) error { _, err := s.Bindings(ctx, g); return err },
		} {
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", name, err)
			}
		}
		if got := must(s.Bindings(t.Context(), g))(t); len(got) != 0 {
			t.Errorf("written: %+v", got)
		}
	})
	t.Run("a context that ends half-way through leaves nothing", func(t *testing.T) {
		g := guild()
		ctx, cancel := context.WithCancel(t.Context())
		var all []storage.Found
		for i := range 3000 {
			all = append(all, found(snowflake.ID(i+1), "unknown_guest", storage.FindingFacts{}))
		}
		started := make(chan struct{})
		go func() {
			<-started
			cancel()
		}()
		close(started)
		_, err := s.ApplyLook(ctx, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: all})
		n := len(must(s.Findings(t.Context(), g, storage.FindingFilter{Page: storage.Page{Limit: 5000}}))(t))
		if err == nil && n != 3000 || err != nil && n != 0 {
			t.Errorf("%d findings with error %v", n, err)
		}
	})
	t.Run("a closed store says that it is gone", func(t *testing.T) {
		closed := s.db.Open(t)
		ok(t, closed.Close())
		_, err := closed.Bindings(t.Context(), guild())
		want(t, err, storage.ErrGone, "closed")
	})
}
