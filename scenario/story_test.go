package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gatecamp/discord/discordtest"
)

func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			tell(t, path)
		})
	}
}

// story is one file at work.
type story struct {
	t       *testing.T
	path    string
	archive *txtar.Archive
	files   map[string][]byte
	steps   []string
	dir     string
	clock   discordtest.Clock
	discord *discordtest.Server
	guild   snowflake.ID
	gate    *gate
	env     []string

	mu      sync.Mutex
	running *exec.Cmd // the program, while it is at work
	killed  bool
	newest  string                   // number of the run that was the newest when the story asked; stands for {run}
	flags   map[string]chan struct{} // signals between steps, by name
	last    string                   // what it said last

	shared  []byte // the world that the story shares with others
	procs   map[string]*process
	db      *link     // to the database; nil: it is a file
	counts  *link     // to Redis; nil: there is none
	source  *link     // to Auth's database; nil: what stands in for Auth is a file
	small   string    // where the small disk is; empty: there is none
	shards  int       // that Discord advises
	live    *liveAuth // nil: what stands in for Auth is a file
	locale  string
	reply   discordtest.Reply // the last answer to a person
	pressed string            // the custom id that was pressed last
}

// worldFiles are the parts of the archive that make the world.
var worldFiles = []string{"guild.json", "auth.json", "policy.yaml", "channels.json", "generate.json"}

func tell(t *testing.T, path string) {
	s := read(t, path)
	s.begin()
	for i, line := range s.steps {
		if t.Failed() {
			return
		}
		s.step(fmt.Sprintf("step %d: %s", i+1, line), line)
	}
	if unused := s.gate.unused(); len(unused) > 0 {
		t.Errorf("these calls were waited for and never came: %q", unused)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(path, txtar.Format(s.archive), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, path string) *story {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, path: path, archive: archive, files: map[string][]byte{}, dir: t.TempDir(), clock: discordtest.RealClock{}, locale: "en-US"}
	for _, f := range archive.Files {
		s.files[f.Name] = f.Data
	}
	for line := range strings.Lines(string(s.files["story"])) {
		switch line = strings.TrimSpace(line); {
		case line == "clock manual":
			s.clock = discordtest.NewManualClock(time.Now().UTC())
		case strings.HasPrefix(line, "shards "):
			if s.shards, err = strconv.Atoi(strings.TrimPrefix(line, "shards ")); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(line, "world "):
			if err := s.worldFrom(strings.TrimPrefix(line, "world ")); err != nil {
				t.Fatal(err)
			}
		case line != "" && !strings.HasPrefix(line, "#"):
			s.steps = append(s.steps, line)
		}
	}
	if len(s.steps) == 0 {
		t.Fatalf("%s has no story", path)
	}
	return s
}

// begin starts the local Discord and lays out what the program is given.
func (s *story) begin() {
	s.t.Helper()
	w, more := s.world(worldFiles, ""), []*discordtest.World(nil)
	if _, there := s.files[second+"guild.json"]; there {
		more = append(more, s.world(worldFiles, second))
	}
	ctx, stop := context.WithCancel(context.Background())
	discord, wait, err := discordtest.Start(ctx, discordtest.Config{World: w, More: more, Clock: s.clock, Shards: s.shards})
	if err != nil {
		stop()
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		stop()
		if err := wait(); err != nil {
			s.t.Error(err)
		}
	})
	s.discord, s.guild = discord, w.GuildID()
	s.gate = newGate(s.t, discord.APIURL())
	s.write("auth.json", inSnapshot(w.Auth))
	s.write("policy.yaml", w.Policy)
	for _, f := range slices.Concat(txtar.Parse(s.shared).Files, s.archive.Files) {
		s.files[f.Name] = f.Data
		if !slices.Contains(worldFiles, f.Name) && strings.HasSuffix(f.Name, ".yaml") {
			s.write(f.Name, f.Data)
		}
	}
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "GATECAMP_DATA_DIR=" + filepath.Join(s.dir, "data"),
		"GATECAMP_DISCORD_TOKEN=" + discord.Bot(discordtest.BotGatecamp).Token, "GATECAMP_DISCORD_API_URL=" + s.gate.url(),
		"GATECAMP_AUTH_URL=snapshot:" + filepath.Join(s.dir, "auth.json"), "GATECAMP_RUNS_PER_USER=100",
	}
	if len(more) > 0 {
		s.twoGuilds()
		return
	}
	s.env = append(s.env, "GATECAMP_GUILD_IDS="+s.guild.String(), "GATECAMP_WEBHOOK_URL="+s.hookURL(0))
}

