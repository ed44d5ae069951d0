package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// explainCommand says why a member gets the verdict they get. It is shown to whoever may manage roles, as the entry of the context
// menu is: who lacks our right is to be seen.
func explainCommand() command {
	return command{name: "explain", hidden: discord.PermissionManageRoles, alone: &deed{
		name: "explain", need: need{sort: reads, all: []audit.Right{audit.RightViewRuns}}, do: explain, public: true, people: true,
		options: []option{{name: "member", is: optMember, required: true}},
	}}
}

func explainMenu() menu {
	return menu{name: "explain", hidden: discord.PermissionManageRoles, as: "explain"}
}

// grantsWithin is how far back it is asked who gave a role.
const grantsWithin = 366 * 24 * time.Hour

// pastShown is how much of a member's past an explanation shows.
const pastShown = 5

func explain(ctx context.Context, x *call) (*answer, error) {
	id := x.ref("member")
	pic, err := x.pictureOf(ctx, id)
	if errors.Is(err, reconcile.ErrNoMember) {
		return nil, problem.New(problem.Usage, x.T(i18n.ExplainGone, i18n.Args{"Member": mentionMember(id), "ID": code(id.String())}), x.T(i18n.ExplainGoneCure))
	}
	if err != nil {
		return nil, err
	}
	e, err := x.house.Engine.Explain(ctx, pic, id)
	if err != nil {
		return nil, err
	}
	past, err := x.cfg.Store.MemberActions(ctx, x.guild, id, storage.Page{Limit: pastShown})
	if err != nil {
		return nil, err
	}
	found, err := x.cfg.Store.Findings(ctx, x.guild, storage.FindingFilter{Subject: id})
	if err != nil {
		return nil, err
	}
	granted, err := x.cfg.Store.RoleGrants(ctx, x.guild, []snowflake.ID{id}, x.now().Add(-grantsWithin))
	if err != nil {
		return nil, err
	}
	t := explaining{Printer: x.Printer, Explanation: e, names: x.house.names(ctx, []snowflake.ID{id}), past: past, found: found, grants: granted}
	return t.answer(), nil
}

// pictureOf is the guild as it is known, with the one member read afresh.
func (x *call) pictureOf(ctx context.Context, id snowflake.ID) (reconcile.Picture, error) {
	pic, err := x.house.Guilds.Known(ctx)
	if err != nil {
		return pic, err
	}
	guild, m, err := x.house.Guilds.Member(ctx, id)
	if err != nil {
		return pic, err
	}
	// A member's roles are places in the list of roles: they mean nothing beside another list.
	if !slices.EqualFunc(guild.Roles, pic.Guild.Roles, func(a, b audit.Role) bool { return a.ID == b.ID }) {
		return x.house.Guilds.Picture(ctx)
	}
	pic.Guild = guild
	if i := slices.IndexFunc(pic.Members, func(m audit.Member) bool { return m.ID == id }); i >= 0 {
		pic.Members = slices.Clone(pic.Members)
		pic.Members[i] = m
		return pic, nil
	}
	pic.Members = append(slices.Clone(pic.Members), m)
	return pic, nil
}

// explaining is an explanation in the language of whoever asked.
type explaining struct {
	*i18n.Printer
	*reconcile.Explanation
	names  map[snowflake.ID]Person
	past   []storage.Action
	found  []storage.Finding   // open ones about the member
	grants []storage.RoleGrant // newest first
}

func (t *explaining) answer() *answer {
	d := &t.Decision
	a := &answer{tone: t.tone(), title: t.T(i18n.ExplainTitle)}
	a.text = joinLines(
		inAuth(t.Look.Scene.Auth, d.Member, t.names),
		t.T(i18n.ExplainVerdict, i18n.Args{"Category": t.Category(d.Category), "Code": code(d.Category.String())}),
		t.because(),
		t.T(i18n.ExplainDecided, i18n.Args{"Layer": t.Layer(d.Layer, plain(d.LayerName)), "Act": t.Act(d.Act)}),
		t.alarm(),
	)
	a.fields = []field{
		{name: t.T(i18n.ExplainRoles), value: t.roles()},
		{name: t.T(i18n.ExplainGranted), value: t.granted()},
		{name: t.T(i18n.ExplainNow), value: t.now()},
		{name: t.T(i18n.ExplainRemedies), value: t.remedies()},
		{name: t.T(i18n.ExplainFacts), value: t.facts()},
		{name: t.T(i18n.ExplainLayers), value: t.layers()},
		{name: t.T(i18n.ExplainPast), value: t.before()},
	}
	return a
}

func (t *explaining) tone() tone {
	switch {
	case !t.Decision.Alarming.Empty():
		return toneNo
	case t.Decision.Category.IsFinding():
		return toneWarn
	}
	return toneInfo
}

