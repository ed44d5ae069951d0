package scenario

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatecamp/discord/discordtest"
)

// process is one `gatecamp serve`.
type process struct {
	cmd   *exec.Cmd
	out   log
	http  string
	ended chan struct{}
	code  int
}

// log is what a process wrote so far.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// patience is how long something that must happen may take, on a busy machine; what must happen sooner is counted, not timed.
const patience = 45 * time.Second

const lookEvery = 50 * time.Millisecond

// eventually does a step until it succeeds.
func (s *story) eventually(words []string) error { return s.insist(words, patience) }

// settled is eventually for what waits until a row that changed in Auth has been the same for two minutes.
func (s *story) settled(words []string) error { return s.insist(words, 2*time.Minute+patience) }

func (s *story) insist(words []string, within time.Duration) error {
	return untilWithin(within, func() error {
		_, err := s.do(slices.Clone(words))
		return err
	})
}

func (s *story) until(try func() error) error { return untilWithin(patience, try) }

func untilWithin(within time.Duration, try func() error) error {
	end := time.After(within)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-end:
			return fmt.Errorf("not within %s: %w", within, err)
		case <-tick.C:
		}
	}
}

// serve starts a process: serve [NAME] [SETTING=VALUE…].
func (s *story) serve(a []string) error {
	name, settings := named(a)
	if _, err := s.process(name); err == nil {
		return fmt.Errorf("%s is running already", name)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	p := &process{http: "http://" + port, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), program, "serve") // what ends it is the story
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.dir, &p.out, &p.out
	p.cmd.Env = append(slices.Clone(s.env), "GATECAMP_HTTP_LISTEN="+port, "GATECAMP_LOG_LEVEL=debug")
	if len(s.discord.GuildIDs()) == 1 {
		p.cmd.Env = append(p.cmd.Env, "GATECAMP_ADMIN_CHANNEL_ID="+s.webhook().ChannelID.String())
	}
	p.cmd.Env = append(p.cmd.Env, settings...)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.ended)
		err := p.cmd.Wait()
		if exit, failed := errors.AsType[*exec.ExitError](err); failed {
			p.code = exit.ExitCode()
		}
	}()
	s.keep(name, p)
	return nil
}

// named takes the name of a process off the front of the words; without one it is "serve".
func named(a []string) (name string, rest []string) {
	if len(a) > 0 && !strings.Contains(a[0], "=") {
		return a[0], a[1:]
	}
	return "serve", a
}

func freePort() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *story) process(name string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.procs[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not running", name)
}

// keep remembers a process by its name. A call of the program may start or end one, beside the story's own steps.
func (s *story) keep(name string, p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.procs == nil {
		s.procs = map[string]*process{}
		s.t.Cleanup(s.endAll)
	}
	s.procs[name] = p
}

func (s *story) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.procs, name)
}

// endAll ends what the story left running, and shows what it said if the story failed.
func (s *story) endAll() {
	s.mu.Lock()
	procs := maps.Clone(s.procs)
	s.mu.Unlock()
	for name, p := range procs {
		_ = p.cmd.Process.Kill()
		<-p.ended
		s.inspect(name, p)
	}
}

// inspect looks through the log of a process that has ended.
func (s *story) inspect(name string, p *process) {
	text := p.out.String()
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			s.t.Errorf("the log of %s holds a secret", name)
		}
	}
	if strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE") {
		s.t.Errorf("%s panicked", name)
	}
	if s.t.Failed() {
		s.t.Logf("%s said:\n%s", name, text)
	}
}

// secrets are what no log may hold.
func (s *story) secrets() []string {
	hook := s.discord.Hello().Webhooks[0].URL
	return []string{s.discord.Bot(discordtest.BotGatecamp).Token, hook[strings.LastIndexByte(hook, '/')+1:]}
}

// plays waits until a process has a role: owner (and everything it needs) or waiting.
func (s *story) plays(name, role string) error {
	p, err := s.process(name)
	if err != nil {
		return err
	}
	look := func() error {
		var v struct {
			Ready bool
			Role  string
		}
		text, err := s.get(p.http + "/readyz")
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return err
		}
		if !v.Ready || v.Role != role {
			return fmt.Errorf("%s is not %s yet: %s", name, role, text)
		}
		return nil
	}
	var over error
	err = s.until(func() error {
		select {
		case <-p.ended:
			over = fmt.Errorf("%s has ended with %d", name, p.code)
			return nil
		default:
			return look()
		}
	})
	return cmp.Or(over, err)
}

func (s *story) get(url string) (string, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	return string(data), err
}

// crash ends a process so that it has no time for anything.
func (s *story) crash(name string) error {
	p, err := s.process(name)
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.ended
	s.inspect(name, p)
	s.forget(name)
	return nil
}

// stop ends a process in order; it must exit as one that a signal stopped.
func (s *story) stop(a []string) error {
	name, _ := named(a)
	p, err := s.process(name)
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.ends([]string{name, strconv.Itoa(128 + int(syscall.SIGTERM))})
}

// ends waits until a process has ended by itself: ends [NAME] CODE.
func (s *story) ends(a []string) error {
	name := "serve"
	if len(a) > 1 {
		name, a = a[0], a[1:]
	}
	p, err := s.process(name)
	if err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		return fmt.Errorf("%s does not end", name)
	}
	s.inspect(name, p)
	s.forget(name)
	if s.last = p.out.String(); strconv.Itoa(p.code) != a[0] {
		return fmt.Errorf("%s ended with %d, want %s:\n%s", name, p.code, a[0], s.last)
	}
	return nil
}

