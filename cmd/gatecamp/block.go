package main

import (
	"context"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) blockCommands() *cobra.Command {
	return family("block", "who is kept out", c.blockAdd(), c.blockShorten(), c.blockRemove(), c.blockList(), c.blockShow(), c.blockExport(), c.blockImport())
}

// blockWords is how a block is asked for at the console, as it was written.
type blockWords struct {
	scope, duration, also, message, reason string
	everywhere, force                      bool
	block                                  int64
}

func (w *blockWords) scopeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.scope, "scope", "", "what VALUE names: `SCOPE` is member (a Discord account in this guild; what is meant without it), user (a Discord account, in every\n"+
		"guild), account (a user of Auth), channel, guild, role, webhook; session and ip are for the dashboard")
	cmd.Flags().BoolVar(&w.everywhere, "everywhere", false, "in every guild, not in this one alone; of the scope user always")
}

func (c *console) blockAdd() *cobra.Command {
	var w blockWords
	cmd := &cobra.Command{
		Use: "add VALUE…", Short: "keep people out, at once",
		Long: `Keeps each VALUE out from now on: whatever they ask of gatecamp is refused with the reason and the end. In a running serve it is in force
within a second, in every process. VALUE is a Discord id, or what --scope says.

A person who is blocked also leaves the guild: they are kicked now and at each return, unless --also says otherwise (none: nothing but the
refusals; strip: their managed roles are taken; ban: by Discord, where the bot may). That is the audit's work, under its lock, its pause
and a budget of its own for blocked members.

A block can be made longer and is never made shorter by this. Nobody is locked out of their own house: the guild's owner, operators, Auth's
superusers, the bot and whoever GATECAMP_RULES_FILE calls immune are refused, and the refusal is recorded. What many share (ip, channel,
guild, role, webhook) is blocked for good only with --force.`,
		Example: "  gatecamp block add 112233445566778899 --duration 7d --reason \"spams the recruitment channel\"\n" +
			"  gatecamp block add 112233445566778899 --scope user --duration forever --also none --reason \"sold an account\"",
		Args: cobra.MinimumNArgs(1),
	}
	cmd.RunE = c.change("block add", func(ctx context.Context, s *session, args []string) error {
		o, err := s.blockOrders(&w, args)
		if err != nil {
			return err
		}
		return s.orderBlocks(ctx, o)
	})
	w.scopeFlags(cmd)
	cmd.Flags().StringVar(&w.duration, "duration", "", "how long: a `TIME` such as 30m, 12h, 7d or 2026-12-31T18:00:00Z, or forever (required)")
	cmd.Flags().StringVar(&w.also, "also", "", "what else happens to them in the guild: `WHAT` is none, strip, kick (what is meant without it) or ban")
	cmd.Flags().StringVar(&w.message, "message", "", "`TEXT` that the blocked person is shown in place of the reason")
	cmd.Flags().BoolVar(&w.force, "force", false, "also for good where many share it")
	reasonFlag(cmd, &w.reason)
	return cmd
}

func (c *console) blockShorten() *cobra.Command {
	var w blockWords
	cmd := &cobra.Command{
		Use: "shorten [VALUE…]", Short: "bring the end of blocks forward",
		Long: `Makes the blocks of each VALUE, or the one that --block names, end earlier: nothing else ever does, because a block is only made longer.
Without --scope these are all blocks of that Discord account that hold in this guild. A block that ends sooner already is refused and
stays as it is. The record keeps who did it and why.`,
		Example: "  gatecamp block shorten 112233445566778899 --duration 1h --reason \"he has said sorry\"",
		Args:    cobra.ArbitraryArgs,
	}
	cmd.RunE = c.change("block shorten", func(ctx context.Context, s *session, args []string) error {
		if _, err := s.author(w.reason); err != nil {
			return err
		}
		end, err := s.blockEnd(w.duration)
		if err != nil {
			return err
		}
		if end.IsZero() {
			return problem.New(problem.Usage, "--duration: a block cannot be shortened to forever; nothing was changed", "give when it is to end: 1h, 7d, a time; `gatecamp block add` makes blocks longer")
		}
		found, err := s.blocksNamed(ctx, &w, args)
		if err != nil {
			return err
		}
		o := blockOrders{Reason: w.reason}
		for _, b := range found {
			o.Of = append(o.Of, blockOrder{Shorten: true, Guild: b.Guild, Scope: b.Scope, Value: b.Value, End: end})
		}
		return s.orderBlocks(ctx, o)
	})
	w.scopeFlags(cmd)
	w.blockFlag(cmd)
	cmd.Flags().StringVar(&w.duration, "duration", "", "when it is to end, from now: a `TIME` such as 30m, 7d or 2026-12-31T18:00:00Z (required)")
	reasonFlag(cmd, &w.reason)
	return cmd
}

