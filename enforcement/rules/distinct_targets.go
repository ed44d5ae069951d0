package rules

import (
	"time"

	"gatecamp/enforcement"
)

// DistinctTargets fires at the fifth different target of one moderator within a minute: what a nuke of a guild begins with.
func DistinctTargets() BuiltIn {
	return BuiltIn{Fires: "kicking, banning or giving roles to five members, or deleting five channels or roles, within a minute", Rule: enforcement.Rule{
		Name: "distinct_targets", Severity: 9, On: []string{MemberKicked, MemberBanned, RoleGiven, ChannelDeleted, RoleDeleted},
		Count:  &enforcement.Count{By: []enforcement.Scope{enforcement.Member}, Threshold: 5, Window: time.Minute, Distinct: "target"},
		Action: enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.Member}},
	}}
}
