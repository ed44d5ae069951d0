package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/config"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
)

// discordBench is a measurement against the local Discord.
type discordBench struct {
	*console
	times, actions, members int
}

// A benchCase is one thing that is measured: numbers by name, the same each time.
type benchCase struct {
	name, words string
	run         func(ctx context.Context, dir string) (map[string]float64, error)
}

// cases are measured in this order.
func (b *discordBench) cases() []benchCase {
	return []benchCase{
		{"strip-linked", "one role of members whom Auth knows", func(ctx context.Context, dir string) (map[string]float64, error) {
			return b.strip(ctx, dir, true)
		}},
		{"strip-strangers", "one role of strangers, both buckets", func(ctx context.Context, dir string) (map[string]float64, error) {
			return b.strip(ctx, dir, false)
		}},
		{"kick", "kicks", b.kick},
		{"live", "a live action while a bulk job runs", b.live},
		{"read", "a full read by chunks", func(ctx context.Context, _ string) (map[string]float64, error) { return b.read(ctx) }},
		{"sweep", "a report-only sweep, Auth from SQLite", b.sweep},
	}
}

// casesOf are those that were asked for by name; all if nothing was.
func casesOf(all []benchCase, only []string) ([]benchCase, error) {
	names := caseNames(all)
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, problem.Usagef("--only: %q is none; give some of %s", name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c benchCase) bool { return len(only) > 0 && !slices.Contains(only, c.name) }), nil
}

func caseNames(all []benchCase) (names []string) {
	for _, one := range all {
		names = append(names, one.name)
	}
	return names
}

func (c *console) benchDiscord() *cobra.Command {
	b := discordBench{console: c}
	var only []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "discord", Short: "measure gatecamp against the local Discord, with Discord's real limits and clock",
		Long: `Starts a local Discord for each measurement and lets the ordinary commands work on it: the limits are those that Discord sets, the clock is
the real one, so most of the time is spent waiting for windows of ten seconds. Medians of --times repetitions.

  strip-linked     take one role of --actions members whom Auth knows: from the first look to the last write's answer
  strip-strangers  the same of strangers, for whom both of Discord's buckets are used
  kick             kick --actions strangers
  live             while strangers are stripped in bulk, others are given a role by hand: from the event to the first write
  read             read --members members by chunks; the local Discord encodes them in the same process
  sweep            a report-only run over --members members with Auth from an SQLite file of 20,000 users; the local Discord is another process`,
		Example: "  gatecamp bench discord --only kick,read\n  gatecamp bench discord --times 1 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case b.times < 1 || b.times > 100:
				return problem.Usagef("--times: give a whole number from 1 to 100")
			case b.actions < 1 || b.actions > 1000:
				return problem.Usagef("--actions: give a whole number from 1 to 1000")
			case b.members < 1 || b.members > mostMadeUp:
				return problem.Usagef("--members: give a whole number from 1 to %d", mostMadeUp)
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
	flags.IntVar(&b.actions, "actions", 60, "how many members are stripped or kicked, `N`")
	flags.IntVar(&b.members, "members", 250_000, "how many members are read, `N`")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object for each measurement")
	complete(cmd, "only", caseNames(b.cases())...)
	return noted(cmd, noteJSON, `one line a measurement: {"name", "times", "machine", "figures": {name: {"median", "least", "most"}}}`)
}

type discordBenched struct {
	Name    string                 `json:"name"`
	Times   int                    `json:"times"`
	Machine benchMachine           `json:"machine"`
	Figures map[string]benchFigure `json:"figures"`
}

