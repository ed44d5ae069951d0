// Package commands answers what people do in Discord: slash commands, entries of the context menu, buttons, modals, and letters typed
// where choices are offered. One file holds one command: its definition, its handler and its words; list.go lists them.
//
// What must stay true: nothing is looked up, and nothing is done, before the guard and then the rights of whoever asks were asked, and
// they are asked again at every press. No token of an interaction is stored or logged.
package commands

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
	"gatecamp/i18n"
)

// Config is what commands are made of.
type Config struct {
	Store  Store
	Rights Rights
	Guilds Guilds
	Texts  *i18n.Catalogue
	Log    *slog.Logger     // discarded if nil
	Now    func() time.Time // the clock; time.Now if nil

	Guard       func(ctx context.Context, a Attempt) *Denial // asked before anything else; may be nil
	Record      func(enforcement.Incident)                   // told what came of each attempt that the guard let through; must not wait; may be nil
	Blocks      Keeper                                       // of /block
	RunsPerUser int                                          // accepted runs in 24 h; 0 does not ask
	RunDeadline time.Duration                                // of an ordered run; 60 min if zero
	AtOnce      int                                          // how many interactions are worked on at once; 32 if zero
}

// Attempt is what the guard is told of an interaction.
type Attempt struct {
	Guild, User, Channel snowflake.ID
	Roles                []snowflake.ID
	Kind                 AttemptKind
	Command              string         // "audit run"; empty: a button or a modal
	Route                string         // as rules and the fail mode know it, see RouteOf
	Options              map[string]any // the numbers that were given, by option; nil: none
	Card                 string         // that was pressed, or whose modal it is; empty: none
}

// AttemptKind says what somebody did. The list is closed.
type AttemptKind int

// The kinds of attempt.
const (
	Command AttemptKind = iota + 1
	Press
	Submission
	Typing
)

// Denial is the guard's no.
type Denial struct {
	Reason    string    // why, as whoever blocked wrote it
	Message   string    // for the person, where the block or the rule has words of its own
	Rule      string    // that made the block; empty: a person did
	Block     int64     // its number; zero: none, or it is not stored yet
	Until     time.Time // its end; zero: it does not end by itself
	Appeal    string    // whom to ask; empty: a general sentence
	Unchecked bool      // there may be no block: it could not be found out, and this is not done on a guess
}

const (
	// answerWithin is how long the first answer may take: Discord waits 3 s (docs: interactions/receiving-and-responding).
	answerWithin = 2500 * time.Millisecond
	// tokenLife is a little less than the 15 min for which an answer can be edited.
	tokenLife = 14 * time.Minute
	// typingAtOnce is how many lists of choices are made at once. Whoever types asks often, and must not keep commands waiting.
	typingAtOnce = 16
)

// Commands answers interactions. It is a bot.EventListener, and never keeps the goroutine that reads the gateway.
type Commands struct {
	cfg   Config
	log   *slog.Logger
	list  []command
	menus []menu
	kinds map[string]cardKind

	base    context.Context // of the work on interactions; ends when Run does
	end     context.CancelFunc
	working sync.WaitGroup
	busy    chan struct{} // a place for each interaction in hand
	typing  chan struct{}
	turned  chan struct{} // a place for each that is told to come back later
	counted counts

	whyAsked allowance // of /why
	denials  allowance // of presses that are refused in words
	alive    alive     // cards that only whoever asked sees, and that can be edited while their token lives
	recent   recent
	lately   lately
}

var _ bot.EventListener = (*Commands)(nil)

// New makes the commands. They are answered from then on; Run greys out what expires.
func New(cfg Config) *Commands {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.AtOnce == 0 {
		cfg.AtOnce = 32
	}
	if cfg.RunDeadline == 0 {
		cfg.RunDeadline = time.Hour
	}
	c := &Commands{
		cfg: cfg, log: cfg.Log, list: all(), menus: menus(), kinds: cardKinds(), whyAsked: allowance{most: whyMost, within: whyWithin},
		denials: allowance{most: denialMost, within: denialWithin},
		busy:    make(chan struct{}, cfg.AtOnce), typing: make(chan struct{}, typingAtOnce), turned: make(chan struct{}, cfg.AtOnce),
	}
	c.base, c.end = context.WithCancel(context.Background())
	return c
}

