package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/commands"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// askBlock asks the process that acts for blocks.
const askBlock = "block"

// blockOrders is what is asked for at once, with one reason.
type blockOrders struct {
	Reason string       `json:"reason"`
	Of     []blockOrder `json:"of"`
}

// blockOrder is one block, to be made, shortened or lifted.
type blockOrder struct {
	Lift    bool         `json:"lift,omitempty"`
	Shorten bool         `json:"shorten,omitempty"` // to End
	Guild   snowflake.ID `json:"guild,omitempty"`   // zero: everywhere
	Scope   string       `json:"scope"`
	Value   string       `json:"value"`
	End     time.Time    `json:"end,omitzero"` // zero: for good
	Also    string       `json:"also,omitempty"`
	Message string       `json:"message,omitempty"`
	Force   bool         `json:"force,omitempty"`
}

// orderBlocks has the process that acts carry the orders out, if there is one, and does it itself otherwise: blocks are in the database,
// and whoever begins to serve reads them there.
func (s *session) orderBlocks(ctx context.Context, o blockOrders) error {
	served, err := s.served(ctx)
	if err != nil {
		return err
	}
	if served {
		err := s.ask(ctx, askBlock, o)
		if r, refused := errors.AsType[*refusedError](err); !refused || r.code != "not_taken" {
			return err
		}
	}
	g, done, err := s.ownGuard(ctx)
	defer done()
	if err != nil {
		return err
	}
	b := &blocking{session: s, keep: g, origin: "console", actor: s.actor()}
	if err := b.carryOut(ctx, o); err != nil {
		return err
	}
	s.say("No serving process keeps guild %d now; what blocks do there begins with the next `gatecamp serve`, or `gatecamp audit run --yes`.", s.guild)
	return nil
}

// keeper makes, shortens and lifts blocks; *guard.Guard is one.
type keeper interface {
	commands.Keeper
	Shorten(ctx context.Context, ns enforcement.Namespace, sub enforcement.Subject, end time.Time, by storage.Author) (enforcement.Block, error)
}

// blocking carries out orders.
type blocking struct {
	*session
	keep          keeper
	actor, origin string
	// whom says what is known of a person, so that immune roles count; may be nil.
	whom func(id snowflake.ID) enforcement.Actor
	// outlook says what would hold a change in the guild; may be nil.
	outlook *reconcile.BlockOutlook
}

