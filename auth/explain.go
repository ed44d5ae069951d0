package auth

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"gatecamp/internal/problem"
)

// trouble is what a driver's error means. Each has its own cure.
type trouble int

const (
	none trouble = iota
	otherwise
	unreachable
	unknownHost
	wrongPassword
	wrongDatabase
	noEncryption
	busy
	denied
	missingTable
	missingColumn
	missingFile
	notADatabase
)

// explain turns what went wrong into the words of the person who can mend it. An end of ctx stays what it is.
func (r *Reader) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	cause := r.target.scrub(err)
	switch kindOf(err) {
	case denied, missingTable, missingColumn:
		if found := r.inspectTables(ctx); found != nil {
			return found.Because(cause)
		}
		return r.target.held("a table could not be read, and could be a moment later: Auth is being changed", "try again; nothing was concluded").Because(cause)
	case unreachable:
		return r.target.held("cannot be reached", "check that the server runs, that the host and port in GATECAMP_AUTH_URL are right, and that a firewall lets gatecamp through").Because(cause)
	case unknownHost:
		return r.target.usage("has a host name that nobody knows", "correct the host in GATECAMP_AUTH_URL").Because(cause)
	case wrongPassword:
		return r.target.usage("refuses the user or the password", fmt.Sprintf("check user %s and its password in GATECAMP_AUTH_URL, "+
			"that special characters are written as %%XX, and that the user may come from this host", r.target.user)).Because(cause)
	case wrongDatabase:
		return r.target.usage(fmt.Sprintf("has no database %q, or shows it to nobody called %s", r.target.database, r.target.user),
			"correct the database's name in GATECAMP_AUTH_URL, or give the grants of docs/auth.md").Because(cause)
	case noEncryption:
		return r.target.usage("and gatecamp do not agree on encryption", "set tls=true (mysql://) or sslmode=require (postgres://) in GATECAMP_AUTH_URL, or see the server's certificate").Because(cause)
	case busy:
		return r.target.held("is too busy, starting or stopping", "try again; nothing was concluded").Because(cause)
	case missingFile:
		return r.target.usage("does not exist, is a folder, or may not be read", "correct the path in GATECAMP_AUTH_URL, or let gatecamp's user read the file").Because(cause)
	case notADatabase:
		return r.target.held("is damaged or no SQLite database", "give the path of Auth's database file in GATECAMP_AUTH_URL").Because(cause)
	case none, otherwise:
	}
	return r.target.held("gave an answer that gatecamp does not understand: "+cause.Error(), "try again; if it stays, report it with this text").Because(cause)
}

// held is a problem of the source's state, usage one of gatecamp's configuration.
func (t target) held(what, cure string) *problem.Problem {
	return problem.New(problem.Held, fmt.Sprintf("Auth's database (%s, %s) %s", t.engine, t.place, what), cure)
}

func (t target) usage(what, cure string) *problem.Problem {
	return problem.New(problem.Usage, fmt.Sprintf("Auth's database (%s, %s) %s", t.engine, t.place, what), cure)
}

// kindOf goes by the databases' error numbers; their texts are in the server's language.
func kindOf(err error) trouble {
	if err == nil {
		return none
	}
	if my, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return mysqlTrouble(my.Number)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresTrouble(pg.Code)
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteTrouble(lite)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return unknownHost
	}
	if errors.Is(err, mysql.ErrNoTLS) {
		return noEncryption
	}
	_, network := errors.AsType[net.Error](err)
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	if network || connect || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) {
		return unreachable
	}
	return otherwise
}

// mysqlTrouble reads the numbers of https://mariadb.com/kb/en/mariadb-error-codes/.
func mysqlTrouble(number uint16) trouble {
	switch number {
	case 1142, 1143:
		return denied
	case 1146:
		return missingTable
	case 1054:
		return missingColumn
	case 1045, 1698, 1130, 1820, 1862:
		return wrongPassword
	case 1044, 1049:
		return wrongDatabase
	case 3159:
		return noEncryption
	case 1040, 1053, 1203, 1205, 1226, 1290, 1317, 1412, 1969:
		return busy
	}
	return otherwise
}

