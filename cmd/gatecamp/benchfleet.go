package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/secret"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/redis"
)

// fleet is one of its own in the Redis of the settings; done removes it.
func (b *enforcementBench) fleet(ctx context.Context) (f *redis.Fleet, done func() error, err error) {
	r, err := redis.Open(b.redis)
	if err != nil {
		return nil, nil, err
	}
	f = r.Fleet("bench-" + rand.Text())
	for range 10 { // a machine that is busy with what is measured may not answer at once
		if err = f.Reachable(ctx); err == nil {
			break
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	return f, func() error { return errors.Join(f.Drop(context.WithoutCancel(ctx)), r.Close()) }, nil
}

// silent measures checks that ask Redis, since no stream is heard.
func (b *enforcementBench) silent(ctx context.Context) (_ map[string]float64, err error) {
	f, done, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	store := newMadeUp(1_000)
	g, err := b.guardOf(ctx, enforcement.Defaults(), guard.Parts{Store: store, Stream: stillness(true), Copies: f})
	if err != nil {
		return nil, err
	}
	a, trips := fiveScopes(), f.CountTrips()
	for range 100 {
		g.Check(ctx, a)
	}
	if trips.Load() < 100 { // it did not answer in time once: for a second the database is asked instead
		if err := wait(ctx, 1100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	first, asked := trips.Load(), store.asked.Load()
	took, failed := make([]time.Duration, b.tries), 0.0
	for i := range took {
		begin := time.Now()
		v := g.Check(ctx, a)
		took[i] = time.Since(begin)
		if v.Degraded != 0 {
			failed++
		}
	}
	figures := map[string]float64{
		"round_trips_a_check": float64(trips.Load()-first) / float64(b.tries), "questions": float64(store.asked.Load() - asked), "failed": failed,
	}
	microseconds(figures, "us", took)
	return figures, nil
}

// countingRules are rules that count incidents of one type by user and never come near their threshold, or do.
func countingRules(n, threshold int) enforcement.Config {
	c := enforcement.Defaults()
	for i := range n {
		c.Rules = append(c.Rules, enforcement.Rule{
			Name: fmt.Sprintf("rule-%03d", i), On: []string{"bench"}, Action: enforcement.Action{Do: enforcement.Observe},
			Count: &enforcement.Count{By: []enforcement.Scope{enforcement.User}, Threshold: threshold, Window: time.Hour},
		})
	}
	return c
}

// actors is how many people the incidents are of.
const actors = 50

// rules measures incidents that a hundred rules count.
func (b *enforcementBench) rules(ctx context.Context) (_ map[string]float64, err error) {
	figures := map[string]float64{}
	one := func(name string, counts guard.Counts) error {
		g, err := b.guardOf(ctx, countingRules(100, 10), guard.Parts{Store: newMadeUp(0), Counts: counts})
		if err != nil {
			return err
		}
		took := make([]time.Duration, b.tries)
		for i := range took {
			in := enforcement.Incident{Type: "bench", Actor: enforcement.Actor{User: uint64(1000 + i%actors)}}
			begin := time.Now()
			g.Record(ctx, &in)
			took[i] = time.Since(begin)
		}
		microseconds(figures, name, took)
		return nil
	}
	if err := one("us_in_process", nil); err != nil || !b.redis.IsSet() {
		return figures, err
	}
	f, done, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	trips := f.CountTrips()
	if err := one("us_in_redis", f); err != nil {
		return nil, err
	}
	figures["round_trips_an_incident"] = float64(trips.Load()) / float64(b.tries)
	return figures, nil
}

// memory measures what counters take.
func (b *enforcementBench) memory(ctx context.Context) (_ map[string]float64, err error) {
	const people, rules, times = 10_000, 10, 10
	figures := map[string]float64{}
	one := func(g *guard.Guard) {
		for range times {
			for i := range people {
				g.Record(ctx, &enforcement.Incident{Type: "bench", Actor: enforcement.Actor{User: madeUpUser + uint64(i)}})
			}
		}
	}
	// One more than is counted makes a rule fire, which is remembered elsewhere.
	g, err := b.guardOf(ctx, countingRules(rules, times+1), guard.Parts{Store: newMadeUp(0)})
	if err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	one(g)
	runtime.GC()
	runtime.ReadMemStats(&after)
	figures["bytes_in_process"] = float64(after.HeapAlloc-before.HeapAlloc) / people
	runtime.KeepAlive(g)
	if !b.redis.IsSet() {
		return figures, nil
	}
	figures["bytes_in_redis"], err = b.memoryOfRedis(ctx, people/2, rules, times)
	return figures, err
}

// memoryOfRedis counts without a guard, which gives up on a server that is busy: what was not counted takes no memory.
func (b *enforcementBench) memoryOfRedis(ctx context.Context, people, rules, times int) (_ float64, err error) {
	r, err := redis.OpenPatiently(b.redis)
	if err != nil {
		return 0, err
	}
	f := r.Fleet("bench-" + rand.Text())
	defer func() { err = errors.Join(err, f.Drop(context.WithoutCancel(ctx)), r.Close()) }()
	tallies := make([]enforcement.Tally, rules)
	first, err := f.UsedMemory(ctx)
	if err != nil {
		return 0, err
	}
	for range times {
		for i := range people {
			sub := enforcement.Subject{Scope: enforcement.User, ID: madeUpUser + uint64(i)}
			for slot := range tallies {
				tallies[slot] = enforcement.Tally{Subject: sub.String(), Slot: uint16(slot), Kind: enforcement.Exact, Window: time.Hour, Need: times}
			}
			if _, err := f.Count(ctx, time.Now(), tallies); err != nil {
				return 0, err
			}
		}
	}
	last, err := f.UsedMemory(ctx)
	return float64(last-first) / float64(people), err
}

// outage measures attempts while something does not answer.
func (b *enforcementBench) outage(ctx context.Context) (map[string]float64, error) {
	figures := map[string]float64{}
	deaf, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0") // connections are taken by the system, and nobody ever answers
	if err != nil {
		return nil, err
	}
	defer func() { _ = deaf.Close() }()
	gone, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if err := gone.Close(); err != nil {
		return nil, err
	}
	for _, one := range []struct {
		name         string
		redis        net.Addr // nil: none
		hang, refuse bool     // the database
	}{
		{"redis_refused", gone.Addr(), false, false},
		{"redis_hung", deaf.Addr(), false, false},
		{"sql_refused", nil, false, true},
		{"sql_hung", nil, true, false},
		{"both_hung", deaf.Addr(), true, false},
	} {
		store := newMadeUp(1_000)
		p := guard.Parts{Store: store, Stream: stillness(true)}
		end := func() error { return nil }
		if one.redis != nil {
			r, err := redis.Open(secret.New("redis://" + one.redis.String()))
			if err != nil {
				return nil, err
			}
			p.Copies, end = r.Fleet("bench"), r.Close
		}
		g, err := b.guardOf(ctx, enforcement.Defaults(), p)
		if err != nil {
			return nil, err
		}
		store.hang.Store(one.hang)
		store.refuse.Store(one.refuse)
		if err := b.wave(ctx, g, one.name, figures); err != nil {
			return nil, errors.Join(err, end())
		}
		if err := end(); err != nil {
			return nil, err
		}
	}
	return figures, nil
}

// wave is many attempts at once, and then one after the other, with somebody who is blocked among them.
func (b *enforcementBench) wave(ctx context.Context, g *guard.Guard, name string, figures map[string]float64) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() {
		stop()
		<-ended //nolint:errcheck // it ends with the context, which is no failure
	}()
	blocked := fiveScopes()
	blocked.Actor.User = madeUpUser + 7
	took := make([]time.Duration, 200)
	var all sync.WaitGroup
	for i := range took {
		all.Go(func() {
			begin := time.Now()
			g.Check(ctx, fiveScopes())
			took[i] = time.Since(begin)
		})
	}
	all.Wait()
	figures[name+"_first_wave_most"] = float64(slices.Max(took)) / float64(time.Millisecond)
	later := make([]time.Duration, b.tries)
	for i := range later {
		begin := time.Now()
		g.Check(ctx, fiveScopes())
		later[i] = time.Since(begin)
		if !g.Check(ctx, blocked).Deny {
			return notMeasured("a block did not hold while something was away")
		}
	}
	percentiles(figures, name+"_later", later)
	return nil
}

// visible measures how long another process takes to know: a second guard with connections of its own to the same database.
func (b *enforcementBench) visible(ctx context.Context, dir string) (_ map[string]float64, err error) {
	here, done, err := b.open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	there, err := b.again(ctx, here, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, there.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	guards := make([]*guard.Guard, 2)
	for i, db := range []storage.Store{here, there} {
		stream := blockStream(db)
		if guards[i], err = b.guardOf(ctx, enforcement.Defaults(), guard.Parts{Store: db, Stream: stream}); err != nil {
			return nil, err
		}
		running.Go(func() { _ = guards[i].Run(ctx) })
		for stream.Silent(time.Now()) {
			if err := wait(ctx, 10*time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	return b.known(ctx, guards[0], guards[1])
}

// again opens the same database once more.
func (b *enforcementBench) again(ctx context.Context, db storage.Store, dir string) (storage.Store, error) {
	if p, is := db.(*postgres.Store); is {
		return postgres.Open(ctx, secret.New(p.Pool().Config().ConnString()), postgres.Config{})
	}
	return openFile(ctx, filepath.Join(dir, "data"))
}

// known blocks and releases one after the other, each until the other guard knows.
func (b *enforcementBench) known(ctx context.Context, here, there *guard.Guard) (map[string]float64, error) {
	figures := map[string]float64{}
	for _, asked := range []bool{false, true} {
		n := min(b.tries, 200)
		switch {
		case !b.database.IsSet():
			n = min(b.tries, 40) // each takes as long as it may take until the file is looked at again
		case asked:
			n = b.tries
		}
		blocked, released, late := make([]time.Duration, n), make([]time.Duration, n), 0.0
		for i := range n {
			sub := enforcement.Subject{Scope: enforcement.User, ID: uint64(5_000 + i)}
			a := fiveScopes()
			a.Actor.User = sub.ID
			begin := time.Now()
			if _, err := here.Block(ctx, guard.Order{Subject: sub, By: b.byBench()}); err != nil {
				return nil, err
			}
			blocked[i] = untilKnown(ctx, begin, there, a, true, asked)
			begin = time.Now()
			if err := here.Unblock(ctx, enforcement.Global, sub, b.byBench()); err != nil {
				return nil, err
			}
			released[i] = untilKnown(ctx, begin, there, a, false, asked)
			if max(blocked[i], released[i]) > time.Second {
				late++
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		name := "ms"
		if asked {
			name = "asked_ms"
		}
		percentiles(figures, name+"_block", blocked)
		percentiles(figures, name+"_unblock", released)
		figures[name+"_over_1_s"] = late
	}
	return figures, nil
}

// untilKnown is how long it takes until the guard denies, or no longer does; at most five seconds.
func untilKnown(ctx context.Context, begin time.Time, g *guard.Guard, a *guard.Attempt, denied, asking bool) time.Duration {
	for time.Since(begin) < 5*time.Second && g.Check(ctx, a).Deny != denied {
		if asking {
			runtime.Gosched()
		} else if wait(ctx, 200*time.Microsecond) != nil { // the machine has few cores, and the other side needs one
			break
		}
	}
	return time.Since(begin)
}