// logs waits until a process has written something: logs [NAME] TEXT.
func (s *story) logs(a []string) error {
	name := "serve"
	if len(a) > 1 {
		name, a = a[0], a[1:]
	}
	p, err := s.process(name)
	if err != nil {
		return err
	}
	return s.until(func() error {
		if !strings.Contains(p.out.String(), a[0]) {
			return fmt.Errorf("%s has not said %q", name, a[0])
		}
		return nil
	})
}

// metric compares a figure of /metrics: metric 'name{labels}' VALUE, or VALUE+ for so much or more.
func (s *story) metric(a []string) error {
	p, err := s.process("serve")
	if err != nil {
		return err
	}
	text, err := s.get(p.http + "/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if name+"}" == a[0] || strings.TrimSpace(line) == a[0]+" "+a[1] {
			if value == a[1] || value == "" || atLeast(value, a[1]) {
				return nil
			}
			return fmt.Errorf("%s is %s, want %s", a[0], value, a[1])
		}
	}
	return fmt.Errorf("no figure %s %s in\n%s", a[0], a[1], text)
}

func atLeast(value, want string) bool {
	number, open := strings.CutSuffix(want, "+")
	is, err := strconv.ParseFloat(value, 64)
	least, wrong := strconv.ParseFloat(number, 64)
	return open && err == nil && wrong == nil && is >= least
}

// released is what an operator does beside a serving process before anything may be changed: the policy is live.yaml of the shared world.
func (s *story) released() error {
	for _, args := range [][]string{
		{"bind", "add", "--all-proposed", "--reason", "compared with Auth"},
		{"policy", "set", "live.yaml", "--reason", "as agreed"},
		{"audit", "run"},
	} {
		if output, code, err := s.run(args...); err != nil || code != 0 {
			return fmt.Errorf("%q exits %d, %w:\n%s", args, code, err, output)
		}
	}
	// The newest report is the one under the policy that is now in force.
	if err := s.findNewest(); err != nil {
		return err
	}
	if output, code, err := s.run("audit", "acknowledge", s.newest, "--reason", "read it"); err != nil || code != 0 {
		return fmt.Errorf("the report is not acknowledged: %d, %w:\n%s", code, err, output)
	}
	return nil
}

// findNewest asks which run is the newest: how many there were before depends on what a process that begins finds to do.
func (s *story) findNewest() error {
	output, _, err := s.run("audit", "history", "--json", "--limit", "1")
	if err != nil {
		return err
	}
	var newest struct{ Run int64 }
	if err := json.Unmarshal([]byte(output), &newest); err != nil {
		return err
	}
	s.newest = strconv.FormatInt(newest.Run, 10)
	return nil
}

// within holds that every look so far ended so many seconds after its event, at most; there must have been one.
func (s *story) within(a []string) error {
	p, err := s.process("serve")
	if err != nil {
		return err
	}
	text, err := s.get(p.http + "/metrics")
	if err != nil {
		return err
	}
	soon, all := "none", "none"
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		switch {
		case strings.HasPrefix(name, "gatecamp_event_to_done_seconds_bucket") && strings.HasSuffix(name, `le="`+a[0]+`"`):
			soon = value
		case strings.HasPrefix(name, "gatecamp_event_to_done_seconds_count"):
			all = value
		}
	}
	if soon != all || all == "0" {
		return fmt.Errorf("%s of %s looks ended within %s s", soon, all, a[0])
	}
	return nil
}

// finds looks for a text in a member's findings: finds ID TEXT.
func (s *story) finds(a []string) error {
	output, code, err := s.run("audit", "findings", "--member", a[0], "--json")
	if err == nil && (code != 0 || !strings.Contains(output, a[1])) {
		err = fmt.Errorf("exit %d, findings:\n%s", code, output)
	}
	return err
}

// gateway closes the program's sockets: gateway cut, gateway 4014.
func (s *story) gateway(a []string) error {
	code := 0
	if a[0] != "cut" {
		var err error
		if code, err = strconv.Atoi(a[0]); err != nil {
			return err
		}
	}
	n := 0
	for _, c := range s.discord.Connections() {
		if c.Bot == discordtest.BotGatecamp {
			if err := s.discord.CloseConnection(c.ID, code); err != nil {
				return err
			}
			n++
		}
	}
	if n == 0 {
		return errors.New("the program has no session")
	}
	return nil
}

// sessions counts the program's sockets.
func (s *story) sessions(a []string) error {
	n := 0
	for _, c := range s.discord.Connections() {
		if c.Bot == discordtest.BotGatecamp {
			n++
		}
	}
	if strconv.Itoa(n) != a[0] {
		return fmt.Errorf("%d sessions, want %s", n, a[0])
	}
	return nil
}

// begin starts a command of the program and goes on: begin NAME ARGS…; done NAME CODE waits for it.
func (s *story) beginCommand(a []string) error {
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), program, s.aimed(a[1:])...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.dir, s.env, &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.ended)
		err := p.cmd.Wait()
		if exit, failed := errors.AsType[*exec.ExitError](err); failed {
			p.code = exit.ExitCode()
		}
	}()
	s.keep(a[0], p)
	return nil
}

// signal sends a signal to a process: signal NAME int.
func (s *story) signal(a []string) error {
	p, err := s.process(a[0])
	if err != nil {
		return err
	}
	which, known := map[string]os.Signal{"int": syscall.SIGINT, "term": syscall.SIGTERM, "stop": syscall.SIGSTOP, "cont": syscall.SIGCONT}[a[1]]
	if !known {
		return fmt.Errorf("no signal %q", a[1])
	}
	return p.cmd.Process.Signal(which)
}

// worldFrom fills in what the archive leaves out from a world that several stories share.
func (s *story) worldFrom(name string) error {
	data, err := os.ReadFile(filepath.Join("testdata", "worlds", name+".txtar"))
	if err != nil {
		return err
	}
	s.shared = data
	return nil
}
