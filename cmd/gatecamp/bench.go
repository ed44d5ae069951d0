package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
)

// bench is the family of measurements.
func (c *console) bench() *cobra.Command {
	return family("bench", "measure how gatecamp does on this machine", c.benchAudit(), c.benchDiscord(), c.benchBot(), c.benchEnforcement())
}

// mostMembers is more than Discord lets into a guild.
const mostMembers = 2_000_000

func (c *console) benchAudit() *cobra.Command {
	var b auditBench
	var asJSON bool
	cmd := &cobra.Command{
		Use: "audit", Short: "measure an audit of a made-up guild of a given size",
		Long: `Makes up a guild (250 roles, 6 a member, one member in twenty with a finding, the same for the same size) and measures each part of an
audit of it: reading the snapshot, joining it with Auth, deciding and planning, a report run with storage, and a second run in which
nothing has changed. Medians of --times repetitions, and the peak of memory of one audit.

Every member has an account in Auth, unless --accounts says that only the first so many have one: the rest are guests, who hold no role
that Auth gives. --save keeps the made-up snapshot, to measure other commands with it.

Storage is an SQLite file in a temporary folder; Postgres where GATECAMP_DATABASE_URL is set, in a schema of its own that is removed
again. The database of gatecamp itself is not touched.`,
		Example: "  gatecamp bench audit --members 10000\n  gatecamp bench audit --members 10000 --findings all --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case b.members < 1 || b.members > mostMembers:
				return problem.Usagef("--members: give a whole number from 1 to %d", mostMembers)
			case b.accounts < 0 || b.accounts > b.members:
				return problem.Usagef("--accounts: give a whole number from 0 to the number of members, %d", b.members)
			case b.times < 1 || b.times > 100:
				return problem.Usagef("--times: give a whole number from 1 to 100")
			case !slices.Contains(benchFindings, b.findings):
				return problem.Usagef("--findings: %q is neither some nor all", b.findings)
			}
			if !cmd.Flags().Changed("accounts") {
				b.accounts = b.members
			}
			cfg, err := c.config(cmd.Context())
			if err != nil {
				return err
			}
			b.console, b.database = c, cfg.DatabaseURL
			measured, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printLines(c.out, measured)
			}
			c.tellBench(measured)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&b.members, "members", 10_000, "how many members the guild has, `N`")
	flags.IntVar(&b.accounts, "accounts", 0, "how many of them have an account in Auth, `N` (default: all)")
	flags.StringVar(&b.save, "save", "", "keep the made-up snapshot in this `FILE`, which must not exist yet")
	flags.StringVar(&b.findings, "findings", "some", "some (one member in twenty) or all, `WHO` has a finding")
	flags.IntVar(&b.times, "times", 5, "how often each part is measured, `N`")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	complete(cmd, "findings", benchFindings...)
	return noted(cmd, noteJSON, "one object: members, accounts, findings, roles, times, machine, database, file_bytes, peak_rss_bytes, milliseconds (median, least, most) by part")
}

var benchFindings = []string{"some", "all"}

// auditBench is one measurement.
type auditBench struct {
	*console
	members, accounts, times int
	findings                 string
	save                     string // empty: in a temporary folder
	database                 secret.String
}

// benchFigure is what repetitions took, in milliseconds.
type benchFigure struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

