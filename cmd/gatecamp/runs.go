package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) auditHistory() *cobra.Command {
	var form format
	var limit int
	cmd := &cobra.Command{
		Use: "history", Short: "the runs of this guild, newest first",
		Long:    "Lists the runs: when, of which kind, how they ended, and what they counted.",
		Example: "  gatecamp audit history\n  gatecamp audit history --json | jq 'select(.state == \"interrupted\").run'",
		RunE: c.work(func(ctx context.Context, s *session, _ []string) error {
			if limit < 1 {
				return problem.Usagef("--limit: %d is no number of runs; give a whole number from 1", limit)
			}
			runs, err := s.db.Runs(ctx, s.guild, storage.RunFilter{Page: storage.Page{Limit: limit}})
			if err != nil {
				return err
			}
			l := &list{
				columns: []string{"run", "kind", "action", "state", "started", "ended", "members", "findings", "planned", "held", "by", "error"},
				empty:   "There has been no run yet. Begin with `gatecamp audit run`.",
			}
			for _, r := range runs {
				if err := addRun(l, r); err != nil {
					return err
				}
			}
			return form.print(s.out, l)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many, `N`")
	form.flags(cmd)
	return noted(cmd, noteJSON, "one line each, newest first: run, kind, state, started, ended, digest, counts, held")
}

func addRun(l *list, r storage.Run) error {
	line, counts, err := reconcile.RunLineOf(r)
	if err != nil {
		return err
	}
	l.add(line, strconv.FormatInt(r.ID, 10), r.Order.Kind, orderWords(r.Order), r.State.String(), eveTime(r.Started), eveTime(r.Ended),
		strconv.Itoa(counts.Members), strconv.Itoa(counts.Open()), strconv.Itoa(counts.PlannedActions()), strconv.Itoa(counts.HeldActions()), r.Order.Actor, dash(r.Error))
	return nil
}

// orderWords is a run's own action.
func orderWords(o storage.Order) string {
	words := "policy"
	if o.Mode != "" {
		words = o.Mode
	}
	if o.DryRun {
		words += " (looks only)"
	}
	return words
}

func (c *console) auditResume() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "resume RUN", Short: "go on with an interrupted run, exactly as it was ordered",
		Long: `Takes up a run that was interrupted, or whose process died, and does what was ordered then: the same action, the overrides and the
policy of that time, and the plan that was stored, if there was one. Whether each change is still right is asked again before it.
A run on a snapshot needs its file again.`,
		Example: "  gatecamp audit resume 12 --snapshot guild.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			id, err := parseNumber("run", args[0])
			if err != nil {
				return err
			}
			if path == "" && c.connected(cmd.Context()) {
				return c.resumeLive(cmd, args, id, asJSON)
			}
			if path == "" {
				return c.change("audit resume", func(ctx context.Context, s *session, _ []string) error {
					if _, err := s.resumable(ctx, id); err != nil {
						return err
					}
					return needsLive(fmt.Sprintf("going on with run %d", id), "give it up with `gatecamp audit abandon`, or leave it for the process that is connected")
				})(cmd, args)
			}
			f, done, err := c.onFile(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			return f.resume(cmd, args, id, asJSON)
		},
	}
	fileFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, `print one JSON object: {"run","state","digest","held"}`)
	return cmd
}

func (f *filed) resume(cmd *cobra.Command, args []string, id int64, asJSON bool) error {
	ctx := cmd.Context()
	v := f.invocation("audit resume", redactArgs(cmd, args))
	run, err := f.engine.TakeOver(ctx, id)
	if err == nil && run.Order.Kind != reconcile.KindSnapshot {
		err = needsLive(fmt.Sprintf("going on with run %d, which looks at the guild itself,", id), "leave --snapshot out; a file cannot stand in for the guild")
	}
	if problem.KindOf(err) == problem.Refused && err != nil {
		return f.noteRefusal(ctx, v, err)
	}
	if err != nil {
		return err
	}
	v.Accepted, v.Run = true, id
	if _, err := f.db.Accept(ctx, v); err != nil {
		return err
	}
	return f.sweep(ctx, run, asJSON)
}

// ending is how a person ends a run.
type ending struct {
	use, short, long, done string
	to                     storage.RunState
}

