package commands

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
)

func previewForm(ctx context.Context, x *call) (*form, error) {
	if x.has("policy") {
		return nil, nil //nolint:nilnil // a stored version is named, so nothing is to be typed
	}
	i, err := x.policyInput(ctx)
	return &form{title: x.T(i18n.PolicyPreviewTitle), inputs: []input{i}}, err
}

// comparison is what another policy would change for today's members, and what a run under it would ask for.
type comparison struct {
	*reconcile.Comparison
	plan audit.Plan
}

func (x *call) compared(ctx context.Context, p audit.Policy) (c comparison, err error) {
	pic, err := x.house.Guilds.Known(ctx)
	if err != nil {
		return c, err
	}
	if c.Comparison, err = x.house.Engine.Compare(ctx, pic, p); err != nil {
		return c, err
	}
	r, err := x.house.Engine.Preview(ctx, pic, &p)
	if err != nil {
		return c, err
	}
	c.plan = r.Plan
	return c, nil
}

func policyPreview(ctx context.Context, x *call) (*answer, error) {
	p, _, err := x.wantedPolicy(ctx)
	if err != nil {
		return nil, err
	}
	c, err := x.compared(ctx, p)
	if err != nil {
		return nil, err
	}
	now, err := x.policyVersion(ctx, false)
	if err != nil {
		return nil, err
	}
	a := &answer{title: x.T(i18n.PolicyPreviewTitle), text: x.T(i18n.PolicyPreviewText)}
	a.fields = comparisonFields(x.Printer, now.Canonical, policyfile.Canonical(p), c)
	a.list = changedMembers(x.Printer, c.Comparison)
	return a, nil
}

// comparisonFields are what differs in the text, and what comes of it.
func comparisonFields(p *i18n.Printer, before, after []byte, c comparison) []field {
	var lines []string
	for _, d := range policyfile.Differences(before, after) {
		line := quoted(d.Path) + ": "
		switch {
		case d.Before == "":
			line += quoted(d.After) + " (" + p.T(i18n.PolicyNew) + ")"
		case d.After == "":
			line += "~~" + quoted(d.Before) + "~~"
		default:
			line += quoted(d.Before) + " → " + quoted(d.After)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = []string{p.T(i18n.PolicySame)}
	}
	fields := []field{{name: p.T(i18n.PolicyDifferences), value: strings.Join(lines, "\n")}}
	fields = append(fields, field{name: p.T(i18n.PolicyEffect), value: effectWords(p, c.Comparison)}, field{name: p.T(i18n.PolicyAsks), value: askWords(p, &c.plan)})
	if h := c.Look.Verdict.Health; h != audit.Healthy {
		fields = append(fields, field{name: p.T(i18n.PolicyDoubt), value: p.T(i18n.PolicyDoubtText, i18n.Args{"Health": p.Health(h)})})
	}
	if !c.Look.Picture.Complete {
		fields = append(fields, field{name: p.T(i18n.PolicyDoubt), value: p.T(i18n.ExplainIncomplete)})
	}
	return fields
}

// askWords says what a plan would ask of Discord, and which brakes it would be over.
func askWords(p *i18n.Printer, plan *audit.Plan) string {
	if len(plan.Actions) == 0 {
		return p.T(i18n.PolicyAsksNothing)
	}
	kinds, members := map[string]int{}, map[snowflake.ID]struct{}{}
	for _, a := range plan.Actions {
		kinds[a.Kind.String()]++
		members[a.Member] = struct{}{}
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, p.KindCount(kind, kinds[kind]))
	}
	lines := []string{p.T(i18n.PolicyAsksOf, i18n.Args{"What": p.List(parts), "Members": p.N(i18n.CountMembers, len(members))})}
	for _, h := range plan.Holds {
		brake := i18n.Args{"Brake": brakeWords(p, h.By.String()), "Asked": h.Asked, "Allowed": h.Allowed, "Window": p.Window(h.Window)}
		if h.Tripped {
			lines = append(lines, "⚠️ "+p.T(i18n.NotifyTripped, brake))
			continue
		}
		lines = append(lines, "⚠️ "+p.T(i18n.NotifyOver, brake))
	}
	return strings.Join(lines, "\n")
}

// effectWords counts the members for whom something would change, by what.
func effectWords(p *i18n.Printer, c *reconcile.Comparison) string {
	var changes []reconcile.Change
	for change, n := range c.Counts {
		if change.Now != change.Then && n > 0 {
			changes = append(changes, change)
		}
	}
	if len(changes) == 0 {
		return p.T(i18n.PolicyNobody)
	}
	slices.SortFunc(changes, func(a, b reconcile.Change) int {
		if n := c.Counts[b] - c.Counts[a]; n != 0 {
			return n
		}
		return strings.Compare(a.Category.String()+a.Now.String()+a.Then.String(), b.Category.String()+b.Now.String()+b.Then.String())
	})
	var lines []string
	for _, change := range changes {
		lines = append(lines, "• "+p.T(i18n.PolicyChange, i18n.Args{"Members": p.CategoryCount(change.Category, c.Counts[change]), "Now": p.Act(change.Now), "Then": p.Act(change.Then)}))
	}
	return strings.Join(lines, "\n")
}

// changedRow is a member for whom something would change, for programs.
type changedRow struct {
	Member    string `json:"member_id"`
	Category  string `json:"category"`
	Now       string `json:"now"`
	Then      string `json:"then"`
	LayerNow  string `json:"layer_now"`
	LayerThen string `json:"layer_then"`
}

func changedMembers(p *i18n.Printer, c *reconcile.Comparison) *list {
	l := &list{name: "preview", columns: []string{"member_id", "main", "category", "now", "then", "layer_now", "layer_then"}}
	for _, m := range c.Changed {
		main := ""
		if linked := c.Look.Scene.Auth.Linked(m.Member); len(linked) > 0 {
			main = c.Look.Scene.Auth.Accounts[linked[0]].Main.Name
		}
		l.rows = append(l.rows, row{
			line: func() string {
				return inAuth(c.Look.Scene.Auth, m.Member, nil) + ": " + p.T(i18n.PolicyMember, i18n.Args{"Now": p.Act(m.Now), "Then": p.Act(m.Then)})
			},
			cells:  []string{m.Member.String(), main, m.Category.String(), m.Now.String(), m.Then.String(), m.LayerNow, m.LayerThen},
			object: changedRow{m.Member.String(), m.Category.String(), m.Now.String(), m.Then.String(), m.LayerNow, m.LayerThen},
		})
	}
	return l
}
