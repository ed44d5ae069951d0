package discord

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"gatecamp/internal/problem"
)

func never(int) <-chan struct{} { return nil }

// passed is when each session of the shards may begin, after the first.
func passed(t *testing.T, g *identifyGate, shards ...int) (after []time.Duration) {
	t.Helper()
	start := time.Now()
	for _, shard := range shards {
		if err := g.Wait(t.Context(), shard); err != nil {
			t.Fatal(err)
		}
		after = append(after, time.Since(start))
	}
	return after
}

func TestSessionsOfABucketBeginFiveSecondsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newIdentifyGate(nil, slog.New(slog.DiscardHandler), never)
		g.advise(2, 1000, 1000, time.Hour)
		after := passed(t, g, 0, 1, 2, 3)
		if after[0] != 0 || after[1] != 0 || after[2] != 5*time.Second || after[3] != 5*time.Second {
			t.Errorf("shards 0 to 3 began after %v", after)
		}
		if g.remaining() != 996 {
			t.Errorf("%d sessions are left, want 996", g.remaining())
		}
	})
}

func TestALoopOfNewSessionsIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newIdentifyGate(nil, slog.New(slog.DiscardHandler), never)
		after := passed(t, g, 0, 0, 0, 0, 0, 0)
		if after[4] != 20*time.Second || after[5] != 10*time.Minute {
			t.Errorf("the fifth began after %v, the sixth after %v", after[4], after[5])
		}
		if again := passed(t, g, 1); again[0] > 5*time.Second {
			t.Errorf("another shard waited %v for it", again[0])
		}
	})
}

func TestNoSessionBeginsThatWouldVoidTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newIdentifyGate(nil, slog.New(slog.DiscardHandler), never)
		g.advise(1, 1, 1000, time.Hour)
		passed(t, g, 0)
		if err := g.Wait(t.Context(), 0); problem.KindOf(err) != problem.Held || !errors.Is(err, errNoMoreTries) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
		passed(t, g, 0)
		if g.remaining() != 999 {
			t.Errorf("on a new day %d sessions are left, want 999", g.remaining())
		}
	})
}

func TestWhoeverWaitsForTheGateIsLetGoWithTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quit := make(chan struct{})
		g := newIdentifyGate(nil, slog.New(slog.DiscardHandler), func(int) <-chan struct{} { return quit })
		passed(t, g, 0)
		done := make(chan error, 1)
		go func() { done <- g.Wait(t.Context(), 0) }()
		synctest.Wait()
		close(quit)
		if err := <-done; !errors.Is(err, errNoMoreTries) {
			t.Errorf("error %v", err)
		}
	})
}

// sharedGate says how long to wait, in order, and then that nobody is in the way.
type sharedGate struct {
	waits []time.Duration
	fails error
	asked int
}

func (g *sharedGate) Pass(context.Context, int, time.Duration) (wait time.Duration, err error) {
	g.asked++
	if len(g.waits) > 0 {
		wait, g.waits = g.waits[0], g.waits[1:]
	}
	return wait, g.fails
}

func TestTheGateOfAllProcessesIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &sharedGate{waits: []time.Duration{3 * time.Second, time.Second}}
		g := newIdentifyGate(shared, slog.New(slog.DiscardHandler), never)
		if after := passed(t, g, 0); after[0] != 4*time.Second || shared.asked != 3 {
			t.Errorf("it began after %v, asked %d times", after[0], shared.asked)
		}
		shared.fails = errors.New("down")
		if after := passed(t, g, 0); after[0] != 5*time.Second {
			t.Errorf("without an answer it began after %v, want its own 5 s", after[0])
		}
	})
}
