package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/bot"
	"gatecamp/config"
	"gatecamp/discord"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/notify"
	"gatecamp/schedule"
	"gatecamp/storage"
)

// house is one guild that this process keeps: its line, its lock, its policy, its brakes.
type house struct {
	t        *tenure
	id       snowflake.ID
	settings config.Guild
	log      *slog.Logger
	live     liveGuild
	engine   *reconcile.Engine
	keeper   *bot.Guild
	board    *bot.Board // nil: the guild has no channel for its admins
	ears     ears
	seen     atomic.Pointer[audit.Directory] // what Auth said last
	managed  managedRoles

	telling sync.WaitGroup // what is still told
}

func newHouse(t *tenure, id snowflake.ID) *house {
	h := &house{
		t: t, id: id, settings: t.cfg.Guild(id), log: t.log.With("guild", id), live: liveGuild{t.client.Guild(id), t.client, discord.Live},
	}
	h.engine = reconcile.New(t.db, t.auth, reconcile.Config{
		Guild: id, Fence: t.lease.Fence, Owner: t.me.ID, Blocks: t.guard, Immune: t.guard.Immune, Emit: t.emit, Now: t.now, Log: h.log,
		Progress: func(run int64, done, of int) { h.keeper.Progress(run, done, of) },
	})
	if h.settings.AdminChannelID != 0 {
		h.board = bot.NewBoard(bot.BoardConfig{
			Guild: id, Channel: h.settings.AdminChannelID, Post: t.client, Memory: t.db, Printer: func() *i18n.Printer { return t.texts.For(h.locale()) }, Summary: summaryOf, Names: h.names,
			Givers: t.db, Log: t.log,
		})
	}
	h.keeper = bot.New(bot.Config{
		Guild: id, Bot: t.client.Bot(), Line: permitted{h.engine, t.slash.StillMay}, Guilds: h.live, Writer: h.live, Sight: h.live, Store: t.db, Teller: h, Log: t.log,
		Deadline: t.cfg.RunDeadline,
	})
	return h
}

// notInGuildAgain is how often it is looked whether the bot has been invited to a guild that the settings name.
const notInGuildAgain = 10 * time.Second

