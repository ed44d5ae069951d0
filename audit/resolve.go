package audit

import (
	"math/bits"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// roleNames are the guild's roles by name, and what each of Auth's groups and states resolves to.
type roleNames struct {
	groups, states []RoleSet // by index into Directory.Groups and .States: every role that stands for it
	kept           RoleSet   // never asked for: @everyone, and roles that an operator exempted
}

// roleKinds are the guild's roles by what may be done with them.
type roleKinds struct {
	byName      map[string]RoleSet
	byID        map[snowflake.ID]int
	untouchable RoleSet // kept roles, and those that Discord manages
	reserved    RoleSet // of a name that Auth leaves alone
}

// resolveRoles settles which roles are managed, bound, privileged and within reach.
func (s *Scene) resolveRoles() roleNames {
	names := roleNames{groups: make([]RoleSet, len(s.Auth.Groups)), states: make([]RoleSet, len(s.Auth.States))}
	kinds := s.sortRoles(&names)
	for i, name := range s.Auth.Groups {
		names.groups[i] = kinds.byName[RoleName(name)]
		s.managed = s.managed.Or(names.groups[i])
	}
	for i, name := range s.Auth.States {
		names.states[i] = kinds.byName[RoleName(name)]
		s.managed = s.managed.Or(names.states[i])
	}
	s.managed = s.managed.Minus(kinds.untouchable).Minus(kinds.reserved)
	if s.ProposalsBind {
		s.bound = s.managed
	}
	s.bindRoles(&names, kinds)
	return names
}

func (s *Scene) sortRoles(names *roleNames) roleKinds {
	kinds := roleKinds{byName: make(map[string]RoleSet, len(s.Guild.Roles)), byID: make(map[snowflake.ID]int, len(s.Guild.Roles))}
	isReserved := s.Auth.reservedNames()
	exempt, privileged, immune := set(s.Exempt), set(s.PrivilegedRoles), set(s.ImmuneRoles)
	for i, r := range s.Guild.Roles {
		everyone := r.isEveryone(s.Guild.ID)
		kinds.byName[r.Name] = kinds.byName[r.Name].With(i)
		kinds.byID[r.ID] = i
		if everyone || has(exempt, r.ID) {
			names.kept = names.kept.With(i)
		}
		if r.Managed || everyone {
			s.discords = s.discords.With(i)
		}
		if r.Managed {
			kinds.untouchable = kinds.untouchable.With(i)
		}
		if isReserved(r.Name) {
			kinds.reserved = kinds.reserved.With(i)
		}
		if !everyone && (r.Permissions&Privileged != 0 || has(privileged, r.ID)) {
			s.privileged = s.privileged.With(i)
		}
		if has(immune, r.ID) {
			s.immune = s.immune.With(i)
		}
		if s.Guild.Reaches(r) {
			s.reach = s.reach.With(i)
		}
	}
	kinds.untouchable = kinds.untouchable.Or(names.kept)
	return kinds
}

// bindRoles takes the bindings over. A role of which one binding names what Auth no longer has stays managed for findings, and
// nothing is removed on the strength of a name that vanished.
func (s *Scene) bindRoles(names *roleNames, kinds roleKinds) {
	var unnamed RoleSet
	for _, b := range s.Bindings {
		i, ok := kinds.byID[b.Role]
		if !ok || kinds.untouchable.Has(i) || b.Kind != Guarded && kinds.reserved.Has(i) {
			continue
		}
		s.managed, s.bound = s.managed.With(i), s.bound.With(i)
		if b.Kind != Guarded && !names.bind(s.Auth, b, i) {
			unnamed = unnamed.With(i)
		}
	}
	s.tied = s.bound
	s.bound = s.bound.Minus(unnamed)
	if s.AuthHealth != Blind { // who cannot be asked has not dropped the name
		s.tied = s.bound
	}
}

// bind lets a role stand for the group or state that it is bound to; false: Auth has none of this name any more.
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

// resolveAccounts works out which roles Auth may write for each account, and which of them it should hold: once for all accounts of
// the same state and groups.
func (s *Scene) resolveAccounts(names roleNames) {
	r := resolver{scene: s, names: names, twins: map[RoleSet]int32{}}
	for _, set := range names.states {
		r.anyState = r.anyState.Or(set)
	}
	alike := r.sortAlike()
	s.due = make([]entitlements, len(alike)) // the first: nothing, for who has no access
	for i, account := range alike[1:] {
		s.due[i+1] = r.entitle(&s.Auth.Accounts[account])
	}
}

// entitled is what Auth gives to an account.
func (s *Scene) entitled(account int32) *entitlements { return &s.due[s.dueTo[account]] }

// twins are roles that stand for one name; Auth may use any of them.
type twins struct {
	roles  RoleSet
	lowest int // the index of the one with the lowest id that is not kept, named when none is held
}

func (s *Scene) lowest(set RoleSet) int {
	lowest := -1
	for i := range set.All() {
		if lowest < 0 || s.Guild.Roles[i].ID < s.Guild.Roles[lowest].ID {
			lowest = i
		}
	}
	return lowest
}

type resolver struct {
	scene    *Scene
	names    roleNames
	anyState RoleSet
	twins    map[RoleSet]int32 // to its index in Scene.twins
}

// sortAlike fills Scene.dueTo and names for each index in Scene.due the first of the accounts that share it. The table is an open one,
// as in links.
func (r *resolver) sortAlike() (alike []int32) {
	s := r.scene
	accounts := s.Auth.Accounts
	s.dueTo, alike = make([]int32, len(accounts)), []int32{0}
	size := bits.Len(uint(len(accounts) + len(accounts)/3))
	slots := make([]int32, 1<<size) // indexes into alike; 0: free
	for i := range accounts {
		a := &accounts[i]
		if !a.Access {
			continue
		}
		at := int(a.rolesDigest() >> (64 - size))
		for slots[at] != 0 && !a.rolesAlike(&accounts[alike[slots[at]]]) {
			at = (at + 1) & (len(slots) - 1)
		}
		if slots[at] == 0 {
			slots[at] = int32(len(alike))
			alike = append(alike, int32(i))
		}
		s.dueTo[i] = slots[at]
	}
	return alike
}

// rolesAlike reports whether Auth writes the same roles for both.
func (a *Account) rolesAlike(b *Account) bool {
	return a.State == b.State && slices.Equal(a.Groups, b.Groups)
}

// rolesDigest is equal for accounts that are rolesAlike.
func (a *Account) rolesDigest() uint64 {
	sum := golden * uint64(a.State+2)
	for _, g := range a.Groups {
		sum ^= sum >> 32
		sum = (sum ^ uint64(g+1)) * golden
	}
	return sum
}

func (r *resolver) entitle(a *Account) (e entitlements) {
	for _, g := range a.Groups {
		e.may = e.may.Or(r.names.groups[g])
	}
	if a.State < 0 {
		// Auth writes nothing for an account without a profile, so it lacks nothing, and any state could be its own.
		e.may = e.may.Or(r.anyState)
		return e
	}
	e.may = e.may.Or(r.names.states[a.State])
	for _, g := range a.Groups {
		r.want(&e, r.names.groups[g], r.scene.Auth.Groups[g])
	}
	r.want(&e, r.names.states[a.State], r.scene.Auth.States[a.State])
	slices.Sort(e.absent)
	e.absent = slices.Compact(e.absent)
	return e
}

// want asks for the roles of one name. A kept one is never asked for, but who holds it has what Auth gives.
func (r *resolver) want(e *entitlements, roles RoleSet, name string) {
	asked := roles.Minus(r.names.kept)
	switch {
	case roles.Empty():
		e.absent = append(e.absent, RoleName(name))
	case asked.Empty():
	case roles.Len() == 1:
		e.one = e.one.Or(roles)
	default:
		i, ok := r.twins[roles]
		if !ok {
			i = int32(len(r.scene.twins))
			r.twins[roles] = i
			r.scene.twins = append(r.scene.twins, twins{roles, r.scene.lowest(asked)})
		}
		if !slices.Contains(e.twins, i) {
			e.twins = append(e.twins, i)
		}
	}
}
