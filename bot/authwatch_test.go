package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
)

// watched is an Auth that a test changes.
type watched struct {
	digest    string
	broken    error
	slow      time.Duration
	changed   []snowflake.ID
	everybody bool
	reads     []time.Time // since when, each
	digests   int
	told      []string
	waits     bool // no guild is there yet
}

func (a *watched) watch(w *world) (stop func()) {
	watch := NewAuthWatch(AuthWatchConfig{
		Digest: func(context.Context) (string, error) {
			time.Sleep(a.slow)
			w.mu.Lock()
			defer w.mu.Unlock()
			a.digests++
			return a.digest, a.broken
		},
		Changed: func(_ context.Context, since time.Time) ([]snowflake.ID, bool, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			a.reads = append(a.reads, since)
			return a.changed, a.everybody, nil
		},
		Guilds: func() []*Guild {
			w.mu.Lock()
			defer w.mu.Unlock()
			if a.waits {
				return nil
			}
			return []*Guild{w.guild}
		},
		Trouble: func(code, _ string) { a.told = append(a.told, code) },
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- watch.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("ended with %v", err)
		}
	}
}

func TestAuthIsComparedForTheFirstTimeAsSoonAsAGuildIsThere(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		a := &watched{waits: true} // a process that waits compares nothing: its digest is empty
		defer a.watch(w)()
		w.pass(10500 * time.Millisecond)
		if len(a.reads) != 0 {
			t.Fatalf("Auth was read %d times by a process that waits", len(a.reads))
		}
		w.set(func() { a.waits, a.digest = false, "one" })
		w.pass(2500 * time.Millisecond)
		if len(a.reads) != 1 {
			t.Errorf("Auth was read %d times, two seconds after a guild came, want once", len(a.reads))
		}
		before := 0
		w.set(func() { before = a.digests })
		w.pass(3*time.Minute + 500*time.Millisecond)
		if n := a.digests - before; n < 2 || n > 3 {
			t.Errorf("compared %d times in three minutes, want once a minute", n)
		}
	})
}

func TestOnlyAccountsThatChangedInAuthAreLookedAt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		a := &watched{digest: "one"}
		defer a.watch(w)()
		w.pass(5 * time.Minute)
		if len(w.looks) != 0 || len(a.reads) != 1 {
			t.Fatalf("%d looks and %d reads of an Auth that does not change", len(w.looks), len(a.reads))
		}
		changed := time.Now()
		w.set(func() { a.digest, a.changed = "two", []snowflake.ID{4, 5} })
		w.pass(time.Minute + time.Second)
		for _, id := range a.changed {
			if looks := w.wantLooks(id, 1); looks[0].began.Sub(changed) > time.Minute+time.Second {
				t.Errorf("looked at after %v", looks[0].began.Sub(changed))
			}
		}
		if len(a.reads) != 2 || a.reads[1].After(changed) {
			t.Errorf("read since %v, changed %v", a.reads, changed)
		}
		w.pass(5 * time.Minute)
		w.wantLooks(4, 1)
	})
}

func TestAChangeThatEveryVerdictMayDependOnHasEverybodyLookedAt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		a := &watched{digest: "one"}
		defer a.watch(w)()
		w.set(func() { a.digest, a.everybody, a.changed = "two", true, []snowflake.ID{4} })
		w.pass(2 * time.Minute)
		w.wantSweeps(reconcile.KindCatchUp)
		w.wantLooks(4, 0)
	})
}

func TestAnAuthThatCannotBeComparedIsToldOnceAndAtItsRecovery(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		a := &watched{digest: "one"}
		defer a.watch(w)()
		w.set(func() { a.broken = errors.New("no route to host") })
		w.pass(10 * time.Minute)
		w.set(func() { a.broken, a.digest, a.changed = nil, "two", []snowflake.ID{7} })
		w.pass(2 * time.Minute)
		if !slices.Equal(a.told, []string{TroubleAuth, TroubleAuthBack}) {
			t.Errorf("told %q", a.told)
		}
		w.wantLooks(7, 1)
	})
}

func TestAComparisonIsNeverOnTopOfAnother(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		a := &watched{digest: "one", slow: 150 * time.Second}
		defer a.watch(w)()
		w.pass(10 * time.Minute)
		w.set(func() {
			if a.digests > 5 {
				t.Errorf("%d comparisons of 150 s in 10 min", a.digests)
			}
		})
	})
}

// pulses are connections that a test lets die.
type pulses struct {
	mu        sync.Mutex
	list      []Pulse
	reconnect []int
}

func (p *pulses) Pulses() []Pulse {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

func (p *pulses) Reconnect(shard int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reconnect = append(p.reconnect, shard)
}

// after lets time pass and says which connections were closed by then.
func (p *pulses) after(d time.Duration) []int {
	time.Sleep(d)
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reconnect)
}

func TestADeadConnectionIsClosedOnceSoThatItResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		p := &pulses{list: []Pulse{
			{Shard: 0, Acked: now, Heard: now},
			{Shard: 1, Acked: now.Add(time.Hour), Heard: now},             // quiet, and nothing has to happen
			{Shard: 2, Acked: now.Add(time.Hour), Heard: now, Busy: true}, // quiet where something always happens
		}}
		var told atomic.Int32
		c := Canary{Gateway: p, Trouble: func(string, string) { told.Add(1) }}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			_ = c.Run(ctx)
			close(ended)
		}()
		if closed := p.after(110 * time.Second); len(closed) != 0 {
			t.Errorf("closed %v too early", closed)
		}
		if closed := p.after(20 * time.Second); !slices.Equal(closed, []int{0}) {
			t.Errorf("closed %v, want the dead one", closed)
		}
		p.mu.Lock()
		p.list[0].Acked = now.Add(time.Hour)
		p.mu.Unlock()
		if closed := p.after(9 * time.Minute); !slices.Equal(closed, []int{0, 2}) || told.Load() != 2 {
			t.Errorf("closed %v, told %d times", closed, told.Load())
		}
		stop()
		<-ended
	})
}
