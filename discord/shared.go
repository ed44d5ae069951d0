package discord

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/disgoorg/disgo/rest"
)

// Shared is the budget of a token that several processes use. What it does not know it allows; each process keeps its own count
// besides, and goes by that alone while the shared one does not answer.
type Shared interface {
	// Admit takes one request of a bucket and, if counted, of the global rate a second. A wait above zero means that nothing was
	// taken, and when to ask again.
	Admit(ctx context.Context, bucket string, bulk, counted bool, perSecond int) (wait time.Duration, err error)
	// Learn takes what an answer says about the bucket.
	Learn(ctx context.Context, bucket string, limit, remaining int, resetAfter time.Duration) error
	// GiveBack returns what Admit took of the bucket and was not sent.
	GiveBack(ctx context.Context, bucket string) error
	// Pause holds everything for so long.
	Pause(ctx context.Context, wait time.Duration) error
}

const (
	sharedWithin = 250 * time.Millisecond // for one question to the shared budget
	sharedAgain  = 5 * time.Second        // how long it is left alone after it did not answer
)

// shared asks the budget of all processes; zero means go. If it does not answer, our own count has to do.
func (l *Limiter) shared(ctx context.Context, e *rest.CompiledEndpoint, p Priority) (wait time.Duration) {
	l.ask(ctx, e, func(ctx context.Context, key string) (err error) {
		wait, err = l.cfg.Shared.Admit(ctx, key, p != Live, !exempt(e), int(l.cfg.PerSecond))
		return err
	})
	return wait
}

func (l *Limiter) giveBackShared(e *rest.CompiledEndpoint) {
	l.ask(context.Background(), e, func(ctx context.Context, key string) error { return l.cfg.Shared.GiveBack(ctx, key) })
}

// tellShared passes on what an answer says.
func (l *Limiter) tellShared(e *rest.CompiledEndpoint, rs *http.Response) {
	if rs == nil {
		return
	}
	l.ask(context.Background(), e, func(ctx context.Context, key string) error {
		h := rs.Header
		if rs.StatusCode == http.StatusTooManyRequests && everywhere(h) {
			return l.cfg.Shared.Pause(ctx, patience(h))
		}
		limit, _ := strconv.Atoi(h.Get("X-RateLimit-Limit"))
		if limit <= 0 || h.Get("X-RateLimit-Bucket") == "" {
			return nil
		}
		left, _ := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
		after := seconds(h.Get("X-RateLimit-Reset-After")) + margin
		if rs.StatusCode == http.StatusTooManyRequests {
			left, after = 0, patience(h)
		}
		return l.cfg.Shared.Learn(ctx, key, limit, left, after)
	})
}

// ask puts a question to the shared budget, if there is one and it has answered lately.
func (l *Limiter) ask(ctx context.Context, e *rest.CompiledEndpoint, question func(ctx context.Context, key string) error) {
	if l.cfg.Shared == nil || answers(e) { // no other process has this interaction
		return
	}
	l.mu.Lock()
	key, away := l.key(e), l.away.After(time.Now())
	l.mu.Unlock()
	if away {
		return
	}
	ctx, end := context.WithTimeout(ctx, sharedWithin)
	defer end()
	if err := question(ctx, key); err != nil {
		l.mu.Lock()
		l.away = time.Now().Add(sharedAgain)
		l.mu.Unlock()
		if l.cfg.Warn != nil {
			l.cfg.Warn("the shared request budget does not answer; this process goes by its own count: " + err.Error())
		}
	}
}
