package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/auth/authtest"
	"gatecamp/discord/discordtest"
	"gatecamp/storage"
)

// react gives strangers an administrator's role, one after another, and waits for the write that takes it away.
func (b *botBench) react(ctx context.Context, dir string) (_ map[string]float64, err error) {
	s, err := b.serve(ctx, dir, actsAtOnce, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	guild := s.server.GuildIDs()[0]
	tick := time.NewTicker(reactEvery)
	defer tick.Stop()
	var took []time.Duration
	for i := range min(b.events, b.strangers()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		who := snowflake.ID(stranger(i))
		since := 0
		if last := s.server.Requests(0); len(last) > 0 {
			since = last[len(last)-1].Number
		}
		given := time.Now()
		if err := s.server.GiveRole(guild, who, crowdAdmin, 0); err != nil {
			return nil, err
		}
		write, err := awaitWrite(ctx, s, since, who)
		if err != nil {
			return nil, err
		}
		took = append(took, time.UnixMicro(write.Time).Sub(given))
	}
	figures := map[string]float64{"events": float64(len(took))}
	percentiles(figures, "ms_to_first_write", took)
	return figures, nil
}

// reactEvery leaves room in Discord's bucket of ten writes in ten seconds: an idle system does not wait for it.
const reactEvery = 1_200 * time.Millisecond

func awaitWrite(ctx context.Context, s *served, since int, who snowflake.ID) (discordtest.Request, error) {
	ctx, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	path := "/members/" + who.String()
	r, err := s.server.AwaitRequest(ctx, since, func(r discordtest.Request) bool {
		return (r.Method == http.MethodDelete || r.Method == http.MethodPatch) && (strings.HasSuffix(r.Path, path) || strings.Contains(r.Path, path+"/"))
	})
	if err != nil {
		err = notMeasured("nothing was taken from %d:\n%s", who, s.tail)
	}
	return r, err
}

// open is the database, read beside the process that serves.
func (s *served) open(ctx context.Context) (*session, func() error, error) {
	c := s.console()
	look, err := c.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	look.guild = s.server.GuildIDs()[0]
	return look, look.db.Close, nil
}

// awaitFindings waits until so many strangers have a finding, and says when that was.
func (s *served) awaitFindings(ctx context.Context, look *session, want int, within time.Duration) (time.Time, error) {
	ctx, end := context.WithTimeout(ctx, within)
	defer end()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		n, at := 0, time.Now()
		// To count many costs what the process that serves could do with: they are counted when it has nothing left to do.
		f, err := s.figures(ctx)
		if err == nil && (want <= countedAlways || !busy(f)) {
			n, err = countFindings(ctx, look, "unknown_guest")
		}
		if want <= countedAlways {
			at = time.Now()
		}
		if err == nil && n >= want {
			return at, nil
		}
		if err != nil && ctx.Err() == nil {
			return at, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return at, notMeasured("%d of %d strangers have a finding:\n%s", n, want, s.tail)
		}
	}
}

// countedAlways is how many findings cost nothing to count.
const countedAlways = 1_000

func countFindings(ctx context.Context, look *session, category string) (n int, err error) {
	for filter := (storage.FindingFilter{Category: category, Page: storage.Page{Limit: 5_000}}); ; {
		page, err := look.db.Findings(ctx, look.guild, filter)
		if err != nil || len(page) == 0 {
			return n, err
		}
		n += len(page)
		filter.Page.Before = page[len(page)-1].ID
	}
}

// missedFor is how long nobody serves.
const missedFor = 20 * time.Second

// restart lets members change while nobody serves.
func (b *botBench) restart(ctx context.Context, dir string) (_ map[string]float64, err error) {
	s, err := b.serve(ctx, dir, onlyReports, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	look, done, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := wait(ctx, b.patience()-missedFor); err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	s.daemon = nil
	changed, every := min(b.events, b.strangers()), time.NewTicker(missedFor/time.Duration(b.events))
	defer every.Stop()
	for i := range changed {
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if err := s.server.GiveRole(s.server.GuildIDs()[0], snowflake.ID(stranger(i)), crowdMember, 0); err != nil {
			return nil, err
		}
	}
	if _, err := s.server.AddFault(discordtest.Fault{Name: "resume_refused"}); err != nil {
		return nil, err
	}
	before := len(s.server.Connections())
	began := time.Now()
	if s.daemon, err = b.begin(ctx, s.benchTable); err != nil {
		return nil, err
	}
	ready, err := s.awaitConnection(ctx, before)
	if err != nil {
		return nil, err
	}
	decided, err := s.awaitFindings(ctx, look, changed, 5*time.Minute)
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		"missed": float64(changed), "seconds_from_ready": decided.Sub(ready).Seconds(), "seconds_from_start": decided.Sub(began).Seconds(),
	}, nil
}

// awaitConnection waits for a session of the bot to stand.
func (s *served) awaitConnection(ctx context.Context, before int) (time.Time, error) {
	ctx, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, c := range s.server.Connections() {
			if c.SessionID != "" {
				return time.Now(), nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}, notMeasured("no session after %d connections:\n%s", before, s.tail)
		}
	}
}

// authEvery is how often Auth is compared in the measurement.
const authEvery = 2 * time.Second

// authChange takes users' state in Auth away and waits until each has a finding.
func (b *botBench) authChange(ctx context.Context, dir string) (_ map[string]float64, err error) {
	s, err := b.serve(ctx, dir, onlyReports, map[string]string{"GATECAMP_AUTH_INTERVAL": authEvery.String()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	look, done, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	people := b.people().World().Users
	var users []int
	for i, u := range people {
		if u.State == "Member" && u.Discord != 0 && !u.Superuser && !u.Inactive && len(users) < min(b.events, authChanges) {
			users = append(users, i+1)
		}
	}
	var took []time.Duration
	for n, user := range users {
		member := storage.FindingFilter{Subject: snowflake.ID(people[user-1].Discord), Category: "linked_no_perm"} //nolint:gosec // never negative
		at := time.Now()
		err := authtest.Change(ctx, filepath.Join(dir, "auth.sqlite3"),
			"UPDATE authentication_userprofile SET state_id = (SELECT id FROM authentication_state WHERE name = 'Guest') WHERE user_id = "+strconv.Itoa(user))
		if err != nil {
			return nil, err
		}
		for {
			found, err := look.db.Findings(ctx, look.guild, member)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				break
			}
			if time.Since(at) > time.Minute {
				return nil, fmt.Errorf("user %d: %w", user, notMeasured("no finding within a minute:\n%s", s.tail))
			}
			if err := wait(ctx, 10*time.Millisecond); err != nil {
				return nil, err
			}
		}
		took = append(took, time.Since(at)-authEvery)
		// Not in step with the comparisons.
		if err := wait(ctx, time.Duration(n%7)*authEvery/7); err != nil {
			return nil, err
		}
	}
	figures := map[string]float64{"changes": float64(len(took))}
	percentiles(figures, "ms_beyond_the_interval", took)
	return figures, nil
}

// authChanges is how many changes at most: each takes an interval.
const authChanges = 20
