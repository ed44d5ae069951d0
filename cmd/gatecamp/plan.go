package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// plan is the family of stored plans.
func (c *console) plan() *cobra.Command {
	return family("plan", "see what would be changed, and perform exactly that", c.planShow(), c.planApply())
}

func (c *console) planShow() *cobra.Command {
	var form format
	cmd := &cobra.Command{
		Use: "show [DIGEST]", Short: "every change of a plan, what holds it, and what came of it",
		Long: `Shows a stored plan by its digest; without one the newest plan that has any changes. The digest names guild and changes and nothing
else: two runs that want the same have the same plan.`,
		Example: "  gatecamp plan show\n  gatecamp plan show --json | jq .held",
		Args:    cobra.MaximumNArgs(1),
		RunE: c.work(func(ctx context.Context, s *session, args []string) error {
			p, err := s.storedPlan(ctx, args)
			if err != nil {
				return err
			}
			if form.json {
				return printLines(s.out, planLine(p))
			}
			return s.tellStoredPlan(p, form)
		}),
	}
	form.flags(cmd)
	return noted(cmd, noteJSON, "one object: digest, run, held, actions (key, member_id, kind, role_id, held, outcome, code)")
}

// storedPlan finds the plan that the arguments name; without arguments the newest that has actions.
func (s *session) storedPlan(ctx context.Context, args []string) (storage.Plan, error) {
	digest := ""
	if len(args) > 0 {
		if digest = args[0]; len(digest) != 64 || !isIDOrDigest(digest) {
			return storage.Plan{}, problem.New(problem.Usage, "this is no digest: digests are 64 hexadecimal digits", "copy it whole from `gatecamp audit history --json`")
		}
	}
	p, err := s.db.Plan(ctx, s.guild, digest)
	switch {
	case errors.Is(err, storage.ErrNotFound) && digest == "":
		return p, problem.New(problem.Usage, "no run of this guild has planned any change yet", "order one with `gatecamp audit run`")
	case errors.Is(err, storage.ErrNotFound):
		return p, problem.New(problem.Usage, "this guild has no plan "+digest, "copy the digest whole from `gatecamp audit history --json`")
	}
	return p, err
}

// planForm and actionForm are the form of reference/interfaces.md.
type planForm struct {
	Digest  string         `json:"digest"`
	Run     int64          `json:"run"`
	Held    map[string]int `json:"held"`
	Actions []actionForm   `json:"actions"`
}

type actionForm struct {
	Key      string   `json:"key"`
	MemberID string   `json:"member_id"`
	Kind     string   `json:"kind"`
	RoleID   *string  `json:"role_id"`
	Held     []string `json:"held"`
	Outcome  *string  `json:"outcome"`
	Code     *string  `json:"code"`
}

func planLine(p storage.Plan) planForm {
	form := planForm{Digest: p.Digest, Run: p.Run, Held: map[string]int{}, Actions: make([]actionForm, 0, len(p.Actions))}
	for _, a := range p.Actions {
		held := a.Held
		if held == nil {
			held = []string{}
		}
		for _, code := range held {
			form.Held[code]++
		}
		form.Actions = append(form.Actions, actionForm{a.Key, a.Member.String(), a.Kind, orNullID(a.Role), held, orNull(a.Outcome), orNull(a.Code)})
	}
	return form
}

func (s *session) tellStoredPlan(p storage.Plan, form format) error {
	l := &list{columns: []string{"member_id", "kind", "role_id", "held", "outcome", "code"}, empty: "It changes nothing."}
	held := planLine(p).Held
	var codes []string
	for _, a := range p.Actions {
		codes = append(codes, a.Code)
		role := "-"
		if a.Role != 0 {
			role = a.Role.String()
		}
		l.add(nil, a.Member.String(), a.Kind, role, dash(joinWords(a.Held)), dash(a.Outcome), dash(a.Code))
	}
	if form.csv {
		return form.print(s.out, l)
	}
	s.say("Plan %s", p.Digest)
	s.say("  made by run %d on %s EVE time; %s", p.Run, eveTime(p.Made), p.State)
	s.say("  %s", count(len(p.Actions), "change", "changes"))
	for _, code := range sortedKeys(held) {
		s.say("  %6d held by %s", held[code], holdWords(code))
	}
	s.say("")
	if err := form.print(s.out, l); err != nil {
		return err
	}
	lines, err := legend(codes)
	for i, line := range lines {
		if i == 0 {
			s.say("")
		}
		s.say("%s", line)
	}
	return err
}

func (c *console) planApply() *cobra.Command {
	var reason string
	var once bool
	cmd := &cobra.Command{
		Use: "apply DIGEST", Short: "perform exactly this plan, each change only if it is still right",
		Long: `Performs a stored plan by its digest: nothing that is not in it, and of it only what is still right when the member is looked at again.
Lock, pause, the health of Auth and every brake still count.

--once lets this one plan pass every brake, once; it never passes a gate. It is the way for a change that is meant to be big.`,
		Example: `  gatecamp plan apply 9f2c… --reason "corporation left, agreed with Vex"`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.connected(cmd.Context()) {
			return c.planApplyLive(cmd, args, once, reason)
		}
		return c.change("plan apply", func(ctx context.Context, s *session, args []string) error {
			if _, _, err := s.mayApply(ctx, args, reason); err != nil {
				return err
			}
			return needsLive("performing a plan", "see what it holds with `gatecamp plan show`")
		})(cmd, args)
	}
	cmd.Flags().BoolVar(&once, "once", false, "let this one plan pass every brake, once")
	reasonFlag(cmd, &reason)
	return noted(cmd, noteExits, "3 refused: no bot token is set, another process acts, the lock is on, or paused")
}

// mayApply finds the plan and refuses one that cannot be performed, whatever is in it.
func (s *session) mayApply(ctx context.Context, args []string, reason string) (p storage.Plan, by storage.Author, err error) {
	if p, err = s.storedPlan(ctx, args); err != nil {
		return p, by, err
	}
	if by, err = s.author(reason); err != nil {
		return p, by, err
	}
	made, err := s.run(ctx, p.Run)
	if err != nil {
		return p, by, err
	}
	if made.Order.Kind == reconcile.KindSnapshot {
		return p, by, refuse("snapshot_never_acts", fmt.Sprintf("run %d made this plan from a file, and a file is never acted on; nothing was changed", made.ID),
			"order a run on the guild itself")
	}
	return p, by, s.mayAct(ctx, runOrder{yes: true})
}
