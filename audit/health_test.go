package audit_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecamp/audit"
)

// sound is an Auth of some size with nothing wrong.
func sound() audit.Counts {
	return audit.Counts{
		audit.Users: 1_000, audit.Profiles: 998, audit.Links: 700, audit.States: 4, audit.Groups: 60, audit.Memberships: 3_000,
		audit.PermissionRows: 400, audit.ContentTypes: 90, audit.GroupPermissions: 200, audit.StatePermissions: 20, audit.UserPermissions: 10,
		audit.AccessHolders: 800, audit.Mains: 900, audit.UsersWithoutProfile: 2, audit.Orphans: 0, audit.InvalidLinks: 0, audit.Demoted: 50,
		audit.UnknownEdition: 0, audit.GuildOverlap: 9_500, audit.BeatAge: 600, audit.AffiliationsAge: 3_600, audit.ClockSkew: 0,
	}
}

// with is the counts with some facts changed.
func with(c audit.Counts, changes audit.Counts) audit.Counts {
	changed := c.Highest(nil)
	maps.Copy(changed, changes)
	return changed
}

func TestAuthIsJudgedAgainstItsBaseline(t *testing.T) {
	tests := map[string]struct {
		now   audit.Counts
		want  audit.Health
		facts []audit.Fact
	}{
		"nothing has changed":                     {sound(), audit.Healthy, nil},
		"a fifth of the users has gone":           {with(sound(), audit.Counts{audit.Users: 800}), audit.Healthy, nil},
		"more than a fifth of the users has gone": {with(sound(), audit.Counts{audit.Users: 799}), audit.Doubtful, []audit.Fact{audit.Users}},
		"a tenth of access has gone":              {with(sound(), audit.Counts{audit.AccessHolders: 720}), audit.Healthy, nil},
		"more than a tenth of access has gone":    {with(sound(), audit.Counts{audit.AccessHolders: 719}), audit.Doubtful, []audit.Fact{audit.AccessHolders}},
		"nobody may use Discord":                  {with(sound(), audit.Counts{audit.AccessHolders: 0}), audit.Blind, []audit.Fact{audit.AccessHolders}},
		"more than one main in twenty has gone":   {with(sound(), audit.Counts{audit.Mains: 854}), audit.Doubtful, []audit.Fact{audit.Mains}},
		"no memberships":                          {with(sound(), audit.Counts{audit.Memberships: 0}), audit.Blind, []audit.Fact{audit.Memberships}},
		"no permissions of states":                {with(sound(), audit.Counts{audit.StatePermissions: 0, audit.AccessHolders: 20}), audit.Blind, []audit.Fact{audit.StatePermissions, audit.AccessHolders}},
		"no permissions of users, which is small": {with(sound(), audit.Counts{audit.UserPermissions: 0}), audit.Doubtful, []audit.Fact{audit.UserPermissions}},
		"two of four states have gone":            {with(sound(), audit.Counts{audit.States: 2}), audit.Healthy, nil},
		"three of four states have gone":          {with(sound(), audit.Counts{audit.States: 1}), audit.Doubtful, []audit.Fact{audit.States}},
		"rows point nowhere":                      {with(sound(), audit.Counts{audit.Orphans: 1}), audit.Doubtful, []audit.Fact{audit.Orphans}},
		"some more users without a profile":       {with(sound(), audit.Counts{audit.UsersWithoutProfile: 7}), audit.Healthy, nil},
		"many more users without a profile":       {with(sound(), audit.Counts{audit.UsersWithoutProfile: 8}), audit.Doubtful, []audit.Fact{audit.UsersWithoutProfile}},
		"a tenth of the links fell to Guest":      {with(sound(), audit.Counts{audit.Demoted: 120}), audit.Healthy, nil},
		"more than a tenth fell to Guest":         {with(sound(), audit.Counts{audit.Demoted: 121}), audit.Doubtful, []audit.Fact{audit.Demoted}},
		"the scheduler stands still":              {with(sound(), audit.Counts{audit.BeatAge: 7_201}), audit.Doubtful, []audit.Fact{audit.BeatAge}},
		"characters are not refreshed":            {with(sound(), audit.Counts{audit.AffiliationsAge: 13*3_600 + 1}), audit.Doubtful, []audit.Fact{audit.AffiliationsAge}},
		"the clocks differ":                       {with(sound(), audit.Counts{audit.ClockSkew: 301}), audit.Doubtful, []audit.Fact{audit.ClockSkew}},
		"another guild's people":                  {with(sound(), audit.Counts{audit.GuildOverlap: 4_999}), audit.Doubtful, []audit.Fact{audit.GuildOverlap}},
		"newer tables than we know":               {with(sound(), audit.Counts{audit.UnknownEdition: 1}), audit.Doubtful, []audit.Fact{audit.UnknownEdition}},
		"more of everything":                      {with(sound(), audit.Counts{audit.Users: 5_000, audit.Profiles: 5_000, audit.Links: 4_000, audit.Groups: 100}), audit.Healthy, nil},
		"a fresh migrate on an empty database":    {audit.Counts{audit.States: 3, audit.PermissionRows: 400, audit.ContentTypes: 90, audit.Users: 0, audit.Links: 0}, audit.Blind, nil},
		"nothing could be read":                   {nil, audit.Blind, []audit.Fact{audit.Reachable}},
		"nothing is known":                        {audit.Counts{}, audit.Blind, nil},
		"negative counts":                         {with(sound(), audit.Counts{audit.Links: math.MinInt64}), audit.Blind, []audit.Fact{audit.Links}},
		"the largest counts":                      {with(sound(), audit.Counts{audit.Users: math.MaxInt64, audit.Links: math.MaxInt64}), audit.Healthy, nil},
		"the worst comes first":                   {with(sound(), audit.Counts{audit.Users: 700, audit.Memberships: 0}), audit.Blind, []audit.Fact{audit.Memberships, audit.Users}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := audit.JudgeAuth(test.now, sound(), audit.DefaultThresholds())
			if v.Health != test.want {
				t.Errorf("%s, want %s: %v", v.Health, test.want, v.Reasons)
			}
			var facts []audit.Fact
			for _, r := range v.Reasons {
				facts = append(facts, r.Fact)
			}
			if diff := cmp.Diff(test.facts, facts); test.facts != nil && diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstContactAsksForOneOfEachAndHalfTheGuildAndNothingElse(t *testing.T) {
	least := audit.Counts{audit.Users: 1, audit.Links: 1, audit.States: 1, audit.AccessHolders: 1}
	for f, want := range map[audit.Fact]audit.Health{
		audit.Users: audit.Blind, audit.Links: audit.Blind, audit.States: audit.Blind, audit.AccessHolders: audit.Blind,
	} {
		if v := audit.JudgeAuth(with(least, audit.Counts{f: 0}), nil, audit.DefaultThresholds()); v.Health != want || len(v.Reasons) != 1 {
			t.Errorf("without %s: %s %v", f, v.Health, v.Reasons)
		}
	}
	for name, test := range map[string]struct {
		more audit.Counts
		want audit.Health
	}{
		"the least":               {nil, audit.Healthy},
		"empty tables":            {audit.Counts{audit.Memberships: 0, audit.Groups: 0, audit.Mains: 0}, audit.Healthy},
		"stale, skewed, orphaned": {audit.Counts{audit.BeatAge: 1 << 40, audit.AffiliationsAge: 1 << 40, audit.ClockSkew: 1 << 40, audit.Orphans: 9, audit.Demoted: 9}, audit.Healthy},
		"half the guild":          {audit.Counts{audit.GuildOverlap: 5_000}, audit.Healthy},
		"less than half":          {audit.Counts{audit.GuildOverlap: 4_999}, audit.Doubtful},
		"tables that are newer":   {audit.Counts{audit.UnknownEdition: 1}, audit.Doubtful},
	} {
		if v := audit.JudgeAuth(with(least, test.more), nil, audit.DefaultThresholds()); v.Health != test.want {
			t.Errorf("%s: %s %v", name, v.Health, v.Reasons)
		}
	}
}

func TestAFactThatIsNoLongerSaidIsDoubtful(t *testing.T) {
	for _, f := range []audit.Fact{audit.BeatAge, audit.AffiliationsAge, audit.Orphans, audit.Demoted} {
		now := sound()
		delete(now, f)
		v := audit.JudgeAuth(now, sound(), audit.DefaultThresholds())
		if v.Health != audit.Doubtful || len(v.Reasons) != 1 || v.Reasons[0].Now != audit.Unknown {
			t.Errorf("%s: %s %v", f, v.Health, v.Reasons)
		}
	}
	now := sound()
	delete(now, audit.GuildOverlap)
	if v := audit.JudgeAuth(now, sound(), audit.DefaultThresholds()); v.Health != audit.Healthy {
		t.Errorf("the overlap is the guild's to say: %v", v.Reasons)
	}
}

func TestSmallGuildsMayLoseAPersonOrTwo(t *testing.T) {
	base := audit.Counts{audit.Users: 5, audit.Links: 5, audit.States: 3, audit.AccessHolders: 5, audit.Profiles: 5, audit.Memberships: 4, audit.Demoted: 0}
	one := audit.Counts{audit.Users: 4, audit.Links: 4, audit.States: 3, audit.AccessHolders: 3, audit.Profiles: 4, audit.Memberships: 3, audit.Demoted: 2}
	if v := audit.JudgeAuth(one, base, audit.DefaultThresholds()); v.Health != audit.Healthy {
		t.Errorf("%v", v.Reasons)
	}
	if v := audit.JudgeAuth(with(one, audit.Counts{audit.Links: 2}), base, audit.DefaultThresholds()); v.Health != audit.Doubtful {
		t.Error("three of five links have gone unnoticed")
	}
	strict, err := audit.DefaultThresholds().With("slack", 0)
	if err != nil {
		t.Fatal(err)
	}
	if v := audit.JudgeAuth(one, base, strict); v.Health != audit.Doubtful {
		t.Error("without slack the shares alone count")
	}
}

func TestABaselineIsTheHighestOfSevenHealthyDays(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 0, time.UTC) }
	users := func(n int64) audit.Counts { return audit.Counts{audit.Users: n} }
	healthy := func(d int, n int64) audit.Reading {
		return audit.Reading{At: day(d), Health: audit.Healthy, Counts: users(n)}
	}
	for name, test := range map[string]struct {
		readings []audit.Reading
		want     audit.Counts
	}{
		"none":                          {nil, nil},
		"only bad ones":                 {[]audit.Reading{{At: day(1), Health: audit.Doubtful, Counts: users(9)}, {At: day(2), Health: audit.Blind}}, nil},
		"the highest":                   {[]audit.Reading{healthy(1, 10), healthy(2, 12), healthy(3, 11)}, users(12)},
		"not the bad ones":              {[]audit.Reading{healthy(1, 10), {At: day(2), Health: audit.Doubtful, Counts: users(99)}}, users(10)},
		"not those before seven days":   {[]audit.Reading{healthy(1, 99), healthy(2, 12), healthy(9, 11)}, users(12)},
		"an outage of weeks":            {[]audit.Reading{healthy(1, 10), {At: day(28), Health: audit.Doubtful, Counts: users(2)}}, users(10)},
		"accepted, though it shrank":    {[]audit.Reading{healthy(1, 100), {At: day(2), Health: audit.Doubtful, Accepted: true, Counts: users(40)}}, users(40)},
		"what came after an acceptance": {[]audit.Reading{healthy(1, 100), audit.Accept(users(40), day(2)), healthy(3, 42)}, users(42)},
		"the last acceptance":           {[]audit.Reading{audit.Accept(users(90), day(1)), audit.Accept(users(40), day(2)), healthy(3, 39)}, users(40)},
		"an acceptance that is old":     {[]audit.Reading{audit.Accept(users(90), day(1)), healthy(9, 80)}, users(80)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, audit.Baseline(test.readings)); diff != "" {
				t.Error(diff)
			}
			slices.Reverse(test.readings)
			if diff := cmp.Diff(test.want, audit.Baseline(test.readings)); diff != "" {
				t.Error("in another order:", diff)
			}
		})
	}
}

