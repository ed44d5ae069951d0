package rules

import "gatecamp/enforcement"

// SensitiveChange fires at every single change that gives away a guild: a dangerous permission granted, a managed role edited, a
// webhook made, a bot added. The edge says which in the field change.
func SensitiveChange() BuiltIn {
	return BuiltIn{Fires: "granting a dangerous permission, editing a managed role, making a webhook or adding a bot", Rule: enforcement.Rule{
		Name: "sensitive_change", Severity: 8, On: []string{RoleUpdated, WebhookCreated, BotAdded},
		Where:  &enforcement.Where{Field: "change", HasAny: []string{"dangerous_permission", "managed_role", "webhook", "bot"}},
		Action: enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.Member}},
	}}
}
