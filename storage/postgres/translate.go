package postgres

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// translate turns the driver's words into the contract's, here and nowhere else. The codes are Postgres' own
// (https://www.postgresql.org/docs/current/errcodes-appendix.html); GC001 is raised by our triggers.
func translate(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows), errors.Is(err, sql.ErrNoRows):
		return storage.ErrNotFound
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		return serverSays(server, err)
	}
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	_, isNet := errors.AsType[net.Error](err)
	if isConnect || isNet || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || err.Error() == "closed pool" {
		return gone(err)
	}
	return err
}

func serverSays(server *pgconn.PgError, err error) error {
	switch server.Code {
	case "23505": // unique_violation
		return storage.ErrConflict
	case "GC001":
		return errors.Join(storage.ErrAppendOnly, err)
	case "53100", "53200", "53400": // disk_full, out_of_memory, configuration_limit_exceeded
		return because(storage.ErrFull, err, "the database server has no room left; nothing was half-written", "make room on the server, or prune old records (gatecamp prune)")
	case "25006", "42501": // read_only_sql_transaction, insufficient_privilege
		return because(storage.ErrReadOnly, err, "the database cannot be written; nothing was changed", "check that it is not a replica, and that the user owns gatecamp's tables")
	case "55P03", "40P01", "40001", "57014": // lock_not_available, deadlock_detected, serialization_failure, query_canceled
		return because(storage.ErrLocked, err, "another process holds what was needed for too long; nothing was changed", "try again")
	case "42P01", "42703", "3F000": // undefined_table, undefined_column, invalid_schema_name
		return because(storage.ErrOutdated, err, "the database lacks tables that this gatecamp needs", "run gatecamp migrate")
	case "3D000", "28P01", "28000": // invalid_catalog_name, invalid_password, invalid_authorization_specification
		return problem.New(problem.Usage, "the database server refused us: "+server.Message, "check user, password and database in GATECAMP_DATABASE_URL").Because(storage.ErrGone)
	}
	if strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P") || server.Code == "53300" {
		return gone(err)
	}
	return err
}

func because(sentinel, err error, what, cure string) error {
	return problem.New(problem.Failed, what, cure).Because(errors.Join(sentinel, err))
}

func gone(err error) error {
	return because(storage.ErrGone, err, "the database server cannot be reached, or has ended the connection", "check that it runs and that GATECAMP_DATABASE_URL is right; gatecamp goes on when it is back")
}
