package discord

import (
	"net/http"
	"strconv"
	"time"
)

// bucket is one of Discord's counters.
type bucket struct {
	limit     int // -1: not known yet, then one request at a time finds out
	remaining int
	inflight  int
	reset     time.Time       // end of the window; zero: no window has begun
	waiting   [priorities]int // by Priority
	wake      chan struct{}
}

// roll begins a new window when the old one is over: what is in flight counts in the new one.
func (b *bucket) roll(now time.Time) {
	if b.limit >= 0 && !b.reset.IsZero() && !b.reset.After(now) {
		b.remaining, b.reset = b.limit-b.inflight, time.Time{}
	}
}

// spare reports whether the bucket has a place left for work of a priority: three of ten slots are kept for live work until just
// before the end of the window, and eight of ten from spare work.
func (b *bucket) spare(now time.Time, p Priority) (time.Time, bool) {
	var before, keep int // who goes first, and what is kept for them
	switch p {
	case Live:
		return now, true
	case Bulk:
		before, keep = b.waiting[Live], b.limit*3/10
	case Spare:
		before, keep = b.waiting[Live]+b.waiting[Bulk], b.limit*8/10
	}
	switch {
	case b.limit < 0:
		return now.Add(scoutAgain), before == 0
	case b.remaining > max(keep, before):
		return now, true
	case b.reset.IsZero(): // the window has not begun: whoever is in flight begins it
		return now.Add(scoutAgain), false
	case p == Spare:
		return b.reset, false
	}
	if back := b.reset.Add(-endOfWindow); now.Before(back) {
		return back, false
	}
	return b.reset, b.remaining > before
}

// learn takes what the headers of an answer say.
func (b *bucket) learn(h http.Header, now time.Time) {
	limit, _ := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	left, _ := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	reset := now.Add(seconds(h.Get("X-RateLimit-Reset-After")) + margin)
	switch {
	case b.limit >= 0 && b.reset.IsZero(): // a window that we began: our own count knows what else is under way
		b.remaining, b.reset = min(b.remaining, left), reset
	case b.limit < 0 || reset.After(b.reset.Add(100*time.Millisecond)): // one that began without us
		b.remaining, b.reset = left-b.inflight, reset
	default:
		b.remaining = min(b.remaining, left)
	}
	b.limit = max(limit, 1)
}

func (b *bucket) awake() {
	close(b.wake)
	b.wake = make(chan struct{})
}

func (b *bucket) idle() bool { return b.inflight == 0 && b.waiting == [priorities]int{} }

// patience is how long a 429 asks to wait.
func patience(h http.Header) time.Duration {
	wait := max(seconds(h.Get("Retry-After")), seconds(h.Get("X-RateLimit-Reset-After")))
	if h.Get("X-RateLimit-Scope") == "shared" { // there the window's end is wrong
		wait = seconds(h.Get("Retry-After"))
	}
	return max(wait, time.Second) + margin
}

// everywhere reports whether a 429 is about everything that is sent: the global limit has no bucket, and neither has the edge before Discord.
func everywhere(h http.Header) bool {
	return h.Get("X-RateLimit-Bucket") == "" || global(h)
}

// global reports whether a 429 is about the bot's global limit, under which answers to interactions are not.
func global(h http.Header) bool {
	return h.Get("X-RateLimit-Scope") == "global" || h.Get("X-RateLimit-Global") != ""
}

func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 1<<31 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}
