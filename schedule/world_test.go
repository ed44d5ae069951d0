package schedule

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"go.uber.org/goleak"

	"gatecamp/i18n"
	"gatecamp/internal/secret"
	"gatecamp/migrations"
	"gatecamp/notify"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	guildID = snowflake.ID(900000000000000001)
	person  = snowflake.ID(112233445566778899)
	canary  = "c4n4ry-t0ken-that-must-stay-secret"
)

var address = secret.New("https://discord.com/api/webhooks/900000000000000099/" + canary)

// base is a migrated database; each open is as another process sees it.
type base struct {
	open func(t testing.TB) store
}

// store is an open database and a way to make a queue over it.
type store struct {
	storage.Store
	sql   *sql.DB
	queue func(Config) (*Queue, error)
}

// eachDatabase runs the test on SQLite and, if one is at hand, on Postgres.
func eachDatabase(t *testing.T, run func(t *testing.T, db base)) {
	t.Run("sqlite", func(t *testing.T) { run(t, sqliteBase(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, postgresBase(t)) })
}

func sqliteBase(t testing.TB) base {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatecamp.db")
	storagetest.SQLiteFile(t, path)
	return base{func(t testing.TB) store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Relaxed: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return store{s, s.SQL(), func(c Config) (*Queue, error) { return Open(riversqlite.New(s.SQL()), c) }}
	}}
}