func (c *Commands) now() time.Time { return c.cfg.Now().UTC().Truncate(time.Microsecond) }

// sweepEvery is how often cards are greyed out whose time is over.
const sweepEvery = 5 * time.Second

// Run greys out cards whose time is over, those of an earlier process too, until the context ends; then it waits for what is in hand.
// The guilds are those that may have open cards.
func (c *Commands) Run(ctx context.Context, guilds func() []snowflake.ID) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, id := range guilds() {
			c.Expire(ctx, id)
		}
		select {
		case <-ctx.Done():
			c.Close()
			return nil
		case <-tick.C:
		}
	}
}

// closeWithin is how long what is in hand may take after the end.
const closeWithin = 10 * time.Second

// Close takes no more interactions, and gives those in hand a little time.
func (c *Commands) Close() {
	stop := time.AfterFunc(closeWithin, c.end)
	defer stop.Stop()
	done := make(chan struct{})
	go func() {
		c.working.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-c.base.Done():
	}
	c.end()
}

// OnEvent takes an interaction and returns at once.
func (c *Commands) OnEvent(e bot.Event) {
	i, ok := e.(*events.InteractionCreate)
	if !ok || c.base.Err() != nil {
		return
	}
	places := c.busy
	if i.Type() == discord.InteractionTypeAutocomplete {
		places = c.typing
	}
	select {
	case places <- struct{}{}:
		c.counted.taken.Add(1)
		c.start(places, i, c.handle)
		return
	default:
	}
	select {
	case c.turned <- struct{}{}:
		c.counted.turned.Add(1)
		c.start(c.turned, i, c.turnAway)
	default:
		c.counted.dropped.Add(1)
		c.log.Error("interaction dropped: too many at once", "guild", id(i.GuildID()), "user", i.User().ID)
	}
}

// Stats says what became of interactions since the start.
type Stats struct {
	Taken   int64 // worked on
	Turned  int64 // told to come back later, since too many came at once
	Dropped int64 // likewise, and there was no place even to say so
	Failed  int64 // ended in an error that nobody could mend, panics among them
	InHand  int   // being worked on now, what is typed apart
}

type counts struct{ taken, turned, dropped, failed atomic.Int64 }

// Stats counts what became of interactions.
func (c *Commands) Stats() Stats {
	return Stats{Taken: c.counted.taken.Load(), Turned: c.counted.turned.Load(), Dropped: c.counted.dropped.Load(), Failed: c.counted.failed.Load(), InHand: len(c.busy)}
}

// start works on an interaction in a goroutine of its own; a panic ends the one and not the program.
func (c *Commands) start(place chan struct{}, e *events.InteractionCreate, work func(context.Context, *events.InteractionCreate)) {
	c.working.Go(func() {
		defer func() { <-place }()
		ctx, end := context.WithTimeout(c.base, tokenLife)
		defer end()
		work(ctx, e)
	})
}

// turnAway says that there is too much to do.
func (c *Commands) turnAway(ctx context.Context, e *events.InteractionCreate) {
	l := newLine(e, nil)
	p := c.cfg.Texts.For(string(e.Locale()))
	if e.Type() == discord.InteractionTypeAutocomplete {
		l.choices(ctx, nil)
		return
	}
	if err := l.tell(ctx, answer{tone: toneWarn, text: p.T(i18n.FrameBusy)}); err != nil {
		c.log.WarnContext(ctx, "interaction not answered", "error", err)
	}
}

// recovered turns a panic into a reference that the person is given and the log has.
func (c *Commands) recovered(ctx context.Context, x *call) {
	r := recover()
	if r == nil {
		return
	}
	ref := reference()
	x.looked.outcome = rules.OutcomeError
	c.counted.failed.Add(1)
	c.log.ErrorContext(ctx, "panic in a command", "reference", ref, "command", x.path, "guild", x.guild, "user", x.caller.Discord, "panic", x.line.scrub(r), "stack", string(debug.Stack()))
	x.apologise(ctx, ref)
}

// reference is a short word that is both in an answer and in the log.
func reference() string { return rand.Text()[:8] }

func id(of *snowflake.ID) snowflake.ID {
	if of == nil {
		return 0
	}
	return *of
}
