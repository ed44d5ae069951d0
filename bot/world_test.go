package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/storage"
)

const (
	guildID = snowflake.ID(900)
	botID   = snowflake.ID(42)
	plain   = snowflake.ID(10) // role
	mighty  = snowflake.ID(11) // role with Administrator
	named   = snowflake.ID(12) // role that the policy calls privileged
)

// lookedAt is one look that the line was asked for.
type lookedAt struct {
	ids        []snowflake.ID
	began, end time.Time
}

// world is a guild in a bubble: a line that does what a test tells it, and everything it was asked for.
type world struct {
	t     *testing.T
	guild *Guild
	began time.Time
	stop  context.CancelFunc
	ended chan error

	mu        sync.Mutex
	members   map[snowflake.ID]audit.RoleSet
	roles     []audit.Role
	complete  bool
	looks     []lookedAt
	sweeps    []storage.Run
	reads     int // of everybody
	orders    int64
	runs      map[int64]storage.Run
	findings  []storage.Finding
	grants    []storage.RoleGrant
	memory    map[string][]byte
	entries   []audit.Event // the audit log
	after     []snowflake.ID
	policy    storage.Policy
	paused    bool
	locked    bool
	reach     string
	drift     string
	blocked   []snowflake.ID
	contained []reconcile.Contain
	noContain error
	told      []string // codes of trouble
	details   []string
	reports   []*reconcile.Report
	runsTold  []string
	recovers  int

	// What a look, a sweep or a read is to do; nil: nothing, at once.
	onLook  func(ctx context.Context, ids []snowflake.ID) (*reconcile.Report, error)
	onSweep func(ctx context.Context, run storage.Run) (*reconcile.Report, error)
	onRead  func(ctx context.Context, ids []snowflake.ID) error
	noKeep  error
}

// inBubble runs a test in a bubble with a guild whose clock stands still while nobody waits.
func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, began: time.Now(), ended: make(chan error, 1), complete: true, locked: true,
			members: map[snowflake.ID]audit.RoleSet{}, runs: map[int64]storage.Run{}, memory: map[string][]byte{},
			roles: []audit.Role{{ID: guildID}, {ID: plain}, {ID: mighty, Permissions: audit.Administrator}, {ID: named}},
		}
		test(w)
		w.end()
	})
}

// begin makes the guild and lets it work; change may alter how patient it is.
func (w *world) begin(change ...func(*Config)) {
	cfg := Config{Guild: guildID, Bot: botID, Line: (*stubLine)(w), Guilds: (*stubGuilds)(w), Sight: (*stubSight)(w), Store: (*stubStore)(w), Teller: (*stubTeller)(w)}
	for _, f := range change {
		f(&cfg)
	}
	w.guild = New(cfg)
	w.work()
}

func (w *world) work() {
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop = stop
	go func() { w.ended <- w.guild.Run(ctx) }()
	synctest.Wait()
}

// settled lets the start's own look at everybody pass and forgets what has happened so far.
func (w *world) settled() {
	w.pass(11 * time.Second)
	w.forget()
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks, w.sweeps, w.told, w.details, w.reports, w.runsTold, w.reads = nil, nil, nil, nil, nil, nil, 0
}

// end stops the guild and waits for it.
func (w *world) end() {
	w.t.Helper()
	if w.stop == nil {
		return
	}
	w.stop()
	w.stop = nil
	if err := <-w.ended; err != nil {
		w.t.Errorf("the guild ended with %v", err)
	}
}

// pass lets time pass and everybody do what they then do.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// set changes what the stubs go by.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// take is how a look takes its time.
func (w *world) take(d time.Duration) { time.Sleep(d) }

func (w *world) event(why audit.Why, member snowflake.ID) {
	w.guild.Event(audit.Event{Guild: guildID, Scope: audit.OneMember, Member: member, Why: why, Seen: time.Now()})
}

// session says that a session began anew.
func (w *world) session(why audit.Why) {
	w.guild.Event(audit.Event{Scope: audit.WholeGuild, Why: why, Seen: time.Now()})
}

func (w *world) whole(why audit.Why) {
	w.guild.Event(audit.Event{Guild: guildID, Scope: audit.WholeGuild, Why: why, Seen: time.Now()})
}

func (w *world) lookedAt(id snowflake.ID) (looks []lookedAt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.looks {
		if slices.Contains(l.ids, id) {
			looks = append(looks, l)
		}
	}
	return looks
}

