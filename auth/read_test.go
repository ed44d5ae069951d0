package auth_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/auth"
	"gatecamp/auth/authtest"
)

// account finds a user by name.
func account(t *testing.T, d *audit.Directory, name string) *audit.Account {
	t.Helper()
	for i := range d.Accounts {
		if d.Accounts[i].Username == name {
			return &d.Accounts[i]
		}
	}
	t.Fatalf("no account %q", name)
	return nil
}

func groupNames(d *audit.Directory, a *audit.Account) (names []string) {
	for _, g := range a.Groups {
		names = append(names, d.Groups[g])
	}
	return names
}

func TestASmallAuthIsReadWhole(t *testing.T) {
	w := authtest.Small()
	w.Updated = time.Now().Add(-time.Hour)
	w.Beat = time.Now().Add(-10 * time.Minute)
	d := read(t, authtest.SQLite(t, w))
	var out bytes.Buffer
	if err := auth.WriteAccounts(&out, d); err != nil {
		t.Fatal(err)
	}
	const want = `{"user_id":1,"username":"admin","discord_ids":["100000000000000001"],"active":true,"superuser":true,"access":true,"permissions":["discord.access_discord","fleets.basic_access"],"state":"Member","groups":[],"roles":["Member"],"main":{"name":"Ad Min","corporation_ticker":"CORP","alliance_ticker":"ALLY"}}
{"user_id":2,"username":"ann","discord_ids":["100000000000000002"],"active":true,"superuser":false,"access":true,"permissions":["discord.access_discord","fleets.basic_access"],"state":"Member","groups":["Fleet Commanders"],"roles":["Fleet Commanders","Member"],"main":{"name":"Ann","corporation_ticker":"CORP","alliance_ticker":"ALLY"}}
{"user_id":3,"username":"bob","discord_ids":["100000000000000003"],"active":true,"superuser":false,"access":false,"permissions":[],"state":"Guest","groups":[],"roles":["Guest"],"main":{"name":"Bob","corporation_ticker":"ELSE","alliance_ticker":""}}
{"user_id":4,"username":"cid","discord_ids":[],"active":false,"superuser":false,"access":false,"permissions":[],"state":"Member","groups":["Directors"],"roles":["Directors","Member"],"main":null}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.Edition != "5" || d.Fingerprint == "" || !d.IsReserved("SERVER booster") {
		t.Errorf("edition %q, fingerprint %q, reserved %q", d.Edition, d.Fingerprint, d.Reserved)
	}
	if diff := cmp.Diff([]string{"Member", "Blue", "Guest"}, d.States); diff != "" {
		t.Error("states, lowest priority last:", diff)
	}
	counts := audit.Counts{
		audit.Users: 4, audit.Profiles: 4, audit.Links: 3, audit.States: 3, audit.Groups: 2, audit.ReservedNames: 1, audit.Memberships: 2, audit.PermissionRows: 2,
		audit.ContentTypes: 2, audit.GroupPermissions: 1, audit.StatePermissions: 1, audit.UserPermissions: 0, audit.AccessHolders: 2, audit.Mains: 3,
		audit.UsersWithoutProfile: 0, audit.Orphans: 0, audit.InvalidLinks: 0, audit.Demoted: 1, audit.UnknownEdition: 0,
	}
	ages := map[audit.Fact][2]int64{audit.BeatAge: {600, 660}, audit.AffiliationsAge: {3_600, 3_660}}
	for f, between := range ages {
		if n, ok := d.Counts[f]; !ok || n < between[0] || n > between[1] {
			t.Errorf("%s is %d, want %v", f, n, between)
		}
		delete(d.Counts, f)
	}
	if diff := cmp.Diff(counts, d.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestAccessComesThroughUserGroupOrStateOfAnActiveUser(t *testing.T) {
	member := authtest.State{Name: "Member", Priority: 100, Permissions: []string{authtest.AccessDiscord}}
	w := authtest.World{
		States: []authtest.State{{Name: "Guest"}, member},
		Groups: []authtest.Group{{Name: "Pilots", Permissions: []string{authtest.AccessDiscord}}, {Name: "Others", Permissions: []string{"retired.access_discord"}}},
		Users: []authtest.User{
			{Name: "by state", State: "Member"},
			{Name: "by group", State: "Guest", Groups: []string{"Pilots"}},
			{Name: "directly", State: "Guest", Permissions: []string{authtest.AccessDiscord}},
			{Name: "superuser", State: "Guest", Superuser: true},
			{Name: "group without profile", Groups: []string{"Pilots"}},
			{Name: "no: nothing", State: "Guest"},
			{Name: "no: same codename elsewhere", State: "Guest", Groups: []string{"Others"}},
			{Name: "no: inactive superuser", State: "Member", Superuser: true, Inactive: true},
			{Name: "no: inactive member", State: "Member", Groups: []string{"Pilots"}, Inactive: true},
			{Name: "no: no profile", Groups: []string{"Others"}},
		},
	}
	d := read(t, authtest.SQLite(t, w))
	for i := range d.Accounts {
		a := &d.Accounts[i]
		want := !strings.HasPrefix(a.Username, "no: ")
		if a.Access != want || d.Holds(a, audit.AccessDiscord) != want {
			t.Errorf("%s: access %t, holds %t, want %t", a.Username, a.Access, d.Holds(a, audit.AccessDiscord), want)
		}
	}
	if !d.Holds(account(t, d, "superuser"), "no.such_permission") {
		t.Error("an active superuser holds even what does not exist")
	}
	if n := d.Counts[audit.AccessHolders]; n != 4 {
		t.Errorf("%d holders of access through a permission, want 4: superusers would hide a lost table", n)
	}
	if got := d.HeldBy(account(t, d, "no: inactive superuser")); got != nil {
		t.Errorf("an inactive superuser holds %v", got)
	}
	if a := account(t, d, "no: inactive member"); d.StateName(a) != "Member" || len(a.Groups) != 1 {
		t.Error("an inactive user keeps state and groups")
	}
}

func TestOneCodenameUnderTwoModelsIsOnePermissionAndUnderTwoAppsIsTwo(t *testing.T) {
	w := authtest.World{
		States: []authtest.State{{Name: "Guest"}},
		Users: []authtest.User{
			{Name: "a", State: "Guest", Permissions: []string{"fleets/fleet.basic_access"}},
			{Name: "b", State: "Guest", Permissions: []string{"fleets/doctrine.basic_access", "retired/ghost.old"}},
			{Name: "c", State: "Guest", Permissions: []string{"markets/order.basic_access"}},
		},
	}
	d := read(t, authtest.SQLite(t, w))
	if diff := cmp.Diff([]string{"fleets.basic_access", "markets.basic_access", "retired.old"}, d.Permissions); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string][]string{"a": {"fleets.basic_access"}, "b": {"fleets.basic_access", "retired.old"}, "c": {"markets.basic_access"}} {
		if diff := cmp.Diff(want, d.HeldBy(account(t, d, name))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestNamesAreComparedByteForByte(t *testing.T) {
	names := []string{"Fleet", "fleet", "Fleet ", " Fleet", "Caf\u00e9", "Cafe\u0301", "🚀", "🛸", "\u0421\u041e\u0420\u0420", "line\nbreak", "'quote'", "@everyone"}
	w := authtest.World{States: []authtest.State{{Name: "Guest"}}}
	for i, name := range names {
		w.Groups = append(w.Groups, authtest.Group{Name: name, Permissions: []string{fmt.Sprintf("app.right_%d", i)}})
		w.Users = append(w.Users, authtest.User{Name: fmt.Sprint(i), State: "Guest", Groups: []string{name}})
	}
	d := read(t, authtest.SQLite(t, w))
	for i, name := range names {
		a := account(t, d, fmt.Sprint(i))
		if diff := cmp.Diff([]string{name}, groupNames(d, a)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{fmt.Sprintf("app.right_%d", i)}, d.HeldBy(a)); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
	}
}

func TestRoleNamesAreTheFirstHundredCodePoints(t *testing.T) {
	for _, letter := range []string{"x", "ü", "名", "🚀"} {
		long, twin := strings.Repeat(letter, 150), strings.Repeat(letter, 100)+"y"
		w := authtest.World{
			States: []authtest.State{{Name: "Guest"}},
			Groups: []authtest.Group{{Name: long}, {Name: twin}},
			Users:  []authtest.User{{Name: "a", State: "Guest", Groups: []string{long, twin}}},
		}
		d := read(t, authtest.SQLite(t, w))
		if diff := cmp.Diff([]string{"Guest", strings.Repeat(letter, 100)}, d.RoleNames(account(t, d, "a"))); diff != "" {
			t.Errorf("%s: two groups of one beginning are one role: %s", letter, diff)
		}
	}
}

func TestSeveralUsersMayShareADiscordIDAndIDsMayBeAnything(t *testing.T) {
	w := authtest.World{
		States: []authtest.State{{Name: "Guest"}},
		Users: []authtest.User{
			{Name: "a", State: "Guest", Discord: 777},
			{Name: "b", State: "Guest", Discord: 777, Inactive: true},
			{Name: "largest", ID: math.MaxInt64, State: "Guest", Discord: math.MaxInt64},
			{Name: "below zero", State: "Guest", Discord: -5},
			{Name: "least", ID: math.MinInt64, Discord: 778, Groups: nil},
		},
	}
	url := authtest.SQLite(t, w)
	authtest.Exec(t, url, "UPDATE discord_discorduser SET uid = 0 WHERE user_id = 4")
	d := read(t, url)
	if got := d.Linked(777); len(got) != 2 {
		t.Errorf("777 is linked to %v", got)
	}
	if a, ok := d.Account(math.MaxInt64); !ok || a.Discord != math.MaxInt64 || a.User != math.MaxInt64 {
		t.Errorf("largest: %+v", a)
	}
	if a := account(t, d, "below zero"); a.Discord != 0 {
		t.Errorf("an id that cannot be one is a link to %d", a.Discord)
	}
	if d.Counts[audit.InvalidLinks] != 1 || d.Counts[audit.Links] != 4 {
		t.Errorf("counts: %v", d.Counts)
	}
}

func TestRowsThatPointNowhereAreCountedAndGiveNothing(t *testing.T) {
	url := authtest.SQLite(t, authtest.Small())
	authtest.Exec(
		t, url,
		"INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (90, 2, 999), (91, 999, 1), (92, 2, 1)",
		"INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (90, 999, 1), (91, 1, 999)",
		"INSERT INTO auth_user_user_permissions (id, user_id, permission_id) VALUES (90, 999, 1)",
		"INSERT INTO authentication_state_permissions (id, state_id, permission_id) VALUES (90, 999, 1)",
		"INSERT INTO authentication_userprofile (id, user_id, state_id) VALUES (90, 999, 1)",
		"INSERT INTO discord_discorduser (user_id, uid) VALUES (999, 5)",
		"INSERT INTO auth_permission (id, content_type_id, codename) VALUES (90, 999, 'x')",
		"UPDATE authentication_userprofile SET main_character_id = 999 WHERE user_id = 2",
		"UPDATE authentication_userprofile SET state_id = 999 WHERE user_id = 3",
	)
	d := read(t, url)
	if n := d.Counts[audit.Orphans]; n != 11 {
		t.Errorf("%d orphans, want 11", n)
	}
	if a := account(t, d, "ann"); a.Main != (audit.Main{}) || len(a.Groups) != 1 {
		t.Errorf("ann's main has vanished and one group was given twice: %+v", a)
	}
	if a := account(t, d, "bob"); a.State != -1 || d.RoleNames(a) != nil {
		t.Errorf("bob's state does not exist: %+v", a)
	}
	if d.Linked(5) != nil {
		t.Error("a link of nobody")
	}
}

func TestAuthOfEveryEditionIsRead(t *testing.T) {
	for edition, want := range map[string]struct {
		name string
		age  bool
	}{"4": {"4", false}, "5.0": {"5", true}, "5.5": {"5", true}} {
		w := authtest.Small()
		w.Edition, w.Updated = edition, time.Now().Add(-time.Minute)
		d := read(t, authtest.SQLite(t, w))
		if _, known := d.Counts[audit.AffiliationsAge]; d.Edition != want.name || known != want.age {
			t.Errorf("%s: edition %q, age of affiliations known: %t", edition, d.Edition, known)
		}
		if a := account(t, d, "bob"); a.Main.Name != "Bob" || *a.Main.Corporation != (audit.Corporation{Ticker: "ELSE"}) {
			t.Errorf("%s: %+v", edition, a.Main)
		}
	}
}

func TestNewerAndOlderTablesAreAnUnknownEdition(t *testing.T) {
	for _, change := range []string{
		"INSERT INTO django_migrations (id, app, name) VALUES (90, 'eveonline', '0026_something_new')",
		"INSERT INTO django_migrations (id, app, name) VALUES (90, 'authentication', '0031_v6squash')",
		"DELETE FROM django_migrations WHERE app = 'eveonline'",
	} {
		url := authtest.SQLite(t, authtest.Small())
		authtest.Exec(t, url, change)
		d := read(t, url)
		if v := audit.JudgeAuth(d.Counts, nil, audit.DefaultThresholds()); d.Edition != auth.Unknown || v.Health != audit.Doubtful {
			t.Errorf("%s: edition %q, %s", change, d.Edition, v.Health)
		}
	}
	url := authtest.SQLite(t, authtest.Small())
	authtest.Exec(t, url, "INSERT INTO django_migrations (id, app, name) VALUES (90, 'buybackprogram', '0099_of_an_app_we_do_not_read')")
	if d := read(t, url); d.Edition != "5" {
		t.Errorf("other apps' migrations make it %q", d.Edition)
	}
}

func TestWhatIsOptionalMayBeMissing(t *testing.T) {
	w := authtest.Small()
	w.Beat = time.Now()
	for _, damage := range [][]string{
		{"DROP TABLE django_celery_beat_periodictask"},
		{"ALTER TABLE django_celery_beat_periodictask DROP COLUMN enabled"},
		{"DELETE FROM django_celery_beat_periodictask"},
		{"UPDATE django_celery_beat_periodictask SET enabled = 0"},
		{"ALTER TABLE eveonline_evecharacter DROP COLUMN last_updated_affiliations"},
	} {
		url := authtest.SQLite(t, w)
		authtest.Exec(t, url, damage...)
		d := read(t, url)
		if _, known := d.Counts[audit.BeatAge]; known == !strings.Contains(damage[0], "evecharacter") {
			t.Errorf("%s: age of the scheduler known: %t", damage, known)
		}
		if len(d.Accounts) != 4 {
			t.Errorf("%s: %d accounts", damage, len(d.Accounts))
		}
	}
}

func TestAnEmptiedAuthIsBlind(t *testing.T) {
	whole := read(t, authtest.SQLite(t, authtest.Small())).Counts
	for _, table := range []string{
		"auth_user", "authentication_userprofile", "authentication_state", "auth_group", "auth_user_groups", "auth_permission", "django_content_type",
		"auth_group_permissions", "authentication_state_permissions", "discord_discorduser",
	} {
		url := authtest.SQLite(t, authtest.Small())
		authtest.Exec(t, url, "DELETE FROM "+table)
		if v := audit.JudgeAuth(read(t, url).Counts, whole, audit.DefaultThresholds()); v.Health != audit.Blind {
			t.Errorf("%s is empty, and Auth is %s: %v", table, v.Health, v.Reasons)
		}
	}
}

func TestARevisionChangesWithWhatMattersAndWithNothingElse(t *testing.T) {
	url := authtest.SQLite(t, authtest.Small())
	before := read(t, url)
	revisions := func(d *audit.Directory) (all []uint64) {
		for _, a := range d.Accounts {
			all = append(all, a.Revision)
		}
		return all
	}
	if again := read(t, url); !slices.Equal(revisions(before), revisions(again)) {
		t.Error("two reads of the same differ")
	}
	changes := []string{
		"UPDATE auth_user SET username = 'anna' WHERE id = 2",
		"UPDATE auth_user SET is_active = 0 WHERE id = 2",
		"UPDATE auth_user SET is_superuser = 1 WHERE id = 2",
		"UPDATE discord_discorduser SET uid = 5 WHERE user_id = 2",
		"DELETE FROM discord_discorduser WHERE user_id = 2",
		"DELETE FROM auth_user_groups WHERE user_id = 2",
		"INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (90, 2, 2)",
		"UPDATE auth_group SET name = 'fleet commanders' WHERE id = 1",
		"DELETE FROM auth_group_permissions",
		"UPDATE authentication_userprofile SET state_id = 1 WHERE user_id = 2",
		"DELETE FROM authentication_userprofile WHERE user_id = 2",
		"UPDATE eveonline_evecharacter SET corporation_ticker = 'NEW' WHERE character_name = 'Ann'",
		"UPDATE eveonline_evecharacter SET alliance_ticker = '' WHERE character_name = 'Ann'",
		"INSERT INTO auth_user_user_permissions (id, user_id, permission_id) SELECT 90, 2, id + 50 FROM auth_permission LIMIT 1; " +
			"INSERT INTO auth_permission (id, content_type_id, codename) SELECT id + 50, content_type_id, 'another' FROM auth_permission",
	}
	for _, change := range changes {
		url := authtest.SQLite(t, authtest.Small())
		authtest.Exec(t, url, change)
		if d := read(t, url); account(t, d, d.Accounts[1].Username).Revision == account(t, before, "ann").Revision {
			t.Errorf("%s: the revision stays", change)
		}
	}
	for _, same := range []string{
		"UPDATE auth_user SET email = 'new@example.com', password = 'new', last_login = '2026-01-01 00:00:00'",
		"INSERT INTO auth_group (id, name) VALUES (90, 'AAA'); INSERT INTO auth_permission (id, content_type_id, codename) VALUES (90, 1, 'aaa')",
		"UPDATE auth_group SET id = id + 100; UPDATE auth_user_groups SET group_id = group_id + 100; UPDATE auth_group_permissions SET group_id = group_id + 100",
		"INSERT INTO auth_user (id, username, is_active, is_superuser) VALUES (0, 'first', 1, 0)",
	} {
		url := authtest.SQLite(t, authtest.Small())
		authtest.Exec(t, url, same)
		if d := read(t, url); account(t, d, "ann").Revision != account(t, before, "ann").Revision {
			t.Errorf("%s: the revision changes", same)
		}
	}
}

func TestARevisionIsTheSameInEveryProcess(t *testing.T) {
	const want uint64 = 0xdb75c0eb5c5e0774
	if got := account(t, read(t, authtest.SQLite(t, authtest.Small())), "ann").Revision; got != want {
		t.Errorf("%#x, want %#x: storage keeps it, so it may change only with a note in the CHANGELOG", got, want)
	}
}

func TestAFingerprintTellsOneAuthFromAnother(t *testing.T) {
	prints := map[string]string{}
	for what, change := range map[string]func(*authtest.World){
		"the same":               func(*authtest.World) {},
		"another first user":     func(w *authtest.World) { w.Users[0].Name = "root" },
		"made at another moment": func(w *authtest.World) { w.Began = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		w := authtest.Small()
		change(&w)
		d := read(t, authtest.SQLite(t, w))
		for other, known := range prints {
			if known == d.Fingerprint {
				t.Errorf("%s and %s have one fingerprint", what, other)
			}
		}
		prints[what] = d.Fingerprint
		if strings.Contains(d.Fingerprint, "admin") || len(d.Fingerprint) != 32 {
			t.Errorf("fingerprint %q", d.Fingerprint)
		}
	}
	w := authtest.Small()
	w.Edition, w.Users = "5.0", append(w.Users, authtest.User{Name: "dee", State: "Guest"})
	w.Groups = nil
	for i := range w.Users {
		w.Users[i].Groups = nil
	}
	if d := read(t, authtest.SQLite(t, w)); d.Fingerprint != prints["the same"] {
		t.Error("an update and a new user make it another Auth")
	}
}
