package commands

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// auditFindings lists what is wrong. It names people, so it is never shown to a channel.
func auditFindings() deed {
	return deed{
		name: "findings", need: need{sort: reads, any: []audit.Right{audit.RightViewRuns, audit.RightViewFindings, audit.RightRun}}, do: listFindings,
		options: []option{
			{name: "category", is: optText, kept: true, choices: reconcile.FindingCategories()},
			{name: "member", is: optMember, kept: true},
			{name: "role", is: optRole, kept: true},
			runOption(false),
			{name: "closed", is: optFlag, kept: true},
			formatOption(),
		},
	}
}

func listFindings(ctx context.Context, x *call) (*answer, error) {
	run, err := x.numbered("run")
	if err != nil {
		return nil, err
	}
	filter := storage.FindingFilter{Closed: x.is("closed"), Category: x.str("category"), Subject: x.ref("member"), Run: run, Page: storage.Page{Limit: 5_000}}
	role := x.ref("role")
	l := &list{
		name: "findings", empty: x.T(i18n.AuditNoFindings),
		columns: []string{"finding", "member_id", "category", "wanted", "allowed", "roles", "go", "granted_by", "alerts", "attempted", "observed", "state", "opened", "closed", "review"},
	}
	for {
		found, err := x.cfg.Store.Findings(ctx, x.guild, filter)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if f := &found[i]; role == 0 || f.Subject == role || slices.Contains(reconcile.RolesOf(f), role) {
				l.rows = append(l.rows, x.findingRow(f))
			}
		}
		if len(found) < filter.Page.Limit {
			return &answer{title: x.T(i18n.AuditFindingsTitle), list: l}, nil
		}
		filter.Page.Before = found[len(found)-1].ID
	}
}

func (x *call) findingRow(f *storage.Finding) row {
	line := reconcile.FindingLineOf(f)
	member := ""
	r := row{object: line}
	if line.MemberID != nil {
		member, r.member = *line.MemberID, f.Subject
	}
	by := ""
	if f.GrantedBy != 0 {
		by = f.GrantedBy.String()
	}
	r.cells = []string{
		strconv.FormatInt(f.ID, 10), member, f.Category, f.Wanted, f.Allowed, joinIDs(reconcile.RolesOf(f)), joinIDs(f.Go), by, strings.Join(f.Alerts, " "),
		f.Attempted, f.Observed, line.State, eveTime(f.Opened), eveTime(f.Closed), f.ReviewNote,
	}
	r.line = func() string { return x.findingWords(f) }
	return r
}

// findingWords is a finding on one line, after the name of the member.
func (x *call) findingWords(f *storage.Finding) string {
	sign := "▫️"
	if len(f.Alerts) > 0 {
		sign = "🚨 **" + x.T(i18n.AuditAlert) + "**"
	}
	if !f.Closed.IsZero() {
		sign = "✔️ " + x.T(i18n.AuditClosed)
	}
	parts := []string{fmt.Sprintf("%s `#%d` %s", sign, f.ID, whoPlace), x.categoryWords(f)}
	if roles := reconcile.RolesOf(f); len(roles) > 0 && f.SubjectKind == storage.SubjectMember {
		parts = append(parts, mentionRoles(roles))
	}
	if act, ok := audit.ParseAct(f.Wanted); ok && act > audit.Report {
		parts = append(parts, x.T(i18n.AuditWants, i18n.Args{"Act": x.Act(act)}))
	}
	if f.GrantedBy != 0 {
		parts = append(parts, x.T(i18n.AuditGrantedBy, i18n.Args{"Who": mentionMember(f.GrantedBy)}))
	}
	parts = append(parts, fmt.Sprintf("<t:%d:R>", f.Opened.Unix()))
	return strings.Join(parts, " · ")
}

// categoryWords says what is wrong with whom.
func (x *call) categoryWords(f *storage.Finding) string {
	for t := audit.Twins; t <= audit.OutOfReach; t++ {
		switch {
		case t.String() != f.Category:
		case f.Subject == 0:
			return x.Trouble(t, "–")
		default:
			return mentionRole(f.Subject) + ": " + x.Trouble(t, plain(f.Slot))
		}
	}
	for c := range audit.Categories() {
		if c.String() == f.Category {
			return x.Category(c)
		}
	}
	return f.Category
}

// mostRoles is how many roles a line names.
const mostRoles = 6

