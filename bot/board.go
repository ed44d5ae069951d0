package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/notify"
	"gatecamp/storage"
)

// Channel is where a board posts; *discord.Client is one.
type Channel interface {
	Send(ctx context.Context, channel snowflake.ID, m notify.Message, files ...notify.File) (snowflake.ID, error)
	Edit(ctx context.Context, channel, message snowflake.ID, m notify.Message, files ...notify.File) error
}

// BoardMemory keeps which message belongs to which run, so that a restart goes on with it.
type BoardMemory interface {
	Remember(ctx context.Context, guild snowflake.ID, name string, value []byte, at time.Time) error
	Recall(ctx context.Context, guild snowflake.ID, name string) ([]byte, time.Time, error)
	Forget(ctx context.Context, guild snowflake.ID, name string) error
}

// Givers tells who gave roles, as Discord says.
type Givers interface {
	RoleGrants(ctx context.Context, guild snowflake.ID, members []snowflake.ID, since time.Time) ([]storage.RoleGrant, error)
}

// BoardConfig says where a board posts and how often. The zero durations are replaced by the defaults.
type BoardConfig struct {
	Guild   snowflake.ID
	Channel snowflake.ID // the guild's channel for its admins
	Post    Channel
	Memory  BoardMemory
	Printer func() *i18n.Printer // of the guild's locale as it is now
	// Summary is what a run came to, without any person; the board names those who were acted on itself.
	Summary func(*reconcile.Report) notify.Run
	// Names says what people are called whom Auth does not know; nil: nobody knows.
	Names  func(ctx context.Context, ids []snowflake.ID) (map[snowflake.ID]string, error)
	Givers Givers       // nil: who gave a role is not told
	Log    *slog.Logger // discarded if nil

	Edits  time.Duration // between two edits of one run's message; 3 s
	Lines  time.Duration // between two messages of lines; 1 s
	Gather time.Duration // in which findings without a privileged role are gathered; 10 min
	Repeat time.Duration // in which one kind of trouble is told once; 1 h
}

// What a board keeps at most of what could not be posted yet, and of what it has told.
const (
	mostRuns  = 32
	mostLines = 200
	mostTold  = 4096
	toldLasts = 24 * time.Hour // a finding is not told again in this time
)

// Board tells a guild's admins in their channel: a message for each run, which follows it to its end; a line at once where a privileged
// role is in the wrong hands, the other findings gathered; and what goes wrong.
//
// Nobody who tells it something waits, and nothing depends on it: what cannot be posted is kept as far as there is room, and counted.
type Board struct {
	cfg  BoardConfig
	wake chan struct{}

	mu       sync.Mutex
	runs     map[int64]*runPost
	alerts   []boardLine
	troubles []boardLine
	fired    []boardLine // rules that did something
	gathered []boardLine
	due      time.Time             // of what was gathered
	lined    time.Time             // when lines were posted last
	told     map[snowflake.ID]told // findings, by member
	repeats  map[string]*repeated
	mute     time.Time // nothing is posted before
	dropped  int       // since the last message of lines
	lost     uint64
	complain time.Time // when the log was last told that nothing can be posted
}

// runPost is a run and its message.
type runPost struct {
	run      storage.Run
	done, of int
	acting   time.Time       // when the first step was told
	end      *notify.Message // nil: at work
	silent   bool            // nothing of it is worth a message
	posted   snowflake.ID    // zero: not yet
	recalled bool
	dirty    bool
	last     time.Time
}

// boardLine is a line about a member, or about something that is wrong.
type boardLine struct {
	member snowflake.ID // zero: about nobody
	main   string       // their main character and Auth user; empty: Auth does not know them
	roles  []snowflake.ID
	at     time.Time // when it was found
	text   string
}

// told is the finding about a member that was told last.
type told struct {
	what string
	at   time.Time
}

// repeated is a trouble that was told.
type repeated struct {
	at    time.Time
	again int // since then
}

var _ Teller = (*Board)(nil)

