package bot

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// AuthWatchConfig says what an AuthWatch works with.
type AuthWatchConfig struct {
	Every time.Duration // between two comparisons; 60 s if zero
	// Digest is cheap and changes whenever something changes in Auth that anybody's access depends on.
	Digest func(ctx context.Context) (string, error)
	// Changed reads Auth and gives the Discord accounts, old and new, of whoever changed at or after the instant; everybody: something
	// changed that every verdict may depend on.
	Changed func(ctx context.Context, since time.Time) (ids []snowflake.ID, everybody bool, err error)
	Guilds  func() []*Guild // those that this process keeps now
	// Trouble is told once that Auth cannot be compared, and once that it can be again; it must not wait. May be nil.
	Trouble func(code, detail string)
	Log     *slog.Logger // discarded if nil
}

// AuthWatch compares Auth with the last read and has whoever changed looked at in every guild. One comparison is never on top of
// another.
type AuthWatch struct {
	cfg     AuthWatchConfig
	digest  string
	since   time.Time
	failing bool
}

// NewAuthWatch makes an AuthWatch; it does nothing before Run.
func NewAuthWatch(cfg AuthWatchConfig) *AuthWatch {
	if cfg.Every <= 0 {
		cfg.Every = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Trouble == nil {
		cfg.Trouble = func(string, string) {}
	}
	return &AuthWatch{cfg: cfg}
}

// Run compares until the context ends. What changed before it began is found by the look at everybody that each guild begins with.
func (a *AuthWatch) Run(ctx context.Context) error {
	a.since = time.Now()
	next := time.NewTimer(a.cfg.Every)
	defer next.Stop()
	for {
		began := time.Now()
		a.once(ctx)
		next.Reset(max(0, a.every()-time.Since(began)))
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
	}
}

// soon is how often it is asked whether a guild is there by now: until Auth was compared once, a look at a member reads all of it.
const soon = time.Second

func (a *AuthWatch) every() time.Duration {
	if a.digest == "" && len(a.cfg.Guilds()) == 0 {
		return min(soon, a.cfg.Every)
	}
	return a.cfg.Every
}

// authWithin is how long one comparison may take.
const authWithin = 5 * time.Minute

func (a *AuthWatch) once(ctx context.Context) {
	ctx, end := context.WithTimeout(ctx, authWithin)
	defer end()
	began := time.Now()
	digest, err := a.cfg.Digest(ctx)
	var ids []snowflake.ID
	var everybody bool
	if err == nil && digest != a.digest {
		ids, everybody, err = a.cfg.Changed(ctx, a.since)
	}
	if err != nil {
		a.failed(ctx, err)
		return
	}
	if digest != a.digest {
		// What changes between digest and read is told by both this read and the next digest.
		a.digest, a.since = digest, began
	}
	guilds := a.cfg.Guilds()
	if a.failing {
		a.failing = false
		a.cfg.Log.InfoContext(ctx, "auth can be compared again")
		a.cfg.Trouble(TroubleAuthBack, "")
		for _, g := range guilds {
			g.AuthBack()
		}
	}
	for _, g := range guilds {
		if everybody {
			g.MarkAll("auth changed")
			continue
		}
		g.Mark("auth changed", ids...)
	}
}

func (a *AuthWatch) failed(ctx context.Context, err error) {
	if a.failing || errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	a.failing = true
	a.cfg.Log.WarnContext(ctx, "auth cannot be compared", "error", err)
	a.cfg.Trouble(TroubleAuth, err.Error())
}