func TestAnAcceptedShrinkIsHealthyFromThenOn(t *testing.T) {
	shrunken := with(sound(), audit.Counts{audit.Users: 300, audit.Links: 200, audit.AccessHolders: 200, audit.Memberships: 0})
	history := []audit.Reading{{At: time.Unix(0, 0), Health: audit.Healthy, Counts: sound()}}
	judge := func() audit.Health {
		return audit.JudgeAuth(shrunken, audit.Baseline(history), audit.DefaultThresholds()).Health
	}
	if judge() != audit.Blind {
		t.Fatal("the shrink was not seen")
	}
	history = append(history, audit.Accept(shrunken, time.Unix(60, 0)))
	if h := judge(); h != audit.Healthy {
		t.Errorf("after acceptance: %s", h)
	}
}

func TestThresholdsAreSetByNameWithinSense(t *testing.T) {
	thresholds := audit.DefaultThresholds()
	for _, known := range thresholds.All() {
		for _, value := range []int64{0, known.Most} {
			set, err := thresholds.With(known.Name, value)
			if err != nil {
				t.Errorf("%s=%d: %v", known.Name, value, err)
			}
			if i := slices.IndexFunc(set.All(), func(x audit.Threshold) bool { return x.Name == known.Name }); set.All()[i].Value != value {
				t.Errorf("%s stays %d", known.Name, set.All()[i].Value)
			}
		}
		for _, value := range []int64{-1, known.Most + 1, math.MaxInt64, math.MinInt64} {
			if _, err := thresholds.With(known.Name, value); err == nil || !strings.Contains(err.Error(), known.Name) {
				t.Errorf("%s=%d: %v", known.Name, value, err)
			}
		}
	}
	for _, unknown := range []string{"", "user", "reachable", "unknown", "unknown_edition"} {
		if _, err := thresholds.With(unknown, 1); err == nil || !strings.Contains(err.Error(), "access_holders") {
			t.Errorf("%q: %v", unknown, err)
		}
	}
	if diff := cmp.Diff(audit.DefaultThresholds().All(), thresholds.All()); diff != "" {
		t.Error("the original has changed:", diff)
	}
}

