package guard

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// shelf is a double of copies and counters that fails as it is told.
type shelf struct {
	mu      sync.Mutex
	floor   int64 // 0: cold
	changed []storage.Block
	held    map[string]storage.Block
	gone    map[string]bool // held ones that were taken back
	asked   atomic.Int64
	fail    func(context.Context) error
	inside  *counters
}

func newShelf() *shelf {
	return &shelf{floor: 1, held: map[string]storage.Block{}, gone: map[string]bool{}, inside: newCounters()}
}

func (s *shelf) ask(ctx context.Context) error {
	s.asked.Add(1)
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		return fail(ctx)
	}
	return nil
}

func (s *shelf) failing(fail func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *shelf) PutBlock(ctx context.Context, b storage.Block) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = append(s.changed, b)
	return nil
}

func (s *shelf) CopiesSince(ctx context.Context, revision int64) (changed, held []storage.Block, err error) {
	if err := s.ask(ctx); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.changed {
		if b.Revision > revision {
			changed = append(changed, b)
		}
	}
	for k, b := range s.held {
		if s.gone[k] {
			b.Closed = b.Start.Add(time.Second)
		}
		held = append(held, b)
	}
	if s.floor == 0 || s.floor > revision+1 {
		err = storage.ErrCold
	}
	return changed, held, err
}

func (s *shelf) NewestCopy(ctx context.Context) (int64, error) { return 0, s.ask(ctx) }

func (s *shelf) BeginCopies(ctx context.Context, revision int64, anew bool) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if anew || s.floor == 0 {
		s.floor, s.changed = revision+1, nil
	}
	return nil
}

func (s *shelf) Reachable(ctx context.Context) error { return s.ask(ctx) }

func (s *shelf) HoldBlock(ctx context.Context, b storage.Block) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[b.Scope+b.Value] = b
	delete(s.gone, b.Scope+b.Value)
	return nil
}

func (s *shelf) UnholdBlock(ctx context.Context, b storage.Block) (bool, error) {
	if err := s.ask(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, was := s.held[b.Scope+b.Value]
	s.gone[b.Scope+b.Value] = was
	return was, nil
}

func (s *shelf) SettleBlock(ctx context.Context, b storage.Block) (bool, error) {
	if err := s.ask(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone[b.Scope+b.Value] {
		return true, nil
	}
	delete(s.held, b.Scope+b.Value)
	return false, nil
}

func (s *shelf) Count(ctx context.Context, at time.Time, tallies []enforcement.Tally) ([]int, error) {
	if err := s.ask(ctx); err != nil {
		return nil, err
	}
	return s.inside.Count(ctx, at, tallies)
}

func (s *shelf) Forget(ctx context.Context, subject string) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	return s.inside.Forget(ctx, subject)
}

// The ways in which something fails.
func refusing(context.Context) error { return storage.ErrGone }

func hanging(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// sluggish answers, but later than a check may wait.
func sluggish(ctx context.Context) error {
	t := time.NewTimer(10 * checkWithin)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func malformedAnswer(context.Context) error { return fmt.Errorf("x: %w", storage.ErrMalformed) }

func coldAnswer(context.Context) error { return storage.ErrCold }

// drop is what a lost connection says, which is no error of the database's own.
func drop(context.Context) error { return errors.New("unexpected EOF") }

// told collects events.
type collected struct {
	mu  sync.Mutex
	all []enforcement.Event
}

func (c *collected) emit(e enforcement.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, e)
}

func (c *collected) of(kind enforcement.EventType, why string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		if c.all[i].Type == kind && (why == "" || c.all[i].Error == why) {
			n++
		}
	}
	return n
}

// TestEveryFailureEndsInTheRoutesFailModeAndKnownBlocksHold is the failure matrix: what fails and how, on an open and on a closed route,
// with a stream that is heard and one that is silent. Time is the bubble's, so that a check that waits longer than it may is seen.
func TestEveryFailureEndsInTheRoutesFailModeAndKnownBlocksHold(t *testing.T) {
	type fails struct {
		name        string
		redis, sql  func(context.Context) error
		silentFails bool // with a silent stream the check has failed
		panics      bool
		atMost      time.Duration // that the first check waits with a silent stream; those after it do not
	}
	wait := checkWithin
	for _, f := range []fails{
		{name: "nothing"},
		{name: "redis refused", redis: refusing},
		{name: "redis hung", redis: hanging, atMost: copiesWithin},
		{name: "redis slow", redis: sluggish, atMost: copiesWithin},
		{name: "redis drops the connection", redis: drop},
		{name: "a malformed copy", redis: malformedAnswer},
		{name: "a key of the wrong type", redis: malformedAnswer},
		{name: "an evicted key", redis: coldAnswer},
		{name: "a dropped SQL connection", sql: drop},
		{name: "SQL refused", sql: refusing},
		{name: "SQL hung", sql: hanging},
		{name: "SQL slow", sql: sluggish},
		{name: "an evicted key while SQL is down", redis: coldAnswer, sql: refusing, silentFails: true},
		{name: "a malformed copy while SQL is down", redis: malformedAnswer, sql: refusing, silentFails: true},
		{name: "both refused", redis: refusing, sql: refusing, silentFails: true},
		{name: "both hung", redis: hanging, sql: hanging, silentFails: true, atMost: wait},
		{name: "both slow", redis: sluggish, sql: sluggish, silentFails: true, atMost: wait},
		{name: "redis refused, SQL hung", redis: refusing, sql: hanging, silentFails: true, atMost: wait},
		{name: "redis hung, SQL refused", redis: hanging, sql: refusing, silentFails: true, atMost: copiesWithin},
		{name: "a panic in a rule", panics: true},
	} {
		for _, silent := range []bool{false, true} {
			for _, mode := range []enforcement.FailMode{enforcement.Open, enforcement.Closed} {
				t.Run(fmt.Sprintf("%s, silent %v, %s", f.name, silent, mode), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := enforcement.Defaults()
						c.FailClosed = []*regexp.Regexp{regexp.MustCompile("^cmd:mod/")}
						if f.panics {
							c.Rules = []enforcement.Rule{{Name: "broken", Stage: enforcement.AtIngress, Crash: false, Paths: []*regexp.Regexp{nil}, Action: enforcement.Action{Do: enforcement.Observe}}}
						}
						store, copies, events := newRows(), newShelf(), &collected{}
						g, err := New(c, Parts{Store: store, Stream: heard(!silent), Copies: copies, Emit: events.emit})
						if err != nil {
							t.Fatal(err)
						}
						if err := g.Load(t.Context()); err != nil {
							t.Fatal(err)
						}
						if _, err := g.Block(t.Context(), Order{Subject: user(7), By: author()}); err != nil {
							t.Fatal(err)
						}
						copies.failing(f.redis)
						store.failing(f.sql)
						a := five()
						if mode == enforcement.Closed {
							a.Route = "cmd:mod/ban"
						}
						failed := f.panics || (silent && f.silentFails)
						for i, limit := range []time.Duration{f.atMost, 0, 0} {
							begin := time.Now()
							v := g.Check(t.Context(), a)
							if took := time.Since(begin); took > limit {
								t.Errorf("check %d took %v, at most %v", i, took, limit)
							}
							if v.Deny != (failed && mode == enforcement.Closed) || (v.Degraded != 0) != failed || (failed && v.Degraded != mode) {
								t.Errorf("check %d: %+v", i, v)
							}
						}
						if n := events.of(enforcement.EvaluationFailed, ""); (n > 0) != (failed || (silent && errors.Is(answer(f.redis), storage.ErrMalformed))) {
							t.Errorf("%d events tell of a failure", n)
						}
						if v := g.Check(t.Context(), &Attempt{Route: a.Route, Actor: enforcement.Actor{User: 7}}); !v.Deny || v.By != user(7) {
							t.Errorf("whoever is blocked: %+v", v)
						}
						time.Sleep(time.Minute) // what still waits in the background ends: its deadlines are over
					})
				})
			}
		}
	}
}

