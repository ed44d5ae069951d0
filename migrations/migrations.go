// Package migrations brings a database to the tables that this gatecamp needs.
//
// What must stay true: both databases have the same tables and columns, under the same numbers; a database that is newer than we
// are, or that belongs to someone else, is left untouched; of two migrators at once, one waits.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Dialect is a kind of database.
type Dialect int

// The dialects.
const (
	SQLite Dialect = iota + 1
	Postgres
)

// String is the dialect's name, and the folder of its migrations.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	}
	return "unknown"
}

func (d Dialect) files() (fs.FS, error) { return fs.Sub(files, d.String()) }
