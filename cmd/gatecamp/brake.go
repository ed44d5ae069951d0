package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) brakeCommands() *cobra.Command {
	return family("brake", "what stops gatecamp from doing too much at once", c.brakeShow(), c.brakeReset())
}

// brakeLine is one brake in one window, for programs.
type brakeLine struct {
	Dimension string `json:"dimension"`
	Window    string `json:"window"`
	Floor     int    `json:"floor"`
	Share     int    `json:"share"` // basis points
	Ceiling   int    `json:"ceiling"`
	Times     int    `json:"times"`
	Allows    *int   `json:"allows"` // null: the size of the guild, or of the role, is unknown
	Used      *int   `json:"used"`   // null: each run begins anew
}

func brakeLines(b *reconcile.BrakeState) []brakeLine {
	var lines []brakeLine
	for _, l := range b.Lines() {
		lines = append(lines, brakeLine{
			Dimension: l.Dimension.String(), Window: l.Window.String(), Floor: l.Brake.Floor, Share: l.Brake.BasisPoints, Ceiling: l.Brake.Ceiling,
			Times: max(1, l.Brake.Times), Allows: l.Allows, Used: l.Used,
		})
	}
	return lines
}

func (l brakeLine) limit() string {
	text := fmt.Sprintf("%d", l.Ceiling)
	if l.Share > 0 || l.Floor != l.Ceiling {
		text = fmt.Sprintf("%d or %s, at most %d", l.Floor, amount(int64(l.Share), audit.BasisPoints), l.Ceiling)
	}
	if l.Times > 1 {
		text = fmt.Sprintf("%d × (%s)", l.Times, text)
	}
	return text
}

func (c *console) brakeShow() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "show", Short: "the limits in force, what has been used of them, and what tripped",
		Long: `A plan that is over a brake does nothing in that dimension; it is never cut to fit. A brake that tripped holds until somebody resets it
with ` + "`gatecamp brake reset`" + `, or lets one plan through with ` + "`gatecamp plan apply DIGEST --once`" + `. The limits are part of the policy.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		b, err := s.engine(nil).Brakes(ctx)
		if err != nil {
			return err
		}
		if f.json {
			return printLines(s.out, brakeJSON(b))
		}
		return s.showBrakes(b)
	})
	f.jsonFlag(cmd)
	return noted(cmd, noteJSON, `{"policy_version", "members": n|null, "limits": [{"dimension", "window": "run"|"live_15m"|"day", "floor", "share": basis points, "ceiling", "times", "allows": n|null, "used": n|null}], "trips": [{"dimension", "since", "plan", "run", "cause": {"window", "asked", "allowed"}}]}`)
}

func brakeJSON(b reconcile.BrakeState) any {
	type trip struct {
		Dimension string          `json:"dimension"`
		Since     any             `json:"since"`
		Plan      string          `json:"plan"`
		Run       int64           `json:"run,omitempty"`
		Cause     json.RawMessage `json:"cause"`
	}
	line := struct {
		PolicyVersion int64       `json:"policy_version"`
		Members       *int        `json:"members"`
		Limits        []brakeLine `json:"limits"`
		Trips         []trip      `json:"trips"`
	}{PolicyVersion: b.Version, Limits: brakeLines(&b), Trips: []trip{}}
	if b.Members >= 0 {
		line.Members = &b.Members
	}
	for _, t := range b.Trips {
		line.Trips = append(line.Trips, trip{t.Dimension, reconcile.LineTime(t.At), t.Plan, t.Run, compact(t.Cause)})
	}
	return line
}

func (s *session) showBrakes(b reconcile.BrakeState) error {
	size := "the guild's size is unknown until a run has seen it whole"
	if b.Members >= 0 {
		size = fmt.Sprintf("%d members at the last whole run", b.Members)
	}
	s.say("Limits of policy version %d; %s.", b.Version, size)
	l := list{columns: []string{"brake", "window", "limit", "allows now", "used"}}
	for _, line := range brakeLines(&b) {
		l.add(nil, line.Dimension, windowText(line.Window), line.limit(), amountOf(line.Allows), amountOf(line.Used))
	}
	if err := printTable(s.out, &l); err != nil {
		return err
	}
	s.rolesUsed(b.Used.Day.PerRole)
	if len(b.Trips) == 0 {
		s.say("\nNo brake has tripped.")
		return nil
	}
	s.say("\nTripped, and holding until somebody resets them:")
	for _, t := range b.Trips {
		s.say("  %s: %s", t.Dimension, tripText(t))
	}
	return nil
}

func windowText(w string) string {
	return map[string]string{audit.PerRun.String(): "one run", audit.Live15m.String(): "15 minutes, live", audit.PerDay.String(): "24 hours"}[w]
}

func amountOf(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// rolesUsed names the roles that lost holders in the last 24 hours.
func (s *session) rolesUsed(lost map[snowflake.ID]int) {
	for _, role := range slices.Sorted(maps.Keys(lost)) {
		s.say("  role %d has lost %d of its holders in 24 hours", role, lost[role])
	}
}

// tripText says what tripped a brake and when.
func tripText(t storage.Trip) string {
	by := "a live event"
	if t.Run != 0 {
		by = fmt.Sprintf("run %d", t.Run)
	}
	text := fmt.Sprintf("tripped %s EVE time by %s", eveTime(t.At), by)
	if cause, known := reconcile.CauseOf(t); known {
		text += fmt.Sprintf(", which asked for %d where %d were allowed (%s)", cause.Asked, cause.Allowed, windowText(cause.Window.String()))
	}
	return text + ", plan " + t.Plan
}

func (c *console) brakeReset() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "reset DIMENSION", Short: "let a brake that tripped go again",
		Long: `DIMENSION is what ` + "`gatecamp brake show`" + ` names: members, roles_removed, one_role:ROLE, kicks, privileged or block_kicks. Look at the plan that tripped it
first: after the reset the same plan trips it again, unless the limit was changed or the plan has become smaller.`,
		Example: "  gatecamp brake reset kicks --reason \"the three were spies, looked at each\"",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("brake reset", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		if _, err := reconcile.ParseBrake(args[0]); err != nil {
			return err
		}
		t, err := s.db.ResetTrip(ctx, s.guild, args[0], by)
		if errors.Is(err, storage.ErrNotFound) {
			return problem.New(problem.Usage, fmt.Sprintf("the brake %s has not tripped; nothing was changed", args[0]), "see `gatecamp brake show`").Because(err)
		}
		if err != nil {
			return err
		}
		s.say("The brake %s holds no longer (%s).", t.Dimension, strings.TrimSuffix(tripText(t), ", plan "+t.Plan))
		return nil
	})
	reasonFlag(cmd, &reason)
	return cmd
}
