package schedule

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"gatecamp/i18n"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
	"gatecamp/notify"
	"gatecamp/storage"
)

// Line is where a guild's runs are ordered and performed.
type Line interface {
	// Order stores a run as it is ordered now. A second run of one slot is storage.ErrConflict.
	Order(ctx context.Context, o storage.Order) (storage.Run, error)
	// Start takes up a run that was ordered; it returns at once, and the same run again is no error.
	Start(run storage.Run) error
}

// Sender delivers messages. Its errors are *discord.Undelivered, else they are taken for passing trouble; they never hold an address.
type Sender interface {
	Post(ctx context.Context, address secret.String, m notify.Message, files ...notify.File) error
	DirectMessage(ctx context.Context, person snowflake.ID, m notify.Message, files ...notify.File) error
}

// Store is what the schedule reads and remembers.
type Store interface {
	storage.Runs
	storage.Findings
	storage.People
	storage.Memory
	storage.Subscribers
	storage.Settings
	storage.Retention
}

// Guild is one guild and what it wants.
type Guild struct {
	ID       snowflake.ID
	Line     Line
	Spec     Spec          // when it is audited; zero: never by the clock
	Mode     string        // the action of scheduled runs; empty: "report"
	Deadline time.Duration // of a scheduled run; zero: 60 min
	Locale   string        // of messages that are made here; empty: English
	// Webhooks are addresses by name; SummaryWebhook is where summaries go. What is unset is not there.
	Webhooks map[string]secret.String
	Details  bool // the summary's webhook also gets the whole list, with names, as CSV
	// RetentionDays is how long records are kept: it is stored, and daily what is older goes. Zero: for ever.
	RetentionDays int
}

// SummaryWebhook is the name of the webhook that summaries of runs go to.
const SummaryWebhook = "summary"

// Config are the options of a Queue.
type Config struct {
	Shard  int // the gateway shard whose guilds this process owns; it works this shard's jobs and no others
	Store  Store
	Sender Sender
	Texts  *i18n.Catalogue
	// Name is how a member is called in the guild, for the list of people; nil: they have only ids there.
	Name func(guild, member snowflake.ID) string
	// Entitled says whether a subscriber may still hear about runs; nil: everyone who asked.
	Entitled func(ctx context.Context, guild, person snowflake.ID) (bool, error)
	// Alarm is told, besides webhook and people, what ReasonAlarm and ReasonWebhook stand for. It must not wait. May be nil.
	Alarm func(guild snowflake.ID, reason string, m notify.Message)
	// Notice writes a message into Auth, for everyone there who may see runs; nil: nobody wants that. It may be called twice with one
	// message when the process dies between writing and noting that.
	Notice func(ctx context.Context, m notify.Message) error

	Log   *slog.Logger     // discarded if nil
	Now   func() time.Time // the schedule's clock; time.Now if nil. Retries go by the queue's own
	Owner string           // tells this process from others in the queue
}

// Queue runs schedule and jobs of the guilds of one shard, for as long as this process owns them.
type Queue struct {
	cfg    Config
	client client
	rescue func(ctx context.Context, queues ...string) (int, error)

	mu     sync.Mutex
	guilds map[snowflake.ID]*kept
	handed map[int64]snowflake.ID // runs that were handed to their line in this process

	wake    chan struct{}      // has room for one: look now
	stop    context.CancelFunc // of everything
	endLoop context.CancelFunc
	ended   chan struct{} // closed when the loop has ended; nil before Start
	retry   func(attempt int) time.Duration
	// pruneAfter is how long after the start of a day, or of the process, old records go: not when everything else begins.
	pruneAfter time.Duration
}

// kept is a guild and what this process has seen of its schedule.
type kept struct {
	Guild
	since   time.Time // when its schedule began, as far as remembered; zero: not looked up yet
	success time.Time // when the guild was last looked at with success, as far as looked up
	settled time.Time // the newest slot that needs nothing more
	pruned  string    // the day of the last pruning that was ordered
}

