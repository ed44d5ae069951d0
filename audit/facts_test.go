package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
)

func TestWhatIsInForce(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why         string
		at, until   time.Time
		whenUnknown bool
		want        bool
	}{
		{"without an end", at, time.Time{}, false, true},
		{"without an end, at an unknown time", time.Time{}, time.Time{}, false, true},
		{"before its end", at, at.Add(1), false, true},
		{"at its end", at, at, true, false},
		{"after its end", at, at.Add(-1), true, false},
		{"at an unknown time: protections and blocks are", time.Time{}, at, true, true},
		{"at an unknown time: overrides are not", time.Time{}, at, false, false},
	} {
		if got := audit.InForce(c.at, c.until, c.whenUnknown); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}

func TestRoleNamesAreCutByCodePoints(t *testing.T) {
	for name, want := range map[string]string{
		"": "", " kept ": " kept ", strings.Repeat("a", 100): strings.Repeat("a", 100), strings.Repeat("a", 101): strings.Repeat("a", 100),
		strings.Repeat("ü", 101): strings.Repeat("ü", 100), strings.Repeat("🔥", 60): strings.Repeat("🔥", 60),
		strings.Repeat("🔥", 150): strings.Repeat("🔥", 100), strings.Repeat("a", 99) + "  b": strings.Repeat("a", 99) + " ",
	} {
		if got := audit.RoleName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestReservedNamesAreComparedWithoutCaseAndCut(t *testing.T) {
	d := audit.Directory{Reserved: []string{"Staff", strings.Repeat("X", 120), "ΜΈΛΟΣ"}}
	for name, want := range map[string]bool{
		"staff": true, "STAFF": true, "Staff ": false, strings.Repeat("x", 100): true, strings.Repeat("x", 101): false, "μέλος": true, "": false,
	} {
		if d.IsReserved(name) != want {
			t.Errorf("%q is reserved: %v", name, !want)
		}
	}
	if (&audit.Directory{}).IsReserved("") {
		t.Error("nothing is reserved, and a name is")
	}
}

func TestPermissionsAsAuthHasThem(t *testing.T) {
	d := audit.Directory{Permissions: []string{"a.one", audit.AccessDiscord, "z.last"}}
	for _, c := range []struct {
		a audit.Account
		holds,
		invented bool
		list []string
	}{
		{audit.Account{Active: true}, false, false, nil},
		{audit.Account{Active: true, Grants: &audit.Bits{0b110}}, true, false, []string{audit.AccessDiscord, "z.last"}},
		{audit.Account{Active: true, Superuser: true}, true, true, d.Permissions},
		{audit.Account{Superuser: true, Grants: &audit.Bits{0b111}}, false, false, nil},
	} {
		if d.Holds(&c.a, audit.AccessDiscord) != c.holds || d.Holds(&c.a, "no.such") != c.invented {
			t.Errorf("%+v holds the wrong things", c.a)
		}
		if diff := cmp.Diff(c.list, d.HeldBy(&c.a)); diff != "" {
			t.Errorf("%+v: %s", c.a, diff)
		}
	}
}

func TestRolesThatAuthWouldWrite(t *testing.T) {
	long := strings.Repeat("a", 100)
	d := audit.Directory{States: []string{"Member", "Guest"}, Groups: []string{long + "1", long + "2", "Guest", "Scouts"}}
	for _, c := range []struct {
		a    audit.Account
		want []string
	}{
		{audit.Account{State: 0}, []string{"Member"}},
		{audit.Account{State: 1, Groups: []int32{0, 1, 2, 3}}, []string{"Guest", "Scouts", long}},
		{audit.Account{State: -1, Groups: []int32{3}}, nil},
	} {
		if diff := cmp.Diff(c.want, d.RoleNames(&c.a)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAccountsAreFoundByIdAndByLink(t *testing.T) {
	d := audit.Directory{Accounts: []audit.Account{{User: 3, Discord: 30}, {User: 5}, {User: 9, Discord: 30}}}
	d.Index()
	if a, ok := d.Account(5); !ok || a.User != 5 {
		t.Error("user 5 was not found")
	}
	if _, ok := d.Account(4); ok {
		t.Error("user 4 was found")
	}
	if diff := cmp.Diff([]int32{0, 2}, d.Linked(30)); diff != "" {
		t.Error(diff)
	}
	if len(d.Linked(0)) != 0 {
		t.Error("no id is linked to somebody")
	}
}

func TestOfTwoOverridesTheMilderAndOfTwoBlocksTheHarder(t *testing.T) {
	const text = "role Member at=5\nstate Member\naccess state:Member\naccount Ann state=Member discord=Ann\nmember Eve roles=Member\nmember Bob\n"
	for _, order := range []string{
		"override Eve strip_kick\noverride Eve report\nblock Bob ban\nblock Bob\n",
		"override Eve report\noverride Eve strip_kick\nblock Bob\nblock Bob ban\n",
	} {
		s := tell(readWorld(t, text+order))
		if s.decisions[0].Act != audit.Report || !s.decisions[1].Ban {
			t.Errorf("%s: %s, %s", order, s.decisions[0].Act, s.decisions[1].Act)
		}
	}
}

func TestAPolicyCoversTheKindsItCouldEverAskFor(t *testing.T) {
	p := audit.DefaultPolicy()
	if acts := p.Destructive(); len(acts) != 0 || len(p.Faults(nil)) != 0 {
		t.Errorf("the policy of a new guild asks for %v, and has the faults %v", acts, p.Faults(nil))
	}
	p.Rules[audit.SurplusRoles].ByGroup = map[string]audit.Act{"Directors": audit.StripKick}
	if diff := cmp.Diff([]audit.Act{audit.Strip}, p.Destructive()); diff != "" {
		t.Errorf("more than the category allows: %s", diff)
	}
	p.Rules[audit.UnknownGuest].ByState = map[string]audit.Act{"Guest": audit.StripKick}
	if diff := cmp.Diff([]audit.Act{audit.Strip, audit.StripKick}, p.Destructive()); diff != "" {
		t.Error(diff)
	}
	p.Rules[audit.LinkedNoPerm].Default, p.Rules[audit.LinkedNoPerm].Grace = audit.None, -1
	p.Limits[audit.Kicks][audit.PerRun].Floor = -1
	var got []string
	for _, f := range p.Faults(nil) {
		got = append(got, f.String())
	}
	want := []string{
		"linked_no_perm.default: no action; the mildest is report", "linked_no_perm.grace: a grace is not negative; 0 is none",
		"surplus_roles.by_group.Directors: strip_kick is too much for surplus_roles, which allows at most strip",
		"limits.kicks.run: floor and ceiling are whole numbers from 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASurveyCountsEverybodyAndKeepsWhatItIsTold(t *testing.T) {
	w := readWorld(t, "role Member at=5\nrole member as=like at=4\nstate Member\naccess state:Member\naccount Ann state=Member discord=Ann\naccount Rob state=Member discord=Robot\n"+
		"member Ann roles=Member\nmember Guest\nmember Eve roles=Member\nmember Lou roles=like\nmember Bob\nblock Bob\nmember Robot flagged-bot\nmember Other flagged-bot\n")
	scene := audit.NewScene(w.Subjects)
	kept, population := audit.Survey(scene, w.members, &w.policy, scene.Noteworthy)
	var names []string
	for _, d := range kept {
		names = append(names, w.names[d.Member])
	}
	if diff := cmp.Diff([]string{"Eve", "Lou", "Bob", "Robot"}, names); diff != "" {
		t.Errorf("kept: %s", diff)
	}
	if diff := cmp.Diff(map[string]int{"in_order": 1, "unknown_guest": 4, "bot_filtered": 2}, population.CountsByCategory()); diff != "" {
		t.Errorf("counted: %s", diff)
	}
	if population.Members != 7 || population.Holders[1] != 2 || population.Complete || population.Wanted != 2 {
		t.Errorf("population %+v", population)
	}
}
