package redis_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/storage/redis"
)

var (
	_ discord.Shared       = (*redis.Budget)(nil)
	_ discord.IdentifyGate = (*redis.Gate)(nil)
)

func server(t *testing.T) (*miniredis.Miniredis, *redis.Client) {
	t.Helper()
	m := miniredis.RunT(t)
	m.SetTime(time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC))
	c, err := redis.Open(secret.New("redis://" + m.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return m, c
}

// later moves the server's clock.
func later(m *miniredis.Miniredis, now *time.Time, d time.Duration) {
	*now = now.Add(d)
	m.SetTime(*now)
	m.FastForward(d)
}

func admit(t *testing.T, b *redis.Budget, bulk bool) time.Duration {
	t.Helper()
	wait, err := b.Admit(t.Context(), "roles|1", bulk, true, 40)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func TestTwoProcessesShareABucket(t *testing.T) {
	m, c := server(t)
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	one, two := c.Budget("42"), c.Budget("42")
	if wait := admit(t, one, false); wait != 0 {
		t.Fatalf("an unknown bucket waits %v", wait)
	}
	if err := one.Learn(t.Context(), "roles|1", 10, 9, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		b := one
		if i%2 == 0 {
			b = two
		}
		if wait := admit(t, b, false); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	for _, b := range []*redis.Budget{one, two} {
		if wait := admit(t, b, false); wait != 10*time.Second {
			t.Errorf("the eleventh waits %v, want until the window ends", wait)
		}
	}
	if err := two.GiveBack(t.Context(), "roles|1"); err != nil {
		t.Fatal(err)
	}
	if wait := admit(t, one, false); wait != 0 {
		t.Errorf("what was given back is not used: wait %v", wait)
	}
	later(m, &now, 10*time.Second)
	if wait := admit(t, two, false); wait != 0 {
		t.Errorf("a new window waits %v", wait)
	}
	if other, err := c.Budget("43").Admit(t.Context(), "roles|1", false, true, 40); err != nil || other != 0 {
		t.Errorf("another bot waits %v, %v", other, err)
	}
}

func TestBulkWorkLeavesThreeOfTenUntilTheEndOfTheWindow(t *testing.T) {
	m, c := server(t)
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	b := c.Budget("42")
	if err := b.Learn(t.Context(), "roles|1", 10, 4, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if wait := admit(t, b, true); wait != 0 {
		t.Errorf("the seventh waits %v", wait)
	}
	if wait := admit(t, b, true); wait != 9500*time.Millisecond {
		t.Errorf("the eighth waits %v, want until just before the end", wait)
	}
	if wait := admit(t, b, false); wait != 0 {
		t.Errorf("live work waits %v", wait)
	}
	later(m, &now, 9600*time.Millisecond)
	if wait := admit(t, b, true); wait != 0 {
		t.Errorf("at the end of the window bulk work waits %v", wait)
	}
}

func TestTheGlobalRateAndAPauseHoldEverybody(t *testing.T) {
	m, c := server(t)
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	b := c.Budget("42")
	passed := 0
	for range 60 {
		if admit(t, b, false) == 0 {
			passed++
		}
	}
	if passed != 40 {
		t.Errorf("%d requests in one second, want 40", passed)
	}
	later(m, &now, time.Second)
	if wait := admit(t, b, false); wait != 0 {
		t.Errorf("after a second it waits %v", wait)
	}
	for _, d := range []time.Duration{3 * time.Second, time.Second} {
		if err := b.Pause(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if wait := admit(t, b, false); wait != 3*time.Second {
		t.Errorf("during a pause it waits %v, want 3 s", wait)
	}
}

func TestWithoutRedisEachProcessGoesByItsOwnCount(t *testing.T) {
	m, c := server(t)
	m.Close()
	var warned atomic.Int32
	var words sync.Map
	l := discord.NewLimiter(discord.LimiterConfig{Shared: c.Budget("42"), Warn: func(what string) { warned.Add(1); words.Store(what, true) }})
	start := time.Now()
	for i := range 8 {
		e := rest.RemoveMemberRole.Compile(nil, snowflake.ID(1), snowflake.ID(i+1), snowflake.ID(7))
		if err := l.Wait(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("X-RateLimit-Bucket", "b")
		h.Set("X-RateLimit-Limit", "10")
		h.Set("X-RateLimit-Remaining", strconv.Itoa(9-i))
		h.Set("X-RateLimit-Reset-After", "10")
		if err := l.Unlock(e, &http.Response{StatusCode: http.StatusNoContent, Header: h}); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("eight requests took %v: Redis was waited for again and again", took)
	}
	if warned.Load() != 1 {
		t.Errorf("warned %d times, want once", warned.Load())
	}
}

func TestAWrongAddressIsToldWithoutThePassword(t *testing.T) {
	for _, address := range []string{"redis://user:canary@host:port", "http://canary@x", "canary", ""} {
		_, err := redis.Open(secret.New(address))
		if problem.KindOf(err) != problem.Usage || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
	}
}

func TestAServerThatDoesNotAnswerIsGivenUpSoon(t *testing.T) {
	c, err := redis.Open(secret.New("redis://192.0.2.1:6379")) // nobody is there (RFC 5737)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	start := time.Now()
	if _, err := c.Budget("42").Admit(ctx, "x", false, true, 40); err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestOneProcessAtATimePassesTheGateOfABucket(t *testing.T) {
	m, c := server(t)
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	one, two := c.Gate("42"), c.Gate("42")
	pass := func(g *redis.Gate, bucket int) time.Duration {
		t.Helper()
		wait, err := g.Pass(t.Context(), bucket, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	if wait := pass(one, 0); wait != 0 {
		t.Fatalf("the first waits %v", wait)
	}
	if wait := pass(two, 0); wait < 4*time.Second || wait > 5*time.Second {
		t.Errorf("the second waits %v, want 5 s", wait)
	}
	if wait := pass(two, 1); wait != 0 {
		t.Errorf("another bucket waits %v", wait)
	}
	if wait := pass(c.Gate("43"), 0); wait != 0 {
		t.Errorf("another bot waits %v", wait)
	}
	later(m, &now, 5*time.Second)
	if wait := pass(two, 0); wait != 0 {
		t.Errorf("after 5 s the second waits %v", wait)
	}
}
