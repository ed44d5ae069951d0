package rules

import (
	"time"

	"gatecamp/enforcement"
)

// JoinWave fires when twenty different accounts join one guild within a minute.
func JoinWave() BuiltIn {
	return BuiltIn{Fires: "twenty accounts joining within a minute", Rule: enforcement.Rule{
		Name: "join_wave", Severity: 6, On: []string{MemberJoined},
		Count:  &enforcement.Count{By: []enforcement.Scope{enforcement.Guild}, Threshold: 20, Window: time.Minute, Distinct: "member"},
		Action: enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.Guild}},
	}}
}
