package guard

import (
	"context"
	"crypto/rand"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"pgregory.net/rapid"

	"gatecamp/enforcement"
	"gatecamp/internal/secret"
	"gatecamp/storage/redis"
)

// shared is a fleet of its own on the Redis of the environment, or on a double of one.
func shared(t *testing.T) *redis.Fleet {
	t.Helper()
	address := os.Getenv("GATECAMP_TEST_REDIS_URL")
	if address == "" {
		address = "redis://" + miniredis.RunT(t).Addr()
	}
	c, err := redis.OpenPatiently(secret.New(address))
	if err != nil {
		t.Fatal(err)
	}
	f := c.Fleet("test-" + rand.Text())
	t.Cleanup(func() {
		if err := f.Drop(context.Background()); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
	return f
}

// TestCountersInProcessAndInRedisCountAlike runs the same incidents, out of order too, through both.
func TestCountersInProcessAndInRedisCountAlike(t *testing.T) {
	if os.Getenv("GATECAMP_TEST_REDIS_URL") == "" {
		t.Skip("GATECAMP_TEST_REDIS_URL is not set: the double takes too long for as many scripts")
	}
	fleet, run := shared(t), 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		here := newCounters()
		at := noon.Add(time.Duration(run) * 100 * 24 * time.Hour)
		prefix := rand.Text()
		for range rapid.IntRange(1, 30).Draw(t, "incidents") {
			at = at.Add(time.Duration(rapid.IntRange(-20, 4000).Draw(t, "ms")) * time.Millisecond)
			tallies := make([]enforcement.Tally, rapid.IntRange(1, 6).Draw(t, "tallies"))
			for i := range tallies {
				n := rapid.IntRange(0, 7).Draw(t, "rule")
				tallies[i] = enforcement.Tally{
					Subject: prefix + rapid.SampledFrom([]string{"user:1", "user:1" + together + "route:/x", "ip:192.0.2.1"}).Draw(t, "subject"),
					Slot:    uint16(n * 9001), Kind: enforcement.TallyKind(n % 4), Window: time.Duration(1+n) * time.Second, Need: 1 + n,
					Read: rapid.IntRange(0, 4).Draw(t, "read") == 0, Value: uint32(rapid.IntRange(0, 5).Draw(t, "value")) * 1_000_000_007,
				}
				if tallies[i].Kind == enforcement.Interpolated {
					tallies[i].Need = 1000
				}
			}
			want, err := here.Count(context.Background(), at, tallies)
			if err != nil {
				t.Fatal(err)
			}
			got, err := fleet.Count(context.Background(), at, tallies)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(want, got) {
				t.Fatalf("in process %v, in Redis %v of %+v", want, got, tallies)
			}
		}
	})
}
