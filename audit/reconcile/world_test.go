package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"go.uber.org/goleak"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// The guild of these tests: forty entitled members (1001–1040) with the role Member, and whoever a test adds.
const (
	guildID   snowflake.ID = 1
	owner     snowflake.ID = 1001
	roleState snowflake.ID = 10 // Member, a state
	roleFleet snowflake.ID = 11 // Fleet, a group
	roleChief snowflake.ID = 12 // Chiefs, a group, privileged
	roleHigh  snowflake.ID = 13 // High, a group, above the bot
	rolePlain snowflake.ID = 14 // not managed
)

const stripStrangers = "unknown_guest: {default: strip, grace: 0s}\nsurplus_roles: {default: strip, grace: 0s}\n"

// world is a guild that can be looked at and changed, an Auth and a database. It stands in for Discord.
type world struct {
	t    *testing.T
	path string
	db   *sqlite.Store

	mu       sync.Mutex
	guild    audit.Guild
	members  map[snowflake.ID]audit.Member
	auth     *audit.Directory
	authErr  error
	version  int // of auth
	away     bool
	partial  bool
	clock    time.Time // what time it is by Discord; zero: it has not said so
	offset   time.Duration
	began    time.Time
	calls    []audit.Action // what reached Discord
	released int            // places in the line that were given back
	reserved int
	together int               // how many actions of a stranger one call can do; 0 is 1
	offers   []reconcile.Offer // what places were asked for
	engines  atomic.Int64
	fence    storage.Fence // of the last engine

	// What happens on the way of an action; nil: nothing.
	onReserve func(ctx context.Context, n int, a audit.Action) error
	beforeDo  func(n int, a audit.Action)
	afterDo   func(n int, a audit.Action)
	result    func(a audit.Action) (audit.Result, string)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "gatecamp.db"), members: map[snowflake.ID]audit.Member{}, began: time.Now().UTC().Truncate(time.Microsecond)}
	file, err := snapshot.Parse(strings.NewReader(baseFile()), "base")
	if err != nil {
		t.Fatal(err)
	}
	w.guild, w.auth = file.Guild, file.Auth
	for _, m := range file.Members {
		w.members[m.ID] = m
	}
	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

func baseFile() string {
	var members, users []string
	for i := 1; i <= 40; i++ {
		members = append(members, fmt.Sprintf(`{"user":{"id":"%d","username":"m%d"},"roles":["10"],"joined_at":"2020-01-01T00:00:00Z"}`, 1000+i, i))
		users = append(users, fmt.Sprintf(`{"id":%d,"username":"u%d","state":"Member","groups":[],"discord_uid":"%d"}`, i, i, 1000+i))
	}
	users = append(users, `{"id":90,"username":"gone","state":"Guest","groups":[],"discord_uid":null}`)
	return fmt.Sprintf(`{"guild":{"id":"1","owner_id":"1001","bot_user_id":"99","bot_top_position":50},
		"guild_roles":[{"id":"1","name":"@everyone"},{"id":"10","name":"Member","position":2},{"id":"11","name":"Fleet","position":3},
			{"id":"12","name":"Chiefs","position":4,"permissions":"8"},{"id":"13","name":"High","position":60},{"id":"14","name":"Gamers","position":5}],
		"guild_members":[[%s]],
		"aa":{"states":["Member","Guest"],"groups":["Fleet","Chiefs","High"],"access":{"states":["Member"]},"users":[%s]}}`,
		strings.Join(members, ","), strings.Join(users, ","))
}

func (w *world) open() {
	w.t.Helper()
	if _, err := os.Stat(w.path); errors.Is(err, fs.ErrNotExist) {
		storagetest.SQLiteFile(w.t, w.path)
	}
	db, err := sqlite.Open(w.t.Context(), sqlite.Config{Path: w.path, Relaxed: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.db = db
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += time.Millisecond // each look at the clock is later than the one before
	return w.began.Add(w.offset)
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

func (w *world) roles(ids ...snowflake.ID) (set audit.RoleSet) {
	for _, id := range ids {
		i := slices.IndexFunc(w.guild.Roles, func(r audit.Role) bool { return r.ID == id })
		set = set.With(i)
	}
	return set
}

// join puts somebody into the guild who joined long ago, or gives a member other roles.
func (w *world) join(id snowflake.ID, roles ...snowflake.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members[id] = audit.Member{ID: id, Joined: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), Roles: w.roles(roles...)}
}

func (w *world) leave(id snowflake.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.members, id)
}

// change changes Auth; the reader hands out a new one from then on.
func (w *world) change(change func(d *audit.Directory)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := *w.auth
	d.Accounts = slices.Clone(d.Accounts)
	change(&d)
	slices.SortFunc(d.Accounts, func(a, b audit.Account) int { return int(a.User - b.User) })
	d.Index()
	d.Counts = audit.CountFacts(&d)
	w.version++
	w.auth = &d
}

// link gives somebody an Auth account that may use Discord, in the state Member.
func (w *world) link(user int64, id snowflake.ID) {
	w.change(func(d *audit.Directory) {
		a := d.Accounts[1]
		a.User, a.Username, a.Discord, a.Revision = user, fmt.Sprint("u", user), id, uint64(user)
		d.Accounts = append(d.Accounts, a)
	})
}

// grant puts a user into a group.
func (w *world) grant(user int64, group string) {
	w.change(func(d *audit.Directory) {
		for i := range d.Accounts {
			if d.Accounts[i].User == user {
				d.Accounts[i].Groups = []int32{int32(slices.Index(d.Groups, group))}
			}
		}
	})
}

// fail takes Auth down.
func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.authErr = err
}

