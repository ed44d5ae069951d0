package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// What an order can be refused for; the errors say it in words, too.
var (
	ErrImmune = errors.New("the subject is immune")
	// ErrNotStored means that the store is away, and that the order is none that can be held in process.
	ErrNotStored = errors.New("the store is away")
)

// Order is a block that somebody wants.
type Order struct {
	Namespace enforcement.Namespace
	Subject   enforcement.Subject
	Also      enforcement.Also // only of a scope that names a person
	TTL       time.Duration    // zero: for good
	Message   string
	Status    int
	Rule      string
	Evidence  string
	Force     bool // for good although the scope is shared by many
	By        storage.Author
	// Whom is what is known of the subject's person, so that immune roles count; without it the subject itself is all that is known. Of
	// what a rule wants it is who set it off.
	Whom enforcement.Actor
}

// person is whom the order is about, as far as it is known.
func (o *Order) person() enforcement.Actor {
	a := o.Whom
	switch o.Subject.Scope {
	case enforcement.User, enforcement.Member:
		a.User = o.Subject.ID
	case enforcement.Account:
		a.Account = o.Subject.ID
	case enforcement.Session, enforcement.IP, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Role, enforcement.Route:
		return enforcement.Actor{}
	}
	if a.Guild = uint64(o.Namespace); o.Subject.Guild != 0 {
		a.Guild = o.Subject.Guild
	}
	return a
}

// Change is what became of an order.
type Change struct {
	Block enforcement.Block
	What  storage.BlockChange
	Held  bool // the store is away: the block holds in this process, and is stored when the store is back
}

// sane refuses what must never be blocked, in words for whoever asked.
func (g *Guard) sane(o *Order) error {
	s := g.setup.Load()
	if who := o.person(); s.Immune.Covers(o.Subject) || (who.User|who.Account != 0 && g.protects(s, &who)) {
		return problem.Refusedf("%s is immune and cannot be blocked; nothing was changed", o.Subject).Because(ErrImmune)
	}
	if ns := uint64(o.Namespace); ns != 0 && ((o.Subject.Scope == enforcement.Member && o.Subject.Guild != ns) || (o.Subject.Scope == enforcement.Guild && o.Subject.ID != ns)) {
		return problem.Refusedf("%s belongs to another guild than %s; nothing was changed", o.Subject, o.Namespace)
	}
	if o.Subject.Scope == enforcement.Session && s.NoSessions {
		return problem.Usagef("sessions are not told apart here, so a block of one could never hold; nothing was changed")
	}
	if o.TTL == 0 && o.Subject.Scope.Shared() && !o.Force {
		return problem.New(problem.Refused, fmt.Sprintf("%s may be shared by many and is not blocked for good; nothing was changed", o.Subject),
			"give a duration, or insist with a reason")
	}
	if o.Also != enforcement.AlsoNone && !o.Subject.Scope.Person() {
		return problem.New(problem.Usage, fmt.Sprintf("%s names no person, so its block cannot also %s; nothing was changed", o.Subject, o.Also),
			"leave that out, or block the user, the member or the account")
	}
	if o.TTL < 0 {
		return problem.Usagef("a block cannot end before it begins; nothing was changed")
	}
	return nil
}

