package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/commands"
	"gatecamp/config"
	"gatecamp/discord"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/enforcement/rules"
)

// guarding is what others add to the one guard of the process before it is made; each may be left out.
type guarding struct {
	listeners []func(enforcement.Event) // told of every event; none may wait
	stream    guard.Stream              // news of other processes; nil: the database is asked
	copies    guard.Copies              // of blocks in Redis; nil: there is only the database
	counts    guard.Counts              // in Redis; nil: rules count in process
	container guard.Container           // carries out contain; nil: it only tells
	closers   []func() error            // of what the above hold open, called in the opposite order when the process ends
}

// openGuard makes the one guard of the process and has it read every block. A database that cannot be read now is no reason not to
// begin: until the blocks are read, every check asks for them.
func (s *server) openGuard(ctx context.Context) (err error) {
	s.guard, err = guard.New(enforcementOf(&s.cfg), guard.Parts{
		Store: s.db, Stream: s.guarding.stream, Copies: s.guarding.copies, Counts: s.guarding.counts, Contain: s.guarding.container, Emit: s.emit,
		Changed: s.blockChanged, Immune: s.immune, Now: s.now, Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := leanly(func() error { return s.guard.Load(ctx) }); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "blocks cannot be read yet; every check asks for them until they are", "error", err)
	}
	return nil
}

// blockChanged has the guilds of this process look at whom a block is about.
func (s *server) blockChanged(b enforcement.Block) {
	for _, t := range s.present() {
		for _, h := range t.all() {
			h.keeper.BlockChanged(b)
		}
	}
}

// Contain satisfies guard.Container: the guild's own line does it, if this process keeps the guild.
func (s *server) Contain(_ context.Context, guildID, member uint64, rule string) error {
	h, known := s.house(snowflake.ID(guildID))
	if !known {
		return errors.New("this process does not keep the guild")
	}
	return h.keeper.Contain(snowflake.ID(member), rule)
}

// immuneOf says whom the settings call immune, for a process without a guard.
func immuneOf(cfg *config.Config) func() enforcement.Immune {
	immune := enforcementOf(cfg).Immune
	return func() enforcement.Immune { return immune }
}

// emit hands an event of enforcement to everybody who listens.
func (s *server) emit(e enforcement.Event) {
	for _, tell := range s.guarding.listeners {
		tell(e)
	}
}

// enforcementOf is the configuration of enforcement: the rules file or the defaults, the built-in rules that the file does not replace,
// and those who can never be locked out of their own house.
func enforcementOf(cfg *config.Config) enforcement.Config {
	c := enforcement.Defaults()
	if written := cfg.Enforcement(); written != nil {
		c = *written
	}
	c.Rules = slices.Clone(c.Rules)
	for _, own := range rules.All() {
		if !slices.ContainsFunc(c.Rules, func(r enforcement.Rule) bool { return r.Name == own.Name }) {
			c.Rules = append(c.Rules, own.Rule)
		}
	}
	if len(c.FailClosed) == 0 {
		for _, route := range commands.ChangingRoutes() {
			c.FailClosed = append(c.FailClosed, regexp.MustCompile("^"+regexp.QuoteMeta(route)+"$"))
		}
	}
	c.Immune.Subjects = slices.Clone(c.Immune.Subjects)
	for _, id := range append(slices.Clone([]snowflake.ID(cfg.Operators)), discord.BotOf(cfg.DiscordToken)) {
		if id != 0 {
			c.Immune.Subjects = append(c.Immune.Subjects, enforcement.Subject{Scope: enforcement.User, ID: uint64(id)})
		}
	}
	c.Immune.Superusers = c.Immune.Superusers || cfg.TrustSuperusers
	c.Guilds = map[enforcement.Namespace]enforcement.Mode{}
	for _, g := range cfg.Guilds {
		if g.Enforcement != enforcement.Enforcing {
			c.Guilds[enforcement.Namespace(g.ID)] = g.Enforcement
		}
	}
	return c
}

