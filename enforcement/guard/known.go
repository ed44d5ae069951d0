package guard

import (
	"context"

	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

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
