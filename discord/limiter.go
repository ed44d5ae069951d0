// Package discord is the only translator between Discord and gatecamp, and the only writer to a guild.
//
// What must stay true: nothing is sent that was not reserved or asked for here; the owner, the bot itself and roles that Discord
// manages are never touched; a member list counts as complete only with proof.
package discord

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/disgo/rest"

	"gatecamp/internal/problem"
)

// Priority says who goes first where requests have to wait.
type Priority int

// The priorities. Bulk work leaves 3 of 10 slots of a bucket to live work, and takes them back just before the window ends. Spare work
// takes 2 of 10, and only while nobody else waits: nothing is late because of it.
const (
	Live Priority = iota
	Bulk
	Spare
	priorities = iota
)

const (
	invalidWindow  = 10 * time.Minute // over which Discord counts answers of 401, 403 and 429 (docs: topics/rate-limits)
	invalidAllowed = 10_000           // answers in it, before Discord bans the address
	// After a window's end by our clock we wait this much longer, since Discord's clock starts a little after ours.
	margin      = 20 * time.Millisecond
	endOfWindow = 500 * time.Millisecond // in which bulk work takes what live work left
	idleAfter   = time.Minute            // after its window, a bucket that nobody uses is forgotten
	scoutAgain  = 5 * time.Second        // how long we look again at the latest at a bucket of unknown size
)

// ErrLimiterClosed is what everybody gets who waits while the program stops.
var ErrLimiterClosed = errors.New("the request limiter is closed")

// LimiterConfig are the options of a Limiter.
type LimiterConfig struct {
	PerSecond  float64           // global rate; 40 if zero. Discord allows 50
	Burst      int               // requests at once on top of the rate; 8 if zero
	MaxInvalid int               // invalid answers in 10 minutes at which we stop; 5,000 if zero, half of what Discord allows
	Routes     map[string]string // which routes share a bucket, as an earlier Limiter's Routes told
	Warn       func(what string) // told when the limiter stops everything; may be nil
	Shared     Shared            // what other processes with this token use too; nil: there are none
}

// Limiter is the REST budget of one token: it shares buckets over routes, lets as many requests fly as a bucket has left, keeps
// fractions of seconds, lets live work go first, honours every kind of 429, and stops long before Discord bans the address.
type Limiter struct {
	cfg LimiterConfig

	mu      sync.Mutex
	hashes  map[string]string  // method and route → Discord's name of the bucket
	buckets map[string]*bucket // that name, or method and route, and the major parameters
	tokens  float64            // of the global rate, at filled
	filled  time.Time
	pause   time.Time // nothing is sent before: the address is blocked, or the edge before Discord has enough
	global  time.Time // nothing under the global limit is sent before: a global 429
	invalid []time.Time
	warned  bool
	counts  RequestStats
	theirs  time.Time // what time it was at Discord when it was heard; zero: never
	heard   time.Time
	away    time.Time // until then the shared budget is not asked: it did not answer
	closed  chan struct{}
	once    sync.Once
}

var _ rest.RateLimiter = (*Limiter)(nil)

// NewLimiter starts with nothing known but the given routes.
func NewLimiter(cfg LimiterConfig) *Limiter {
	if cfg.PerSecond == 0 {
		cfg.PerSecond = 40
	}
	if cfg.Burst == 0 {
		cfg.Burst = 8
	}
	if cfg.MaxInvalid == 0 {
		cfg.MaxInvalid = invalidAllowed / 2
	}
	l := &Limiter{cfg: cfg, hashes: maps.Clone(cfg.Routes), buckets: map[string]*bucket{}, tokens: float64(cfg.Burst), closed: make(chan struct{})}
	if l.hashes == nil {
		l.hashes = map[string]string{}
	}
	return l
}

// Routes tells which routes share a bucket, for the Limiter of the next start.
func (l *Limiter) Routes() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.hashes)
}

// Invalid counts the answers of the last 10 minutes that Discord holds against this address.
func (l *Limiter) Invalid() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetInvalid(time.Now())
	return len(l.invalid)
}

