package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatecamp/enforcement/guard"
	"gatecamp/enforcement/replay"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/migrations"
	"gatecamp/storage/redis"
	"gatecamp/storage/sqlite"
)

func (c *console) enforcementCommands() *cobra.Command {
	return family("enforcement", "try blocks and rules before they meet anybody, and see what they do", c.enforcementReplay(), c.enforcementTail())
}

func (c *console) enforcementReplay() *cobra.Command {
	var asJSON bool
	engine := "sqlite"
	cmd := &cobra.Command{
		Use: "replay FILE…", Short: "run scenario files on the real engine, with its clock and its faults injected",
		Long: `Reads scenario files (` + replay.Schema + `) and runs each on an empty database of its own: a file in a temporary folder, or with
--engine postgres a schema beside the tables in GATECAMP_DATABASE_URL, and with --engine redis such a file and keys of its own in the Redis of
GATECAMP_REDIS_URL. All of it is dropped afterwards, and the configured tables and keys are never touched. With sqlite no settings are needed. A scenario says what happens when, and what is right; the
command says where the engine does something else, and then exits 1.

All files are read before the first is run: if one of them does not fit, its place is said and nothing is run. A step that needs what an
engine does not have (Redis) is skipped; the rest must hold all the same.`,
		Example: `  gatecamp enforcement replay flood.json
  gatecamp enforcement replay --json scenarios/*.json | jq 'select(.failures != [])'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			return c.replayScenarios(cmd.Context(), paths, engine, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each file, on one line")
	cmd.Flags().StringVar(&engine, "engine", engine, "where blocks are kept: sqlite, postgres, or redis (SQLite, with copies and counters in Redis)")
	complete(cmd, "engine", "sqlite", "postgres", "redis")
	return noted(cmd, noteJSON, `one object a file: {"id", "boot": "ok"|"refused", "why", "answers": [one for each step], "failures": [text]}`)
}

func (c *console) replayScenarios(ctx context.Context, paths []string, engine string, asJSON bool) (err error) {
	database, shared, err := c.replayOn(ctx, engine)
	if err != nil {
		return err
	}
	if shared != nil {
		defer func() { err = errors.Join(err, shared.Close()) }()
	}
	files := make([]*replay.File, len(paths))
	for i, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return problem.New(problem.Usage, fmt.Sprintf("%s cannot be read; nothing was run", path), "").Because(err)
		}
		if files[i], err = replay.Read(raw, path); err != nil {
			return err
		}
	}
	folder, err := os.MkdirTemp("", "gatecamp-replay-")
	if err != nil {
		return problem.New(problem.Failed, "no temporary folder can be made; nothing was run", "set TMPDIR to one that this user may write").Because(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	empty := filepath.Join(folder, "empty.db")
	if !database.IsSet() {
		if err := emptyDatabase(ctx, empty); err != nil {
			return err
		}
	}
	failed := 0
	for i, f := range files {
		var r *replay.Result
		if database.IsSet() {
			r, err = c.onPostgres(ctx, f, database)
		} else {
			r, err = onSQLite(ctx, f, empty, filepath.Join(folder, fmt.Sprintf("%d.db", i)), shared)
		}
		if err != nil {
			return err
		}
		if len(r.Failures) > 0 {
			failed++
		}
		if err := c.tellReplay(r, asJSON); err != nil {
			return err
		}
	}
	if failed > 0 {
		return problem.New(problem.Failed, fmt.Sprintf("%d of %d scenarios did not go as is right", failed, len(files)), "")
	}
	return nil
}

// replayOn is what an engine needs besides a file: the address of a database, or a Redis.
func (c *console) replayOn(ctx context.Context, engine string) (database secret.String, shared *redis.Client, err error) {
	if engine == "sqlite" {
		return database, nil, nil
	}
	if engine != "postgres" && engine != "redis" {
		return database, nil, problem.New(problem.Usage, fmt.Sprintf("%q is no engine; nothing was run", engine), "use --engine sqlite, postgres or redis")
	}
	cfg, err := c.config(ctx)
	switch {
	case err != nil:
		return database, nil, err
	case engine == "postgres" && !cfg.DatabaseURL.IsSet():
		return database, nil, problem.New(problem.Usage, "the engine postgres needs a database; nothing was run",
			"set GATECAMP_DATABASE_URL; each scenario gets a schema of its own there, which is dropped afterwards")
	case engine == "postgres":
		return cfg.DatabaseURL, nil, nil
	case !cfg.RedisURL.IsSet():
		return database, nil, problem.New(problem.Usage, "the engine redis needs a Redis; nothing was run",
			"set GATECAMP_REDIS_URL; each scenario gets keys of its own there, which are dropped afterwards")
	}
	if shared, err = redis.OpenPatiently(cfg.RedisURL); err != nil {
		return database, nil, err
	}
	if err := shared.Fleet("replay").Reachable(ctx); err != nil {
		return database, nil, errors.Join(problem.New(problem.Failed, "the Redis of GATECAMP_REDIS_URL cannot be reached; nothing was run",
			"check that it runs, or use --engine sqlite").Because(err), shared.Close())
	}
	return database, shared, nil
}

// emptyDatabase makes a migrated file to copy from.
func emptyDatabase(ctx context.Context, path string) (err error) {
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err = migrations.Up(ctx, db.SQL(), migrations.SQLite); err != nil {
		return err
	}
	_, err = db.SQL().ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// onSQLite runs a scenario on a copy of the empty file, and on keys of its own where there is a Redis.
func onSQLite(ctx context.Context, f *replay.File, empty, path string, shared *redis.Client) (_ *replay.Result, err error) {
	raw, err := os.ReadFile(empty)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		for _, more := range []string{"", "-wal", "-shm", ".lock"} {
			if gone := os.Remove(path + more); gone != nil && !errors.Is(gone, os.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	on := replay.Engine{Store: db}
	if shared != nil {
		var fleets []*redis.Fleet
		fleet := func() *redis.Fleet {
			fleets = append(fleets, shared.Fleet("replay-"+rand.Text()))
			return fleets[len(fleets)-1]
		}
		defer func() {
			for _, made := range fleets {
				err = errors.Join(err, made.Drop(context.WithoutCancel(ctx)))
			}
		}()
		copies := fleet()
		on.Copies, on.Spoil, on.Counts = copies, copies.Spoil, func() guard.Counts { return fleet() }
	}
	return replay.Run(ctx, f, on)
}

// onPostgres runs a scenario in a schema of its own.
func (c *console) onPostgres(ctx context.Context, f *replay.File, database secret.String) (_ *replay.Result, err error) {
	db, done, err := (&auditBench{console: c, database: database}).open(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return replay.Run(ctx, f, replay.Engine{Store: db})
}

func (c *console) tellReplay(r *replay.Result, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.out).Encode(r)
	}
	if len(r.Failures) == 0 {
		c.say("%s: as is right (%d steps)", r.ID, len(r.Answers))
		return nil
	}
	c.say("%s: not as is right", r.ID)
	for _, f := range r.Failures {
		c.say("  %s", f)
	}
	return nil
}
