package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"gatecamp/enforcement"
	"gatecamp/enforcement/replay"
	"gatecamp/enforcement/rulefile"
	"gatecamp/enforcement/rules"
	"gatecamp/internal/problem"
)

func (c *console) rulesTest() *cobra.Command {
	var scenarios []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "test FILE", Short: "check a rules file without putting it in force, and try it on scenarios",
		Long: `Checks a rules file: every mistake is told at once, each with its place. Nothing is put in force and no database is touched.

With --scenario, each of these files (` + replay.Schema + `) is run on the real engine with the rules of FILE in place of its own,
on an empty database in a temporary folder: it says what the rules made of every step. What a scenario expects is checked too.`,
		Example: `  gatecamp rules test rules.yaml
  gatecamp rules test rules.yaml --scenario nuke.json --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.testRules(cmd.Context(), args[0], scenarios, asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&scenarios, "scenario", nil, "a scenario `FILE` to try the rules on; may be given several times")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each scenario, on one line")
	return noted(cmd, noteJSON, `one object a scenario, as of "gatecamp enforcement replay"`)
}

func (c *console) testRules(ctx context.Context, path string, scenarios []string, asJSON bool) (err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return problem.New(problem.Usage, path+" cannot be read; nothing was tried", "name a file that this user can read").Because(err)
	}
	written, err := rulefile.Parse(text, path)
	if err != nil {
		return problem.New(problem.Usage, err.Error(), "mend the file; docs/enforcement.md says what it may hold").Because(err)
	}
	if !asJSON {
		c.sayWritten(path, &written)
	}
	if len(scenarios) == 0 {
		return nil
	}
	raw, err := rulefile.JSON(text)
	if err != nil {
		return err
	}
	var files []*replay.File
	for _, name := range scenarios {
		text, err := os.ReadFile(name)
		if err != nil {
			return problem.New(problem.Usage, name+" cannot be read; nothing was tried", "").Because(err)
		}
		f, err := replay.Read(text, name)
		if err != nil {
			return err
		}
		f.Config, f.RightBoot = raw, ""
		files = append(files, f)
	}
	return c.tryOn(ctx, files, asJSON)
}

// sayWritten says what a rules file means.
func (c *console) sayWritten(path string, written *enforcement.Config) {
	c.say("%s is sound. Rules: %d", path, len(written.Rules))
	for i := range written.Rules {
		r := &ruled{Rule: written.Rules[i]}
		state := ""
		if r.Off {
			state = " (off)"
		}
		c.say("  %s%s: at %s, then %s", visible(r.Name), state, r.counts(), r.does(written))
		for _, kind := range r.On {
			if !slices.ContainsFunc(rules.Incidents(), func(i rules.IncidentType) bool { return i.Type == kind }) {
				c.say("    note: nothing here tells of %q; the types of incident are in docs/enforcement.md", visible(kind))
			}
		}
	}
}

// tryOn runs scenarios and says what came of each step.
func (c *console) tryOn(ctx context.Context, files []*replay.File, asJSON bool) (err error) {
	folder, err := os.MkdirTemp("", "gatecamp-rules-")
	if err != nil {
		return problem.New(problem.Failed, "no temporary folder can be made; nothing was tried", "set TMPDIR to one that this user may write").Because(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	empty := filepath.Join(folder, "empty.db")
	if err := emptyDatabase(ctx, empty); err != nil {
		return err
	}
	failed := 0
	for i, f := range files {
		r, err := onSQLite(ctx, f, empty, filepath.Join(folder, fmt.Sprintf("%d.db", i)), nil)
		if err != nil {
			return err
		}
		if len(r.Failures) > 0 {
			failed++
		}
		if err := c.tellReplay(r, asJSON); err != nil {
			return err
		}
		if asJSON {
			continue
		}
		for n, answer := range r.Answers {
			line, err := json.Marshal(answer)
			if err != nil {
				return err
			}
			c.say("  step %d: %s", n+1, line)
		}
	}
	if failed > 0 {
		return problem.New(problem.Failed, fmt.Sprintf("%d of %d scenarios did not go as they expect", failed, len(files)), "")
	}
	return nil
}
