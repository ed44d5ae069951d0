package audit_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecamp/audit"
)

const (
	theOwner snowflake.ID = 1001 + iota
	theBot
	firstMember
)

// small is a whole audit, small enough that everything collides with everything.
type small struct {
	audit.Subjects
	members []audit.Member
	policy  audit.Policy
	used    audit.Used
	gates   audit.Gates
	full    bool // the roster is complete
}

var roleNames = []string{"Alpha", "alpha", "Beta", "Gamma", "Member", "Guest", "Mod", "@everyone"}

func drawSmall(t *rapid.T) small {
	s := small{policy: audit.DefaultPolicy()}
	s.At = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s.Guild = audit.Guild{ID: 1, Owner: theOwner, Bot: theBot, BotTop: rapid.SampledFrom([]int{10, 5, -1}).Draw(t, "top")}
	if rapid.IntRange(0, 9).Draw(t, "owner") == 0 {
		s.Guild.Owner = 0
	}
	s.Guild.Roles = []audit.Role{{ID: 1, Name: "@everyone"}}
	for i := range rapid.IntRange(1, 9).Draw(t, "roles") {
		s.Guild.Roles = append(s.Guild.Roles, audit.Role{
			ID: snowflake.ID(100 + i), Name: rapid.SampledFrom(roleNames).Draw(t, "role"), Managed: rapid.IntRange(0, 5).Draw(t, "managed") == 0,
			Position: rapid.IntRange(1, 11).Draw(t, "position"), Permissions: rapid.SampledFrom([]audit.Permissions{0, 0, 0, audit.BanMembers}).Draw(t, "permissions"),
		})
	}
	s.Auth = drawAuth(t)
	s.AuthHealth = rapid.SampledFrom([]audit.Health{audit.Healthy, audit.Healthy, audit.Healthy, audit.Doubtful, audit.Blind}).Draw(t, "health")
	s.drawOrders(t)
	for i := range rapid.IntRange(1, 12).Draw(t, "members") {
		s.members = append(s.members, audit.Member{
			ID: theOwner + snowflake.ID(i), Joined: rapid.SampledFrom([]int64{0, 1, s.At.UnixMicro()}).Draw(t, "joined"),
			Roles: drawRoles(t, len(s.Guild.Roles)), Flags: audit.MemberFlags(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "flags")),
		})
	}
	s.drawBrakes(t)
	return s
}

func drawRoles(t *rapid.T, n int) (set audit.RoleSet) {
	for i := range n {
		if rapid.Bool().Draw(t, "holds") {
			set = set.With(i)
		}
	}
	return set
}

func drawAuth(t *rapid.T) *audit.Directory {
	d := &audit.Directory{
		Groups: rapid.SliceOfNDistinct(rapid.SampledFrom(roleNames), 0, 4, rapid.ID).Draw(t, "groups"),
		States: rapid.SliceOfNDistinct(rapid.SampledFrom(roleNames), 1, 3, rapid.ID).Draw(t, "states"),
	}
	d.Reserved = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"MOD", "gamma"}), 0, 2, rapid.ID).Draw(t, "reserved")
	for i := range rapid.IntRange(0, 8).Draw(t, "accounts") {
		a := audit.Account{User: int64(i + 1), Active: rapid.IntRange(0, 4).Draw(t, "active") > 0}
		a.State = int32(rapid.IntRange(-1, len(d.States)-1).Draw(t, "state"))
		a.Access = a.Active && rapid.IntRange(0, 2).Draw(t, "access") > 0
		for g := range d.Groups {
			if rapid.Bool().Draw(t, "in") {
				a.Groups = append(a.Groups, int32(g))
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "linked") > 0 {
			a.Discord = drawMember(t)
		}
		d.Accounts = append(d.Accounts, a)
	}
	for range rapid.IntRange(0, 3).Draw(t, "identities") {
		d.Identities = append(d.Identities, audit.Identity{Discord: drawMember(t), User: rapid.Int64Range(1, 9).Draw(t, "of")})
	}
	d.Index()
	return d
}

func drawMember(t *rapid.T) snowflake.ID {
	return theOwner + snowflake.ID(rapid.IntRange(0, 11).Draw(t, "member"))
}