// because is empty where nothing led to the verdict but order.
func (t *explaining) because() string {
	list := t.Reasons(t.Decision.Reasons)
	if len(list) == 0 {
		return ""
	}
	return t.T(i18n.ExplainBecause, i18n.Args{"Reasons": strings.Join(list, "; ")})
}

func (t *explaining) alarm() string {
	var words []string
	for _, a := range t.Decision.Alerts() {
		words = append(words, t.Alert(a))
	}
	if len(words) == 0 {
		return ""
	}
	return t.T(i18n.ExplainAlert, i18n.Args{"Alert": t.List(words)})
}

// rolesShown is how many roles an explanation names.
const rolesShown = 12

// roles are those that the verdict is about, what becomes of each, and how many others there are.
func (t *explaining) roles() string {
	d, s := &t.Decision, t.Look.Scene
	var lines []string
	about := d.Held.And(s.Concerning())
	for i := range about.All() {
		lines = append(lines, t.roleLine(i)+t.standing(i))
	}
	for i := range d.Missing.All() {
		lines = append(lines, t.roleLine(i)+t.T(i18n.ExplainRoleMissing))
	}
	for _, name := range d.Absent {
		lines = append(lines, quoted(name)+": "+t.T(i18n.ExplainRoleAbsent))
	}
	lines = t.first(lines, rolesShown)
	if others := d.Held.Minus(about).Len(); others > 0 {
		lines = append(lines, t.N(i18n.ExplainRolesOther, others))
	}
	return strings.Join(lines, "\n")
}

func (t *explaining) roleLine(i int) string {
	line := roleWords(t.Look.Scene.Guild.Roles[i])
	if t.Look.Scene.PrivilegedSet().Has(i) {
		line += " (" + t.T(i18n.ExplainPrivileged) + ")"
	}
	return line + ": "
}

// standing says what becomes of a role that the member holds, and why.
func (t *explaining) standing(i int) string {
	d, s := &t.Decision, t.Look.Scene
	switch {
	case d.Remove.Has(i):
		return t.T(i18n.ExplainRoleGoes)
	case d.Unreachable.Has(i):
		return t.T(i18n.ExplainRoleHigh)
	case t.Look.Verdict.Health == audit.Blind:
		return t.T(i18n.ExplainRoleUnsaid)
	case s.Proposed().Has(i):
		return t.T(i18n.ExplainRoleProposed)
	case d.Surplus.Has(i), d.Category == audit.UnknownGuest && s.Managed().Has(i), d.Category == audit.LinkedNoPerm && s.Managed().Has(i):
		return t.T(i18n.ExplainRoleSurplus)
	case s.Managed().Has(i):
		return t.T(i18n.ExplainRoleManaged)
	}
	for _, l := range s.Lookalikes(audit.RoleSet{}.With(i)) {
		return t.T(i18n.ExplainRoleLike, i18n.Args{"Like": quoted(l.Like)})
	}
	return t.T(i18n.ExplainRoleFree)
}

// granted says who gave the member the roles that the verdict is about, as far as Discord told.
func (t *explaining) granted() string {
	var lines []string
	about := t.Decision.Held.And(t.Look.Scene.Concerning())
	for i := range about.All() {
		role := t.Look.Scene.Guild.Roles[i].ID
		n := slices.IndexFunc(t.grants, func(g storage.RoleGrant) bool { return g.Role == role })
		if n < 0 || !t.grants[n].Added { // the last that Discord told of it is not how they came by it
			continue
		}
		g := t.grants[n]
		line := t.T(i18n.ExplainRoleGranted, i18n.Args{"Role": mentionRole(role), "By": mentionMember(g.Actor) + " " + code(g.Actor.String()), "At": stamp(g.At)})
		if g.Reason != "" {
			line += ": " + cut(plain(g.Reason), 100)
		}
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		return strings.Join(t.first(lines, rolesShown), "\n")
	}
	for _, f := range t.found { // what the look noted, where the grant itself is not remembered any more
		if f.GrantedBy != 0 {
			lines = append(lines, t.T(i18n.ExplainGrantedBy, i18n.Args{"By": mentionMember(f.GrantedBy) + " " + code(f.GrantedBy.String()), "Since": stamp(f.Opened)}))
		}
	}
	return strings.Join(slices.Compact(lines), "\n")
}

// now says what would be done, and what holds it.
func (t *explaining) now() string {
	if len(t.Plan.Actions) == 0 {
		return t.T(i18n.ExplainNothing)
	}
	var lines []string
	for _, a := range t.Plan.Actions {
		role := ""
		if a.Role != 0 {
			role = mentionRole(a.Role)
		}
		line := "• " + t.Kind(a.Kind, role)
		if len(a.Held) > 0 {
			line = t.T(i18n.ExplainHeld, i18n.Args{"What": line, "By": t.holds(a.Held)})
		}
		lines = append(lines, line)
	}
	return strings.Join(t.first(lines, rolesShown), "\n")
}

