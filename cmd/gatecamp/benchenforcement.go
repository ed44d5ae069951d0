package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/storage"
)

// enforcementBench is a measurement of the guard.
type enforcementBench struct {
	*console
	times, blocks, tries int
	database, redis      secret.String
}

func (b *enforcementBench) cases() []benchCase {
	plain := func(run func(context.Context) (map[string]float64, error)) func(context.Context, string) (map[string]float64, error) {
		return func(ctx context.Context, _ string) (map[string]float64, error) { return run(ctx) }
	}
	return []benchCase{
		{"check", "a check of five scopes that meets no block, with a stream that is heard", plain(b.check)},
		{"denied", "a check that meets a block", plain(b.denied)},
		{"more", "one more block in process", plain(b.more)},
		{"start", "start with that many permanent blocks", b.start},
		{"outage", "a Redis or a database that is refused or hangs", plain(b.outage)},
		{"visible", "a block and its end, until another process knows", b.visible},
		{"memory", "memory of an actor with ten counters of threshold 10", plain(b.memory)},
		{"rules", "an incident through a hundred counting rules", plain(b.rules)},
		{"silent", "a check when no stream is heard", plain(b.silent)},
	}
}

// needRedis are the cases that have nothing to measure without a Redis.
var needRedis = []string{"silent"}

func (c *console) benchEnforcement() *cobra.Command {
	b := enforcementBench{console: c}
	var only []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "enforcement", Short: "measure what blocks and rules cost",
		Long: `Measures the guard as serve uses it. Medians of --times repetitions; percentiles are of one repetition's --tries.

  check    nanoseconds, allocations and questions to the store of a clean check of five scopes, with 0, 1,000 and --blocks blocks
  denied   nanoseconds of a check that meets a block, besides the answer, with --blocks blocks
  more     microseconds of one more block when there are --blocks
  start    reading --blocks permanent blocks from the database: seconds, and MB that stay
  outage   200 attempts at once when Redis or the database is refused or hangs, and attempts after that, in milliseconds
  visible  from the order to the first check of another process that knows, in milliseconds; asked: while its subject keeps asking
  memory   bytes of an actor with ten counters of threshold 10, in process and in Redis
  rules    microseconds of an incident that a hundred rules count, in process and in Redis
  silent   microseconds and round trips of a check when the stream is silent

The database is SQLite in a temporary folder; Postgres where GATECAMP_DATABASE_URL is set, in a schema of its own that is removed again.
Redis is that of GATECAMP_REDIS_URL, with keys of its own that are removed again; without one, what needs it is left out.`,
		Example: "  gatecamp bench enforcement\n  gatecamp bench enforcement --only check,start --times 3 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case b.times < 1 || b.times > 100:
				return problem.Usagef("--times: give a whole number from 1 to 100")
			case b.blocks < 1 || b.blocks > 10_000_000:
				return problem.Usagef("--blocks: give a whole number from 1 to 10000000")
			case b.tries < 10 || b.tries > 100_000:
				return problem.Usagef("--tries: give a whole number from 10 to 100000")
			}
			cfg, err := c.config(cmd.Context())
			if err != nil {
				return err
			}
			b.database, b.redis = cfg.DatabaseURL, cfg.RedisURL
			cases, err := casesOf(b.cases(), only)
			if err != nil {
				return err
			}
			if !b.redis.IsSet() {
				cases = b.withoutRedis(cases)
			}
			return c.measure(cmd.Context(), cases, b.times, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&only, "only", nil, "measure only these `NAMES`, separated by commas")
	flags.IntVar(&b.times, "times", 5, "how often each is measured, `N`")
	flags.IntVar(&b.blocks, "blocks", 1_000_000, "how many blocks there are, `N`")
	flags.IntVar(&b.tries, "tries", 1_000, "of how many single measurements percentiles are made, `N`")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object for each measurement")
	complete(cmd, "only", caseNames(b.cases())...)
	return noted(cmd, noteJSON, `one line a measurement: {"name", "times", "machine", "figures": {name: {"median", "least", "most"}}}`)
}