// client is what is used of a river.Client, whatever its driver's transactions are.
type client interface {
	Insert(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
}

// Figures of the queue. A look for new jobs is cheap, and whoever presses a button waits for it; the rest is what Discord is asked at most.
const (
	fetchCooldown = 20 * time.Millisecond
	fetchPoll     = 200 * time.Millisecond
	runWorkers    = 4
	sendWorkers   = 4
	// How long jobs stay in their table that are done, or given up. A direct message names its reader there.
	keepDone   = time.Hour
	keepFailed = 24 * time.Hour
)

// Open makes the queue of one shard over River's tables, which migrations have made. Jobs may be added from now on; Start works them.
func Open[TTx any](driver riverdriver.Driver[TTx], cfg Config) (_ *Queue, err error) {
	defer wrap.Err(&err, "schedule.Open(shard %d)", cfg.Shard)
	if cfg.Store == nil || cfg.Sender == nil || cfg.Texts == nil {
		return nil, errors.New("a queue needs a store, a sender and texts")
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	q := &Queue{cfg: cfg, guilds: map[snowflake.ID]*kept{}, handed: map[int64]snowflake.ID{}, wake: make(chan struct{}, 1), retry: backoff, pruneAfter: 10 * time.Minute}
	workers := river.NewWorkers()
	for _, err := range []error{
		river.AddWorkerSafely(workers, &runWorker{q: q}), river.AddWorkerSafely(workers, &postWorker{q: q}),
		river.AddWorkerSafely(workers, &messageWorker{q: q}), river.AddWorkerSafely(workers, &noticeWorker{q: q}), river.AddWorkerSafely(workers, &pruneWorker{q: q}),
	} {
		if err != nil {
			return nil, err
		}
	}
	made, err := river.NewClient(driver, &river.Config{
		ID: cmp.Or(cfg.Owner, rand.Text()) + " " + q.runs(), Logger: quiet(cfg.Log), Workers: workers,
		Queues:        map[string]river.QueueConfig{q.runs(): {MaxWorkers: runWorkers}, q.sends(): {MaxWorkers: sendWorkers}},
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll,
		JobTimeout:                  -1, // each worker says its own; a run's deadline is the line's
		CompletedJobRetentionPeriod: keepDone, CancelledJobRetentionPeriod: keepFailed, DiscardedJobRetentionPeriod: keepFailed,
	})
	if err != nil {
		return nil, err
	}
	q.client = made
	q.rescue = func(ctx context.Context, queues ...string) (int, error) {
		return rescue(ctx, driver.GetExecutor(), queues)
	}
	return q, nil
}

// runs and sends are the shard's queues: what is slow to send never keeps a run from beginning.
func (q *Queue) runs() string  { return fmt.Sprintf("shard_%d", q.cfg.Shard) }
func (q *Queue) sends() string { return fmt.Sprintf("shard_%d_send", q.cfg.Shard) }

// Start works until Stop. This process must own the shard: jobs that an earlier owner left in the middle are taken up at once.
func (q *Queue) Start(ctx context.Context) (err error) {
	defer wrap.Err(&err, "schedule.Start")
	n, err := q.rescue(ctx, q.runs(), q.sends())
	if err != nil {
		return err
	}
	if n > 0 {
		q.cfg.Log.InfoContext(ctx, "jobs of the process before are taken up", "jobs", n)
	}
	// River would stop by itself when this context ends; here Stop alone ends it, in order.
	on, stop := context.WithCancel(context.WithoutCancel(ctx))
	if err := q.client.Start(on); err != nil {
		stop()
		return err
	}
	loop, endLoop := context.WithCancel(on)
	q.stop, q.endLoop, q.ended = stop, endLoop, make(chan struct{})
	go func() {
		defer close(q.ended)
		q.loop(loop)
	}()
	return nil
}

// Stop lets the jobs in hand finish until the context ends, then cuts them off; they are taken up again by the next owner.
func (q *Queue) Stop(ctx context.Context) (err error) {
	defer wrap.Err(&err, "schedule.Stop")
	if q.ended == nil {
		return nil
	}
	q.endLoop()
	<-q.ended
	err = q.client.Stop(ctx)
	if err != nil && ctx.Err() != nil {
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopAtOnce)
		defer cancel()
		err = q.client.StopAndCancel(brief)
	}
	q.stop()
	return err
}

// stopAtOnce is how long a job may take to notice that it was cut off.
const stopAtOnce = 5 * time.Second

// Keep begins with a guild, or changes what it wants, once it is in sight: what is due by now is made up for at once. Runs that wait
// are handed to the line again.
func (q *Queue) Keep(g Guild) {
	q.mu.Lock()
	k, known := q.guilds[g.ID]
	if !known {
		k = &kept{}
		q.guilds[g.ID] = k
	}
	k.Guild = g
	maps.DeleteFunc(q.handed, func(_ int64, of snowflake.ID) bool { return of == g.ID })
	q.mu.Unlock()
	q.Look()
}

// Drop ends a guild's schedule here; its jobs wait for whoever keeps it next.
func (q *Queue) Drop(guild snowflake.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.guilds, guild)
}

// Look lets the schedule look now at what is due.
func (q *Queue) Look() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) kept(guild snowflake.ID) (Guild, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k, ok := q.guilds[guild]
	if !ok {
		return Guild{}, false
	}
	return k.Guild, true
}

func (q *Queue) all() []*kept {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]*kept, 0, len(q.guilds))
	for _, k := range q.guilds {
		copied := *k
		list = append(list, &copied)
	}
	return list
}

// note writes back what was learnt about a guild, if it is still kept.
func (q *Queue) note(guild snowflake.ID, change func(*kept)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if k, ok := q.guilds[guild]; ok {
		change(k)
	}
}
