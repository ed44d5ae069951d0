package discordtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// window is a fixed window: so many, then none until it is over.
type window struct {
	ends time.Time
	used int
}

// take uses one of limit; false if none is left.
func (w *window) take(now time.Time, limit int, length time.Duration) bool {
	if !now.Before(w.ends) {
		w.ends, w.used = now.Add(length), 0
	}
	if w.used >= limit {
		return false
	}
	w.used++
	return true
}

// bucket is a limit that one or several routes share.
type bucket struct {
	name   string // routes with one name share the bucket
	limit  int
	window time.Duration
	per    string // path value of the top-level resource; "" = over all
}

// hash is what X-RateLimit-Bucket shows. It does not name the resource, as at Discord.
func (b *bucket) hash() string {
	sum := sha256.Sum256([]byte("bucket " + b.name))
	return hex.EncodeToString(sum[:16])
}

// The buckets, from the table of reference/discord.md 2.1. The two of channel messages are common knowledge without a source there.
// Routes without a bucket are under the global limit alone and have no headers.
func bucketMemberPatch() *bucket {
	return &bucket{"member patch", 10, 10 * time.Second, "g"}
}
func bucketMemberRoles() *bucket { return &bucket{"member roles", 10, 10 * time.Second, "g"} }
func bucketMemberKick() *bucket  { return &bucket{"member kick", 5, time.Second, "g"} }
func bucketMemberGet() *bucket   { return &bucket{"member get", 5, time.Second, "g"} }
func bucketMemberList() *bucket  { return &bucket{"member list", 10, 10 * time.Second, "g"} }
func bucketMemberFind() *bucket  { return &bucket{"member search", 10, 10 * time.Second, "g"} }
func bucketBulkBan() *bucket     { return &bucket{"bulk ban", 1, 5 * time.Second, ""} }
func bucketWebhook() *bucket     { return &bucket{"webhook", 5, 2 * time.Second, "token"} }
func bucketCommands() *bucket    { return &bucket{"commands put", 2, time.Minute, "g"} }
func bucketOnboarding() *bucket  { return &bucket{"onboarding", 5, time.Minute, "g"} }
func bucketPost() *bucket        { return &bucket{"message post", 5, 5 * time.Second, "c"} }
func bucketEdit() *bucket        { return &bucket{"message edit", 5, 5 * time.Second, "c"} }

const (
	globalLimit   = 50 // a second and bot
	globalWindow  = time.Second
	invalidLimit  = 10_000 // answers of 401, 403 and 429 in invalidWindow, per address
	invalidWindow = 10 * time.Minute
	blockLength   = 24 * time.Hour // how long the address is blocked then
)

type bucketKey struct {
	bot, bucket, resource string
}

// limiter counts calls. It has a lock of its own: no answer waits for it.
type limiter struct {
	mu      sync.Mutex
	buckets map[bucketKey]*window
	global  map[snowflake.ID]*window
	invalid map[string]*window
	blocked map[string]time.Time
}

func newLimiter() *limiter {
	return &limiter{
		buckets: map[bucketKey]*window{}, global: map[snowflake.ID]*window{}, invalid: map[string]*window{}, blocked: map[string]time.Time{},
	}
}

// scope is the value of X-RateLimit-Scope.
type scope int

const (
	scopeNone scope = iota
	scopeUser
	scopeGlobal
	scopeShared
	scopeCloudflare
)

func (s scope) String() string { return [...]string{"", "user", "global", "shared", "cloudflare"}[s] }

// permit is the limiter's word on one call.
type permit struct {
	scope     scope // why not; scopeNone: go on
	wait      time.Duration
	bucket    *bucket // nil: no headers
	remaining int
	resets    time.Time
}

// ask counts the call of a bot against the global limit and its bucket.
func (l *limiter) ask(now time.Time, app *application, key bucketKey, b *bucket, global bool) permit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if app != nil && global {
		w := l.global[app.id]
		if w == nil {
			w = &window{}
			l.global[app.id] = w
		}
		if !w.take(now, globalLimit, globalWindow) {
			return permit{scope: scopeGlobal, wait: w.ends.Sub(now)}
		}
	}
	if b == nil {
		return permit{}
	}
	l.tidy(now)
	w := l.buckets[key]
	if w == nil {
		w = &window{}
		l.buckets[key] = w
	}
	p := permit{bucket: b}
	if !w.take(now, b.limit, b.window) {
		p.scope, p.wait = scopeUser, w.ends.Sub(now)
	}
	p.remaining, p.resets = b.limit-w.used, w.ends
	return p
}

// tidy forgets windows that are over once there are many: every interaction has one.
func (l *limiter) tidy(now time.Time) {
	if len(l.buckets) < 10_000 {
		return
	}
	for k, w := range l.buckets {
		if !now.Before(w.ends) {
			delete(l.buckets, k)
		}
	}
}

// count notes an answer of 401, 403 or 429 and blocks the address that had too many. Scope shared does not count.
func (l *limiter) count(now time.Time, address string, status int, why scope) {
	if why == scopeShared || status != http.StatusUnauthorized && status != http.StatusForbidden && status != http.StatusTooManyRequests {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.invalid[address]
	if w == nil {
		w = &window{}
		l.invalid[address] = w
	}
	w.take(now, math.MaxInt, invalidWindow)
	if w.used >= invalidLimit {
		l.blocked[address] = now.Add(blockLength)
	}
}

// blockedFor is how long the address stays blocked; 0 if it is not.
func (l *limiter) blockedFor(now time.Time, address string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.blocked[address].Sub(now), 0)
}

// invalidIn is how many invalid answers the address had in its running window.
func (l *limiter) invalidIn(now time.Time, address string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.invalid[address]; w != nil && now.Before(w.ends) {
		return w.used
	}
	return 0
}

// headers writes the X-RateLimit headers of a call whose route has a bucket.
func (p permit) headers(h http.Header, now time.Time, skew time.Duration) {
	if p.bucket == nil {
		return
	}
	h.Set("X-RateLimit-Bucket", p.bucket.hash())
	h.Set("X-RateLimit-Limit", strconv.Itoa(p.bucket.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(p.remaining))
	h.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(p.resets.Add(skew).UnixMilli())/1000))
	h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", math.Ceil(p.resets.Sub(now).Seconds()*1000)/1000))
}

// refusal is the body of a 429. The unversioned API counts milliseconds, the others seconds.
func (p permit) refusal(h http.Header, version int) object {
	retry := math.Ceil(p.wait.Seconds()*1000) / 1000
	o := object{"message": "You are being rate limited.", "retry_after": retry, "global": p.scope == scopeGlobal}
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.wait.Seconds()))))
	if version == unversioned {
		ms := int(math.Ceil(p.wait.Seconds() * 1000))
		o["retry_after"] = ms
		h.Set("Retry-After", strconv.Itoa(ms))
	}
	h.Set("X-RateLimit-Scope", p.scope.String())
	if p.scope == scopeGlobal {
		h.Set("X-RateLimit-Global", "true")
	}
	return o
}
