package guard

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// breaker remembers that something does not answer, so that nobody waits for it in vain.
type breaker struct {
	open  atomic.Bool
	again atomic.Int64 // microseconds: when whoever needs it may try, if nobody probes in the background
}

func (b *breaker) may(now time.Time, probed bool) bool {
	return !b.open.Load() || (!probed && now.UnixMicro() >= b.again.Load())
}

// failed reports whether it answered until now.
func (b *breaker) failed(now time.Time) bool {
	b.again.Store(now.Add(probeAfter).UnixMicro())
	return b.open.CompareAndSwap(false, true)
}

// mended reports whether it did not answer until now.
func (b *breaker) mended() bool { return b.open.CompareAndSwap(true, false) }

var errWaiting = errors.New("the store failed a moment ago and is not asked again yet")

// hear asks what changed since the stream fell silent: the copies, in one round trip, else the store. Many who ask the store at once ask
// once, and after a failure nobody waits for a while.
func (g *Guard) hear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	if g.p.Copies != nil {
		if whole := g.look(ctx); whole && g.loaded.Load() {
			return nil
		}
	}
	if !g.store.may(g.p.Now(), g.running.Load()) {
		return errWaiting
	}
	done := g.hearing.DoChan("", func() (any, error) {
		limit := deltaWithin
		if !g.loaded.Load() {
			limit = loadWithin
		}
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return nil, g.Refresh(within)
	})
	var err error
	select {
	case r := <-done:
		err = r.Err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		g.store.failed(g.p.Now())
	}
	return err
}

// look takes what the copies have of blocks, in one round trip. It reports whether that is all that changed.
func (g *Guard) look(ctx context.Context) (whole bool) {
	if !g.copies.may(g.p.Now(), g.running.Load()) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, copiesWithin)
	defer cancel()
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	changed, held, err := g.p.Copies.CopiesSince(ctx, last)
	switch {
	case errors.Is(err, storage.ErrCold):
		g.cold.Store(true)
	case errors.Is(err, storage.ErrMalformed):
		g.tell(enforcement.Event{Type: enforcement.EvaluationFailed, At: g.p.Now(), FailMode: enforcement.Open, Error: "malformed"}, "malformed copy")
		g.copyFailed(ctx, 0, err)
	case err != nil:
		g.copyFailed(ctx, 0, err)
		return false
	}
	for i := range changed {
		b, broken := blockOf(&changed[i])
		if broken != nil {
			g.malformed(ctx, &changed[i], broken)
			continue
		}
		g.take(b)
	}
	for i := range held {
		g.takeHeld(ctx, &held[i])
	}
	if err == nil {
		g.copies.mended()
	}
	return err == nil
}

// takeHeld brings a block into the index that another process holds, or takes it out.
func (g *Guard) takeHeld(ctx context.Context, row *storage.Block) {
	b, err := blockOf(row)
	if err != nil {
		g.malformed(ctx, row, err)
		return
	}
	now := g.p.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.index.find(b.Namespace, &b.Subject)
	if !b.Revoked.IsZero() {
		delete(g.pending, pendingKey(&b))
		if old != nil && old.block == 0 && old.active(now.UnixMicro()) {
			b.ID, b.Revision = 0, old.revision
			g.putLocked(&b)
		}
		return
	}
	if !b.Active(now) {
		return
	}
	b.ID = 0
	if old != nil {
		is := old.asBlock()
		switch {
		case old.active(now.UnixMicro()) && !is.Longer(b.End), old.block != 0 && old.revision > b.Revision && old.gone:
			return
		case old.active(now.UnixMicro()):
			b.ID = is.ID
		}
		b.Revision = old.revision
	}
	g.putLocked(&b)
}