func (s *small) drawOrders(t *rapid.T) {
	role := func() snowflake.ID { return s.Guild.Roles[rapid.IntRange(0, len(s.Guild.Roles)-1).Draw(t, "role")].ID }
	s.ProposalsBind = rapid.Bool().Draw(t, "proposals bind")
	for range rapid.IntRange(0, 4).Draw(t, "bindings") {
		s.Bindings = append(s.Bindings, audit.Binding{
			Role: role(), Kind: rapid.SampledFrom([]audit.BindingKind{audit.ToGroup, audit.ToState, audit.Guarded}).Draw(t, "kind"),
			Name: rapid.SampledFrom(roleNames).Draw(t, "to"),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "exempt") {
		s.Exempt = append(s.Exempt, role())
	}
	for range rapid.IntRange(0, 2).Draw(t, "people") {
		s.Protected, s.Bots = append(s.Protected, drawMember(t)), append(s.Bots, drawMember(t))
	}
	acts := rapid.SampledFrom([]audit.Act{audit.Report, audit.Strip, audit.StripKick})
	for range rapid.IntRange(0, 3).Draw(t, "overrides") {
		s.Overrides = append(s.Overrides, audit.Override{Member: drawMember(t), Act: acts.Draw(t, "act")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "blocks") {
		s.Blocks = append(s.Blocks, audit.Block{Member: drawMember(t), Act: blockActs.Draw(t, "block")})
	}
	for range rapid.IntRange(0, 1).Draw(t, "immune") {
		s.Immune, s.ImmuneRoles = append(s.Immune, drawMember(t)), append(s.ImmuneRoles, role())
	}
	s.Ordered = rapid.SampledFrom([]audit.Act{audit.None, audit.None, audit.Report, audit.Strip, audit.StripKick}).Draw(t, "ordered")
	s.OpensNow = rapid.Bool().Draw(t, "opens now")
	for c := range audit.Categories() {
		r := &s.policy.Rules[c]
		r.Default = acts.Draw(t, "default")
		r.ByGroup, r.ByState = map[string]audit.Act{}, map[string]audit.Act{}
		for _, name := range s.Auth.Groups {
			if rapid.IntRange(0, 2).Draw(t, "by group") == 0 {
				r.ByGroup[name] = acts.Draw(t, "act")
			}
		}
		for _, name := range s.Auth.States {
			if rapid.IntRange(0, 2).Draw(t, "by state") == 0 {
				r.ByState[name] = acts.Draw(t, "act")
			}
		}
	}
}

func (s *small) drawBrakes(t *rapid.T) {
	s.full = rapid.IntRange(0, 5).Draw(t, "complete") > 0
	for d := audit.MembersTouched; d <= audit.BlockKicks; d++ {
		for w := audit.PerRun; w <= audit.PerDay; w++ {
			if rapid.Bool().Draw(t, "set") {
				s.policy.Limits[d][w] = audit.Brake{
					Set: rapid.IntRange(0, 3).Draw(t, "bound") > 0, Floor: rapid.IntRange(0, 3).Draw(t, "floor"),
					BasisPoints: rapid.IntRange(0, 10_000).Draw(t, "share"), Ceiling: rapid.IntRange(0, 12).Draw(t, "ceiling"),
				}
			}
		}
	}
	use := func() audit.Use {
		u := audit.Use{
			Members: map[snowflake.ID]struct{}{}, PerRole: map[snowflake.ID]int{}, Roles: rapid.IntRange(0, 3).Draw(t, "roles"),
			Kicks: rapid.IntRange(0, 3).Draw(t, "kicks"), Privileged: rapid.IntRange(0, 5).Draw(t, "privileged"), BlockKicks: rapid.IntRange(0, 5).Draw(t, "block kicks"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "touched") {
			u.Members[drawMember(t)] = struct{}{}
			u.PerRole[snowflake.ID(100+rapid.IntRange(0, 8).Draw(t, "role"))]++
		}
		return u
	}
	s.used = audit.Used{Live: rapid.Bool().Draw(t, "live"), Quarter: use(), Day: use()}
	for range rapid.IntRange(0, 2).Draw(t, "tripped") {
		by := audit.By{Dimension: audit.Dimension(rapid.IntRange(0, 5).Draw(t, "dimension"))}
		if by.Dimension == audit.OneRole {
			by.Role = 100
		}
		s.used.Tripped = append(s.used.Tripped, by)
	}
	shut := func() bool { return rapid.IntRange(0, 5).Draw(t, "shut") == 0 }
	s.gates = audit.Gates{Locked: shut(), Paused: shut(), DryRun: shut(), StripsLocked: shut(), KicksLocked: shut(), Once: shut()}
}

// audit runs the line.
func (s *small) audit() (*audit.Scene, []audit.Decision, audit.Plan) {
	scene := audit.NewScene(s.Subjects)
	decisions, population := audit.Survey(scene, s.members, &s.policy, func(*audit.Decision) bool { return true })
	population.Complete = s.full
	return scene, decisions, audit.MakePlan(s.Guild.ID, decisions, population, s.policy.Limits, s.used, s.gates)
}

func check(t *testing.T, property func(t *rapid.T, s *small)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSmall(t)
		property(t, &s)
	})
}

func TestApplyingAPlanAndPlanningAgainGivesNothing(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		scene, decisions, plan := s.audit()
		for _, a := range plan.Actions {
			s.apply(scene, a.Action)
		}
		if slices.ContainsFunc(decisions, func(d audit.Decision) bool { return d.Layer == audit.LayerBlock && d.Act == audit.Strip }) {
			// When a block has taken the roles, the policy says what becomes of who is left.
			_, _, plan = s.audit()
			for _, a := range plan.Actions {
				s.apply(scene, a.Action)
			}
		}
		if _, _, again := s.audit(); len(again.Actions) > 0 {
			t.Fatalf("still wanted: %+v", again.Actions)
		}
	})
}

func (s *small) apply(scene *audit.Scene, a audit.Action) {
	switch a.Kind {
	case audit.RemoveRole:
		i := slices.IndexFunc(scene.Guild.Roles, func(r audit.Role) bool { return r.ID == a.Role })
		for m := range s.members {
			if s.members[m].ID == a.Member {
				s.members[m].Roles = s.members[m].Roles.Minus(audit.RoleSet{}.With(i))
			}
		}
	case audit.KickMember, audit.BanMember:
		s.members = slices.DeleteFunc(s.members, func(m audit.Member) bool { return m.ID == a.Member })
	case audit.Contain, audit.GiveRoleBack:
	}
}

// mayGo says in other words than the engine's which roles may be taken from a member at all. A block takes what is bound whatever
// Auth gives, and goes by the bindings alone while Auth cannot be asked.
func (s *small) mayGo(r audit.Role, member snowflake.ID, blocked bool) bool {
	if r.Managed || r.ID == s.Guild.ID || r.Name == "@everyone" && r.Position == 0 || slices.Contains(s.Exempt, r.ID) {
		return false
	}
	reserved := s.Auth.IsReserved(r.Name)
	bound := s.ProposalsBind && !reserved && (slices.Contains(s.Auth.Groups, r.Name) || slices.Contains(s.Auth.States, r.Name))
	for _, b := range s.Bindings {
		switch {
		case b.Role != r.ID || b.Kind != audit.Guarded && reserved:
		case blocked && s.AuthHealth == audit.Blind:
			bound = true
		case b.Kind == audit.ToGroup && !slices.Contains(s.Auth.Groups, b.Name), b.Kind == audit.ToState && !slices.Contains(s.Auth.States, b.Name):
			return false
		default:
			bound = true
		}
	}
	return bound && (blocked || !s.gives(r, member))
}

// gives says whether Auth would write the role for one of the accounts that are linked to the member.
func (s *small) gives(r audit.Role, member snowflake.ID) bool {
	for _, a := range s.Auth.Accounts {
		if !a.Access || a.Discord != member {
			continue
		}
		stands := func(kind audit.BindingKind, name string) bool {
			return name == r.Name || slices.ContainsFunc(s.Bindings, func(b audit.Binding) bool { return b.Role == r.ID && b.Kind == kind && b.Name == name })
		}
		for _, g := range a.Groups {
			if stands(audit.ToGroup, s.Auth.Groups[g]) {
				return true
			}
		}
		for i, name := range s.Auth.States {
			if (a.State < 0 || int(a.State) == i) && stands(audit.ToState, name) {
				return true
			}
		}
	}
	return false
}

func TestTheUnmanagedAndTheEntitledAreNeverTouched(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		_, _, plan := s.audit()
		for _, a := range plan.Actions {
			if a.Kind == audit.Contain {
				t.Fatalf("contained by an audit, which only a rule may ask for: %+v", a)
			}
			for _, r := range s.Guild.Roles {
				if a.Kind == audit.RemoveRole && a.Role == r.ID && !s.mayGo(r, a.Member, a.Budget == audit.BlockBudget) {
					t.Fatalf("%q must stay with %d", r.Name, a.Member)
				}
			}
		}
	})
}

