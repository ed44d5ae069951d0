package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/auth/authtest"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
)

// botBench is a measurement of `gatecamp serve` against a local Discord.
type botBench struct {
	*console
	times, events, members, rate, seconds int
	inside                                bool // serve in this process
}

func (b *botBench) cases() []benchCase {
	return []benchCase{
		{"react", "an event about a privileged role, until the first write is sent", b.react},
		{"storm", "a storm of member updates", b.storm},
		{"slash", "a slash command while everybody is looked at", b.slash},
		{"restart", "a restart with missed events", b.restart},
		{"auth", "a change in Auth, until it is decided", b.authChange},
	}
}

func (c *console) benchBot() *cobra.Command {
	b := botBench{console: c}
	var only []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "bot", Short: "measure how fast gatecamp serve reacts, and what it stands",
		Long: `Starts a local Discord with Discord's real limits and clock, an Auth of 20,000 users in an SQLite file, and gatecamp serve as a process of
its own beside them. Medians of --times repetitions; percentiles are of one repetition's --events.

  react    strangers are given a role with Administrator, one a second: from then to the arrival of the write that takes it away
  storm    --rate members a second are given a role for --seconds: until each has its finding
  slash    /audit status, again and again, while everybody is looked at: until its first answer
  restart  strangers are given a role while nobody serves; the next process may not resume its session: until each has its finding
  auth     an account's state changes in Auth: until the member has a finding. What Auth is compared at is 2 s here`,
		Example: "  gatecamp bench bot --only react --events 100\n  gatecamp bench bot --times 1 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for name, n := range map[string]int{"times": b.times, "events": b.events, "seconds": b.seconds} {
				if n < 1 || n > 1000 {
					return problem.Usagef("--%s: give a whole number from 1 to 1000", name)
				}
			}
			switch {
			case b.members < fewestServed || b.members > mostMadeUp:
				return problem.Usagef("--members: give a whole number from %d to %d", fewestServed, mostMadeUp)
			case b.rate < 1 || b.rate > 10_000:
				return problem.Usagef("--rate: give a whole number from 1 to 10000")
			case b.rate*b.seconds > b.strangers() && (len(only) == 0 || slices.Contains(only, "storm")):
				return problem.Usagef("--members: %d members have too few strangers for %d events", b.members, b.rate*b.seconds)
			}
			cases, err := casesOf(b.cases(), only)
			if err != nil {
				return err
			}
			return c.measure(cmd.Context(), cases, b.times, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&only, "only", nil, "measure only these `NAMES`, separated by commas")
	flags.IntVar(&b.times, "times", 5, "how often each is measured, `N`")
	flags.IntVar(&b.events, "events", 100, "how many events, commands or changes make up one measurement, `N`")
	flags.IntVar(&b.members, "members", 100_000, "how many members the guild has, `N`")
	flags.IntVar(&b.rate, "rate", 1_000, "how many members a second change in a storm, `N`")
	flags.IntVar(&b.seconds, "seconds", 60, "how long a storm lasts, `N`")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object for each measurement")
	flags.BoolVar(&b.inside, "inside", false, "serve in this process, together with the local Discord: for a debugger; memory is then that of both")
	complete(cmd, "only", caseNames(b.cases())...)
	return noted(cmd, noteJSON, `one line a measurement: {"name", "times", "machine", "figures": {name: {"median", "least", "most"}}}`)
}

// fewestServed leaves some strangers beside the people of the small Auth that goes with small guilds.
const fewestServed = 1_000

// people are those of the Auth: an alliance of 20,000, or a smaller one for a small guild.
func (b *botBench) people() authtest.Population {
	p := authtest.Large()
	if b.members < 2*p.Links {
		p = authtest.Population{Seed: 1, Users: 400, Memberships: 1_000, Links: 300, Chars: 800, Groups: 40, Permissions: 100}
	}
	return p
}

func (b *botBench) strangers() int { return b.members - 1 - b.people().Links }

