package auth

import (
	"context"
	"database/sql/driver"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// engine is the kind of database that Auth lives in.
type engine int

const (
	mysqlEngine engine = iota
	postgresEngine
	sqliteEngine
)

func (e engine) String() string {
	switch e {
	case mysqlEngine:
		return "MySQL/MariaDB"
	case postgresEngine:
		return "Postgres"
	case sqliteEngine:
		return "SQLite"
	}
	return "unknown"
}

// begin opens one consistent read-only snapshot. A MySQL session is set to REPEATABLE READ when it is opened; SQLite's files are opened
// read-only, and its snapshot starts with the first SELECT.
func (e engine) begin() string {
	switch e {
	case mysqlEngine:
		return "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
	case postgresEngine:
		return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	case sqliteEngine:
	}
	return "BEGIN"
}

// target is where Auth's database is. Nothing in it but secrets holds the password.
type target struct {
	engine    engine
	place     string // host and port, or file: fit for people
	database  string
	user      string
	secrets   []string // the password as it may turn up in a driver's text
	connector driver.Connector
}

// forms is the cure for every URL that is none.
const forms = "GATECAMP_AUTH_URL takes one of four forms: mysql://user:password@host:port/database, " +
	"postgres://user:password@host:port/database, sqlite:FILE, snapshot:FILE"

// escape is the cure for URLs that a special character of the password has broken.
const escape = forms + "; in a user name or password write special characters as %XX (@ is %40, / is %2F, # is %23, % is %25)"

// parse never puts the URL, or what a parser says about it, into an error: both may hold the password.
func parse(raw secret.String) (target, error) {
	scheme, rest, ok := strings.Cut(raw.Reveal(), ":")
	if !ok {
		return target{}, problem.New(problem.Usage, "the URL of Auth's database is not set or has no scheme", forms)
	}
	switch scheme {
	case "mysql":
		return parseMySQL(raw)
	case "postgres", "postgresql":
		return parsePostgres(raw)
	case "sqlite":
		return parseSQLite(rest)
	}
	return target{}, problem.New(problem.Usage, "the URL of Auth's database has a scheme that this reader does not know", forms)
}

// network reads what both network databases have in common.
func network(raw secret.String, engine engine, port string) (target, *url.URL, error) {
	u, err := url.Parse(raw.Reveal())
	if err != nil {
		return target{}, nil, problem.New(problem.Usage, "the URL of Auth's database cannot be read", escape)
	}
	t := target{engine: engine, database: strings.TrimPrefix(u.Path, "/"), user: u.User.Username()}
	password, set := u.User.Password()
	if set && password != "" {
		escaped := u.User.String()
		t.secrets = []string{password, url.QueryEscape(password), url.PathEscape(password), escaped[strings.IndexByte(escaped, ':')+1:]}
	}
	switch {
	case u.Hostname() == "":
		err = problem.New(problem.Usage, "the URL of Auth's database names no host", escape)
	case t.user == "":
		err = problem.New(problem.Usage, "the URL of Auth's database names no user", escape)
	case t.database == "" || strings.Contains(t.database, "/"):
		err = problem.New(problem.Usage, "the URL of Auth's database names no database, or more than one", escape)
	}
	t.place = u.Host
	if u.Port() == "" {
		t.place = net.JoinHostPort(u.Hostname(), port)
	}
	return t, u, err
}

// connectTime bounds reaching the server; packetTime bounds silence in the middle of an answer.
const (
	connectTime = 10 * time.Second
	packetTime  = time.Minute
)

func parseMySQL(raw secret.String) (target, error) {
	t, u, err := network(raw, mysqlEngine, "3306")
	if err != nil {
		return target{}, err
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName, config.User = "tcp", t.place, t.database, t.user
	config.Passwd, _ = u.User.Password()
	config.ParseTime, config.Loc = true, time.UTC
	config.Timeout, config.ReadTimeout, config.WriteTimeout = connectTime, packetTime, packetTime
	config.Logger = &mysql.NopLogger{}
	config.TLSConfig = "preferred"
	for name, values := range u.Query() {
		if name != "tls" || len(values) != 1 || !mysqlTLS(values[0]) {
			return target{}, problem.New(problem.Usage, "the URL of Auth's database has an option that this reader does not know",
				"the one option of mysql:// is tls=true, tls=preferred (the default), tls=skip-verify or tls=false")
		}
		config.TLSConfig = values[0]
	}
	inner, err := mysql.NewConnector(config)
	if err != nil {
		return target{}, problem.New(problem.Usage, "the URL of Auth's database cannot be read", escape)
	}
	t.connector = mysqlSession{inner}
	return t, nil
}

func mysqlTLS(value string) bool {
	switch value {
	case "true", "preferred", "skip-verify", "false":
		return true
	}
	return false
}

// mysqlSession makes every session read-only and repeatable once, when it is opened: a server's default may be anything.
type mysqlSession struct{ driver.Connector }

func (s mysqlSession) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if session, ok := conn.(driver.ExecerContext); ok {
		_, err = session.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", nil)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func parsePostgres(raw secret.String) (target, error) {
	t, _, err := network(raw, postgresEngine, "5432")
	if err != nil {
		return target{}, err
	}
	config, err := pgx.ParseConfig(raw.Reveal())
	if err != nil {
		return target{}, problem.New(problem.Usage, "the URL of Auth's database has an option that cannot be read", escape)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	// Statements without a name work behind a pooler that shares connections.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	t.connector = stdlib.GetConnector(*config)
	return t, nil
}

func parseSQLite(file string) (target, error) {
	file = strings.TrimPrefix(file, "//")
	if file == "" {
		return target{}, problem.New(problem.Usage, "the URL of Auth's database names no file", forms)
	}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"}
	return target{engine: sqliteEngine, place: file, connector: sqliteFile(name.String())}, nil
}

// sqliteFile opens one file read-only: a missing one is not made.
type sqliteFile string

func (f sqliteFile) Connect(context.Context) (driver.Conn, error) { return f.Driver().Open(string(f)) }
func (f sqliteFile) Driver() driver.Driver                        { return &sqlite.Driver{} }
