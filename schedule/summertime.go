package schedule

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// summerTime warns about the times of the next year that the zone's clock skips or shows twice: a run at half past two in the night is
// left out on one day and made twice on another.
func (s Spec) summerTime(now time.Time) (warnings []string) {
	c, ok := s.cron.(*cron.SpecSchedule)
	if !ok || c.Location == time.UTC {
		return nil
	}
	onWall := *c
	onWall.Location = time.UTC // the clock on the wall, as if it were never changed
	for _, change := range changes(c.Location, now) {
		_, before := change.Add(-time.Second).In(c.Location).Zone()
		_, after := change.In(c.Location).Zone()
		gap := time.Duration(after-before) * time.Second
		if gap > 0 {
			// What the clock shows at the change, had it not been changed, up to where it is set.
			from := wall(change, before)
			for at := onWall.Next(from.Add(-time.Second)); !at.IsZero() && at.Before(from.Add(gap)); at = onWall.Next(at) {
				if s.hourly(at, &onWall) {
					break
				}
				warnings = append(warnings, fmt.Sprintf("on %s the clock in %s skips %s: that run is left out", at.Format(time.DateOnly), c.Location, at.Format("15:04")))
			}
			continue
		}
		first := change.Add(gap) // from here on the clock shows what it will show again
		for at := s.cron.Next(first.Add(-time.Second)); !at.IsZero() && at.Before(change); at = s.cron.Next(at) {
			again := at.Add(-gap)
			if !s.cron.Next(again.Add(-time.Second)).Equal(again) || s.hourly(wall(at, before), &onWall) {
				continue
			}
			warnings = append(warnings, fmt.Sprintf("on %s the clock in %s shows %s twice: that run is made twice", at.Format(time.DateOnly), c.Location, at.In(c.Location).Format("15:04")))
		}
	}
	if len(warnings) > 0 {
		warnings = append(warnings, "write the schedule in UTC, or at another hour, if that matters")
	}
	return warnings
}

// wall is what a clock with the offset shows, as if it were UTC.
func wall(at time.Time, offset int) time.Time {
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// hourly reports whether the schedule has this minute in each hour around, so that the change of the clock is not to be noticed.
func (s Spec) hourly(at time.Time, onWall *cron.SpecSchedule) bool {
	for _, neighbour := range []time.Time{at.Add(-time.Hour), at.Add(time.Hour)} {
		if !onWall.Next(neighbour.Add(-time.Second)).Equal(neighbour) {
			return false
		}
	}
	return true
}

// changes are the instants of the coming year at which the zone's clock is changed.
func changes(zone *time.Location, now time.Time) (all []time.Time) {
	for at, end := now.In(zone), now.AddDate(1, 0, 1); ; {
		_, next := at.ZoneBounds()
		if next.IsZero() || next.After(end) {
			return all
		}
		_, before := next.Add(-time.Second).Zone()
		if _, after := next.Zone(); before != after {
			all = append(all, next)
		}
		at = next.In(zone)
	}
}
