package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// translate turns the driver's words into the contract's, here and nowhere else.
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return storage.ErrNotFound
	}
	if errors.Is(err, sql.ErrConnDone) || err.Error() == "sql: database is closed" {
		return gone(err)
	}
	driver, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch driver.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return storage.ErrConflict
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		// Our triggers begin with what they mean.
		if strings.Contains(driver.Error(), "conflict: ") {
			return storage.ErrConflict
		}
		return errors.Join(storage.ErrAppendOnly, err)
	case sqlite3.SQLITE_READONLY_DBMOVED:
		return gone(err)
	}
	switch driver.Code() & 0xff {
	case sqlite3.SQLITE_INTERRUPT:
		if ctx.Err() != nil {
			return ctx.Err()
		}
	case sqlite3.SQLITE_FULL:
		return because(storage.ErrFull, err, "the disk of the database is full; nothing was half-written",
			"make room, or prune old records (gatecamp prune)")
	case sqlite3.SQLITE_READONLY:
		return because(storage.ErrReadOnly, err, "the database file cannot be written; nothing was changed",
			"give the user that runs gatecamp the right to write the file and its folder")
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return because(storage.ErrLocked, err, "another process has been writing to the database for too long; nothing was changed", "try again, or see which process holds it (gatecamp health)")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return because(storage.ErrGone, err, "the database file is damaged, or no database at all", "put a backup in its place, or move it away to begin anew")
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return gone(err)
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(driver.Error(), "no such table") || strings.Contains(driver.Error(), "no column named") || strings.Contains(driver.Error(), "no such column") {
			return because(storage.ErrOutdated, err, "the database lacks tables that this gatecamp needs", "run gatecamp migrate")
		}
	}
	return err
}

func because(sentinel, err error, what, cure string) error {
	return problem.New(problem.Failed, what, cure).Because(errors.Join(sentinel, err))
}

func gone(err error) error {
	return because(storage.ErrGone, err, "the database file cannot be reached or read", "check that the file is there and that gatecamp may read and write it and its folder")
}