// measure runs each case so many times and tells the medians.
func (c *console) measure(ctx context.Context, cases []benchCase, times int, asJSON bool) error {
	for _, one := range cases {
		m := discordBenched{
			Name: one.name, Times: times, Figures: map[string]benchFigure{},
			Machine: benchMachine{runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()},
		}
		all := map[string][]float64{}
		for range times {
			figures, err := one.once(ctx)
			if err != nil {
				return fmt.Errorf("bench %s: %w", one.name, err)
			}
			for name, v := range figures {
				all[name] = append(all[name], v)
			}
		}
		for name, values := range all {
			slices.Sort(values)
			m.Figures[name] = benchFigure{Median: values[len(values)/2], Least: values[0], Most: values[len(values)-1]}
		}
		if asJSON {
			if err := printLines(c.out, m); err != nil {
				return err
			}
			continue
		}
		c.say("%s: %s", one.name, one.words)
		for _, name := range slices.Sorted(maps.Keys(m.Figures)) {
			f := m.Figures[name]
			c.say("  %-28s %10.4g   (%.4g to %.4g)", strings.ReplaceAll(name, "_", " "), f.Median, f.Least, f.Most)
		}
	}
	return nil
}

func (one benchCase) once(ctx context.Context) (figures map[string]float64, err error) {
	dir, err := os.MkdirTemp("", "gatecamp-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return one.run(ctx, dir)
}

// bench is a console with a local Discord, an Auth and a database of its own.
type benchTable struct {
	dir    string
	server *discordtest.Server
	stop   func() error
	set    map[string]string
	owner  *console
}

// table starts the local Discord of a world and lays out what the commands are given.
func (c *console) table(ctx context.Context, dir string, text []byte) (*benchTable, error) {
	world, err := discordtest.ParseWorld("bench", text)
	if err != nil {
		return nil, err
	}
	return c.tableOf(ctx, dir, discordtest.Config{World: world})
}

// tableOf is table with a local Discord that is told how to be.
func (c *console) tableOf(ctx context.Context, dir string, cfg discordtest.Config) (*benchTable, error) {
	up, down := context.WithCancel(ctx)
	server, wait, err := discordtest.Start(up, cfg)
	if err != nil {
		down()
		return nil, err
	}
	t := &benchTable{dir: dir, server: server, stop: func() error { down(); return wait() }}
	t.owner = &console{now: time.Now, user: c.user} // the local Discord's clock is the real one too, and both are compared
	t.set = tableSettings(dir, server.Hello())
	for name, data := range map[string][]byte{"auth.json": fmt.Appendf(nil, `{"aa": %s}`, cfg.World.Auth), "policy.yaml": cfg.World.Policy} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, errors.Join(err, t.stop())
		}
	}
	return t, nil
}

func tableSettings(dir string, h discordtest.Hello) map[string]string {
	return map[string]string{
		"GATECAMP_DATA_DIR": dir, "GATECAMP_AUTH_URL": "snapshot:" + filepath.Join(dir, "auth.json"), "GATECAMP_DISCORD_TOKEN": h.Bots[0].Token,
		"GATECAMP_DISCORD_API_URL": h.API, "GATECAMP_GUILD_IDS": h.GuildIDs[0].String(), "GATECAMP_RUNS_PER_USER": "1000",
	}
}

func (t *benchTable) console() *console {
	return &console{
		env: config.Environment{
			Lookup: func(name string) (string, bool) { v, ok := t.set[name]; return v, ok },
			ReadFile: func(name string) ([]byte, error) {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			},
		},
		in: strings.NewReader(""), out: io.Discard, err: io.Discard, now: t.owner.now, user: t.owner.user,
	}
}

// setUp is what an operator does before anything may be changed.
func (t *benchTable) setUp(ctx context.Context) error {
	for _, args := range [][]string{
		{"bind", "add", "--all-proposed", "--reason", "bench"},
		{"policy", "set", filepath.Join(t.dir, "policy.yaml"), "--reason", "bench"},
		{"audit", "run"},
		{"audit", "acknowledge", "1", "--reason", "bench"},
	} {
		if err := run(ctx, args, t.console()); err != nil {
			return err
		}
	}
	return nil
}