// Picture satisfies reconcile.Guilds.
func (w *world) Picture(ctx context.Context) (reconcile.Picture, error) {
	at := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	pic := reconcile.Picture{Guild: w.guild, Complete: !w.partial, At: at, Live: true, Clock: w.clock}
	for _, id := range slices.Sorted(maps.Keys(w.members)) {
		pic.Members = append(pic.Members, w.members[id])
	}
	return pic, ctx.Err()
}

// Member satisfies reconcile.Guilds.
func (w *world) Member(ctx context.Context, id snowflake.ID) (audit.Guild, audit.Member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, ok := w.members[id]
	if !ok {
		return w.guild, m, reconcile.ErrNoMember
	}
	return w.guild, m, ctx.Err()
}

// Read satisfies reconcile.Auth.
func (w *world) Read(ctx context.Context) (*audit.Directory, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.authErr != nil {
		return nil, w.authErr
	}
	return w.auth, ctx.Err()
}

// Current satisfies reconcile.CurrentAuth.
func (w *world) Current(ctx context.Context) (*audit.Directory, error) {
	d, err := w.Read(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	versioned := *d
	versioned.Version = fmt.Sprint(w.version)
	return &versioned, nil
}

// Known satisfies reconcile.LiveGuilds.
func (w *world) Known(ctx context.Context) (reconcile.Picture, error) { return w.Picture(ctx) }

// Counted satisfies reconcile.Counting.
func (w *world) Counted(ctx context.Context) (reconcile.Picture, error) {
	pic, err := w.Picture(ctx)
	heads := &reconcile.Heads{Members: len(pic.Members), Revision: uint64(pic.At.UnixMicro())}
	for _, m := range pic.Members {
		for i := range m.Roles.All() {
			heads.Holders[i]++
		}
	}
	members := pic.Members
	heads.Present = func(ids []snowflake.ID) (n int) {
		for _, id := range ids {
			if slices.ContainsFunc(members, func(m audit.Member) bool { return m.ID == id }) {
				n++
			}
		}
		return n
	}
	pic.Members, pic.Heads, pic.Away = nil, heads, !w.Visible()
	return pic, err
}

// Members satisfies reconcile.LiveGuilds.
func (w *world) Members(ctx context.Context, ids []snowflake.ID) (audit.Guild, []audit.Member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var members []audit.Member
	for _, id := range ids {
		if m, there := w.members[id]; there {
			members = append(members, m)
		}
	}
	return w.guild, members, ctx.Err()
}

// Visible satisfies reconcile.Sighted.
func (w *world) Visible() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.away
}

// one looks at members as after an event.
func (w *world) one(e *reconcile.Engine, ids ...snowflake.ID) *reconcile.Report {
	w.t.Helper()
	r, err := e.One(w.t.Context(), ids, w, w)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Reserve satisfies reconcile.Writer.
func (w *world) Reserve(ctx context.Context, o reconcile.Offer) (reconcile.Slot, error) {
	w.mu.Lock()
	w.reserved++
	w.offers = append(w.offers, o)
	n, hook, covers := w.reserved, w.onReserve, max(1, min(w.together, len(o.Actions)))
	w.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, n, o.Actions[0]); err != nil {
			return nil, err
		}
	}
	if o.Linked {
		covers = 1
	}
	return &slot{w: w, covers: covers}, ctx.Err()
}

type slot struct {
	w      *world
	covers int
	used   bool
}

// Covers satisfies reconcile.Slot.
func (s *slot) Covers() int { return s.covers }

// Release satisfies reconcile.Slot.
func (s *slot) Release() {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if !s.used {
		s.w.released++
	}
	s.used = true
}

// Do satisfies reconcile.Slot.
func (s *slot) Do(_ context.Context, actions []audit.Action, reason string) (outcomes []audit.Outcome) {
	if reason == "" {
		s.w.t.Errorf("no reason for Discord's audit log on %v", actions)
	}
	s.used = true
	for _, a := range actions {
		outcomes = append(outcomes, s.w.do(a))
	}
	return outcomes
}

func (w *world) do(a audit.Action) audit.Outcome {
	w.mu.Lock()
	n := len(w.calls) + 1
	before, after, result := w.beforeDo, w.afterDo, w.result
	w.mu.Unlock()
	if before != nil {
		before(n, a)
	}
	o := audit.Outcome{Action: a, Result: audit.Done}
	if result != nil {
		if r, code := result(a); r != 0 {
			o.Result, o.Code = r, code
		}
	}
	w.mu.Lock()
	w.calls = append(w.calls, a)
	if o.Result == audit.Done {
		w.apply(a)
	}
	w.mu.Unlock()
	if after != nil {
		after(n, a)
	}
	return o
}

