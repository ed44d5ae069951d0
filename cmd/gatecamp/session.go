package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/auth"
	"gatecamp/config"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// session is one command at work: settings, storage and the guild that it is about.
type session struct {
	*console
	cfg   config.Config
	db    storage.Store
	guild snowflake.ID
}

// work makes the body of a command that needs storage and a guild. It opens both, and closes what it opened.
func (c *console) work(body func(ctx context.Context, s *session, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		ctx := cmd.Context()
		s, err := c.open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.db.Close()) }()
		if s.guild, err = s.chooseGuild(ctx); err != nil {
			return err
		}
		return body(ctx, s, args)
	}
}

// change is work that changes something or may be refused: the attempt is recorded, a refused one with its reason.
func (c *console) change(command string, body func(ctx context.Context, s *session, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return c.work(func(ctx context.Context, s *session, args []string) error {
			v := s.invocation(command, redactArgs(cmd, args))
			err := body(ctx, s, args)
			if problem.KindOf(err) == problem.Refused && err != nil {
				return s.noteRefusal(ctx, v, err)
			}
			if err == nil {
				v.Accepted = true
				_, err = s.db.Accept(context.WithoutCancel(ctx), v)
			}
			return err
		})(cmd, args)
	}
}

// refusedError is a refusal with the code under which the record keeps it.
type refusedError struct {
	code string
	*problem.Problem
}

func (e *refusedError) Unwrap() error { return e.Problem }

// refuse says no: the code is for the record, the rest for the person.
func refuse(code, what, cure string) error {
	return &refusedError{code, problem.New(problem.Refused, what, cure)}
}

// noteRefusal records a refused attempt with its reason, and gives the refusal back.
func (s *session) noteRefusal(ctx context.Context, v storage.Invocation, err error) error {
	v.Refusal = "refused"
	if r, ok := errors.AsType[*refusedError](err); ok {
		v.Refusal = r.code
	}
	_, noted := s.db.Refuse(context.WithoutCancel(ctx), v)
	return errors.Join(err, noted)
}

func (s *session) invocation(command, args string) storage.Invocation {
	at := s.now().UTC()
	return storage.Invocation{Guild: s.guild, User: s.actor(), Command: command, Args: args, Origin: "console", Count: 1, First: at, Last: at}
}

// open reads the settings and opens the database, bringing it up to date first.
func (c *console) open(ctx context.Context) (*session, error) {
	cfg, err := c.config(ctx)
	if err != nil {
		return nil, err
	}
	db, err := openStore(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	return &session{console: c, cfg: cfg, db: db}, nil
}

// chooseGuild is the guild that was named by --guild, else the one that is configured, else the only one in the database.
func (s *session) chooseGuild(ctx context.Context) (snowflake.ID, error) {
	if s.console.guild != "" {
		return parseID("--guild", s.console.guild)
	}
	known := s.configured()
	if len(known) == 0 {
		var err error
		if known, err = s.db.Guilds(ctx); err != nil {
			return 0, err
		}
	}
	switch len(known) {
	case 1:
		return known[0], nil
	case 0:
		return 0, problem.New(problem.Usage, "which guild? None is configured and none is in the database", "set GATECAMP_GUILD_IDS or give --guild ID")
	}
	return 0, problem.New(problem.Usage, fmt.Sprintf("which guild? There are %d", len(known)), "give --guild with one of "+joinIDs(known))
}

// configured are the guilds that the settings name, each once.
func (s *session) configured() []snowflake.ID {
	known := slices.Clone([]snowflake.ID(s.cfg.GuildIDs))
	for _, g := range s.cfg.Guilds {
		if !slices.Contains(known, g.ID) {
			known = append(known, g.ID)
		}
	}
	return known
}

// author is who changes something, why, from here and now. A reason is asked of every change.
func (s *session) author(reason string) (storage.Author, error) {
	if strings.TrimSpace(reason) == "" {
		return storage.Author{}, problem.New(problem.Usage, "a reason is needed: whoever looks at the record later will ask", "add --reason \"TEXT\"")
	}
	return storage.Author{Actor: s.actor(), Origin: "console", Reason: reason, At: s.now().UTC()}, nil
}

// auth opens the Auth that the settings name.
func (s *session) auth() (reconcile.Auth, func() error, error) {
	if path, ok := strings.CutPrefix(s.cfg.AuthURL.Reveal(), "snapshot:"); ok {
		return snapshotAuth(path), func() error { return nil }, nil
	}
	if !s.cfg.AuthURL.IsSet() {
		return nil, nil, problem.New(problem.Usage, "GATECAMP_AUTH_URL is not set, so Auth cannot be asked", "set it to mysql://, postgres://, sqlite:FILE or snapshot:FILE")
	}
	r, err := auth.Open(s.cfg.AuthURL)
	if err != nil {
		return nil, nil, err
	}
	return r, r.Close, nil
}

// engine is the audit line of the session's guild over an Auth; at the console it never holds a lease.
func (s *session) engine(a reconcile.Auth) *reconcile.Engine {
	return s.engineOver(a, reconcile.AuthSource)
}

// engineOver is engine for an Auth whose reads are remembered under another name than Auth's own.
func (s *session) engineOver(a reconcile.Auth, source string) *reconcile.Engine {
	owner := s.actor() + " " + rand.Text()[:8] // two consoles of one user are two processes
	return reconcile.New(s.db, a, reconcile.Config{Guild: s.guild, Source: source, Owner: owner, Immune: immuneOf(&s.cfg), Now: s.now})
}

// parseID reads a Discord id.
func parseID(what, text string) (snowflake.ID, error) {
	id, err := snowflake.Parse(text)
	if err != nil || id == 0 || id > 1<<63-1 {
		return 0, problem.New(problem.Usage, fmt.Sprintf("%s: %q is no Discord id", what, text), "ids are digits only; switch on Discord's developer mode and copy the id")
	}
	return id, nil
}

func joinIDs(ids []snowflake.ID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ", ")
}
