package rules

import "gatecamp/enforcement"

// SensitiveChange fires at every single change that gives away a guild: a dangerous permission granted, a managed role edited or
// deleted, a webhook made, a bot added. The edge says which in the field change.
func SensitiveChange() BuiltIn {
	return BuiltIn{Fires: "granting a dangerous permission to a role or in a channel, editing or deleting a managed role, making a webhook or adding a bot", Rule: enforcement.Rule{
		Name: "sensitive_change", Severity: 8, On: []string{RoleUpdated, RoleDeleted, OverwriteChanged, WebhookCreated, BotAdded},
		Where:  &enforcement.Where{Field: "change", HasAny: []string{ChangePermission, ChangeManaged, ChangeWebhook, ChangeBot}},
		Action: enforcement.Action{Do: enforcement.Observe, Scopes: []enforcement.Scope{enforcement.Member}},
	}}
}
