package schedule

import (
	stdcmp "cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/storage"
)

func TestAGuildIsAuditedAtOnceAndThenBySlots(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		p.Keep(p.guild("@every 6h", t))
		p.pass(t)
		first := p.newest(t)
		if o := first.Order; o.Kind != "live" || o.Mode != "" || !o.DryRun || o.Actor != "system" || o.Origin != "schedule" || !o.Deadline.Equal(noon.Add(time.Hour)) {
			t.Errorf("ordered %+v", o)
		}
		p.pass(t)
		p.end(t, first, storage.Succeeded, "")
		for _, c := range []struct {
			after time.Duration
			slots int
		}{{0, 1}, {6*time.Hour - time.Second, 1}, {6 * time.Hour, 2}, {7 * time.Hour, 2}} {
			p.clock.set(noon.Add(c.after))
			p.pass(t)
			if got := p.slots(t); len(got) != c.slots {
				t.Errorf("%v later: %v, want %d runs", c.after, got, c.slots)
			}
		}
		if diff := cmp.Diff([]string{"2026-11-22T12:00:00Z", "2026-11-22T18:00:00Z"}, p.slots(t)); diff != "" {
			t.Errorf("slots (-want +got):\n%s", diff)
		}
	})
}

func TestASlotIsOneRunHoweverManyProcessesSeeItPass(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		var all []*process
		for range 3 {
			p := newProcess(t, db)
			p.Keep(p.guild("@every 6h", t))
			all = append(all, p)
		}
		for hour := range 4 {
			var wg sync.WaitGroup
			for _, p := range all {
				p.clock.set(noon.Add(time.Duration(hour) * 6 * time.Hour))
				wg.Go(func() {
					for _, k := range p.all() {
						if _, err := p.look(t.Context(), k); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if got := all[0].slots(t); len(got) != hour+1 {
				t.Fatalf("after slot %d: %v", hour+1, got)
			}
			states, _ := all[0].jobs(t)
			if n := len(slices.DeleteFunc(states, func(s string) bool { return s != "run available" })); n != hour+1 {
				t.Errorf("after slot %d there are %d jobs for runs", hour+1, n)
			}
			all[0].end(t, all[0].newest(t), storage.Succeeded, "")
		}
	})
}

func TestWhatPassedWhileNobodyWasThereIsMadeUpForOnce(t *testing.T) {
	db := sqliteBase(t)
	before := newProcess(t, db)
	before.Keep(before.guild("@every 6h", t))
	before.pass(t)
	before.end(t, before.newest(t), storage.Succeeded, "")

	p := newProcess(t, db)
	p.clock.set(noon.Add(3*24*time.Hour + 25*time.Minute))
	p.Keep(p.guild("@every 6h", t))
	for range 3 {
		p.pass(t)
	}
	if diff := cmp.Diff([]string{"2026-11-22T12:00:00Z", "2026-11-25T12:00:00Z"}, p.slots(t)); diff != "" {
		t.Errorf("after three days (-want +got):\n%s", diff)
	}
	p.end(t, p.newest(t), storage.Failed, "auth_unreachable")
	p.pass(t)
	if got := p.slots(t); len(got) != 2 {
		t.Errorf("a slot whose run failed was fired again: %v", got)
	}
}

func TestARunIsNotOrderedOnTopOfAnother(t *testing.T) {
	for name, c := range map[string]struct {
		kind    string // "live" if empty
		state   storage.RunState
		age     time.Duration // since its last sign of life
		ended   time.Duration // after the slot; zero: it goes on
		ordered bool
	}{
		"another waits to begin":                 {state: storage.Pending},
		"another waits, and nobody takes it":     {state: storage.Pending, age: 10 * time.Minute, ordered: true},
		"another is at work":                     {state: storage.Running},
		"a plan is being applied":                {kind: "apply", state: storage.Running},
		"the process looks at what it missed":    {kind: "catch_up", state: storage.Running, ordered: true},
		"what was missed was looked at":          {kind: "catch_up", state: storage.Succeeded, ended: time.Minute, ordered: true},
		"another's process died":                 {state: storage.Running, age: 10 * time.Minute, ordered: true},
		"another was interrupted":                {state: storage.Interrupted, ordered: true},
		"another ended well after the slot":      {state: storage.Succeeded, ended: time.Minute},
		"another looked at all, some failed":     {state: storage.CompletedWithErrors, ended: time.Minute},
		"another ended well before the slot":     {state: storage.Succeeded, ended: -time.Minute, ordered: true},
		"another failed after the slot":          {state: storage.Failed, ended: time.Minute, ordered: true},
		"another ended well just with the slot":  {state: storage.Succeeded, ended: time.Nanosecond},
		"another was stopped by a person":        {state: storage.Cancelled, ended: time.Minute, ordered: true},
		"another's time was over after the slot": {state: storage.DeadlineExceeded, ended: time.Minute, ordered: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, sqliteBase(t))
			other, err := p.CreateRun(t.Context(), guildID, storage.Order{Kind: stdcmp.Or(c.kind, "live"), Actor: "console:root", Origin: "console"}, noon.Add(-c.age))
			if err != nil {
				t.Fatal(err)
			}
			at := noon.Add(-c.age)
			if c.ended != 0 {
				at = noon.Add(c.ended)
			}
			if c.state != storage.Pending {
				code := map[storage.RunState]string{storage.CompletedWithErrors: "actions_failed"}[c.state]
				move := func(m storage.Move) {
					if m.Run = other.ID; m.From != m.To {
						if _, err := p.MoveRun(t.Context(), m); err != nil {
							t.Fatal(err)
						}
					}
				}
				move(storage.Move{From: storage.Pending, To: storage.Running, At: at, Owner: "o"})
				move(storage.Move{From: storage.Running, To: c.state, At: at, Error: code})
			}
			p.clock.set(noon.Add(2 * time.Minute))
			p.Keep(p.guild("@every 6h", t))
			p.pass(t)
			if got := len(p.slots(t)) == 2; got != c.ordered {
				t.Errorf("ordered: %v, want %v (%v)", got, c.ordered, p.slots(t))
			}
		})
	}
}

