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
		return problem.Refusedf("%s is immune and cannot be blocked; nothing was changed", o.Subject)
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
			g.applied(o, &c, before)
			return c, nil
		}
	}
	if _, told := errors.AsType[*problem.Problem](err); told {
		return Change{}, err
	}
	if o.TTL == 0 {
		return Change{}, problem.New(problem.Failed, fmt.Sprintf("the database cannot be written, so %s was not blocked for good; nothing was changed", o.Subject),
			"block it for a while: that is held until the database is back").Because(err)
	}
	return g.hold(o), nil
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

// hold keeps a temporary block in process.
func (g *Guard) hold(o *Order) Change {
	b := enforcement.Block{
		Namespace: o.Namespace, Subject: o.Subject, Also: o.Also, Reason: o.By.Reason, Message: o.Message, Status: o.Status, Rule: o.Rule, Owner: o.By.Actor,
		Evidence: o.Evidence, Start: o.By.At, End: o.By.At.Add(o.TTL),
	}
	c := Change{What: storage.BlockMade, Held: true}
	asked := b // what the store gets, which merges it with what it has
	g.mu.Lock()
	var before time.Time
	if e := g.index.find(o.Namespace, &o.Subject); e != nil {
		b.Revision = e.revision
		if e.active(o.By.At.UnixMicro()) {
			old := e.block()
			before, c.What = old.End, storage.BlockExtended
			if !old.Longer(b.End) && b.Also <= old.Also {
				g.mu.Unlock()
				return Change{Block: old, What: storage.BlockKept, Held: e.id == 0}
			}
			if !old.Longer(b.End) {
				b.End = old.End
			}
			b.Also, b.ID = max(b.Also, old.Also), old.ID
			asked.ID = b.ID
		}
	}
	if p, held := g.pending[pendingKey(&b)]; held {
		asked.With(&p)
	}
	g.pending[pendingKey(&b)], c.Block = asked, b
	g.putLocked(&b)
	g.mu.Unlock()
	g.applied(o, &c, before)
	return c
}

// pendingKey is the key of a held block; addresses have their text in it.
func pendingKey(b *enforcement.Block) key {
	k := keyOf(b.Namespace, &b.Subject)
	if b.Subject.Scope == enforcement.IP {
		k.text = b.Subject.Value()
	}
	return k
}

// applied tells of a real change.
func (g *Guard) applied(o *Order, c *Change, before time.Time) {
	if c.What == storage.BlockKept {
		return
	}
	e := enforcement.Event{
		Type: enforcement.BlockApplied, At: o.By.At, Namespace: o.Namespace, Subject: o.Subject, Block: c.Block.ID, Rule: o.Rule, Action: "permanent",
		Actor: o.By.Actor, Reason: o.By.Reason, Expires: c.Block.End, Before: before, Held: c.Held,
	}
	if e.Rule == "" {
		e.Rule = "manual"
	} else if e.Of(&o.Whom); e.Guild == 0 {
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
	held := g.unhold(ns, sub)
	if err = g.alone(ctx); err == nil {
		defer g.release()
		var row storage.Block
		if row, err = g.p.Store.Unblock(ctx, snowflake.ID(ns), sub.Scope.String(), sub.Value(), by); err == nil {
			b, err := blockOf(&row)
			if err != nil {
				return err
			}
			g.take(b)
		}
	}
	if err != nil && !held {
		return err
	}
	g.count.forget(sub.String())
	g.marks.forget(sub.String())
	g.p.Emit(enforcement.Event{Type: enforcement.BlockRevoked, At: by.At, Namespace: ns, Subject: sub, Actor: by.Actor, Reason: by.Reason})
	return nil
}

// unhold drops a block that is only held in process.
func (g *Guard) unhold(ns enforcement.Namespace, sub enforcement.Subject) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := enforcement.Block{Namespace: ns, Subject: sub}
	k := pendingKey(&b)
	p, held := g.pending[k]
	if !held {
		return false
	}
	delete(g.pending, k)
	if p.ID != 0 {
		return false // it only made a stored one longer
	}
	p.Revoked = g.p.Now()
	g.putLocked(&p)
	return true
}

// Find gives the block that keeps the subject out at the moment, of the namespace or of everywhere.
func (g *Guard) Find(ns enforcement.Namespace, sub enforcement.Subject) (enforcement.Block, bool) {
	now := g.p.Now().UnixMicro()
	view := g.index.now.Load()
	for _, n := range []enforcement.Namespace{enforcement.Global, ns} {
		var e *entry
		if sub.Scope == enforcement.IP {
			if t := view.nets[n]; t != nil {
				e = covers(t, sub.Net, now)
			}
		} else {
			e = g.index.find(n, &sub)
		}
		if e != nil && e.active(now) {
			return e.block(), true
		}
	}
	return enforcement.Block{}, false
}

// take brings a stored block into the index unless the index has newer news of it.
func (g *Guard) take(b enforcement.Block) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.takeLocked(&b)
}

func (g *Guard) takeLocked(b *enforcement.Block) {
	if old := g.index.find(b.Namespace, &b.Subject); old != nil && old.revision >= b.Revision && old.id != 0 {
		return
	}
	if p, held := g.pending[pendingKey(b)]; held && b.Active(p.Start) {
		b.With(&p) // what is held is not stored yet
	}
	g.putLocked(b)
}

