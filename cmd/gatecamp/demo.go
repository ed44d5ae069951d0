package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/snapshot"
	"gatecamp/audit/snapshot/demo"
	"gatecamp/config"
	"gatecamp/internal/problem"
)

// The files of the demo, in its folder.
const (
	demoGuild  = "guild.json"  // the made-up guild
	demoOutage = "outage.json" // the same, with an Auth that lost all its users
	demoPolicy = "policy.yaml"
	demoHarder = "harder.yaml"
	demoMember = "100000000000000015" // an old account of somebody who may use Discord with another
)

const demoHarderText = `# What if strangers were kicked at once?
unknown_guest: {default: strip_kick, grace: 0s}
linked_no_perm: {default: report}
surplus_roles: {default: report}
`

func (c *console) demo() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "demo", Short: "see gatecamp work on a made-up guild, without servers or accounts",
		Long: `Walks through gatecamp on a made-up guild and a made-up Auth: a first look, what should be done and what holds it, why one member gets the
verdict they get, what happens when Auth breaks, and what another policy would do. Each step is an ordinary command, shown before its
output; you can repeat them yourself with --dir, which keeps the folder. Nothing outside that folder is read or written.`,
		Example: "  gatecamp demo\n  gatecamp demo --dir /tmp/try && cd /tmp/try && GATECAMP_DATA_DIR=. gatecamp audit findings",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			keep := dir != ""
			if keep {
				err = os.MkdirAll(dir, 0o700)
			} else {
				dir, err = os.MkdirTemp("", "gatecamp-demo-")
			}
			if err != nil {
				return problem.New(problem.Usage, "the demo's folder cannot be made: "+err.Error(), "name one that this user may write with --dir")
			}
			if !keep {
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			}
			s, err := newStory(c, dir, asJSON)
			if err != nil {
				return err
			}
			return s.tell(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "work in this `FOLDER` and keep it; a temporary one without")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object: whether each step did what it shows")
	return noted(cmd, noteJSON, "one object: ok, steps (title, command, exit, ok, wrong)")
}

// story is the demo: commands, what is said about them, and what must have come of each.
type story struct {
	*console
	dir    string
	silent bool
	steps  []storyStep
	notes  map[string]string // what a step found, for a later one
}

type storyStep struct {
	title, words string
	args         []string
	exit         int
	check        func(output string) error // nil: the exit code is enough
	hidden       bool                      // its output is for the check alone
}

