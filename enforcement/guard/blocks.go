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

// hold keeps a temporary block in process, and where other processes look.
func (g *Guard) hold(ctx context.Context, o *Order) Change {
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
			old := e.asBlock()
			before, c.What = old.End, storage.BlockExtended
			if !old.Longer(b.End) && b.Also <= old.Also {
				g.mu.Unlock()
				return Change{Block: old, What: storage.BlockKept, Held: e.block == 0}
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
	g.copyHeld(ctx, o.held(&b))
	g.applied(o, &c, before)
	return c
}

// held is a held block as other processes see it.
func (o *Order) held(b *enforcement.Block) storage.Block {
	row := o.row()
	row.Revision, row.Reason, row.Owner, row.Start, row.Evidence = b.Revision, o.By.Reason, o.By.Actor, o.By.At, nil
	return row
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

// unhold drops a block that is only held, here or by another process. One that made a stored block longer goes with that.
func (g *Guard) unhold(ctx context.Context, ns enforcement.Namespace, sub enforcement.Subject, by storage.Author) bool {
	g.mu.Lock()
	e := g.index.find(ns, &sub)
	if e == nil || e.block != 0 || !e.active(by.At.UnixMicro()) {
		g.mu.Unlock()
		return false
	}
	b := e.asBlock()
	b.Revoked = by.At
	delete(g.pending, pendingKey(&b))
	g.putLocked(&b)
	g.mu.Unlock()
	g.uncopyHeld(ctx, &b)
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
			return e.asBlock(), true
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

// takeLocked reports whether it was news.
func (g *Guard) takeLocked(b *enforcement.Block) bool {
	if g.loading > 0 {
		g.meantime = append(g.meantime, *b)
	}
	if old := g.index.find(b.Namespace, &b.Subject); old != nil && old.revision >= b.Revision && old.block != 0 {
		return false
	}
	if p, held := g.pending[pendingKey(b)]; held {
		switch {
		case !b.Revoked.IsZero() && b.Revoked.After(p.Start):
			delete(g.pending, pendingKey(b))
		case b.Active(p.Start):
			b.With(&p) // what is held is not stored yet
		}
	}
	g.putLocked(b)
	return true
}

func (g *Guard) putLocked(b *enforcement.Block) {
	g.index.put(g.index.dict.entryOf(b), g.keeps)
	g.p.Changed(*b)
}

// keeps drops from a part that is copied what can matter no more: taken back or over, and no older news of it can come.
func (g *Guard) keeps(e *entry) bool {
	return (e.revision > g.last && e.block != 0) || e.active(g.p.Now().UnixMicro())
}

// Load reads every block. Until it has succeeded, every check asks the store itself.
func (g *Guard) Load(ctx context.Context) (err error) {
	defer wrap.Err(&err, "guard.Load")
	copied := g.newestCopy(ctx)
	g.mu.Lock()
	g.loading++
	g.mu.Unlock()
	all := g.index.filling()
	now := g.p.Now()
	newest, err := g.p.Store.BlocksSince(ctx, 0, func(row storage.Block) error {
		b, err := blockOf(&row)
		if err != nil {
			g.malformed(ctx, &row, err)
			return nil
		}
		if b.Active(now) {
			all.add(&b)
		}
		return nil
	})
	g.mu.Lock()
	g.loading--
	meantime := g.meantime
	if g.loading == 0 {
		g.meantime = nil
	}
	if err == nil {
		all.done()
		g.last = newest
		for i := range meantime {
			g.takeLocked(&meantime[i])
		}
		for _, b := range g.pending {
			if e := g.index.find(b.Namespace, &b.Subject); e != nil {
				stored := e.asBlock()
				b.ID, b.Revision = stored.ID, stored.Revision
				b.With(&stored)
			}
			g.index.put(g.index.dict.entryOf(&b), g.keeps)
		}
		g.loaded.Store(true)
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	g.begin(ctx, newest, newest < copied)
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
		g.store.mended()
	}
	return err
}

// mostFilled is how many changes are copied one by one; of more, the copies only learn that the database must be asked.
const mostFilled = 100

func (g *Guard) changes(ctx context.Context) (err error) {
	defer wrap.Err(&err, "guard.changes")
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	var rows []enforcement.Block
	var stored []storage.Block
	newest, err := g.p.Store.BlocksSince(ctx, last, func(row storage.Block) error {
		b, err := blockOf(&row)
		if err != nil {
			g.malformed(ctx, &row, err)
			return nil
		}
		rows, stored = append(rows, b), append(stored, row)
		return nil
	})
	if err != nil {
		return err
	}
	var news []int
	g.mu.Lock()
	for i := range rows {
		if g.takeLocked(&rows[i]) {
			news = append(news, i)
		}
	}
	g.last = max(g.last, newest)
	g.mu.Unlock()
	if len(news) <= mostFilled {
		for _, i := range news { // whoever changed it may have no copies to write to, as consoles have not
			g.copy(ctx, &stored[i])
		}
	} else if g.p.Copies != nil {
		g.begin(ctx, newest, true)
	}
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
		row, what, err := g.p.Store.Block(ctx, o.row(), o.By)
		if err != nil {
			return err
		}
		stored, err := blockOf(&row)
		if err != nil {
			return err
		}
		g.mu.Lock()
		now, still := g.pending[k]
		if still && now.End.Equal(b.End) && now.Also == b.Also {
			delete(g.pending, k)
		}
		g.takeLocked(&stored)
		g.mu.Unlock()
		if what != storage.BlockKept {
			g.copy(ctx, &row)
		}
		if g.settled(ctx, o.held(b)) || !still {
			return g.takenBack(ctx, b)
		}
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.pending, k)
	return nil
}

// takenBack closes a block that was stored although somebody had taken it back while it was held.
func (g *Guard) takenBack(ctx context.Context, b *enforcement.Block) error {
	by := storage.Author{Actor: b.Owner, Origin: "held", Reason: "it was taken back before the database had it", At: g.p.Now()}
	err := g.revoke(ctx, b.Namespace, b.Subject, by)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
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
func (g *Guard) Forget(ctx context.Context, sub enforcement.Subject) error {
	return g.p.Counts.Forget(ctx, sub.String())
}
