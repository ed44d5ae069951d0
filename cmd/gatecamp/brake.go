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

// brakeState is everything that there is to tell about the brakes.
type brakeState struct {
	version int64
	limits  audit.Limits
	used    storage.Used
	trips   []storage.Trip
	members int // of the guild at its last complete run; -1: unknown
}

func (s *session) brakes(ctx context.Context) (b brakeState, err error) {
	policy, version, err := s.engine(nil).Policy(ctx, 0)
	if err != nil {
		return b, err
	}
	b.version, b.limits, b.members = version, policy.Limits, -1
	if b.used, err = s.db.Used(ctx, s.guild, s.now().UTC()); err != nil {
		return b, err
	}
	if b.trips, err = s.db.OpenTrips(ctx, s.guild); err != nil {
		return b, err
	}
	runs, err := s.db.Runs(ctx, s.guild, storage.RunFilter{States: []storage.RunState{storage.Succeeded, storage.CompletedWithErrors}, Page: storage.Page{Limit: 20}})
	if err != nil {
		return b, err
	}
	for _, r := range runs {
		var counts reconcile.Counts
		if r.Order.Limit == 0 && len(r.Order.Members) == 0 && json.Unmarshal(r.Counts, &counts) == nil && counts.Members > 0 {
			b.members = counts.Members
			break
		}
	}
	return b, nil
}

// brakeLine is one brake in one window.
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

func (b *brakeState) lines() []brakeLine {
	var lines []brakeLine
	for d, windows := range b.limits {
		for w, brake := range windows {
			if !brake.Set {
				continue
			}
			line := brakeLine{
				Dimension: audit.Dimension(d).String(), Window: audit.Window(w).String(),
				Floor: brake.Floor, Share: brake.BasisPoints, Ceiling: brake.Ceiling, Times: max(1, brake.Times), Used: b.usedOf(audit.Dimension(d), audit.Window(w)),
			}
			if flat := brake.BasisPoints == 0; flat || b.members >= 0 && audit.Dimension(d) != audit.OneRole {
				n := brake.Allows(max(0, b.members))
				line.Allows = &n
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// usedOf is what a window has taken; of one role the most that any role has lost. Nil: the window is one run.
func (b *brakeState) usedOf(d audit.Dimension, w audit.Window) *int {
	var u storage.Use
	switch w {
	case audit.PerRun:
		return nil
	case audit.Live15m:
		u = b.used.Live
	case audit.PerDay:
		u = b.used.Day
	}
	n := 0
	switch d {
	case audit.MembersTouched:
		n = len(u.Members)
	case audit.RolesRemoved:
		n = u.Roles
	case audit.OneRole:
		for _, lost := range u.PerRole {
			n = max(n, lost)
		}
	case audit.Kicks:
		n = u.Kicks
	case audit.PrivilegedRemoved:
		n = u.Privileged
	case audit.BlockKicks:
		n = u.BlockKicks
	}
	return &n
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
		b, err := s.brakes(ctx)
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

func brakeJSON(b brakeState) any {
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
	}{PolicyVersion: b.version, Limits: b.lines(), Trips: []trip{}}
	if b.members >= 0 {
		line.Members = &b.members
	}
	for _, t := range b.trips {
		line.Trips = append(line.Trips, trip{t.Dimension, jsonTime(t.At), t.Plan, t.Run, compact(t.Cause)})
	}
	return line
}

func (s *session) showBrakes(b brakeState) error {
	size := "the guild's size is unknown until a run has seen it whole"
	if b.members >= 0 {
		size = fmt.Sprintf("%d members at the last whole run", b.members)
	}
	s.say("Limits of policy version %d; %s.", b.version, size)
	l := list{columns: []string{"brake", "window", "limit", "allows now", "used"}}
	for _, line := range b.lines() {
		l.add(nil, line.Dimension, windowText(line.Window), line.limit(), amountOf(line.Allows), amountOf(line.Used))
	}
	if err := printTable(s.out, &l); err != nil {
		return err
	}
	s.rolesUsed(b.used.Day.PerRole)
	if len(b.trips) == 0 {
		s.say("\nNo brake has tripped.")
		return nil
	}
	s.say("\nTripped, and holding until somebody resets them:")
	for _, t := range b.trips {
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
	var cause struct {
		Window         string
		Asked, Allowed int
	}
	by := "a live event"
	if t.Run != 0 {
		by = fmt.Sprintf("run %d", t.Run)
	}
	text := fmt.Sprintf("tripped %s EVE time by %s", eveTime(t.At), by)
	if json.Unmarshal(t.Cause, &cause) == nil && cause.Asked > 0 {
		text += fmt.Sprintf(", which asked for %d where %d were allowed (%s)", cause.Asked, cause.Allowed, windowText(cause.Window))
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
