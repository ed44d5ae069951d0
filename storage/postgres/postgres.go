// Package postgres keeps everything in a Postgres database: for several replicas, or where one is at hand.
//
// What must stay true: a lease goes by the database's clock, never by ours. The roles are those of package relational, so the
// statements are those of SQLite.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/storage/relational"
)

// Config bounds what gatecamp takes from the server.
type Config struct {
	Connections int           // at most; zero: 8
	Connect     time.Duration // how long one attempt to connect may take; zero: 5 s
}

// Store satisfies storage.Store.
type Store struct {
	*relational.Store
	db   *database
	pool *pgxpool.Pool
	sql  *sql.DB
}

var _ storage.Store = (*Store)(nil)

// Open connects and does not migrate. The tables are those of the first schema of the connection's search_path.
func Open(ctx context.Context, address secret.String, c Config) (_ *Store, err error) {
	defer wrap.Err(&err, "postgres.Open")
	if c.Connections <= 0 {
		c.Connections = 8
	}
	if c.Connect <= 0 {
		c.Connect = 5 * time.Second
	}
	config, err := pgxpool.ParseConfig(address.Reveal())
	if err != nil {
		// The parser's own words may quote the address, and with it the password.
		return nil, problem.New(problem.Usage, "the address of the database cannot be understood",
			"write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password percent-encoded")
	}
	config.MaxConns = int32(min(c.Connections, 1000))
	config.ConnConfig.ConnectTimeout = c.Connect
	config.ConnConfig.RuntimeParams["application_name"] = "gatecamp"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, translate(ctx, err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, translate(ctx, err)
	}
	db := &database{pool: pool}
	return &Store{Store: relational.New(db), db: db, pool: pool, sql: stdlib.OpenDBFromPool(pool)}, nil
}

// SQL is the same connections behind the standard library's interface, for migrations.
func (s *Store) SQL() *sql.DB { return s.sql }

// Pool is the connections themselves, for the queue.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close ends all connections.
func (s *Store) Close() error {
	err := s.sql.Close()
	s.pool.Close()
	return errors.Join(err)
}
