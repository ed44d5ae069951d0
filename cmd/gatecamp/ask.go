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
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
)

// reasonFlag is --reason: whoever looks at the record later will ask.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why, in a sentence; the `TEXT` is kept in the record (required)")
}

// The notes that a command carries for docs/console.md.
const (
	noteJSON   = "json"        // what --json prints
	noteExits  = "exits"       // exit codes beyond 0, 1 and 2
	noteSecret = "secret-args" // its arguments may name a person and are never kept
)

// noted adds a note to a command.
func noted(cmd *cobra.Command, note, text string) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[note] = text
	return cmd
}

// say prints a line for people.
func (c *console) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// directory reads Auth. Without one that can be read it is nil and the sentence says why; only an ended context is an error.
func (s *session) directory(ctx context.Context) (_ *audit.Directory, why string, err error) {
	source, done, err := s.auth()
	if err != nil {
		return nil, describe(err), nil
	}
	defer func() { err = errors.Join(err, done()) }()
	d, err := source.Read(ctx)
	if ctx.Err() != nil {
		return nil, "", context.Cause(ctx)
	}
	if err != nil {
		return nil, describe(err), nil
	}
	s.warnings(source)
	return d, "", nil
}

// warnings prints what a source that is a file was not asked for.
func (s *session) warnings(source any) {
	if file, ok := source.(*snapshot.AuthFile); ok {
		for _, w := range file.Warnings() {
			fmt.Fprintln(s.err, "gatecamp: "+w)
		}
	}
}

// readAll reads a file that a person named, "-" for what is piped in, up to most bytes.
func (c *console) readAll(name string, most int64) ([]byte, error) {
	in := c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, unreadable(name, err)
		}
		defer f.Close() //nolint:errcheck // only read from
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if int64(len(data)) > most {
		return nil, problem.Usagef("%s is longer than %d bytes; nothing was read from it", name, most)
	}
	return data, nil
}

func unreadable(name string, err error) error {
	why := err
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		why = path.Err
	}
	return problem.New(problem.Usage, fmt.Sprintf("%s cannot be read: %v", name, why), "check the name, and that you may read it").Because(err)
}

// picture reads a guild from a snapshot file; it must be the guild that the command is about, if the file says which it is. Without
// a file it is the guild with its roles as Discord shows them now.
func (s *session) picture(ctx context.Context, path string) (*snapshot.File, error) {
	if path == "" {
		return s.liveRoles(ctx)
	}
	file, err := readSnapshot(path)
	if err != nil {
		return nil, err
	}
	if file.Guild.ID != 0 && file.Guild.ID != s.guild {
		return nil, problem.New(problem.Usage, fmt.Sprintf("%s shows guild %d, and this command is about guild %d; nothing was changed", path, file.Guild.ID, s.guild),
			"name a snapshot of this guild, or give --guild")
	}
	return file, nil
}

func readSnapshot(path string) (*snapshot.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close() //nolint:errcheck // only read from
	if info, err := f.Stat(); err == nil {
		if info.IsDir() {
			return nil, unreadable(path, errors.New("it is a folder"))
		}
		if info.Size() >= largeSnapshot {
			tidyMore()
		}
	}
	return snapshot.Parse(f, path)
}

// largeSnapshot is the size in bytes of a guild of about 75,000 members who all have an account.
const largeSnapshot = 32 << 20

// tidyMore makes the garbage collector run when a quarter has been added to what is in use, and not when that has doubled: a large guild
// then needs a quarter less memory (docs/performance.md). Who has set GOGC to anything but the usual knows better.
func tidyMore() {
	const usual, more = 100, 25
	if before := debug.SetGCPercent(more); before != usual {
		debug.SetGCPercent(before)
	}
}

// needsLive is the answer of what only the guild itself could give; instead says what works without it.
func needsLive(what, instead string) error {
	return refuse("needs_live_run", what+" needs a live run, and no bot token is set; nothing was changed", "set GATECAMP_DISCORD_TOKEN, or "+instead)
}

// parseEnd reads --expires: a time as RFC 3339 or a date, or how long from now: 72h, 7d. No text is no end.
func (c *console) parseEnd(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	end, ok := endFrom(text, c.now())
	switch {
	case !ok:
		return end, problem.New(problem.Usage, fmt.Sprintf("--expires: %q is no time", text), "give a time such as 2026-12-31T18:00:00Z, or how long from now: 72h, 7d")
	case !end.After(c.now()):
		return end, problem.New(problem.Usage, fmt.Sprintf("--expires: %s is past", eveTime(end)), "give a time that is still to come, or how long from now: 72h, 7d")
	}
	return end.UTC(), nil
}

// longest is a hundred years, more than anybody means.
const longest = 100 * 366 * 24 * time.Hour

func endFrom(text string, now time.Time) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, t.Before(now.Add(longest))
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return now.Add(time.Duration(n) * 24 * time.Hour), err == nil && n < uint64(longest/(24*time.Hour))
	}
	d, err := time.ParseDuration(text)
	return now.Add(d), err == nil && d < longest
}

// orNever is the end of something that may have none.
func orNever(end time.Time) string {
	if end.IsZero() {
		return "never"
	}
	return eveTime(end)
}

// until ends a sentence about something that may have an end.
func until(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	return " until " + eveTime(end) + " EVE time"
}

// compact is JSON on one line, as it is stored.
func compact(doc json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if len(doc) == 0 || json.Compact(&b, doc) != nil {
		return json.RawMessage("null")
	}
	return b.Bytes()
}

// visibleText is visible for text of several lines.
func visibleText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		parts := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		for j, part := range parts {
			parts[j] = visible(part)
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

// warn prints a line beside the answer, where programs do not read.
func (c *console) warn(format string, args ...any) {
	fmt.Fprintf(c.err, "gatecamp: "+format+"\n", args...)
}
