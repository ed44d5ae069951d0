package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatecamp/internal/problem"
)

// list is something that prints as a table for people, as CSV for spreadsheets, or as JSON lines for programs.
type list struct {
	columns []string
	rows    [][]string
	lines   []any  // one JSON value a row
	empty   string // what a person is told when there is nothing
}

// add puts a row in.
func (l *list) add(line any, cells ...string) {
	l.lines = append(l.lines, line)
	l.rows = append(l.rows, cells)
}

// format is how a list is wanted; its flags are --json and --csv.
type format struct{ json, csv bool }

func (f *format) flags(cmd *cobra.Command) {
	f.jsonFlag(cmd)
	cmd.Flags().BoolVar(&f.csv, "csv", false, "print CSV, safe to open in a spreadsheet")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
}

// jsonFlag is for commands whose answer is one object.
func (f *format) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON for programs")
}

func (f *format) print(w io.Writer, l *list) error {
	switch {
	case f.json:
		return printLines(w, l.lines...)
	case f.csv:
		return printCSV(w, l)
	}
	return printTable(w, l)
}

// printLines writes one JSON value a line.
func printLines(w io.Writer, values ...any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, v := range values {
		if err := out.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func printTable(w io.Writer, l *list) error {
	if len(l.rows) == 0 && l.empty != "" {
		_, err := fmt.Fprintln(w, l.empty)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(l.columns, "\t")))
	for _, row := range l.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = visible(c)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// visible keeps a name from another person from moving the cursor or breaking a table.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// printCSV guards every cell that a spreadsheet would take for a formula with a leading apostrophe.
func printCSV(w io.Writer, l *list) error {
	out := csv.NewWriter(w)
	if err := out.Write(l.columns); err != nil {
		return err
	}
	for _, row := range l.rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = cell
			if cell != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(cell[0])) {
				safe[i] = "'" + cell
			}
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// eveTime is a time as exports show it: UTC, which is EVE time; a dash for none.
func eveTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// redacted stands for an argument that is not on the list of harmless ones.
const redacted = "[REDACTED]"

// harmless are the flags whose values may stand in the record; free text and files may not.
var harmless = []string{"action", "also", "block", "duration", "everywhere", "force", "scope", "limit", "member", "run", "since", "yes", "json", "csv", "once", "dry-run", "gates", "guild", "all-proposed", "guarded", "group", "state", "expires", "single-use"}

// redactArgs is a command's arguments as the record may keep them: known flags, and arguments that are ids or digests.
func redactArgs(cmd *cobra.Command, args []string) string {
	var kept []string
	for _, a := range args {
		if isIDOrDigest(a) && cmd.Annotations[noteSecret] == "" {
			kept = append(kept, a)
		} else {
			kept = append(kept, redacted)
		}
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		value := redacted
		if slices.Contains(harmless, f.Name) {
			value = f.Value.String()
		}
		kept = append(kept, "--"+f.Name+"="+value)
	})
	return strings.Join(kept, " ")
}

func isIDOrDigest(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool { return !unicode.Is(unicode.ASCII_Hex_Digit, r) }) < 0
}

// parseNumber reads a whole number from 1.
func parseNumber(what, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, problem.Usagef("%s: %q is no number; give one such as 12", what, text)
	}
	return n, nil
}
