package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// runOrder is what `audit run` was asked for.
type runOrder struct {
	action, member, snapshot string
	limit                    int
	yes, json                bool
}

// acts is the run's own action if it changes Discord. With --yes and without --action the policy decides, and may act too.
func (o *runOrder) acts() bool {
	return o.action == audit.Strip.String() || o.action == audit.StripKick.String() || o.yes && o.action == "" && o.snapshot == ""
}

var actions = []string{audit.Report.String(), audit.Strip.String(), audit.StripKick.String()}

func (c *console) auditRun() *cobra.Command {
	var o runOrder
	cmd := &cobra.Command{
		Use: "run", Short: "look at the guild and say what is wrong; change nothing unless told to",
		Long: `Looks at every member of the guild, compares their roles with what Auth says, and stores what is wrong (findings) and what the policy
would do about it (a plan). Without --yes nothing is changed in Discord, whatever the policy says.

  --action report      look only; the policy's own actions are left out of the plan
  --action strip       take the managed roles that Auth does not give, also where the policy would only report
  --action strip_kick  and kick those who have no business here

An acting run needs --yes and a first report that somebody acknowledged (gatecamp audit acknowledge). Milder entries of the policy
for groups and states, protections, grace, the health of Auth and every brake still count.

A run on a snapshot file takes the guild from the file; it never acts and never releases the lock.`,
		Example: `  gatecamp audit run --snapshot guild.json
  gatecamp audit run --snapshot guild.json --member 735000000000000000
  gatecamp audit run --action strip --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return c.auditRunNow(cmd, args, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.action, "action", "", "the run's own `ACTION`, in place of the policy's defaults: report, strip or strip_kick")
	flags.IntVar(&o.limit, "limit", 0, "look only at the first `N` members by id; closes no finding")
	flags.StringVar(&o.member, "member", "", "only this member, by Discord `ID`")
	flags.BoolVar(&o.yes, "yes", false, "yes, change Discord")
	flags.BoolVar(&o.json, "json", false, `print one JSON object: {"run","state","digest","held"}`)
	fileFlag(cmd, &o.snapshot)
	cmd.MarkFlagsMutuallyExclusive("limit", "member")
	noted(cmd, noteExits, "3 refused: no bot token is set, another process acts, --yes is missing, the lock is on, paused, or no run is left today; 4 Auth or the roster is not to be believed, or a brake held an acting run")
	complete(cmd, "action", actions...)
	return cmd
}

func (o *runOrder) check() error {
	if o.action != "" && !slices.Contains(actions, o.action) {
		return problem.Usagef("--action: %q is none; give report, strip or strip_kick", o.action)
	}
	if o.limit < 0 {
		return problem.Usagef("--limit: %d is less than nothing; give a whole number from 1", o.limit)
	}
	return nil
}

const auditRunCommand = "audit run"

func (c *console) auditRunNow(cmd *cobra.Command, args []string, o runOrder) (err error) {
	ctx := cmd.Context()
	if cmd.Flags().Changed("limit") && o.limit == 0 {
		return problem.Usagef("--limit: 0 members are nothing to look at; give a whole number from 1")
	}
	var only []snowflake.ID
	if o.member != "" {
		id, err := parseID("--member", o.member)
		if err != nil {
			return err
		}
		only = []snowflake.ID{id}
	}
	if o.snapshot == "" && c.connected(ctx) {
		return c.auditRunLive(cmd, args, o, only)
	}
	if o.snapshot == "" {
		return c.change(auditRunCommand, func(ctx context.Context, s *session, _ []string) error {
			if err := s.mayAct(ctx, o); err != nil {
				return err
			}
			return needsLive("a run on the guild itself", "look at a picture of it with `gatecamp audit run --snapshot FILE`")
		})(cmd, args)
	}
	f, done, err := c.onFile(ctx, o.snapshot)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	v := f.invocation(auditRunCommand, redactArgs(cmd, args))
	if o.acts() {
		return f.noteRefusal(ctx, v, refuse("snapshot_never_acts", fmt.Sprintf("a run on a snapshot never acts, so --action %s was refused; nothing was looked at or changed", o.action),
			"leave --action out: the plan then says what the policy would do"))
	}
	v, err = f.admit(ctx, v)
	if err != nil {
		return err
	}
	run, err := f.engine.Order(ctx, storage.Order{
		Kind: reconcile.KindSnapshot, Mode: o.action, Limit: o.limit, Members: only, Actor: f.actor(), Origin: "console",
		Deadline: f.now().Add(f.cfg.RunDeadline),
	})
	if err != nil {
		return err
	}
	if err := f.db.StartedRun(ctx, v.ID, run.ID); err != nil {
		return err
	}
	return f.sweep(ctx, run, o.json)
}

// mayAct refuses an acting run that nobody confirmed, or that the lock or a pause would hold whole.
func (s *session) mayAct(ctx context.Context, o runOrder) error {
	if !o.acts() {
		return nil
	}
	if !o.yes {
		return refuse("confirmation_missing", fmt.Sprintf("--action %s changes Discord and was not confirmed; nothing was changed", o.action),
			"look first with `gatecamp audit run`, then add --yes")
	}
	shut, err := s.engine(nil).Obstacle(ctx)
	if err != nil {
		return err
	}
	switch shut.Gate {
	case audit.Lock:
		return refuse(shut.Code(), "nobody has acknowledged a first report for this guild, so nothing may be changed yet; nothing was changed",
			"order a report with `gatecamp audit run`, read it, and acknowledge it with `gatecamp audit acknowledge RUN --reason TEXT`")
	case audit.Pause:
		return refuse(shut.Code(), fmt.Sprintf("%s paused this guild on %s (%s); nothing was changed", shut.Pause.Actor, eveTime(shut.Pause.At), visible(shut.Pause.Reason)),
			"end the pause with `gatecamp unpause --reason TEXT`")
	case audit.DryRun, audit.Roster, audit.NothingWanted, audit.Outage, audit.Contained, audit.Fight:
	}
	return nil
}

// admit takes one run from the user's allowance.
func (s *session) admit(ctx context.Context, v storage.Invocation) (storage.Invocation, error) {
	v, err := s.db.Admit(ctx, v, s.cfg.RunsPerUser)
	if a, spent := errors.AsType[*storage.AllowanceError](err); spent {
		return v, problem.New(problem.Refused,
			fmt.Sprintf("%s has ordered %s in 24 hours, and %d are allowed; nothing was looked at", v.User, count(a.Used, "run", "runs"), a.Max),
			fmt.Sprintf("the next is free at %s EVE time (in %s); GATECAMP_RUNS_PER_USER sets how many", eveTime(a.FreeAt), a.FreeAt.Sub(s.now()).Round(time.Minute))).Because(err)
	}
	return v, err
}

// sweep works on a run and prints what came of it.
func (f *filed) sweep(ctx context.Context, run storage.Run, asJSON bool) error {
	r, err := f.engine.Sweep(ctx, run, f.guilds, f.writer)
	if r == nil {
		return err
	}
	f.announce(ctx, r)
	return f.tellEnd(r, err, asJSON)
}

// tellEnd prints what came of a run. The one JSON object is printed whatever came of it.
func (f *filed) tellEnd(r *reconcile.Report, err error, asJSON bool) error {
	if asJSON {
		err = errors.Join(err, printLines(f.out, runLine{r.Run.ID, r.Run.State.String(), orNull(r.Run.Digest), heldCounts(r.Counts.Summary.Held)}))
	} else if r.Look != nil && err == nil {
		f.tellRun(r)
	}
	if err != nil {
		return f.explainEnd(r, err)
	}
	return verdictOf(r)
}

// runLine is the form of reference/interfaces.md.
type runLine struct {
	Run    int64          `json:"run"`
	State  string         `json:"state"`
	Digest *string        `json:"digest"`
	Held   map[string]int `json:"held"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func heldCounts(held map[string]int) map[string]int {
	if held == nil {
		return map[string]int{}
	}
	return held
}

// explainEnd says how to go on with a run that did not get to its end.
func (f *filed) explainEnd(r *reconcile.Report, err error) error {
	if r.Run.State == storage.Interrupted {
		fmt.Fprintf(f.err, "gatecamp: run %d was interrupted; what it found so far is saved. Go on with `gatecamp audit resume %d%s`\n", r.Run.ID, r.Run.ID, f.flag())
	}
	return err
}

// flag is what a later command about the same guild has to say.
func (f *filed) flag() string {
	if f.live {
		return ""
	}
	return " --snapshot " + f.file.Name
}

// verdictOf is the exit of a run that got to its end.
func verdictOf(r *reconcile.Report) error {
	switch {
	case r.Look.Verdict.Health != audit.Healthy:
		return problem.New(problem.Held, fmt.Sprintf("run %d: Auth is %s, so nothing would be changed on the strength of it", r.Run.ID, r.Look.Verdict.Health),
			"see what is wrong with `gatecamp source show`")
	case !r.Look.Picture.Complete:
		return problem.New(problem.Held, fmt.Sprintf("run %d: the picture does not show every member of the guild, so nothing would be changed and no finding was closed", r.Run.ID),
			"see which process or outage keeps Discord from showing them, or take a new picture of the whole guild")
	case r.Run.State == storage.CompletedWithErrors:
		return problem.New(problem.Failed, fmt.Sprintf("run %d completed with errors", r.Run.ID), fmt.Sprintf("see `gatecamp plan show %s`", r.Run.Digest))
	case !r.Run.Order.DryRun && len(r.Plan.Holds) > 0:
		return problem.New(problem.Held, fmt.Sprintf("run %d: a brake held what the policy asked for", r.Run.ID), "see it with `gatecamp brake show`")
	}
	return nil
}

// complete lets the shell fill in a flag's values.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // a flag that does not exist: a bug
	}
}