// NewBoard makes a board; Run makes it post.
func NewBoard(cfg BoardConfig) *Board {
	for d, otherwise := range map[*time.Duration]time.Duration{
		&cfg.Edits: 3 * time.Second, &cfg.Lines: time.Second, &cfg.Gather: 10 * time.Minute, &cfg.Repeat: time.Hour,
	} {
		if *d <= 0 {
			*d = otherwise
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Board{cfg: cfg, wake: make(chan struct{}, 1), runs: map[int64]*runPost{}, told: map[snowflake.ID]told{}, repeats: map[string]*repeated{}}
}

// Dropped is how many lines and runs were never shown.
func (b *Board) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// with changes the state and wakes whoever posts.
func (b *Board) with(do func()) {
	b.mu.Lock()
	do()
	b.mu.Unlock()
	nudge(b.wake)
}

// RunBegan opens a message for the run.
func (b *Board) RunBegan(run storage.Run) {
	b.with(func() {
		if p := b.post(run); p != nil {
			p.run, p.dirty, p.end = run, true, nil
		}
	})
}

// RunWent says how far it came.
func (b *Board) RunWent(run storage.Run, done, of int) {
	b.with(func() {
		p := b.post(run)
		if p == nil {
			return
		}
		if p.acting.IsZero() {
			p.acting = time.Now()
		}
		p.run, p.done, p.of, p.dirty = run, done, of, true
	})
}

// RunEnded turns the message into the run's summary.
func (b *Board) RunEnded(r *reconcile.Report, err error) {
	if r == nil {
		b.cfg.Log.Warn("a run ended without a report", "guild", b.cfg.Guild, "error", err)
		b.Trouble(b.cfg.Guild, TroubleRun, wordsOf(err))
		return
	}
	m, news := b.summary(r, err)
	b.with(func() {
		if p := b.post(r.Run); p != nil {
			p.run, p.end, p.dirty, p.silent = r.Run, &m, true, !news
		}
	})
}

// post is the run's entry; nil where there is no room for one more. mu is held.
func (b *Board) post(run storage.Run) *runPost {
	if p := b.runs[run.ID]; p != nil {
		return p
	}
	if len(b.runs) >= mostRuns {
		b.lost++
		return nil
	}
	p := &runPost{silent: run.Order.Kind == reconcile.KindCatchUp} // ours, and told only if something comes of it
	b.runs[run.ID] = p
	return p
}

// Looked tells of findings and of what was done.
func (b *Board) Looked(r *reconcile.Report) {
	b.settled(r)
	alerts, others := b.lines(r)
	b.mended(r)
	if len(alerts)+len(others) == 0 {
		return
	}
	b.with(func() {
		b.alerts = b.add(b.alerts, alerts)
		if b.gathered = b.add(b.gathered, others); b.due.IsZero() && len(b.gathered) > 0 {
			b.due = time.Now().Add(b.cfg.Gather)
		}
	})
}

// Trouble tells what goes wrong, one kind of it once in a while.
func (b *Board) Trouble(_ snowflake.ID, code, detail string) {
	b.with(func() {
		key := code
		if slices.Contains([]string{TroubleFight, TroubleRejoins, TroubleContain, TroubleRule}, code) { // each is another one
			key += detail
		}
		now, before := time.Now(), b.repeats[key]
		if before != nil && now.Sub(before.at) < b.cfg.Repeat {
			before.again++
			return
		}
		again := 0
		if before != nil {
			again = before.again
		}
		forget(b.repeats, func(r *repeated) bool { return now.Sub(r.at) >= b.cfg.Repeat })
		b.repeats[key] = &repeated{at: now}
		b.troubles = b.add(b.troubles, []boardLine{b.trouble(code, detail, again)})
	})
}

// add appends as many lines as there is room for. mu is held.
func (b *Board) add(to, more []boardLine) []boardLine {
	room := max(mostLines-len(to), 0)
	if over := len(more) - room; over > 0 {
		b.dropped += over
		b.lost += uint64(over)
		more = more[:room]
	}
	return append(to, more...)
}

// isNew reports whether a finding is another one than was told of the member last, and notes that it is told now.
func (b *Board) isNew(member snowflake.ID, what string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if last, is := b.told[member]; is && last.what == what && now.Sub(last.at) < toldLasts {
		return false
	}
	forget(b.told, func(t told) bool { return now.Sub(t.at) >= toldLasts })
	b.told[member] = told{what, now}
	return true
}

// settled forgets what was told of members who were looked at and of whom nothing is found any more: when it comes again it is news.
func (b *Board) settled(r *reconcile.Report) {
	if r.Look == nil || r.Look.Verdict.Health == audit.Blind {
		return // it closes nothing
	}
	found := map[snowflake.ID]struct{}{}
	for i := range r.Decisions {
		if d := &r.Decisions[i]; d.Category.IsFinding() || d.Category == audit.Undecidable {
			found[d.Member] = struct{}{}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range r.Seen {
		if _, is := found[id]; !is {
			delete(b.told, id)
		}
	}
}

// mended forgets what was told of members from whom something was taken: when they have it again, it is news.
func (b *Board) mended(r *reconcile.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range r.Outcomes {
		if o.Result == audit.Done {
			delete(b.told, o.Action.Member)
		}
	}
}

// forget makes room in a map that is full: what is old, and if that is not enough, anything.
func forget[K comparable, V any](m map[K]V, old func(V) bool) {
	if len(m) < mostTold {
		return
	}
	for k, v := range m {
		if old(v) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < mostTold {
			return
		}
		delete(m, k)
	}
}

// wordsOf is an error in words for people: those of a problem; anything else is in the log.
func wordsOf(err error) string {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Error()
	}
	return ""
}

// place is where the message of a run is, as it is remembered.
type place struct {
	Channel snowflake.ID `json:"channel"`
	Message snowflake.ID `json:"message"`
}

func placeName(run int64) string { return fmt.Sprintf("board.run.%d", run) }

// recall finds the message that an earlier process made for the run.
func (b *Board) recall(ctx context.Context, run int64) (snowflake.ID, error) {
	value, _, err := b.cfg.Memory.Recall(ctx, b.cfg.Guild, placeName(run))
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	var at place
	if err != nil || json.Unmarshal(value, &at) != nil || at.Channel != b.cfg.Channel {
		return 0, err
	}
	return at.Message, nil
}

func (b *Board) remember(ctx context.Context, run int64, message snowflake.ID) error {
	value, err := json.Marshal(place{b.cfg.Channel, message})
	if err != nil {
		return err
	}
	return b.cfg.Memory.Remember(ctx, b.cfg.Guild, placeName(run), value, time.Now().UTC())
}
