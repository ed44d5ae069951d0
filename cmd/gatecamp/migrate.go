package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatecamp/config"
	"gatecamp/internal/problem"
	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/sqlite"
)

// database is an open database whose tables may be of any version.
type database interface {
	storage.Store
	SQL() *sql.DB
}

// openAsItIs opens the database that the settings name and does not bring it up to date. A SQLite file that is not there is storage.ErrNotFound.
func openAsItIs(ctx context.Context, c *config.Config) (database, migrations.Dialect, error) {
	if c.DatabaseURL.IsSet() {
		db, err := postgres.Open(ctx, c.DatabaseURL, postgres.Config{})
		return db, migrations.Postgres, unusable(err, "GATECAMP_DATABASE_URL")
	}
	path := filepath.Join(c.DataDir, databaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, migrations.SQLite, problem.New(problem.Failed, "there is no database at "+path+" yet", "run `gatecamp migrate`; every other command makes it too").Because(storage.ErrNotFound)
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	return db, migrations.SQLite, unusable(err, path)
}

func (c *console) migrateCommand() *cobra.Command {
	var status bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "bring the database up to date",
		Long: `Makes the tables that this gatecamp needs, in the file or database of the settings, and changes nothing when they are there. Every command
does so by itself when it opens the database, unless another gatecamp is at work there; run it by hand after an upgrade, with the others
stopped. A database of another program, or of a newer gatecamp, stays as it is.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		ctx := cmd.Context()
		cfg, err := c.config(ctx)
		if err != nil {
			return err
		}
		if !status && !cfg.DatabaseURL.IsSet() {
			if err := makeFolder(cfg.DataDir); err != nil {
				return err
			}
		}
		db, dialect, err := openAsItIs(ctx, &cfg)
		if errors.Is(err, storage.ErrNotFound) && !status {
			db, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(cfg.DataDir, databaseFile)})
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		if status {
			return c.migrationStatus(ctx, db, dialect)
		}
		done, err := migrations.Up(ctx, db.SQL(), dialect)
		switch {
		case err != nil:
			return err
		case done.Nothing():
			c.say("The database (%s) is up to date: version %d. Nothing was changed.", dialect, done.To)
		case done.From == done.To:
			c.say("The tables of the job queue (%s) were brought from version %d to %d.", dialect, done.QueueFrom, done.QueueTo)
		default:
			c.say("The database (%s) was brought from version %d to %d.", dialect, done.From, done.To)
		}
		return nil
	}
	cmd.Flags().BoolVar(&status, "status", false, "only say whether it is up to date; exit code 1 if not")
	return cmd
}

func (c *console) migrationStatus(ctx context.Context, db database, dialect migrations.Dialect) error {
	err := migrations.Check(ctx, db.SQL(), dialect)
	if errors.Is(err, storage.ErrOutdated) {
		return problem.New(problem.Failed, describe(err), "").Because(err)
	}
	if err == nil {
		c.say("The database (%s) is up to date.", dialect)
	}
	return err
}

func makeFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return problem.New(problem.Usage, "the data folder "+folder+" cannot be made; nothing was done", "name a folder that this user may write in GATECAMP_DATA_DIR").Because(err)
	}
	return nil
}