func (c *console) blockRemove() *cobra.Command {
	var w blockWords
	cmd := &cobra.Command{
		Use: "remove [VALUE…]", Short: "let people in again; the record keeps the block",
		Long: `Ends the blocks of each VALUE, or the one that --block names. Without --scope these are all blocks of that Discord account that hold in this
guild. In a running serve nobody is refused any more within a second. Roles that were taken stay away, and who was kicked has to come
in again.`,
		Example: "  gatecamp block remove 112233445566778899 --reason \"talked it over\"\n  gatecamp block remove --block 12 --reason \"wrong person\"",
		Args:    cobra.ArbitraryArgs,
	}
	cmd.RunE = c.change("block remove", func(ctx context.Context, s *session, args []string) error {
		if _, err := s.author(w.reason); err != nil {
			return err
		}
		found, err := s.blocksNamed(ctx, &w, args)
		if err != nil {
			return err
		}
		o := blockOrders{Reason: w.reason}
		for _, b := range found {
			o.Of = append(o.Of, blockOrder{Lift: true, Guild: b.Guild, Scope: b.Scope, Value: b.Value})
		}
		return s.orderBlocks(ctx, o)
	})
	w.scopeFlags(cmd)
	w.blockFlag(cmd)
	reasonFlag(cmd, &w.reason)
	return cmd
}

func (w *blockWords) blockFlag(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&w.block, "block", 0, "the block of this `NUMBER`, as block list shows it")
}

// blockOrders reads what add was asked for.
func (s *session) blockOrders(w *blockWords, values []string) (o blockOrders, err error) {
	if _, err := s.author(w.reason); err != nil {
		return o, err
	}
	o.Reason = w.reason
	end, err := s.blockEnd(w.duration)
	if err != nil {
		return o, err
	}
	for _, value := range values {
		to, err := s.blockSubject(w, value)
		if err != nil {
			return o, err
		}
		one := blockOrder{Guild: snowflake.ID(to.ns), Scope: to.sub.Scope.String(), Value: to.sub.Value(), End: end, Message: w.message, Force: w.force}
		one.Also = enforcement.UsualAlso(to.sub.Scope).String()
		if w.also != "" {
			also, err := enforcement.ParseAlso(w.also)
			if err != nil {
				return o, problem.New(problem.Usage, "--also: "+err.Error()+"; nothing was changed", "")
			}
			one.Also = also.String()
		}
		o.Of = append(o.Of, one)
	}
	return o, nil
}

// blockEnd reads --duration; zero: for good.
func (s *session) blockEnd(text string) (time.Time, error) {
	if text == "forever" || text == "permanent" {
		return time.Time{}, nil
	}
	end, ok := endFrom(text, s.now())
	if !ok || !end.After(s.now()) {
		return end, problem.New(problem.Usage, fmt.Sprintf("--duration: %s is no time that is still to come; nothing was changed", quoted(text)),
			"give how long from now (30m, 12h, 7d), a time such as 2026-12-31T18:00:00Z, or forever")
	}
	return end.UTC(), nil
}

// blockTarget is what a block names, and where it holds.
type blockTarget struct {
	ns  enforcement.Namespace
	sub enforcement.Subject
}

