package snapshot

import (
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// Answer is what a replay says about one snapshot. Verdicts are worked out again whenever they are asked for: a guild of 250,000
// then costs no more memory than its members.
type Answer struct {
	Summary Summary
	Plan    audit.Plan

	file  *File
	scene *audit.Scene
	held  map[snowflake.ID][]audit.By // members whose actions something holds, and what
}

// Summary counts verdicts, not actions: a member counts once under their category and action, and once under each code that holds
// anything about them. Codes that nobody falls under are left out.
type Summary struct {
	Members      int            `json:"members"`
	ByCategory   map[string]int `json:"by_category"`
	ByAction     map[string]int `json:"by_action"`
	Held         map[string]int `json:"held"`
	UnknownRoles int            `json:"unknown_roles,omitempty"` // roles that members hold and the guild does not list
	RoleFindings []RoleFinding  `json:"role_findings,omitempty"`
	Notes        []string       `json:"notes,omitempty"`
}

// RoleFinding is something wrong with a role instead of a member.
type RoleFinding struct {
	Role    snowflake.ID `json:"role"`
	Trouble string       `json:"trouble"`
	Name    string       `json:"name,omitempty"`    // empty: the guild has no such role any more
	Expects string       `json:"expects,omitempty"` // the name that Auth writes, or the one it resembles
}

// Verdict is what is concluded about one member.
type Verdict struct {
	audit.Decision
	Held []audit.By // what would stop the acts, brakes first; none: nothing would, or there is nothing to do
}

// Replay works out the verdicts of a snapshot, with an empty ledger. With no gate closed, that is what a confirmed run would do;
// a fresh installation has its lock closed.
func Replay(f *File, gates audit.Gates) *Answer {
	a := &Answer{file: f, scene: audit.NewScene(f.Subjects())}
	acts := [audit.Ban + 1]int{}
	decisions, population := audit.Survey(a.scene, f.Members, &f.Policy, func(d *audit.Decision) bool {
		acts[d.Act]++
		return d.Acts()
	})
	population.Complete = f.Complete()
	a.Plan = audit.MakePlan(f.Guild.ID, decisions, population, f.Policy.Limits, audit.Used{}, gates)
	a.Summary = Summary{
		Members: len(f.Members), ByCategory: population.CountsByCategory(), ByAction: map[string]int{}, Held: map[string]int{},
		UnknownRoles: f.UnknownRoles, Notes: f.Notes,
	}
	seen := 0
	for act, n := range acts {
		if seen += n; n > 0 {
			a.Summary.ByAction[audit.Act(act).String()] = n
		}
	}
	// Members who are in order are counted without a decision.
	if rest := len(f.Members) - seen; rest > 0 {
		a.Summary.ByAction[audit.None.String()] += rest
	}
	a.gatherHeld()
	for _, r := range a.scene.RoleFindings() {
		a.Summary.RoleFindings = append(a.Summary.RoleFindings, RoleFinding{r.Role, r.Trouble.String(), r.Name, r.Expects})
	}
	return a
}

// gatherHeld joins what holds a member's actions, and counts members by code.
func (a *Answer) gatherHeld() {
	a.held = map[snowflake.ID][]audit.By{}
	for i := range a.Plan.Actions {
		p := &a.Plan.Actions[i]
		for _, by := range p.Held {
			if !slices.Contains(a.held[p.Member], by) {
				a.held[p.Member] = append(a.held[p.Member], by)
			}
		}
	}
	for _, held := range a.held {
		slices.SortFunc(held, compareBy)
		for _, by := range held {
			a.Summary.Held[by.String()]++
		}
	}
}

// compareBy puts brakes before gates, each in their own order: that in which reference/snapshot.md lists the codes.
func compareBy(x, y audit.By) int {
	switch {
	case x.Gate != y.Gate:
		return int(x.Gate - y.Gate)
	case x.Dimension != y.Dimension:
		return int(x.Dimension - y.Dimension)
	}
	return compare(x.Role, y.Role)
}

// Verdicts yields every member's, by ascending id.
func (a *Answer) Verdicts(yield func(Verdict) bool) {
	for _, m := range a.file.Members {
		if !yield(a.verdict(m)) {
			return
		}
	}
}

// Verdict is one member's; false if the snapshot does not have them.
func (a *Answer) Verdict(member snowflake.ID) (Verdict, bool) {
	i, ok := slices.BinarySearchFunc(a.file.Members, member, func(m audit.Member, id snowflake.ID) int { return compare(m.ID, id) })
	if !ok {
		return Verdict{}, false
	}
	return a.verdict(a.file.Members[i]), true
}

func (a *Answer) verdict(m audit.Member) Verdict {
	f := a.scene.Facts(m)
	return Verdict{Decision: audit.Decide(f, audit.Classify(f), &a.file.Policy), Held: a.held[m.ID]}
}