func (t *explaining) holds(by []audit.By) string {
	words := make([]string, len(by))
	for i, b := range by {
		role := ""
		if b.Role != 0 {
			role = mentionRole(b.Role)
		}
		words[i] = t.Hold(b.String(), role)
	}
	return t.List(words)
}

// remedies say what would change the verdict, and what would open what is held.
func (t *explaining) remedies() string {
	var lines []string
	for r := range t.Decision.Reasons.All() {
		if words := t.Remedy(r); words != "" && !slices.Contains(lines, "• "+words) {
			lines = append(lines, "• "+words)
		}
	}
	return strings.Join(lines, "\n")
}

// facts are what the verdict rests on, each with its age.
func (t *explaining) facts() string {
	l, s := t.Look, t.Look.Scene
	lines := []string{t.T(i18n.ExplainAuthRead, i18n.Args{"At": stamp(l.At), "Health": t.Health(l.Verdict.Health)})}
	for _, r := range l.Verdict.Reasons {
		lines = append(lines, "· "+t.HealthReason(r))
	}
	if !l.Picture.At.IsZero() {
		lines = append(lines, t.T(i18n.ExplainSeen, i18n.Args{"At": stamp(l.Picture.At)}))
	}
	if !l.Picture.Complete {
		lines = append(lines, t.T(i18n.ExplainIncomplete))
	}
	if t.Member.Joined != 0 {
		lines = append(lines, t.T(i18n.ExplainJoined, i18n.Args{"At": stamp(time.UnixMicro(t.Member.Joined).UTC())}))
	}
	if since := t.open(); !since.IsZero() {
		lines = append(lines, t.T(i18n.ExplainOpen, i18n.Args{"At": stamp(since)}))
	}
	f := s.Facts(t.Member)
	for _, i := range f.Linked {
		lines = append(lines, t.account(i18n.ExplainLinked, &s.Auth.Accounts[i]))
	}
	for _, i := range f.Known {
		lines = append(lines, t.account(i18n.ExplainKnown, &s.Auth.Accounts[i]))
	}
	if l.PolicyVersion == 0 {
		return strings.Join(append(lines, t.T(i18n.ExplainNoPolicy)), "\n")
	}
	return strings.Join(append(lines, t.T(i18n.ExplainPolicy, i18n.Args{"Version": l.PolicyVersion})), "\n")
}

// open is since when the member's finding has been open.
func (t *explaining) open() (since time.Time) {
	for _, f := range t.found {
		if f.Category == t.Decision.Category.String() && f.Closed.IsZero() {
			return f.Opened
		}
	}
	return since
}

func (t *explaining) account(how i18n.Key, a *audit.Account) string {
	d := t.Look.Scene.Auth
	state := t.T(i18n.ExplainNoProfile)
	if name := d.StateName(a); name != "" {
		state = plain(name)
	}
	may := t.T(i18n.ExplainMayNot)
	if a.Access {
		may = t.T(i18n.ExplainMay)
	}
	return t.T(how, i18n.Args{"Account": accountWords(t.Printer, a), "State": state, "May": may})
}

// layers are all that was looked at, in the order in which it is asked, with the one that decided marked.
func (t *explaining) layers() string {
	var lines []string
	for _, step := range t.Steps {
		words, name := t.T(i18n.ExplainNo), ""
		if step.Applies {
			words = "**" + t.T(i18n.ExplainYes) + "**"
		}
		if step.Layer == t.Decision.Layer {
			name = plain(t.Decision.LayerName)
			words = "➡️ " + words
		}
		lines = append(lines, fmt.Sprintf("%s — %s", words, t.Layer(step.Layer, name)))
	}
	return strings.Join(lines, "\n")
}

// before is what was done to the member earlier, newest first.
func (t *explaining) before() string {
	var lines []string
	for _, a := range t.past {
		lines = append(lines, t.T(i18n.ExplainDone, i18n.Args{"At": stamp(a.Intended), "What": pastWords(t.Printer, a), "By": whoWords(a.Actor), "Outcome": outcomeOf(t.Printer, a)}))
	}
	return strings.Join(lines, "\n")
}

// pastWords names what an action was.
func pastWords(p *i18n.Printer, a storage.Action) string {
	role := ""
	if a.Role != 0 {
		role = mentionRole(a.Role)
	}
	return p.Kind(kindOf(a.Kind), role)
}

// outcomeOf says what became of an action.
func outcomeOf(p *i18n.Printer, a storage.Action) string {
	result, known := audit.ParseResult(a.Outcome)
	if !known {
		return p.T(i18n.ExplainUnknownYet)
	}
	words := p.Result(result)
	if a.Code != "" && result != audit.Done {
		what, _ := p.Code(a.Code)
		words += " (" + what + ")"
	}
	return words
}

// first cuts a list short and says how many more there are.
func (t *explaining) first(lines []string, most int) []string {
	if more := len(lines) - most; more > 0 {
		return append(lines[:most:most], t.T(i18n.FrameMore, i18n.Args{"N": more}))
	}
	return lines
}