func TestNobodyIsTouchedWhoMustNotBe(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		_, _, plan := s.audit()
		for _, a := range plan.Actions {
			outs := a.Kind == audit.KickMember || a.Kind == audit.BanMember
			switch {
			case a.Member == theBot:
				t.Fatalf("the bot itself: %+v", a)
			case a.Budget == audit.BlockBudget && (slices.Contains(s.Immune, a.Member) || a.Member == s.Guild.Owner):
				t.Fatalf("the owner or an immune member by a block: %+v", a)
			case slices.Contains(s.Bots, a.Member), slices.Contains(s.Protected, a.Member):
				t.Fatalf("a bot or a protected member: %+v", a)
			case outs && (a.Member == s.Guild.Owner || s.Guild.Owner == 0):
				t.Fatalf("the owner, perhaps: %+v", a)
			case a.Kind != audit.RemoveRole && !outs:
				t.Fatalf("nobody asked for this: %+v", a)
			}
		}
	})
}

func TestRemovalsStayWithinEveryLimit(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		s.gates.Once = false
		_, _, plan := s.audit()
		windows := map[audit.Window]audit.Use{audit.PerDay: s.used.Day, audit.PerRun: {}}
		if s.used.Live {
			delete(windows, audit.PerRun)
			windows[audit.Live15m] = s.used.Quarter
		}
		for w, use := range windows {
			for d, n := range spent(plan.Free(), use) {
				b, population := s.policy.Limits[d.Dimension][w], len(s.members)
				if d.Dimension == audit.OneRole {
					population = s.holders(d.Role)
				}
				if b.Set && n > b.Allows(population) {
					t.Fatalf("%v %v: %d, %d allowed", d, w, n, b.Allows(population))
				}
			}
		}
	})
}