// Block keeps a subject out. When it returns, every later check knows. While the store is away a temporary block is held in process; a
// permanent one is refused.
func (g *Guard) Block(ctx context.Context, o Order) (c Change, err error) {
	defer wrap.Err(&err, "guard.Block(%s)", o.Subject.Scope)
	if err := g.sane(&o); err != nil {
		g.refuse(ctx, &o)
		return Change{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	return g.block(ctx, &o)
}

// refuse notes a refusal; that the store is away changes nothing about the refusal itself.
func (g *Guard) refuse(ctx context.Context, o *Order) {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	if err := g.p.Store.RefuseBlock(ctx, o.row(), o.By); err != nil {
		g.p.Log.WarnContext(ctx, "a refused block cannot be noted", "error", err)
	}
}

func (o *Order) row() storage.Block {
	b := storage.Block{
		Guild: snowflake.ID(o.Namespace), Scope: o.Subject.Scope.String(), Value: o.Subject.Value(), Also: o.Also,
		Message: enforcement.Bound(o.Message), Status: o.Status, Rule: o.Rule, Evidence: []byte(o.Evidence),
	}
	if o.TTL > 0 {
		b.End = o.By.At.Add(o.TTL)
	}
	return b
}

// block stores the order, or holds it, and brings it into the index.
func (g *Guard) block(ctx context.Context, o *Order) (Change, error) {
	o.By.Reason = enforcement.Bound(o.By.Reason)
	row, err := o.row(), g.alone(ctx)
	if err == nil {
		defer g.release()
		var before time.Time
		var c Change
		before = g.endOf(o)
		var stored storage.Block
		if stored, c.What, err = g.p.Store.Block(ctx, row, o.By); err == nil {
			if c.Block, err = blockOf(&stored); err != nil {
				return Change{}, err
			}
			g.take(c.Block)
			if c.What != storage.BlockKept {
				g.copy(ctx, &stored)
			}
			g.applied(o, &c, before)
			return c, nil
		}
	}
	if _, told := errors.AsType[*problem.Problem](err); told && !away(err) {
		return Change{}, err
	}
	if o.TTL == 0 {
		return Change{}, problem.New(problem.Failed, fmt.Sprintf("the database cannot be written, so %s was not blocked for good; nothing was changed", o.Subject),
			"block it for a while: that is held until the database is back").Because(errors.Join(ErrNotStored, err))
	}
	return g.hold(ctx, o), nil
}

// away reports whether the store itself is what is wrong, in whatever words it says so.
func away(err error) bool {
	for _, sentinel := range []error{storage.ErrGone, storage.ErrLocked, storage.ErrFull, storage.ErrReadOnly} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// endOf is when the block in force ends; zero if there is none or it is permanent.
func (g *Guard) endOf(o *Order) time.Time {
	if e := g.index.find(o.Namespace, &o.Subject); e != nil && e.active(o.By.At.UnixMicro()) && e.end != 0 {
		return time.UnixMicro(e.end).UTC()
	}
	return time.Time{}
}

// alone waits until nobody else writes to the store.
func (g *Guard) alone(ctx context.Context) error {
	select {
	case g.writes <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Guard) release() { <-g.writes }

// applied tells of a real change.
func (g *Guard) applied(o *Order, c *Change, before time.Time) {
	if c.What == storage.BlockKept {
		return
	}
	e := enforcement.Event{
		Type: enforcement.BlockApplied, At: o.By.At, Namespace: o.Namespace, Subject: o.Subject, Block: c.Block.ID, Rule: o.Rule, Action: "permanent",
		Actor: o.By.Actor, Reason: o.By.Reason, Expires: c.Block.End, Before: before, Also: c.Block.Also, Held: c.Held,
	}
	e.Of(&o.Whom)
	if e.Rule == "" {
		e.Rule = "manual"
	} else if e.Guild == 0 {
		e.Guild = o.Subject.Guild
	}
	if r := g.setup.Load().Rule(e.Rule); r != nil {
		e.Severity = r.Severity
	}
	if !c.Block.Permanent() {
		e.Action, e.TTL = "temp", c.Block.Remaining(o.By.At)
	}
	g.p.Emit(e)
}

// Unblock takes back the block in force; storage.ErrNotFound if there is none. What rules have counted about the subject is forgotten.
func (g *Guard) Unblock(ctx context.Context, ns enforcement.Namespace, sub enforcement.Subject, by storage.Author) (err error) {
	defer wrap.Err(&err, "guard.Unblock(%s)", sub.Scope)
	by.Reason = enforcement.Bound(by.Reason)
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	held := g.unhold(ctx, ns, sub, by)
	if err = g.alone(ctx); err == nil {
		defer g.release()
		err = g.revoke(ctx, ns, sub, by)
		if held && g.p.Copies != nil && errors.Is(err, storage.ErrNotFound) {
			err = g.revoke(ctx, ns, sub, by) // whoever held it may have stored it since
		}
	}
	if err != nil && !held {
		return err
	}
	if err := g.p.Counts.Forget(ctx, sub.String()); err != nil {
		g.p.Log.WarnContext(ctx, "what rules have counted about somebody cannot be forgotten", "error", err)
	}
	g.marks.forget(sub.String())
	g.p.Emit(enforcement.Event{Type: enforcement.BlockRevoked, At: by.At, Namespace: ns, Subject: sub, Actor: by.Actor, Reason: by.Reason})
	return nil
}

// revoke closes the stored block.
func (g *Guard) revoke(ctx context.Context, ns enforcement.Namespace, sub enforcement.Subject, by storage.Author) error {
	row, err := g.p.Store.Unblock(ctx, snowflake.ID(ns), sub.Scope.String(), sub.Value(), by)
	if err != nil {
		return err
	}
	b, err := blockOf(&row)
	if err != nil {
		return err
	}
	g.take(b)
	g.copy(ctx, &row)
	g.uncopyHeld(ctx, &b) // else whoever made it longer while the store was away would store that
	return nil
}

// Shorten brings the end of the block in force forward, which Block never does. It is storage.ErrNotFound without one, and
// storage.ErrConflict if the end is not earlier. It is an act of its own and told as one.
func (g *Guard) Shorten(ctx context.Context, ns enforcement.Namespace, sub enforcement.Subject, end time.Time, by storage.Author) (b enforcement.Block, err error) {
	defer wrap.Err(&err, "guard.Shorten(%s)", sub.Scope)
	by.Reason = enforcement.Bound(by.Reason)
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	if err := g.alone(ctx); err != nil {
		return b, err
	}
	defer g.release()
	before := g.endOf(&Order{Namespace: ns, Subject: sub, By: by})
	row, err := g.p.Store.ShortenBlock(ctx, snowflake.ID(ns), sub.Scope.String(), sub.Value(), end, by)
	if err != nil {
		return b, err
	}
	if b, err = blockOf(&row); err != nil {
		return b, err
	}
	g.take(b)
	g.copy(ctx, &row)
	g.p.Emit(enforcement.Event{
		Type: enforcement.BlockApplied, At: by.At, Namespace: ns, Subject: sub, Block: b.ID, Rule: "manual", Action: "shortened", Actor: by.Actor,
		Reason: by.Reason, Expires: b.End, Before: before, TTL: b.Remaining(by.At),
	})
	return b, nil
}

// Forget drops what rules have counted about a subject.
func (g *Guard) Forget(ctx context.Context, sub enforcement.Subject) error {
	return g.p.Counts.Forget(ctx, sub.String())
}
