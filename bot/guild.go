package bot

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// Guild keeps one guild honest. Everything about one member happens in order.
type Guild struct {
	cfg     Config
	in      intake
	box     *inbox
	wait    *waiting
	runner  *runner
	heal    *healer
	count   *counters
	entries *explained

	wake       chan struct{} // something came into the inbox
	reach      chan struct{} // the bot's place may have changed
	blocks     blockNews
	blocksHeld atomic.Bool // lock or pause held what a block does
	contains   chan reconcile.Contain

	mu         sync.Mutex
	privileged map[snowflake.ID]struct{}  // roles that the policy names
	fights     map[audit.Action]time.Time // when each was told of
}

// New makes a Guild; it does nothing before Run, but takes in what comes.
func New(cfg Config) *Guild {
	cfg = cfg.withDefaults()
	g := &Guild{
		cfg: cfg, in: intake{bound: max(heardFewest, 2*cfg.Bound)}, box: newInbox(cfg), wait: &waiting{ids: map[snowflake.ID]struct{}{}}, count: newCounters(), entries: newExplained(cfg.Bound), fights: map[audit.Action]time.Time{},
		contains: make(chan reconcile.Contain, mostContains),
		wake:     make(chan struct{}, 1), reach: make(chan struct{}, 1),
	}
	g.runner, g.heal = newRunner(g), newHealer(g)
	return g
}

// Run works until the context ends: then nothing is taken in any more, the action in hand is finished, and a run is left interrupted
// at its checkpoint. A lost lease ends it with storage.ErrFenced.
func (g *Guild) Run(ctx context.Context) error {
	defer g.box.close()
	defer g.in.close()
	if err := g.takeOver(ctx); err != nil {
		return g.why(ctx, err)
	}
	stop := ctx
	work, ctx := errgroup.WithContext(ctx)
	g.heal.take() // what was asked for until now, the start asks for too
	g.heal.ask(healStart)
	g.runner.begin()
	work.Go(func() error { return g.dispatch(ctx) })
	work.Go(func() error { return g.takeUps(ctx) })
	work.Go(func() error { return g.runner.work(ctx) })
	work.Go(func() error { return g.heal.work(ctx) })
	work.Go(func() error { return g.watch(ctx) })
	work.Go(func() error { return g.containAll(ctx) })
	return g.why(stop, work.Wait())
}

// why is the error that Run ends with: that it was stopped is none.
func (g *Guild) why(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, storage.ErrFenced) {
		return nil
	}
	return err
}

// Event takes a reason to look again. It never waits: it is called on the goroutine that reads the gateway.
func (g *Guild) Event(e audit.Event) {
	if e.Guild != 0 && e.Guild != g.cfg.Guild {
		return
	}
	g.in.put(e)
	nudge(g.wake)
}

// absorb sorts in what was heard.
func (g *Guild) absorb() {
	if lost := g.in.sort(g.sort); lost > 0 {
		g.trouble(TroubleOverflow, counted(lost, "event"))
		g.heal.ask(healSession)
	}
}

// sort has an event do what it is about.
func (g *Guild) sort(e audit.Event, now time.Time) {
	g.count.event(e, now)
	switch e.Why {
	case audit.MemberJoined, audit.MemberChanged, audit.MemberLeft:
		g.box.event(e.Member, now)
		if e.Roles {
			g.entries.change(e.Member, now)
		}
		if e.Member == g.cfg.Bot {
			nudge(g.reach)
		}
	case audit.EntryWritten:
		g.entryWritten(e, now)
	case audit.RoleMade, audit.RoleEdited, audit.RoleDeleted:
		if e.Why != audit.RoleMade { // nobody holds a new one
			g.box.holders(e.Role, e.Why == audit.RoleDeleted, now)
		}
		nudge(g.reach)
	case audit.GuildLost:
		g.box.freeze()
		g.trouble(TroubleLost, "")
	case audit.GuildSeen:
		g.runner.catchUp(causeMissed, true)
		if g.box.thaw() {
			g.trouble(TroubleBack, "")
		}
		nudge(g.reach)
		nudge(g.runner.wake) // it waited for the guild
		g.heal.ask(healSeen)
	case audit.SessionNew:
		g.heal.ask(healSession)
	case audit.SessionKept: // whatever was missed has come
	}
}

func (g *Guild) entryWritten(e audit.Event, now time.Time) {
	switch e.Scope {
	case audit.OneMember:
		if len(e.Grant.Added)+len(e.Grant.Removed) > 0 {
			g.entries.entry(e.Member, now)
		}
		g.box.entry(e, now)
	case audit.RoleHolders: // the role's own event marks its holders
	case audit.WholeGuild: // a prune: no event names all who left
		g.runner.catchUp(causeMissed, false)
	}
}

// Mark has members looked at again at once, because of something that Discord knows nothing about: Auth changed, a lock was lifted.
// More than a crowd become one look at everybody.
func (g *Guild) Mark(why string, ids ...snowflake.ID) {
	if len(ids) == 0 {
		return
	}
	if len(ids) > g.cfg.Crowd {
		g.cfg.Log.Info("many members are looked at again", "guild", g.cfg.Guild, "why", why, "members", len(ids))
		g.runner.catchUp(causeCrowd, false)
		nudge(g.wake)
		return
	}
	g.box.prompt(ids, time.Now())
	nudge(g.wake)
}

// MarkAll has everybody looked at again, for such a reason.
func (g *Guild) MarkAll(why string) {
	g.cfg.Log.Info("everybody is looked at again", "guild", g.cfg.Guild, "why", why)
	g.runner.catchUp(causeAuth, false)
	nudge(g.wake)
}

// Start has a run performed that was ordered: one after another, in order. A run that waits or works already is not taken twice. It
// returns at once.
func (g *Guild) Start(run storage.Run) error {
	g.absorb() // that the guild was lost comes before the run
	return g.runner.start(run)
}

// Cancel stops a run that waits or works here, and says whether there was one; the action in hand is finished. Whoever cancels has
// moved the run in storage before.
func (g *Guild) Cancel(id int64) bool { return g.runner.cancel(id) }

// Progress is told by the line how far a run came; 0 is a live look.
func (g *Guild) Progress(run int64, done, of int) {
	if at, is := g.runner.at(run); is {
		g.cfg.Teller.RunWent(at, done, of)
	}
}

// nudge wakes whoever listens, who may be awake already.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
