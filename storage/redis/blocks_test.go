package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/secret"
	"gatecamp/storage"
	"gatecamp/storage/redis"
)

var (
	_ guard.Copies = (*redis.Fleet)(nil)
	_ guard.Counts = (*redis.Fleet)(nil)
	_ guard.Stream = (*redis.Stream)(nil)
)

// fleet is one of its own, on the server of the environment or on a double of one, and a client that looks at its keys.
func fleet(t *testing.T) (f *redis.Fleet, raw *goredis.Client, prefix string) {
	t.Helper()
	address := os.Getenv("GATECAMP_TEST_REDIS_URL")
	if address == "" {
		address = "redis://" + miniredis.RunT(t).Addr()
	}
	c, err := redis.OpenPatiently(secret.New(address))
	if err != nil {
		t.Fatal(err)
	}
	o, err := goredis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	raw = goredis.NewClient(o)
	name := "test-" + rand.Text()
	f = c.Fleet(name)
	t.Cleanup(func() {
		if err := f.Drop(context.Background()); err != nil {
			t.Error(err)
		}
		_, _ = c.Close(), raw.Close()
	})
	return f, raw, "gatecamp:{" + name + "}:"
}

func block(revision int64) storage.Block {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	return storage.Block{ID: revision, Revision: revision, Guild: 5, Scope: "user", Value: "7", Reason: "spam", Owner: "console:root", Start: at, End: at.Add(time.Hour)}
}

// since gives the revisions after one.
func since(t *testing.T, f *redis.Fleet, revision int64) (revisions []int64, err error) {
	t.Helper()
	changed, _, err := f.CopiesSince(t.Context(), revision)
	for _, b := range changed {
		revisions = append(revisions, b.Revision)
	}
	return revisions, err
}

func TestCopiesAreWholeFromTheirFloorOnAndOldNewsChangeNothing(t *testing.T) {
	f, raw, prefix := fleet(t)
	if _, err := since(t, f, 0); !errors.Is(err, storage.ErrCold) {
		t.Errorf("of nothing: %v", err)
	}
	if err := f.BeginCopies(t.Context(), 10, false); err != nil {
		t.Fatal(err)
	}
	for _, r := range []int64{12, 11, 12, 9} { // in any order, twice, and one from before
		if err := f.PutBlock(t.Context(), block(r)); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[int64][]int64{10: {11, 12}, 11: {12}, 12: nil} {
		got, err := since(t, f, after)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("after %d: %s %v", after, d, err)
		}
	}
	if _, err := since(t, f, 9); !errors.Is(err, storage.ErrCold) {
		t.Errorf("after 9, of which 10 is missing: %v", err)
	}
	if newest, err := f.NewestCopy(t.Context()); newest != 12 || err != nil {
		t.Errorf("newest %d, %v", newest, err)
	}
	changed, _, err := f.CopiesSince(t.Context(), 11)
	if d := cmp.Diff([]storage.Block{block(12)}, changed); d != "" || err != nil {
		t.Errorf("the copy is another one: %s %v", d, err)
	}
	if err := f.BeginCopies(t.Context(), 3, true); err != nil {
		t.Fatal(err)
	}
	if got, err := since(t, f, 3); len(got) > 0 || err != nil {
		t.Errorf("anew: %v, %v", got, err)
	}
	if err := raw.Del(t.Context(), prefix+"blocks").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := since(t, f, 12); !errors.Is(err, storage.ErrCold) {
		t.Errorf("after the key was evicted: %v", err)
	}
}

