package schedule

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// Status is how a guild's schedule and its messages stand.
type Status struct {
	Spec        string        // with its zone, or "off"
	Next        time.Time     // when the next run is due; zero: never
	Last        time.Time     // when the guild was last looked at with success; zero: never
	Interval    time.Duration // between two slots, at most; zero: off
	Overdue     bool          // no run has succeeded for twice the interval
	Webhooks    []WebhookState
	Subscribers int // who want direct messages
	GivenUp     int // of these, whom none reaches any more
}

// Status tells how a guild stands that is kept here; of another, what is remembered of it is not looked up.
func (q *Queue) Status(ctx context.Context, guild snowflake.ID) (s Status, err error) {
	defer wrap.Err(&err, "schedule.Status(%d)", guild)
	g, ok := q.kept(guild)
	if !ok {
		return Status{Spec: Off}, nil
	}
	now := q.cfg.Now()
	s.Spec, s.Interval = g.Spec.String(), g.Spec.interval(now)
	_, s.Next = g.Spec.lastDue(guild, now)
	past, err := readPast(ctx, q.cfg.Store, guild)
	if err != nil {
		return s, err
	}
	s.Last = past.success(now)
	if !g.Spec.IsOff() {
		since, err := q.begun(ctx, &kept{Guild: g}, now)
		if err != nil {
			return s, err
		}
		s.Overdue = now.Sub(later(since, s.Last)) > 2*s.Interval
	}
	for name, address := range g.Webhooks {
		if !address.IsSet() {
			continue
		}
		w, err := q.webhook(ctx, guild, name, address)
		if err != nil {
			return s, err
		}
		s.Webhooks = append(s.Webhooks, w)
	}
	slices.SortFunc(s.Webhooks, func(a, b WebhookState) int { return strings.Compare(a.Name, b.Name) })
	people, err := q.cfg.Store.Subscribers(ctx, guild)
	s.Subscribers = len(people)
	for _, p := range people {
		if p.Failures >= giveUpAfter {
			s.GivenUp++
		}
	}
	return s, err
}
