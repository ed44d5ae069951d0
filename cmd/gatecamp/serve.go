package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit/reconcile"
	"gatecamp/config"
	"gatecamp/discord"
	"gatecamp/storage"
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
	cfg    config.Config
	log    *slog.Logger
	db     storage.Store
	auth   reconcile.Auth
	shared discord.Shared // nil: no other process uses the token
	me     storage.Owner
	state  *serveState
}

// servePrefix begins the owner id of a process that serves; such a process takes commands from consoles.
const servePrefix = "serve "

// serveUntil serves until the context ends, or until something is wrong that only a person can mend.
func (c *console) serveUntil(ctx context.Context) (err error) {
	cfg, err := c.config(ctx, config.NeedsDiscord, config.NeedsAuth)
	if err != nil {
		return err
	}
	s := &server{console: c, cfg: cfg, log: newLog(c.err, cfg.LogFormat, cfg.LogLevel)}
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
	shared, closeShared, err := look.sharedBudget()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeShared()) }()
	s.shared = shared
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s.me = storage.Owner{ID: servePrefix + rand.Text(), Host: host, PID: os.Getpid(), Since: s.now().UTC()}
	s.state = newServeState(s.me)
	return s.run(ctx)
}

// run answers on HTTP, waits for its turn, and acts while it has it.
func (s *server) run(ctx context.Context) error {
	s.log.InfoContext(ctx, "gatecamp begins", "pid", s.me.PID, "host", s.me.Host)
	work, stop := context.WithCancel(ctx)
	var beside errgroup.Group
	beside.Go(func() error { s.serveHTTP(work); return nil })
	err := s.inTurns(ctx)
	stop()
	_ = beside.Wait()
	s.log.InfoContext(context.WithoutCancel(ctx), "gatecamp ends", "why", context.Cause(ctx), "error", err)
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// inTurns takes the lease whenever it is free, and acts until it is lost.
func (s *server) inTurns(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := s.waitForLease(ctx)
		if err != nil {
			return err
		}
		err = s.act(ctx, lease)
		if !errors.Is(err, storage.ErrFenced) {
			return err
		}
		s.log.ErrorContext(ctx, "the lease is lost; all work has ended, and this process waits again", "error", err)
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