// run waits until the guild is in sight and keeps it until the context ends.
func (h *house) run(ctx context.Context) error {
	if !h.visible(ctx) {
		return nil
	}
	defer h.telling.Wait()
	h.introduce(ctx)
	h.warnOfOperators(ctx)
	g := h.wanted(ctx)
	h.t.queue.Keep(g)
	defer h.t.queue.Drop(h.id)
	if g.Spec.IsOff() { // else the schedule makes up for the run that never was
		if err := h.firstReport(ctx); err != nil && ctx.Err() == nil {
			h.log.ErrorContext(ctx, "no first report was ordered", "error", err)
		}
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // the board has the last word
	var beside errgroup.Group
	if h.board != nil {
		beside.Go(func() error { return h.board.Run(work) })
	}
	err := h.keeper.Run(ctx)
	stop()
	return errors.Join(err, beside.Wait())
}

// warnOfOperators says that operators were for the beginning, once somebody else was given a right.
func (h *house) warnOfOperators(ctx context.Context) {
	if len(h.t.cfg.Operators) == 0 {
		return
	}
	grants, err := h.t.db.Grants(ctx, h.id)
	if err != nil && ctx.Err() == nil {
		h.log.WarnContext(ctx, "grants cannot be read", "error", err)
	}
	if len(grants) > 0 {
		h.log.WarnContext(ctx, "GATECAMP_OPERATORS names people though rights were granted; they act without Auth or a grant",
			"operators", len(h.t.cfg.Operators), "grants", len(grants), "cure", "unset GATECAMP_OPERATORS; what it was needed for, somebody with a grant can do now")
	}
}

// names are what members are called in the guild.
func (h *house) names(ctx context.Context, ids []snowflake.ID) (map[snowflake.ID]string, error) {
	called := map[snowflake.ID]string{}
	for part := range slices.Chunk(ids, discord.MaxNamed) {
		names, err := h.live.Names(ctx, part)
		if err != nil {
			return called, err
		}
		for id, n := range names {
			called[id] = n.Shown
		}
	}
	return called, nil
}

// introduce tells Discord which commands there are. Without them everything else works.
func (h *house) introduce(ctx context.Context) {
	pushed, err := h.t.slash.Sync(ctx, h.id, discord.BotOf(h.t.cfg.DiscordToken), h.t.client.Rest())
	if err != nil && ctx.Err() == nil {
		h.log.ErrorContext(ctx, "Discord was not told which commands there are", "error", err)
	}
	if pushed {
		h.log.InfoContext(ctx, "slash commands are in place")
	}
}

// visible waits until the guild is in sight; false if the context ended before.
func (h *house) visible(ctx context.Context) bool {
	var said string
	for err := h.live.WaitVisible(ctx); err != nil; err = h.live.WaitVisible(ctx) {
		if text := describe(err); text != said && ctx.Err() == nil {
			said = text
			h.log.WarnContext(ctx, "the guild is not in sight", "why", text)
		}
		if wait(ctx, notInGuildAgain) != nil {
			return false
		}
	}
	return true
}

// firstReport orders a report where no run has ever succeeded: without one nothing can be acknowledged.
func (h *house) firstReport(ctx context.Context) error {
	done, err := h.t.db.Runs(ctx, h.id, storage.RunFilter{States: []storage.RunState{storage.Succeeded}, Kind: reconcile.KindLive, Page: storage.Page{Limit: 1}})
	if err != nil || len(done) > 0 {
		return err
	}
	run, err := h.engine.Order(ctx, storage.Order{
		Kind: reconcile.KindLive, Mode: audit.Report.String(), DryRun: true, Actor: reconcile.SystemActor, Origin: "start",
		Deadline: h.t.now().Add(h.t.cfg.RunDeadline),
	})
	if err != nil {
		return err
	}
	return h.keeper.Start(run)
}

// RunBegan is told by the keeper; it does not wait.
func (h *house) RunBegan(run storage.Run) {
	h.log.Info("run begins", "run", run.ID, "kind", run.Order.Kind, "origin", run.Order.Origin)
	if h.board != nil {
		h.board.RunBegan(run)
	}
}

// RunWent is told by the keeper; it does not wait.
func (h *house) RunWent(run storage.Run, done, of int) {
	h.ears.went(run.ID, done, of)
	if h.board != nil {
		h.board.RunWent(run, done, of)
	}
}

// Looked is told by the keeper; it does not wait.
func (h *house) Looked(r *reconcile.Report) {
	h.learn(r)
	h.warn(r)
	h.t.counts.ran(h.id.String(), r)
	if h.board != nil {
		h.board.Looked(r)
	}
}

// Trouble is told by the keeper, which has logged it; it does not wait.
func (h *house) Trouble(_ snowflake.ID, code, detail string) {
	h.t.counts.troubles.WithLabelValues(h.id.String(), code).Inc()
	if code == bot.TroubleAuthWait {
		h.t.state.judge(detail, h.t.now(), h.id)
	}
	if h.board != nil {
		h.board.Trouble(h.id, code, detail)
	}
}

// RunEnded is told by the keeper; it does not wait.
func (h *house) RunEnded(r *reconcile.Report, err error) {
	h.learn(r)
	h.warn(r)
	h.t.counts.ran(h.id.String(), r)
	level := slog.LevelInfo
	if err != nil && problem.KindOf(err) == problem.Failed {
		level = slog.LevelError
	}
	if r == nil {
		h.log.Log(context.Background(), level, "run not begun", "error", err)
		return
	}
	h.log.Log(context.Background(), level, "run ended", "run", r.Run.ID, "state", r.Run.State.String(), "held", r.Counts.Summary.Held, "error", err)
	if h.board != nil {
		h.board.RunEnded(r, err)
	}
	h.ears.ended(r.Run.ID, r, err)
	if worthTelling(r) {
		h.telling.Go(func() { h.tell(r) })
	}
}

// learn keeps what a look said about Auth.
func (h *house) learn(r *reconcile.Report) {
	h.managed.learn(r, h.t.now())
	if r == nil || r.Look == nil {
		return
	}
	h.t.state.judge(r.Look.Verdict.Health.String(), r.Look.At, h.id)
	if d := r.Look.Auth(); d != nil {
		h.seen.Store(d)
	}
}

// worthTelling leaves out what goes on after a restart, and looks at everybody that nobody ordered and that changed nothing.
func worthTelling(r *reconcile.Report) bool {
	if r.Run.State == storage.Interrupted {
		return false
	}
	changed := r.Counts.Findings.Opened + r.Counts.Findings.Changed + r.Counts.Findings.Closed
	return r.Run.Order.Kind != reconcile.KindCatchUp || changed+len(r.Outcomes) > 0
}

// tellWithin is how long it may take to write down what is to be told; it is delivered from the queue.
const tellWithin = 15 * time.Second

// tell has the webhook and the subscribers told what a run came to, and posts the card of one that a command ordered.
func (h *house) tell(r *reconcile.Report) {
	ctx, end := context.WithTimeout(context.Background(), tellWithin)
	defer end()
	message := notify.Render(h.t.texts.For(h.locale()), summaryOf(r))
	if err := h.t.queue.Tell(ctx, schedule.Telling{Guild: h.id, Run: r.Run.ID, Reason: schedule.ReasonRun, Message: message}); err != nil {
		h.log.ErrorContext(ctx, "nobody is told about a run", "run", r.Run.ID, "error", err)
	}
	if err := h.t.slash.PlanCard(ctx, h.id, r.Run); err != nil {
		h.log.ErrorContext(ctx, "the card of a run was not posted", "run", r.Run.ID, "error", err)
	}
}

// ears are those who wait for the end of a run.
type ears struct {
	mu      sync.Mutex
	waiting map[int64][]*ear

	run      int64 // that was heard of last
	done, of int
}

// far is how far a run came.
func (e *ears) far(run int64) (done, of int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run != run {
		return 0, 0
	}
	return e.done, e.of
}

// ear waits for one run.
type ear struct {
	end      chan runEnd // has room for one
	progress chan [2]int // has room for one: the newest counts
}

type runEnd struct {
	report *reconcile.Report
	err    error
}

// listen is called before the run is started, so that nothing is missed.
func (e *ears) listen(run int64) *ear {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = map[int64][]*ear{}
	}
	one := &ear{end: make(chan runEnd, 1), progress: make(chan [2]int, 1)}
	e.waiting[run] = append(e.waiting[run], one)
	return one
}

func (e *ears) went(run int64, done, of int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run, e.done, e.of = run, done, of
	for _, one := range e.waiting[run] {
		select {
		case <-one.progress:
		default:
		}
		one.progress <- [2]int{done, of}
	}
}

func (e *ears) ended(run int64, r *reconcile.Report, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.waiting[run] {
		one.end <- runEnd{r, err}
	}
	delete(e.waiting, run)
}

// forget is for who does not wait any longer.
func (e *ears) forget(run int64, one *ear) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting[run] = slices.DeleteFunc(e.waiting[run], func(other *ear) bool { return other == one })
	if len(e.waiting[run]) == 0 {
		delete(e.waiting, run)
	}
}

// locale is what the guild is spoken to in: as the settings say, else as the guild is set to in Discord.
func (h *house) locale() string {
	return cmp.Or(h.settings.Locale, h.live.Locale())
}