// withoutRedis leaves out what needs one, and says so.
func (b *enforcementBench) withoutRedis(cases []benchCase) (rest []benchCase) {
	for _, one := range cases {
		left := false
		for _, name := range needRedis {
			left = left || name == one.name
		}
		if left {
			fmt.Fprintf(b.err, "gatecamp: %s is left out: GATECAMP_REDIS_URL is not set\n", one.name)
			continue
		}
		rest = append(rest, one)
	}
	return rest
}

// madeUp is a store with so many permanent blocks of users that answers at once, or not at all.
type madeUp struct {
	n        int
	revision atomic.Int64
	asked    atomic.Int64
	hang     atomic.Bool
	refuse   atomic.Bool
}

func newMadeUp(n int) *madeUp {
	m := &madeUp{n: n}
	m.revision.Store(int64(n))
	return m
}

func (m *madeUp) ask(ctx context.Context) error {
	m.asked.Add(1)
	if m.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if m.refuse.Load() {
		return storage.ErrGone
	}
	return nil
}

func (m *madeUp) made(i int) storage.Block {
	return storage.Block{
		ID: int64(i), Revision: int64(i), Scope: "user", Value: snowflake.ID(madeUpUser + i).String(), Reason: "it is measured", Owner: "console:bench",
	}
}

// madeUpUser is the first id of those who are blocked; below it nobody is.
const madeUpUser = 100_000_000_000_000_000

// Block satisfies storage.Blocks.
func (m *madeUp) Block(ctx context.Context, b storage.Block, by storage.Author) (storage.Block, storage.BlockChange, error) {
	if err := m.ask(ctx); err != nil {
		return storage.Block{}, 0, err
	}
	b.Revision = m.revision.Add(1)
	b.ID, b.Start, b.Owner, b.Reason = b.Revision, by.At, by.Actor, by.Reason
	return b, storage.BlockMade, nil
}

// ShortenBlock satisfies storage.Blocks.
func (m *madeUp) ShortenBlock(ctx context.Context, _ snowflake.ID, _, _ string, _ time.Time, _ storage.Author) (storage.Block, error) {
	return storage.Block{}, m.ask(ctx)
}

// Unblock satisfies storage.Blocks.
func (m *madeUp) Unblock(ctx context.Context, _ snowflake.ID, _, _ string, _ storage.Author) (storage.Block, error) {
	return storage.Block{}, m.ask(ctx)
}

// RefuseBlock satisfies storage.Blocks.
func (m *madeUp) RefuseBlock(ctx context.Context, _ storage.Block, _ storage.Author) error {
	return m.ask(ctx)
}

// BlocksSince satisfies guard.Store.
func (m *madeUp) BlocksSince(ctx context.Context, revision int64, each func(storage.Block) error) (int64, error) {
	if err := m.ask(ctx); err != nil {
		return 0, err
	}
	for i := int(revision) + 1; i <= m.n; i++ {
		if err := each(m.made(i)); err != nil {
			return 0, err
		}
	}
	return m.revision.Load(), nil
}

// BlockStrikes satisfies guard.Store.
func (m *madeUp) BlockStrikes(ctx context.Context, _ snowflake.ID, _, _, _ string, _ time.Time) (int, error) {
	return 0, m.ask(ctx)
}

// stillness is a stream that is always heard, or never.
type stillness bool

// Silent satisfies guard.Stream.
func (s stillness) Silent(time.Time) bool { return bool(s) }

// Run satisfies guard.Stream.
func (s stillness) Run(ctx context.Context, _ func(storage.BlockNews)) error {
	<-ctx.Done()
	return nil
}

// guardOf is a guard that has read everything.
func (b *enforcementBench) guardOf(ctx context.Context, c enforcement.Config, p guard.Parts) (*guard.Guard, error) {
	g, err := guard.New(c, p)
	if err != nil {
		return nil, err
	}
	return g, g.Load(ctx)
}

// fiveScopes is an attempt of somebody who is not blocked: user, account, member, session and, with the guild, five scopes.
func fiveScopes() *guard.Attempt {
	return &guard.Attempt{Route: "cmd:audit/run", Actor: enforcement.Actor{
		User: 42, Account: 43, Guild: 44, Channel: 45, Session: "a session of the dashboard",
	}}
}

// byBench is who makes blocks here.
func (b *enforcementBench) byBench() storage.Author {
	return storage.Author{Actor: "console:bench", Origin: "console", Reason: "it is measured", At: time.Now()}
}
