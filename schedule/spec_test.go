package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/internal/problem"
)

// noon is an instant in a winter of the northern half.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func spec(t testing.TB, text string) Spec {
	t.Helper()
	s, _, err := ParseSpec(text, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func TestASpecificationMeansTheSameInstantsEverywhere(t *testing.T) {
	for text, c := range map[string]struct{ written, last, next string }{
		"@every 6h":                            {"@every 6h", "2026-11-22T12:00:00Z", "2026-11-22T18:00:00Z"},
		"@every 90m":                           {"@every 1h30m", "2026-11-22T12:00:00Z", "2026-11-22T13:30:00Z"},
		"@every 5h":                            {"@every 5h", "2026-11-22T11:00:00Z", "2026-11-22T16:00:00Z"},
		"0 4 * * *":                            {"CRON_TZ=UTC 0 4 * * *", "2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z"},
		"  0   4 * * * ":                       {"CRON_TZ=UTC 0 4 * * *", "2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z"},
		"CRON_TZ=Europe/Berlin 0 5 * * 1-5":    {"CRON_TZ=Europe/Berlin 0 5 * * 1-5", "2026-11-20T04:00:00Z", "2026-11-23T04:00:00Z"},
		"TZ=Asia/Kolkata 30 9 * * *":           {"CRON_TZ=Asia/Kolkata 30 9 * * *", "2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z"},
		"@daily":                               {"CRON_TZ=UTC @daily", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		"0 12 * * *":                           {"CRON_TZ=UTC 0 12 * * *", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"},
		"0 0 29 2 *":                           {"CRON_TZ=UTC 0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
		"*/15 * * * *":                         {"CRON_TZ=UTC */15 * * * *", "2026-11-22T12:00:00Z", "2026-11-22T12:15:00Z"},
		"CRON_TZ=Europe/Berlin @every 6h":      {"@every 6h", "2026-11-22T12:00:00Z", "2026-11-22T18:00:00Z"},
		"CRON_TZ=America/New_York 0 0 1 1 *":   {"CRON_TZ=America/New_York 0 0 1 1 *", "2026-01-01T05:00:00Z", "2027-01-01T05:00:00Z"},
		"@every 6h jitter=10m":                 {"@every 6h jitter=10m", "2026-11-22T12:00:00Z", "2026-11-22T18:00:00Z"},
		"CRON_TZ=UTC 0 4 * * * jitter=1h30m0s": {"CRON_TZ=UTC 0 4 * * * jitter=1h30m", "2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z"},
	} {
		s, warnings, err := ParseSpec(text, noon)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%q: %v, %v", text, warnings, err)
			continue
		}
		got := [3]string{s.String(), s.Last(noon).Format(time.RFC3339), s.Next(noon).Format(time.RFC3339)}
		if diff := cmp.Diff([3]string{c.written, c.last, c.next}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if again := spec(t, s.String()); again.String() != s.String() || !again.Next(noon).Equal(s.Next(noon)) {
			t.Errorf("%q is read back as %q", s, again)
		}
	}
}

func TestOffIsNever(t *testing.T) {
	for _, s := range []Spec{spec(t, "off"), spec(t, " OFF "), {}} {
		if slot, next := s.lastDue(1, noon); !s.IsOff() || !slot.IsZero() || !next.IsZero() || s.String() != "off" {
			t.Errorf("%q: last %v, next %v", s, slot, next)
		}
	}
}

func TestAWrongSpecificationSaysWhatIsWrongAndWhatWouldBeRight(t *testing.T) {
	for text, why := range map[string]string{
		"":                               "it is empty",
		"0 4 * *":                        "it has 4 fields instead of five",
		"0 0 4 * * *":                    "it has 6 fields instead of five",
		"61 4 * * *":                     "above maximum",
		"0 4 * * MOO":                    "failed to parse",
		"CRON_TZ=Mars/Olympus 0 4 * * *": `no time zone has the name "Mars/Olympus"`,
		"CRON_TZ=Europe/Berlin":          "after the zone there is no expression",
		"TZ=":                            "after the zone there is no expression",
		"CRON_TZ= 0 4 * * *":             "after the zone there is no expression",
		"TZ=Local 0 4 * * *":             "no time zone has the name",
		"@every":                         "unrecognized descriptor",
		"@every soon":                    "a duration from 1m",
		"@every 5s":                      "a duration from 1m",
		"@reboot":                        "unrecognized descriptor",
		"0 0 30 2 *":                     "no such time within five years",
		"@every 6h jitter=5h":            "longer than half the time",
		"@every 6h jitter=x":             "the jitter is not a duration",
		"off jitter=5m":                  "what is off has no jitter",
		"0 4 * * * jitter=5m maybe":      "or something follows it",
	} {
		_, _, err := ParseSpec(text, noon)
		if err == nil || problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "@every 6h") {
			t.Errorf("%q: %v, want %q and an example", text, err, why)
		}
	}
}

func TestTimesThatSummerTimeSkipsOrDoublesAreWarnedAbout(t *testing.T) {
	for text, want := range map[string][]string{
		"CRON_TZ=Europe/Berlin 30 2 * * *": {
			"on 2027-03-28 the clock in Europe/Berlin skips 02:30: that run is left out",
			"on 2027-10-31 the clock in Europe/Berlin shows 02:30 twice: that run is made twice",
		},
		"CRON_TZ=Europe/Berlin 0 2 * * 1-5":      nil, // the clock is changed on Sundays
		"CRON_TZ=Europe/Berlin 0 3 * * *":        nil,
		"CRON_TZ=Europe/Berlin 0 * * * *":        nil,
		"CRON_TZ=Europe/Berlin */20 * * * *":     nil,
		"30 2 * * *":                             nil,
		"CRON_TZ=Africa/Cairo 30 0 * * *":        {"on 2027-04-30 the clock in Africa/Cairo skips 00:30: that run is left out"},
		"CRON_TZ=Asia/Tokyo 30 2 * * *":          nil,
		"CRON_TZ=America/New_York 0 1,2 * * *":   {"on 2027-03-14 the clock in America/New_York skips 02:00: that run is left out", "on 2027-11-07 the clock in America/New_York shows 01:00 twice: that run is made twice"},
		"CRON_TZ=Australia/Lord_Howe 15 2 * * *": {"on 2027-10-03 the clock in Australia/Lord_Howe skips 02:15: that run is left out"},
	} {
		_, got, err := ParseSpec(text, noon)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if len(want) > 0 {
			want = append(want, "write the schedule in UTC, or at another hour, if that matters")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// What the warnings say is what the schedule does.
func TestWhatIsWarnedAboutHappens(t *testing.T) {
	s := spec(t, "CRON_TZ=Europe/Berlin 30 2 * * *")
	if next := s.Next(at(t, "2027-03-27T12:00:00Z")); !next.Equal(at(t, "2027-03-29T00:30:00Z")) {
		t.Errorf("after the day before summer time comes %v, want the day after it", next)
	}
	first := s.Next(at(t, "2027-10-30T12:00:00Z"))
	second := s.Next(first)
	if !first.Equal(at(t, "2027-10-31T00:30:00Z")) || !second.Equal(at(t, "2027-10-31T01:30:00Z")) {
		t.Errorf("on the day that winter time begins: %v and %v, want an hour between them", first, second)
	}
}

func TestTheJitterIsTheSameInEveryProcessAndAnotherForEachGuild(t *testing.T) {
	s, again := spec(t, "@every 6h jitter=30m"), spec(t, "@every 6h jitter=30m")
	slot, seen := s.Last(noon), map[time.Duration]bool{}
	for g := range 50 {
		id := snowflake.ID(g)
		due := s.Due(id, slot)
		if due != again.Due(id, slot) {
			t.Errorf("guild %d: %v and %v", id, due, again.Due(id, slot))
		}
		late := due.Sub(slot)
		if late < 0 || late >= 30*time.Minute {
			t.Errorf("guild %d is %v late", id, late)
		}
		seen[late] = true
		if last, next := s.lastDue(id, due.Add(-time.Second)); late > 0 && (!last.Equal(slot.Add(-6*time.Hour)) || !next.Equal(due)) {
			t.Errorf("a second before it is due: last %v, next %v", last, next)
		}
		if last, next := s.lastDue(id, due); !last.Equal(slot) || !next.Equal(s.Due(id, slot.Add(6*time.Hour))) {
			t.Errorf("when it is due: last %v, next %v", last, next)
		}
	}
	if len(seen) < 30 {
		t.Errorf("50 guilds have %d delays", len(seen))
	}
}

func TestTheIntervalIsTheLongestWaitAround(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"@every 6h": 6 * time.Hour, "0 4 * * *": 24 * time.Hour, "0 4 * * 1-5": 72 * time.Hour, "0 3,5 * * *": 22 * time.Hour,
	} {
		if got := spec(t, text).interval(noon); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