// enforcementMode is what the settings say about enforcement in a guild.
func enforcementMode(cfg *config.Config, guild snowflake.ID) enforcement.Mode {
	c := enforcementOf(cfg)
	return c.ModeIn(uint64(guild))
}

// immune reports whether somebody owns the guild, or is a superuser of an Auth that is trusted. Without a guild every guild counts.
func (s *server) immune(a enforcement.Actor) bool {
	written := s.cfg.Enforcement()
	superusers := s.cfg.TrustSuperusers || written != nil && written.Immune.Superusers
	for _, t := range s.present() {
		for _, h := range t.all() {
			if a.Guild != 0 && uint64(h.id) != a.Guild {
				continue
			}
			if a.User != 0 && uint64(h.live.Owner()) == a.User {
				return true
			}
			if superusers && isSuperuser(h.directory(), &a) {
				return true
			}
		}
	}
	return false
}

// isSuperuser reports whether Auth, as it was read last, calls the actor a superuser: the account that is named, or the one active user
// to whom the Discord account is linked.
func isSuperuser(d *audit.Directory, a *enforcement.Actor) bool {
	if d == nil {
		return false
	}
	if a.Account != 0 {
		if found, known := d.Account(int64(a.Account)); known && found.Active && found.Superuser {
			return true
		}
	}
	found := soleUser(d, snowflake.ID(a.User))
	return found != nil && found.Superuser
}

// soleUser is the one active user of Auth to whom a Discord account is linked; nil if there is none, or if there are several.
func soleUser(d *audit.Directory, id snowflake.ID) (sole *audit.Account) {
	if d == nil || id == 0 {
		return nil
	}
	for _, i := range d.Linked(id) {
		if !d.Accounts[i].Active {
			continue
		}
		if sole != nil {
			return nil
		}
		sole = &d.Accounts[i]
	}
	return sole
}

// actor is who attempts something, with what Auth said of them when it was read last.
func (s *server) actor(a *commands.Attempt) enforcement.Actor {
	who := enforcement.Actor{User: uint64(a.User), Guild: uint64(a.Guild), Channel: uint64(a.Channel), Roles: make([]uint64, len(a.Roles)), Session: a.Card}
	for i, r := range a.Roles {
		who.Roles[i] = uint64(r)
	}
	if h, known := s.house(a.Guild); known {
		if u := soleUser(h.directory(), a.User); u != nil {
			who.Account, who.Superuser = uint64(u.User), u.Superuser
		}
	}
	return who
}

// checked is asked by commands before anything else.
func (s *server) checked(ctx context.Context, a commands.Attempt) *commands.Denial {
	v := s.guard.Check(ctx, &guard.Attempt{Actor: s.actor(&a), Route: a.Route, Fields: a.Options})
	if !v.Deny {
		return nil
	}
	appeal := s.cfg.Guild(a.Guild).Appeal
	if written := s.cfg.Enforcement(); appeal == "" && written != nil && written.Message != enforcement.Defaults().Message {
		appeal = written.Message
	}
	return denialOf(&v, appeal)
}

// denialOf is a verdict as commands tell it.
func denialOf(v *enforcement.Verdict, appeal string) *commands.Denial {
	return &commands.Denial{
		Reason: v.Reason, Message: v.Message, Rule: v.Rule, Block: v.Block, Until: v.End, Appeal: appeal,
		Unchecked: v.Degraded == enforcement.Closed,
	}
}

// guardLeaves is how long it may take to store what is held in process when the process ends.
const guardLeaves = 5 * time.Second

// keepGuard keeps the guard fresh until the context ends, and then has it hand over what it holds.
func (s *server) keepGuard(ctx context.Context) {
	if err := s.guard.Run(ctx); err != nil {
		s.log.ErrorContext(ctx, "the guard ended", "error", err)
	}
	last, end := context.WithTimeout(context.WithoutCancel(ctx), guardLeaves)
	defer end()
	if s.guard.Held() == 0 {
		return
	}
	if err := s.guard.Flush(last); err != nil {
		s.log.ErrorContext(last, "blocks that were held in process are lost", "blocks", s.guard.Held(), "error", err)
	}
}
