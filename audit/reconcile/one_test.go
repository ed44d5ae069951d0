package reconcile_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
)

const actLive = "unknown_guest: {default: strip, realtime: act, grace: 0s}\nsurplus_roles: {default: strip, realtime: act, grace: 0s}\n"

const wide = "limits:\n  members: {run: {floor: 50, ceiling: 50}, live_15m: {floor: 50, ceiling: 50}, day: {floor: 50, ceiling: 50}}\n" +
	"  one_role: {run: {floor: 50, ceiling: 50}, day: {floor: 50, ceiling: 50}}\n"

// live is a world that is released under a policy of which live events make the most.
func live(t *testing.T) (*world, *reconcile.Engine) {
	t.Helper()
	return released(t, actLive)
}

func TestALiveEventGoesAsFarAsThePolicyLetsRealTimeGo(t *testing.T) {
	for setting, want := range map[string]struct {
		writes   []string
		findings int
	}{
		"act":    {[]string{"remove_role 2001 11"}, 1},
		"report": {nil, 1},
		"off":    {nil, 0},
	} {
		w, e := released(t, "unknown_guest: {default: strip, realtime: "+setting+", grace: 0s}\n")
		w.join(2001, roleFleet)
		r := w.one(e, 2001)
		if diff := cmp.Diff(want.writes, w.writes()); diff != "" {
			t.Errorf("%s: writes (-want +got):\n%s", setting, diff)
		}
		if got := len(w.aboutMembers()); got != want.findings || r.Counts.Findings.Opened != want.findings {
			t.Errorf("%s: %d findings, %d told, want %d", setting, got, r.Counts.Findings.Opened, want.findings)
		}
	}
}

// A live look knows a part of Auth and the guild by its numbers. What it decides is what a sweep decides.
func TestALiveLookDecidesAsASweepDoes(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: report}\n")
	w.join(2001, roleFleet)
	w.join(2002)
	w.join(1003, roleState, roleFleet)
	w.join(1004)
	w.grant(5, "Chiefs")
	w.link(70, 1006) // two users of one account
	w.link(71, 2003)
	w.join(2003, roleState)
	w.change(func(d *audit.Directory) {
		d.Accounts[6].Active, d.Accounts[6].Access = false, false
		d.Identities = append(d.Identities, audit.Identity{Discord: 2004, User: 8, Source: audit.Historical})
	})
	w.join(2004, roleState)
	w.except(storage.Exception{Table: storage.Identities, Subject: 2005, User: 9, Source: "operator"})
	w.join(2005, roleState)
	w.except(storage.Exception{Table: storage.Protections, Subject: 2001})
	w.pass(reconcile.RowFresh + time.Second)
	sweep := w.run(e, storage.Order{DryRun: true})
	var ids []snowflake.ID
	pic, err := w.Picture(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range pic.Members {
		ids = append(ids, m.ID)
	}
	r, err := e.One(t.Context(), ids, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sweep.Look.Verdict, r.Look.Verdict); diff != "" {
		t.Errorf("Auth (-sweep +live):\n%s", diff)
	}
	for _, m := range pic.Members {
		a, b := sweep.Look.Member(m), r.Look.Member(m)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("member %d (-sweep +live):\n%s", m.ID, diff)
		}
	}
	if r.Population.Members != sweep.Population.Members || r.Population.Wanted != sweep.Population.Wanted || r.Population.Holders != sweep.Population.Holders {
		t.Errorf("population %+v, want %+v", r.Population, sweep.Population)
	}
	if got := r.Counts.Findings; got.Opened+got.Changed+got.Closed != 0 {
		t.Errorf("the live look changed findings that a sweep had just left: %+v", got)
	}
}

// counted is a database that counts transactions. What is not overridden here must only be called within one: alone it would panic.
type counted struct {
	storage.Roles // nil
	db            *sqlite.Store

	mu sync.Mutex
	n  map[string]int
}

func (c *counted) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what]++
}

func (c *counted) Glance(ctx context.Context, do func(storage.Roles) error) error {
	c.count("glances")
	return c.db.Glance(ctx, do)
}

func (c *counted) Together(ctx context.Context, do func(storage.Roles) error) error {
	c.count("writes")
	return c.db.Together(ctx, do)
}

