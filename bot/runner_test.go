package bot

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// ordered stores a run as somebody ordered it.
func (w *world) ordered(o storage.Order) storage.Run {
	run, _ := (*stubLine)(w).Order(w.t.Context(), o)
	return run
}

// left stores a run as an earlier process left it.
func (w *world) left(o storage.Order, state storage.RunState, code string, beat time.Duration) int64 {
	run := w.ordered(o)
	run.State, run.Error, run.Heartbeat = state, code, time.Now().Add(-beat)
	w.runs[run.ID] = run
	return run.ID
}

func (w *world) state(id int64) storage.RunState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs[id].State
}

// at are the runs that were performed, by id.
func (w *world) performed() (ids []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, run := range w.sweeps {
		ids = append(ids, run.ID)
	}
	return ids
}

func TestRunsOfAGuildComeOneAfterAnotherInOrder(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		working := 0
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) {
			if working++; working > 1 {
				t.Error("two runs at once")
			}
			w.take(time.Second)
			working--
			return verdict(audit.Healthy), nil
		}
		var want []int64
		for range 5 {
			run := w.ordered(storage.Order{Kind: reconcile.KindLive})
			want = append(want, run.ID)
			for range 2 { // a second start of one run is none
				if err := w.guild.Start(run); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.pass(10 * time.Second)
		if got := w.performed(); !slices.Equal(got, want) {
			t.Errorf("performed %v, want %v", got, want)
		}
		if len(w.runsTold) != 10 || w.runsTold[0] != "began live" || w.runsTold[1] != "ended" {
			t.Errorf("told %q", w.runsTold)
		}
	})
}

func TestProgressIsToldOfTheRunAtWork(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onSweep = func(_ context.Context, run storage.Run) (*reconcile.Report, error) {
			w.guild.Progress(run.ID, 1, 2)
			w.guild.Progress(0, 1, 1) // a live look beside it
			return verdict(audit.Healthy), nil
		}
		_ = w.guild.Start(w.ordered(storage.Order{Kind: reconcile.KindLive}))
		w.pass(time.Second)
		if !slices.Equal(w.runsTold, []string{"began live", "went live", "ended"}) {
			t.Errorf("told %q", w.runsTold)
		}
	})
}

func TestACancelledRunStopsAndOneThatWaitsNeverBegins(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onSweep = func(ctx context.Context, _ storage.Run) (*reconcile.Report, error) {
			<-ctx.Done()
			return verdict(audit.Healthy), context.Cause(ctx)
		}
		first, second := w.ordered(storage.Order{Kind: reconcile.KindLive}), w.ordered(storage.Order{Kind: reconcile.KindLive})
		first.State = storage.Running
		w.runs[first.ID] = first
		_ = w.guild.Start(first)
		_ = w.guild.Start(second)
		w.pass(time.Second)
		if !w.guild.Cancel(second.ID) || !w.guild.Cancel(first.ID) || w.guild.Cancel(99) {
			t.Error("cancel does not say whether there was such a run")
		}
		w.pass(time.Second)
		if got := w.performed(); !slices.Equal(got, []int64{first.ID}) {
			t.Errorf("performed %v", got)
		}
		if w.state(first.ID) != storage.Cancelled {
			t.Errorf("the cancelled run is %v", w.state(first.ID))
		}
	})
}

func TestLiveLooksGoOnBesideARun(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) {
			w.take(time.Hour)
			return verdict(audit.Healthy), nil
		}
		_ = w.guild.Start(w.ordered(storage.Order{Kind: reconcile.KindLive}))
		w.event(audit.MemberChanged, 1)
		w.pass(time.Second)
		w.wantLooks(1, 1)
		w.pass(time.Hour)
	})
}

// A long run must not let everybody wait who is marked meanwhile, even if a look at everybody is due after it.
func TestLooksDoNotWaitForALookAtEverybodyThatARunHoldsUp(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin(func(c *Config) { c.Crowd = 150 })
		w.settled()
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) {
			w.take(time.Hour)
			return verdict(audit.Healthy), nil
		}
		_ = w.guild.Start(w.ordered(storage.Order{Kind: reconcile.KindLive}))
		w.pass(time.Second)
		for id := range snowflake.ID(400) {
			w.event(audit.MemberChanged, id+1)
		}
		w.pass(time.Minute)
		for id := range snowflake.ID(400) {
			w.wantLooks(id+1, 1)
		}
		w.pass(2 * time.Hour)
	})
}

func TestShutdownLeavesTheRunToTheNextProcess(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		var cause error
		w.onSweep = func(ctx context.Context, _ storage.Run) (*reconcile.Report, error) {
			<-ctx.Done()
			w.take(2 * time.Second) // the action in hand
			cause = context.Cause(ctx)
			return verdict(audit.Healthy), cause
		}
		_ = w.guild.Start(w.ordered(storage.Order{Kind: reconcile.KindLive}))
		w.pass(time.Second)
		began := time.Now()
		w.end()
		if !errors.Is(cause, reconcile.ErrRestart) {
			t.Errorf("stopped because of %v", cause)
		}
		if time.Since(began) != 2*time.Second {
			t.Errorf("the action in hand was given %v", time.Since(began))
		}
		w.event(audit.MemberChanged, 1)
		if n := w.guild.Stats().Waiting; n != 0 {
			t.Errorf("%d members were taken in after the end", n)
		}
	})
}

