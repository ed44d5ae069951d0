package auth_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatecamp/audit"
	"gatecamp/auth"
	"gatecamp/auth/authtest"
	"gatecamp/internal/secret"
)

// changes are what can happen in Auth that a verdict, a right or a health depends on, and damage. They fit authtest.Small.
var changes = []string{
	"UPDATE auth_user SET username = 'anna' WHERE id = 2",
	"UPDATE auth_user SET is_active = NOT is_active WHERE id = 2",
	"UPDATE auth_user SET is_superuser = NOT is_superuser WHERE id = 3",
	"INSERT INTO auth_user (id, username, is_active, is_superuser) VALUES (80, 'new', true, false)",
	"DELETE FROM auth_user WHERE id = 4",
	"UPDATE discord_discorduser SET uid = 100000000000000005 WHERE user_id = 2",
	"UPDATE discord_discorduser SET user_id = 4 WHERE user_id = 2",
	"UPDATE discord_discorduser SET uid = -uid WHERE user_id = 3",
	"DELETE FROM discord_discorduser WHERE user_id = 1",
	"DELETE FROM auth_user_groups WHERE user_id = 2",
	"INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (90, 2, 2)",
	"INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (91, 2, 999)",
	"INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (92, 3, 1), (93, 4, 1), (94, 1, 2)",
	"UPDATE auth_user_groups SET user_id = 7 - user_id WHERE user_id IN (3, 4)",
	"UPDATE auth_group SET name = 'fleet commanders' WHERE id = 1",
	"INSERT INTO auth_group (id, name) VALUES (70, 'Empty')",
	"DELETE FROM auth_group_permissions",
	"INSERT INTO auth_group_permissions (id, group_id, permission_id) SELECT 60, 2, MIN(id) FROM auth_permission",
	"UPDATE authentication_userprofile SET state_id = 1 WHERE user_id = 2",
	"UPDATE authentication_userprofile SET state_id = NULL WHERE user_id = 3",
	"UPDATE authentication_userprofile SET main_character_id = NULL WHERE user_id = 2",
	"UPDATE authentication_userprofile SET main_character_id = 999 WHERE user_id = 2",
	"DELETE FROM authentication_userprofile WHERE user_id = 2",
	"UPDATE authentication_state SET priority = 200 - priority WHERE id <> 2",
	"UPDATE authentication_state SET name = 'Members' WHERE id = 3",
	"DELETE FROM authentication_state_permissions",
	"INSERT INTO authentication_state_permissions (id, state_id, permission_id) SELECT 61, 1, MAX(id) FROM auth_permission",
	"UPDATE eveonline_evecharacter SET character_name = 'ann' WHERE character_name = 'Ann'",
	"UPDATE eveonline_evecharacter SET corporation_ticker = 'NEW' WHERE id = 1",
	"UPDATE eveonline_evecharacter SET alliance_ticker = '' WHERE id = 1",
	"UPDATE eveonline_evecharacter SET alliance_ticker = 'MINE' WHERE id = 3",
	"DELETE FROM eveonline_evecharacter WHERE id = 2",
	"INSERT INTO auth_user_user_permissions (id, user_id, permission_id) SELECT 62, 3, MIN(id) FROM auth_permission",
	"DELETE FROM auth_user_user_permissions",
	"UPDATE auth_permission SET codename = 'other' WHERE codename = 'basic_access'",
	"UPDATE django_content_type SET app_label = 'other' WHERE app_label = 'fleets'",
	"INSERT INTO groupmanagement_reservedgroupname (id, name) VALUES (63, 'Directors')",
	"UPDATE groupmanagement_reservedgroupname SET name = 'server booster'",
	"DELETE FROM groupmanagement_reservedgroupname WHERE id = 63",
	"INSERT INTO django_migrations (id, app, name) VALUES (95, 'eveonline', '0026_something_new')",
	"UPDATE django_migrations SET applied = '2020-01-02 03:04:05' WHERE id = 1",
}

// engines runs a test on a SQLite file and on each server that there is, with the rights of docs/auth.md.
func engines(t *testing.T, w authtest.World, test func(t *testing.T, url string, change func(statement string))) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		url := authtest.SQLite(t, w)
		test(t, url, func(s string) { authtest.Exec(t, url, s) })
	})
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, w)
			test(t, reader(t, s), func(statement string) { execute(t, s.db, statement) })
		})
	}
}