// heard takes what a stream tells. It does not wait.
func (g *Guard) heard(ctx context.Context, n storage.BlockNews) {
	switch {
	case n.Block != nil && n.Held:
		g.takeHeld(ctx, n.Block)
		return
	case n.Block != nil:
		if b, err := blockOf(n.Block); err == nil {
			g.take(b)
			return
		}
	}
	g.mu.Lock()
	known := n.Revision != 0 && n.Revision == g.last
	g.mu.Unlock()
	if known {
		return
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// copy lets the other processes look at a committed change without the store.
func (g *Guard) copy(ctx context.Context, row *storage.Block) {
	if g.p.Copies == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
	defer cancel()
	if !g.copies.may(g.p.Now(), g.running.Load()) {
		g.copyFailed(ctx, row.Revision, errWaiting)
		return
	}
	c := *row
	c.Evidence = nil
	if err := g.p.Copies.PutBlock(ctx, c); err != nil {
		g.copyFailed(ctx, row.Revision, err)
	}
}

// copyFailed remembers that the copies lack a revision: when they are back they begin anew.
func (g *Guard) copyFailed(ctx context.Context, revision int64, err error) {
	g.mu.Lock()
	g.unsaid = max(g.unsaid, revision)
	g.mu.Unlock()
	if g.copies.failed(g.p.Now()) {
		g.p.Log.WarnContext(ctx, "copies of blocks cannot be reached; the database is asked instead", "error", err)
	}
}

// copyHeld lets the other processes know of a block that waits for the store.
func (g *Guard) copyHeld(ctx context.Context, row storage.Block) {
	if g.p.Copies == nil || !g.copies.may(g.p.Now(), g.running.Load()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
	defer cancel()
	if err := g.p.Copies.HoldBlock(ctx, row); err != nil {
		g.copyFailed(ctx, 0, err)
	}
}

// uncopyHeld tells whoever holds a block that it was taken back.
func (g *Guard) uncopyHeld(ctx context.Context, b *enforcement.Block) {
	if g.p.Copies == nil || !g.copies.may(g.p.Now(), g.running.Load()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
	defer cancel()
	row := storage.Block{
		Guild: snowflake.ID(b.Namespace), Scope: b.Subject.Scope.String(), Value: b.Subject.Value(), Revision: b.Revision, Start: b.Start, End: b.End, Closed: b.Revoked,
	}
	if _, err := g.p.Copies.UnholdBlock(ctx, row); err != nil {
		g.copyFailed(ctx, 0, err)
	}
}

// settled tells the copies that the store has taken a held block. It reports whether it was taken back meanwhile.
func (g *Guard) settled(ctx context.Context, row storage.Block) bool {
	if g.p.Copies == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
	defer cancel()
	if g.copies.may(g.p.Now(), g.running.Load()) {
		revoked, err := g.p.Copies.SettleBlock(ctx, row)
		if err == nil {
			return revoked
		}
		g.copyFailed(ctx, 0, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle = append(g.settle, row)
	return false
}

// newestCopy is the newest revision that was copied before the store is read; 0 if nobody knows.
func (g *Guard) newestCopy(ctx context.Context) int64 {
	if g.p.Copies == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	newest, err := g.p.Copies.NewestCopy(ctx)
	if err != nil {
		return 0
	}
	return newest
}

// begin says from where on the copies are whole. With anew, what they have is not of this database's present, or has gaps.
func (g *Guard) begin(ctx context.Context, revision int64, anew bool) {
	if g.p.Copies == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	if err := g.p.Copies.BeginCopies(ctx, revision, anew); err != nil {
		g.cold.Store(true)
		return
	}
	g.cold.Store(false)
}

// counted counts, or says once that counting stands still, and once that it goes on. Nil: it stands still.
func (g *Guard) counted(ctx context.Context, now time.Time, tallies []enforcement.Tally) []int {
	if len(tallies) == 0 {
		return nil
	}
	if !g.counts.may(now, g.running.Load()) {
		g.stood.Add(1)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	counted, err := g.p.Counts.Count(ctx, now, tallies)
	if err != nil {
		g.stood.Add(1)
		if g.counts.failed(now) {
			g.p.Log.WarnContext(ctx, "rules cannot count and stand still", "error", err)
			g.p.Emit(enforcement.Event{
				Type: enforcement.EvaluationFailed, At: now, FailMode: enforcement.Open, Error: "counters",
				Reason: "the counters cannot be reached: rules that count stand still, blocks hold",
			})
		}
		return nil
	}
	g.countsBack(now)
	return counted
}

// countsBack tells that rules count again.
func (g *Guard) countsBack(now time.Time) {
	if g.counts.mended() {
		g.p.Emit(enforcement.Event{
			Type: enforcement.Alert, At: now, Rule: "counters", Severity: 5, Action: "counting_again",
			Reason: fmt.Sprintf("rules count again; %d incidents were not counted meanwhile", g.stood.Swap(0)),
		})
	}
}

// Run listens to the stream, keeps the index fresh, hands over held blocks and probes what does not answer, until the context ends.
func (g *Guard) Run(ctx context.Context) error {
	listening := make(chan error, 1)
	go func() {
		if g.p.Stream == nil {
			listening <- nil
			return
		}
		listening <- g.p.Stream.Run(ctx, func(n storage.BlockNews) { g.heard(ctx, n) })
	}()
	g.running.Store(true)
	defer g.running.Store(false)
	t := time.NewTicker(tick)
	defer t.Stop()
	defer g.summarise(true)
	for n := 0; ; n++ {
		news := false
		select {
		case <-ctx.Done():
			return <-listening
		case <-g.wake:
			news = true
		case <-t.C:
		}
		if n%4 == 0 {
			g.summarise(false)
		}
		g.mend(ctx)
		if news || n%4 == 0 || g.store.open.Load() || !g.loaded.Load() {
			g.refresh(ctx)
		}
		if g.Held() > 0 && !g.store.open.Load() {
			within, cancel := context.WithTimeout(ctx, writeWithin)
			if err := g.Flush(within); err != nil && ctx.Err() == nil {
				g.p.Log.WarnContext(ctx, "held blocks cannot be stored", "error", err)
			}
			cancel()
		}
	}
}

func (g *Guard) refresh(ctx context.Context) {
	limit := deltaWithin
	if !g.loaded.Load() {
		limit = loadWithin
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := g.Refresh(within); err != nil && ctx.Err() == nil && g.store.failed(g.p.Now()) {
		g.p.Log.WarnContext(ctx, "blocks cannot be read", "error", err)
	}
}

// mend probes what did not answer. Copies that come back may lack what was changed meanwhile, so they begin anew behind it.
func (g *Guard) mend(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	if g.counts.open.Load() && g.p.Counts.Reachable(within) == nil {
		g.countsBack(g.p.Now())
	}
	if g.p.Copies == nil {
		return
	}
	g.mu.Lock()
	last, lost := g.last, g.copies.open.Load()
	behind := max(g.last, g.unsaid)
	settle := g.settle
	g.mu.Unlock()
	switch {
	case lost && g.p.Copies.Reachable(within) == nil:
		newest, err := g.p.Copies.NewestCopy(within)
		if err != nil && !errors.Is(err, storage.ErrMalformed) {
			return
		}
		if g.p.Copies.BeginCopies(within, max(behind, newest), true) != nil {
			return
		}
		g.copies.mended()
		g.mu.Lock()
		g.unsaid, g.settle = 0, nil
		g.mu.Unlock()
		for _, row := range settle {
			g.settled(ctx, row)
		}
	case !lost && g.loaded.Load() && g.cold.Load():
		g.begin(within, last, false)
	}
}