func (w *world) apply(a audit.Action) {
	if a.Kind == audit.KickMember || a.Kind == audit.BanMember {
		delete(w.members, a.Member)
		return
	}
	m := w.members[a.Member]
	m.Roles = m.Roles.Minus(w.roles(a.Role))
	w.members[a.Member] = m
}

// writes is what reached Discord, as text.
func (w *world) writes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, a := range w.calls {
		list = append(list, fmt.Sprintf("%s %d %d", a.Kind, a.Member, a.Role))
	}
	return list
}

// engine is a new process, which takes the lease from whoever had it.
func (w *world) engine(change ...func(*reconcile.Config)) *reconcile.Engine {
	w.t.Helper()
	n := w.engines.Add(1)
	name := fmt.Sprintf("process %d", n)
	lease, err := w.db.AcquireLease(w.t.Context(), 0, storage.Owner{ID: name, Host: "here", PID: int(n), Since: w.now()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.fence = lease.Fence
	cfg := reconcile.Config{Guild: guildID, Fence: lease.Fence, Owner: name, Beat: 5 * time.Millisecond, Now: w.now}
	for _, f := range change {
		f(&cfg)
	}
	return reconcile.New(w.db, w, cfg)
}

func (w *world) author(reason string) storage.Author {
	return storage.Author{Actor: "console:tester", Origin: "console", Reason: reason, At: w.now()}
}

func (w *world) policy(document string) {
	w.t.Helper()
	if _, err := policyfile.Parse([]byte(document), "policy"); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.db.SetPolicy(w.t.Context(), guildID, -1, document, json.RawMessage(`{}`), w.author("for the test")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bind() {
	w.t.Helper()
	_, err := w.db.Bind(w.t.Context(), guildID, []storage.Binding{
		{Role: roleState, Kind: storage.BoundState, Name: "Member", RoleName: "Member"},
		{Role: roleFleet, Kind: storage.BoundGroup, Name: "Fleet", RoleName: "Fleet"},
		{Role: roleChief, Kind: storage.BoundGroup, Name: "Chiefs", RoleName: "Chiefs"},
		{Role: roleHigh, Kind: storage.BoundGroup, Name: "High", RoleName: "High"},
	}, w.author("for the test"))
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) except(x storage.Exception) storage.Exception {
	w.t.Helper()
	x.Guild = guildID
	stored, err := w.db.AddException(w.t.Context(), x, w.author("for the test"))
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

func (w *world) pause() {
	if _, err := w.db.Pause(w.t.Context(), guildID, w.author("stop")); err != nil {
		w.t.Error(err)
	}
}

// order orders a run that may act, unless the order says otherwise.
func (w *world) order(e *reconcile.Engine, o storage.Order) storage.Run {
	w.t.Helper()
	if o.Kind == "" {
		o.Kind = reconcile.KindLive
	}
	o.Actor, o.Origin = "console:tester", "console"
	run, err := e.Order(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// run orders a run and works on it to its end.
func (w *world) run(e *reconcile.Engine, o storage.Order) *reconcile.Report {
	w.t.Helper()
	r, err := e.Sweep(w.t.Context(), w.order(e, o), w, w)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// released is a world whose lock is released under the policy, with an engine that may act.
func released(t *testing.T, policy string, change ...func(*reconcile.Config)) (*world, *reconcile.Engine) {
	t.Helper()
	w := newWorld(t)
	w.bind()
	w.policy(policy)
	e := w.engine(change...)
	w.release(e)
	return w, e
}

func (w *world) release(e *reconcile.Engine) {
	w.t.Helper()
	r := w.run(e, storage.Order{Mode: "report"})
	if _, err := e.Acknowledge(w.t.Context(), r.Run.ID, w.author("read it")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stored(run int64) storage.Run {
	w.t.Helper()
	r, err := w.db.Run(w.t.Context(), run)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) findings(filter storage.FindingFilter) []storage.Finding {
	w.t.Helper()
	found, err := w.db.Findings(w.t.Context(), guildID, filter)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// aboutMembers are the open findings, those about roles apart.
func (w *world) aboutMembers() []storage.Finding {
	w.t.Helper()
	return slices.DeleteFunc(w.findings(storage.FindingFilter{}), func(f storage.Finding) bool { return f.SubjectKind != storage.SubjectMember })
}

// outcomes are the recorded actions of a run, as text.
func (w *world) outcomes(run int64) []string {
	w.t.Helper()
	rows, err := w.db.ActionsOf(w.t.Context(), guildID, run)
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, a := range rows {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %d %d %s %s", a.Kind, a.Member, a.Role, a.Outcome, a.Code)))
	}
	return list
}

func held(p *audit.Plan) []string {
	return slices.Sorted(maps.Keys(p.HeldCounts()))
}

func wantState(t *testing.T, r storage.Run, want storage.RunState) {
	t.Helper()
	if r.State != want {
		t.Errorf("run %d is %s (%s), want %s", r.ID, r.State, r.Error, want)
	}
}

var errDown = errors.New("connection refused")
