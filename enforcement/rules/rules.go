// Package rules holds the rules that gatecamp brings, one file each.
//
// What must stay true: each names the incident that fires it, and each only observes until an operator decides otherwise.
package rules

import (
	"slices"

	"gatecamp/enforcement"
)

// BuiltIn is a rule, and the incidents that its edge must tell of for it to fire.
type BuiltIn struct {
	enforcement.Rule
	Fires string // what a person does that produces the incident, for docs and `rules list`
}

// All are the built-in rules, by name.
func All() []BuiltIn {
	return []BuiltIn{
		CommandFlood(), DistinctTargets(), FailedConfirmation(), FailedConfirmationOfCard(), JoinWave(), NumericLimit("more_members", 10), PermissionProbing(), SensitiveChange(),
	}
}

// Beside adds the built-in rules to a configuration. A rule of its own that has a built-in's name stands in its place.
func Beside(c enforcement.Config) enforcement.Config {
	own := c.Rules
	c.Rules = nil
	for _, b := range All() {
		if !slices.ContainsFunc(own, func(r enforcement.Rule) bool { return r.Name == b.Name }) {
			c.Rules = append(c.Rules, b.Rule)
		}
	}
	c.Rules = append(c.Rules, own...)
	return c
}

// Incident types of the bot. Of those from Discord's audit log the actor is who did it, and the field target is whom or what it was done to.
const (
	CommandRefused   = "discord.command.refused"    // a right, a gate or an allowance said no; field refusal: which
	ConfirmationFail = "discord.confirmation.wrong" // a wrong phrase, or a press on somebody else's or an expired card

	MemberJoined   = "guild.member.join"   // field member: who, bot: whether it is one, account_days: how old the account is
	MemberKicked   = "guild.member.kicked" // from the audit log, like what follows
	MemberBanned   = "guild.member.banned"
	MembersPruned  = "guild.member.pruned"     // field members_removed: how many
	RoleGiven      = "guild.member.role_given" // by a person; field roles: which
	RoleGivenByBot = "guild.member.role_given_by_bot"
	ChannelDeleted = "guild.channel.deleted"
	RoleDeleted    = "guild.role.deleted"
	RoleUpdated    = "guild.role.update" // made or edited; field changed_fields: what of it, granted: dangerous permissions that it has now and had not

	OverwriteChanged = "guild.channel.overwrite_changed" // a channel's own permissions; field granted likewise
	WebhookCreated   = "guild.webhook.create"
	BotAdded         = "guild.bot.added"
)

// What came of a command, a press or a modal that the guard let through: one incident each, "discord.command.success" and so on.
const (
	CommandPrefix   = "discord.command."
	ComponentPrefix = "discord.component."
	ModalPrefix     = "discord.modal."

	OutcomeSuccess   = "success"
	OutcomeUserError = "user_error" // the person can mend it: wrong arguments, nothing found, no right
	OutcomeError     = "error"      // we failed
)

// What the field change of a sensitive change says.
const (
	ChangePermission = "dangerous_permission" // was granted
	ChangeManaged    = "managed_role"         // a role that the audit line manages was edited or deleted
	ChangeWebhook    = "webhook"              // was made
	ChangeBot        = "bot"                  // was added
)
