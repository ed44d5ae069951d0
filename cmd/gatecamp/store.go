package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gatecamp/audit/snapshot"
	"gatecamp/config"
	"gatecamp/internal/problem"
	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/sqlite"
)

// databaseFile is the SQLite file in the data folder.
const databaseFile = "gatecamp.db"

// openStore opens the database that the settings name, and brings it up to date: Postgres where an address is set, else the SQLite
// file in the data folder, which is made when it is missing.
func openStore(ctx context.Context, c *config.Config) (storage.Store, error) {
	if c.DatabaseURL.IsSet() {
		db, err := postgres.Open(ctx, c.DatabaseURL, postgres.Config{})
		if err != nil {
			return nil, unusable(err, "GATECAMP_DATABASE_URL")
		}
		if _, err := migrations.Up(ctx, db.SQL(), migrations.Postgres); err != nil {
			return nil, errors.Join(unusable(err, "GATECAMP_DATABASE_URL"), db.Close())
		}
		return db, nil
	}
	return openFile(ctx, c.DataDir)
}

// openFile opens the SQLite file of a folder; both are for their owner alone.
func openFile(ctx context.Context, folder string) (storage.Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, problem.New(problem.Usage, fmt.Sprintf("the data folder %s cannot be made; nothing was done", folder),
			"name a folder that this user may write in GATECAMP_DATA_DIR").Because(err)
	}
	path := filepath.Join(folder, databaseFile)
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return nil, unusable(err, path)
	}
	if _, err := migrations.Up(ctx, db.SQL(), migrations.SQLite); err != nil {
		return nil, errors.Join(unusable(err, path), db.Close())
	}
	return db, nil
}

// unusable is why a database cannot be used, in words for people; where says which one it is.
func unusable(err error, where string) error {
	if _, told := errors.AsType[*problem.Problem](err); told {
		return err
	}
	for _, c := range []struct {
		is         error
		what, cure string
	}{
		{storage.ErrReadOnly, "cannot be written", "give this user the right to write it and its folder"},
		{storage.ErrLocked, "is held by another process for too long", "wait, or see which process it is with `gatecamp health`"},
		{storage.ErrForeign, "belongs to another program and was left as it is", "name another one"},
		{storage.ErrNewer, "was made by a newer gatecamp and was left as it is", "run that gatecamp"},
		{storage.ErrFull, "is on a disk that is full", "make room"},
		{storage.ErrGone, "cannot be reached", "check that it is there and that this user may use it"},
	} {
		if errors.Is(err, c.is) {
			return problem.New(problem.Failed, fmt.Sprintf("the database (%s) %s; nothing was done", where, c.what), c.cure).Because(err)
		}
	}
	return err
}

// snapshotAuth is an Auth that is read from a file.
func snapshotAuth(path string) *snapshot.AuthFile { return snapshot.OpenAuth(path) }