func TestCountsAreJSONWithTheFactsNames(t *testing.T) {
	for _, f := range audit.AllFacts() {
		if back, ok := audit.ParseFact(f.String()); !ok || back != f || f.String() == "unknown" {
			t.Errorf("%d is %q and back %d", f, f, back)
		}
	}
	text, err := json.Marshal(audit.Counts{audit.Users: 7, audit.BeatAge: 3})
	if err != nil || string(text) != `{"beat_age":3,"users":7}` {
		t.Fatalf("%s %v", text, err)
	}
	var back audit.Counts
	if err := json.Unmarshal([]byte(`{"users":7,"of_another_version":5}`), &back); err != nil || back[audit.Users] != 7 {
		t.Errorf("%v %v", back, err)
	}
	if v := audit.JudgeAuth(with(sound(), back), sound(), audit.DefaultThresholds()); v.Health != audit.Doubtful || len(v.Reasons) != 1 {
		t.Errorf("a fact of another version counts: %v", v.Reasons)
	}
}

func TestATallyCountsWhatADirectoryShows(t *testing.T) {
	d := &audit.Directory{
		Edition: "unknown", States: []string{"Member", "Guest"}, Groups: []string{"a"}, Permissions: []string{"a.b", audit.AccessDiscord},
		Accounts: []audit.Account{
			{User: 1, Active: true, Superuser: true, Access: true, State: 0, Discord: 5, Grants: &audit.Bits{0}},
			{User: 2, Active: true, Access: true, State: 0, Discord: 6, Grants: &audit.Bits{2}, Main: audit.Main{Name: "x"}},
			{User: 3, State: 0, Discord: 6, Grants: &audit.Bits{2}},
			{User: 4, Active: true, State: 1, Discord: 7},
			{User: 5, State: 1, Discord: 8},
			{User: 6, Active: true, State: -1},
		},
	}
	want := audit.Counts{
		audit.Users: 6, audit.Links: 5, audit.States: 2, audit.Groups: 1, audit.ReservedNames: 0, audit.AccessHolders: 1, audit.Mains: 1,
		audit.UsersWithoutProfile: 1, audit.Demoted: 1, audit.UnknownEdition: 1,
	}
	if diff := cmp.Diff(want, audit.CountFacts(d)); diff != "" {
		t.Error(diff)
	}
}