func mentionRoles(ids []snowflake.ID) string {
	var parts []string
	for _, id := range ids[:min(len(ids), mostRoles)] {
		parts = append(parts, mentionRole(id))
	}
	if more := len(ids) - mostRoles; more > 0 {
		parts = append(parts, fmt.Sprintf("+%d", more))
	}
	return strings.Join(parts, " ")
}

func joinIDs(ids []snowflake.ID) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = id.String()
	}
	return strings.Join(parts, " ")
}

// auditDiff compares what two runs left, or one run and now.
func auditDiff() deed {
	return deed{
		name: "diff", need: viewing(), options: []option{runOption(true), {name: "to", is: optText, kept: true, offer: offerRuns}, formatOption()},
		do: func(ctx context.Context, x *call) (*answer, error) {
			from, err := x.run(ctx, "run")
			if err != nil {
				return nil, err
			}
			if err := x.mustHaveEnded(from); err != nil {
				return nil, err
			}
			a := &answer{title: x.T(i18n.AuditDiffNow, i18n.Args{"Run": from.ID})}
			var to storage.Run
			if x.has("to") {
				if to, err = x.run(ctx, "to"); err != nil {
					return nil, err
				}
				if err := x.mustHaveEnded(to); err != nil {
					return nil, err
				}
				a.title = x.T(i18n.AuditDiffRuns, i18n.Args{"Run": from.ID, "To": to.ID})
			}
			found, err := x.house.Engine.Diff(ctx, from.ID, to.ID)
			if err != nil {
				return nil, err
			}
			a.list = &list{name: "differences", columns: []string{"subject", "id", "what", "before", "after", "roles"}, empty: x.T(i18n.AuditNoDifference)}
			for _, d := range found {
				a.list.rows = append(a.list.rows, x.differenceRow(d))
			}
			return a, nil
		},
	}
}

func (x *call) mustHaveEnded(r storage.Run) error {
	if !r.Started.IsZero() && !r.Ended.IsZero() {
		return nil
	}
	return refuseUse(x.T(i18n.AuditNothingToCompare, i18n.Args{"Run": r.ID, "State": x.RunState(r.State)}), x.T(i18n.AuditSeeHistory))
}

func (x *call) differenceRow(d reconcile.Difference) row {
	r := row{
		cells: []string{d.SubjectKind, d.Subject.String(), d.What, d.Before, d.After, d.RoleText()},
		object: struct {
			Subject string  `json:"subject"`
			ID      string  `json:"id"`
			What    string  `json:"what"`
			Before  *string `json:"before"`
			After   *string `json:"after"`
			Roles   string  `json:"roles"`
		}{d.SubjectKind, d.Subject.String(), d.What, orNull(d.Before), orNull(d.After), d.RoleText()},
	}
	who := mentionRole(d.Subject)
	if d.SubjectKind == storage.SubjectMember {
		who, r.member = whoPlace, d.Subject
	}
	r.line = func() string { return x.differenceWords(d, who) }
	return r
}

func (x *call) differenceWords(d reconcile.Difference, who string) string {
	before, after := x.standWords(d.Before), x.standWords(d.After)
	switch d.What {
	case "added":
		return "➕ " + x.T(i18n.AuditAdded, i18n.Args{"Who": who, "After": after})
	case "removed":
		return "➖ " + x.T(i18n.AuditRemoved, i18n.Args{"Who": who, "Before": before})
	}
	var roles string
	if len(d.Roles) > 0 {
		roles += " ➕ " + mentionRoles(d.Roles)
	}
	if len(d.NoRoles) > 0 {
		roles += " ➖ " + mentionRoles(d.NoRoles)
	}
	if d.What == "roles_changed" {
		return "🔁 " + who + ": " + after + roles
	}
	return "🔁 " + x.T(i18n.AuditChanged, i18n.Args{"Who": who, "Before": before, "After": after}) + roles
}

// standWords tells "unknown_guest strip" in words.
func (x *call) standWords(stand string) string {
	if stand == "" {
		return ""
	}
	category, wanted, _ := strings.Cut(stand, " ")
	f := storage.Finding{Category: category}
	words := x.categoryWords(&f)
	if act, ok := audit.ParseAct(wanted); ok && act > audit.Report {
		words += " (" + x.Act(act) + ")"
	}
	return words
}