// While Auth cannot be believed nobody is judged: such a run is no success, and a run of a part of the guild is none either.
func TestOnlyAWholeLookCountsAsSuccess(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	for _, c := range []struct {
		order storage.Order
		state storage.RunState
		code  string
		good  bool
	}{
		{storage.Order{Kind: "live"}, storage.CompletedWithErrors, "auth_blind", false},
		{storage.Order{Kind: "live", Limit: 5}, storage.Succeeded, "", false},
		{storage.Order{Kind: "snapshot"}, storage.Succeeded, "", false},
		{storage.Order{Kind: "live"}, storage.Failed, "database_full", false},
		{storage.Order{Kind: "live"}, storage.CompletedWithErrors, "actions_failed", true},
	} {
		run, err := p.CreateRun(t.Context(), guildID, c.order, noon)
		if err != nil {
			t.Fatal(err)
		}
		p.end(t, run, c.state, c.code)
		past, err := readPast(t.Context(), p.Store, guildID)
		if err != nil {
			t.Fatal(err)
		}
		if got := !past.success(p.clock.now()).IsZero(); got != c.good {
			t.Errorf("%+v that ended %s %s counts as success: %v", c.order, c.state, c.code, got)
		}
	}
}

// The peer's key of a slot outlives a build that failed, so that a half-hourly schedule loses every second run (A19). Here each slot has its run,
// whatever became of the one before: it failed, or its process died and it never began.
func TestARunThatFailedTakesNoSlotFromTheNext(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	p.Keep(p.guild("@every 30m", t))
	var want []string
	for i := range 48 {
		at := noon.Add(time.Duration(i) * 30 * time.Minute)
		p.clock.set(at.Add(time.Second))
		p.pass(t)
		want = append(want, at.Format(time.RFC3339))
		switch i % 4 {
		case 0, 2:
			p.end(t, p.newest(t), storage.Succeeded, "")
		case 1:
			p.end(t, p.newest(t), storage.Failed, "discord_unreachable")
		}
	}
	if diff := cmp.Diff(want, p.slots(t)); diff != "" {
		t.Errorf("slots that had a run (-want +got):\n%s", diff)
	}
}

func TestOffOrdersNothing(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	p.Keep(p.guild("off", t))
	for range 40 {
		p.clock.set(p.clock.now().Add(12 * time.Hour))
		p.pass(t)
	}
	if got := p.slots(t); len(got) != 0 || len(p.alarms) != 0 {
		t.Errorf("ordered %v, %d alarms", got, len(p.alarms))
	}
}

func TestTheFirstRunOnlyReportsAndTheNextDoesWhatTheGuildWants(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	g := p.guild("@every 6h", t)
	g.Mode, g.Deadline = "strip", 10*time.Minute
	p.Keep(g)
	p.pass(t)
	if o := p.newest(t).Order; o.Mode != "" || !o.DryRun {
		t.Errorf("first: %+v", o)
	}
	p.end(t, p.newest(t), storage.Succeeded, "")
	p.clock.set(noon.Add(6 * time.Hour))
	p.pass(t)
	if o := p.newest(t).Order; o.Mode != "strip" || o.DryRun || !o.Deadline.Equal(noon.Add(6*time.Hour+10*time.Minute)) {
		t.Errorf("second: %+v", o)
	}
}

func TestARunGoesThroughTheQueueToItsLine(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		p.start(t)
		p.Keep(p.guild("@every 6h", t))
		run := next(t, p.line.started, "the run")
		if run.ID != p.newest(t).ID {
			t.Errorf("started %d, ordered %d", run.ID, p.newest(t).ID)
		}
		if _, text := p.jobs(t); !cmp.Equal(p.drained(t), []string{"run completed"}) {
			t.Errorf("jobs: %s", text)
		}
		p.pass(t)
		if states, _ := p.jobs(t); len(states) != 1 {
			t.Errorf("a run that was handed over was handed again: %v", states)
		}
	})
}