// blockSubject reads one VALUE under --scope.
func (s *session) blockSubject(w *blockWords, value string) (t blockTarget, err error) {
	name := w.scope
	if name == "" {
		name = enforcement.Member.String()
	}
	scope, err := enforcement.ParseBlockable(name)
	if err != nil {
		return t, problem.New(problem.Usage, "--scope: "+err.Error()+"; nothing was changed", "")
	}
	if scope == enforcement.Member {
		id, err := parseID("VALUE", value)
		if err != nil {
			return t, err
		}
		value = fmt.Sprintf("%d:%d", s.guild, id)
	}
	if t.sub, err = enforcement.ParseSubject(scope, value); err != nil {
		return t, problem.New(problem.Usage, fmt.Sprintf("%s %s: %s; nothing was changed", scope, quoted(value), err), "")
	}
	if t.ns = enforcement.Namespace(s.guild); w.everywhere || scope == enforcement.User {
		t.ns = enforcement.Global
	}
	return t, nil
}

// blocksNamed are the blocks in force that the arguments name.
func (s *session) blocksNamed(ctx context.Context, w *blockWords, values []string) (found []storage.Block, err error) {
	if w.block != 0 {
		b, err := s.blockNumbered(ctx, w.block)
		if err != nil {
			return nil, err
		}
		if !b.InForce(s.now()) {
			return nil, problem.New(problem.Usage, fmt.Sprintf("the block %d is not in force any more; nothing was changed", w.block), "see `gatecamp block list`")
		}
		found = append(found, b)
	} else if len(values) == 0 {
		return nil, problem.New(problem.Usage, "nobody was named; nothing was changed", "give a Discord id, or --block NUMBER")
	}
	for _, value := range values {
		targets, err := s.blockTargets(w, value)
		if err != nil {
			return nil, err
		}
		before := len(found)
		for _, t := range targets {
			guild := snowflake.ID(t.ns)
			rows, err := s.db.Blocks(ctx, storage.BlockFilter{Guild: &guild, Scope: t.sub.Scope.String(), Value: t.sub.Value(), InForce: s.now()})
			if err != nil {
				return nil, err
			}
			found = append(found, rows...)
		}
		if len(found) == before {
			return nil, problem.New(problem.Usage, fmt.Sprintf("no block of %s is in force in guild %d; nothing was changed", quoted(value), s.guild), "see `gatecamp block list`")
		}
	}
	return found, nil
}

// blockTargets are what blocks of a VALUE may name: without --scope, a person in this guild and everywhere.
func (s *session) blockTargets(w *blockWords, value string) (all []blockTarget, err error) {
	if w.scope != "" {
		t, err := s.blockSubject(w, value)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		if !w.everywhere && t.ns != enforcement.Global {
			all = append(all, blockTarget{enforcement.Global, t.sub})
		}
		return all, nil
	}
	id, err := parseID("VALUE", value)
	if err != nil {
		return nil, err
	}
	here := enforcement.Namespace(s.guild)
	member := enforcement.Subject{Scope: enforcement.Member, ID: uint64(id), Guild: uint64(s.guild)}
	user := enforcement.Subject{Scope: enforcement.User, ID: uint64(id)}
	return []blockTarget{{here, member}, {enforcement.Global, user}, {here, user}, {enforcement.Global, member}}, nil
}

// blockNumbered is a block of this guild or of everywhere.
func (s *session) blockNumbered(ctx context.Context, n int64) (storage.Block, error) {
	for _, guild := range []snowflake.ID{s.guild, 0} {
		rows, err := s.db.Blocks(ctx, storage.BlockFilter{Guild: &guild, Page: storage.Page{Before: n + 1, Limit: 1}})
		if err != nil {
			return storage.Block{}, err
		}
		if len(rows) == 1 && rows[0].ID == n {
			return rows[0], nil
		}
	}
	return storage.Block{}, problem.New(problem.Usage, fmt.Sprintf("there is no block %d in guild %d; nothing was changed", n, s.guild), "see `gatecamp block list`")
}

// ownGuard is a guard of this process over the database; a serving one hears of its changes within a second. What it does is told as
// events where the settings say so; the last function waits until it is.
func (s *session) ownGuard(ctx context.Context) (*guard.Guard, func(), error) {
	tell, done := s.ownEvents(ctx)
	g, err := guard.New(enforcementOf(&s.cfg), guard.Parts{Store: s.db, Emit: tell, Now: s.now})
	return g, done, err
}
