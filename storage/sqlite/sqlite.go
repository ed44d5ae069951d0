// Package sqlite keeps everything in one file. It is the embedded default: one process acts, all others read and queue beside it.
//
// What must stay true: one connection writes, and takes the write lock when its transaction begins; readers cannot write. The roles
// are those of package relational, so the statements are those of Postgres.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver

	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/storage/relational"
)

// Config says where the database is and how careful it is.
type Config struct {
	Path    string        // of the file; its folder must exist
	Relaxed bool          // does not wait for the disk: for tests only, a power cut may lose or damage the file
	Wait    time.Duration // for another process that writes; zero: 5 s
	Readers int           // connections that read; zero: 4
}

// Store satisfies storage.Store.
type Store struct {
	*relational.Store
	database *database
	writer   *sql.DB
	reader   *sql.DB
	lock     *lock
}

var _ storage.Store = (*Store)(nil)

// Open opens the file, making an empty one if there is none, and does not migrate. A file of another program is storage.ErrForeign
// and stays as it is.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	defer wrap.Err(&err, "sqlite.Open(%s)", c.Path)
	if c.Wait <= 0 {
		c.Wait = 5 * time.Second
	}
	if c.Readers <= 0 {
		c.Readers = 4
	}
	if c.Path, err = filepath.Abs(c.Path); err != nil {
		return nil, err
	}
	file, err := prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	writer, err := sql.Open("sqlite", c.source(false))
	if err != nil {
		return nil, err
	}
	reader, err := sql.Open("sqlite", c.source(true))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	// Connections stay open, so that a busy program does not pay for opening.
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(c.Readers)
	reader.SetMaxIdleConns(c.Readers)
	db := &database{writer: newStatements(writer), reader: newStatements(reader), path: c.Path, file: file}
	s := &Store{Store: relational.New(db), database: db, writer: writer, reader: reader}
	s.lock = newLock(c.Path+".lock", db)
	db.lock = s.lock
	for _, pool := range []*sql.DB{writer, reader} {
		if err := c.reach(ctx, pool); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// reach makes a pool's first connection. Switching a new file to write-ahead logging is not waited for by SQLite's own busy_timeout
// (https://www.sqlite.org/c3ref/busy_handler.html), so two that open it at once are told apart here.
func (c Config) reach(ctx context.Context, pool *sql.DB) error {
	until := time.Now().Add(c.Wait)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := translate(ctx, pool.PingContext(ctx))
		if !errors.Is(err, storage.ErrLocked) || time.Now().After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// SQL is the connection that writes, for migrations and for the queue.
func (s *Store) SQL() *sql.DB { return s.writer }

// BlockStream tells of blocks that any process changed, by looking at the file.
func (s *Store) BlockStream() *relational.Probe { return relational.NewProbe(s.Store) }

// Close ends all connections and frees the lock file.
func (s *Store) Close() error { return errors.Join(s.reader.Close(), s.writer.Close(), s.lock.free()) }

// source is the driver's address of the file. Times are stored as microseconds, so that they sort.
func (c Config) source(readOnly bool) string {
	q := url.Values{"_time_integer_format": {"unix_micro"}, "_inttotime": {"1"}}
	pragma := []string{"busy_timeout(" + strconv.FormatInt(c.Wait.Milliseconds(), 10) + ")", "foreign_keys(1)", "recursive_triggers(1)"}
	if readOnly {
		pragma = append(pragma, "query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
		pragma = append(pragma, "journal_mode(WAL)", "synchronous("+c.synchronous()+")")
	}
	q["_pragma"] = pragma
	return c.address(q)
}

func (c Config) address(q url.Values) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(c.Path)}).EscapedPath() + "?" + q.Encode()
}

func (c Config) synchronous() string {
	if c.Relaxed {
		return "OFF"
	}
	return "FULL"
}

// prepare makes an empty file that only its owner can read, or looks into the one that is there without changing it.
func prepare(ctx context.Context, c Config) (fs.FileInfo, error) {
	info, err := os.Stat(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(c.Path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, problem.New(problem.Usage, "the database file "+c.Path+" cannot be made",
				"check that its folder exists and that gatecamp may write there (GATECAMP_DATA_DIR)").Because(errors.Join(storage.ErrGone, err))
		}
		info, err = f.Stat()
		return info, errors.Join(err, f.Close())
	case err != nil:
		return nil, gone(err)
	case info.IsDir():
		return nil, problem.New(problem.Usage, c.Path+" is a folder, not a database file", "name the file in it").Because(storage.ErrGone)
	case info.Size() == 0:
		return info, nil
	}
	return info, ours(ctx, c)
}

// ours refuses a file that holds another program's tables. It looks read-only: opening for writing would change the file already.
func ours(ctx context.Context, c Config) (err error) {
	db, err := sql.Open("sqlite", c.address(url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(" + strconv.FormatInt(c.Wait.Milliseconds(), 10) + ")"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables, known int
	err = db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(name = 'gatecamp'), 0) FROM sqlite_master
		WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version' AND name NOT LIKE 'river\_%' ESCAPE '\'`).Scan(&tables, &known)
	if err != nil {
		return translate(ctx, err)
	}
	if tables > 0 && known == 0 {
		return problem.New(problem.Usage, c.Path+" belongs to another program; it was left as it is",
			"name another file, or another folder in GATECAMP_DATA_DIR").Because(storage.ErrForeign)
	}
	return nil
}