// carryOut does all of them and tells of each; one that is refused does not keep the others.
func (b *blocking) carryOut(ctx context.Context, o blockOrders) error {
	var failed []error
	for i := range o.Of {
		one := &o.Of[i]
		t, err := one.target()
		if err == nil {
			by := storage.Author{Actor: b.actor, Origin: b.origin, Reason: o.Reason, At: b.now().UTC()}
			switch {
			case one.Lift:
				err = b.lift(ctx, t, by)
			case one.Shorten:
				err = b.shorten(ctx, t, one.End, by)
			default:
				err = b.block(ctx, one, t, by)
			}
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == 1 {
		return failed[0]
	}
	return errors.Join(failed...)
}

func (o *blockOrder) target() (t blockTarget, err error) {
	scope, err := enforcement.ParseBlockable(o.Scope)
	if err != nil {
		return t, err
	}
	t.ns = enforcement.Namespace(o.Guild)
	t.sub, err = enforcement.ParseSubject(scope, o.Value)
	return t, err
}

func (b *blocking) lift(ctx context.Context, t blockTarget, by storage.Author) error {
	err := b.keep.Unblock(ctx, t.ns, t.sub, by)
	if errors.Is(err, storage.ErrNotFound) {
		b.say("%s %s: the block had ended already.", t.sub.Scope, visible(t.sub.Value()))
		return nil
	}
	if err != nil {
		return err
	}
	b.say("%s %s is not blocked any more %s.", t.sub.Scope, visible(t.sub.Value()), whereText(t.ns))
	return nil
}

func (b *blocking) shorten(ctx context.Context, t blockTarget, end time.Time, by storage.Author) error {
	now, err := b.keep.Shorten(ctx, t.ns, t.sub, end, by)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return refuse("block_ended", fmt.Sprintf("%s %s: the block has ended; nothing was changed", t.sub.Scope, visible(t.sub.Value())), "see `gatecamp block list --closed`")
	case errors.Is(err, storage.ErrConflict):
		return refuse("block_ends_sooner", fmt.Sprintf("%s %s: the block ends before %s already; nothing was changed", t.sub.Scope, visible(t.sub.Value()), eveTime(end)),
			"to make it longer use `gatecamp block add`")
	case err != nil:
		return err
	}
	b.say("%s %s is blocked %s%s now (block %d).", t.sub.Scope, visible(t.sub.Value()), whereText(t.ns), endText(now.End), now.ID)
	return nil
}

func (b *blocking) block(ctx context.Context, one *blockOrder, t blockTarget, by storage.Author) error {
	also, err := enforcement.ParseAlso(one.Also)
	if err != nil {
		return err
	}
	o := guard.Order{Namespace: t.ns, Subject: t.sub, Also: also, Message: one.Message, Force: one.Force, By: by}
	if !one.End.IsZero() {
		if o.TTL = one.End.Sub(by.At); o.TTL <= 0 {
			return problem.Usagef("%s %s: the end %s is past; nothing was changed", t.sub.Scope, visible(t.sub.Value()), eveTime(one.End))
		}
	}
	if b.whom != nil && t.sub.Scope != enforcement.Account {
		o.Whom = b.whom(snowflake.ID(t.sub.ID))
	}
	c, err := b.keep.Block(ctx, o)
	if errors.Is(err, guard.ErrImmune) {
		return refuse("immune", fmt.Sprintf("%s %s is immune and cannot be blocked; nothing was changed, and the attempt is recorded", t.sub.Scope, visible(t.sub.Value())),
			"owners, operators, superusers of Auth, the bot and immune roles never are blocked; if the account is in the wrong hands, take its rights first")
	}
	if err != nil {
		return err
	}
	what := "is blocked"
	switch c.What {
	case storage.BlockExtended:
		what = "was blocked already, and is now"
	case storage.BlockKept:
		what = "is blocked already at least as long, and that stays as it is:"
	case storage.BlockMade:
	}
	number := "held in process"
	if c.Block.ID != 0 {
		number = fmt.Sprintf("block %d", c.Block.ID)
	}
	b.say("%s %s %s %s%s (%s).", t.sub.Scope, visible(t.sub.Value()), what, whereText(t.ns), endText(c.Block.End), number)
	if c.Held {
		b.say("  The database cannot be written: the block holds in this process and is stored as soon as the database is back.")
	}
	b.tellFate(t, c.Block.Also)
	return nil
}

// endText ends a sentence about a block.
func endText(end time.Time) string {
	if end.IsZero() {
		return " for good"
	}
	return until(end)
}

func whereText(ns enforcement.Namespace) string {
	if ns == enforcement.Global {
		return "everywhere"
	}
	return fmt.Sprintf("in guild %d", uint64(ns))
}

// tellFate says what becomes of a blocked person in the guild.
func (b *blocking) tellFate(t blockTarget, also enforcement.Also) {
	if !t.sub.Scope.Person() || also == enforcement.AlsoNone {
		return
	}
	act, kind := "be kicked", audit.KickMember
	switch also {
	case enforcement.AlsoStrip:
		act, kind = "lose every managed role", audit.RemoveRole
	case enforcement.AlsoBan:
		act, kind = "be banned", audit.BanMember
	case enforcement.AlsoNone, enforcement.AlsoKick:
	}
	if b.outlook == nil || t.sub.Scope == enforcement.Account {
		return
	}
	f := b.outlook.Of(snowflake.ID(t.sub.ID), kind)
	switch {
	case !f.Present:
		b.say("  Not in guild %d now; will %s on coming in.", b.guild, act)
	case f.Goes():
		b.say("  Will %s in guild %d now; --also none leaves it at the refusals.", act, b.guild)
	default:
		b.say("  Will %s in guild %d, but not yet: held by %s.", act, b.guild, heldText(f))
	}
}

func heldText(f reconcile.BlockFate) string {
	switch {
	case f.Layer != 0:
		return english().Layer(f.Layer, "")
	case f.Code != "":
		what, _ := english().Code(f.Code)
		return what
	case f.Gate != 0:
		return english().Gate(f.Gate)
	}
	return english().Dimension(audit.BlockKicks, "")
}

// keepOut is the process that acts doing what a console asks about blocks.
func (o *obedience) keepOut(ctx context.Context) error {
	var orders blockOrders
	if err := json.Unmarshal(o.command.Args, &orders); err != nil {
		return problem.New(problem.Usage, "the serving process does not understand what was asked; nothing was done", "use the same version of gatecamp for both").Because(err)
	}
	b := &blocking{session: o.filed.session, keep: o.t.guard, actor: o.command.Actor, origin: "console", whom: o.knownOf}
	var ids []snowflake.ID
	for i := range orders.Of {
		if t, err := orders.Of[i].target(); err == nil && !orders.Of[i].Lift && (t.sub.Scope == enforcement.User || t.sub.Scope == enforcement.Member) {
			ids = append(ids, snowflake.ID(t.sub.ID))
		}
	}
	if len(ids) > 0 && len(ids) <= mostOutlook {
		var err error
		if b.outlook, err = o.engine.OutlookOfBlocks(ctx, ids, o.live); err != nil {
			o.log.WarnContext(ctx, "it is not known what a block will do in the guild", "error", err)
		}
	}
	return b.carryOut(ctx, orders)
}

// mostOutlook is of how many people it is said what becomes of them.
const mostOutlook = 100

// knownOf is what this process knows of somebody in the guild.
func (h *house) knownOf(id snowflake.ID) enforcement.Actor {
	who := enforcement.Actor{User: uint64(id), Guild: uint64(h.id)}
	if u := soleUser(h.directory(), id); u != nil {
		who.Account, who.Superuser = uint64(u.User), u.Superuser
	}
	set, roles := h.live.Holds(id)
	for i := range set.All() {
		who.Roles = append(who.Roles, uint64(roles[i].ID))
	}
	return who
}
