package audit_test

import (
	"slices"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"pgregory.net/rapid"

	"gatecamp/audit"
)

// That what is not managed is never touched has one exception, and this is all that it may do: take privileged roles within reach from
// one member who is neither owner nor operator nor bot, and nothing else.
func TestAContainmentTakesPrivilegedRolesOfOneMemberAndNothingElse(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		scene := audit.NewScene(s.Subjects)
		pop := audit.Headcount(scene, s.members)
		pop.Complete = s.full
		m := s.members[rapid.IntRange(0, len(s.members)-1).Draw(t, "who")]
		d := audit.Containment(scene.Facts(m))
		plan := audit.MakePlan(s.Guild.ID, []audit.Decision{d}, pop, s.policy.Limits, s.used, s.gates)
		immuneRole := func(r audit.Role) bool { return slices.Contains(s.ImmuneRoles, r.ID) }
		var held []audit.Role
		for i := range m.Roles.All() {
			held = append(held, s.Guild.Roles[i])
		}
		never := m.ID == s.Guild.Owner || s.Guild.Owner == 0 || m.ID == theBot || m.Is(audit.IsBot) || slices.Contains(s.Bots, m.ID) ||
			slices.Contains(s.Protected, m.ID) || slices.Contains(s.Immune, m.ID) || slices.ContainsFunc(held, immuneRole)
		var taken []snowflake.ID
		for _, a := range plan.Actions {
			if a.Kind != audit.Contain || a.Member != m.ID || never {
				t.Fatalf("%+v of %+v, who must be left alone: %t", a, m, never)
			}
			taken = append(taken, a.Role)
			if inverse, ok := a.Inverse(); !ok || inverse.Kind != audit.GiveRoleBack || inverse.Role != a.Role {
				t.Fatalf("%+v has the inverse %+v", a, inverse)
			}
		}
		for i, r := range s.Guild.Roles {
			privileged := r.Permissions&audit.Privileged != 0 || slices.Contains(s.PrivilegedRoles, r.ID)
			must := !never && m.Roles.Has(i) && privileged && !r.Managed && r.ID != s.Guild.ID && !(r.Name == "@everyone" && r.Position == 0) && s.Guild.Reaches(r)
			if must != slices.Contains(taken, r.ID) {
				t.Fatalf("role %+v: taken %t, want %t", r, !must, must)
			}
		}
	})
}

func TestAtMostOneMemberIsContainedAtATime(t *testing.T) {
	roles := []audit.Role{{ID: 10, Permissions: audit.ManageRoles, Position: 1}, {ID: 11, Permissions: audit.BanMembers, Position: 1}}
	pop := audit.Population{Complete: true, Members: 10, Roles: roles}
	of := func(member snowflake.ID) audit.Decision {
		return audit.Decision{Member: member, Layer: audit.LayerContain, Contain: audit.RoleSet{}.With(0).With(1)}
	}
	for name, c := range map[string]struct {
		decisions []audit.Decision
		gates     audit.Gates
		free      int
		held      audit.Gate
	}{
		"nobody was":                   {[]audit.Decision{of(1)}, audit.Gates{}, 2, 0},
		"it goes on":                   {[]audit.Decision{of(1)}, audit.Gates{Contained: 1}, 2, 0},
		"somebody else was":            {[]audit.Decision{of(1)}, audit.Gates{Contained: 2}, 0, audit.Contained},
		"two at once":                  {[]audit.Decision{of(1), of(2)}, audit.Gates{}, 0, audit.Contained},
		"paused":                       {[]audit.Decision{of(1)}, audit.Gates{Paused: true}, 0, audit.Pause},
		"locked":                       {[]audit.Decision{of(1)}, audit.Gates{Locked: true}, 0, audit.Lock},
		"strips were not acknowledged": {[]audit.Decision{of(1)}, audit.Gates{StripsLocked: true, KicksLocked: true}, 2, 0},
		"with a pass for brakes":       {[]audit.Decision{of(1)}, audit.Gates{Contained: 2, Once: true}, 0, audit.Contained},
	} {
		plan := audit.MakePlan(9, c.decisions, pop, audit.DefaultLimits(), audit.Used{Live: true}, c.gates)
		if n := len(plan.Free()); n != c.free || c.held != 0 && !slices.Contains(plan.Actions[0].Held, audit.By{Gate: c.held}) {
			t.Errorf("%s: %d free, %+v", name, n, plan.Actions)
		}
	}
}