// spent counts in other words than the engine's what actions use, on top of what was used; only dimensions they draw on.
func spent(actions []audit.Planned, use audit.Use) map[audit.By]int {
	members, stripped := map[snowflake.ID]struct{}{}, maps.Clone(use.Stripped)
	if stripped == nil {
		stripped = map[snowflake.ID]struct{}{}
	}
	for id := range use.Members {
		members[id] = struct{}{}
	}
	sum := map[audit.By]int{}
	add := func(by audit.By, before int) {
		if _, ok := sum[by]; !ok {
			sum[by] = before
		}
		sum[by]++
	}
	for _, a := range actions {
		switch a.Budget {
		case audit.BlockBudget:
			if a.Kind == audit.RemoveRole {
				if _, before := stripped[a.Member]; before {
					continue
				}
				stripped[a.Member] = struct{}{}
			}
			add(audit.By{Dimension: audit.BlockKicks}, use.BlockKicks+len(use.Stripped))
			continue
		case audit.PrivilegedBudget:
			add(audit.By{Dimension: audit.PrivilegedRemoved}, use.Privileged)
			continue
		case audit.Ordinary:
		}
		members[a.Member] = struct{}{}
		sum[audit.By{Dimension: audit.MembersTouched}] = len(members)
		if a.Kind == audit.RemoveRole {
			add(audit.By{Dimension: audit.RolesRemoved}, use.Roles)
			add(audit.By{Dimension: audit.OneRole, Role: a.Role}, use.PerRole[a.Role])
		} else {
			add(audit.By{Dimension: audit.Kicks}, use.Kicks)
		}
	}
	return sum
}