type benchMachine struct {
	CPUs int    `json:"cpus"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
	Go   string `json:"go"`
}

type benched struct {
	Members      int                    `json:"members"`
	Accounts     int                    `json:"accounts"`
	Findings     int                    `json:"findings"`
	Roles        int                    `json:"roles"`
	Times        int                    `json:"times"`
	Machine      benchMachine           `json:"machine"`
	Database     string                 `json:"database"`
	FileBytes    int64                  `json:"file_bytes"`
	PeakRSSBytes int64                  `json:"peak_rss_bytes"` // of the first audit, from reading the file to the stored run; 0: unknown on this system
	Milliseconds map[string]benchFigure `json:"milliseconds"`
}

// The parts that are measured.
var benchParts = []struct{ name, words string }{
	{"parse", "read the snapshot file"},
	{"scene", "join it with Auth"},
	{"decide", "classify, decide and plan"},
	{"run", "a report run with storage"},
	{"again", "the same again, nothing changed"},
}

func (b *auditBench) run(ctx context.Context) (m benched, err error) {
	dir, err := os.MkdirTemp("", "gatecamp-bench-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := cmp.Or(b.save, filepath.Join(dir, "guild.json"))
	if err := writeBenchGuild(path, benchGuild{members: b.members, accounts: b.accounts, all: b.findings == "all"}); err != nil {
		return m, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return m, err
	}
	m = benched{
		Members: b.members, Accounts: b.accounts, Roles: benchRoles, Times: b.times, FileBytes: info.Size(), Database: "sqlite", Milliseconds: map[string]benchFigure{},
		Machine: benchMachine{runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()},
	}
	if b.database.IsSet() {
		m.Database = "postgres"
	}
	took := map[string][]time.Duration{}
	for i := range b.times {
		runtime.GC()
		if err := b.once(ctx, filepath.Join(dir, strconv.Itoa(i)), path, took, &m); err != nil {
			return m, err
		}
		if i == 0 {
			m.PeakRSSBytes = peakRSS("self")
		}
	}
	for part, all := range took {
		m.Milliseconds[part] = figureOf(all)
	}
	return m, nil
}

// once measures every part one time, on an empty database.
func (b *auditBench) once(ctx context.Context, dir, path string, took map[string][]time.Duration, m *benched) (err error) {
	measure := func(part string, do func() error) error {
		begin := time.Now()
		err := do()
		took[part] = append(took[part], time.Since(begin))
		return err
	}
	var file *snapshot.File
	if err := measure("parse", func() error { file, err = readSnapshot(path); return err }); err != nil {
		return err
	}
	var scene *audit.Scene
	_ = measure("scene", func() error { scene = audit.NewScene(file.Subjects()); return nil })
	_ = measure("decide", func() error {
		decisions, population := audit.Survey(scene, file.Members, &file.Policy, scene.Noteworthy)
		population.Complete = true
		audit.MakePlan(file.Guild.ID, decisions, population, file.Policy.Limits, audit.Used{}, audit.Gates{})
		m.Findings = len(decisions)
		return nil
	})
	db, done, err := b.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	s := &session{console: b.console, db: db, guild: file.Guild.ID}
	engine, guilds := s.engineOver(fileAuth{file}, "bench"), newFileGuild(file, file.Guild.ID)
	for _, part := range []string{"run", "again"} {
		err := measure(part, func() error {
			run, err := engine.Order(ctx, storage.Order{Kind: reconcile.KindSnapshot, Mode: audit.Report.String(), Actor: s.actor(), Origin: "console"})
			if err != nil {
				return err
			}
			r, err := engine.Sweep(ctx, run, guilds, nil)
			if err == nil && part == "again" && r.Counts.Findings.Opened+r.Counts.Findings.Changed+r.Counts.Findings.Closed > 0 {
				err = fmt.Errorf("nothing changed, and the second run wrote findings: %+v", r.Counts.Findings)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// open makes an empty database; done removes it.
func (b *auditBench) open(ctx context.Context, dir string) (storage.Store, func() error, error) {
	if !b.database.IsSet() {
		db, err := openFile(ctx, dir)
		if err != nil {
			return nil, nil, err
		}
		return db, db.Close, nil
	}
	outer, err := postgres.Open(ctx, b.database, postgres.Config{})
	if err != nil {
		return nil, nil, unusable(err, "GATECAMP_DATABASE_URL")
	}
	schema := fmt.Sprintf("gatecamp_bench_%d", time.Now().UnixNano())
	drop := func() error {
		_, err := outer.SQL().ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
		return errors.Join(err, outer.Close())
	}
	if _, err := outer.SQL().ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, nil, errors.Join(problem.New(problem.Failed, "the database's user may not make a schema, and one of its own is needed here",
			"give it the right, or take SQLite").Because(err), outer.Close())
	}
	address := b.database.Reveal()
	if strings.Contains(address, "?") {
		address += "&search_path=" + schema
	} else {
		address += "?search_path=" + schema
	}
	db, err := postgres.Open(ctx, secret.New(address), postgres.Config{})
	if err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	if _, err := migrations.Up(ctx, db.SQL(), migrations.Postgres); err != nil {
		return nil, nil, errors.Join(err, db.Close(), drop())
	}
	return db, func() error { return errors.Join(db.Close(), drop()) }, nil
}

func figureOf(all []time.Duration) benchFigure {
	slices.Sort(all)
	ms := func(d time.Duration) float64 {
		return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
	}
	median := all[len(all)/2]
	if len(all)%2 == 0 {
		median = (all[len(all)/2-1] + median) / 2
	}
	return benchFigure{Median: ms(median), Least: ms(all[0]), Most: ms(all[len(all)-1])}
}

// peakRSS is the most memory that a process ever had, as Linux tells it (proc(5), VmHWM); 0 elsewhere. "self" is this one.
func peakRSS(process string) int64 {
	f, err := os.Open("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // only read from
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if kb, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 10, 64)
			if err == nil {
				return n * 1024
			}
		}
	}
	return 0
}

func (c *console) tellBench(m benched) {
	c.say("%d members, %d accounts, %d roles, %d findings; %s; median of %d", m.Members, m.Accounts, m.Roles, m.Findings, m.Database, m.Times)
	c.say("%d cores, %s/%s, %s", m.Machine.CPUs, m.Machine.OS, m.Machine.Arch, m.Machine.Go)
	l := &list{columns: []string{"part", "median ms", "least", "most"}}
	for _, p := range benchParts {
		f := m.Milliseconds[p.name]
		l.add(nil, p.words, fmt.Sprintf("%.2f", f.Median), fmt.Sprintf("%.2f", f.Least), fmt.Sprintf("%.2f", f.Most))
	}
	_ = printTable(c.out, l)
	c.say("snapshot file %.1f MB", float64(m.FileBytes)/1e6)
	if m.PeakRSSBytes > 0 {
		c.say("peak memory of one audit %.1f MB", float64(m.PeakRSSBytes)/1e6)
	}
}
