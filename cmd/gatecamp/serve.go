package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit/reconcile"
	"gatecamp/auth"
	"gatecamp/bot"
	"gatecamp/commands"
	"gatecamp/config"
	"gatecamp/discord"
	"gatecamp/enforcement/guard"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
	"gatecamp/telemetry"
)

func (c *console) serve() *cobra.Command {
	return noted(&cobra.Command{
		Use: "serve", Short: "watch the guild: react at once, audit on schedule, answer moderators",
		Long: `Connects to Discord and watches every guild that GATECAMP_GUILD_IDS names, or all that the bot is in. It looks again at whoever changed,
audits on schedule, takes slash commands, and does what consoles on the same database ask for. Until a person has acknowledged a first
report it changes nothing.

One process acts. A second one on the same database waits without a session and takes over when the first is gone. Settings are checked
before anything connects. SIGTERM or Ctrl-C ends it in order: what is under way is finished, a run is left to be resumed by the next
start, and the session with Discord is kept for it; a second signal ends it at once.`,
		Example: "  gatecamp config check && gatecamp serve",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.serveUntil(cmd.Context())
		},
	}, noteExits, "130, 143 stopped by a signal, in order: for a service manager that is success")
}

// server is one process of `gatecamp serve`.
type server struct {
	*console
	cfg     config.Config
	log     *slog.Logger
	db      storage.Store
	auth    reconcile.Auth
	notices *auth.Notices        // nil: nothing is written into Auth
	shared  discord.Shared       // nil: no other process uses the token
	gate    discord.IdentifyGate // likewise
	me      storage.Owner
	state   *serveState
	counts  *metrics
	guard   *guard.Guard // who is kept out
	events  *telemetry.Sink
	guarding
	ruling
	texts  *i18n.Catalogue
	rights *reconcile.Rights
	client *discord.Client    // of the present connection
	slash  *commands.Commands // likewise

	mu      sync.RWMutex
	tenures map[int]*tenure // by shard, of those that this process has
}

// serveMemory is from where on the collector works harder instead of letting memory grow: a guild of 100,000 in a storm stays below
// 300 MB. It bounds nothing; whoever sets GOMEMLIMIT decides instead.
const serveMemory = 200 << 20

// servePrefix begins the owner id of a process that serves; such a process takes commands from consoles.
const servePrefix = "serve "

// serveUntil serves until the context ends, or until something is wrong that only a person can mend.
func (c *console) serveUntil(ctx context.Context) (err error) {
	cfg, err := c.config(ctx, config.NeedsDiscord, config.NeedsAuth)
	if err != nil {
		return err
	}
	if _, decided := os.LookupEnv("GOMEMLIMIT"); !decided {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(serveMemory))
	}
	s := &server{console: c, cfg: cfg, log: newLog(c.err, cfg.LogFormat, cfg.LogLevel)}
	for _, file := range cfg.Exposed() {
		s.log.Warn("a file with a secret can be read by every user of this machine; chmod 600 it", "file", file)
	}
	if s.db, err = openStore(ctx, &cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	look := &session{console: c, cfg: cfg, db: s.db}
	source, closeAuth, err := look.auth()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAuth()) }()
	s.auth = source
	var closeShared func() error
	if s.shared, s.gate, closeShared, err = look.sharedBudget(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeShared()) }()
	closeNotices, err := s.openNotices()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeNotices()) }()
	if s.texts, err = i18n.Load(); err != nil {
		return err
	}
	s.rights = reconcile.NewRights(s.db, s.auth, reconcile.RightsConfig{Operators: cfg.Operators, TrustSuperusers: cfg.TrustSuperusers, Now: s.now})
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s.me = storage.Owner{ID: servePrefix + rand.Text(), Host: host, PID: os.Getpid(), Since: s.now().UTC()}
	s.tenures, s.state = map[int]*tenure{}, newServeState(s.me)
	s.counts = newMetrics(s)
	defer func() {
		for _, end := range slices.Backward(s.closers) {
			err = errors.Join(err, end())
		}
	}()
	if err := s.openEvents(ctx); err != nil {
		return err
	}
	s.container = s
	s.openRules()
	if err := s.openStream(); err != nil {
		return err
	}
	if err := s.openGuard(ctx); err != nil {
		return err
	}
	s.book.look(ctx)
	return s.run(ctx)
}