// answer is how something fails at once.
func answer(fail func(context.Context) error) error {
	if fail == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return fail(ctx)
}

// heard is a stream that is always heard, or never.
type heard bool

func (h heard) Silent(time.Time) bool { return !bool(h) }

func (h heard) Run(ctx context.Context, _ func(storage.BlockNews)) error {
	<-ctx.Done()
	return nil
}

func counting() enforcement.Config {
	c := enforcement.Defaults()
	c.Rules = []enforcement.Rule{{
		Name: "count", On: []string{"x"}, Count: &enforcement.Count{By: []enforcement.Scope{enforcement.User}, Threshold: 3, Window: time.Minute},
		Action: enforcement.Action{Do: enforcement.TempBlock},
	}}
	return c
}

func TestRulesThatCountStandStillWithoutTheirCountersAndSayItOnceAndWhenTheyCountAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counters, events := newShelf(), &collected{}
		g, err := New(counting(), Parts{Store: newRows(), Counts: counters, Emit: events.emit})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		i := &enforcement.Incident{Type: "x", Actor: enforcement.Actor{User: 7}}
		counters.failing(refusing)
		for range 20 {
			if o := g.Record(t.Context(), i); len(o.Applied) != 0 {
				t.Error("blocked by a rule that cannot count")
			}
		}
		if v := g.Check(t.Context(), &Attempt{Actor: i.Actor}); v.Deny || v.Degraded != 0 {
			t.Errorf("a verdict changed: %+v", v)
		}
		if n := events.of(enforcement.EvaluationFailed, "counters"); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		if n := counters.asked.Load(); n != 1 {
			t.Errorf("the counters were asked %d times, want once", n)
		}
		counters.failing(nil)
		time.Sleep(2 * probeAfter)
		for range 3 {
			g.Record(t.Context(), i)
		}
		if n := events.of(enforcement.Alert, ""); n != 1 {
			t.Errorf("told %d times that rules count again, want once", n)
		}
		if v := g.Check(t.Context(), &Attempt{Actor: i.Actor}); !v.Deny {
			t.Error("the rule does not count again")
		}
	})
}

func TestInTheBackgroundWhatIsAwayIsProbedSoThatNobodyWaitsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, copies := newRows(), newShelf()
		g, err := New(enforcement.Defaults(), Parts{Store: store, Stream: heard(false), Copies: copies})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		time.Sleep(time.Second)
		copies.failing(hanging)
		store.failing(hanging)
		begin := time.Now()
		g.Check(ctx, five())
		if took := time.Since(begin); took > checkWithin {
			t.Errorf("the first waited %v", took)
		}
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			begin := time.Now()
			if v := g.Check(ctx, five()); v.Degraded == 0 {
				t.Error("the check did not fail")
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("a later one waited %v", took)
			}
		}
		copies.failing(nil)
		store.failing(nil)
		time.Sleep(3 * time.Second)
		if v := g.Check(ctx, five()); v.Degraded != 0 {
			t.Errorf("after both are back: %+v", v)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
