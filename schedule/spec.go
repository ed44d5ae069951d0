package schedule

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	_ "time/tzdata" // zones have names wherever gatecamp runs, also in an image without any

	"github.com/disgoorg/snowflake/v2"
	"github.com/robfig/cron/v3"

	"gatecamp/internal/problem"
)

// Off is the specification of a guild that is not audited by the clock.
const Off = "off"

// Default is when a guild is audited unless somebody says otherwise: every six hours, on the hour, UTC.
const Default = "@every 6h"

// What a specification may ask for at most: a sweep is no heartbeat, and a delay is no schedule of its own.
const (
	shortest   = time.Minute
	longJitter = 6 * time.Hour
)

// Spec is when a guild is audited. The zero value is never.
type Spec struct {
	text   string
	cron   cron.Schedule
	jitter time.Duration
}

// ParseSpec reads a specification: a cron expression of five fields (https://pkg.go.dev/github.com/robfig/cron/v3), @daily and its
// kind, or "@every 6h"; before it "CRON_TZ=Europe/Berlin" (or TZ=), else it means UTC; after it "jitter=10m", else none; or "off".
// "@every" counts from midnight UTC and not from the start of the process, so that every process means the same instants. An error is a
// problem.Problem. The warnings say which times of the next year summer time skips or doubles.
func ParseSpec(text string, now time.Time) (Spec, []string, error) {
	rest, jitter, err := cutJitter(strings.Join(strings.Fields(text), " "))
	if err != nil {
		return Spec{}, nil, err
	}
	switch strings.ToLower(rest) {
	case "":
		return Spec{}, nil, unclear(text, "it is empty")
	case Off:
		if jitter != 0 {
			return Spec{}, nil, unclear(text, "what is off has no jitter")
		}
		return Spec{text: Off}, nil, nil
	}
	s, err := parse(rest)
	if err != nil {
		return Spec{}, nil, unclear(text, err.Error())
	}
	s.jitter = jitter
	first := s.Next(now)
	second := s.Next(first)
	switch {
	case first.IsZero():
		return Spec{}, nil, unclear(text, "there is no such time within five years")
	case !second.IsZero() && second.Sub(first) < shortest:
		return Spec{}, nil, unclear(text, "an audit every "+second.Sub(first).String()+" is too often; once a minute is the most")
	case jitter > longJitter || !second.IsZero() && jitter > s.interval(now)/2:
		return Spec{}, nil, unclear(text, "the jitter is longer than half the time between two audits, or than "+longJitter.String())
	}
	if jitter != 0 {
		s.text += " jitter=" + brief(jitter)
	}
	return s, s.summerTime(now), nil
}

func unclear(text, why string) error {
	return problem.Usagef("the schedule %q is none: %s; write a cron expression of five fields such as \"0 4 * * *\" or \"CRON_TZ=Europe/Berlin 0 5 * * 1-5\","+
		" \"@every 6h\" (after it, if you like, jitter=10m), or off", text, why)
}

// cutJitter takes the last word off, if it is the jitter.
func cutJitter(text string) (rest string, jitter time.Duration, err error) {
	rest, value, found := strings.Cut(text, " jitter=")
	if !found {
		return text, 0, nil
	}
	jitter, err = time.ParseDuration(value)
	if err != nil || jitter < 0 {
		return "", 0, unclear(text, "the jitter is not a duration such as 10m, or something follows it")
	}
	return rest, jitter.Round(time.Second), nil
}