func (c *counted) MovePlan(ctx context.Context, guild snowflake.ID, digest string, from, to storage.PlanState) error {
	c.count("plans moved")
	return c.db.MovePlan(ctx, guild, digest, from, to)
}

func (c *counted) NoteRead(ctx context.Context, r storage.SourceRead) ([]storage.AccountRevision, error) {
	c.count("reads of Auth noted")
	return c.db.NoteRead(ctx, r)
}

func (c *counted) ApplyLook(ctx context.Context, look storage.Look) (storage.Applied, error) {
	c.count("looks applied")
	return c.db.ApplyLook(ctx, look)
}

func TestALiveActionWaitsForTheDiskTwiceBeforeItIsSent(t *testing.T) {
	w, _ := live(t)
	c := &counted{db: w.db, n: map[string]int{}}
	e := reconcile.New(c, w, reconcile.Config{Guild: guildID, Fence: w.fence, Owner: "counted", Now: w.now})
	w.join(2001)
	w.one(e, 2001) // the first look of a process notes down what it read of Auth
	expect := func(what string, want map[string]int) {
		t.Helper()
		c.mu.Lock()
		defer c.mu.Unlock()
		if diff := cmp.Diff(want, c.n); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		clear(c.n)
	}
	clear(c.n)
	w.one(e, 2001)
	expect("nothing to do", map[string]int{"glances": 1, "looks applied": 1})
	w.join(2001, roleFleet)
	w.beforeDo = func(int, audit.Action) { expect("until it is sent", map[string]int{"glances": 2, "writes": 2}) }
	w.one(e, 2001)
	expect("after it was sent", map[string]int{"writes": 1, "plans moved": 1})
	if diff := cmp.Diff([]string{"remove_role 2001 11"}, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestWhatRealTimeMayNotDoIsNotDoneBecauseItMightAMomentAgo(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: strip, realtime: act, grace: 0s}\nsurplus_roles: {default: strip, realtime: report, grace: 0s}\n")
	w.join(2001, roleFleet)
	w.onReserve = func(context.Context, int, audit.Action) error {
		w.link(60, 2001) // now it is surplus, which is only reported
		return nil
	}
	r := w.one(e, 2001)
	if len(w.writes()) > 0 || len(r.Outcomes) != 1 || r.Outcomes[0].Code != "now_surplus_roles" {
		t.Errorf("writes %v, outcomes %v", w.writes(), r.Outcomes)
	}
}

func TestACatchUpGoesAsFarAsEachEventCouldHaveGone(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: strip, realtime: act, grace: 0s}\nsurplus_roles: {default: strip, realtime: report, grace: 0s}\nmissing_roles: {default: report, realtime: off}\n")
	w.join(1004)                          // lacks its state: left to the sweep
	w.run(e, storage.Order{DryRun: true}) // which finds it
	w.join(1004, roleState)               // and it is in order, which only the sweep may say
	w.join(2001, roleFleet)
	w.join(1003, roleState, roleFleet)
	r := w.run(e, storage.Order{Kind: reconcile.KindCatchUp})
	if diff := cmp.Diff([]string{"remove_role 2001 11"}, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	used, err := w.db.Used(t.Context(), guildID, w.now())
	if err != nil || used.Live.Roles != 1 {
		t.Errorf("the live budget was drawn on %d times, want once (%v)", used.Live.Roles, err)
	}
	if _, err := e.Acknowledge(t.Context(), r.Run.ID, w.author("read it")); err == nil {
		t.Error("a catch-up released the lock")
	}
}

func TestWhileDiscordDoesNotShowTheGuildNothingIsTaken(t *testing.T) {
	w, e := live(t)
	w.join(2001, roleFleet)
	w.away = true
	for name, r := range map[string]*reconcile.Report{"live": w.one(e, 2001), "sweep": w.run(e, storage.Order{})} {
		if diff := cmp.Diff([]string{"outage"}, held(&r.Plan)); diff != "" || len(w.writes()) > 0 {
			t.Errorf("%s held by (-want +got):\n%s\nwrites %v", name, diff, w.writes())
		}
	}
	w.away = false
	w.onReserve = func(context.Context, int, audit.Action) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.away = true
		return nil
	}
	if r := w.one(e, 2001); len(w.writes()) > 0 || len(r.Outcomes) != 1 || r.Outcomes[0].Code != "outage" {
		t.Errorf("gone out of sight right before the write: %v, writes %v", r.Outcomes, w.writes())
	}
}

