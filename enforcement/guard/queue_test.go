package guard

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"gatecamp/enforcement"
)

// slow looks at incidents when it is let.
type slow struct {
	let chan struct{}

	mu   sync.Mutex
	seen []enforcement.Incident
}

func (s *slow) Record(_ context.Context, i *enforcement.Incident) Outcome {
	<-s.let
	if i.Type == "panic" {
		panic("a rule")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, *i)
	return Outcome{}
}

func TestAQueueNeverWaitsCountsWhatItDropsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		to := &slow{let: make(chan struct{})}
		q := NewQueue(to, slog.New(slog.NewTextHandler(&said, nil)))
		ctx, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = q.Run(ctx) })
		synctest.Wait()
		for n := range 2 * queueWaiting {
			q.Put(enforcement.Incident{Type: "x", Actor: enforcement.Actor{User: 7}, Fields: map[string]any{"n": n}})
			if n == 0 {
				synctest.Wait() // the first is in hand
			}
		}
		s := q.Stats()
		if s.Taken != queueWaiting+1 || s.Dropped != queueWaiting-1 || s.Waiting != queueWaiting {
			t.Errorf("stats %+v", s)
		}
		close(to.let)
		end()
		running.Wait()
		if s := q.Stats(); s.Done != queueWaiting+1 || s.Waiting != 0 {
			t.Errorf("at the end %+v: what waited was not looked at", s)
		}
		for n, i := range to.seen {
			if i.Fields["n"] != n {
				t.Fatalf("incident %d of one actor came as number %d", i.Fields["n"], n)
			}
		}
		if !strings.Contains(said.String(), "dropped=1023") {
			t.Errorf("the log says %q", said.String())
		}
	})
}

func TestASlowActorDoesNotHoldUpOthersAndAPanicEndsOneIncidentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &slow{let: make(chan struct{})}
		q := NewQueue(to, nil)
		ctx, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = q.Run(ctx) })
		lanes := map[uint64]bool{}
		for id := range uint64(64) {
			a := enforcement.Actor{User: 175928847299117063 + id}
			lanes[lane(&a)] = true
			q.Put(enforcement.Incident{Type: "panic", Actor: a})
		}
		if len(lanes) != queueLanes {
			t.Errorf("neighbouring ids use %d of %d lanes", len(lanes), queueLanes)
		}
		synctest.Wait()
		if got := q.Stats().Waiting; got != 64-queueLanes {
			t.Errorf("%d wait, want %d: each lane has one in hand", got, 64-queueLanes)
		}
		close(to.let)
		end()
		running.Wait()
		if s := q.Stats(); s.Done != 64 || s.Dropped != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}
