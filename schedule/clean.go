package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"gatecamp/discord"
	"gatecamp/storage"
)

// codeError is an error that the queue may store: it is nothing but a code.
type codeError string

func (c codeError) Error() string { return string(c) }

// plain turns whatever came of a job into what the queue may store. River keeps an error's text in its table, and a panic's value with
// it, and either may quote an address; so only codes and River's own instructions get through. What is cut away is logged as a type.
func (q *Queue) plain(ctx context.Context, err *error, kind string) {
	if p := recover(); p != nil {
		q.cfg.Log.ErrorContext(ctx, "a job panicked", "kind", kind, "value", fmt.Sprintf("%T", p))
		*err = codeError("panic")
		return
	}
	if _, is := errors.AsType[*river.JobSnoozeError](*err); *err == nil || is {
		return
	}
	if errors.Is(ctx.Err(), context.Canceled) { // the process stops: whoever comes next goes on at once
		*err = river.JobSnooze(0)
		return
	}
	code := codeOf(*err)
	if cancelled, is := errors.AsType[*river.JobCancelError](*err); is {
		*err = river.JobCancel(codeOf(errors.Unwrap(cancelled)))
		return
	}
	*err = code
}

// codeOf is the short word for an error, and never its text.
func codeOf(err error) codeError {
	if code, is := errors.AsType[codeError](err); is {
		return code
	}
	if u, is := errors.AsType[*discord.Undelivered](err); is {
		return codeError(u.Code)
	}
	for _, known := range []struct {
		target error
		code   codeError
	}{
		{context.DeadlineExceeded, "timeout"},
		{context.Canceled, "stopped"},
		{storage.ErrNotFound, "not_found"},
		{storage.ErrConflict, "conflict"},
		{storage.ErrFull, "database_full"},
		{storage.ErrLocked, "database_locked"},
		{storage.ErrReadOnly, "database_read_only"},
		{storage.ErrGone, "database_gone"},
	} {
		if errors.Is(err, known.target) {
			return known.code
		}
	}
	return "failed"
}

// backoff is how long to wait after so many attempts: 15 s, 1 min, 4 min, 16 min, an hour.
func backoff(attempt int) time.Duration {
	wait := 15 * time.Second
	for range min(max(attempt-1, 0), 4) {
		wait *= 4
	}
	return min(wait, time.Hour)
}

// quiet lets River's warnings and errors through; what it says of each job at work is for its own developers.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(warnings{log.Handler()})
}

type warnings struct{ slog.Handler }

// Enabled satisfies slog.Handler.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs satisfies slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup satisfies slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
