package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func snowflakeOf(n int) snowflake.ID { return snowflake.ID(uint64(n)) }

func TestTheIntentionIsRecordedBeforeTheCallAndTheOutcomeAfterIt(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet, roleState)
	open := func() int {
		rows, err := w.db.OpenActions(t.Context(), guildID)
		if err != nil {
			t.Error(err)
		}
		return len(rows)
	}
	var during []int
	w.beforeDo = func(int, audit.Action) { during = append(during, open()) }
	r := w.run(e, storage.Order{})
	wantState(t, r.Run, storage.Succeeded)
	if diff := cmp.Diff([]int{1, 1}, during); diff != "" || open() != 0 {
		t.Errorf("open intentions during the calls (-want +got):\n%s and %d after them, want 0", diff, open())
	}
	if diff := cmp.Diff([]string{"remove_role 2001 10 done", "remove_role 2001 11 done"}, w.outcomes(r.Run.ID)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	f := w.findings(storage.FindingFilter{Subject: 2001})
	if len(f) != 1 || f[0].Wanted != "strip" || f[0].Allowed != "strip" || f[0].Attempted != "remove_role" || f[0].Observed != "done" {
		t.Errorf("finding: %+v", f)
	}
	// Once more: what is done is not done again, and the finding closes.
	w.beforeDo = nil
	r = w.run(e, storage.Order{})
	if len(r.Plan.Actions) > 0 || len(w.findings(storage.FindingFilter{Subject: 2001})) > 0 {
		t.Errorf("a second run still wants %v and keeps the finding", r.Plan.Actions)
	}
}

// aa-discord-audit A7: the second look used what was read at plan time; A5: protections during a run were not seen.
func TestWhatIsNoLongerRightIsNotDone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		code   string
	}{
		"access was given meanwhile":  {func(w *world) { w.link(50, 2002); w.grant(50, "Fleet") }, "now_missing_roles"},
		"protected meanwhile":         {func(w *world) { w.except(storage.Exception{Table: storage.Protections, Subject: 2002}) }, "now_unknown_guest"},
		"override to report":          {func(w *world) { w.except(storage.Exception{Table: storage.Overrides, Subject: 2002, Action: "report"}) }, "now_unknown_guest"},
		"the role is gone":            {func(w *world) { w.join(2002) }, "role_not_held"},
		"the member left":             {func(w *world) { w.leave(2002) }, "member_left"},
		"paused":                      {func(w *world) { w.pause() }, "pause"},
		"Auth is down":                {func(w *world) { w.fail(errDown) }, "now_undecidable"},
		"the role is exempt now":      {func(w *world) { w.except(storage.Exception{Table: storage.Exemptions, Subject: roleFleet}) }, "now_unknown_guest"},
		"the policy only reports now": {func(w *world) { w.policy("unknown_guest: {default: report}\n") }, "now_unknown_guest"},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, stripStrangers)
			w.join(2001, roleFleet)
			w.join(2002, roleFleet)
			w.afterDo = func(n int, _ audit.Action) {
				if n == 1 {
					c.change(w)
				}
			}
			r := w.run(e, storage.Order{})
			if diff := cmp.Diff([]string{"remove_role 2001 11"}, w.writes()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if len(r.Outcomes) != 2 || r.Outcomes[1].Code != c.code {
				t.Errorf("outcomes %v, want the second not tried because of %s", r.Outcomes, c.code)
			}
			if w.released != 1 {
				t.Errorf("%d places in the line were given back, want 1", w.released)
			}
		})
	}
}

