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
	"time"

	"github.com/spf13/cobra"

	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/telemetry"
)

// tail is what `enforcement tail` shows of a file of events.
type tail struct {
	*console
	typ    enforcement.EventType // zero: all
	rule   string                // empty: all
	lines  int                   // of what is there already; negative: all
	asJSON bool
	follow bool
	foul   int // lines that are no events
}

func (c *console) enforcementTail() *cobra.Command {
	var typ string
	t := tail{console: c}
	cmd := &cobra.Command{
		Use: "tail [FILE]", Short: "the events of enforcement: who was denied, blocked and unblocked, what rules saw",
		Long: `Shows the newest events in the file that GATECAMP_EVENTS names, or in FILE, oldest first; with --follow also those that come, also when the
file is moved away and made anew. It only reads: it needs no database, no Discord and no running gatecamp.

An event stands for itself and for those that it says were like it: of a flood the first lines are told, and then how many there were.`,
		Example: "  gatecamp enforcement tail --follow\n  gatecamp enforcement tail --lines 0 --type alert\n  gatecamp enforcement tail --json --rule command_flood | jq .attributes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if typ != "" {
				if t.typ, err = enforcement.ParseEventType(typ); err != nil {
					return problem.New(problem.Usage, "--type: "+err.Error(), "")
				}
			}
			if t.lines < 0 {
				return problem.Usagef("--lines: %d is no number of lines; 0 is all", t.lines)
			}
			path, err := c.eventsFile(cmd.Context(), args)
			if err != nil {
				return err
			}
			return t.show(cmd.Context(), path)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&t.follow, "follow", "f", false, "stay, and show what comes")
	flags.IntVarP(&t.lines, "lines", "n", 20, "so many of what is there already; 0 is all")
	flags.StringVar(&typ, "type", "", "only of this `TYPE`: "+enforcement.EventTypeList())
	flags.StringVar(&t.rule, "rule", "", "only of this `RULE`; manual is for blocks that people make")
	flags.BoolVar(&t.asJSON, "json", false, "print the lines as they are")
	return noted(cmd, noteJSON, `the lines as they are: {"timestamp", "observed_timestamp", "severity_text", "severity_number", "body", "resource", "instrumentation_scope", "attributes", "event_name"}; docs/events.md says what attributes there are`)
}

// eventsFile is the file to read: the one that is named, or the one of the settings.
func (c *console) eventsFile(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	cfg, err := c.config(ctx)
	if err != nil {
		return "", err
	}
	switch cfg.Events {
	case "":
		return "", problem.New(problem.Usage, "GATECAMP_EVENTS is not set, so no file holds events",
			"set GATECAMP_EVENTS=/var/log/gatecamp/events.jsonl (a file that gatecamp may write) where `gatecamp serve` runs, and here; or name a file")
	case telemetry.Stdout:
		return "", problem.New(problem.Usage, "GATECAMP_EVENTS=stdout: the events are in what `gatecamp serve` prints, and in no file",
			"look where its output goes (journalctl, docker logs), or set GATECAMP_EVENTS to a file")
	}
	return cfg.Events, nil
}

// tailAgain is how often a file is looked at that is followed.
const tailAgain = 200 * time.Millisecond

// show reads the file to its end, and on if it is followed.
func (t *tail) show(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return problem.New(problem.Failed, fmt.Sprintf("%s is not there: nothing has been told yet, or it is told elsewhere", path), "see that `gatecamp serve` runs with the same GATECAMP_EVENTS")
	}
	if err != nil {
		return problem.New(problem.Failed, path+" cannot be read", "read it as a user who may").Because(err)
	}
	defer func() { _ = f.Close() }() // only read
	newest := ring{most: t.lines}
	rest, err := t.read(f, nil, newest.add)
	if err != nil {
		return err
	}
	for _, line := range newest.lines {
		t.print(line)
	}
	if !t.follow {
		if len(newest.lines) == 0 && !t.asJSON {
			t.say("There are no such events in %s.", path)
		}
		t.sayFoul()
		return nil
	}
	for {
		if wait(ctx, tailAgain) != nil {
			return nil
		}
		if rest, err = t.read(f, rest, t.print); err != nil {
			return err
		}
		next, again, err := anew(f, path)
		if err != nil {
			return err
		}
		if again {
			if _, err = t.read(f, rest, t.print); err != nil { // what came until it was moved away
				return err
			}
			_ = f.Close()
			f, rest = next, nil
		}
	}
}

// anew opens the path again if it is another file by now, or begins at the front where the file was cut off.
func anew(f *os.File, path string) (_ *os.File, again bool, err error) {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil // it will be made
	}
	if err != nil {
		return nil, false, err
	}
	ours, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if os.SameFile(ours, there) {
		at, err := f.Seek(0, io.SeekCurrent)
		if err == nil && at > there.Size() {
			_, err = f.Seek(0, io.SeekStart)
		}
		return nil, false, err
	}
	next, err := os.Open(path)
	return next, err == nil, err
}

// longestLine is more than any event has.
const longestLine = 1 << 20

// read hands every whole line that is wanted to take, and gives back the beginning of the last one.
func (t *tail) read(r io.Reader, rest []byte, take func(line []byte)) ([]byte, error) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		rest = append(rest, buffer[:n]...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			if t.wants(line) {
				take(bytes.Clone(line))
			}
			rest = after
		}
		rest = bytes.Clone(rest)
		if len(rest) > longestLine {
			rest = nil
			t.foul++
		}
		if errors.Is(err, io.EOF) {
			return rest, nil
		}
		if err != nil {
			return rest, err
		}
	}
}

// wants reports whether a line is an event that was asked for.
func (t *tail) wants(line []byte) bool {
	if len(bytes.TrimSpace(line)) == 0 {
		return false
	}
	e, ok := eventOf(line)
	if !ok {
		t.foul++
		return false
	}
	return (t.typ == 0 || e.Type == t.typ) && (t.rule == "" || e.text("security_rule.name") == t.rule)
}

// ring keeps the newest lines.
type ring struct {
	lines [][]byte
	most  int // 0: all
}

func (r *ring) add(line []byte) {
	r.lines = append(r.lines, line)
	if r.most > 0 && len(r.lines) > r.most {
		r.lines = r.lines[1:]
	}
}

func (t *tail) print(line []byte) {
	if t.asJSON {
		_, _ = t.out.Write(append(line, '\n'))
		return
	}
	e, _ := eventOf(line)
	t.say("%s  %s", eveTime(e.at), visible(e.words()))
}

func (t *tail) sayFoul() {
	if t.foul > 0 {
		fmt.Fprintf(t.err, "%s of the file could not be read as events.\n", count(t.foul, "line", "lines"))
	}
}

// toldEvent is an event as a line has it.
type toldEvent struct {
	Type enforcement.EventType
	at   time.Time
	has  map[string]any
}

func eventOf(line []byte) (toldEvent, bool) {
	var r telemetry.Record
	if json.Unmarshal(line, &r) != nil {
		return toldEvent{}, false
	}
	typ, err := enforcement.ParseEventType(r.Event)
	return toldEvent{typ, time.Unix(0, r.Timestamp), r.Attributes}, err == nil
}

func (e *toldEvent) text(name string) string {
	s, _ := e.has[name].(string)
	return s
}

func (e *toldEvent) number(name string) int {
	n, _ := e.has[name].(float64)
	return int(n)
}