// postgresTrouble reads the codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
func postgresTrouble(code string) trouble {
	switch code {
	case "42501":
		return denied
	case "42P01", "3F000":
		return missingTable
	case "42703":
		return missingColumn
	case "28P01", "28000":
		return wrongPassword
	case "3D000":
		return wrongDatabase
	}
	if len(code) == 5 {
		switch code[:2] {
		case "53", "57", "55", "40":
			return busy
		case "08":
			return unreachable
		}
	}
	return otherwise
}

// sqliteTrouble reads the codes of https://sqlite.org/rescode.html. For a missing table or column there is only the text.
func sqliteTrouble(err *sqlite.Error) trouble {
	switch err.Code() & 0xff {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return missingFile
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR: // the last: a folder
		return notADatabase
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return busy
	}
	switch text := err.Error(); {
	case strings.Contains(text, "no such table"):
		return missingTable
	case strings.Contains(text, "no such column"):
		return missingColumn
	}
	return otherwise
}

// inspectTables tries every needed table, and where one fails every column, so that all that is missing is said at once.
func (r *Reader) inspectTables(ctx context.Context) *problem.Problem {
	var absent, columns, grants []string
	for _, t := range needed {
		k := r.try(ctx, t.name, t.columns...)
		if k == missingTable {
			absent = append(absent, t.name)
		}
		if k != denied && k != missingColumn {
			continue
		}
		refused := false
		for _, c := range t.columns {
			k := r.try(ctx, t.name, c)
			refused = refused || k == denied
			if k == missingColumn {
				columns = append(columns, t.name+"."+c)
			}
		}
		if refused {
			grants = append(grants, t.grant(r.target.engine, r.target.database, r.target.user))
		}
	}
	return r.target.lacking(absent, columns, grants)
}

// try asks for no rows of some columns.
func (r *Reader) try(ctx context.Context, table string, columns ...string) trouble {
	rows, err := r.db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return kindOf(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() { // none; some drivers say only here what is wrong
	}
	return kindOf(rows.Err())
}

// lacking says what is missing and, by the pattern of it, why; nil if nothing is.
func (t target) lacking(absent, columns, grants []string) *problem.Problem {
	switch {
	case len(absent) == len(needed):
		return t.usage("holds none of Alliance Auth's tables", "point GATECAMP_AUTH_URL at the database of Alliance Auth")
	case len(absent) == 1 && absent[0] == linksTable:
		return t.usage("has no table "+linksTable+": the Discord service is not installed in Auth",
			"add allianceauth.services.modules.discord to Auth's INSTALLED_APPS and run its migrations; until then nothing is concluded about anyone")
	case len(absent) > 0:
		return t.held("has no table "+strings.Join(absent, ", ")+"; this looks like a restore or an update in progress",
			"wait until it has ended; until then nothing is concluded about anyone")
	case len(columns) > 0:
		return t.held("has no column "+strings.Join(columns, ", ")+"; this looks like an update in progress, or an Auth older than 4 or newer than gatecamp knows",
			"finish Auth's migrations, or update gatecamp; until then nothing is concluded about anyone")
	case len(grants) > 0:
		return t.usage(fmt.Sprintf("does not let %s read all that is needed", t.user), "run as the database's administrator: "+strings.Join(grants, " "))
	}
	return nil
}

// scrubbed is a driver's error as text alone, without the password: its values may hold the whole configuration.
type scrubbed string

func (s scrubbed) Error() string { return string(s) }

func (t target) scrub(err error) error {
	text := err.Error()
	for _, s := range t.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[REDACTED]")
		}
	}
	return scrubbed(text)
}