// run answers on HTTP and works until the context ends.
func (s *server) run(ctx context.Context) error {
	s.log.InfoContext(ctx, "gatecamp begins", "pid", s.me.PID, "host", s.me.Host)
	work, stop := context.WithCancel(ctx)
	var beside errgroup.Group
	beside.Go(func() error { s.serveHTTP(work); return nil })
	beside.Go(func() error { s.keepGuard(work); return nil })
	beside.Go(func() error { s.keepRules(work); return nil })
	err := s.overAndOver(ctx)
	stop()
	_ = beside.Wait()
	s.log.InfoContext(context.WithoutCancel(ctx), "gatecamp ends", "why", context.Cause(ctx), "error", err)
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// overAndOver connects and works; what a person must mend ends it, anything else is tried again.
func (s *server) overAndOver(ctx context.Context) error {
	for failures := 0; ; failures++ {
		began := time.Now()
		err := s.connected(ctx)
		if told, is := errors.AsType[*problem.Problem](err); is && told.Kind == problem.Usage || ctx.Err() != nil {
			return err
		}
		if time.Since(began) > time.Minute {
			failures = 0
		}
		s.log.ErrorContext(ctx, "no connection to Discord; it is tried again", "error", err, "wait", again(failures).String())
		if !rested(ctx, again(failures)) {
			return nil
		}
	}
}

// connected works over one connection to Discord, until the context ends or the connection is given up. Each shard goes its own way: the
// process acts for those whose lease it has, and waits for the others without a session.
func (s *server) connected(ctx context.Context) (err error) {
	routes, err := s.keptRoutes(ctx)
	if err != nil {
		return err
	}
	slash := commands.New(commands.Config{
		Store: s.db, Rights: s.rights, Guilds: s, Texts: s.texts, Log: s.log, Now: s.now, RunsPerUser: s.cfg.RunsPerUser, RunDeadline: s.cfg.RunDeadline,
		Guard: s.checked, Blocks: s.guard, Record: s.incidents.Put,
	})
	client, err := discord.Open(ctx, discord.Config{
		Token: s.cfg.DiscordToken, APIURL: s.cfg.DiscordAPIURL, Routes: routes, Shards: []int{}, Shared: s.shared, Gate: s.gate, Log: s.log, OnEvent: s.event, OnInteraction: slash, OnIncident: s.incidents.Put,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.client, s.slash = client, slash
	s.mu.Unlock()
	defer func() {
		last, end := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
		defer end()
		err = errors.Join(err, s.keepRoutes(last, s.client.Routes()))
		s.client.Close(last)
	}()
	if err := s.keepShardCount(ctx, s.client.ShardCount()); err != nil {
		return err
	}
	all, work := errgroup.WithContext(ctx)
	for shard := range s.client.ShardCount() {
		all.Go(func() error { return s.inTurns(work, shard) })
	}
	all.Go(func() error { s.keepState(work); return nil })
	all.Go(func() error { return s.slash.Run(work, s.kept) })
	all.Go(func() error { return s.canary().Run(work) })
	all.Go(func() error { return s.authWatch().Run(work) })
	all.Go(func() error { return s.untilLost(work) })
	return all.Wait()
}

// untilLost ends the work when the gateway was given up.
func (s *server) untilLost(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.client.Lost():
		return cmp.Or(s.client.Err(), errors.New("Discord's gateway was given up"))
	}
}

// canary notices connections that look alive and are dead.
func (s *server) canary() *bot.Canary {
	return &bot.Canary{Gateway: gatewayPulse{s.client}, Trouble: s.troubleEverywhere, Log: s.log}
}

// troubleEverywhere tells every guild about something that concerns them all.
func (s *server) troubleEverywhere(code, detail string) {
	for _, t := range s.present() {
		for _, h := range t.all() {
			h.Trouble(h.id, code, detail)
		}
	}
}

// connection is the present connection; nil before the first.
func (s *server) connection() (*discord.Client, *commands.Commands) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.client, s.slash
}

// inTurns takes a shard's lease whenever it is free, and acts until it is lost.
func (s *server) inTurns(ctx context.Context, shard int) error {
	for ctx.Err() == nil {
		lease, ok := s.waitForLease(ctx, shard)
		if !ok {
			return nil
		}
		err := s.act(ctx, lease)
		if !errors.Is(err, storage.ErrFenced) {
			return err
		}
		s.log.ErrorContext(ctx, "the lease is lost; all work has ended, and this process waits again", "shard", shard, "error", err)
	}
	return nil
}

// newLog is the log as the settings want it.
func newLog(w io.Writer, format config.LogFormat, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == config.LogText || format == config.LogAuto && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// again is how long to wait before something that failed is tried once more: longer each time, up to a minute.
func again(failures int) time.Duration {
	return min(time.Second<<min(failures, 6), time.Minute)
}

// rested waits; false if the context ended before.
func rested(ctx context.Context, d time.Duration) bool { return wait(ctx, d) == nil }
