package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/config"
	"gatecamp/internal/problem"
)

// console is the person at the terminal and what surrounds the program. Commands are methods on it, one file each.
type console struct {
	env      config.Environment
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	user     string // of the operating system

	guild string // --guild
}

// actor is how the record names who sits at the console.
func (c *console) actor() string { return "console:" + c.user }

const about = `gatecamp compares the roles that the members of a Discord guild really hold with what Alliance Auth says,
explains every verdict, and reports, strips or removes under brakes that hold.

It starts harmless: until somebody has looked at a first report and acknowledged it, nothing is ever changed.

Start with:   gatecamp demo                 see it work, without servers or accounts
              gatecamp config check         what is set, what is missing, how to mend it
              gatecamp audit run            look at the guild, change nothing
              gatecamp audit explain ID     why one member got the verdict they got

Exit codes:   0 done   1 failed, or completed with errors   2 wrong arguments, configuration or file
              3 refused: right, lock, pause or allowance    4 held by a brake or the health of a source
              130, 143 stopped by a signal; what was done is saved`

// newRoot puts the commands together.
func newRoot(c *console) *cobra.Command {
	root := &cobra.Command{
		Use: "gatecamp", SuggestionsMinimumDistance: 2, Short: "keeps an EVE Online alliance's Discord guild honest", Long: about,
		SilenceUsage: true, SilenceErrors: true, Args: cobra.ArbitraryArgs, RunE: helpOrUnknown,
	}
	root.PersistentFlags().StringVar(&c.guild, "guild", "", "Discord `ID` of the guild; needed only where several are configured")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	for _, cmd := range c.commands() {
		root.AddCommand(cmd)
	}
	checkArgs(root)
	return root
}

// family is a command that only holds others: called alone it shows its help, and a misspelt one is an error.
func family(use, short string, commands ...*cobra.Command) *cobra.Command {
	f := &cobra.Command{Use: use, SuggestionsMinimumDistance: 2, Short: short, Args: cobra.ArbitraryArgs, RunE: helpOrUnknown}
	f.AddCommand(commands...)
	return f
}

// helpOrUnknown is what a command that only holds others does: help, or a complaint that says which command was probably meant.
func helpOrUnknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	cure := "see `" + cmd.CommandPath() + " --help`"
	if known := cmd.SuggestionsFor(args[0]); len(known) > 0 {
		cure = "did you mean `" + cmd.CommandPath() + " " + known[0] + "`? S" + cure[1:]
	}
	return &usageError{fmt.Errorf("%s has no command %q; %s", cmd.CommandPath(), args[0], cure)}
}

// checkArgs makes every complaint about arguments and flags a usage error, with the place where help is.
func checkArgs(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		checkArgs(sub)
	}
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w; usage: %s", err, cmd.UseLine())}
		}
		if err := cmd.ValidateFlagGroups(); err != nil {
			return &usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
		}
		return nil
	}
}

// config reads the settings; what is wrong is said all at once.
func (c *console) config(ctx context.Context, needs ...config.Need) (config.Config, error) {
	return config.Load(ctx, c.env, needs...)
}

// describe is an error as the console prints it: for a problem the words for people, else the whole chain; several one a line.
func describe(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, e := range joined.Unwrap() {
			lines = append(lines, describe(e))
		}
		return strings.Join(lines, "\n          ")
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Error()
	}
	return err.Error()
}
