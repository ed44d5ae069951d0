package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/problem"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/sqlite"
)

// checksAtOnce is how many checks are timed together: one alone is shorter than the clock is fine.
const checksAtOnce = 200_000

// check measures checks that go on, with no, some and many blocks.
func (b *enforcementBench) check(ctx context.Context) (map[string]float64, error) {
	figures := map[string]float64{}
	for _, n := range []int{0, 1_000, b.blocks} {
		store := newMadeUp(n)
		g, err := b.guardOf(ctx, enforcement.Defaults(), guard.Parts{Store: store, Stream: stillness(false)})
		if err != nil {
			return nil, err
		}
		a, name := fiveScopes(), strconv.Itoa(n)
		asked := store.asked.Load()
		took, allocated, denied := timed(ctx, g, a)
		if denied {
			return nil, notMeasured("somebody who is not blocked was denied")
		}
		figures["ns_"+name+"_blocks"] = took
		figures["allocations_"+name+"_blocks"] = allocated
		figures["questions_"+name+"_blocks"] = float64(store.asked.Load() - asked)
	}
	return figures, nil
}

// timed is what one of many checks takes, in nanoseconds, and how often it allocates.
func timed(ctx context.Context, g *guard.Guard, a *guard.Attempt) (nanoseconds, allocations float64, denied bool) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for range checksAtOnce {
		denied = g.Check(ctx, a).Deny
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	return float64(took.Nanoseconds()) / checksAtOnce, float64((after.Mallocs - before.Mallocs) / checksAtOnce), denied
}

// denied measures checks that meet a block.
func (b *enforcementBench) denied(ctx context.Context) (map[string]float64, error) {
	g, err := b.guardOf(ctx, enforcement.Defaults(), guard.Parts{Store: newMadeUp(b.blocks), Stream: stillness(false)})
	if err != nil {
		return nil, err
	}
	a := fiveScopes()
	a.Actor.User = madeUpUser + uint64(b.blocks)/2 + 1
	took, allocated, denied := timed(ctx, g, a)
	if !denied {
		return nil, notMeasured("somebody who is blocked was not denied")
	}
	return map[string]float64{"ns": took, "allocations": allocated}, nil
}

// more measures one more block.
func (b *enforcementBench) more(ctx context.Context) (map[string]float64, error) {
	g, err := b.guardOf(ctx, enforcement.Defaults(), guard.Parts{Store: newMadeUp(b.blocks), Stream: stillness(false)})
	if err != nil {
		return nil, err
	}
	figures, took := map[string]float64{}, make([]time.Duration, b.tries)
	for i := range took {
		o := guard.Order{Subject: enforcement.Subject{Scope: enforcement.User, ID: uint64(1000 + i)}, By: b.byBench()}
		begin := time.Now()
		if _, err := g.Block(ctx, o); err != nil {
			return nil, err
		}
		took[i] = time.Since(begin)
	}
	microseconds(figures, "us", took)
	return figures, nil
}

// microseconds is percentiles for what is shorter.
func microseconds(figures map[string]float64, name string, took []time.Duration) {
	longer := map[string]float64{}
	percentiles(longer, name, took)
	for k, v := range longer {
		figures[k] = v * 1000
	}
}

// start measures reading all blocks from a database.
func (b *enforcementBench) start(ctx context.Context, dir string) (_ map[string]float64, err error) {
	db, done, err := b.open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := b.fill(ctx, db); err != nil {
		return nil, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	var g *guard.Guard
	if err := leanly(func() error { g, err = b.guardOf(ctx, enforcement.Defaults(), guard.Parts{Store: db}); return err }); err != nil {
		return nil, err
	}
	took := time.Since(begin)
	peak := peakRSS("self")
	runtime.GC()
	runtime.ReadMemStats(&after)
	a := fiveScopes()
	a.Actor.User = madeUpUser + uint64(b.blocks)
	if !g.Check(ctx, a).Deny {
		return nil, notMeasured("the last block was not read")
	}
	return map[string]float64{
		"seconds": took.Seconds(), "mb_that_stay": float64(after.HeapAlloc-before.HeapAlloc) / 1e6, "mb_of_the_process_at_most": float64(peak) / 1e6,
		"allocations_a_block": float64(after.Mallocs-before.Mallocs) / float64(b.blocks),
	}, nil
}

// open makes an empty database.
func (b *enforcementBench) open(ctx context.Context, dir string) (storage.Store, func() error, error) {
	return (&auditBench{console: b.console, database: b.database}).open(ctx, filepath.Join(dir, "data"))
}

// fill makes the blocks in the database itself: asking for them one by one would take longer than all that is measured.
func (b *enforcementBench) fill(ctx context.Context, db storage.Store) error {
	const columns = ` (revision, guild_id, scope, value, reason, message, status, rule, owner, started_at, closed_by, closed_reason, also) `
	const values = `n, 0, 'user', CAST(100000000000000000 + n AS TEXT), 'it is measured', '', 0, '', 'console:bench', $1, '', '', 'none'`
	switch d := db.(type) {
	case *sqlite.Store:
		_, err := d.SQL().ExecContext(ctx, `INSERT INTO block`+columns+`WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < $2) SELECT `+values+` FROM counted`,
			time.Now(), b.blocks)
		if err == nil {
			_, err = d.SQL().ExecContext(ctx, `UPDATE block_revision SET revision = $1`, b.blocks)
		}
		return err
	case *postgres.Store:
		_, err := d.SQL().ExecContext(ctx, `INSERT INTO block`+columns+`SELECT `+values+` FROM generate_series(1, CAST($2 AS BIGINT)) AS n`, time.Now(), b.blocks)
		if err == nil {
			_, err = d.SQL().ExecContext(ctx, `UPDATE block_revision SET revision = CAST($1 AS BIGINT)`, b.blocks)
		}
		if err == nil {
			_, err = d.SQL().ExecContext(ctx, `ANALYZE block`)
		}
		return err
	}
	return problem.New(problem.Failed, fmt.Sprintf("no blocks can be made in a database of the kind %T", db), "")
}