func (c *console) auditAbandon() *cobra.Command {
	return c.end(ending{
		use: "abandon", short: "give an interrupted run up for good", done: "given up", to: storage.Abandoned,
		long: "Gives a run up that was interrupted or whose process died: it will not be resumed. What it did is kept. If it is at work after all, it stops before its next change.",
	})
}

func (c *console) auditCancel() *cobra.Command {
	return c.end(ending{
		use: "cancel", short: "stop a run that waits or works", done: "cancelled", to: storage.Cancelled,
		long: "Stops a run. If it is at work, it stops before its next change; the one change that is under way is finished and recorded.",
	})
}

func (c *console) end(e ending) *cobra.Command {
	return &cobra.Command{
		Use: e.use + " RUN", Short: e.short, Long: e.long, Example: "  gatecamp audit " + e.use + " 12", Args: cobra.ExactArgs(1),
		RunE: c.change("audit "+e.use, func(ctx context.Context, s *session, args []string) error {
			id, err := parseNumber("run", args[0])
			if err != nil {
				return err
			}
			before, err := s.run(ctx, id)
			if err != nil {
				return err
			}
			run, err := s.engine(nil).EndRun(ctx, id, e.to, "by_"+e.use)
			switch {
			case errors.Is(err, storage.ErrConflict):
				return problem.New(problem.Usage, fmt.Sprintf("run %d has ended already (%s); nothing was changed", id, stateWords(run.State)), "see `gatecamp audit history`")
			case err != nil:
				return err
			case before.State == e.to:
				s.say("Run %d was %s already.", id, e.done)
			default:
				s.say("Run %d is %s. What it did before is kept: see `gatecamp trail list --run %d`.", id, e.done, id)
			}
			return nil
		}),
	}
}

// run reads a run of the session's guild.
func (s *session) run(ctx context.Context, id int64) (storage.Run, error) {
	run, err := s.db.Run(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && run.Guild != s.guild {
		return run, problem.New(problem.Usage, fmt.Sprintf("there is no run %d in this guild", id), "see `gatecamp audit history`")
	}
	return run, err
}

func (c *console) auditAcknowledge() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "acknowledge RUN", Short: "release the first-run lock, on the strength of a report that you read",
		Long: `Until somebody has read a first report and acknowledged it, gatecamp changes nothing in this guild. The run must have seen the whole
guild itself (not a file, not a part), with a healthy Auth, and be younger than 24 hours.

The lock comes back by itself on another guild, another Auth or another bot user, and for kinds of change that the policy of that run
did not contain.`,
		Example: `  gatecamp audit acknowledge 12 --reason "read all 25 strangers, they are right"`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("audit acknowledge", func(ctx context.Context, s *session, args []string) error {
		id, err := parseNumber("run", args[0])
		if err != nil {
			return err
		}
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		ack, err := s.engine(nil).Acknowledge(ctx, id, by)
		if err != nil {
			return err
		}
		run, err := s.run(ctx, id)
		if err != nil {
			return err
		}
		return s.tellAcknowledgement(ack, run)
	})
	reasonFlag(cmd, &reason)
	return noted(cmd, noteExits, "3 refused: the run is none that can release the lock")
}

func (s *session) tellAcknowledgement(ack storage.Acknowledgement, run storage.Run) error {
	var counts reconcile.Counts
	if len(run.Counts) > 0 {
		if err := json.Unmarshal(run.Counts, &counts); err != nil {
			return err
		}
	}
	s.say("The lock of guild %d is released, on the strength of run %d.", ack.Guild, ack.Run)
	if kinds := slices.DeleteFunc(slices.Clone(ack.Kinds), func(k string) bool { return k == "" }); len(kinds) > 0 {
		s.say("Kinds of change that the policy contained: %s. For others the lock stays on.", joinWords(kinds))
	} else {
		s.say("The policy of that run only reported, so for strips and kicks the lock stays on until a run under a stricter policy is acknowledged.")
	}
	if counts.Unbound > 0 {
		s.say("%s by name alone: until they are bound, nobody loses them (gatecamp bind propose).", count(counts.Unbound, "role counts as managed", "roles count as managed"))
	}
	return nil
}
