package rules

import (
	"time"

	"gatecamp/enforcement"
)

// PermissionProbing fires at the tenth refused attempt of one user within ten minutes.
func PermissionProbing() BuiltIn {
	return BuiltIn{Fires: "trying ten commands within ten minutes that are refused", Rule: enforcement.Rule{
		Name: "permission_probing", Severity: 6, On: []string{CommandRefused},
		Count:    &enforcement.Count{By: []enforcement.Scope{enforcement.User}, Threshold: 10, Window: 10 * time.Minute},
		Escalate: ladder(),
		Action:   enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.User}},
	}}
}
