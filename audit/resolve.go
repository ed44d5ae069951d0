package audit

import (
	"maps"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// roleNames are the guild's roles by name, and what each of Auth's groups and states resolves to.
type roleNames struct {
	groups, states []RoleSet // by index into Directory.Groups and .States: every role that stands for it
	kept           RoleSet   // never asked for: @everyone, and roles that an operator exempted
}

// resolveRoles settles which roles are managed, bound, privileged and within reach.
func (s *Scene) resolveRoles() roleNames {
	byName := make(map[string]RoleSet, len(s.Guild.Roles))
	byID := make(map[snowflake.ID]int, len(s.Guild.Roles))
	var kept, untouchable, reserved RoleSet
	isReserved := s.Auth.reservedNames()
	exempt, privileged := set(s.Exempt), set(s.PrivilegedRoles)
	for i, r := range s.Guild.Roles {
		byName[r.Name] = byName[r.Name].With(i)
		byID[r.ID] = i
		if r.isEveryone(s.Guild.ID) {
			kept = kept.With(i)
		}
		if _, ok := exempt[r.ID]; ok {
			kept = kept.With(i)
		}
		if r.Managed {
			untouchable = untouchable.With(i)
		}
		if isReserved(r.Name) {
			reserved = reserved.With(i)
		}
		if _, ok := privileged[r.ID]; (ok || r.Permissions&Privileged != 0) && !r.isEveryone(s.Guild.ID) {
			s.privileged = s.privileged.With(i)
		}
		if !s.ReachKnown() || r.Position < s.Guild.BotTop {
			s.reach = s.reach.With(i)
		}
	}
	untouchable = untouchable.Or(kept)

	names := roleNames{kept: kept, groups: make([]RoleSet, len(s.Auth.Groups)), states: make([]RoleSet, len(s.Auth.States))}
	var proposed RoleSet
	propose := func(list []string, into []RoleSet) {
		for i, name := range list {
			into[i] = byName[RoleName(name)]
			proposed = proposed.Or(into[i])
		}
	}
	propose(s.Auth.Groups, names.groups)
	propose(s.Auth.States, names.states)
	proposed = proposed.Minus(untouchable).Minus(reserved)

	s.managed = proposed
	if s.ProposalsBind {
		s.bound = proposed
	}
	for _, b := range s.Bindings {
		i, ok := byID[b.Role]
		if !ok || untouchable.Has(i) {
			continue
		}
		known := b.Kind == Guarded || names.bind(s.Auth, b, i)
		if b.Kind != Guarded && reserved.Has(i) {
			continue
		}
		s.managed = s.managed.With(i)
		if known {
			s.bound = s.bound.With(i)
		}
	}
	return names
}

// bind lets a role stand for the group or state that it is bound to. A name that Auth no longer has binds nothing: the role stays
// managed for findings, and nothing is removed on the strength of a name that vanished.
func (n *roleNames) bind(d *Directory, b Binding, role int) bool {
	list, into := d.Groups, n.groups
	if b.Kind == ToState {
		list, into = d.States, n.states
	}
	i := slices.Index(list, b.Name)
	if i < 0 {
		return false
	}
	into[i] = into[i].With(role)
	return true
}

// isEveryone reports whether this is the role that every member holds: its id is the guild's.
func (r Role) isEveryone(guild snowflake.ID) bool {
	return guild != 0 && r.ID == guild || r.Name == "@everyone" && r.Position == 0
}

// resolveAccounts works out once per account which roles Auth may write for it, and which of them it should hold.
func (s *Scene) resolveAccounts(names roleNames) {
	var anyState RoleSet
	for _, set := range names.states {
		anyState = anyState.Or(set)
	}
	r := resolver{scene: s, kept: names.kept, twins: map[RoleSet]int32{}}
	s.accounts = make([]entitlements, len(s.Auth.Accounts))
	for i := range s.Auth.Accounts {
		a, e := &s.Auth.Accounts[i], &s.accounts[i]
		if !a.Access {
			continue
		}
		for _, g := range a.Groups {
			e.may = e.may.Or(names.groups[g])
		}
		if a.State < 0 {
			// Auth writes nothing for an account without a profile, so it lacks nothing, and any state could be its own.
			e.may = e.may.Or(anyState)
			continue
		}
		e.may = e.may.Or(names.states[a.State])
		for _, g := range a.Groups {
			r.want(e, names.groups[g], s.Auth.Groups[g])
		}
		r.want(e, names.states[a.State], s.Auth.States[a.State])
		s.wanted++
		slices.Sort(e.absent)
		e.absent = slices.Compact(e.absent)
	}
}

type resolver struct {
	scene *Scene
	kept  RoleSet
	twins map[RoleSet]int32 // to its index in Scene.twins
}

func (r *resolver) want(e *entitlements, roles RoleSet, name string) {
	switch {
	case !roles.And(r.kept).Empty():
	case roles.Empty():
		e.absent = append(e.absent, RoleName(name))
	case roles.Len() == 1:
		e.one = e.one.Or(roles)
	default:
		i, ok := r.twins[roles]
		if !ok {
			i = int32(len(r.scene.twins))
			r.twins[roles] = i
			r.scene.twins = append(r.scene.twins, roles)
		}
		if !slices.Contains(e.twins, i) {
			e.twins = append(e.twins, i)
		}
	}
}

// findLookalikes marks the roles that are not managed but could be taken for a role that is.
func (s *Scene) findLookalikes(names roleNames) {
	real := map[string]string{} // skeleton → the name it stands for; of several the first by byte
	learn := func(name string) {
		key := Skeleton(name)
		if old, ok := real[key]; key != "" && (!ok || name < old) {
			real[key] = name
		}
	}
	exact := map[string]struct{}{}
	for _, name := range slices.Concat(s.Auth.Groups, s.Auth.States) {
		learn(RoleName(name))
		exact[RoleName(name)] = struct{}{}
	}
	for i := range s.bound.All() {
		learn(s.Guild.Roles[i].Name)
	}
	for i, r := range s.Guild.Roles {
		if _, same := exact[r.Name]; same || s.managed.Has(i) || r.Managed || names.kept.Has(i) {
			continue
		}
		if like, ok := real[Skeleton(r.Name)]; ok {
			s.lookalikes = s.lookalikes.With(i)
			s.like[i] = like
		}
	}
}

// Lookalike is a role that is not managed, and the managed name that it resembles.
type Lookalike struct {
	Role snowflake.ID
	Like string
}

// Lookalikes are those among the roles of a set, by id; never nil.
func (s *Scene) Lookalikes(held RoleSet) []Lookalike {
	found := []Lookalike{}
	for i := range held.And(s.lookalikes).All() {
		found = append(found, Lookalike{Role: s.Guild.Roles[i].ID, Like: s.like[i]})
	}
	slices.SortFunc(found, func(a, b Lookalike) int { return compareIDs(a.Role, b.Role) })
	return found
}

// Proposal is a binding that Auth's own rules suggest for a role that is not bound.
type Proposal struct {
	Binding
	RoleName string
}

// Proposals lists them by role, then kind and name: one role can stand for a group and a state of one name.
func (s *Scene) Proposals() []Proposal {
	var list []Proposal
	open := s.Proposed()
	for i := range open.All() {
		role := s.Guild.Roles[i]
		for kind, names := range map[BindingKind][]string{ToGroup: s.Auth.Groups, ToState: s.Auth.States} {
			for _, name := range names {
				if RoleName(name) == role.Name {
					list = append(list, Proposal{Binding: Binding{Role: role.ID, Kind: kind, Name: name}, RoleName: role.Name})
				}
			}
		}
	}
	slices.SortFunc(list, compareProposals)
	return list
}

// RoleTrouble is what can be wrong with a managed role itself.
type RoleTrouble int

// The troubles.
const (
	Twins        RoleTrouble = iota + 1 // two or more roles of one managed name: Auth may use either
	Vanished                            // bound, but the guild has no such role any more
	Renamed                             // bound, but its name is no longer the one Auth writes
	Unnamed                             // bound to a group or state that Auth no longer has
	Resembling                          // not managed, but could be taken for a managed role
	OutOfReach                          // managed, but not below the bot's highest role
	roleTroubles                        // number of troubles
)

var troubleNames = [...]string{"", "twin_roles", "role_vanished", "role_renamed", "name_vanished", "lookalike_role", "role_out_of_reach"}

func (t RoleTrouble) String() string { return troubleNames[t] }

// RoleFinding is a finding about a role instead of a member.
type RoleFinding struct {
	Role    snowflake.ID
	Trouble RoleTrouble
	Name    string // the role's name now; empty when it vanished
	Expects string // the name that Auth writes, or the one it resembles
}

// RoleFindings lists what is wrong with the managed roles, by role and trouble. Without a believable Auth there are none.
func (s *Scene) RoleFindings() []RoleFinding {
	if s.AuthHealth == Blind {
		return nil
	}
	var found []RoleFinding
	byName := map[string][]int{}
	for i := range s.managed.All() {
		r := s.Guild.Roles[i]
		byName[r.Name] = append(byName[r.Name], i)
		if !s.reach.Has(i) {
			found = append(found, RoleFinding{Role: r.ID, Trouble: OutOfReach, Name: r.Name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if len(byName[name]) < 2 {
			continue
		}
		for _, i := range byName[name] {
			found = append(found, RoleFinding{Role: s.Guild.Roles[i].ID, Trouble: Twins, Name: name, Expects: name})
		}
	}
	for i := range s.lookalikes.All() {
		found = append(found, RoleFinding{Role: s.Guild.Roles[i].ID, Trouble: Resembling, Name: s.Guild.Roles[i].Name, Expects: s.like[i]})
	}
	for _, b := range s.Bindings {
		if f, wrong := s.bindingTrouble(b); wrong {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, compareRoleFindings)
	return found
}

func (s *Scene) bindingTrouble(b Binding) (RoleFinding, bool) {
	f := RoleFinding{Role: b.Role, Expects: RoleName(b.Name)}
	i := slices.IndexFunc(s.Guild.Roles, func(r Role) bool { return r.ID == b.Role })
	if i < 0 {
		f.Trouble = Vanished
		return f, true
	}
	f.Name = s.Guild.Roles[i].Name
	list := s.Auth.Groups
	if b.Kind == ToState {
		list = s.Auth.States
	}
	switch {
	case b.Kind != Guarded && !slices.Contains(list, b.Name):
		f.Trouble = Unnamed
	case f.Name != f.Expects:
		f.Trouble = Renamed
	default:
		return f, false
	}
	return f, true
}