func TestWhoGrantedARoleIsToldAsDiscordTellsIt(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: report}\n")
	entry := func(n int, member, actor snowflake.ID, added, removed []snowflake.ID) audit.Event {
		id := snowflake.New(w.now().Add(time.Duration(n) * time.Minute))
		return audit.Event{Guild: guildID, Why: audit.EntryWritten, Member: member, Grant: audit.Grant{Entry: id, Actor: actor, Added: added, Removed: removed}}
	}
	list := func(ids ...snowflake.ID) []snowflake.ID { return ids }
	err := e.NoteGrants(t.Context(),
		entry(1, 2001, 1002, list(roleFleet), nil),
		entry(2, 2001, 1003, list(roleFleet), nil), // the newer one counts
		entry(3, 2002, 1002, list(roleFleet), nil),
		entry(4, 2002, 1003, nil, list(roleFleet)), // taken again: who holds it now has it from nobody we know
		entry(5, 2003, 1002, list(rolePlain), nil), // not what the finding is about
		entry(6, 2004, 0, list(roleFleet), nil),    // Discord does not say
		audit.Event{Why: audit.MemberChanged, Member: 2001},
	)
	if err != nil {
		t.Fatal(err)
	}
	for id := range snowflake.ID(4) {
		w.join(2001+id, roleFleet, rolePlain)
	}
	granted := func() map[snowflake.ID]snowflake.ID {
		by := map[snowflake.ID]snowflake.ID{}
		for _, f := range w.aboutMembers() {
			by[f.Subject] = f.GrantedBy
		}
		return by
	}
	want := map[snowflake.ID]snowflake.ID{2001: 1003, 2002: 0, 2003: 0, 2004: 0}
	w.one(e, 2001, 2002, 2003, 2004)
	if diff := cmp.Diff(want, granted()); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
	// A sweep finds the same, and what is told later is added.
	if err := e.NoteGrants(t.Context(), entry(7, 2004, 1005, list(roleFleet), nil)); err != nil {
		t.Fatal(err)
	}
	want[2004] = 1005
	w.run(e, storage.Order{DryRun: true})
	if diff := cmp.Diff(want, granted()); diff != "" {
		t.Errorf("sweep (-want +got):\n%s", diff)
	}
}