// Another program with the same token has used the place up: the call waits its turn again, and is made once.
func TestWhatCouldNotBeSentIsOfferedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		failures int
		want     []string
		state    storage.RunState
	}{
		"twice":    {2, []string{"remove_role 2001 11 not_tried not_sent", "remove_role 2001 11 not_tried not_sent", "remove_role 2001 11 done"}, storage.Succeeded},
		"for good": {9, []string{"remove_role 2001 11 not_tried not_sent", "remove_role 2001 11 not_tried not_sent", "remove_role 2001 11 not_tried not_sent"}, storage.CompletedWithErrors},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, stripStrangers)
			w.join(2001, roleFleet)
			left := c.failures
			w.result = func(audit.Action) (audit.Result, string) {
				if left--; left >= 0 {
					return audit.NotTried, "not_sent"
				}
				return 0, ""
			}
			r := w.run(e, storage.Order{})
			wantState(t, r.Run, c.state)
			if diff := cmp.Diff(c.want, w.outcomes(r.Run.ID)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if len(r.Outcomes) != 1 {
				t.Errorf("outcomes %v, want the last one", r.Outcomes)
			}
		})
	}
}

// aa-discord-audit A5: after --abandon the walk went on to the end.
func TestAStopReachesTheRunBeforeItsNextWrite(t *testing.T) {
	for _, to := range []storage.RunState{storage.Cancelled, storage.Abandoned, storage.Interrupted} {
		t.Run(to.String(), func(t *testing.T) {
			w, e := released(t, stripStrangers)
			for i := range 4 {
				w.join(2001+snowflakeOf(i), roleState)
			}
			run := w.order(e, storage.Order{})
			w.afterDo = func(n int, _ audit.Action) {
				if n != 2 {
					return
				}
				if _, err := w.db.MoveRun(t.Context(), storage.Move{Run: run.ID, From: storage.Running, To: to, At: w.now()}); err != nil {
					t.Error(err)
				}
			}
			r, err := e.Sweep(t.Context(), run, w, w)
			if !errors.Is(err, reconcile.ErrStopped) {
				t.Errorf("error %v, want ErrStopped", err)
			}
			if got := len(w.writes()); got != 2 {
				t.Errorf("%d writes, want the 2 before the stop", got)
			}
			wantState(t, r.Run, to)
			if open, err := w.db.OpenActions(t.Context(), guildID); err != nil || len(open) > 0 {
				t.Errorf("open intentions %v, %v", open, err)
			}
		})
	}
}

func TestALostLeaseEndsTheRunWithoutAnotherWrite(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.join(2002, roleFleet)
	w.afterDo = func(n int, _ audit.Action) {
		if n == 1 {
			if err := w.db.ReleaseLease(t.Context(), w.fence); err != nil {
				t.Error(err)
			}
			w.engine() // another owner
		}
	}
	run := w.order(e, storage.Order{})
	r, err := e.Sweep(t.Context(), run, w, w)
	if !errors.Is(err, storage.ErrFenced) {
		t.Errorf("error %v, want ErrFenced", err)
	}
	wantState(t, r.Run, storage.Interrupted)
	if got := w.writes(); len(got) != 1 {
		t.Errorf("writes %v, want one", got)
	}
}