func opened(t *testing.T, url string) *auth.Reader {
	t.Helper()
	r, err := auth.Open(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func current(t *testing.T, r *auth.Reader) *audit.Directory {
	t.Helper()
	d, err := r.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sameButAges compares what two directories say; seconds may have passed between them.
func sameButAges(a, b *audit.Directory) string {
	x, y := *a, *b
	x.Version, y.Version = "", ""
	x.Counts, y.Counts = maps.Clone(a.Counts), maps.Clone(b.Counts)
	for _, f := range []audit.Fact{audit.BeatAge, audit.AffiliationsAge, audit.ClockSkew} {
		if _, known := x.Counts[f]; known {
			if off := x.Counts[f] - y.Counts[f]; off < -5 || off > 5 {
				return fmt.Sprintf("%s is %d, and %d", f, x.Counts[f], y.Counts[f])
			}
		}
		delete(x.Counts, f)
		delete(y.Counts, f)
	}
	return cmp.Diff(x, y, cmpopts.IgnoreUnexported(audit.Directory{}))
}

func TestWhateverChangesInAuthChangesItsDigestAndWhatIsCurrent(t *testing.T) {
	w := authtest.Small()
	w.Updated, w.Beat = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	engines(t, w, func(t *testing.T, url string, change func(string)) {
		r, chance := opened(t, url), rand.New(rand.NewPCG(5, 7))
		digest := func() string {
			t.Helper()
			sum, err := r.Digest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		order := chance.Perm(len(changes))
		last, sum := current(t, r), digest()
		for _, i := range order {
			change(changes[i])
			whole, now := read(t, url), current(t, r)
			if diff := sameButAges(whole, now); diff != "" {
				t.Fatalf("after %s (-read whole +current):\n%s", changes[i], diff)
			}
			differs := whole.Sum() != last.Sum() || cmp.Diff(last.Counts, whole.Counts, cmpopts.IgnoreMapEntries(func(f audit.Fact, _ int64) bool {
				return f == audit.BeatAge || f == audit.AffiliationsAge || f == audit.ClockSkew
			})) != ""
			next := digest()
			if differs && (next == sum || now.Version == last.Version) {
				t.Errorf("after %s digest %s, version %s: the same as before", changes[i], next, now.Version)
			}
			if again := current(t, r); again.Version != now.Version || digest() != next {
				t.Errorf("after %s nothing happened, and digest or version changed", changes[i])
			}
			last, sum = now, next
		}
	})
}

func TestAgesAreAskedAnewThoughNothingElseChanged(t *testing.T) {
	w := authtest.Small()
	w.Updated, w.Beat = time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)
	engines(t, w, func(t *testing.T, url string, change func(string)) {
		r := opened(t, url)
		before := current(t, r)
		change("UPDATE django_celery_beat_periodictask SET last_run_at = '" + time.Now().UTC().Format("2006-01-02 15:04:05") + "'")
		if now := current(t, r); now.Counts[audit.BeatAge] > 60 || before.Counts[audit.BeatAge] < 3_500 {
			t.Errorf("the scheduler's age is %d s after it was %d s", now.Counts[audit.BeatAge], before.Counts[audit.BeatAge])
		}
		if before.Counts[audit.BeatAge] < 3_500 {
			t.Error("what was handed out before has changed")
		}
	})
}

func TestAFileThatTakesTheNameOfAnotherIsReadFromThenOn(t *testing.T) {
	url := authtest.SQLite(t, authtest.Small())
	r := opened(t, url)
	before := current(t, r)
	other := authtest.Small()
	other.Users = other.Users[:3]
	if err := os.Rename(strings.TrimPrefix(authtest.SQLite(t, other), "sqlite:"), strings.TrimPrefix(url, "sqlite:")); err != nil {
		t.Fatal(err)
	}
	for name, look := range map[string]func() *audit.Directory{"current": func() *audit.Directory { return current(t, r) }, "read": func() *audit.Directory {
		d, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}} {
		if now := look(); len(now.Accounts) != 3 || now.Version == before.Version {
			t.Errorf("%s: %d accounts, want the 3 of the new file", name, len(now.Accounts))
		}
	}
	if err := os.Remove(strings.TrimPrefix(url, "sqlite:")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Current(t.Context()); err == nil {
		t.Error("a file that is gone is still believed")
	}
}

func TestWhatIsCurrentIsNotKeptOverAnOutage(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, authtest.Small())
			r := opened(t, reader(t, s))
			current(t, r)
			execute(t, s.db, "ALTER TABLE auth_group RENAME TO auth_group_away")
			if _, err := r.Current(t.Context()); err == nil {
				t.Error("a table is gone, and Auth is still believed")
			}
			execute(t, s.db, "ALTER TABLE auth_group_away RENAME TO auth_group")
			current(t, r)
		})
	}
}

func TestAgesAreThoseOfNowAlsoOfAFileThatWasReadBefore(t *testing.T) {
	w := authtest.Small()
	w.Updated, w.Beat = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	url := authtest.SQLite(t, w)
	r := opened(t, url)
	for range 3 { // the first reads all, the second the clocks, the third has them
		if age := current(t, r).Counts[audit.AffiliationsAge]; age < 3_600 || age > 3_660 {
			t.Fatalf("the newest character is %d s old, want an hour", age)
		}
	}
	authtest.Exec(t, url, fmt.Sprintf("UPDATE eveonline_evecharacter SET last_updated_affiliations = '%s'", time.Now().UTC().Add(-2*time.Hour).Format("2006-01-02 15:04:05")))
	if age := current(t, r).Counts[audit.AffiliationsAge]; age < 7_200 || age > 7_260 {
		t.Errorf("after it was written the newest character is %d s old, want two hours", age)
	}
}
