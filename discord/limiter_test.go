package discord_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord"
	"gatecamp/internal/problem"
)

const guild = snowflake.ID(900000000000000001)

func removeRole(member int) *rest.CompiledEndpoint {
	return rest.RemoveMemberRole.Compile(nil, guild, snowflake.ID(member), snowflake.ID(7))
}

func addRole(member int) *rest.CompiledEndpoint {
	return rest.AddMemberRole.Compile(nil, guild, snowflake.ID(member), snowflake.ID(7))
}

// windows counts as Discord does for the role routes: 10 requests in a fixed window of 10 s that the first one begins.
type windows struct {
	mu   sync.Mutex
	ends time.Time
	used int
	sent []time.Time
	over int // requests beyond the limit
}

const roundTrip = 40 * time.Millisecond

func (w *windows) answer() *http.Response {
	time.Sleep(roundTrip / 2)
	w.mu.Lock()
	now := time.Now()
	if !now.Before(w.ends) {
		w.ends, w.used = now.Add(10*time.Second), 0
	}
	w.used++
	w.sent = append(w.sent, now)
	status := http.StatusNoContent
	if w.used > 10 {
		w.over++
		status = http.StatusTooManyRequests
	}
	h := http.Header{"Via": {"1.1 google"}}
	h.Set("X-RateLimit-Bucket", "abc")
	h.Set("X-RateLimit-Limit", "10")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, 10-w.used)))
	h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", w.ends.Sub(now).Seconds()))
	h.Set("Retry-After", fmt.Sprint(int(w.ends.Sub(now).Seconds())+1))
	w.mu.Unlock()
	time.Sleep(roundTrip / 2)
	return &http.Response{StatusCode: status, Header: h}
}

// send is one request as disgo makes it.
func send(ctx context.Context, l *discord.Limiter, e *rest.CompiledEndpoint, answer func() *http.Response) error {
	if err := l.Wait(ctx, e); err != nil {
		return err
	}
	return l.Unlock(e, answer())
}

// bulk sends n requests side by side.
func bulk(t *testing.T, l *discord.Limiter, n int, answer func() *http.Response) {
	t.Helper()
	ctx := discord.WithPriority(t.Context(), discord.Bulk)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := send(ctx, l, removeRole(i+1), answer); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestBulkWorkUsesTheWholeBucketAndNeverMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := &windows{}, time.Now()
		l := discord.NewLimiter(discord.LimiterConfig{})
		bulk(t, l, 100, w.answer)
		took := time.Since(start)
		if w.over > 0 {
			t.Errorf("%d requests were over the limit", w.over)
		}
		// 100 requests fill ten windows; the last of them need not be waited out.
		if ideal := 100 * time.Second; took > ideal*100/95 {
			t.Errorf("100 requests took %v, the bucket allows %v", took, ideal)
		}
	})
}

func TestLiveWorkFindsASlotWhileBulkWorkRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		l := discord.NewLimiter(discord.LimiterConfig{})
		var jobs sync.WaitGroup
		jobs.Go(func() { bulk(t, l, 60, w.answer) })
		for i := range 9 {
			time.Sleep(3333 * time.Millisecond) // at most three in a window
			start := time.Now()
			if err := l.Wait(t.Context(), removeRole(1000+i)); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start); waited > 50*time.Millisecond {
				t.Errorf("live request %d waited %v", i, waited)
			}
			if err := l.Unlock(removeRole(1000+i), w.answer()); err != nil {
				t.Fatal(err)
			}
		}
		jobs.Wait()
		if w.over > 0 {
			t.Errorf("%d requests were over the limit", w.over)
		}
	})
}

func TestSpareWorkMakesNobodyLateAndIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		l := discord.NewLimiter(discord.LimiterConfig{})
		if err := send(t.Context(), l, removeRole(1), w.answer); err != nil { // what the bucket allows is known
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		done := 0
		var jobs sync.WaitGroup
		jobs.Go(func() {
			for i := range 4 {
				if err := send(discord.WithPriority(t.Context(), discord.Spare), l, removeRole(100+i), w.answer); err != nil {
					t.Error(err)
				}
				done++
			}
		})
		synctest.Wait() // some of it is on its way
		start := time.Now()
		bulk(t, l, 5, w.answer)
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("bulk work waited %v for a slot that spare work had taken", waited)
		}
		jobs.Wait()
		if done != 4 || w.over > 0 {
			t.Errorf("%d of 4 done, %d requests over the limit", done, w.over)
		}
	})
}

func TestRoutesThatShareABucketAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		first := discord.NewLimiter(discord.LimiterConfig{})
		for _, e := range []*rest.CompiledEndpoint{removeRole(1), addRole(1)} {
			if err := send(t.Context(), first, e, w.answer); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(11 * time.Second)
		// After a restart that kept the map nothing has to be discovered.
		l := discord.NewLimiter(discord.LimiterConfig{Routes: first.Routes()})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() { _ = send(t.Context(), l, removeRole(i+1), w.answer) })
			all.Go(func() { _ = send(t.Context(), l, addRole(i+1), w.answer) })
		}
		all.Wait()
		if w.over > 0 {
			t.Errorf("%d requests were over the limit", w.over)
		}
	})
}

func refusal(status int, headers ...string) func() *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return func() *http.Response { return &http.Response{StatusCode: status, Header: h} }
}

func TestAGlobal429StopsEverything(t *testing.T) {
	for name, headers := range map[string][]string{
		"global":                {"X-RateLimit-Global", "true", "Retry-After", "3", "Via", "1.1 google"},
		"from the edge, no Via": {"Retry-After", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, start := discord.NewLimiter(discord.LimiterConfig{}), time.Now()
				if err := send(t.Context(), l, removeRole(1), refusal(429, headers...)); err != nil {
					t.Fatal(err)
				}
				kick := rest.RemoveMember.Compile(nil, guild, snowflake.ID(5))
				if err := l.Wait(t.Context(), kick); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(start); waited < 3*time.Second || waited > 4*time.Second {
					t.Errorf("another route went on after %v, want 3 s", waited)
				}
			})
		})
	}
}

// slowBudget is a shared budget that takes its time.
type slowBudget struct{}

func (slowBudget) Admit(context.Context, string, bool, bool, int) (time.Duration, error) {
	time.Sleep(200 * time.Millisecond)
	return 0, nil
}
func (slowBudget) Learn(context.Context, string, int, int, time.Duration) error { return nil }
func (slowBudget) GiveBack(context.Context, string) error                       { return nil }
func (slowBudget) Pause(context.Context, time.Duration) error                   { return nil }

// The answer to a command has 3 s; whatever else waits must not hold it up.
func TestAnAnswerToAnInteractionWaitsForNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &slowBudget{}
		l := discord.NewLimiter(discord.LimiterConfig{Shared: shared})
		if err := l.Wait(t.Context(), removeRole(1)); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		var bulk sync.WaitGroup
		for n := range 500 {
			bulk.Go(func() {
				if _, err := l.Reserve(ctx, discord.Bulk, removeRole(n)); err == nil {
					t.Error("a bulk request was let through")
				}
			})
		}
		synctest.Wait()
		if err := l.Unlock(removeRole(1), refusal(429, "X-RateLimit-Global", "true", "Retry-After", "60", "Via", "1.1 google")()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		for n := range 3 {
			for _, e := range []*rest.CompiledEndpoint{
				rest.CreateInteractionResponse.Compile(nil, snowflake.ID(n), "token"+strconv.Itoa(n)),
				rest.UpdateInteractionResponse.Compile(nil, snowflake.ID(42), "token"+strconv.Itoa(n)),
				rest.CreateFollowupMessage.Compile(nil, snowflake.ID(42), "token"+strconv.Itoa(n)),
			} {
				if err := l.Wait(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("the answers waited %v", waited)
		}
		end()
		bulk.Wait()
	})
}

func TestWhoseTurnComesTooLateIsToldHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := discord.NewLimiter(discord.LimiterConfig{})
		if err := send(t.Context(), l, removeRole(1), refusal(429, "X-RateLimit-Global", "true", "Retry-After", "60", "Via", "1.1 google")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := l.Wait(discord.WithPatience(t.Context(), 5*time.Second), removeRole(2))
		busy, ok := errors.AsType[*discord.BusyError](err)
		if !ok || busy.Wait < 59*time.Second || !errors.Is(err, discord.ErrNotSent) || time.Since(start) > 0 {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		if err := l.Wait(discord.WithPatience(t.Context(), 2*time.Minute), removeRole(2)); err != nil || time.Since(start) < 59*time.Second {
			t.Errorf("whoever has patience: %v after %v", err, time.Since(start))
		}
	})
}

func TestRefusalsStopEverythingLongBeforeTheBan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		warned := ""
		l := discord.NewLimiter(discord.LimiterConfig{MaxInvalid: 3, Warn: func(what string) { warned = what }})
		for range 3 {
			if err := send(t.Context(), l, removeRole(1), refusal(403, "Via", "1.1 google")); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Wait(t.Context(), removeRole(2)); problem.KindOf(err) != problem.Held {
			t.Errorf("the fourth request: %v, want a problem that says it is held", err)
		}
		if !strings.Contains(warned, "refused 3") {
			t.Errorf("warning %q", warned)
		}
		callback := rest.CreateInteractionResponse.Compile(nil, snowflake.ID(1), "token")
		if err := l.Wait(t.Context(), callback); err != nil {
			t.Errorf("an answer to a moderator: %v", err)
		}
		time.Sleep(10*time.Minute + time.Second)
		if err := l.Wait(t.Context(), removeRole(2)); err != nil {
			t.Errorf("ten minutes later: %v", err)
		}
	})
}

func TestAReservationIsTheOnlyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		l := discord.NewLimiter(discord.LimiterConfig{})
		bulk(t, l, 7, w.answer)
		var held []*discord.Reservation
		for i := range 3 {
			r, err := l.Reserve(t.Context(), discord.Live, removeRole(i))
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, r)
		}
		start := time.Now()
		if err := send(held[0].Context(t.Context()), l, removeRole(0), w.answer); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > roundTrip {
			t.Errorf("a reserved request waited %v", waited-roundTrip)
		}
		held[1].Release()
		held[1].Release() // once more does nothing
		if err := send(t.Context(), l, removeRole(9), w.answer); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("the released place was not free: waited %v", waited)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Wait(short, removeRole(10)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an eleventh request: %v, want to wait for the next window", err)
		}
		held[2].Release()
	})
}

func TestClosingLetsEverybodyGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := discord.NewLimiter(discord.LimiterConfig{})
		if err := l.Wait(t.Context(), removeRole(1)); err != nil { // the scout is out: the next one waits
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- l.Wait(t.Context(), removeRole(2)) }()
		synctest.Wait()
		l.Close(t.Context())
		if err := <-done; !errors.Is(err, discord.ErrLimiterClosed) {
			t.Errorf("waiting while it closes: %v", err)
		}
	})
}

func TestTheGlobalRateHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := discord.NewLimiter(discord.LimiterConfig{PerSecond: 40, Burst: 8}), time.Now()
		free := refusal(204)
		for i := range 90 {
			e := rest.RemoveMemberRole.Compile(nil, snowflake.ID(i+1), snowflake.ID(1), snowflake.ID(2))
			if err := send(t.Context(), l, e, free); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 2*time.Second || took > 2200*time.Millisecond {
			t.Errorf("90 requests over 90 guilds took %v, want about 2.05 s", took)
		}
	})
}
