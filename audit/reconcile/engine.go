package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// AuthSource is the name under which reads of Auth are remembered.
const AuthSource = "auth"

// Config are the options of an Engine.
type Config struct {
	Guild  snowflake.ID
	Source string        // under which reads of Auth are remembered and compared; AuthSource if empty
	Fence  storage.Fence // the lease under which this process acts; zero: it never acts
	Owner  string        // tells this process from every other in the runs it works on
	Beat   time.Duration // between signs of life of a run; 1 s if zero
	// Patience is how long live looks wait for an Auth that then fails, before they take its failure for granted for 5 s; 1 s if zero.
	Patience time.Duration
	Blocks   Blocks                    // who is kept out, in process; nil: only the database is asked
	Immune   func() enforcement.Immune // whom blocks do not reach; nil: nobody
	Emit     func(enforcement.Event)   // is told what people should hear of; must not wait; nil: nobody listens
	Now      func() time.Time          // the clock; time.Now if nil
	Log      *slog.Logger              // discarded if nil
	// Progress is told, after each call to Discord, how many of the free actions of a run's plan are behind it; run 0 is a live look.
	// It must not wait. May be nil.
	Progress func(run int64, done, of int)
}

// Engine is the audit line of one guild.
type Engine struct {
	db   Records
	auth Auth
	cfg  Config
	// last is held from the last look at the brakes until the intention has drawn on them: a sweep and a live event must not both take
	// the last place of a budget.
	last sync.Mutex
	kept kept
	seen atomic.Pointer[Look] // the last in which Auth could be read
}

// New makes the line of a guild.
func New(db Records, auth Auth, cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Beat == 0 {
		cfg.Beat = time.Second
	}
	if cfg.Patience == 0 {
		cfg.Patience = time.Second
	}
	if cfg.Source == "" {
		cfg.Source = AuthSource
	}
	return &Engine{db: db, auth: auth, cfg: cfg}
}

func (e *Engine) now() time.Time { return e.cfg.Now().UTC().Truncate(time.Microsecond) }

// Policy reads a version of the guild's policy, 0 the newest. A guild that never set one reports everything, as version 0.
func (e *Engine) Policy(ctx context.Context, version int64) (_ audit.Policy, _ int64, err error) {
	defer wrap.Err(&err, "policy version %d", version)
	stored, err := e.db.Policy(ctx, e.cfg.Guild, version)
	if errors.Is(err, storage.ErrNotFound) && version == 0 {
		return audit.DefaultPolicy(), 0, nil
	}
	if err != nil {
		return audit.Policy{}, 0, err
	}
	p, err := policyfile.Parse([]byte(stored.Document), "stored policy")
	return p, stored.Version, err
}

// orderedPolicy is the policy that a run was ordered under, whatever has been set since: of a guild that had none, the harmless one.
func (e *Engine) orderedPolicy(ctx context.Context, o storage.Order) (audit.Policy, error) {
	if o.PolicyVersion == 0 {
		return audit.DefaultPolicy(), nil
	}
	p, _, err := e.Policy(ctx, o.PolicyVersion)
	return p, err
}