// MaxRetries is how often disgo repeats a request after a 429.
func (l *Limiter) MaxRetries() int { return 5 }

// Reset forgets everything but what is in flight.
func (l *Limiter) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hashes, l.pause, l.global = map[string]string{}, time.Time{}, time.Time{}
	maps.DeleteFunc(l.buckets, func(_ string, b *bucket) bool { return b.idle() })
}

// Close lets everybody who waits go with ErrLimiterClosed.
func (l *Limiter) Close(context.Context) { l.once.Do(func() { close(l.closed) }) }

type contextKey int

const (
	priorityKey contextKey = iota
	reservationKey
	patienceKey
)

// WithPatience bounds how long requests made under the context wait for their turn: a longer wait is a BusyError at once.
func WithPatience(ctx context.Context, most time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey, most)
}

// tooLong is a BusyError if a wait is longer than whoever asks has patience for.
func tooLong(ctx context.Context, wait time.Duration) error {
	if most, bounded := ctx.Value(patienceKey).(time.Duration); bounded && wait > most {
		return &BusyError{Wait: wait}
	}
	return nil
}

// WithPriority says how urgent the requests made under the context are. Without it they are live.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey, p)
}

func priorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey).(Priority)
	return p
}

// Reservation is a request's place in the line: it was waited for, and nothing has been sent.
type Reservation struct {
	Which    int // of the endpoints that were asked for
	limiter  *Limiter
	endpoint *rest.CompiledEndpoint
	once     sync.Once
}

// Reserve waits until a request to one of the endpoints, at most two, may be sent at once, and takes the first that may; Which says
// which. Use the reservation by Context, or Release it.
func (l *Limiter) Reserve(ctx context.Context, p Priority, endpoints ...*rest.CompiledEndpoint) (*Reservation, error) {
	which, err := l.acquire(ctx, p, endpoints...)
	if err != nil {
		return nil, err
	}
	return &Reservation{limiter: l, endpoint: endpoints[which], Which: which}, nil
}

// Context carries the reservation to the request that uses it up.
func (r *Reservation) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, reservationKey, r)
}

// Release gives the place back unused; after the request it does nothing.
func (r *Reservation) Release() {
	r.once.Do(func() {
		r.limiter.giveBack(r.endpoint)
		r.limiter.giveBackShared(r.endpoint)
	})
}

// take uses the reservation up for a request to the endpoint.
func (r *Reservation) take(e *rest.CompiledEndpoint) bool {
	taken := false
	if route(e) == route(r.endpoint) && e.MajorParams == r.endpoint.MajorParams {
		r.once.Do(func() { taken = true })
	}
	return taken
}

// Wait is disgo's question before each request.
func (l *Limiter) Wait(ctx context.Context, e *rest.CompiledEndpoint) error {
	if r, ok := ctx.Value(reservationKey).(*Reservation); ok && r.take(e) {
		return nil
	}
	_, err := l.acquire(ctx, priorityOf(ctx), e)
	return err
}

// acquire waits until a request to one of the endpoints may be sent, and says which: the first that may.
func (l *Limiter) acquire(ctx context.Context, p Priority, endpoints ...*rest.CompiledEndpoint) (int, error) {
	waits := false
	began := time.Now()
	for {
		l.mu.Lock()
		now := time.Now()
		if waits {
			l.wait(p, -1, endpoints)
		}
		if err := l.mayGoOn(now, endpoints[0]); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		which, soonest := l.admitAny(now, p, endpoints)
		if which >= 0 {
			l.mu.Unlock()
			wait := l.shared(ctx, endpoints[which], p)
			if wait == 0 {
				l.waited(time.Since(began))
				return which, nil
			}
			l.giveBack(endpoints[which])
			waits = false
			if err := tooLong(ctx, wait); err != nil {
				return 0, err
			}
			if err := l.sleep(ctx, wait, nil, nil); err != nil {
				return 0, err
			}
			continue
		}
		if err := tooLong(ctx, soonest.Sub(now)); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		waits = true
		l.wait(p, 1, endpoints)
		first, last := l.bucket(endpoints[0]).wake, l.bucket(endpoints[len(endpoints)-1]).wake
		l.mu.Unlock()
		if err := l.sleep(ctx, soonest.Sub(now), first, last); err != nil {
			l.mu.Lock()
			l.wait(p, -1, endpoints)
			l.mu.Unlock()
			return 0, err
		}
	}
}