func TestADeadlineEndsTheRun(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.join(2002, roleFleet)
	w.onReserve = func(ctx context.Context, n int, _ audit.Action) error {
		if n == 2 {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	run := w.order(e, storage.Order{Deadline: w.now().Add(300 * time.Millisecond)})
	r, err := e.Sweep(t.Context(), run, w, w)
	if !errors.Is(err, reconcile.ErrDeadline) {
		t.Errorf("error %v, want ErrDeadline", err)
	}
	wantState(t, r.Run, storage.DeadlineExceeded)
	if diff := cmp.Diff([]string{"remove_role 2001 11 done"}, w.outcomes(run.ID)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// aa-discord-audit A4: a run that was ordered as a report came back as strips and kicks.
func TestAResumedRunDoesExactlyWhatWasOrdered(t *testing.T) {
	stop := errors.New("SIGTERM")
	interrupted := func(t *testing.T, w *world, e *reconcile.Engine, o storage.Order, after int) storage.Run {
		t.Helper()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		w.afterDo = func(n int, _ audit.Action) {
			if n == after {
				cancel(stop)
			}
		}
		if after == 0 {
			cancel(stop)
		}
		run := w.order(e, o)
		r, err := e.Sweep(ctx, run, w, w)
		if after == 0 && r == nil { // before it began
			return run
		}
		if !errors.Is(err, stop) {
			t.Fatalf("error %v, want the signal", err)
		}
		wantState(t, r.Run, storage.Interrupted)
		w.afterDo = nil
		return w.stored(run.ID)
	}
	t.Run("a report stays a report", func(t *testing.T) {
		w, e := released(t, stripStrangers)
		w.join(2001, roleState)
		run := w.order(e, storage.Order{Mode: "report"})
		run, err := w.db.MoveRun(t.Context(), storage.Move{Run: run.ID, From: storage.Pending, To: storage.Interrupted, At: w.now()})
		if err != nil {
			t.Fatal(err)
		}
		w.except(storage.Exception{Table: storage.Overrides, Subject: 2001, Action: "strip"}) // came later
		r, err := e.Sweep(t.Context(), run, w, w)
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, r.Run, storage.Succeeded)
		if len(w.writes()) > 0 || len(r.Plan.Actions) > 0 {
			t.Errorf("writes %v, plan %v; want none: it was ordered as a report without overrides", w.writes(), r.Plan.Actions)
		}
	})
	t.Run("under the policy of its order", func(t *testing.T) {
		w := newWorld(t)
		w.bind()
		e := w.engine()
		w.join(2001, roleState)
		run := w.order(e, storage.Order{DryRun: true})
		w.policy(stripStrangers)
		r, err := e.Sweep(t.Context(), run, w, w)
		if err != nil || len(r.Plan.Actions) > 0 {
			t.Errorf("plan %v, %v; want nothing: there was no policy when it was ordered", r.Plan.Actions, err)
		}
	})
	t.Run("nothing that came later", func(t *testing.T) {
		w, e := released(t, stripStrangers)
		for i := range 3 {
			w.join(2001+snowflakeOf(i), roleState)
		}
		run := interrupted(t, w, e, storage.Order{}, 1)
		w.join(2009, roleState)                                                // not in the plan
		w.except(storage.Exception{Table: storage.Protections, Subject: 2002}) // no longer right
		r, err := e.Sweep(t.Context(), run, w, w)
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, r.Run, storage.Succeeded)
		if diff := cmp.Diff([]string{"remove_role 2001 10", "remove_role 2003 10"}, w.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if r.Run.Digest != run.Digest {
			t.Errorf("the plan's name changed from %s to %s", run.Digest, r.Run.Digest)
		}
		if r.Counts.Findings.Opened != 3 || r.Counts.Summary.Results["done"] != 2 {
			t.Errorf("what the run came to before is forgotten: %+v", r.Counts)
		}
	})
	t.Run("half done is no reason for a brake", func(t *testing.T) {
		w, e := released(t, stripStrangers)
		// A quarter of twelve holders may lose a role, which is three; of the nine or ten that are left when two are done it is two.
		for i := range 9 {
			w.link(100+int64(i), 1101+snowflakeOf(i))
			w.grant(100+int64(i), "Fleet")
			w.join(1101+snowflakeOf(i), roleState, roleFleet)
		}
		for i := range 3 {
			w.join(2001+snowflakeOf(i), roleFleet)
		}
		run := interrupted(t, w, e, storage.Order{}, 2)
		r, err := e.Sweep(t.Context(), run, w, w)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(w.writes()); got != 3 || len(r.Plan.Holds) > 0 {
			t.Errorf("%d writes, held by %v; want 3 and nothing", got, r.Plan.Holds)
		}
	})
}

// A process that dies leaves a running run, and perhaps an intention without an outcome. The next one looks, and repeats nothing blindly.
func TestAfterACrashTheGuildIsLookedAtAgain(t *testing.T) {
	for name, c := range map[string]struct {
		die      func(w *world) // on the way of the second action
		recorded []string
		writes   []string
	}{
		"between intention and call": {
			die: func(w *world) {
				w.result = func(audit.Action) (audit.Result, string) { return audit.FailedCall, "died" }
				w.beforeDo = func(n int, _ audit.Action) {
					if n == 2 {
						_ = w.db.Close()
					}
				}
			},
			recorded: []string{"remove_role 2001 10 done", "remove_role 2002 10 failed interrupted", "remove_role 2002 10 done"},
			writes:   []string{"remove_role 2001 10", "remove_role 2002 10", "remove_role 2002 10"},
		},
		"between call and outcome": {
			die: func(w *world) {
				w.afterDo = func(n int, _ audit.Action) {
					if n == 2 {
						_ = w.db.Close()
					}
				}
			},
			recorded: []string{"remove_role 2001 10 done", "remove_role 2002 10 done seen_after_restart"},
			writes:   []string{"remove_role 2001 10", "remove_role 2002 10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, stripStrangers)
			w.join(2001, roleState)
			w.join(2002, roleState)
			c.die(w)
			if result := w.result; result != nil { // the first call goes well
				w.result = func(a audit.Action) (audit.Result, string) {
					if a.Member == 2001 {
						return 0, ""
					}
					return result(a)
				}
			}
			run := w.order(e, storage.Order{})
			if _, err := e.Sweep(t.Context(), run, w, w); err == nil {
				t.Fatal("a database that is gone did not end the run")
			}
			w.beforeDo, w.afterDo, w.result = nil, nil, nil
			w.open()
			next := w.engine()
			if settled, err := next.Recover(t.Context(), w); err != nil || settled != 1 {
				t.Fatalf("settled %d, %v; want the one that was open", settled, err)
			}
			if _, err := next.TakeOver(t.Context(), run.ID); err == nil {
				t.Error("a run that gave a sign of life just now was taken over")
			}
			w.pass(reconcile.DeadAfter)
			taken, err := next.TakeOver(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			w.join(2009, roleState) // came later: not in the plan
			r, err := next.Sweep(t.Context(), taken, w, w)
			if err != nil {
				t.Fatal(err)
			}
			wantState(t, r.Run, storage.Succeeded)
			if diff := cmp.Diff(c.recorded, w.outcomes(run.ID)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.writes, w.writes()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// aa-discord-audit A20: rescue went by the start of a run, so a healthy resumed one was flipped while it walked.
func TestARunIsTakenOverByItsLastSignOfLife(t *testing.T) {
	w, e := released(t, stripStrangers)
	run := w.order(e, storage.Order{})
	if _, err := w.db.MoveRun(t.Context(), storage.Move{Run: run.ID, From: storage.Pending, To: storage.Running, At: w.now(), Owner: "somebody"}); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Hour)
	if err := w.db.BeatRun(t.Context(), run.ID, "somebody", w.now(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := e.TakeOver(t.Context(), run.ID); err == nil || w.stored(run.ID).State != storage.Running {
		t.Errorf("a living run that began two hours ago was taken over (%v)", err)
	}
	w.pass(reconcile.DeadAfter)
	taken, err := e.TakeOver(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, taken, storage.Interrupted)
	if err := w.db.BeatRun(t.Context(), run.ID, "somebody", w.now(), nil); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("the old owner's sign of life says %v, want ErrConflict", err)
	}
}

func TestASingleUseOverrideCountsForAllOfItsMemberAndIsThenUsedUp(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: strip, grace: 0s, by_state: {}}\n")
	w.policy("unknown_guest: {default: report}\n")
	w.join(2001, roleFleet, roleState)
	x := w.except(storage.Exception{Table: storage.Overrides, Subject: 2001, Action: "strip", SingleUse: true})
	w.run(e, storage.Order{})
	if diff := cmp.Diff([]string{"remove_role 2001 10", "remove_role 2001 11"}, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	w.join(2001, roleFleet)
	r := w.run(e, storage.Order{})
	if len(w.writes()) != 2 || len(r.Plan.Actions) > 0 {
		t.Errorf("used twice: %v", w.writes())
	}
	rows, err := w.db.Exceptions(t.Context(), guildID, storage.ExceptionFilter{Table: storage.Overrides})
	if err != nil || len(rows) != 1 || rows[0].ID != x.ID || rows[0].Used.IsZero() {
		t.Errorf("override %+v, %v; want it used", rows, err)
	}
}

func TestAnOverrideUnderWhichNothingHappenedIsNotUsedUp(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.policy("unknown_guest: {default: report}\n")
	w.join(2001, roleFleet)
	w.except(storage.Exception{Table: storage.Overrides, Subject: 2001, Action: "strip", SingleUse: true})
	w.result = func(audit.Action) (audit.Result, string) { return audit.Refused, "discord_50013" }
	r := w.run(e, storage.Order{})
	wantState(t, r.Run, storage.CompletedWithErrors)
	rows, err := w.db.Exceptions(t.Context(), guildID, storage.ExceptionFilter{Table: storage.Overrides})
	if err != nil || len(rows) != 1 || !rows[0].Used.IsZero() {
		t.Errorf("override %+v, %v; want it unused", rows, err)
	}
}

func TestOnceLetsOnePlanPassTheBrakesSurvivesACrashAndIsUsedUp(t *testing.T) {
	w, e := released(t, stripStrangers)
	for i := range 6 {
		w.join(2001+snowflakeOf(i), roleFleet)
	}
	r := w.run(e, storage.Order{})
	if len(w.writes()) > 0 {
		t.Fatal("the brake did not hold")
	}
	run, err := e.OrderPlan(t.Context(), r.Plan.Digest, true, time.Hour, w.author("corporation left"))
	if err != nil {
		t.Fatal(err)
	}
	w.afterDo = func(n int, _ audit.Action) {
		if n == 3 {
			_ = w.db.Close()
		}
	}
	if _, err := e.Sweep(t.Context(), run, w, w); err == nil {
		t.Fatal("a database that is gone did not end the run")
	}
	w.afterDo = nil
	w.open()
	next := w.engine()
	if _, err := next.Recover(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w.pass(reconcile.DeadAfter)
	taken, err := next.TakeOver(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	done, err := next.Sweep(t.Context(), taken, w, w)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, done.Run, storage.Succeeded)
	if got := len(w.writes()); got != 6 {
		t.Errorf("%d writes, want all 6", got)
	}
	if _, err := w.db.OpenPass(t.Context(), guildID, r.Plan.Digest); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the pass is still good: %v", err)
	}
	// The brake holds again.
	for i := range 6 {
		w.join(3001+snowflakeOf(i), roleFleet)
	}
	w.run(next, storage.Order{})
	if got := len(w.writes()); got != 6 {
		t.Errorf("%d writes after the pass was used up, want still 6", got)
	}
}

func TestOncePassesNoGate(t *testing.T) {
	for name, shut := range map[string]func(w *world){
		"pause":  func(w *world) { w.pause() },
		"lock":   func(w *world) { _ = w.db.Rearm(w.t.Context(), guildID, w.author("again")) },
		"roster": func(w *world) { w.partial = true },
		"Auth":   func(w *world) { w.authErr = errDown },
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, stripStrangers)
			for i := range 6 {
				w.join(2001+snowflakeOf(i), roleFleet)
			}
			r := w.run(e, storage.Order{})
			run, err := e.OrderPlan(t.Context(), r.Plan.Digest, true, time.Hour, w.author("corporation left"))
			if err != nil {
				t.Fatal(err)
			}
			shut(w)
			if _, err := e.Sweep(t.Context(), run, w, w); err != nil {
				t.Fatal(err)
			}
			if got := w.writes(); len(got) > 0 {
				t.Errorf("writes %v, want none", got)
			}
		})
	}
}

func TestARunThatCannotReachDiscordDoesNotSucceed(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.onReserve = func(context.Context, int, audit.Action) error { return errDown }
	r := w.run(e, storage.Order{})
	wantState(t, r.Run, storage.CompletedWithErrors)
}