func postgresBase(t testing.TB) base {
	t.Helper()
	server := os.Getenv("GATECAMP_TEST_POSTGRES_URL")
	if server == "" {
		t.Skip("GATECAMP_TEST_POSTGRES_URL is not set: no Postgres to test against")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("GATECAMP_TEST_POSTGRES_URL is not a URL")
	}
	connect := func(t testing.TB, address string) *postgres.Store {
		t.Helper()
		s, err := postgres.Open(t.Context(), secret.New(address), postgres.Config{Connections: 10})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	name, root := "test_"+strings.ToLower(rand.Text()), connect(t, server)
	if _, err := root.SQL().ExecContext(t.Context(), `CREATE SCHEMA `+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := root.SQL().ExecContext(context.WithoutCancel(t.Context()), `DROP SCHEMA `+name+` CASCADE`); err != nil {
			t.Error(err)
		}
	})
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	open := func(t testing.TB) store {
		t.Helper()
		s := connect(t, u.String())
		return store{s, s.SQL(), func(c Config) (*Queue, error) { return Open(riverpgxv5.New(s.Pool()), c) }}
	}
	if _, err := migrations.Up(t.Context(), open(t).sql, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	return base{open}
}

// process is one gatecamp with a clock that the test sets.
type process struct {
	*Queue
	store
	line   *line
	sender *sender
	alarms chan notify.Message
	log    *logBuffer
	clock  *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// line orders in the record, as the engine does, and notes what it is told to begin.
type line struct {
	store   storage.Runs
	clock   *clock
	started chan storage.Run
	refuse  func(storage.Run) error
}

func (l *line) Order(ctx context.Context, o storage.Order) (storage.Run, error) {
	return l.store.CreateRun(ctx, guildID, o, l.clock.now())
}

func (l *line) Start(run storage.Run) error {
	if l.refuse != nil {
		if err := l.refuse(run); err != nil {
			return err
		}
	}
	l.started <- run
	return nil
}

// delivery is what the sender was asked to send, to a webhook or to a person.
type delivery struct {
	address string
	person  snowflake.ID
	message notify.Message
	files   []notify.File
}

// sender answers as the test says: one error after another, then success.
type sender struct {
	mu      sync.Mutex
	answers []error
	panics  any
	hold    bool // until the context ends
	sent    chan delivery
}

func (s *sender) deliver(ctx context.Context, d delivery) error {
	s.mu.Lock()
	var err error
	if len(s.answers) > 0 {
		err, s.answers = s.answers[0], s.answers[1:]
	}
	panics := s.panics
	s.panics = nil
	s.mu.Unlock()
	if panics != nil {
		s.sent <- d
		panic(panics)
	}
	s.sent <- d
	if s.hold {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (s *sender) Post(ctx context.Context, address secret.String, m notify.Message, files ...notify.File) error {
	return s.deliver(ctx, delivery{address: address.Reveal(), message: m, files: files})
}

func (s *sender) DirectMessage(ctx context.Context, person snowflake.ID, m notify.Message, files ...notify.File) error {
	return s.deliver(ctx, delivery{person: person, message: m, files: files})
}

func texts(t testing.TB) *i18n.Catalogue {
	t.Helper()
	all, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// newProcess opens the database as a process that has the shard, without starting its queue.
func newProcess(t testing.TB, db base, change ...func(*Config)) *process {
	t.Helper()
	s := db.open(t)
	p := &process{
		store: s, clock: &clock{at: noon}, sender: &sender{sent: make(chan delivery, 100)}, alarms: make(chan notify.Message, 10), log: &logBuffer{},
	}
	p.line = &line{store: s, clock: p.clock, started: make(chan storage.Run, 100)}
	c := Config{
		Store: s, Sender: p.sender, Texts: texts(t), Now: p.clock.now, Owner: "process-" + rand.Text(),
		Log:   slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Alarm: func(_ snowflake.ID, _ string, m notify.Message) { p.alarms <- m },
	}
	for _, f := range change {
		f(&c)
	}
	q, err := s.queue(c)
	if err != nil {
		t.Fatal(err)
	}
	q.retry = func(int) time.Duration { return time.Millisecond }
	q.pruneAfter = 0
	p.Queue = q
	return p
}

// start works the queue until the test ends.
func (p *process) start(t testing.TB) {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func (p *process) guild(text string, t testing.TB) Guild {
	t.Helper()
	return Guild{ID: guildID, Line: p.line, Spec: spec(t, text), Webhooks: map[string]secret.String{SummaryWebhook: address}}
}

// pass looks at the guild once, and says what was ordered by then.
func (p *process) pass(t testing.TB) {
	t.Helper()
	for _, k := range p.all() {
		if _, err := p.look(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
}

// slots are the slots of all runs, oldest first.
func (p *process) slots(t testing.TB) (all []string) {
	t.Helper()
	runs, err := p.Runs(t.Context(), guildID, storage.RunFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		all = append([]string{r.Order.Slot}, all...)
	}
	return all
}

// end brings a run to its end, as the bot does.
func (p *process) end(t testing.TB, run storage.Run, state storage.RunState, code string) {
	t.Helper()
	at := p.clock.now()
	for _, m := range []storage.Move{
		{Run: run.ID, From: storage.Pending, To: storage.Running, At: at, Owner: "o"}, {Run: run.ID, From: storage.Running, To: state, At: at, Error: code},
	} {
		if _, err := p.MoveRun(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// newest is the newest run.
func (p *process) newest(t testing.TB) storage.Run {
	t.Helper()
	runs, err := p.Runs(t.Context(), guildID, storage.RunFilter{Page: storage.Page{Limit: 1}})
	if err != nil || len(runs) == 0 {
		t.Fatalf("no run: %v", err)
	}
	return runs[0]
}

// next waits for a signal, and fails when none comes.
func next[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s never came", what)
		panic("not reached")
	}
}

// jobs are the rows of the queue as text: kind, state, and everything else in them.
func (p *process) jobs(t testing.TB) (states []string, text string) {
	t.Helper()
	rows, err := p.sql.QueryContext(t.Context(), `SELECT kind, CAST(state AS TEXT), `+p.asText("args")+`, COALESCE(`+p.asText("errors")+`, ''), `+p.asText("metadata")+` FROM river_job ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var kind, state, args, errs, metadata string
		if err := rows.Scan(&kind, &state, &args, &errs, &metadata); err != nil {
			t.Fatal(err)
		}
		states = append(states, kind+" "+state)
		fmt.Fprintln(&b, kind, state, args, errs, metadata)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return states, b.String()
}

func (p *process) isPostgres() bool { _, is := p.Store.(*postgres.Store); return is }

func (p *process) asText(column string) string {
	switch {
	case !p.isPostgres():
		return "json(" + column + ")"
	case column == "errors":
		return "array_to_string(errors, ' ')"
	}
	return column + "::text"
}

// settle waits until no job of the queue has anything to do.
func (p *process) drained(t testing.TB) []string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		states, _ := p.jobs(t)
		open := false
		for _, s := range states {
			open = open || !strings.HasSuffix(s, "completed") && !strings.HasSuffix(s, "cancelled") && !strings.HasSuffix(s, "discarded")
		}
		if !open {
			return states
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("jobs are still open: %v", states)
		}
	}
}