func (w *world) wantLooks(id snowflake.ID, n int) []lookedAt {
	w.t.Helper()
	looks := w.lookedAt(id)
	if len(looks) != n {
		w.t.Fatalf("member %d was looked at %d times, want %d", id, len(looks), n)
	}
	return looks
}

func (w *world) wantTold(codes ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, codes) {
		w.t.Fatalf("told of %q (%q), want %q", w.told, w.details, codes)
	}
}

func (w *world) wantSweeps(kinds ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, run := range w.sweeps {
		got = append(got, run.Order.Kind)
	}
	if !slices.Equal(got, kinds) {
		w.t.Fatalf("runs %q, want %q", got, kinds)
	}
}

// holding gives a member roles in the mirror, by index.
func (w *world) holding(id snowflake.ID, roles ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var set audit.RoleSet
	for _, i := range roles {
		set = set.With(i)
	}
	w.members[id] = set
}

// verdict is a report of a look at an Auth that stands like this.
func verdict(h audit.Health) *reconcile.Report {
	return &reconcile.Report{Look: &reconcile.Look{Verdict: audit.Verdict{Health: h}}}
}

type (
	stubLine   world
	stubGuilds world
	stubSight  world
	stubStore  world
	stubTeller world
)

func (s *stubLine) One(ctx context.Context, ids []snowflake.ID, guilds reconcile.LiveGuilds, _ reconcile.Writer) (*reconcile.Report, error) {
	w := (*world)(s)
	began := time.Now()
	w.mu.Lock()
	onLook := w.onLook
	w.mu.Unlock()
	_, _, err := guilds.Members(ctx, ids)
	r := verdict(audit.Healthy)
	if err == nil && onLook != nil {
		r, err = onLook(ctx, ids)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = append(w.looks, lookedAt{slices.Clone(ids), began, time.Now()})
	return r, err
}

func (s *stubLine) Sweep(ctx context.Context, run storage.Run, guilds reconcile.Guilds, _ reconcile.Writer) (*reconcile.Report, error) {
	w := (*world)(s)
	if _, err := guilds.Picture(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.sweeps = append(w.sweeps, run)
	onSweep := w.onSweep
	w.mu.Unlock()
	if onSweep != nil {
		return onSweep(ctx, run)
	}
	r := verdict(audit.Healthy)
	r.Run = run
	w.mu.Lock()
	defer w.mu.Unlock()
	run.State = storage.Succeeded
	w.runs[run.ID] = run
	return r, nil
}

func (s *stubLine) Order(_ context.Context, o storage.Order) (storage.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders++
	run := storage.Run{ID: s.orders, Guild: guildID, Order: o, State: storage.Pending, Created: time.Now()}
	s.runs[run.ID] = run
	return run, nil
}

func (s *stubLine) TakeOver(_ context.Context, id int64) (storage.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.runs[id]
	if run.State == storage.Running {
		if time.Since(run.Heartbeat) < reconcile.DeadAfter {
			return run, stillAtWork()
		}
		run.State, run.Error = storage.Interrupted, "no_sign_of_life"
		s.runs[id] = run
	}
	return run, nil
}

func (s *stubLine) Recover(context.Context, reconcile.Guilds) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovers++
	return 0, nil
}

func (s *stubLine) IsBlocked(member snowflake.ID) bool {
	w := (*world)(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.blocked, member)
}

func (s *stubLine) Contain(_ context.Context, c reconcile.Contain, _ reconcile.LiveGuilds, _ reconcile.Writer) (*reconcile.Report, error) {
	w := (*world)(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.contained = append(w.contained, c)
	return &reconcile.Report{Contain: &c}, w.noContain
}

func (s *stubLine) DiscordIDs(_ context.Context, sub enforcement.Subject) ([]snowflake.ID, error) {
	return []snowflake.ID{snowflake.ID(sub.ID)}, nil
}

func (s *stubLine) BlockedPresent(context.Context, reconcile.LiveGuilds) ([]snowflake.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked, nil
}

func (s *stubGuilds) picture() reconcile.Picture {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := reconcile.Picture{Guild: audit.Guild{ID: guildID, Bot: botID, Roles: s.roles}, Complete: s.complete, Live: true, At: time.Now()}
	for id, set := range s.members {
		p.Members = append(p.Members, audit.Member{ID: id, Roles: set})
	}
	return p
}

func (s *stubGuilds) Picture(context.Context) (reconcile.Picture, error) {
	p := s.picture()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	s.complete = true
	return p, nil
}

func (s *stubGuilds) Known(context.Context) (reconcile.Picture, error) { return s.picture(), nil }

func (s *stubGuilds) Member(context.Context, snowflake.ID) (audit.Guild, audit.Member, error) {
	return audit.Guild{}, audit.Member{}, reconcile.ErrNoMember
}

func (s *stubGuilds) Members(ctx context.Context, ids []snowflake.ID) (audit.Guild, []audit.Member, error) {
	s.mu.Lock()
	onRead := s.onRead
	s.mu.Unlock()
	if onRead != nil {
		if err := onRead(ctx, ids); err != nil {
			return audit.Guild{}, nil, err
		}
	}
	return audit.Guild{}, nil, nil
}

func (s *stubSight) Holds(id snowflake.ID) (audit.RoleSet, []audit.Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[id], s.roles
}

func (s *stubSight) Reach() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reach
}

func (s *stubSight) Drift(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drift, nil
}

func (s *stubSight) AuditEntries(_ context.Context, after snowflake.ID) (events []audit.Event, last snowflake.ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, after)
	last = after
	for _, e := range s.entries {
		if after != 0 && e.Grant.Entry > after {
			events = append(events, e)
		}
		last = max(last, e.Grant.Entry)
	}
	return events, last, nil
}