func (s *small) holders(role snowflake.ID) (n int) {
	i := slices.IndexFunc(s.Guild.Roles, func(r audit.Role) bool { return r.ID == role })
	for _, m := range s.members {
		if m.Roles.Has(i) {
			n++
		}
	}
	return n
}

func TestADimensionIsNeverSplit(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		_, _, plan := s.audit()
		held, free := map[audit.By]bool{}, map[audit.By]bool{}
		for _, a := range plan.Actions {
			for by := range spent([]audit.Planned{a}, audit.Use{}) {
				if slices.Contains(a.Held, by) {
					held[by] = true
				} else {
					free[by] = true
				}
			}
		}
		for by := range held {
			if free[by] {
				t.Fatalf("%v holds some of the actions that draw on it, and not others", by)
			}
		}
	})
}

// A live look knows the accounts of a few members alone. What it decides about them is what a look at all of Auth decides.
func TestAPartOfAuthDecidesAsAllOfItDoes(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		whole := audit.NewScene(s.Subjects)
		var some []audit.Member
		var ids []snowflake.ID
		for i := range rapid.IntRange(1, 3).Draw(t, "some") {
			m := s.members[i%len(s.members)]
			some, ids = append(some, m), append(ids, m.ID)
		}
		part := s.Subjects
		part.Auth = s.Auth.Part(ids)
		scene := audit.NewScene(part)
		for _, m := range some {
			a, b := whole.Facts(m), scene.Facts(m)
			if diff := cmp.Diff(audit.Decide(a, audit.Classify(a), &s.policy), audit.Decide(b, audit.Classify(b), &s.policy)); diff != "" {
				t.Fatalf("member %d (-all +part):\n%s", m.ID, diff)
			}
		}
		if all, few := audit.Headcount(whole, s.members), audit.Headcount(scene, s.members); all.Wanted != few.Wanted || all.Holders != few.Holders {
			t.Fatalf("population %+v, want %+v", few, all)
		}
	})
}

func TestClosedGatesLetNothingThrough(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		_, _, plan := s.audit()
		if (s.gates.Locked || s.gates.Paused || s.gates.DryRun || !s.full) && len(plan.Free()) > 0 {
			t.Fatalf("free behind a closed gate: %+v", plan.Free())
		}
		for _, a := range plan.Free() {
			if a.Budget != audit.BlockBudget && (s.gates.StripsLocked && a.Kind == audit.RemoveRole || s.gates.KicksLocked && a.Kind != audit.RemoveRole) {
				t.Fatalf("nobody acknowledged this kind: %+v", a)
			}
		}
		for _, a := range plan.Actions {
			if len(plan.Trips()) > 0 && slices.ContainsFunc(a.Held, func(b audit.By) bool { return b.Gate != 0 }) {
				t.Fatal("tripped behind a gate")
			}
		}
	})
}

func TestASourceThatIsDownRemovesNothing(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		s.AuthHealth = rapid.SampledFrom([]audit.Health{audit.Doubtful, audit.Blind}).Draw(t, "down")
		if rapid.Bool().Draw(t, "gone") {
			s.Auth = nil
		}
		blocked := map[snowflake.ID]bool{}
		for _, b := range s.Blocks {
			blocked[b.Member] = true
		}
		_, decisions, plan := s.audit()
		for _, a := range plan.Actions {
			if a.Budget != audit.BlockBudget || !blocked[a.Member] {
				t.Fatalf("removed on the word of a source that is down: %+v", a)
			}
		}
		for _, d := range decisions {
			if s.Auth == nil && d.Category != audit.Undecidable && d.Category != audit.BotFiltered {
				t.Fatalf("concluded %s from nothing", d.Category)
			}
		}
	})
}

