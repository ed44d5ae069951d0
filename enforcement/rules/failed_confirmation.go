package rules

import (
	"time"

	"gatecamp/enforcement"
)

// FailedConfirmation fires at the fifth failed confirmation of one user within ten minutes.
func FailedConfirmation() BuiltIn {
	return BuiltIn{Fires: "typing a wrong phrase, or pressing somebody else's or an expired button, five times within ten minutes", Rule: enforcement.Rule{
		Name: "failed_confirmation", Severity: 7, On: []string{ConfirmationFail},
		Count:    &enforcement.Count{By: []enforcement.Scope{enforcement.User}, Threshold: 5, Window: 10 * time.Minute},
		Escalate: ladder(),
		Action:   enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.User}},
	}}
}

// FailedConfirmationOfCard fires at the fifth failed confirmation of one card, whoever they were: the card's id is the session.
func FailedConfirmationOfCard() BuiltIn {
	return BuiltIn{Fires: "failing to confirm one card five times, by one or by several", Rule: enforcement.Rule{
		Name: "failed_confirmation_of_card", Severity: 7, On: []string{ConfirmationFail},
		Count:  &enforcement.Count{By: []enforcement.Scope{enforcement.Session}, Threshold: 5, Window: 10 * time.Minute},
		Action: enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.Session}},
	}}
}
