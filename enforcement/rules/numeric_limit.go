package rules

import "gatecamp/enforcement"

// NumericLimit fires at an attempt whose numeric option is above the limit, before the handler.
func NumericLimit(option string, limit float64) BuiltIn {
	return BuiltIn{Fires: "giving the option " + option + " a number above the limit", Rule: enforcement.Rule{
		Name: "numeric_limit", Severity: 6, Stage: enforcement.AtIngress, On: []string{enforcement.IngressDiscord},
		Where:  &enforcement.Where{Field: option, Above: &limit},
		Action: enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.User}},
	}}
}
