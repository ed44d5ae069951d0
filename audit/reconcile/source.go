package reconcile

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// SourceReading is what Auth looks like now, and what it is compared with.
type SourceReading struct {
	Directory  *audit.Directory // nil: it could not be read
	Trouble    error            // why not
	Counts     audit.Counts     // nil: likewise
	Baseline   audit.Counts     // nil: the first contact with this Auth
	Thresholds audit.Thresholds
	Verdict    audit.Verdict
}

// ReadSource reads Auth and judges it without a guild in sight. It stores nothing.
func (e *Engine) ReadSource(ctx context.Context) (_ *SourceReading, err error) {
	defer wrap.Err(&err, "read Auth")
	r := &SourceReading{}
	if r.Thresholds, err = e.Thresholds(ctx); err != nil {
		return nil, err
	}
	r.Directory, r.Trouble = e.auth.Read(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if r.Trouble != nil {
		r.Directory, r.Verdict = nil, audit.JudgeAuth(nil, nil, r.Thresholds)
		return r, nil
	}
	r.Counts = r.Directory.Counts
	if r.Baseline, err = baseline(ctx, e.db, e.cfg.Source, r.Directory.Fingerprint, e.now()); err != nil {
		return nil, err
	}
	r.Verdict = audit.JudgeAuth(r.Counts, r.Baseline, r.Thresholds)
	return r, nil
}

// Stored gives the counts as storage keeps them.
func (r *SourceReading) Stored() map[string]int64 { return storedCounts(r.Counts) }

// CurrentAuth is an Auth that can tell cheaply whether anything changed since it was last read.
type CurrentAuth interface {
	// Current is Read, without reading again what is proven, at this moment, to be unchanged. Health is judged on it as on Read.
	Current(ctx context.Context) (*audit.Directory, error)
}

// readCurrent reads Auth as it is now, in the cheapest way there is.
func readCurrent(ctx context.Context, a Auth) (*audit.Directory, error) {
	if c, is := a.(CurrentAuth); is {
		return c.Current(ctx)
	}
	return a.Read(ctx)
}

// AuthNews is what changed in Auth.
type AuthNews struct {
	Members   []snowflake.ID // Discord accounts of users who changed, those that they had before included; by id
	Everybody bool           // something changed that every verdict may depend on: groups, states, reserved names, which Auth it is
	Health    audit.Health   // of what was read; blind says nothing about anybody
}

// frameName is under which the digest of what all accounts share is remembered, with when it changed.
const frameName = "auth.frame"

// AuthChanged reads Auth, notes the read down, and says whose verdict may be another one than at the instant, also where somebody else
// noted the change.
func (e *Engine) AuthChanged(ctx context.Context, since time.Time) (news AuthNews, err error) {
	defer wrap.Err(&err, "changes in Auth")
	l, err := e.Look(ctx, Picture{}, Wish{Of: []snowflake.ID{}})
	if err != nil {
		return news, err
	}
	if news.Health = l.Verdict.Health; news.Health == audit.Blind {
		return news, l.AuthError
	}
	if news.Everybody, err = e.frameChanged(ctx, l, since); err != nil {
		return news, err
	}
	changed, err := e.db.ChangedAccounts(ctx, e.cfg.Source, since)
	if err != nil {
		return news, err
	}
	for _, a := range changed {
		for _, id := range []snowflake.ID{a.Discord, a.Was} {
			if id != 0 {
				news.Members = append(news.Members, id)
			}
		}
	}
	slices.Sort(news.Members)
	news.Members = slices.Compact(news.Members)
	return news, nil
}

// frameChanged reports whether what all accounts share changed at or after the instant.
func (e *Engine) frameChanged(ctx context.Context, l *Look, since time.Time) (bool, error) {
	name, frame := frameName+":"+e.cfg.Source, []byte(l.whole.Frame())
	was, at, err := e.db.Recall(ctx, 0, name)
	switch {
	case errors.Is(err, storage.ErrNotFound): // the first read changes nothing
		return false, e.db.Remember(ctx, 0, name, frame, time.Unix(1, 0))
	case err != nil:
		return false, err
	case bytes.Equal(was, frame):
		return !at.Before(since), nil
	}
	return true, e.db.Remember(ctx, 0, name, frame, l.At)
}