func TestWhatNobodyCanHaveWrittenIsToldAndMended(t *testing.T) {
	f, raw, prefix := fleet(t)
	ctx := t.Context()
	spoil := map[string]func() error{
		"an entry":              func() error { return raw.ZAdd(ctx, prefix+"blocks", goredis.Z{Score: 20, Member: "{"}).Err() },
		"an entry of no scope":  func() error { return raw.ZAdd(ctx, prefix+"blocks", goredis.Z{Score: 20, Member: "{}"}).Err() },
		"the wrong type":        func() error { raw.Del(ctx, prefix+"blocks"); return raw.Set(ctx, prefix+"blocks", "x", 0).Err() },
		"the held in the wrong": func() error { raw.Del(ctx, prefix+"held"); return raw.Set(ctx, prefix+"held", "x", 0).Err() },
		"a held one":            func() error { raw.Del(ctx, prefix+"held"); return raw.HSet(ctx, prefix+"held", "x", "y").Err() },
	}
	for name, do := range spoil {
		t.Run(name, func(t *testing.T) {
			raw.Del(ctx, prefix+"held")
			if err := f.BeginCopies(ctx, 10, true); err != nil {
				t.Fatal(err)
			}
			if err := f.PutBlock(ctx, block(11)); err != nil {
				t.Fatal(err)
			}
			if err := do(); err != nil {
				t.Fatal(err)
			}
			if _, err := since(t, f, 10); !errors.Is(err, storage.ErrMalformed) {
				t.Errorf("error %v", err)
			}
			if err := errors.Join(f.BeginCopies(ctx, 11, true), f.HoldBlock(ctx, block(0)), f.PutBlock(ctx, block(12))); err != nil {
				t.Fatal(err)
			}
			raw.HDel(ctx, prefix+"held", "x")
			if got, err := since(t, f, 11); len(got) != 1 || err != nil {
				t.Errorf("mended: %v, %v", got, err)
			}
		})
	}
}

func TestAHeldBlockIsOnlyMadeLongerAndRemembersThatItWasTakenBack(t *testing.T) {
	f, _, _ := fleet(t)
	ctx := t.Context()
	held := func() storage.Block {
		_, all, _ := f.CopiesSince(ctx, 0)
		if len(all) != 1 {
			t.Fatalf("%d are held", len(all))
		}
		return all[0]
	}
	long, short := block(3), block(3)
	short.End = short.Start.Add(time.Minute)
	for _, b := range []storage.Block{long, short} {
		if err := f.HoldBlock(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if !held().End.Equal(long.End) {
		t.Error("a shorter one took the place of a longer one")
	}
	back := long
	back.Closed = long.Start.Add(time.Second)
	if was, err := f.UnholdBlock(ctx, back); !was || err != nil {
		t.Errorf("%v, %v", was, err)
	}
	if held().Closed.IsZero() {
		t.Error("it is not marked")
	}
	for range 2 {
		if revoked, err := f.SettleBlock(ctx, long); !revoked || err != nil {
			t.Errorf("settled %v, %v", revoked, err)
		}
	}
	if err := f.HoldBlock(ctx, short); err != nil {
		t.Fatal(err)
	}
	if revoked, err := f.SettleBlock(ctx, short); revoked || err != nil {
		t.Errorf("settled anew: %v, %v", revoked, err)
	}
	if was, err := f.UnholdBlock(ctx, back); was || err != nil {
		t.Errorf("one that nobody holds: %v, %v", was, err)
	}
}

func TestTheStreamCarriesBlocksAndSilenceIsNoticed(t *testing.T) {
	f, raw, prefix := fleet(t)
	s := f.Stream()
	if !s.Silent(time.Now()) {
		t.Error("heard before it runs")
	}
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan storage.BlockNews, 100), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(n storage.BlockNews) { told <- n }) }()
	if n := <-told; n.Revision != 0 || n.Block != nil {
		t.Errorf("the first: %+v", n)
	}
	if err := errors.Join(f.PutBlock(ctx, block(4)), f.PutBlock(ctx, block(4)), f.HoldBlock(ctx, block(0))); err != nil {
		t.Fatal(err)
	}
	if n := <-told; n.Revision != 4 || n.Held || cmp.Diff(block(4), *n.Block) != "" {
		t.Errorf("a block: %+v", n)
	}
	if n := <-told; !n.Held || n.Block == nil {
		t.Errorf("a held one: %+v", n)
	}
	if err := raw.Publish(ctx, prefix+"news", "b{").Err(); err != nil {
		t.Fatal(err)
	}
	if n := <-told; n.Revision != 0 || n.Block != nil {
		t.Errorf("nonsense: %+v", n)
	}
	if s.Silent(time.Now()) || !s.Silent(time.Now().Add(2*storage.SilentAfter)) {
		t.Error("silent although it was heard, or the other way round")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// tally is one count of a subject by a rule.
func tally(subject string, slot int) enforcement.Tally {
	return enforcement.Tally{Subject: subject, Slot: uint16(slot), Kind: enforcement.Exact, Window: time.Hour, Need: 10}
}

func TestCountersThatWereEvictedOrSpoiltBeginAnew(t *testing.T) {
	f, raw, prefix := fleet(t)
	ctx, at, key := t.Context(), time.Now(), prefix+"c:user:7"
	for name, do := range map[string]func() error{
		"evicted":        func() error { return raw.Del(ctx, key).Err() },
		"the wrong type": func() error { raw.Del(ctx, key); return raw.LPush(ctx, key, "x").Err() },
		"too short":      func() error { return raw.Set(ctx, key, "xx", 0).Err() },
		"too long":       func() error { return raw.Set(ctx, key, "\x01\x00\xff\xff1234", 0).Err() },
		"odd":            func() error { return raw.Set(ctx, key, "\x01\x00\x03\x00abc", 0).Err() },
		"twice the slot": func() error { return raw.Set(ctx, key, "\x01\x00\x00\x00\x01\x00\x00\x00", 0).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			if err := f.Forget(ctx, "user:7"); err != nil {
				t.Fatal(err)
			}
			for want := 1; want <= 3; want++ {
				if got, err := f.Count(ctx, at, []enforcement.Tally{tally("user:7", 1)}); err != nil || got[0] != want {
					t.Fatalf("%v, %v, want %d", got, err, want)
				}
			}
			if err := do(); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Count(ctx, at, []enforcement.Tally{tally("user:7", 1)}); err != nil || got[0] != 1 {
				t.Errorf("%v, %v, want 1", got, err)
			}
		})
	}
}

