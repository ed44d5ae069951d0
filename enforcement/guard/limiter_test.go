package guard

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"gatecamp/enforcement"
)

func TestAFloodIsItsFirstLinesAndASummaryWhenItIsOver(t *testing.T) {
	now := noon
	var told []enforcement.Event
	g := made(t, enforcement.Defaults(), Parts{Store: newRows(), Now: func() time.Time { return now }, Emit: func(e enforcement.Event) { told = append(told, e) }})
	if _, err := g.Block(t.Context(), Order{Subject: user(7), By: author()}); err != nil {
		t.Fatal(err)
	}
	told = nil
	for range 100 {
		now = now.Add(100 * time.Millisecond)
		g.Check(t.Context(), &Attempt{Actor: enforcement.Actor{User: 7, Channel: 5}})
	}
	g.summarise(false)
	if len(told) != likeEvents || told[0].Suppressed != 0 || told[0].User != 7 || told[0].Channel != 5 {
		t.Fatalf("%d lines during the flood, the first %+v", len(told), told[0])
	}
	now = now.Add(likeWithin)
	g.summarise(false)
	if len(told) != likeEvents+1 || !told[likeEvents].Summary || told[likeEvents].Suppressed != 100-likeEvents || told[likeEvents].Type != enforcement.Blocked {
		t.Fatalf("after it: %+v", told[likeEvents:])
	}
	g.summarise(true)
	g.Check(t.Context(), &Attempt{Actor: enforcement.Actor{User: 7}})
	if len(told) != likeEvents+2 || told[likeEvents+1].Summary || told[likeEvents+1].Suppressed != 0 {
		t.Errorf("the next attempt is told as %+v", told[likeEvents+1:])
	}
	if s := g.Stats(); s.Checks != 101 || s.Denied != 101 || s.Failed != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestWhatIsOnlyCountedIsToldWhenTheGuardEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan enforcement.Event, 100)
		g := made(t, enforcement.Defaults(), Parts{Store: newRows(), Emit: func(e enforcement.Event) { told <- e }})
		for range likeEvents + 4 {
			g.failed(g.setup.Load(), &Attempt{}, "store")
		}
		end := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		go func() { defer close(end); _ = g.Run(ctx) }()
		synctest.Wait()
		stop()
		<-end
		var last enforcement.Event
		for len(told) > 0 {
			last = <-told
		}
		if !last.Summary || last.Suppressed != 4 {
			t.Errorf("the last line is %+v", last)
		}
	})
}

func TestMoreDifferentFloodsThanCanBeToldApartAreCountedTogether(t *testing.T) {
	l := newLimiter()
	lines := 0
	for i := range mostRemember + 5_000 {
		e := enforcement.Event{Type: enforcement.Blocked, At: noon}
		if l.admit(strconv.Itoa(i), &e) {
			lines++
		}
	}
	if lines != mostRemember+likeEvents || len(l.known) != mostRemember+1 {
		t.Errorf("%d lines, %d remembered", lines, len(l.known))
	}
	if due := l.due(noon.Add(likeWithin), false); len(due) != 1 || due[0].Suppressed != 5_000-likeEvents || len(l.known) != 0 {
		t.Errorf("due %+v", due)
	}
}