// world is made of those files of the archive whose names begin with the prefix.
func (s *story) world(files []string, prefix string) *discordtest.World {
	s.t.Helper()
	world := &txtar.Archive{Comment: s.archive.Comment}
	for _, f := range slices.Concat(s.archive.Files, txtar.Parse(s.shared).Files) {
		name, ours := strings.CutPrefix(f.Name, prefix)
		own := slices.ContainsFunc(world.Files, func(o txtar.File) bool { return o.Name == name })
		if ours && slices.Contains(files, name) && !own {
			world.Files = append(world.Files, txtar.File{Name: name, Data: f.Data})
		}
	}
	w, err := discordtest.ParseWorld(s.path, txtar.Format(world))
	if err != nil {
		s.t.Fatal(err)
	}
	return w
}

func inSnapshot(aa []byte) []byte { return fmt.Appendf(nil, `{"aa": %s}`, aa) }

func (s *story) write(name string, data []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// errKilled is the end of a program that the story killed.
var errKilled = errors.New("killed")

// run is one command of the program from beginning to end.
func (s *story) run(args ...string) (output string, code int, err error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(context.Background(), program, s.aimed(args)...) // what ends it is the story
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, &out, &out
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	s.mu.Lock()
	outer := s.running
	s.running = cmd
	s.mu.Unlock()
	err = cmd.Wait()
	s.mu.Lock()
	killed := s.killed
	s.running, s.killed = outer, false
	s.mu.Unlock()
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case killed:
		return out.String(), 0, errKilled
	case failed:
		return out.String(), exit.ExitCode(), nil
	}
	return out.String(), 0, err
}

// kill ends the program at once; it has no time to write anything down.
func (s *story) kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return errors.New("the program is not running")
	}
	s.killed = true
	return s.running.Process.Kill()
}

// command runs the program and holds its exit to what the story says.
func (s *story) command(words []string) error {
	want := "0"
	if i := slices.Index(words, "=>"); i >= 0 && i+2 == len(words) {
		want, words = words[i+1], words[:i]
	}
	for i, w := range words {
		words[i] = s.mentioned(w)
	}
	output, code, err := s.run(words...)
	if err != nil && !errors.Is(err, errKilled) {
		return err
	}
	s.last = output
	got := strconv.Itoa(code)
	if errors.Is(err, errKilled) {
		got = "killed"
	}
	if got != want {
		return fmt.Errorf("exit %s, want %s:\n%s", got, want, output)
	}
	return nil
}

// mentioned puts in what a story cannot know: {digest} is the newest plan that has actions.
func (s *story) mentioned(word string) string {
	if word != "{digest}" {
		return word
	}
	output, _, err := s.run("plan", "show", "--json")
	var plan struct {
		Digest string `json:"digest"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(output), &plan)
	}
	if err != nil {
		s.t.Errorf("no plan: %v\n%s", err, output)
	}
	return plan.Digest
}

// compare holds a record against the file in the archive; -update writes it there.
func (s *story) compare(name, got string) {
	s.t.Helper()
	file := "want-" + name
	i := slices.IndexFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == file })
	if *update {
		if i < 0 {
			s.archive.Files = append(s.archive.Files, txtar.File{Name: file})
			i = len(s.archive.Files) - 1
		}
		s.archive.Files[i].Data = []byte(got)
		return
	}
	if i < 0 {
		s.t.Errorf("the story has no %s", file)
		return
	}
	if diff := cmp.Diff(string(s.archive.Files[i].Data), got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