func TestWhoIsForgottenIsForgottenTogetherWithOthersToo(t *testing.T) {
	f, _, _ := fleet(t)
	both := "user:7\x00ip:192.0.2.1"
	tallies := []enforcement.Tally{tally("user:7", 1), tally(both, 1), tally("user:8\x00ip:192.0.2.1", 1)}
	for _, gone := range []string{"user:7", "ip:192.0.2.1"} {
		for range 2 {
			if _, err := f.Count(t.Context(), time.Now(), tallies); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Forget(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		got, err := f.Count(t.Context(), time.Now(), tallies)
		if err != nil || got[1] != 1 || (got[0] == 1) != strings.HasPrefix(gone, "user") || (got[2] == 1) != strings.HasPrefix(gone, "ip") {
			t.Errorf("without %s: %v, %v", gone, got, err)
		}
	}
}

func TestAHundredCountsAreOneRoundTrip(t *testing.T) {
	f, _, _ := fleet(t)
	trips := f.CountTrips()
	tallies := make([]enforcement.Tally, 100)
	for i := range tallies {
		tallies[i] = tally("user:7", i)
	}
	if _, err := f.Count(t.Context(), time.Now(), tallies); err != nil { // the server learns the script
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"a hundred counts": func() error { _, err := f.Count(t.Context(), time.Now(), tallies); return err },
		"counts of two": func() error {
			_, err := f.Count(t.Context(), time.Now(), []enforcement.Tally{tally("a\x00b", 1), tally("c", 1)})
			return err
		},
		"a look at the copies": func() error {
			_, _, err := f.CopiesSince(t.Context(), 1)
			if errors.Is(err, storage.ErrCold) {
				return nil
			}
			return err
		},
	} {
		before := trips.Load()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if n := trips.Load() - before; n != 1 {
			t.Errorf("%s: %d round trips", what, n)
		}
	}
}
