package guard

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// five is an attempt with five scopes, none of them blocked.
func five() *Attempt {
	return &Attempt{Route: "cmd:audit/run", Actor: enforcement.Actor{
		User: 1 << 62, Account: 1 << 61, Guild: 1 << 60, Session: "a session of the dashboard", IP: netip.MustParseAddr("192.0.2.77"),
	}}
}

// full fills an index with n blocks: of users mostly, some addresses and networks.
func full(g *Guard, n int) {
	all := g.index.filling()
	for i := range n {
		b := enforcement.Block{ID: int64(i + 1), Revision: int64(i + 1), Subject: user(uint64(i + 1)), Reason: "spam", Owner: "console:root"}
		if i%10 == 0 {
			a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			b.Subject = enforcement.Subject{Scope: enforcement.IP, Net: netip.PrefixFrom(a, 32)}
		}
		all.add(&b)
	}
	all.done()
	g.last = int64(n)
}

func TestACheckOfFiveScopesAllocatesNothingAndAsksNobody(t *testing.T) {
	store := newRows()
	g := made(t, enforcement.Defaults(), Parts{Store: store})
	full(g, 20_000)
	a, ctx, before := five(), t.Context(), store.times()
	if n := testing.AllocsPerRun(1000, func() {
		if v := g.Check(ctx, a); v.Deny {
			t.Error("denied")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := store.times() - before; n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestEveryBlockIsFoundAmongMany(t *testing.T) {
	g := made(t, enforcement.Defaults(), Parts{Store: newRows()})
	full(g, 20_000)
	for i := range 20_000 {
		a := &Attempt{Actor: enforcement.Actor{User: uint64(i + 1)}}
		if i%10 == 0 {
			a.Actor = enforcement.Actor{IP: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		}
		if v := g.Check(t.Context(), a); !v.Deny {
			t.Fatalf("block %d was not found", i)
		}
	}
}

func TestAnAnswerThatWasOnItsWayDuringAnUnblockBringsNothingBack(t *testing.T) {
	store := newRows()
	g := made(t, enforcement.Defaults(), Parts{Store: store})
	a := &Attempt{Actor: enforcement.Actor{User: 7}}
	elsewhere := made(t, enforcement.Defaults(), Parts{Store: store})
	if _, err := elsewhere.Block(t.Context(), Order{Subject: user(7), By: author()}); err != nil {
		t.Fatal(err)
	}
	// The delta has been read with the block in it; before it is taken, the block is revoked here.
	var once sync.Once
	store.before = func() {
		once.Do(func() {
			store.before = nil
			if err := g.Unblock(context.Background(), enforcement.Global, user(7), author()); err != nil {
				t.Error(err)
			}
			if v := g.Check(context.Background(), a); v.Deny {
				t.Error("denied right after the unblock")
			}
		})
	}
	if err := g.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := g.Check(t.Context(), a); v.Deny {
		t.Error("denied after the late answer")
	}
	if err := g.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := g.Check(t.Context(), a); v.Deny {
		t.Error("denied after the next answer")
	}
}

func TestAnotherProcessSeesABlockAndItsEndWithTheNextDelta(t *testing.T) {
	store := newRows()
	here, there := made(t, enforcement.Defaults(), Parts{Store: store}), made(t, enforcement.Defaults(), Parts{Store: store})
	a := &Attempt{Actor: enforcement.Actor{User: 7}}
	for range 3 {
		if _, err := here.Block(t.Context(), Order{Subject: user(7), By: author()}); err != nil {
			t.Fatal(err)
		}
		if err := there.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := there.Check(t.Context(), a); !v.Deny || !v.Permanent {
			t.Errorf("after the block: %+v", v)
		}
		if err := here.Unblock(t.Context(), enforcement.Global, user(7), author()); err != nil {
			t.Fatal(err)
		}
		if err := there.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := there.Check(t.Context(), a); v.Deny {
			t.Errorf("after the unblock: %+v", v)
		}
	}
}

type silence struct{}

func (silence) Silent(time.Time) bool { return true }

func (silence) Run(ctx context.Context, _ func(storage.BlockNews)) error { <-ctx.Done(); return nil }

func TestAWaveOfAttemptsAsksAHungStoreOnceAndThenNobodyWaits(t *testing.T) {
	store := newRows()
	c := enforcement.Defaults()
	c.FailClosed = []*regexp.Regexp{regexp.MustCompile("^cmd:mod/")}
	g := made(t, c, Parts{Store: store, Stream: silence{}})
	store.hang = true
	before := store.times()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			a := five()
			want := enforcement.Open
			if i%2 == 1 {
				a.Route, want = "cmd:mod/ban", enforcement.Closed
			}
			if v := g.Check(t.Context(), a); v.Degraded != want || v.Deny != (want == enforcement.Closed) {
				t.Errorf("%s: %+v", a.Route, v)
			}
		})
	}
	wg.Wait()
	if n := store.times() - before; n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	g.Check(t.Context(), five())
	if n := store.times() - before; n != 1 {
		t.Errorf("the store was asked again: %d times", n)
	}
}

func TestSharedScopesAreBlockedForGoodOnlyOnInsistence(t *testing.T) {
	g := made(t, enforcement.Defaults(), Parts{Store: newRows()})
	o := Order{Subject: enforcement.Subject{Scope: enforcement.Guild, ID: 5}, By: author()}
	_, err := g.Block(t.Context(), o)
	if p, told := errors.AsType[*problem.Problem](err); !told || p.Kind != problem.Refused {
		t.Errorf("error %v", err)
	}
	o.Force = true
	if _, err := g.Block(t.Context(), o); err != nil {
		t.Error(err)
	}
}

func TestABlockWithoutAStoreIsHeldAndOneForGoodRefused(t *testing.T) {
	store := newRows()
	g := made(t, enforcement.Defaults(), Parts{Store: store})
	store.err = storage.ErrGone
	c, err := g.Block(t.Context(), Order{Subject: user(7), TTL: time.Hour, By: author()})
	if err != nil || !c.Held || g.Held() != 1 {
		t.Errorf("%+v, %v, %d held", c, err, g.Held())
	}
	if _, err := g.Block(t.Context(), Order{Subject: user(8), By: author()}); err == nil {
		t.Error("a block for good was accepted")
	}
	store.err = nil
	if err := g.Flush(t.Context()); err != nil || g.Held() != 0 {
		t.Errorf("%v, %d held", err, g.Held())
	}
	if b, found := g.Find(enforcement.Global, user(7)); !found || b.ID == 0 {
		t.Errorf("after the flush: %+v", b)
	}
}

func TestRulesChangeWithoutARestartAndKeepWhatTheyCounted(t *testing.T) {
	c := enforcement.Defaults()
	c.Rules = []enforcement.Rule{{
		Name: "a", On: []string{"x"}, Count: &enforcement.Count{By: []enforcement.Scope{enforcement.User}, Threshold: 3, Window: time.Minute},
		Action: enforcement.Action{Do: enforcement.Observe},
	}}
	g := made(t, c, Parts{Store: newRows()})
	i := &enforcement.Incident{Type: "x", Actor: enforcement.Actor{User: 7}}
	g.Record(t.Context(), i)
	g.Record(t.Context(), i)
	armed := c
	armed.Rules = []enforcement.Rule{c.Rules[0]}
	armed.Rules[0].Action = enforcement.Action{Do: enforcement.TempBlock}
	if err := g.Configure(armed); err != nil {
		t.Fatal(err)
	}
	if o := g.Record(t.Context(), i); len(o.Applied) != 1 {
		t.Errorf("applied %v", o.Applied)
	}
	armed.Status = 9
	if err := g.Configure(armed); err == nil {
		t.Error("a mistake was accepted")
	}
}

func TestChecksAndChangesAtOnceNeverDenyTheReleasedNorAllowTheBlocked(t *testing.T) {
	g := made(t, enforcement.Defaults(), Parts{Store: newRows()})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			a := &Attempt{Actor: enforcement.Actor{User: uint64(100 + i)}}
			for range 50 {
				if _, err := g.Block(t.Context(), Order{Subject: user(uint64(100 + i)), By: author()}); err != nil {
					t.Error(err)
				}
				if v := g.Check(t.Context(), a); !v.Deny {
					t.Error("allowed after a block")
				}
				if err := g.Unblock(t.Context(), enforcement.Global, user(uint64(100+i)), author()); err != nil {
					t.Error(err)
				}
				if v := g.Check(t.Context(), a); v.Deny {
					t.Error("denied after an unblock")
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := g.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

func BenchmarkCleanCheckOfFiveScopes(b *testing.B) {
	for _, n := range []int{0, 1_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			g := made(b, enforcement.Defaults(), Parts{Store: newRows(), Now: time.Now})
			full(g, n)
			a, ctx := five(), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				g.Check(ctx, a)
			}
		})
	}
}

func BenchmarkOneMoreBlockAmongAMillion(b *testing.B) {
	g := made(b, enforcement.Defaults(), Parts{Store: newRows()})
	full(g, 1_000_000)
	b.ReportAllocs()
	i := uint64(1 << 40)
	var each []time.Duration // the mean is the garbage collector's, which a loop of nothing else keeps busy
	for b.Loop() {
		i++
		start := time.Now()
		g.take(enforcement.Block{ID: int64(i), Revision: int64(i), Subject: user(i)})
		each = append(each, time.Since(start))
	}
	slices.Sort(each)
	b.ReportMetric(float64(each[len(each)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(each[len(each)*95/100].Microseconds()), "µs-p95")
}