func (s *stubStore) Run(_ context.Context, id int64) (storage.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run, is := s.runs[id]
	if !is {
		return run, storage.ErrNotFound
	}
	return run, nil
}

func (s *stubStore) Runs(_ context.Context, _ snowflake.ID, f storage.RunFilter) (runs []storage.Run, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, run := range s.runs {
		if len(f.States) == 0 || slices.Contains(f.States, run.State) {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b storage.Run) int { return int(b.ID - a.ID) })
	return runs, nil
}

func (s *stubStore) MoveRun(_ context.Context, m storage.Move) (storage.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.runs[m.Run]
	if run.State != m.From {
		return run, storage.ErrConflict
	}
	run.State, run.Error = m.To, m.Error
	s.runs[m.Run] = run
	return run, nil
}

func (s *stubStore) Findings(_ context.Context, _ snowflake.ID, f storage.FindingFilter) (page []storage.Finding, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.findings {
		if f.Page.Before == 0 || one.ID < f.Page.Before {
			page = append(page, one)
		}
	}
	return page, nil
}

func (s *stubStore) Policy(context.Context, snowflake.ID, int64) (storage.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy.Version == 0 {
		return s.policy, storage.ErrNotFound
	}
	return s.policy, nil
}

func (s *stubStore) Paused(context.Context, snowflake.ID) (storage.Pause, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.paused {
		return storage.Pause{}, storage.ErrNotFound
	}
	return storage.Pause{}, nil
}

func (s *stubStore) Acknowledged(context.Context, snowflake.ID) (storage.Acknowledgement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked {
		return storage.Acknowledgement{}, storage.ErrNotFound
	}
	return storage.Acknowledgement{}, nil
}

func (s *stubStore) NoteRoleGrants(_ context.Context, grants []storage.RoleGrant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noKeep != nil {
		return s.noKeep
	}
	s.grants = append(s.grants, grants...)
	return nil
}

func (s *stubStore) Remember(_ context.Context, _ snowflake.ID, name string, value []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory[name] = value
	return nil
}

func (s *stubStore) Recall(_ context.Context, _ snowflake.ID, name string) ([]byte, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, is := s.memory[name]
	if !is {
		return nil, time.Time{}, storage.ErrNotFound
	}
	return value, time.Time{}, nil
}

func (s *stubTeller) note(list *[]string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, text)
}

func (s *stubTeller) RunBegan(run storage.Run) { s.note(&s.runsTold, "began "+run.Order.Kind) }

func (s *stubTeller) RunWent(run storage.Run, _, _ int) {
	s.note(&s.runsTold, "went "+run.Order.Kind)
}

func (s *stubTeller) RunEnded(_ *reconcile.Report, err error) {
	if err != nil {
		s.note(&s.runsTold, "failed")
		return
	}
	s.note(&s.runsTold, "ended")
}

func (s *stubTeller) Looked(r *reconcile.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
}

func (s *stubTeller) Trouble(_ snowflake.ID, code, detail string) {
	s.note(&s.told, code)
	s.note(&s.details, detail)
}

var errBroken = errors.New("broken")
