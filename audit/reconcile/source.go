package reconcile

import (
	"context"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
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
