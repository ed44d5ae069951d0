package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatecamp/internal/problem"
)

// daemon is one life of gatecamp serve.
type daemon struct {
	address string // of its pages
	pid     string
	halt    func() error
	tail    *logTail
}

// begin starts gatecamp serve and waits until it answers over HTTP.
func (b *botBench) begin(ctx context.Context, t *benchTable) (*daemon, error) {
	s := &daemon{pid: "self", tail: &logTail{address: make(chan string, 1)}}
	if b.inside {
		ctx, end := context.WithCancel(ctx)
		ended := make(chan error, 1)
		c := t.console()
		c.err = s.tail
		go func() { ended <- run(ctx, []string{"serve"}, c) }()
		s.halt = func() error {
			end()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}
	} else if err := s.child(ctx, t); err != nil {
		return nil, err
	}
	wait, enough := context.WithTimeout(ctx, servesWithin)
	defer enough()
	select {
	case s.address = <-s.tail.address:
		return s, nil
	case <-wait.Done():
		return nil, errors.Join(notMeasured("gatecamp serve did not begin to serve:\n%s", s.tail), s.halt())
	}
}

const servesWithin = 2 * time.Minute

func (s *daemon) child(ctx context.Context, t *benchTable) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "serve")
	cmd.Dir, cmd.Env, cmd.Stderr = t.dir, environ(t.set), s.tail
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return err
	}
	s.pid = strconv.Itoa(cmd.Process.Pid)
	s.halt = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		err := cmd.Wait()
		if cmd.ProcessState.ExitCode() == 128+int(syscall.SIGTERM) { // stopped in order
			return nil
		}
		return err
	}
	return nil
}

// finish stops it in order.
func (s *daemon) finish() error {
	if err := s.halt(); err != nil {
		return fmt.Errorf("gatecamp serve ended with %w:\n%s", err, s.tail)
	}
	return nil
}

// logTail keeps the end of a log, and finds the address in it.
type logTail struct {
	mu      sync.Mutex
	rest    []byte
	lines   []string
	address chan string
}

const tailLines = 40

// Write satisfies io.Writer.
func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := l.rest[:i]
		var said struct{ Msg, Address string }
		if json.Unmarshal(line, &said) == nil && said.Address != "" && said.Msg == "answers over HTTP" {
			select {
			case l.address <- said.Address:
			default:
			}
		}
		if l.lines = append(l.lines, string(line)); len(l.lines) > tailLines {
			l.lines = l.lines[1:]
		}
		l.rest = l.rest[i+1:]
	}
}

// String is the end of the log.
func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// figures reads /metrics: each name with the sum over its labels.
func (s *daemon) figures(ctx context.Context) (map[string]float64, error) {
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read from
	if answer.StatusCode != http.StatusOK {
		return nil, notMeasured("/metrics answers %s", answer.Status)
	}
	return parseFigures(answer.Body)
}

func parseFigures(page io.Reader) (map[string]float64, error) {
	figures := map[string]float64{}
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if strings.Contains(name, "{") { // a label may hold a space
			i := strings.LastIndex(lines.Text(), "} ")
			if i < 0 {
				continue
			}
			name, value, ok = lines.Text()[:i], lines.Text()[i+2:], true
		}
		name, _, _ = strings.Cut(name, "{")
		value, _, _ = strings.Cut(value, " ")
		n, err := strconv.ParseFloat(value, 64)
		if ok && err == nil && !strings.HasPrefix(name, "#") {
			figures[name] += n
		}
	}
	return figures, lines.Err()
}

// busy reports whether somebody waits, is looked at, or a run is at work.
func busy(f map[string]float64) bool {
	return f["gatecamp_inbox_members"]+f["gatecamp_inbox_in_hand"]+f["gatecamp_inbox_ranges"]+f["gatecamp_runs_waiting"]+f["gatecamp_run_at_work"] > 0
}

// quiet waits until the roster is complete and nothing is left to do, for a while.
func (s *daemon) quiet(ctx context.Context) error {
	ctx, end := context.WithTimeout(ctx, quietWithin)
	defer end()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for calm := 0; calm < quietFor; {
		select {
		case <-ctx.Done():
			return problem.New(problem.Failed, "gatecamp serve does not come to rest:\n"+s.tail.String(), "").Because(context.Cause(ctx))
		case <-tick.C:
		}
		f, err := s.figures(ctx)
		if err != nil {
			return err
		}
		if calm++; busy(f) || f["gatecamp_roster_complete"] == 0 || f["gatecamp_catch_ups_total"] == 0 {
			calm = 0
		}
	}
	return nil
}

const (
	quietWithin = 5 * time.Minute
	quietFor    = 8 // looks in a row
)
