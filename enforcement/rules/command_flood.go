package rules

import (
	"time"

	"gatecamp/enforcement"
)

// CommandFlood fires at the tenth use of one command or button by one user within 20 seconds, before the handler.
func CommandFlood() BuiltIn {
	return BuiltIn{Fires: "using the same command or button ten times within 20 seconds", Rule: enforcement.Rule{
		Name: "command_flood", Severity: 4, Stage: enforcement.AtIngress, On: []string{enforcement.IngressDiscord},
		Count:    &enforcement.Count{By: []enforcement.Scope{enforcement.User, enforcement.Route}, Threshold: 10, Window: 20 * time.Second},
		Escalate: ladder(),
		Action:   enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.User}},
	}}
}

// ladder is how long repeated offenders stay out once a rule blocks.
func ladder() []time.Duration {
	return []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour, enforcement.Forever}
}
