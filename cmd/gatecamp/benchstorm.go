package main

import (
	"context"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/discord/discordtest"
)

// storm changes many members a second, and waits until each has its finding.
func (b *botBench) storm(ctx context.Context, dir string) (_ map[string]float64, err error) {
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
	before, err := s.figures(ctx)
	if err != nil {
		return nil, err
	}
	watching, enough := context.WithCancel(ctx)
	defer enough()
	var seen stormSeen
	var beside errgroup.Group
	beside.Go(func() error { return seen.watch(watching, s) })
	sent, lag, err := b.blow(ctx, s)
	if err != nil {
		return nil, err
	}
	over := time.Now()
	decided, err := s.awaitFindings(ctx, look, sent, 10*time.Minute)
	if err != nil {
		return nil, err
	}
	after, err := s.figures(ctx)
	enough()
	if err := errors.Join(err, beside.Wait()); err != nil {
		return nil, err
	}
	return map[string]float64{
		"updates": float64(sent), "seconds_behind_the_plan": lag.Seconds(), "seconds_to_decide_after_the_last": max(0, decided.Sub(over).Seconds()),
		"ms_reader_most": 1000 * after["gatecamp_gateway_longest_event_seconds"], "events_that_kept_the_reader_over_10_ms": after["gatecamp_gateway_late_events_total"] - before["gatecamp_gateway_late_events_total"],
		"inbox_most": seen.inbox, "ms_heartbeat_late_most": float64(seen.late) / float64(time.Millisecond), "heartbeats": float64(seen.beats),
		"looks_at_everybody": after["gatecamp_catch_ups_total"] - before["gatecamp_catch_ups_total"], "overflows": after["gatecamp_inbox_overflows_total"],
		"looks": after["gatecamp_looks_total"] - before["gatecamp_looks_total"], "peak_megabytes": float64(peakRSS(s.pid)) / 1e6,
	}, nil
}

// blow gives strangers a role, so many a second, and says how far behind that it fell.
func (b *botBench) blow(ctx context.Context, s *served) (sent int, lag time.Duration, err error) {
	guild := s.server.GuildIDs()[0]
	began := time.Now()
	total := b.rate * b.seconds
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for sent < total {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sent, 0, context.Cause(ctx)
		}
		for due := min(total, int(time.Since(began)*time.Duration(b.rate)/time.Second)); sent < due; sent++ {
			if err := s.server.GiveRole(guild, snowflake.ID(stranger(sent)), crowdMember, 0); err != nil {
				return sent, 0, err
			}
		}
	}
	return sent, time.Since(began) - time.Duration(b.seconds)*time.Second, nil
}

// stormSeen is what was seen from outside meanwhile.
type stormSeen struct {
	inbox float64       // the most that waited
	late  time.Duration // the most that a heartbeat came after its time
	beats int
}

// watch looks at the inbox and at when heartbeats arrive at Discord.
func (w *stormSeen) watch(ctx context.Context, s *served) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := map[int]time.Time{}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, c := range s.server.Connections() {
			w.beat(last, c)
		}
		if n%10 != 0 {
			continue
		}
		f, err := s.figures(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		w.inbox = max(w.inbox, f["gatecamp_inbox_members"])
	}
}

func (w *stormSeen) beat(last map[int]time.Time, c discordtest.Connection) {
	at := time.UnixMicro(c.LastHeartbeat)
	before, known := last[c.ID]
	if c.LastHeartbeat == 0 || known && !at.After(before) {
		return
	}
	last[c.ID] = at
	if known {
		w.beats++
		w.late = max(w.late, at.Sub(before)-benchBeat)
	}
}

// slash asks for the status while everybody is looked at.
func (b *botBench) slash(ctx context.Context, dir string) (_ map[string]float64, err error) {
	s, err := b.serve(ctx, dir, onlyReports, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	sweeping, enough := context.WithCancel(ctx)
	defer enough()
	var beside errgroup.Group
	runs := 0
	beside.Go(func() error {
		for sweeping.Err() == nil {
			if err := run(sweeping, []string{"audit", "run"}, s.console()); err != nil && sweeping.Err() == nil {
				return err
			}
			runs++
		}
		return nil
	})
	var took []time.Duration
	for range b.events {
		asked := time.Now()
		_, err := s.server.RunCommand(ctx, s.server.GuildIDs()[0], discordtest.CommandCall{User: crowdOwner, Name: "audit status"})
		if err != nil {
			return nil, errors.Join(err, notMeasured("%s", s.tail))
		}
		took = append(took, time.Since(asked))
		if err := wait(ctx, slashEvery); err != nil {
			return nil, err
		}
	}
	enough()
	if err := beside.Wait(); err != nil {
		return nil, err
	}
	figures := map[string]float64{"commands": float64(len(took)), "runs_beside": float64(runs)}
	percentiles(figures, "ms_to_first_answer", took)
	return figures, nil
}

const (
	slashEvery = 330 * time.Millisecond // 100 of them last longer than Discord's 30 s between two reads of all members: one is among them
	crowdOwner = 41
)