// admitAny takes a place at the first endpoint that has one, else (-1) it says when to look again.
func (l *Limiter) admitAny(now time.Time, p Priority, endpoints []*rest.CompiledEndpoint) (which int, soonest time.Time) {
	for i, e := range endpoints {
		b := l.bucket(e)
		at, ok := l.admit(now, b, e, p)
		if ok {
			b.remaining--
			b.inflight++
			return i, now
		}
		if i == 0 || at.Before(soonest) {
			soonest = at
		}
	}
	return -1, soonest
}

func (l *Limiter) wait(p Priority, more int, endpoints []*rest.CompiledEndpoint) {
	for _, e := range endpoints {
		l.bucket(e).waiting[p] += more
	}
}

// admit says whether a request may go now, else when to look again. Everything that is asked for is also taken: the global token.
func (l *Limiter) admit(now time.Time, b *bucket, e *rest.CompiledEndpoint, p Priority) (time.Time, bool) {
	if l.pause.After(now) {
		return l.pause, false
	}
	if l.global.After(now) && !exempt(e) {
		return l.global, false
	}
	b.roll(now)
	switch {
	case b.limit < 0 && b.inflight > 0:
		return now.Add(scoutAgain), false
	case b.limit >= 0 && b.remaining <= 0:
		if b.reset.After(now) {
			return b.reset, false
		}
		return now.Add(scoutAgain), false // what is in flight tells when the window ends
	}
	if at, ok := b.spare(now, p); !ok {
		return at, false
	}
	if exempt(e) {
		return now, true
	}
	return l.token(now, p)
}

// token takes one from the global rate; bulk work leaves two of them to live work, spare work four to both.
func (l *Limiter) token(now time.Time, p Priority) (time.Time, bool) {
	if !l.filled.IsZero() {
		l.tokens = min(float64(l.cfg.Burst), l.tokens+now.Sub(l.filled).Seconds()*l.cfg.PerSecond)
	}
	l.filled = now
	need := min(1+2*float64(p), float64(l.cfg.Burst))
	if l.tokens >= need {
		l.tokens--
		return now, true
	}
	// Rounded up: a timer that fires a nanosecond early would wait for nothing.
	return now.Add(time.Duration((need-l.tokens)/l.cfg.PerSecond*float64(time.Second)) + time.Microsecond), false
}

// mayGoOn stops everything but answers to interactions at half of what Discord bans for.
func (l *Limiter) mayGoOn(now time.Time, e *rest.CompiledEndpoint) error {
	l.forgetInvalid(now)
	if len(l.invalid) < l.cfg.MaxInvalid {
		l.warned = false
		return nil
	}
	if !l.warned && l.cfg.Warn != nil {
		l.warned = true
		l.cfg.Warn("requests stopped: Discord has refused " + strconv.Itoa(len(l.invalid)) + " of them in 10 minutes")
	}
	if exempt(e) {
		return nil
	}
	return problem.New(problem.Held, "Discord has refused so many requests that it could ban this address; nothing more is sent",
		"look for missing permissions or another program with this token; it goes on by itself after 10 minutes")
}

func (l *Limiter) forgetInvalid(now time.Time) {
	old := slices.IndexFunc(l.invalid, func(t time.Time) bool { return now.Sub(t) < invalidWindow })
	if old < 0 {
		old = len(l.invalid)
	}
	l.invalid = slices.Delete(l.invalid, 0, old)
}