func newStory(c *console, dir string, silent bool) (*story, error) {
	s := &story{console: c, dir: dir, silent: silent, notes: map[string]string{}}
	file, err := snapshot.Parse(bytes.NewReader(demo.Guild()), demoGuild)
	if err != nil {
		return nil, err
	}
	broken := *file.Auth
	broken.Accounts, broken.Identities = nil, nil
	outage := *file
	outage.Auth = &broken
	var lost bytes.Buffer
	if err := snapshot.Write(&lost, &outage); err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{
		demoGuild: demo.Guild(), demoOutage: lost.Bytes(), demoPolicy: policyfile.Format(file.Policy), demoHarder: []byte(demoHarderText),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	s.steps = s.script()
	return s, nil
}

// script is what the demo does. Every step is checked: a demo that shows something else than it says fails.
func (s *story) script() []storyStep {
	on := func(args ...string) []string { return append(args, "--snapshot", demoGuild) }
	return []storyStep{
		{
			title: "A first look",
			words: "Nobody has set anything up yet: no policy, no role bound. gatecamp looks, reports, and would change nothing.",
			args:  on("audit", "run"), check: has("Look at these first", "ALERT", "nothing would be changed"),
		},
		{
			title: "Which role is which",
			words: "Roles that carry the name of a group or state of Auth are proposed. An operator takes them over; only then may anybody lose one.",
			args:  on("bind", "add", "--all-proposed", "--reason", "compared with Auth, they are right"), check: nil,
		},
		{
			title: "What the guild wants", words: "The policy says what is done about whom.",
			args: []string{"policy", "set", demoPolicy, "--reason", "as agreed among the directors"},
		},
		{
			title: "The run that counts",
			words: "The same look, now with a plan. It is a report, and nobody has acknowledged one yet, so two gates hold every change.",
			args:  on("audit", "run"), check: has("held by the first-run lock", "held by this run only reports"),
		},
		{title: "The plan", words: "What would be asked of Discord, and what holds each of it.", args: []string{"plan", "show"}, check: has("remove_role", "lock", "dry_run")},
		{args: []string{"plan", "show", "--json"}, hidden: true, check: s.heldWhole},
		{
			title: "The lock holds",
			words: "Somebody is impatient and orders the real thing. The first-run lock says no, and the attempt stays in the record.",
			args:  []string{"audit", "run", "--action", "strip", "--yes"}, exit: exitRefused,
		},
		{
			title: "Why this member?",
			words: "An old Discord account of somebody who is entitled with another one. Every layer that was looked at, and what would change the verdict.",
			args:  on("audit", "explain", demoMember), check: has("linked_no_perm", "an earlier Discord account", "What would change that"),
		},
		{args: []string{"audit", "findings", "--json"}, hidden: true, check: s.remember("findings")},
		{
			title: "Auth breaks",
			words: "The same guild an hour later, but Auth has lost all its users: a restore went wrong. Everybody looks like a stranger now. This is how whole\nalliances were stripped. gatecamp does not believe it: nothing is planned, and no finding is opened or closed.",
			args:  []string{"audit", "run", "--snapshot", demoOutage}, exit: exitHeld, check: has("Auth is blind", "nothing would be changed"),
		},
		{args: []string{"audit", "findings", "--json"}, hidden: true, check: s.same("findings")},
		{args: []string{"audit", "run", "--snapshot", demoOutage, "--json"}, hidden: true, exit: exitHeld, check: has(`"state":"completed_with_errors"`, `"held":{}`)},
		{
			title: "What if …?", words: "What a harder policy would do, without setting it.",
			args: on("audit", "preview", demoHarder), check: has("unknown_guest", "strip_kick", "would be treated differently"),
		},
		{title: "What was ordered", words: "Every run is in the record, and every attempt.", args: []string{"audit", "history"}, check: has("completed_with_errors", "succeeded")},
	}
}

// has checks that an output says all of these.
func has(parts ...string) func(string) error {
	return func(output string) error {
		for _, p := range parts {
			if !strings.Contains(output, p) {
				return fmt.Errorf("the output does not say %q", p)
			}
		}
		return nil
	}
}

// heldWhole checks that the plan wants something and that nothing of it is free.
func (s *story) heldWhole(output string) error {
	var p planForm
	if err := json.Unmarshal([]byte(output), &p); err != nil {
		return err
	}
	if len(p.Actions) == 0 {
		return errors.New("the plan is empty")
	}
	for _, a := range p.Actions {
		if !slices.Contains(a.Held, audit.Lock.String()) || a.Outcome != nil {
			return fmt.Errorf("the lock does not hold %s of %s", a.Kind, a.MemberID)
		}
	}
	return nil
}

func (s *story) remember(what string) func(string) error {
	return func(output string) error {
		s.notes[what] = output
		if strings.Count(output, "\n") < 5 {
			return errors.New("there are hardly any findings")
		}
		return nil
	}
}

func (s *story) same(what string) func(string) error {
	return func(output string) error {
		if s.notes[what] != output {
			return errors.New("findings were opened, changed or closed on the word of a broken Auth")
		}
		return nil
	}
}

// toldStep is a step in the JSON.
type toldStep struct {
	Title   string  `json:"title"`
	Command string  `json:"command"`
	Exit    int     `json:"exit"`
	OK      bool    `json:"ok"`
	Wrong   *string `json:"wrong"`
}

func (s *story) tell(ctx context.Context) error {
	var told []toldStep
	var wrong []error
	for _, step := range s.steps {
		t, err := s.step(ctx, step)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		told = append(told, t)
		if err != nil {
			wrong = append(wrong, problem.New(problem.Failed, fmt.Sprintf("the demo's step %q did not do what it shows: %v", t.Command, err), "this is a bug; please report it"))
		}
	}
	if s.silent {
		wrong = append(wrong, printLines(s.out, struct {
			OK    bool       `json:"ok"`
			Steps []toldStep `json:"steps"`
		}{len(wrong) == 0, told}))
		return errors.Join(wrong...)
	}
	if len(wrong) == 0 {
		s.say("\nThat was all on made-up data. On your own guild begin with:  gatecamp config check")
	}
	return errors.Join(wrong...)
}

// step runs one command as the shell would, in the demo's own surroundings.
func (s *story) step(ctx context.Context, step storyStep) (toldStep, error) {
	t := toldStep{Title: step.title, Command: "gatecamp " + shellWords(step.args)}
	var out bytes.Buffer
	err := run(ctx, s.inFolder(step.args), &console{env: s.environment(), in: strings.NewReader(""), out: &out, err: io.Discard, now: s.now, user: s.user})
	output := strings.ReplaceAll(out.String(), s.dir+string(filepath.Separator), "")
	if !s.silent && !step.hidden {
		s.say("\n=== %s\n%s\n\n$ %s", step.title, step.words, t.Command)
		fmt.Fprint(s.out, output)
		if err != nil {
			s.say("gatecamp: %s", strings.ReplaceAll(describe(err), s.dir+string(filepath.Separator), ""))
		}
	}
	if t.Exit = exitCode(err); t.Exit != step.exit {
		return failed(t, fmt.Errorf("exit %d instead of %d: %w", t.Exit, step.exit, err))
	}
	if step.check != nil {
		if err := step.check(output); err != nil {
			return failed(t, err)
		}
	}
	t.OK = true
	return t, nil
}

func failed(t toldStep, err error) (toldStep, error) {
	text := err.Error()
	t.Wrong = &text
	return t, err
}

// inFolder makes the demo's file names paths.
func (s *story) inFolder(args []string) []string {
	paths := slices.Clone(args)
	for i, a := range paths {
		switch a {
		case demoGuild, demoOutage, demoPolicy, demoHarder:
			paths[i] = filepath.Join(s.dir, a)
		}
	}
	return paths
}

// environment is the demo's own: an embedded database in its folder, and nothing of the settings around it.
func (s *story) environment() config.Environment {
	return config.Environment{
		Lookup: func(name string) (string, bool) {
			if name == "GATECAMP_DATA_DIR" {
				return s.dir, true
			}
			return "", false
		},
		ReadFile: func(name string) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
}

// shellWords shows arguments as one would type them.
func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if strings.ContainsAny(a, " '\"") {
			words[i] = fmt.Sprintf("%q", a)
		}
	}
	return strings.Join(words, " ")
}