func TestARunWhoseLineCannotBeginItIsHandedOverAgain(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	fails := 5
	p.line.refuse = func(storage.Run) error {
		if fails--; fails >= 0 {
			return errors.New("the line is closed: " + canary)
		}
		return nil
	}
	g := p.guild("@every 6h", t)
	p.Keep(g)
	p.start(t)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		select {
		case <-p.line.started:
			_, text := p.jobs(t)
			noCanary(t, "jobs", text)
			if got := p.slots(t); len(got) != 1 {
				t.Errorf("ordered %v", got)
			}
			return
		case <-tick.C:
			p.Look()
		case <-late:
			t.Fatal("the run was never begun")
		}
	}
}

// A job that a dead process left in the middle is taken up by the next owner, and a run that may act is found in the record.
func TestWhatAKilledProcessLeftIsTakenUpByTheNextOwner(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		dead := newProcess(t, db)
		dead.Keep(dead.guild("@every 6h", t))
		if err := dead.Post(t.Context(), Post{Guild: guildID, Webhook: SummaryWebhook, Message: message}); err != nil {
			t.Fatal(err)
		}
		acting, err := dead.CreateRun(t.Context(), guildID, storage.Order{Kind: "live", Mode: "strip", Origin: Origin, Slot: slotName(noon)}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if err := dead.hand(t.Context(), guildID, acting); err != nil {
			t.Fatal(err)
		}
		// As it stands in the table when the process is killed at work.
		by := map[bool]string{true: `ARRAY['dead']`, false: `jsonb('["dead"]')`}[dead.isPostgres()]
		if _, err := dead.sql.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP, attempted_by = `+by); err != nil {
			t.Fatal(err)
		}
		heir := newProcess(t, db)
		heir.start(t)
		heir.Keep(heir.guild("@every 6h", t))
		if d := next(t, heir.sender.sent, "the summary"); d.address != address.Reveal() {
			t.Errorf("posted to %q", d.address)
		}
		if run := next(t, heir.line.started, "the run"); run.ID != acting.ID {
			t.Errorf("started %d, want %d", run.ID, acting.ID)
		}
		states := heir.drained(t)
		slices.Sort(states)
		if diff := cmp.Diff([]string{"post completed", "run completed", "run discarded"}, states); diff != "" {
			t.Errorf("jobs (-want +got):\n%s", diff)
		}
	})
}

func TestAQueueWorksOnlyTheJobsOfItsShard(t *testing.T) {
	db := sqliteBase(t)
	other := newProcess(t, db, func(c *Config) { c.Shard = 1 })
	other.Keep(other.guild("off", t))
	if err := other.Post(t.Context(), Post{Guild: guildID, Webhook: SummaryWebhook, Message: message}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.sql.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP`); err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, db)
	p.Keep(p.guild("@every 6h", t))
	p.start(t)
	next(t, p.line.started, "its own run")
	if states, _ := p.jobs(t); states[0] != "post running" || len(p.sender.sent) != 0 {
		t.Errorf("the other shard's job: %v", states)
	}
}

func TestAfterAGuildIsDroppedNothingIsOrderedForIt(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	p.Keep(p.guild("@every 6h", t))
	p.Drop(guildID)
	p.pass(t)
	if got := p.slots(t); len(got) != 0 {
		t.Errorf("ordered %v", got)
	}
}

func TestAClockThatHadGoneAheadStopsNothingOnceItIsSetRight(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	p.Keep(p.guild("@every 6h", t))
	p.pass(t)
	p.end(t, p.newest(t), storage.Succeeded, "")
	p.clock.set(noon.Add(1000 * time.Hour))
	p.pass(t)
	p.end(t, p.newest(t), storage.Succeeded, "")
	p.pass(t)
	p.clock.set(noon.Add(6 * time.Hour))
	p.pass(t)
	if diff := cmp.Diff([]string{"2026-11-22T12:00:00Z", "2027-01-03T00:00:00Z", "2026-11-22T18:00:00Z"}, p.slots(t)); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	p.clock.set(noon.Add(13 * time.Hour))
	p.pass(t)
	next(t, p.alarms, "the alarm: the run at noon was the last that succeeded")
}

// What is in hand when the process stops is cut off, and is the first that the next one does.
func TestAJobThatIsCutOffByTheStopIsDoneByTheNextProcess(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		g := p.guild("off", t)
		p.Keep(g)
		p.sender.hold = true
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.post(t)
		next(t, p.sender.sent, "the first try")
		hurry, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Stop(hurry); err != nil {
			t.Errorf("stop: %v", err)
		}
		if states, text := p.jobs(t); !cmp.Equal(states, []string{"post available"}) {
			t.Errorf("after the stop: %s", text)
		}
		heir := newProcess(t, db)
		heir.Keep(g)
		heir.start(t)
		next(t, heir.sender.sent, "the second try")
		if states := heir.drained(t); !cmp.Equal(states, []string{"post completed"}) {
			t.Errorf("in the end: %v", states)
		}
	})
}
