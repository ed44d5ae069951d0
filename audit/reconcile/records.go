package reconcile

import (
	"encoding/json"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// Counts is what a run stores of a whole guild: numbers, not the guild again.
type Counts struct {
	Members    int            `json:"members"`
	Categories map[string]int `json:"categories"`
	Actions    map[string]int `json:"actions"` // what the layers decided, by action, findings only
	Findings   struct {
		Opened    int `json:"opened"`
		Changed   int `json:"changed"`
		Closed    int `json:"closed"`
		Unchanged int `json:"unchanged"`
	} `json:"findings"`
	Alerts    int           `json:"alerts"`    // findings whose member holds a privileged role
	Unbound   int           `json:"unbound"`   // managed roles that are proposed by name and not bound
	Uncounted int           `json:"uncounted"` // members whom a limit left out
	Summary   audit.Summary `json:"summary"`
}

// foundMembers turns decisions into what is stored of them.
func foundMembers(s *audit.Scene, decisions []audit.Decision, plan *audit.Plan) []storage.Found {
	held := map[snowflake.ID][]string{}
	free := map[snowflake.ID]audit.Kind{} // the last, and so the most, that nothing holds
	for _, a := range plan.Actions {
		if len(a.Held) == 0 {
			free[a.Member] = a.Kind
		}
		for _, by := range a.Held {
			if code := by.String(); !slices.Contains(held[a.Member], code) {
				held[a.Member] = append(held[a.Member], code)
			}
		}
	}
	found := make([]storage.Found, 0, len(decisions))
	for i := range decisions {
		d := &decisions[i]
		if !d.Category.IsFinding() && !d.Reasons.Has(audit.BotLinked) && d.Layer != audit.LayerBlock {
			continue
		}
		f := storage.Found{SubjectKind: storage.SubjectMember, Subject: d.Member, Category: d.Category.String()}
		f.FindingFacts = memberFacts(s, d)
		if f.Holds = held[d.Member]; slices.Contains(f.Holds, audit.Fight.String()) {
			f.Alerts = append(f.Alerts, audit.Reversed.String())
		}
		f.Allowed = allowed(d, free[d.Member])
		found = append(found, f)
	}
	return found
}

// allowed is what gates, brakes and reach leave of the wanted action.
func allowed(d *audit.Decision, free audit.Kind) string {
	switch free {
	case audit.KickMember, audit.BanMember:
		return d.Act.String()
	case audit.RemoveRole, audit.Contain:
		return min(d.Act, audit.Strip).String()
	case audit.GiveRoleBack:
	}
	return min(d.Act, audit.Report).String()
}

func memberFacts(s *audit.Scene, d *audit.Decision) storage.FindingFacts {
	concern := d.Held.And(s.Concerning())
	if d.Category == audit.SurplusRoles || d.Category == audit.MissingRoles {
		// What Auth gives is no part of the finding.
		concern = concern.Minus(s.Managed()).Or(d.Surplus)
	}
	f := storage.FindingFacts{
		User: user(s, d.Member), Wanted: d.Act.String(), Layer: d.LayerCode(), Reasons: d.Reasons.Codes(),
		Proposed: d.Reasons.Has(audit.HoldsProposed),
		Held:     roleIDs(s, concern), Go: roleIDs(s, d.Remove), Unreachable: roleIDs(s, d.Unreachable), Missing: roleIDs(s, d.Missing),
	}
	for _, l := range s.Lookalikes(d.Held) {
		f.Lookalikes = append(f.Lookalikes, l.Role)
	}
	for _, a := range d.Alerts() {
		f.Alerts = append(f.Alerts, a.String())
	}
	return f
}

func roleIDs(s *audit.Scene, set audit.RoleSet) []snowflake.ID {
	if set.Empty() {
		return nil
	}
	return s.RoleIDs(set)
}

// user is the Auth user whom a Discord account belongs to; of several the first.
func user(s *audit.Scene, member snowflake.ID) int64 {
	if linked := s.Auth.Linked(member); len(linked) > 0 {
		return s.Auth.Accounts[linked[0]].User
	}
	return 0
}

func foundRoles(s *audit.Scene) []storage.Found {
	var found []storage.Found
	for _, r := range s.RoleFindings() {
		found = append(found, storage.Found{
			SubjectKind: storage.SubjectRole, Subject: r.Role, Category: r.Trouble.String(), Slot: r.Expects,
			FindingFacts: storage.FindingFacts{Wanted: audit.Report.String(), Allowed: audit.Report.String()},
		})
	}
	return found
}

// storedPlan is a plan as storage keeps it.
func storedPlan(p *audit.Plan, run storage.Run, l *Look) storage.Plan {
	stored := storage.Plan{
		Guild: p.Guild, Digest: p.Digest, Run: run.ID, Created: l.At, Made: l.At, State: storage.PlanStored,
		Document: encode(planDocument{PolicyVersion: l.PolicyVersion, Holds: holdTexts(p.Holds), Once: p.Once}), Untouched: map[string]int64{},
	}
	for c, n := range p.Untouched {
		stored.Untouched[c.String()] = int64(n)
	}
	for _, a := range p.Actions {
		row := storage.PlanAction{Key: a.Key, Member: a.Member, Kind: a.Kind.String(), Role: a.Role}
		for _, by := range a.Held {
			row.Held = append(row.Held, by.String())
		}
		stored.Actions = append(stored.Actions, row)
	}
	return stored
}

// planDocument is what a stored plan says besides its actions.
type planDocument struct {
	PolicyVersion int64    `json:"policy_version"`
	Holds         []string `json:"holds"`
	Once          bool     `json:"once,omitempty"`
}

func holdTexts(holds []audit.Hold) []string {
	texts := []string{}
	for _, h := range holds {
		texts = append(texts, h.String())
	}
	return texts
}

func auditUsed(u storage.Used) audit.Used {
	return audit.Used{Quarter: auditUse(u.Live), Day: auditUse(u.Day)}
}

func auditUse(u storage.Use) audit.Use {
	return audit.Use{Members: u.Members, PerRole: u.PerRole, Roles: u.Roles, Kicks: u.Kicks, Privileged: u.Privileged, BlockKicks: u.BlockKicks, Stripped: u.Stripped}
}

func storedBudget(a audit.Action) storage.Budget {
	if a.Kind == audit.Contain {
		return storage.BudgetNone
	}
	switch a.Budget {
	case audit.PrivilegedBudget:
		return storage.BudgetPrivileged
	case audit.BlockBudget:
		return storage.BudgetBlock
	case audit.Ordinary:
	}
	return storage.BudgetCommon
}

func decode[T any](data json.RawMessage) (v T, err error) {
	if len(data) == 0 {
		return v, nil
	}
	err = json.Unmarshal(data, &v)
	return v, err
}