func (g *Guard) putLocked(b *enforcement.Block) {
	g.index.put(g.index.entryOf(b), g.keeps)
	g.p.Changed(*b)
}

// keeps drops from a part that is copied what can matter no more: taken back or over, and no older news of it can come.
func (g *Guard) keeps(e *entry) bool {
	if e.revision > g.last || e.id == 0 {
		return true
	}
	return e.active(g.p.Now().UnixMicro())
}

// Load reads every block. Until it has succeeded, every check asks the store itself.
func (g *Guard) Load(ctx context.Context) (err error) {
	defer wrap.Err(&err, "guard.Load")
	var all []*entry
	g.mu.Lock()
	defer g.mu.Unlock()
	newest, err := g.p.Store.BlocksSince(ctx, 0, func(row storage.Block) error {
		b, err := blockOf(&row)
		if err != nil {
			g.malformed(ctx, &row, err)
			return nil
		}
		if b.Active(g.p.Now()) {
			all = append(all, g.index.entryOf(&b))
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.index.fill(all)
	g.last = newest
	for _, b := range g.pending {
		if e := g.index.find(b.Namespace, &b.Subject); e != nil {
			stored := e.block()
			b.ID, b.Revision = stored.ID, stored.Revision
			b.With(&stored)
		}
		g.index.put(g.index.entryOf(&b), g.keeps)
	}
	g.loaded.Store(true)
	return nil
}

// Refresh takes what changed since the last time.
func (g *Guard) Refresh(ctx context.Context) (err error) {
	if !g.loaded.Load() {
		err = g.Load(ctx)
	} else {
		err = g.changes(ctx)
	}
	if err == nil {
		g.retry.Store(0)
	}
	return err
}

func (g *Guard) changes(ctx context.Context) (err error) {
	defer wrap.Err(&err, "guard.changes")
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	var rows []enforcement.Block
	newest, err := g.p.Store.BlocksSince(ctx, last, func(row storage.Block) error {
		b, err := blockOf(&row)
		if err != nil {
			g.malformed(ctx, &row, err)
			return nil
		}
		rows = append(rows, b)
		return nil
	})
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range rows {
		g.takeLocked(&rows[i])
	}
	g.last = max(g.last, newest)
	return nil
}

// malformed tells of a stored block that cannot be understood: the others hold all the same.
func (g *Guard) malformed(ctx context.Context, row *storage.Block, err error) {
	g.p.Log.ErrorContext(ctx, "a stored block cannot be understood", "block", row.ID, "error", err)
	g.tell(enforcement.Event{Type: enforcement.EvaluationFailed, At: g.p.Now(), Block: row.ID, Error: "malformed"}, "malformed")
}

// Flush stores what is held.
func (g *Guard) Flush(ctx context.Context) (err error) {
	defer wrap.Err(&err, "guard.Flush")
	g.mu.Lock()
	n := len(g.pending)
	g.mu.Unlock()
	if n == 0 {
		return nil
	}
	if err := g.alone(ctx); err != nil {
		return err
	}
	defer g.release()
	g.mu.Lock()
	held := make([]enforcement.Block, 0, len(g.pending))
	for _, b := range g.pending {
		held = append(held, b)
	}
	g.mu.Unlock()
	for i := range held {
		if err := g.flushOne(ctx, &held[i]); err != nil {
			return err
		}
	}
	return nil
}

func (g *Guard) flushOne(ctx context.Context, b *enforcement.Block) error {
	k := pendingKey(b)
	if b.Active(g.p.Now()) {
		g.mu.Lock()
		_, still := g.pending[k]
		g.mu.Unlock()
		if !still {
			return nil
		}
		o := Order{Namespace: b.Namespace, Subject: b.Subject, Also: b.Also, TTL: b.End.Sub(b.Start), Message: b.Message, Status: b.Status, Rule: b.Rule, Evidence: b.Evidence}
		o.By = storage.Author{Actor: b.Owner, Origin: "held", Reason: b.Reason, At: b.Start}
		row, _, err := g.p.Store.Block(ctx, o.row(), o.By)
		if err != nil {
			return err
		}
		stored, err := blockOf(&row)
		if err != nil {
			return err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if now, still := g.pending[k]; still && now.End.Equal(b.End) && now.Also == b.Also {
			delete(g.pending, k)
			g.takeLocked(&stored)
		}
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.pending, k)
	return nil
}

// Held is how many blocks wait for the store.
func (g *Guard) Held() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.pending)
}

// blockOf reads a stored block.
func blockOf(row *storage.Block) (enforcement.Block, error) {
	scope, err := enforcement.ParseBlockable(row.Scope)
	if err != nil {
		return enforcement.Block{}, err
	}
	sub, err := enforcement.ParseSubject(scope, row.Value)
	if err != nil {
		return enforcement.Block{}, err
	}
	return enforcement.Block{
		ID: row.ID, Revision: row.Revision, Namespace: enforcement.Namespace(row.Guild), Subject: sub, Also: row.Also, Reason: row.Reason,
		Message: row.Message, Status: row.Status, Rule: row.Rule, Owner: row.Owner, Evidence: string(row.Evidence), Start: row.Start, End: row.End, Revoked: row.Closed,
	}, nil
}

// Forget drops what rules have counted about a subject.
func (g *Guard) Forget(sub enforcement.Subject) { g.count.forget(sub.String()) }
