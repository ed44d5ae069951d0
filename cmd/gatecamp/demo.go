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

	"gatecamp/config"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
)

// The demo's world, and its files in the demo's folder.
const (
	demoWorld  = "demo"
	demoAuth   = "auth.json" // what stands in for Alliance Auth
	demoPolicy = "policy.yaml"
	demoEvents = "events.jsonl"
	demoGuest  = "100000000000000012" // journalists, whom an operator protects
	demoSpy    = "100000000000000005" // holds Directors, and Auth has never heard of them
)

func (c *console) demo() *cobra.Command {
	var dir string
	var asJSON, keep bool
	cmd := &cobra.Command{
		Use: "demo", Short: "see gatecamp work on a made-up guild, without servers or accounts",
		Long: `Starts a made-up Discord and a made-up Alliance Auth on this machine and tells a story with them: a first look, the plan, the lock that holds
it, what is done once somebody has read the report, what a brake holds, what happens when Auth breaks, and how somebody is blocked. Each
step is an ordinary command, shown before what it prints (shortened), and what Discord saw is compared with what was told: a demo that shows something else
than it says fails.

--keep leaves everything up at the end and says how to look round; Ctrl-C ends it. Nothing leaves this machine, and nothing outside the
demo's folder is read or written.`,
		Example: "  gatecamp demo\n  gatecamp demo --keep",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			temporary := dir == ""
			if temporary {
				dir, err = os.MkdirTemp("", "gatecamp-demo-")
			} else {
				err = os.MkdirAll(dir, 0o700)
			}
			if err != nil {
				return problem.New(problem.Usage, "the demo's folder cannot be made: "+err.Error(), "name one that this user may write with --dir")
			}
			if temporary {
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			}
			return (&story{console: c, dir: dir, silent: asJSON, keep: keep}).tell(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "work in this `FOLDER`, which must hold no earlier demo, and keep it; a temporary one without")
	cmd.Flags().BoolVar(&keep, "keep", false, "stay up at the end, and say how to look round")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object: whether each step did what it shows")
	cmd.MarkFlagsMutuallyExclusive("json", "keep")
	return noted(cmd, noteJSON, "one object: ok, steps (title, command, exit, ok, wrong)")
}

// story is the demo: commands, what is said about them, and what must have come of each.
type story struct {
	*console
	dir          string
	silent, keep bool

	discord  *discordtest.Server
	auth     []byte // what Auth says while all is well
	before   map[string][]string
	findings string
	told     int                 // messages of the webhook so far
	calm     map[string][]string // who held what before somebody was blocked
}

type storyStep struct {
	title, words string
	args         []string
	exit         int
	show         []string                  // the parts of the output that are printed, by their first line; none: all of it
	lines        int                       // at most so many of it; 0: all
	first        func() error              // happens before
	check        func(output string) error // nil: the exit code is enough
	hidden       bool                      // its output is for the check alone
	message      bool                      // then the webhook's newest message is shown
}

// script is what the demo does. Every step is checked.
func (s *story) script() []storyStep {
	run := []string{"audit", "run"}
	act := []string{"audit", "run", "--yes"}
	return append([]storyStep{
		{
			title: "Setting up", words: "An operator says which role is which, what the guild wants done, and who must be left alone.",
			args: []string{"bind", "add", "--all-proposed", "--reason", "compared with Auth, they are right"}, lines: 2,
		},
		{args: []string{"policy", "set", demoPolicy, "--reason", "as agreed among the directors"}, lines: 1},
		{args: []string{"protect", "add", demoGuest, "--reason", "journalists, invited by the diplomats"}},
		{
			title: "A first look", words: "It only reports. A moderator reads the worst first: somebody whom Auth has never heard of is a Director.",
			args: run, show: []string{"Run ", "Members", "Look at these first", "Plan"}, check: has("Sable Kest", "ALERT, privileged: Directors", "held by the first-run lock", "held by this run only reports"),
		},
		{title: "The plan", words: "What would be asked of Discord, one line each, and what holds it.", args: []string{"plan", "show"}, show: []string{"MEMBER_ID"}, lines: 6, check: has("remove_role", "kick", "lock")},
		{args: []string{"plan", "show", "--json"}, hidden: true, check: s.heldWhole},
		{title: "The lock holds", words: "Somebody is impatient and orders the real thing.", args: act, exit: exitRefused, check: s.untouched},
		{title: "Read and acknowledged", args: []string{"audit", "acknowledge", "1", "--reason", "read all of it, agreed with Yara"}},
		{
			title: "The real thing", words: "Roles go, one by one, after one more look at each member. Too many kicks at once are a mistake until a person says otherwise: none is made.",
			args: act, exit: exitHeld, show: []string{"Plan", "Done"}, check: has("Done", "held by the brake on kicks"), message: true,
		},
		{args: []string{"plan", "show", "--json"}, hidden: true, check: s.asDiscordSaw},
		{args: []string{"audit", "findings", "--json"}, hidden: true, check: s.remember},
		{
			title: "Auth breaks", words: "A restore of Auth's database went wrong: all its users are gone, and everybody looks like a stranger. This is how whole alliances were stripped.",
			first: s.breakAuth, args: act, exit: exitHeld, show: []string{"Run ", "Looked at", "Findings"}, check: has("Auth is blind", "read now: blind"), message: true,
		},
		{args: []string{"audit", "findings", "--json"}, hidden: true, check: s.same},
		{args: []string{"plan", "show", "--json"}, hidden: true, check: s.asDiscordSaw},
	}, s.someoneIsBlocked()...)
}

// tell starts what the demo needs, goes through the script, and stays up if it shall.
func (s *story) tell(ctx context.Context) (err error) {
	world, err := discordtest.LoadWorld(demoWorld)
	if err != nil {
		return err
	}
	up, down := context.WithCancel(ctx)
	defer down()
	server, wait, err := discordtest.Start(up, discordtest.Config{World: world})
	if err != nil {
		return err
	}
	defer func() {
		down()
		err = errors.Join(err, wait())
	}()
	s.discord, s.auth = server, fmt.Appendf(nil, `{"aa": %s}`, world.Auth)
	if err := s.layOut(world); err != nil {
		return err
	}
	if err := s.goThrough(ctx); err != nil || !s.keep {
		return err
	}
	s.lookRound()
	<-ctx.Done()
	return context.Cause(ctx)
}

// layOut writes the demo's files and remembers who holds what.
func (s *story) layOut(world *discordtest.World) (err error) {
	if _, err := os.Lstat(filepath.Join(s.dir, databaseFile)); !errors.Is(err, fs.ErrNotExist) {
		return problem.New(problem.Usage, s.dir+" holds a database already; nothing was done", "name an empty folder with --dir")
	}
	for name, data := range map[string][]byte{demoAuth: s.auth, demoPolicy: world.Policy} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	s.before, err = s.holdings()
	return err
}

// holdings are the roles of every member, as Discord has them.
func (s *story) holdings() (map[string][]string, error) {
	members, err := s.discord.Members(s.discord.GuildIDs()[0])
	if err != nil {
		return nil, err
	}
	held := map[string][]string{}
	for _, m := range members {
		roles := []string{}
		for _, r := range m.Roles {
			roles = append(roles, r.String())
		}
		held[m.ID.String()] = roles
	}
	return held, nil
}

// toldStep is a step in the JSON.
type toldStep struct {
	Title   string  `json:"title"`
	Command string  `json:"command"`
	Exit    int     `json:"exit"`
	OK      bool    `json:"ok"`
	Wrong   *string `json:"wrong"`
}

func (s *story) goThrough(ctx context.Context) error {
	var told []toldStep
	var wrong []error
	for _, step := range s.script() {
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
	} else if len(wrong) == 0 {
		s.say("\nWhat Discord saw is what was told: %s; nobody was removed but the one who was blocked, and nobody else was touched.", s.seen())
		s.say("All of it was made up and stayed on this machine. On your own guild begin with:  gatecamp config check")
	}
	return errors.Join(wrong...)
}

// step runs one command as the shell would, in the demo's own surroundings.
func (s *story) step(ctx context.Context, step storyStep) (toldStep, error) {
	t := toldStep{Title: step.title, Command: "gatecamp " + shellWords(step.args)}
	if step.first != nil {
		if err := step.first(); err != nil {
			return failed(t, err)
		}
	}
	loud := !s.silent && !step.hidden
	if loud {
		s.introduce(step, t.Command)
	}
	var out bytes.Buffer
	err := run(ctx, s.inFolder(step.args), &console{env: s.environment(), in: strings.NewReader(""), out: &out, err: io.Discard, now: s.now, user: s.user})
	output := strings.ReplaceAll(out.String(), s.dir+string(filepath.Separator), "")
	if loud {
		fmt.Fprint(s.out, shorten(output, step))
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
	if step.message {
		if err := s.message(loud); err != nil {
			return failed(t, err)
		}
	}
	t.OK = true
	return t, nil
}

func (s *story) introduce(step storyStep, command string) {
	if step.title != "" {
		s.say("\n=== %s", step.title)
	}
	if step.words != "" {
		if step.title == "" {
			s.say("")
		}
		s.say("%s\n", step.words)
	}
	s.say("$ %s", command)
}

func failed(t toldStep, err error) (toldStep, error) {
	text := err.Error()
	t.Wrong = &text
	return t, err
}

// inFolder makes the demo's file names paths.
func (s *story) inFolder(args []string) []string {
	paths := slices.Clone(args)
	if i := slices.Index(paths, demoPolicy); i >= 0 {
		paths[i] = filepath.Join(s.dir, demoPolicy)
	}
	return paths
}

// settings are the demo's own, and all that its commands know of the world.
func (s *story) settings() map[string]string {
	hello := s.discord.Hello()
	return map[string]string{
		"GATECAMP_DATA_DIR": s.dir, "GATECAMP_AUTH_URL": "snapshot:" + filepath.Join(s.dir, demoAuth),
		"GATECAMP_DISCORD_TOKEN": hello.Bots[0].Token, "GATECAMP_DISCORD_API_URL": hello.API, "GATECAMP_GUILD_IDS": hello.GuildIDs[0].String(),
		"GATECAMP_WEBHOOK_URL": hello.Webhooks[0].URL, "GATECAMP_EVENTS": filepath.Join(s.dir, demoEvents),
	}
}

func (s *story) environment() config.Environment {
	set := s.settings()
	return config.Environment{
		Lookup: func(name string) (string, bool) { v, ok := set[name]; return v, ok },
		ReadFile: func(name string) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
}

// lookRound says what can be done while everything is up.
func (s *story) lookRound() {
	s.say("\nEverything stays up until Ctrl-C. In another terminal:\n")
	set := s.settings()
	for _, name := range sortedKeys(set) {
		s.say("  export %s=%s", name, shellWords([]string{set[name]}))
	}
	control := s.discord.ControlURL()
	s.say("\n  gatecamp audit explain %s\n  gatecamp audit findings\n  gatecamp trail list\n  gatecamp brake show\n  gatecamp block list --closed\n  gatecamp enforcement tail", demoSpy)
	s.say("  curl %s/requests                       what Discord was asked", control)
	s.say("  curl %s/guilds/%s/audit-log   what its audit log says", control, s.discord.GuildIDs()[0])
	s.say("\nAuth is still broken; it is the file %s.", filepath.Join(s.dir, demoAuth))
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

// planOf reads the plan that `plan show --json` printed.
func planOf(output string) (p planForm, err error) {
	if err = json.Unmarshal([]byte(output), &p); err == nil && len(p.Actions) == 0 {
		err = errors.New("the plan is empty")
	}
	return p, err
}
