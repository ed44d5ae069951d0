package i18n

// What rules tell the admin channel.
const (
	RuleFired     Key = "rule.fired"
	RuleUnknown   Key = "rule.unknown"
	RuleBlocked   Key = "rule.blocked"
	RuleForever   Key = "rule.forever"
	RuleContain   Key = "rule.contain"
	RuleUnscoped  Key = "rule.unscoped"
	RuleAlertOnly Key = "rule.alert_only"
	RuleAlerts    Key = "rule.alerts"
	RuleFailed    Key = "rule.failed"
	RuleFile      Key = "rule.file"
	RuleDropped   Key = "rule.dropped"

	RuleCommandFlood     Key = "rule.command_flood"
	RuleDistinctTargets  Key = "rule.distinct_targets"
	RuleConfirmation     Key = "rule.failed_confirmation"
	RuleConfirmationCard Key = "rule.failed_confirmation_of_card"
	RuleJoinWave         Key = "rule.join_wave"
	RuleNumericLimit     Key = "rule.numeric_limit"
	RuleProbing          Key = "rule.permission_probing"
	RuleSensitive        Key = "rule.sensitive_change"
)