func TestTheOrderOfTheInputIsIrrelevant(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		sceneA, decisionsA, planA := s.audit()
		other := s.shuffled(t)
		sceneB, decisionsB, planB := other.audit()
		if diff := cmp.Diff(planA, planB); diff != "" {
			t.Fatalf("plans: %s", diff)
		}
		told := func(scene *audit.Scene, list []audit.Decision) map[snowflake.ID]string {
			m := map[snowflake.ID]string{}
			for _, d := range list {
				m[d.Member] = fmt.Sprint(d.Category, d.Act, d.LayerCode(), d.Reasons.Codes(), scene.RoleIDs(d.Surplus), scene.RoleIDs(d.Missing),
					d.Absent, scene.RoleIDs(d.Remove), scene.RoleIDs(d.Unreachable), scene.RoleIDs(d.Alarming), d.Kick, d.Ban, scene.Lookalikes(d.Held))
			}
			return m
		}
		if diff := cmp.Diff(told(sceneA, decisionsA), told(sceneB, decisionsB)); diff != "" {
			t.Fatalf("verdicts: %s", diff)
		}
		if diff := cmp.Diff(sceneA.RoleFindings(), sceneB.RoleFindings()); diff != "" {
			t.Fatalf("role findings: %s", diff)
		}
		if diff := cmp.Diff(sceneA.Proposals(), sceneB.Proposals()); diff != "" {
			t.Fatalf("proposals: %s", diff)
		}
	})
}

func (s *small) shuffled(t *rapid.T) small {
	other := *s
	order := rapid.Permutation(indexes(len(s.Guild.Roles))).Draw(t, "order of roles")
	other.Guild.Roles = nil
	for _, i := range order {
		other.Guild.Roles = append(other.Guild.Roles, s.Guild.Roles[i])
	}
	other.members = nil
	for _, m := range rapid.Permutation(s.members).Draw(t, "order of members") {
		roles := audit.RoleSet{}
		for to, from := range order {
			if m.Roles.Has(from) {
				roles = roles.With(to)
			}
		}
		m.Roles = roles
		other.members = append(other.members, m)
	}
	auth := *s.Auth
	auth.Identities = rapid.Permutation(s.Auth.Identities).Draw(t, "order of identities")
	auth.Reserved = rapid.Permutation(s.Auth.Reserved).Draw(t, "order of reserved names")
	other.Auth = &auth
	other.Bindings = rapid.Permutation(s.Bindings).Draw(t, "order of bindings")
	other.Exempt = rapid.Permutation(s.Exempt).Draw(t, "order of exceptions")
	other.Overrides = rapid.Permutation(s.Overrides).Draw(t, "order of overrides")
	other.Blocks = rapid.Permutation(s.Blocks).Draw(t, "order of blocks")
	other.used.Tripped = rapid.Permutation(s.used.Tripped).Draw(t, "order of trips")
	return other
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestExplainIsDecide(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		scene := audit.NewScene(s.Subjects)
		for _, m := range s.members {
			f := scene.Facts(m)
			explained, steps := audit.Explain(f, &s.policy)
			if diff := cmp.Diff(audit.Decide(f, audit.Classify(f), &s.policy), explained); diff != "" {
				t.Fatal(diff)
			}
			first := slices.IndexFunc(steps, func(step audit.Step) bool { return step.Applies })
			if first < 0 || steps[first].Layer != explained.Layer {
				t.Fatalf("decided by %s, and the first layer that applies is another: %v", explained.Layer, steps)
			}
		}
	})
}

func TestNoVerdictIsSevererThanItsCategoryAllows(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		_, decisions, _ := s.audit()
		for _, d := range decisions {
			if d.Layer != audit.LayerBlock && d.Act > max(audit.Report, d.Category.Severest()) {
				t.Fatalf("%s: %s", d.Category, d.Act)
			}
			if !d.Missing.And(d.Remove).Empty() || !d.Remove.Minus(d.Held).Empty() || !d.Privileged.Minus(d.Remove).Empty() || !d.Remove.And(d.Unreachable).Empty() {
				t.Fatalf("sets do not fit: %+v", d)
			}
		}
	})
}