func TestWhatAnEarlierProcessLeftIsTakenUp(t *testing.T) {
	inBubble(t, func(w *world) {
		live := storage.Order{Kind: reconcile.KindLive}
		waits := w.left(live, storage.Pending, "", 0)
		restarted := w.left(live, storage.Interrupted, "restart", time.Minute)
		byPerson := w.left(live, storage.Interrupted, "stopped", time.Minute)
		dead := w.left(live, storage.Running, "", 3*time.Second)
		file := w.left(storage.Order{Kind: reconcile.KindSnapshot}, storage.Interrupted, "restart", time.Minute)
		ours := w.left(storage.Order{Kind: reconcile.KindCatchUp}, storage.Interrupted, "restart", time.Minute)
		ended := w.left(live, storage.Succeeded, "", time.Minute)
		w.locked = false
		w.begin()
		w.pass(30 * time.Second)
		got := w.performed()
		if len(got) != 4 || w.sweeps[0].Order.Kind != reconcile.KindCatchUp || !slices.Equal(got[1:], []int64{waits, restarted, dead}) {
			t.Errorf("performed %v", got)
		}
		if w.recovers != 1 {
			t.Errorf("open actions were looked at %d times", w.recovers)
		}
		for id, want := range map[int64]storage.RunState{byPerson: storage.Interrupted, file: storage.Interrupted, ours: storage.Abandoned, ended: storage.Succeeded} {
			if got := w.state(id); got != want {
				t.Errorf("run %d is %v, want %v", id, got, want)
			}
		}
	})
}

func TestALookThatThisProcessOrderedIsNotTakenForAnEarlierOnes(t *testing.T) {
	inBubble(t, func(w *world) {
		w.left(storage.Order{Kind: reconcile.KindLive}, storage.Running, "", 3*time.Second) // its process may live: it is asked after again
		var own storage.RunState
		w.onSweep = func(ctx context.Context, run storage.Run) (*reconcile.Report, error) {
			if run.Order.Kind == reconcile.KindCatchUp {
				if err := rest(ctx, 20*time.Second); err != nil { // between the order and the first sign of life
					return nil, err
				}
				own = w.state(run.ID)
			}
			return verdict(audit.Healthy), nil
		}
		w.begin()
		w.pass(30 * time.Second)
		if own != storage.Pending {
			t.Errorf("the look that was just ordered is %v", own)
		}
	})
}

func TestAReportThatWaitsStandsForTheLookAtEverybodyWhileNothingMayChange(t *testing.T) {
	inBubble(t, func(w *world) {
		report := w.left(storage.Order{Kind: reconcile.KindLive, DryRun: true}, storage.Pending, "", 0)
		w.guild = New(Config{Guild: guildID, Line: (*stubLine)(w), Guilds: (*stubGuilds)(w), Sight: (*stubSight)(w), Store: (*stubStore)(w)})
		if err := w.guild.Start(w.runs[report]); err != nil {
			t.Fatal(err)
		}
		w.work()
		w.pass(time.Minute)
		if got := w.performed(); !slices.Equal(got, []int64{report}) {
			t.Errorf("performed %v", got)
		}
	})
}

func TestALookAtEverybodyThatFailsIsRepeated(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		tries := 0
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) {
			if tries++; tries < 3 {
				return nil, errBroken
			}
			return verdict(audit.Healthy), nil
		}
		w.session(audit.SessionNew)
		w.pass(time.Minute)
		if tries != 3 {
			t.Errorf("%d tries", tries)
		}
		w.wantTold(TroubleMissed, TroubleRun, TroubleRun)
	})
}

func TestALookAtEverybodyWithoutAuthIsRepeatedWhenAuthIsBack(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		health := audit.Blind
		now := func() (r *reconcile.Report, err error) {
			w.set(func() { r = verdict(health) })
			return r, nil
		}
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) { return now() }
		w.onLook = func(context.Context, []snowflake.ID) (*reconcile.Report, error) { return now() }
		w.session(audit.SessionNew)
		w.pass(5 * time.Minute)
		w.wantSweeps(reconcile.KindCatchUp) // and not one a minute
		w.set(func() { health = audit.Healthy })
		w.pass(2 * time.Minute)
		w.wantSweeps(reconcile.KindCatchUp, reconcile.KindCatchUp)
		w.pass(5 * time.Minute)
		w.wantSweeps(reconcile.KindCatchUp, reconcile.KindCatchUp)
	})
}

func TestLooksAtEverybodyKeepTheirDistance(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin(func(c *Config) { c.Crowd = 50 })
		w.settled()
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) {
			w.take(time.Second)
			return verdict(audit.Healthy), nil
		}
		id := snowflake.ID(0)
		for range 600 { // a minute of a storm, that goes on while everybody is looked at
			for range 20 {
				id++
				w.event(audit.MemberChanged, id)
			}
			w.pass(100 * time.Millisecond)
		}
		if n := len(w.performed()); n < 5 || n > 6 {
			t.Errorf("%d looks at everybody in a minute, want one every eleven seconds", n)
		}
		w.pass(time.Minute)
	})
}
