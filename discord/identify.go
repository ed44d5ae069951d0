package discord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/disgoorg/disgo/gateway"

	"gatecamp/internal/problem"
)

// IdentifyGate lets the processes of one bot begin sessions one after another.
type IdentifyGate interface {
	// Pass takes the bucket for the time; a wait above zero means that somebody else has it, and for how long.
	Pass(ctx context.Context, bucket int, within time.Duration) (wait time.Duration, err error)
}

const (
	identifyMost   = 5 // sessions of a shard in identifyWithin
	identifyWithin = 10 * time.Minute
	identifyEvery  = 5 * time.Second // of one bucket (docs: events/gateway, Rate Limiting)
	gateWithin     = time.Second     // for one question to the shared gate
)

// errClosing is what disgo's goroutine that connects gets once its shard is to be closed. disgo does not try again after this one.
func errClosing() error {
	return fmt.Errorf("the shard is closed: %w", errNoMoreTries)
}

// identifyGate is disgo's limiter for new sessions: one of a bucket in 5 s over all processes, and few of one shard in ten minutes. A
// payload that disgo cannot read makes it identify anew every few seconds, and after a thousand Discord resets the token (docs:
// events/gateway, Session Start Limit).
type identifyGate struct {
	shared IdentifyGate
	log    *slog.Logger
	quit   func(shard int) <-chan struct{}

	mu          sync.Mutex
	concurrency int               // buckets
	next        map[int]time.Time // when a bucket is free again
	past        map[int][]time.Time
	left, total int       // sessions that Discord still allows, and allows a day
	anew        time.Time // when it allows all of them again; zero: not known
}

var _ gateway.IdentifyRateLimiter = (*identifyGate)(nil)

func newIdentifyGate(shared IdentifyGate, log *slog.Logger, quit func(int) <-chan struct{}) *identifyGate {
	return &identifyGate{shared: shared, log: log, quit: quit, concurrency: 1, next: map[int]time.Time{}, past: map[int][]time.Time{}}
}

// advise takes what Discord says about sessions.
func (g *identifyGate) advise(concurrency, left, total int, resetAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.concurrency, g.left, g.total, g.anew = max(concurrency, 1), left, max(total, left), time.Now().Add(resetAfter)
}

// renew gives the day's sessions back when a new day has begun; mu is held.
func (g *identifyGate) renew(now time.Time) {
	if !g.anew.IsZero() && !now.Before(g.anew) {
		g.left, g.anew = g.total, now.Add(24*time.Hour)
	}
}

// remaining is how many sessions Discord still allows today; below zero: nobody knows.
func (g *identifyGate) remaining() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.anew.IsZero() {
		return -1
	}
	g.renew(time.Now())
	return max(g.left, 0)
}

// Close has nothing to do: whoever waits is let go by the shard's end.
func (g *identifyGate) Close(context.Context) {}

// Unlock has nothing to do: a bucket is taken for its time.
func (g *identifyGate) Unlock(int) {}

// Wait lets a session begin when Discord and the shard's own past allow it.
func (g *identifyGate) Wait(ctx context.Context, shard int) error {
	quit := g.quit(shard)
	for {
		wait, err := g.due(ctx, shard)
		if wait == 0 || err != nil {
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-quit:
			t.Stop()
			return errClosing()
		case <-t.C:
		}
	}
}

// due takes the shard's turn, or says when to ask again.
func (g *identifyGate) due(ctx context.Context, shard int) (time.Duration, error) {
	wait, bucket, err := g.own(shard, time.Now())
	if wait > 0 || err != nil {
		return wait, err
	}
	wait = g.others(ctx, bucket)
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait > 0 {
		return wait, nil
	}
	now := time.Now()
	g.next[bucket] = now.Add(identifyEvery)
	g.past[shard] = append(g.past[shard], now)
	g.left--
	return 0, nil
}

// own is what this process knows about the shard's turn.
func (g *identifyGate) own(shard int, now time.Time) (wait time.Duration, bucket int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	bucket = shard % g.concurrency
	g.renew(now)
	if !g.anew.IsZero() && g.left <= 0 {
		return 0, bucket, problem.New(problem.Held, "Discord allows no more new sessions of this bot today; another one would void its token",
			"look for what begins so many sessions; it goes on at "+g.anew.UTC().Format(time.DateTime)+" UTC").Because(errNoMoreTries)
	}
	past := g.past[shard]
	for len(past) > 0 && now.Sub(past[0]) >= identifyWithin {
		past = past[1:]
	}
	g.past[shard] = past
	if len(past) >= identifyMost {
		wait = identifyWithin - now.Sub(past[0])
		g.log.Error("too many new gateway sessions", "shard", shard, "waiting", wait)
		return wait, bucket, nil
	}
	return max(g.next[bucket].Sub(now), 0), bucket, nil
}

// others asks the gate of all processes. If it does not answer, our own count has to do.
func (g *identifyGate) others(ctx context.Context, bucket int) time.Duration {
	if g.shared == nil {
		return 0
	}
	ctx, end := context.WithTimeout(ctx, gateWithin)
	defer end()
	wait, err := g.shared.Pass(ctx, bucket, identifyEvery)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			g.log.Error("the shared gate for new sessions does not answer; this process goes by its own count", "error", err)
		}
		return 0
	}
	return wait
}