// counts draws the counts of an Auth that nobody would doubt by itself.
func counts(t *rapid.T, label string) audit.Counts {
	c := audit.Counts{}
	for _, f := range audit.AllFacts() {
		least, most := int64(0), int64(math.MaxInt64)
		switch {
		case f == audit.Reachable || f == audit.UnknownEdition:
			continue
		case f == audit.Users || f == audit.Links || f == audit.States || f == audit.AccessHolders:
			least = 1
		case f.Unit() == audit.BasisPoints:
			least, most = 5_000, 10_000
		case f.Unit() == audit.Seconds:
			most = 300
		}
		c[f] = rapid.Int64Range(least, most).Draw(t, label+f.String())
	}
	return c
}

func TestEqualCountsAreHealthyAndABaselineOfThemToo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := counts(t, "now ")
		base := audit.Baseline([]audit.Reading{{Health: audit.Healthy, Counts: now}})
		if v := audit.JudgeAuth(now, base, audit.DefaultThresholds()); v.Health != audit.Healthy {
			t.Fatalf("%v", v.Reasons)
		}
	})
}

func TestLessNeverLooksBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, now := counts(t, "base "), counts(t, "now ")
		if rapid.Bool().Draw(t, "first contact") {
			base = nil
		}
		before := audit.JudgeAuth(now, base, audit.DefaultThresholds())
		f := rapid.SampledFrom(audit.AllFacts()).Filter(func(f audit.Fact) bool { return !f.Ceiling() }).Draw(t, "fact")
		less := with(now, audit.Counts{f: rapid.Int64Range(math.MinInt64, now[f]).Draw(t, "less")})
		after := audit.JudgeAuth(less, base, audit.DefaultThresholds())
		if after.Health < before.Health {
			t.Fatalf("%s from %d to %d: %s became %s", f, now[f], less[f], before.Health, after.Health)
		}
	})
}

func TestMoreOfTheBadNeverLooksBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, now := counts(t, "base "), counts(t, "now ")
		before := audit.JudgeAuth(now, base, audit.DefaultThresholds())
		f := rapid.SampledFrom(audit.AllFacts()).Filter(audit.Fact.Ceiling).Draw(t, "fact")
		more := with(now, audit.Counts{f: rapid.Int64Range(now[f], math.MaxInt64).Draw(t, "more")})
		if after := audit.JudgeAuth(more, base, audit.DefaultThresholds()); after.Health < before.Health {
			t.Fatalf("%s from %d to %d: %s became %s", f, now[f], more[f], before.Health, after.Health)
		}
	})
}

func TestAVerdictIsTheWorstOfItsReasons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) audit.Counts {
			return rapid.MapOf(rapid.SampledFrom(audit.AllFacts()), rapid.Int64()).Draw(t, label)
		}
		now, base := draw("now"), draw("base")
		v := audit.JudgeAuth(now, base, audit.DefaultThresholds())
		worst := audit.Healthy
		for i, r := range v.Reasons {
			worst = max(worst, r.Health)
			if r.Health == audit.Healthy || i > 0 && v.Reasons[i-1].Health < r.Health {
				t.Fatalf("%v", v.Reasons)
			}
			if n, known := now[r.Fact]; known && r.Fact.Ceiling() && n <= r.Want || known && !r.Fact.Ceiling() && n >= r.Want {
				t.Fatalf("%s is %d, which is what was wanted: %d", r.Fact, n, r.Want)
			}
		}
		if v.Health != worst {
			t.Fatalf("%s, and the worst reason is %s", v.Health, worst)
		}
	})
}
