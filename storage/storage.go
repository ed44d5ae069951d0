// Package storage states what a store promises. Postgres and SQLite keep the same promises; storagetest holds them to it.
//
// Each role is a small interface, for the consumer that needs it; Store is all of them, for wiring. Times go in and come out as
// UTC microseconds, whatever their zone was; a zero time, id or string is "none". Lists are in a stated order. A method that
// fails, or whose context ends, has written nothing.
//
// What must stay true: a promise that storagetest does not check is not a promise.
package storage

import (
	"errors"
	"time"
)

// What went wrong, whatever the database. A store adds its own words below them, and the cure where a person can mend it.
var (
	// ErrNotFound means that there is no such row; it is never reported as a nil value with a nil error.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the row is not, or no longer, what the caller believed it to be.
	ErrConflict = errors.New("conflict")
	// ErrFenced means that the lease under which the caller acts is no longer its own: it must stop acting.
	ErrFenced = errors.New("lease lost")
	// ErrAppendOnly means that the database itself refused to change or delete a record.
	ErrAppendOnly = errors.New("append-only")
	// ErrReadOnly means that the database cannot be written: rights of the file, or a read-only server.
	ErrReadOnly = errors.New("read-only database")
	// ErrFull means that the disk, or the quota of the database, is full. Nothing was half-written.
	ErrFull = errors.New("database full")
	// ErrLocked means that another process holds the database for longer than we wait.
	ErrLocked = errors.New("database locked")
	// ErrGone means that the database cannot be reached or read: connection lost, file removed or damaged.
	ErrGone = errors.New("database gone")
	// ErrNewer means that a newer gatecamp made the database.
	ErrNewer = errors.New("newer database")
	// ErrForeign means that the database belongs to another program.
	ErrForeign = errors.New("database of another program")
	// ErrOutdated means that the database was not migrated to what this gatecamp needs.
	ErrOutdated = errors.New("outdated database")
)

// Store is everything a database keeps. Consumers ask for the roles they need; only wiring names Store.
type Store interface {
	Roles
	Leases
	Together

	// Close ends all connections and gives up the leases that this process holds in its lock file.
	Close() error
}

// Author is who changes something, from where and why. Reason is free text of a person; it must not be empty.
type Author struct {
	Actor  string    // "console:root", "discord:175928847299117063", "system"
	Origin string    // "console", "discord", "start", "schedule"
	Reason string    // one line
	At     time.Time // when
}

// Page asks for a part of a list. The zero value asks for the first 1000.
type Page struct {
	Before int64 // only rows whose ID is smaller; zero: from the newest
	Limit  int   // at most so many; zero: 1000
}
