package audit

import (
	"maps"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

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
	Fought                              // given back to a member again and again after it was removed; not part of RoleFindings
	roleTroubles                        // number of troubles
)

var troubleNames = [...]string{"", "twin_roles", "role_vanished", "role_renamed", "name_vanished", "lookalike_role", "role_out_of_reach", "fight"}

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
	return slices.Compact(found)
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
	case f.Name != f.Expects && f.Expects != "": // a guarded role may have been bound by its id alone
		f.Trouble = Renamed
	default:
		return f, false
	}
	return f, true
}