func TestAFightRestsForThatRoleOfThatMemberAndNamesTheOtherWriter(t *testing.T) {
	w, e := released(t, actLive+wide)
	w.join(2002, roleFleet)
	for i := range reconcile.FightTimes {
		w.join(2001, roleFleet)
		w.one(e, 2001)
		if got := len(w.writes()); got != i+1 {
			t.Fatalf("%d writes after %d rounds", got, i+1)
		}
		w.pass(time.Minute)
	}
	entry := audit.Event{Guild: guildID, Why: audit.EntryWritten, Member: 2001, Grant: audit.Grant{Entry: snowflake.New(w.now()), Actor: 1002, Added: []snowflake.ID{roleFleet}}}
	if err := e.NoteGrants(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	w.join(2001, roleFleet, roleState)
	r := w.one(e, 2001)
	if got := w.writes(); len(got) != 4 || got[3] != "remove_role 2001 10" {
		t.Errorf("writes %v, want one more, of the other role", got)
	}
	if diff := cmp.Diff(map[string]int{"fight": 1}, r.Plan.HeldCounts()); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	var fought []storage.Finding
	for _, f := range w.findings(storage.FindingFilter{}) {
		if f.Category == "fight" {
			fought = append(fought, f)
		}
	}
	if len(fought) != 1 || fought[0].Subject != roleFleet || fought[0].Slot != "2001" || fought[0].GrantedBy != 1002 || !slices.Contains(fought[0].Alerts, "fight") {
		t.Errorf("findings about the fight: %+v", fought)
	}
	if f := w.findings(storage.FindingFilter{Subject: 2001}); len(f) != 1 || !slices.Contains(f[0].Holds, "fight") || !slices.Contains(f[0].Alerts, "fight") {
		t.Errorf("the member's finding: %+v", f)
	}
	// A sweep rests as well, and goes on with everybody else.
	w.run(e, storage.Order{})
	if got := w.writes(); len(got) != 5 || got[4] != "remove_role 2002 11" {
		t.Errorf("writes %v, want one more, of the other member", got)
	}
	w.pass(reconcile.FightWithin)
	w.one(e, 2001)
	if got := w.writes(); len(got) != 6 || got[5] != "remove_role 2001 11" {
		t.Errorf("writes %v, want the one that rested", got)
	}
	w.run(e, storage.Order{})
	for _, f := range w.findings(storage.FindingFilter{}) {
		if f.Category == "fight" {
			t.Errorf("the fight is over, and stands: %+v", f)
		}
	}
}

// The second look reads the fight too: a sweep's plan may be older than the last round.
func TestAFightThatBeganAfterThePlanRests(t *testing.T) {
	w, e := released(t, actLive+wide)
	w.join(2001, roleFleet)
	w.join(2002, roleFleet)
	w.afterDo = func(n int, a audit.Action) {
		if n == 1 { // of the sweep; meanwhile three rounds about the other member
			w.afterDo = nil
			for range reconcile.FightTimes {
				w.one(e, 2002)
				w.join(2002, roleFleet)
			}
		}
	}
	r := w.run(e, storage.Order{})
	if len(r.Outcomes) != 2 || r.Outcomes[1].Code != "fight" {
		t.Errorf("outcomes %v, want the second not tried because of a fight", r.Outcomes)
	}
}

func TestALinkThatWentMayStillBeWritten(t *testing.T) {
	w, e := live(t)
	w.link(60, 2001)
	w.join(2001, roleState)
	w.one(e, 2001)
	unlink := func(id snowflake.ID) {
		w.change(func(d *audit.Directory) {
			i := slices.IndexFunc(d.Accounts, func(a audit.Account) bool { return a.User == 60 })
			d.Accounts[i].Discord, d.Accounts[i].Revision = id, uint64(id)+1
		})
	}
	unlink(2009)
	w.run(e, storage.Order{DryRun: true}) // an earlier run has read it
	rows, err := w.db.Exceptions(t.Context(), guildID, storage.ExceptionFilter{Table: storage.Identities, Subject: 2001})
	if err != nil || len(rows) != 1 {
		t.Fatalf("earlier account %v, %v", rows, err)
	}
	// Even where nobody remembers whose account it was, the row is known to have changed.
	if _, err := w.db.RemoveException(t.Context(), storage.Identities, guildID, rows[0].ID, w.author("for the test")); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	if r := w.one(e, 2001); len(w.writes()) > 0 || len(r.Outcomes) != 1 || r.Outcomes[0].Code != "auth_row_fresh" {
		t.Errorf("outcomes %v, writes %v; want it decided and not yet done", r.Outcomes, w.writes())
	}
	w.pass(reconcile.RowFresh)
	w.one(e, 2001)
	if diff := cmp.Diff([]string{"remove_role 2001 10"}, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestAChangeInAuthThatALiveLookReadsFirstIsLeftToSettle(t *testing.T) {
	w, e := live(t)
	w.join(1003, roleState, roleFleet)
	w.grant(3, "Fleet")
	w.one(e, 1003)
	w.change(func(d *audit.Directory) { // the group goes; Auth will take the role itself
		d.Accounts[2].Groups, d.Accounts[2].Revision = nil, 77
	})
	if r := w.one(e, 1003); len(w.writes()) > 0 || len(r.Outcomes) != 1 || r.Outcomes[0].Code != "auth_row_fresh" {
		t.Errorf("outcomes %v, writes %v", r.Outcomes, w.writes())
	}
	w.pass(reconcile.RowFresh)
	w.one(e, 1003)
	if len(w.writes()) != 1 {
		t.Errorf("writes %v", w.writes())
	}
}

func TestWhatChangedInAuthNamesTheAccountsOfBeforeAndAfter(t *testing.T) {
	w, e := live(t)
	news := func(since time.Time) reconcile.AuthNews {
		t.Helper()
		n, err := e.AuthChanged(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	since := w.now()
	if got := news(since); len(got.Members) > 0 || got.Everybody {
		t.Errorf("nothing changed, and %+v", got)
	}
	w.change(func(d *audit.Directory) {
		d.Accounts[2].Discord, d.Accounts[2].Revision = 2001, 78
		d.Accounts[3].Revision = 79
	})
	if diff := cmp.Diff(reconcile.AuthNews{Members: []snowflake.ID{1003, 1004, 2001}}, news(since)); diff != "" {
		t.Errorf("a link moved (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(reconcile.AuthNews{Members: []snowflake.ID{1003, 1004, 2001}}, news(since)); diff != "" {
		t.Errorf("asked again (-want +got):\n%s", diff)
	}
	since = w.now()
	w.change(func(d *audit.Directory) { d.Reserved = append(slices.Clip(d.Reserved), "Fleet") })
	for range 2 {
		if diff := cmp.Diff(reconcile.AuthNews{Everybody: true}, news(since)); diff != "" {
			t.Errorf("a reserved name (-want +got):\n%s", diff)
		}
	}
	since = w.now()
	if got := news(since); got.Everybody {
		t.Error("what changed earlier is told for ever")
	}
	w.change(func(d *audit.Directory) { d.Accounts = nil })
	if got, err := e.AuthChanged(t.Context(), since); err != nil || got.Health != audit.Blind || len(got.Members) > 0 {
		t.Errorf("an emptied Auth: %+v, %v", got, err)
	}
	w.fail(errDown)
	if _, err := e.AuthChanged(t.Context(), since); err == nil {
		t.Error("an Auth that cannot be read is no error")
	}
}

// A sweep and live events draw from one ledger: together they never take more than a brake lets through.
func TestLiveEventsAndASweepShareTheBrakes(t *testing.T) {
	w, e := released(t, actLive+"limits:\n  members: {run: {floor: 5, ceiling: 5}, live_15m: {floor: 5, ceiling: 5}, day: {floor: 5, ceiling: 5}}\n"+
		"  one_role: {run: {floor: 50, ceiling: 50}, day: {floor: 50, ceiling: 50}}\n")
	for id := range snowflake.ID(4) {
		w.join(2001+id, roleFleet)
	}
	run := w.order(e, storage.Order{})
	var events sync.WaitGroup
	w.onReserve = func(context.Context, int, audit.Action) error {
		w.mu.Lock()
		w.onReserve = nil
		w.mu.Unlock()
		for id := range snowflake.ID(6) {
			w.join(2101+id, roleFleet)
			events.Go(func() {
				if _, err := e.One(t.Context(), []snowflake.ID{2101 + id}, w, w); err != nil {
					t.Error(err)
				}
			})
		}
		return nil
	}
	if _, err := e.Sweep(t.Context(), run, w, w); err != nil {
		t.Fatal(err)
	}
	events.Wait()
	if got := len(w.writes()); got != 5 {
		t.Errorf("%d writes, want the 5 that the brake lets through in a day", got)
	}
}

// tarpit is an Auth that says nothing for a while and then fails.
type tarpit struct{ asked int }

func (p *tarpit) Read(ctx context.Context) (*audit.Directory, error) {
	p.asked++
	brief, end := context.WithTimeout(ctx, 2*time.Millisecond)
	defer end()
	<-brief.Done()
	return nil, errDown
}

func TestEventsDoNotQueueUpBehindAnAuthThatKeepsThemWaiting(t *testing.T) {
	w, _ := live(t)
	w.join(2001, roleFleet)
	auth := &tarpit{}
	e := reconcile.New(w.db, auth, reconcile.Config{Guild: guildID, Fence: w.fence, Owner: "patient", Now: w.now, Patience: time.Microsecond})
	for range 2 {
		if r := w.one(e, 2001); r.Look.Verdict.Health != audit.Blind || len(w.writes()) > 0 {
			t.Errorf("Auth is %s, writes %v", r.Look.Verdict.Health, w.writes())
		}
	}
	if auth.asked != 1 {
		t.Errorf("Auth was asked %d times, want once", auth.asked)
	}
	if _, err := e.AuthChanged(t.Context(), w.now()); err == nil {
		t.Error("who compares Auth is told that nothing is wrong")
	}
	patient := reconcile.New(w.db, auth, reconcile.Config{Guild: guildID, Fence: w.fence, Owner: "patient", Now: w.now, Patience: time.Hour})
	w.one(patient, 2001)
	w.one(patient, 2001)
	if auth.asked != 3 {
		t.Errorf("Auth was asked %d times, want each time where it fails at once", auth.asked)
	}
}
