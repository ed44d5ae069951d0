// Package rules holds the rules that gatecamp brings, one file each.
//
// What must stay true: each names the incident that fires it, and each only observes until an operator decides otherwise.
package rules

import "gatecamp/enforcement"

// BuiltIn is a rule, and the incidents that its edge must tell of for it to fire.
type BuiltIn struct {
	enforcement.Rule
	Fires string // what a person does that produces the incident, for docs and `rules list`
}

// All are the built-in rules, by name.
func All() []BuiltIn {
	return []BuiltIn{
		CommandFlood(), DistinctTargets(), FailedConfirmation(), FailedConfirmationOfCard(), JoinWave(), NumericLimit("amount", 100), PermissionProbing(), SensitiveChange(),
	}
}

// Incident types of the bot.
const (
	CommandRefused   = "discord.command.refused"    // a right, a gate or an allowance said no
	ConfirmationFail = "discord.confirmation.wrong" // a wrong phrase, or a press on somebody else's or an expired card
	MemberJoined     = "guild.member.join"
	MemberKicked     = "guild.member.kicked" // from Discord's audit log, like what follows: actor is who did it, field target whom
	MemberBanned     = "guild.member.banned"
	RoleGiven        = "guild.member.role_given"
	ChannelDeleted   = "guild.channel.deleted"
	RoleDeleted      = "guild.role.deleted"
	RoleUpdated      = "guild.role.update" // field granted: permissions that the role has now and had not
	WebhookCreated   = "guild.webhook.create"
	BotAdded         = "guild.bot.added"
)
