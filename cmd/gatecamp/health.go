package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/config"
	"gatecamp/internal/problem"
	"gatecamp/migrations"
	"gatecamp/storage"
)

// healthState is what `gatecamp health` finds out.
type healthState struct {
	Healthy  bool           `json:"healthy"`
	Waiting  bool           `json:"waiting"` // the process that was asked waits, and another one acts
	Owner    *healthOwner   `json:"owner"`   // null: no process acts
	Gateway  bool           `json:"gateway"`
	Roster   bool           `json:"roster"`
	Database healthDatabase `json:"database"`
	Auth     healthAuth     `json:"auth"`
	Guilds   []guildState   `json:"guilds"`

	ownerID string
}

type healthOwner struct {
	PID   int    `json:"pid"`
	Host  string `json:"host"`
	Since any    `json:"since"`
}

type healthDatabase struct {
	OK    bool   `json:"ok"`
	Kind  string `json:"kind"`
	Error string `json:"error,omitempty"`
}

type healthAuth struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
	Error   string   `json:"error,omitempty"`
}

func (c *console) healthCommand() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "health", Short: "is gatecamp at work here? For people, containers and monitors",
		Long: `Exits 0 once the process that owns this data directory has a session with Discord, has seen the whole guild and has a verdict on Auth; else 1.
A second process that waits for its turn says so, and exits 0 too. It changes nothing. Without an owner it tells what can be checked
without one: the database, and Auth.

It asks the process that answers on GATECAMP_HTTP_LISTEN, if that belongs to this database; else it reads what the owner has left there.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		cfg, err := c.config(ctx)
		if err != nil {
			return err
		}
		h, err := c.healthNow(ctx, cfg)
		if err != nil {
			return err
		}
		if f.json {
			if err := printLines(c.out, h); err != nil {
				return err
			}
		} else {
			c.sayHealth(h)
		}
		if h.Healthy {
			return nil
		}
		return problem.New(problem.Failed, h.unwell(), "the log of `gatecamp serve` says more")
	}
	f.jsonFlag(cmd)
	return noted(cmd, noteJSON, `{"healthy", "waiting", "owner": {"pid", "host", "since"}|null, "gateway", "roster", "database": {"ok", "kind", "error"}, "auth": {"verdict": "healthy"|"doubtful"|"blind"|"not_set", "reasons": [texts], "error"}, "guilds": [{"guild", "visible", "roster", "auth"}]}`)
}

func (c *console) healthNow(ctx context.Context, cfg config.Config) (h healthState, err error) {
	h.Auth, h.Guilds = healthAuth{Verdict: "not_set", Reasons: []string{}}, []guildState{}
	db, dialect, err := openAsItIs(ctx, &cfg)
	h.Database.Kind = dialect.String()
	if err == nil {
		defer func() { err = errors.Join(err, db.Close()) }()
		err = migrations.Check(ctx, db.SQL(), dialect)
	}
	if ctx.Err() != nil {
		return h, context.Cause(ctx)
	}
	if err != nil {
		h.Database.Error = describe(err)
		return h, c.authAlone(ctx, cfg, &h)
	}
	h.Database.OK = true
	switch lease, err := db.LeaseHolder(ctx, 0); {
	case err == nil:
		h.Owner, h.ownerID = &healthOwner{lease.Holder.PID, lease.Holder.Host, reconcile.LineTime(lease.Holder.Since)}, lease.Holder.ID
	case !errors.Is(err, storage.ErrNotFound):
		return h, err
	}
	if known, err := c.askState(ctx, cfg, db, &h); known || err != nil {
		return h, err
	}
	s := &session{console: c, cfg: cfg, db: db}
	if s.guild, err = s.chooseGuild(ctx); err != nil {
		s.guild = 0 // the guild's own thresholds are then not known: the built-in ones count
	}
	return h, s.authHealth(ctx, &h)
}

// authHealth judges Auth against what is normal.
func (s *session) authHealth(ctx context.Context, h *healthState) error {
	if !s.cfg.AuthURL.IsSet() {
		return nil
	}
	r, err := s.readSource(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		h.Auth.Verdict, h.Auth.Error = "blind", describe(err)
		return nil
	}
	if h.Auth.Verdict = r.Verdict.Health.String(); r.Trouble != nil {
		h.Auth.Error = describe(r.Trouble)
	}
	for _, reason := range r.Verdict.Reasons {
		if reason.Fact != audit.Reachable {
			h.Auth.Reasons = append(h.Auth.Reasons, reasonText(reason))
		}
	}
	return nil
}

// authAlone says whether Auth can be read at all, when there is no database to compare it with.
func (c *console) authAlone(ctx context.Context, cfg config.Config, h *healthState) error {
	if !cfg.AuthURL.IsSet() {
		return nil
	}
	s := &session{console: c, cfg: cfg}
	d, why, err := s.directory(ctx)
	if err != nil {
		return err
	}
	if h.Auth.Verdict = "readable"; d == nil {
		h.Auth.Verdict, h.Auth.Error = "blind", why
	}
	return nil
}

func (c *console) sayHealth(h healthState) {
	switch {
	case !h.Database.OK:
		c.say("Database (%s): %s.", h.Database.Kind, h.Database.Error)
	default:
		c.say("Database (%s): in order.", h.Database.Kind)
	}
	switch {
	case h.Owner == nil:
		c.say("Owner: none; no process acts here.")
	case h.Waiting:
		c.say("This process waits; process %d on %s acts since %v.", h.Owner.PID, visible(h.Owner.Host), h.Owner.Since)
	default:
		c.say("Owner: process %d on %s since %v; session with Discord: %s; whole guild seen: %s.", h.Owner.PID, visible(h.Owner.Host), h.Owner.Since, yesNo(h.Gateway), yesNo(h.Roster))
	}
	for _, g := range h.Guilds {
		c.say("Guild %s: in sight: %s; every member seen: %s; Auth: %s.", g.Guild, yesNo(g.Visible), yesNo(g.Roster), cmp.Or(g.Auth, "not judged yet"))
	}
	switch h.Auth.Verdict {
	case "not_set":
		c.say("Auth: GATECAMP_AUTH_URL is not set.")
	default:
		c.say("Auth: %s.", h.Auth.Verdict)
	}
	if h.Auth.Error != "" {
		c.say("  %s", h.Auth.Error)
	}
	for _, reason := range h.Auth.Reasons {
		c.say("  %s", reason)
	}
}
