package guard

import (
	"context"
	"errors"
	"time"

	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

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
