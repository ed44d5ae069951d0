package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

func (c *console) auditExplain() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "explain MEMBER", Short: "why one member gets the verdict they get, with every layer that was looked at",
		Long: `Says what gatecamp concludes about one member and why: which facts it went by and how old they are, every layer of the rules that it
looked at in their order, what would happen now, what holds it, and what would change it. It is the engine that acts which answers, so
what is said here is what would be done.`,
		Example: `  gatecamp audit explain 735000000000000000 --snapshot guild.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			id, err := parseID("member", args[0])
			if err != nil {
				return err
			}
			if path == "" && !c.connected(cmd.Context()) {
				return c.refuseLive(cmd, args, "audit explain", "explaining a member of the guild itself", "name a picture of it: `gatecamp audit explain MEMBER --snapshot FILE`")
			}
			f, done, err := c.guildAt(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			picture, err := f.guilds.Picture(cmd.Context())
			if err != nil {
				return err
			}
			x, err := f.engine.Explain(cmd.Context(), picture, id)
			if err != nil {
				return err
			}
			if asJSON {
				return printLines(c.out, explanationLine(x))
			}
			return f.tellExplanation(cmd, x)
		},
	}
	fileFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return noted(cmd, noteJSON, "one object: member_id, category, action, layer, reasons, steps, roles by what happens to them, kick, ban, actions with what holds them, facts with their times")
}

// refuseLive is a command that needs the guild itself: refused, and recorded as refused.
func (c *console) refuseLive(cmd *cobra.Command, args []string, command, what, instead string) error {
	return c.change(command, func(context.Context, *session, []string) error { return needsLive(what, instead) })(cmd, args)
}

type explainedStep struct {
	Layer   string `json:"layer"`
	Applies bool   `json:"applies"`
}

type explainedAction struct {
	Kind   string   `json:"kind"`
	RoleID *string  `json:"role_id"`
	Held   []string `json:"held"`
}

type explained struct {
	MemberID string              `json:"member_id"`
	Category string              `json:"category"`
	Action   string              `json:"action"`
	Layer    string              `json:"layer"`
	Reasons  []string            `json:"reasons"`
	Steps    []explainedStep     `json:"steps"`
	Roles    map[string][]string `json:"roles"`
	Kick     bool                `json:"kick"`
	Ban      bool                `json:"ban"`
	Alerts   []string            `json:"alerts"`
	Actions  []explainedAction   `json:"actions"`
	Facts    explainedFacts      `json:"facts"`
}

type explainedFacts struct {
	AuthHealth    string `json:"auth_health"`
	AuthReadAt    any    `json:"auth_read_at"`
	PictureAt     any    `json:"picture_at"`
	Live          bool   `json:"live"`
	JoinedAt      any    `json:"joined_at"`
	OpenSince     any    `json:"open_since"`
	PolicyVersion int64  `json:"policy_version"`
}

func explanationLine(x *reconcile.Explanation) explained {
	d, s := &x.Decision, x.Look.Scene
	line := explained{
		MemberID: d.Member.String(), Category: d.Category.String(), Action: d.Act.String(), Layer: d.LayerCode(), Reasons: d.Reasons.Codes(),
		Kick: d.Kick, Ban: d.Ban, Alerts: []string{}, Actions: []explainedAction{}, Steps: []explainedStep{},
		Roles: map[string][]string{
			"held": idsText(s.RoleIDs(d.Held)), "remove": idsText(s.RoleIDs(d.Remove)), "unreachable": idsText(s.RoleIDs(d.Unreachable)),
			"surplus": idsText(s.RoleIDs(d.Surplus)), "missing": append(idsText(s.RoleIDs(d.Missing)), d.Absent...),
		},
		Facts: explainedFacts{
			AuthHealth: x.Look.Verdict.Health.String(), AuthReadAt: reconcile.LineTime(x.Look.At), PictureAt: reconcile.LineTime(x.Look.Picture.At), Live: x.Look.Picture.Live,
			JoinedAt: reconcile.LineTime(joined(x.Member)), OpenSince: reconcile.LineTime(openSince(x)), PolicyVersion: x.Look.PolicyVersion,
		},
	}
	for _, step := range x.Steps {
		line.Steps = append(line.Steps, explainedStep{step.Layer.String(), step.Applies})
	}
	for _, a := range d.Alerts() {
		line.Alerts = append(line.Alerts, a.String())
	}
	for _, a := range x.Plan.Actions {
		held := []string{}
		for _, by := range a.Held {
			held = append(held, by.String())
		}
		line.Actions = append(line.Actions, explainedAction{a.Kind.String(), orNullID(a.Role), held})
	}
	return line
}

func idsText(ids []snowflake.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

func orNullID(id snowflake.ID) *string {
	if id == 0 {
		return nil
	}
	text := id.String()
	return &text
}

func joined(m audit.Member) time.Time {
	if m.Joined == 0 {
		return time.Time{}
	}
	return time.UnixMicro(m.Joined).UTC()
}

// openSince is since when the member's finding that grace is counted from has been open.
func openSince(x *reconcile.Explanation) time.Time {
	switch x.Decision.Category {
	case audit.LinkedNoPerm:
		return x.Look.Scene.Subjects.OpenedLost[x.Member.ID]
	case audit.SurplusRoles:
		return x.Look.Scene.Subjects.OpenedSurplus[x.Member.ID]
	case audit.BotFiltered, audit.Undecidable, audit.UnknownGuest, audit.MissingRoles, audit.InOrder:
	}
	return time.Time{}
}

func (f *filed) tellExplanation(cmd *cobra.Command, x *reconcile.Explanation) error {
	d := &x.Decision
	f.known = x.Look.Scene.Auth
	f.say("%s", f.name(d.Member))
	f.say("\nVerdict   %s: %s", d.Category, categoryWords(d.Category))
	for r := range d.Reasons.All() {
		f.say("          because %s", reasonWords(r))
	}
	f.say("Action    %s: %s", d.Act, actWords(d.Act))
	f.say("          decided by %s", layerWords(d))
	f.tellExplainedRoles(x)
	f.tellExplainedFacts(x)
	f.say("\nLayers, in the order in which they are asked")
	for _, step := range x.Steps {
		mark := "no "
		if step.Applies {
			mark = "YES"
		}
		f.say("  %s  %s", mark, layerName(step.Layer))
	}
	f.tellExplainedActions(x)
	f.tellRemedies(x)
	return f.tellPast(cmd.Context(), x)
}

func (f *filed) tellExplainedRoles(x *reconcile.Explanation) {
	d, s := &x.Decision, x.Look.Scene
	if d.Held.Empty() && d.Missing.Empty() && len(d.Absent) == 0 {
		return
	}
	f.say("\nRoles")
	for i := range d.Held.All() {
		f.say("  %-32s %s", visible(s.Guild.Roles[i].Name), roleStanding(d, s, i))
	}
	for i := range d.Missing.All() {
		f.say("  %-32s missing: Auth gives it", visible(s.Guild.Roles[i].Name))
	}
	for _, name := range d.Absent {
		f.say("  %-32s missing: Auth gives it, and the guild has no role of this name", visible(name))
	}
}

// roleStanding says what becomes of a role that the member holds, and why.
func roleStanding(d *audit.Decision, s *audit.Scene, i int) string {
	privileged := ""
	if s.PrivilegedSet().Has(i) {
		privileged = " (privileged)"
	}
	switch {
	case d.Remove.Has(i):
		return "would go" + privileged
	case d.Unreachable.Has(i):
		return "would go, but is out of the bot's reach" + privileged
	case s.Proposed().Has(i):
		return "managed by its name alone; not bound, so it stays" + privileged
	case d.Surplus.Has(i):
		return "managed, and Auth does not give it; stays for now" + privileged
	case s.Managed().Has(i):
		return "managed; stays" + privileged
	}
	for _, l := range s.Lookalikes(audit.RoleSet{}.With(i)) {
		return fmt.Sprintf("not managed, but looks like %q", visible(l.Like)) + privileged
	}
	return "not managed; never touched" + privileged
}

func (f *filed) tellExplainedFacts(x *reconcile.Explanation) {
	at := x.Look.At
	f.say("\nFacts")
	f.say("  Auth was read %s and is %s", ago(0), x.Look.Verdict.Health)
	for _, line := range healthWords(x.Look.Verdict) {
		f.say("    %s", line)
	}
	if x.Look.Picture.At.IsZero() {
		f.say("  the picture of the guild does not say when it was taken")
	} else {
		f.say("  the picture of the guild was taken %s EVE time, %s", eveTime(x.Look.Picture.At), ago(at.Sub(x.Look.Picture.At)))
	}
	if t := joined(x.Member); !t.IsZero() {
		f.say("  joined %s EVE time, %s", eveTime(t), ago(x.Look.Scene.At.Sub(t)))
	}
	if t := openSince(x); !t.IsZero() {
		f.say("  the finding is open since %s EVE time, %s", eveTime(t), ago(at.Sub(t)))
	}
	for _, i := range x.Look.Scene.Auth.Linked(x.Member.ID) {
		f.tellAccount("linked to", x.Look.Scene.Auth, &x.Look.Scene.Auth.Accounts[i])
	}
	for _, i := range x.Look.Scene.Facts(x.Member).Known {
		f.tellAccount("known as an account of", x.Look.Scene.Auth, &x.Look.Scene.Auth.Accounts[i])
	}
	if x.Look.PolicyVersion == 0 {
		f.say("  no policy is set, so everything is reported only")
	} else {
		f.say("  policy version %d", x.Look.PolicyVersion)
	}
	if note := f.notUsed(); note != "" {
		f.say("  %s", note)
	}
}

func (f *filed) tellAccount(how string, d *audit.Directory, a *audit.Account) {
	state := d.StateName(a)
	if state == "" {
		state = "no profile"
	}
	may := "may not use Discord"
	if a.Access {
		may = "may use Discord"
	}
	who := fmt.Sprintf("Auth user %s (%d)", visible(a.Username), a.User)
	if a.Main.Name != "" {
		who = fmt.Sprintf("%s, Auth user %s (%d)", visible(a.Main.Name), visible(a.Username), a.User)
	}
	f.say("  %s %s: state %s, %s", how, who, visible(state), may)
}

func (f *filed) tellExplainedActions(x *reconcile.Explanation) {
	f.say("\nWhat would happen now")
	if len(x.Plan.Actions) == 0 {
		f.say("  nothing")
		return
	}
	for _, a := range x.Plan.Actions {
		what := kindWords(a.Kind.String())
		if a.Role != 0 {
			what += " " + roleName(x.Look.Scene.Guild.Roles, a.Role)
		}
		if len(a.Held) == 0 {
			f.say("  %s", what)
		}
		for i, by := range a.Held {
			if i == 0 {
				f.say("  %s: held by %s", what, holdWords(by.String()))
			} else {
				f.say("  %*s  and by %s", len([]rune(what)), "", holdWords(by.String()))
			}
		}
	}
}

func (f *filed) tellRemedies(x *reconcile.Explanation) {
	first := true
	for r := range x.Decision.Reasons.All() {
		if words := remedyWords(r); words != "" {
			if first {
				f.say("\nWhat would change that")
				first = false
			}
			f.say("  %s", words)
		}
	}
}

// pastActions is how much of a member's past an explanation shows.
const pastActions = 10

// tellPast says what was done to the member before.
func (f *filed) tellPast(ctx context.Context, x *reconcile.Explanation) error {
	past, err := f.db.MemberActions(ctx, f.session.guild, x.Decision.Member, storage.Page{Limit: pastActions})
	if err != nil || len(past) == 0 {
		return err
	}
	f.say("\nWhat was done before, newest first")
	for _, a := range past {
		what := kindWords(a.Kind)
		if a.Role != 0 {
			what += " " + roleName(x.Look.Scene.Guild.Roles, a.Role)
		}
		f.say("  %s  %s by %s: %s", eveTime(a.Intended), what, visible(a.Actor), outcomeWords(a.Outcome, a.Code))
	}
	return nil
}

func outcomeWords(outcome, code string) string {
	switch {
	case outcome == "":
		return "not known yet"
	case code == "":
		return kindWords(outcome)
	}
	return kindWords(outcome) + " (" + kindWords(code) + ")"
}