// Unlock is disgo's report of the answer, or of none.
func (l *Limiter) Unlock(e *rest.CompiledEndpoint, rs *http.Response) error {
	defer l.tellShared(e, rs)
	l.mu.Lock()
	defer l.mu.Unlock()
	b, now := l.bucket(e), time.Now()
	b.inflight--
	defer func() { b.awake() }()
	l.counted(e, rs)
	if rs == nil {
		return nil
	}
	switch rs.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		l.invalid = append(l.invalid, now)
	case http.StatusTooManyRequests:
		l.tooMany(b, rs.Header, now)
		return nil
	}
	if name := rs.Header.Get("X-RateLimit-Bucket"); name != "" {
		b = l.rename(e, b, name)
		b.learn(rs.Header, now)
	} else if b.limit < 0 { // an answer without headers: only the global limit counts here
		b.limit, b.remaining = 1<<20, 1<<20
	}
	l.dropIdle(now)
	return nil
}

// tooMany waits out a 429: of everything where it is global or comes from the edge before Discord, else of the bucket.
func (l *Limiter) tooMany(b *bucket, h http.Header, now time.Time) {
	scope := h.Get("X-RateLimit-Scope")
	if scope != "shared" {
		l.invalid = append(l.invalid, now)
	}
	wait := patience(h)
	switch until := now.Add(wait); {
	case global(h):
		l.global = later(l.global, until)
		return
	case everywhere(h):
		l.pause = later(l.pause, until)
		return
	}
	b.limit, b.remaining, b.reset = max(b.limit, 1), 0, now.Add(wait)
}

// rename moves a bucket under Discord's name, where it meets the other routes that share it.
func (l *Limiter) rename(e *rest.CompiledEndpoint, b *bucket, name string) *bucket {
	if l.hashes[route(e)] == name {
		return b
	}
	l.hashes[route(e)] = name
	shared := l.bucket(e)
	if shared == b {
		return b
	}
	shared.inflight += b.inflight
	if shared.limit < 0 {
		shared.limit, shared.remaining, shared.reset = b.limit, b.remaining, b.reset
	}
	for p, n := range b.waiting {
		shared.waiting[p] += n
	}
	b.inflight, b.waiting = 0, [priorities]int{}
	b.awake()
	return shared
}

// giveBack is Release: as if nobody had waited.
func (l *Limiter) giveBack(e *rest.CompiledEndpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(e)
	b.inflight--
	b.remaining++
	b.awake()
}

// dropIdle forgets buckets that nobody uses, so that a guild that was left does not stay in memory.
func (l *Limiter) dropIdle(now time.Time) {
	if len(l.buckets) < 64 {
		return
	}
	maps.DeleteFunc(l.buckets, func(_ string, b *bucket) bool { return b.idle() && now.Sub(b.reset) > idleAfter })
}

// key names the bucket that a request draws on; mu is held.
func (l *Limiter) key(e *rest.CompiledEndpoint) string {
	key := route(e)
	if name, ok := l.hashes[key]; ok {
		key = name
	}
	return key + "|" + e.MajorParams
}

func (l *Limiter) bucket(e *rest.CompiledEndpoint) *bucket {
	key := l.key(e)
	b := l.buckets[key]
	if b == nil {
		b = &bucket{limit: -1, wake: make(chan struct{})}
		l.buckets[key] = b
	}
	return b
}

// ErrNotSent means that the context ended while a request still waited: Discord has not heard of it.
var ErrNotSent = errors.New("the request was not sent")

func (l *Limiter) sleep(ctx context.Context, d time.Duration, wake, other <-chan struct{}) error {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotSent, context.Cause(ctx))
	case <-l.closed:
		return ErrLimiterClosed
	case <-wake:
	case <-other:
	case <-t.C:
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func route(e *rest.CompiledEndpoint) string { return e.Endpoint.Method + " " + e.Endpoint.Route }

// answers reports whether a request answers an interaction: within 3 s, in a bucket that nobody else has, and not under the global
// limit (docs: topics/rate-limits).
func answers(e *rest.CompiledEndpoint) bool {
	return strings.Contains(e.Endpoint.Route, "{interaction.token}")
}

// exempt routes do not count in the global rate.
func exempt(e *rest.CompiledEndpoint) bool {
	return answers(e) || strings.HasPrefix(e.Endpoint.Route, "/webhooks/{webhook.id}/{webhook.token}")
}