func TestRoleSetsAreSets(t *testing.T) {
	type set = map[int]bool
	toSet := func(list []int) (r audit.RoleSet, m set) {
		m = set{}
		for _, i := range list {
			r, m[i] = r.With(i), true
		}
		return r, m
	}
	same := func(t *rapid.T, what string, r audit.RoleSet, in func(i int) bool) {
		n := 0
		for i := range audit.MaxRoles {
			if in(i) {
				n++
			}
			if r.Has(i) != in(i) {
				t.Fatalf("%s: %d", what, i)
			}
		}
		all := slices.Collect(r.All())
		if r.Len() != n || r.Empty() != (n == 0) || len(all) != n || !slices.IsSorted(all) {
			t.Fatalf("%s: %d roles, counted %d, listed %v", what, n, r.Len(), all)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.SliceOf(rapid.IntRange(0, audit.MaxRoles-1))
		a, inA := toSet(index.Draw(t, "a"))
		b, inB := toSet(index.Draw(t, "b"))
		same(t, "a", a, func(i int) bool { return inA[i] })
		same(t, "and", a.And(b), func(i int) bool { return inA[i] && inB[i] })
		same(t, "or", a.Or(b), func(i int) bool { return inA[i] || inB[i] })
		same(t, "minus", a.Minus(b), func(i int) bool { return inA[i] && !inB[i] })
		for i := range a.All() {
			if i > 100 {
				break // a loop over a set may end early
			}
		}
	})
}

func TestBrakesNeverOverflowAndNeverAllowLessThanNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Int(), rapid.SampledFrom([]int{0, 1, -1, math.MaxInt, math.MinInt, 10_000, 9_999}))
		b := audit.Brake{Floor: number.Draw(t, "floor"), BasisPoints: number.Draw(t, "share"), Ceiling: number.Draw(t, "ceiling"), Times: number.Draw(t, "times"), Set: true}
		population := number.Draw(t, "population")
		n := b.Allows(population)
		if n < 0 || b.Times <= 1 && n > max(0, b.Ceiling) {
			t.Fatalf("%+v in %d: %d", b, population, n)
		}
		if population < math.MaxInt && b.Allows(population+1) < n {
			t.Fatalf("%+v: more members, fewer allowed", b)
		}
	})
}

func TestSharesAreRoundedDown(t *testing.T) {
	l := audit.DefaultLimits()
	for _, c := range []struct {
		d          audit.Dimension
		w          audit.Window
		population int
		want       int
	}{
		{audit.MembersTouched, audit.PerRun, 0, 5},
		{audit.MembersTouched, audit.PerRun, 119, 5},
		{audit.MembersTouched, audit.PerRun, 120, 6},
		{audit.MembersTouched, audit.PerRun, 139, 6},
		{audit.MembersTouched, audit.PerRun, 1_019, 50},
		{audit.MembersTouched, audit.PerRun, math.MaxInt, 50},
		{audit.MembersTouched, audit.Live15m, 399, 3},
		{audit.MembersTouched, audit.Live15m, 400, 4},
		{audit.MembersTouched, audit.Live15m, 100_000, 10},
		{audit.MembersTouched, audit.PerDay, 109, 10},
		{audit.MembersTouched, audit.PerDay, 110, 11},
		{audit.MembersTouched, audit.PerDay, 100_000, 50},
		{audit.RolesRemoved, audit.PerRun, 139, 18}, // three times six, not a share of three times 5%
		{audit.RolesRemoved, audit.Live15m, 100_000, 30},
		{audit.RolesRemoved, audit.PerDay, 100_000, 150},
		{audit.OneRole, audit.PerRun, 0, 2},
		{audit.OneRole, audit.PerRun, 11, 2},
		{audit.OneRole, audit.PerRun, 12, 3},
		{audit.OneRole, audit.PerDay, 100_000, 50},
		{audit.Kicks, audit.PerRun, 100_000, 3},
		{audit.Kicks, audit.Live15m, 0, 3},
		{audit.Kicks, audit.PerDay, 0, 10},
		{audit.PrivilegedRemoved, audit.PerDay, 0, 5},
		{audit.BlockKicks, audit.PerDay, 0, 5},
	} {
		if b := l[c.d][c.w]; !b.Set || b.Allows(c.population) != c.want {
			t.Errorf("%s, %s, %d members: %d allowed, want %d", c.d, c.w, c.population, b.Allows(c.population), c.want)
		}
	}
	for _, c := range []struct {
		d audit.Dimension
		w audit.Window
	}{{audit.OneRole, audit.Live15m}, {audit.PrivilegedRemoved, audit.PerRun}, {audit.BlockKicks, audit.PerRun}} {
		if l[c.d][c.w].Set {
			t.Errorf("%s, %s is bound", c.d, c.w)
		}
	}
}
