package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
)

func (c *console) thresholdShow() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "show", Short: "list the figures, and which of them were set",
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		t, err := s.engine(nil).Thresholds(ctx)
		if err != nil {
			return err
		}
		defaults := audit.DefaultThresholds().All()
		l := list{columns: []string{"name", "value", "default", "unit", "meaning"}}
		for i, x := range t.All() {
			d := defaults[i].Value
			l.add(struct {
				Name    string `json:"name"`
				Value   int64  `json:"value"`
				Default int64  `json:"default"`
				Unit    string `json:"unit"`
			}{x.Name, x.Value, d, x.Unit.String()},
				x.Name, strconv.FormatInt(x.Value, 10), strconv.FormatInt(d, 10), x.Unit.String(), thresholdText(x))
		}
		return f.print(s.out, &l)
	})
	f.flags(cmd)
	return noted(cmd, noteJSON, `one line a figure: {"name", "value", "default", "unit"}`)
}

// thresholdText says what a figure does.
func thresholdText(t audit.Threshold) string {
	f, ok := audit.ParseFact(t.Name)
	switch {
	case !ok:
		return "may go or change whatever share it is"
	case f == audit.Demoted:
		return "share of the links that may newly be in the lowest state"
	case t.Unit == audit.Rows:
		return "may be more than normal"
	case f.Ceiling():
		return "the most that is believed"
	case f == audit.GuildOverlap:
		return "the least share of linked accounts that are in the guild"
	}
	return "share that may be missing"
}

func (c *console) thresholdSet() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "set NAME VALUE", Short: "set one of the figures; VALUE default takes the built-in one",
		Long:    "Shares are in basis points: 2000 is 20%. Ages are in seconds. `gatecamp source threshold show` lists the names.",
		Example: "  gatecamp source threshold set mains 1000 --reason \"many sold their characters\"\n  gatecamp source threshold set beat_age default --reason \"Auth's scheduler runs again\"",
		Args:    cobra.ExactArgs(2),
	}
	cmd.RunE = c.change("source threshold set", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		name := args[0]
		before, err := s.engine(nil).Thresholds(ctx)
		if err != nil {
			return err
		}
		was, fallback, err := figures(before, name)
		if err != nil {
			return err
		}
		value := fallback
		if args[1] != "default" {
			if value, err = strconv.ParseInt(args[1], 10, 64); err != nil {
				return problem.New(problem.Usage, fmt.Sprintf("%q is no whole number; nothing was changed", args[1]), "give one such as 2000, or default")
			}
		}
		if _, err := before.With(name, value); err != nil {
			return problem.New(problem.Usage, err.Error()+"; nothing was changed", "")
		}
		if value == was {
			s.say("%s is %d already; nothing was changed.", name, value)
			return nil
		}
		if err := s.db.SetSetting(ctx, s.guild, reconcile.HealthSetting+name, strconv.FormatInt(value, 10), by); err != nil {
			return err
		}
		s.say("%s is %d now (it was %d, the default is %d). The next look at Auth goes by it.", name, value, was, fallback)
		return nil
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// figures are the value of a threshold and its default.
func figures(t audit.Thresholds, name string) (value, fallback int64, err error) {
	var names []string
	defaults := audit.DefaultThresholds().All()
	for i, x := range t.All() {
		if x.Name == name {
			return x.Value, defaults[i].Value, nil
		}
		names = append(names, x.Name)
	}
	return 0, 0, knownName("there is no threshold "+quoted(name), name, names)
}