// stranger is the id of one of them.
func stranger(i int) uint64 { return crowdStranger + uint64(i)*crowdStep } //nolint:gosec // never negative

const (
	crowdGuest = crowdRole + iota
	crowdBlue
	crowdMember
	crowdTrial
	crowdAdmin // the first group's, with Administrator
)

// The policies under which it is measured: strangers lose what they hold at once, or nobody loses anything.
const (
	actsAtOnce = `unknown_guest: {default: strip, realtime: act, grace: 0s}
linked_no_perm: {default: report}
surplus_roles: {default: report}
limits:
  members: {run: {floor: 100000, ceiling: 100000}, day: {floor: 100000, ceiling: 100000}, live_15m: {floor: 100000, ceiling: 100000}}
  one_role: {run: {floor: 100000, ceiling: 100000}, day: {floor: 100000, ceiling: 100000}}
  privileged: {day: {floor: 100000, ceiling: 100000}}
`
	onlyReports = `unknown_guest: {default: report}
linked_no_perm: {default: report}
surplus_roles: {default: report}
`
)

// served is gatecamp serve at work on a local Discord.
type served struct {
	*benchTable
	*daemon
	guild string
}

// serve lays the table, does what an operator does first, and starts gatecamp serve.
func (b *botBench) serve(ctx context.Context, dir, policy string, more map[string]string) (_ *served, err error) {
	people := b.people().World()
	world, auth := filepath.Join(dir, "world.txtar"), filepath.Join(dir, "auth.sqlite3")
	if err := errors.Join(authtest.File(ctx, auth, people), writeCrowd(world, people, b.members, true)); err != nil {
		return nil, err
	}
	loaded, err := discordtest.LoadWorld(world)
	if err != nil {
		return nil, err
	}
	t, err := b.tableOf(ctx, dir, discordtest.Config{World: loaded, HeartbeatInterval: benchBeat})
	if err != nil {
		return nil, err
	}
	t.set["GATECAMP_AUTH_URL"], t.set["GATECAMP_SCHEDULE"], t.set["GATECAMP_HTTP_LISTEN"] = "sqlite:"+auth, "off", "127.0.0.1:0"
	t.set["GATECAMP_LOG_FORMAT"] = "json"
	maps.Copy(t.set, more)
	s := &served{benchTable: t, guild: t.server.GuildIDs()[0].String()}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.stop())
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(policy), 0o600); err != nil {
		return nil, err
	}
	if err := t.setUp(ctx); err != nil {
		return nil, err
	}
	// Discord shows all members over the gateway once in 30 s: what is measured is not that.
	if err := wait(ctx, b.patience()); err != nil {
		return nil, err
	}
	return s, b.start(ctx, s)
}

// patience is how long after a full read another one may be asked for. A small guild is read page by page meanwhile.
func (b *botBench) patience() time.Duration {
	if b.members < 10_000 {
		return 0
	}
	return 31 * time.Second
}

// benchBeat is how often the bot is asked for heartbeats: more often than Discord does, so that some are late if any are.
const benchBeat = 5 * time.Second

// start starts the process and waits until it has nothing to do.
func (b *botBench) start(ctx context.Context, s *served) (err error) {
	if s.daemon, err = b.begin(ctx, s.benchTable); err != nil {
		return err
	}
	return s.quiet(ctx)
}

// end stops everything.
func (s *served) end() error {
	var err error
	if s.daemon != nil {
		err = s.finish()
	}
	return errors.Join(err, s.stop())
}

// percentiles adds the median, the 99th percentile and the most of durations, in milliseconds.
func percentiles(figures map[string]float64, name string, took []time.Duration) {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	at := func(share int) time.Duration { return took[min(len(took)-1, len(took)*share/100)] }
	figures[name+"_p50"], figures[name+"_p99"], figures[name+"_most"] = ms(at(50)), ms(at(99)), ms(took[len(took)-1])
}

func notMeasured(format string, args ...any) error {
	return problem.New(problem.Failed, fmt.Sprintf(format, args...), "")
}
