package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
	"gatecamp/trail"
)

// aa-discord-audit A1: access that a state gives was invisible to it, so a superuser's existence made strangers of everybody.
func TestAccessThroughAStateCounts(t *testing.T) {
	w := newWorld(t)
	w.bind()
	w.change(func(d *audit.Directory) { d.Accounts[0].Superuser = true })
	r := w.run(w.engine(), storage.Order{DryRun: true})
	if diff := cmp.Diff(map[string]int{"in_order": 40}, r.Counts.Categories); diff != "" {
		t.Errorf("categories (-want +got):\n%s", diff)
	}
}

// aa-discord-audit A16: an empty-handed guest and a stranger with a Directors role looked alike, and every guest was a finding.
func TestAFindingSaysWhichRolesAreHeldAndHarmlessGuestsAreCountedOnly(t *testing.T) {
	w := newWorld(t)
	w.bind()
	w.policy(stripStrangers)
	w.join(2001)
	w.join(2002, rolePlain)
	w.join(2003, roleFleet, roleChief, rolePlain)
	w.join(1002, roleState, roleFleet)
	r := w.run(w.engine(), storage.Order{DryRun: true})
	if r.Counts.Categories["unknown_guest"] != 3 {
		t.Errorf("categories %v, want three strangers", r.Counts.Categories)
	}
	type row struct {
		Subject  snowflake.ID
		Held, Go []snowflake.ID
		Alerts   []string
	}
	var got []row
	for _, f := range w.findings(storage.FindingFilter{}) {
		if f.SubjectKind == storage.SubjectMember {
			got = append(got, row{f.Subject, f.Held, f.Go, f.Alerts})
		}
	}
	slices.SortFunc(got, func(a, b row) int { return int(a.Subject) - int(b.Subject) })
	want := []row{
		{Subject: 1002, Held: []snowflake.ID{roleFleet}, Go: []snowflake.ID{roleFleet}},
		{Subject: 2003, Held: []snowflake.ID{roleFleet, roleChief}, Go: []snowflake.ID{roleFleet, roleChief}, Alerts: []string{"privileged_role"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// aa-discord-audit A2 (a kick went to an Auth user, not to the id that was looked at) and A12 (unaware of owner, bot flag and hierarchy).
func TestKicksAimAtWhoWasLookedAtAndKnowTheHierarchy(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: strip_kick, grace: 0s}\nlinked_no_perm: {default: strip_kick, grace: 0s}\nsurplus_roles: {default: strip, grace: 0s}\n")
	w.change(func(d *audit.Directory) { // an old account of the active user 5
		d.Identities = append(d.Identities, audit.Identity{Discord: 2005, User: 5, Source: audit.Operator})
	})
	w.join(2001)                      // a stranger
	w.join(2002, roleFleet, roleHigh) // a stranger above the bot: keeps that role, loses the other, cannot be kicked
	w.join(2005, roleState)           // the old account
	w.join(owner, roleState, roleFleet)
	w.mu.Lock()
	w.members[2004] = audit.Member{ID: 2004, Roles: w.roles(roleFleet), Flags: audit.IsBot}
	w.mu.Unlock()
	r := w.run(e, storage.Order{})
	want := []string{"remove_role 1001 11", "kick 2001 0", "remove_role 2002 11", "remove_role 2005 10", "kick 2005 0"}
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	wantState(t, r.Run, storage.Succeeded)
	if _, there := w.members[1005]; !there {
		t.Error("the entitled account of the same user is gone")
	}
}

// aa-discord-audit A6: a listing that was cut off counted as complete.
func TestAPartOfTheGuildClosesNothingAndRemovesNothing(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.run(e, storage.Order{Mode: "report"})
	w.leave(2001)
	w.join(2002, roleFleet)
	w.partial = true
	r := w.run(e, storage.Order{})
	if diff := cmp.Diff([]string{"roster"}, held(&r.Plan)); diff != "" || len(w.writes()) > 0 {
		t.Errorf("held (-want +got):\n%s\nwrites %v", diff, w.writes())
	}
	if got := len(w.aboutMembers()); got != 2 {
		t.Errorf("%d findings, want the old one still open and the new one", got)
	}
}

func TestABlindAuthNeitherOpensNorClosesFindings(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.run(e, storage.Order{Mode: "report"})
	before := w.findings(storage.FindingFilter{})
	for name, broken := range map[string]func(){
		"unreachable": func() { w.authErr = errDown },
		"no users": func() {
			w.authErr = nil
			w.change(func(d *audit.Directory) { d.Accounts = nil })
		},
	} {
		broken()
		w.leave(2001)
		w.join(2002, roleFleet)
		r := w.run(e, storage.Order{})
		wantState(t, r.Run, storage.CompletedWithErrors)
		if diff := cmp.Diff(before, w.findings(storage.FindingFilter{})); diff != "" {
			t.Errorf("%s: findings changed (-before +after):\n%s", name, diff)
		}
		if len(r.Plan.Actions) > 0 || len(w.writes()) > 0 {
			t.Errorf("%s: plan %v, writes %v", name, r.Plan.Actions, w.writes())
		}
	}
}

func TestAnAuthThatShrankReportsOnly(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.change(func(d *audit.Directory) { d.Accounts = d.Accounts[:20] })
	r := w.run(e, storage.Order{})
	if r.Look.Verdict.Health != audit.Doubtful || len(r.Plan.Actions) > 0 || len(w.writes()) > 0 {
		t.Errorf("Auth is %v, plan %v, writes %v; want doubtful and nothing", r.Look.Verdict.Health, r.Plan.Actions, w.writes())
	}
	if r.Counts.Categories["unknown_guest"] == 0 {
		t.Error("the categories should stay")
	}
}

func TestAClockThatDiffersFromDiscordsReportsOnly(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	for skew, want := range map[time.Duration]audit.Health{0: audit.Healthy, 4 * time.Minute: audit.Healthy, -time.Hour: audit.Doubtful, time.Hour: audit.Doubtful} {
		w.clock = w.now().Add(skew)
		r := w.run(e, storage.Order{DryRun: true})
		if r.Look.Verdict.Health != want || (want == audit.Healthy) != (len(r.Plan.Actions) > 0) {
			t.Errorf("with clocks that differ by %s Auth is %v, plan %v; want %v", skew, r.Look.Verdict.Health, r.Plan.Actions, want)
		}
	}
}

func TestALimitClosesNothingAndOneMemberClosesTheirOwn(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(500, roleFleet)
	w.join(2001, roleFleet)
	w.run(e, storage.Order{Mode: "report"})
	w.join(500)
	w.join(2001)
	if r := w.run(e, storage.Order{Limit: 3}); r.Counts.Members != 3 || r.Population.Complete || len(w.aboutMembers()) != 2 {
		t.Errorf("looked at %d (complete: %v), findings %d; want 3, incomplete, 2", r.Counts.Members, r.Population.Complete, len(w.aboutMembers()))
	}
	if r := w.run(e, storage.Order{Limit: 5000}); r.Population.Complete || len(w.aboutMembers()) != 2 {
		t.Error("a limit that is larger than the guild counts as complete")
	}
	w.run(e, storage.Order{Members: []snowflake.ID{500}})
	if f := w.aboutMembers(); len(f) != 1 || f[0].Subject != 2001 {
		t.Errorf("findings %v, want the one about 2001 alone", f)
	}
}

func TestADifferenceComparesWhatEachRunWanted(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: report}\n")
	w.join(2001, roleFleet)
	w.join(2002, roleFleet)
	first := w.run(e, storage.Order{DryRun: true})
	w.policy(stripStrangers)
	w.leave(2002)
	w.join(2003, roleFleet)
	second := w.run(e, storage.Order{DryRun: true})
	w.link(50, 2001)
	w.pass(time.Hour)
	w.run(e, storage.Order{DryRun: true})
	want := []reconcile.Difference{
		{Subject: 2001, SubjectKind: "member", Before: "unknown_guest report", After: "unknown_guest strip", What: "action_changed"},
		{Subject: 2002, SubjectKind: "member", Before: "unknown_guest report", What: "removed"},
		{Subject: 2003, SubjectKind: "member", After: "unknown_guest strip", What: "added"},
	}
	got, err := e.Diff(t.Context(), first.Run.ID, second.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("two runs (-want +got):\n%s", diff)
	}
	want[0].After, want[0].What = "surplus_roles strip", "category_changed"
	if got, err = e.Diff(t.Context(), first.Run.ID, 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a run and now (-want +got):\n%s", diff)
	}
	_, err = e.Diff(t.Context(), 99, 0)
	wantProblem(t, err, problem.Usage, "no run 99")
}

func TestADifferenceTellsOfRoles(t *testing.T) {
	w, e := released(t, "unknown_guest: {default: report}\n")
	w.join(2001, roleFleet)
	w.join(2002, roleFleet, roleChief)
	first := w.run(e, storage.Order{DryRun: true})
	w.join(2001, roleFleet, roleChief)
	w.join(2002, roleFleet)
	second := w.run(e, storage.Order{DryRun: true})
	w.pass(time.Hour)
	w.join(2001, roleFleet)
	w.run(e, storage.Order{DryRun: true})
	got, err := e.Diff(t.Context(), first.Run.ID, second.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	const same = "unknown_guest report"
	want := []reconcile.Difference{
		{Subject: 2001, SubjectKind: "member", Before: same, After: same, What: "roles_changed", Roles: []snowflake.ID{roleChief}},
		{Subject: 2002, SubjectKind: "member", Before: same, After: same, What: "roles_changed", NoRoles: []snowflake.ID{roleChief}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("two runs (-want +got):\n%s", diff)
	}
}

// aa-discord-audit A18: explain, diff and preview went by other rules than the engine.
func TestExplainGoesByTheRulesThatAct(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.except(storage.Exception{Table: storage.Protections, Subject: 2001})
	w.join(2002, roleFleet)
	pic, err := w.Picture(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := w.run(e, storage.Order{DryRun: true})
	for _, d := range run.Decisions {
		x, err := e.Explain(t.Context(), pic, d.Member)
		if err != nil {
			t.Fatal(err)
		}
		if x.Decision.Act != d.Act || x.Decision.Layer != d.Layer || x.Decision.Category != d.Category {
			t.Errorf("member %d: explained as %v by %v, run decided %v by %v", d.Member, x.Decision.Act, x.Decision.Layer, d.Act, d.Layer)
		}
		if len(x.Steps) == 0 {
			t.Errorf("member %d: no layer was looked at", d.Member)
		}
	}
	_, err = e.Explain(t.Context(), pic, 777)
	wantProblem(t, err, problem.Usage, "not a member")

	// What holds a member's actions is what would hold them in a run, in which they are not alone.
	w.policy("unknown_guest: {default: strip_kick, grace: 0s}\n")
	for id := range snowflake.ID(8) {
		w.join(2010 + id)
	}
	if pic, err = w.Picture(t.Context()); err != nil {
		t.Fatal(err)
	}
	x, err := e.Explain(t.Context(), pic, 2010)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range x.Plan.Actions {
		if !slices.Contains(a.Held, audit.By{Dimension: audit.Kicks}) || a.Member != 2010 {
			t.Errorf("explained as %v of %d held by %v, a run holds the kicks", a.Kind, a.Member, a.Held)
		}
	}
	if len(x.Plan.Actions) != 1 {
		t.Errorf("explained %d actions, want the kick", len(x.Plan.Actions))
	}
}

func TestCompareCountsWhatAnotherPolicyWouldChange(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.except(storage.Exception{Table: storage.Protections, Subject: 2001})
	w.join(2002, roleFleet)
	pic, err := w.Picture(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kick, err := policyfile.Parse([]byte("unknown_guest: {default: strip_kick, grace: 0s}\n"), "other")
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Compare(t.Context(), pic, kick)
	if err != nil {
		t.Fatal(err)
	}
	want := map[reconcile.Change]int{
		{Category: audit.InOrder, Now: audit.None, Then: audit.None}:            40,
		{Category: audit.UnknownGuest, Now: audit.Report, Then: audit.Report}:   1,
		{Category: audit.UnknownGuest, Now: audit.Strip, Then: audit.StripKick}: 1,
	}
	if diff := cmp.Diff(want, c.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if len(c.Changed) != 1 || c.Changed[0].Member != 2002 {
		t.Errorf("changed %v, want 2002 alone", c.Changed)
	}
	if len(w.writes()) > 0 {
		t.Errorf("a question changed Discord: %v", w.writes())
	}
}

func TestTheTrailTellsWhatWasIntendedAndDoneInOrder(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	r := w.run(e, storage.Order{})
	entries, err := w.db.TrailEntries(t.Context(), guildID, storage.TrailFilter{Run: r.Run.ID})
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Kind       trail.Kind
		What, Code string
	}
	var got []row
	for _, entry := range entries {
		got = append(got, row{entry.Kind, entry.What, entry.Code})
	}
	want := []row{{trail.Seen, "findings", ""}, {trail.Planned, "plan", ""}, {trail.Planned, "remove_role", "intended"}, {trail.Done, "remove_role", "done"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trail (-want +got):\n%s", diff)
	}
	// A run that finds nothing new leaves nothing in the trail but its plan, if it has one.
	w.run(e, storage.Order{DryRun: true})
	r = w.run(e, storage.Order{DryRun: true})
	if entries, err = w.db.TrailEntries(t.Context(), guildID, storage.TrailFilter{Run: r.Run.ID}); err != nil || len(entries) > 0 {
		t.Errorf("trail of a run that changed nothing: %v, %v", entries, err)
	}
}

// aa-discord-audit A9: the rule against exempting oneself looked at a form field that nobody filled.
func TestNobodyExemptsTheirOwnAccountAlone(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	me := reconcile.Person{Ref: "discord:1003", Discord: []snowflake.ID{1003}, Users: []int64{3}}
	console := reconcile.Person{Ref: "console:root"}
	other := reconcile.Person{Ref: "discord:1004", Discord: []snowflake.ID{1004}, Users: []int64{4}}
	for name, x := range map[string]storage.Exception{
		"protection": {Table: storage.Protections, Subject: 1003},
		"override":   {Table: storage.Overrides, Subject: 1003, Action: "report"},
		"bot":        {Table: storage.BotAccounts, Subject: 1003},
		"identity":   {Table: storage.Identities, Subject: 5555, User: 3, Source: "operator"},
	} {
		for second, approver := range map[string]*reconcile.Person{"nobody": nil, "oneself": &me, "the console": &console} {
			_, err := e.Except(t.Context(), me, approver, x, w.author("for me"))
			if problem.KindOf(err) != problem.Refused {
				t.Errorf("%s with %s as the second person: %v, want a refusal", name, second, err)
			}
		}
		if stored, err := e.Except(t.Context(), me, &other, x, w.author("for me")); err != nil || stored.Approver != other.Ref {
			t.Errorf("%s with another person: %+v, %v", name, stored, err)
		}
	}
}

// The reads of a file are no baseline for Auth itself.
func TestFilesAreRememberedApartFromAuth(t *testing.T) {
	w, e := released(t, stripStrangers)
	big := reconcile.New(w.db, w, reconcile.Config{Guild: guildID, Source: "snapshot:1", Owner: "file", Now: w.now})
	w.change(func(d *audit.Directory) {
		for i := range 500 {
			a := d.Accounts[1]
			a.User, a.Discord = int64(1000+i), snowflakeOf(9000+i)
			d.Accounts = append(d.Accounts, a)
		}
	})
	if _, err := big.Sweep(t.Context(), w.order(big, storage.Order{Kind: reconcile.KindSnapshot}), w, nil); err != nil {
		t.Fatal(err)
	}
	w.change(func(d *audit.Directory) { d.Accounts = d.Accounts[:41] })
	if r := w.run(e, storage.Order{Mode: "report"}); r.Look.Verdict.Health != audit.Healthy {
		t.Errorf("Auth is %v %v because a file was larger", r.Look.Verdict.Health, r.Look.Verdict.Reasons)
	}
}

// Auth forgets a link when it goes; whose account that was must not be forgotten with it.
func TestWhoWasLinkedIsRememberedAsAnEarlierAccount(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.link(60, 2001)
	w.join(2001, roleState)
	w.run(e, storage.Order{DryRun: true})
	link := func(id snowflake.ID) {
		w.change(func(d *audit.Directory) {
			i := slices.IndexFunc(d.Accounts, func(a audit.Account) bool { return a.User == 60 })
			d.Accounts[i].Discord, d.Accounts[i].Revision = id, uint64(id)+1
		})
	}
	category := func() string {
		t.Helper()
		pic, err := w.Picture(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x, err := e.Explain(t.Context(), pic, 2001)
		if err != nil {
			t.Fatal(err)
		}
		return x.Decision.Category.String() + " " + strings.Join(x.Decision.Reasons.Codes(), ",")
	}
	if got := category(); got != "in_order " {
		t.Fatalf("linked: %s", got)
	}
	link(2002)
	category() // the read that sees it go
	if got := category(); got != "linked_no_perm old_account" {
		t.Errorf("after the link went to another account: %s", got)
	}
	link(2001)
	if got := category(); got != "in_order " {
		t.Errorf("linked again: %s", got)
	}
}
