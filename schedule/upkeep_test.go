package schedule

import (
	"strings"
	"testing"
	"time"

	"gatecamp/storage"
)

func TestAnAlarmGoesOutWhenNoRunHasSucceededForTwiceTheInterval(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		p.Keep(p.guild("@every 6h", t))
		if err := p.Subscribe(t.Context(), guildID, person, noon); err != nil {
			t.Fatal(err)
		}
		p.pass(t)
		p.end(t, p.newest(t), storage.Succeeded, "")
		alarms := func(after time.Duration, want int) {
			t.Helper()
			p.clock.set(noon.Add(after))
			p.pass(t)
			if len(p.alarms) != want {
				t.Fatalf("after %v: %d alarms, want %d", after, len(p.alarms), want)
			}
			for range want {
				<-p.alarms
			}
		}
		alarms(12*time.Hour, 0)
		p.end(t, p.newest(t), storage.Failed, "auth_unreachable")
		p.clock.set(noon.Add(12*time.Hour + time.Minute))
		p.pass(t)
		m := next(t, p.alarms, "the alarm")
		if text := m.Title + m.Text + m.Footer; m.Tone.String() != "trouble" || !strings.Contains(text, "12 hours ago") || !strings.Contains(text, "every 6 hours") || !strings.Contains(text, "/audit history") {
			t.Errorf("the alarm says %+v", m)
		}
		alarms(12*time.Hour+2*time.Minute, 0)
		alarms(36*time.Hour, 0)
		alarms(36*time.Hour+2*time.Minute, 1)
		s, err := p.Status(t.Context(), guildID)
		if err != nil || !s.Overdue || !s.Last.Equal(noon) || !s.Next.Equal(noon.Add(42*time.Hour)) || s.Interval != 6*time.Hour || s.Spec != "@every 6h" {
			t.Errorf("status %+v, %v", s, err)
		}
		p.end(t, p.newest(t), storage.Succeeded, "")
		alarms(40*time.Hour, 0)
		p.start(t)
		posts, people := 0, 0
		for range 4 {
			if d := next(t, p.sender.sent, "the alarm"); d.person == person {
				people++
			} else {
				posts++
			}
		}
		if posts != 2 || people != 2 {
			t.Errorf("%d posts and %d direct messages, want 2 of each", posts, people)
		}
	})
}

// A guild in which no run ever succeeds is told of too, and a restart does not begin the wait anew.
func TestAnAlarmAlsoGoesOutWhereNoRunEverSucceeded(t *testing.T) {
	db := sqliteBase(t)
	before := newProcess(t, db)
	before.Keep(before.guild("@every 6h", t))
	before.pass(t)
	p := newProcess(t, db)
	p.clock.set(noon.Add(13 * time.Hour))
	p.Keep(p.guild("@every 6h", t))
	p.pass(t)
	if m := next(t, p.alarms, "the alarm"); !strings.Contains(m.Text, "None has succeeded since the schedule began, 13 hours ago") {
		t.Errorf("it says %q", m.Text)
	}
}

func TestOldRecordsGoOnceADay(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		p.clock.set(time.Now())
		old := p.clock.now().AddDate(0, 0, -100)
		run, err := p.CreateRun(t.Context(), guildID, storage.Order{Kind: "live"}, old)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []storage.Move{{From: storage.Pending, To: storage.Running, Owner: "o"}, {From: storage.Running, To: storage.Succeeded}} {
			m.Run, m.At = run.ID, old
			if _, err := p.MoveRun(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		g := p.guild("off", t)
		g.RetentionDays = 90
		p.Keep(g)
		p.start(t)
		for range 3 {
			p.pass(t)
		}
		states := p.drained(t)
		if len(states) != 1 || states[0] != "prune completed" {
			t.Errorf("jobs: %v", states)
		}
		if got := p.slots(t); len(got) != 0 {
			t.Errorf("the old run is still there")
		}
		if days, err := p.Setting(t.Context(), guildID, storage.SettingRetentionDays); err != nil || days != "90" {
			t.Errorf("stored retention %q, %v", days, err)
		}
		p.clock.set(p.clock.now().Add(24 * time.Hour))
		p.pass(t)
		if states := p.drained(t); len(states) != 2 {
			t.Errorf("the next day: %v", states)
		}
		p.pass(t)
		after := newProcess(t, db)
		after.clock.set(p.clock.now())
		after.Keep(g)
		after.pass(t)
		if states, _ := after.jobs(t); len(states) != 2 {
			t.Errorf("after a restart the day's pruning was ordered again: %v", states)
		}
	})
}