func parse(text string) (Spec, error) {
	zone, expression := "UTC", text
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		name, after, cut := strings.Cut(strings.TrimPrefix(text, prefix), " ")
		if !strings.HasPrefix(text, prefix) {
			continue
		}
		if !cut || name == "" {
			return Spec{}, errors.New("after the zone there is no expression")
		}
		zone, expression = name, after
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Spec{}, fmt.Errorf("no time zone has the name %q", zone)
	}
	if delay, is := strings.CutPrefix(expression, "@every "); is {
		return everyOf(delay)
	}
	if strings.HasPrefix(expression, "@") {
		expression = strings.ToLower(expression)
	} else if n := len(strings.Fields(expression)); n != 5 {
		return Spec{}, fmt.Errorf("it has %d fields instead of five (minute, hour, day of the month, month, day of the week)", n)
	}
	// The parser's own default zone is that of the process, so the zone is always written in.
	text = "CRON_TZ=" + location.String() + " " + expression
	schedule, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(text)
	if err != nil {
		return Spec{}, err
	}
	return Spec{text: text, cron: schedule}, nil
}

func everyOf(delay string) (Spec, error) {
	d, err := time.ParseDuration(delay)
	if err != nil || d < shortest || d > 366*24*time.Hour {
		return Spec{}, errors.New("after @every comes a duration from 1m to a year, such as 6h")
	}
	d = d.Truncate(time.Second)
	return Spec{text: "@every " + brief(d), cron: every(d)}, nil
}

// brief is a duration without the units that are zero: 6h, not 6h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, nothing := range []struct{ behind, unit string }{{"m", "0s"}, {"h", "0m"}} {
		if strings.HasSuffix(text, nothing.behind+nothing.unit) {
			text = strings.TrimSuffix(text, nothing.unit)
		}
	}
	return text
}

// every fires at the multiples of a duration since midnight UTC of the year one.
type every time.Duration

// Next satisfies cron.Schedule.
func (e every) Next(after time.Time) time.Time {
	return after.UTC().Truncate(time.Duration(e)).Add(time.Duration(e))
}

// String is the specification with its zone written in.
func (s Spec) String() string {
	if s.cron == nil {
		return Off
	}
	return s.text
}

// IsOff reports whether nothing is ever due.
func (s Spec) IsOff() bool { return s.cron == nil }

// Next is the first slot after the instant, in UTC; zero if there is none.
func (s Spec) Next(after time.Time) time.Time {
	if s.cron == nil {
		return time.Time{}
	}
	next := s.cron.Next(after)
	if next.IsZero() {
		return next
	}
	return next.UTC()
}

// Last is the newest slot up to and including the instant, in UTC; zero if there was none within five years.
func (s Spec) Last(at time.Time) (last time.Time) {
	if s.cron == nil {
		return last
	}
	for _, back := range []time.Duration{2 * time.Minute, time.Hour, 25 * time.Hour, 8 * 24 * time.Hour, 32 * 24 * time.Hour, 367 * 24 * time.Hour, 5 * 366 * 24 * time.Hour} {
		for slot := s.Next(at.Add(-back)); !slot.IsZero() && !slot.After(at); slot = s.Next(slot) {
			last = slot
		}
		if !last.IsZero() {
			return last
		}
	}
	return last
}

// Due is when a guild's run of the slot begins: the slot and a delay within the jitter, which is the same in every process.
func (s Spec) Due(guild snowflake.ID, slot time.Time) time.Time {
	if s.jitter <= 0 || slot.IsZero() {
		return slot
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %d", guild, slot.Unix())
	return slot.Add(time.Duration(h.Sum64() % uint64(s.jitter)).Truncate(time.Second))
}

// lastDue is the newest slot whose run is due at the instant, and when the next one will be.
func (s Spec) lastDue(guild snowflake.ID, at time.Time) (slot, next time.Time) {
	slot = s.Last(at)
	if due := s.Due(guild, slot); due.After(at) {
		return s.Last(slot.Add(-time.Second)), due
	}
	return slot, s.Due(guild, s.Next(at))
}

// interval is the longest time between two slots around the instant: a schedule of working days has a weekend in it.
func (s Spec) interval(at time.Time) (longest time.Duration) {
	const around = 10
	slot := s.Last(at)
	if slot.IsZero() {
		slot = s.Next(at)
	}
	for range around {
		next := s.Next(slot)
		if slot.IsZero() || next.IsZero() {
			break
		}
		longest, slot = max(longest, next.Sub(slot)), next
	}
	return longest
}
