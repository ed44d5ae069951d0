package rules

// IncidentType is something that happens and that rules may look at.
type IncidentType struct {
	Type   string
	When   string // it is told, completing "when …"
	Actor  string // who acts
	Fields string // what it carries besides, for documents
}

// Incidents are all types of incident that this program tells rules of, in the order of documents. A rule on any other type never fires.
func Incidents() []IncidentType {
	all := []IncidentType{
		{"audit.discord.ingress.pre", "somebody uses a command, a button or a modal, before anything is done; for rules at `stage: ingress` alone", "who uses it", "the numbers that were given, by option; of an option that names members how many they are"},
	}
	for _, k := range []struct{ prefix, what string }{{CommandPrefix, "a command"}, {ComponentPrefix, "a press of a button"}, {ModalPrefix, "a modal"}} {
		all = append(all,
			IncidentType{k.prefix + OutcomeSuccess, k.what + " was answered as asked", "who used it", outcomeFields},
			IncidentType{k.prefix + OutcomeUserError, k.what + " could not be done as it was asked: refused, nothing found, wrong words", "who used it", outcomeFields},
			IncidentType{k.prefix + OutcomeError, k.what + " failed on our side", "who used it", outcomeFields},
		)
	}
	return append(all,
		IncidentType{CommandRefused, "a right, a gate or an allowance said no", "who tried", outcomeFields + "; `refusal`: the code under which it is recorded"},
		IncidentType{ConfirmationFail, "a phrase was typed wrongly, or somebody pressed what is somebody else's, over, or not there", "who tried; the card is the `session`", outcomeFields},
		IncidentType{MemberJoined, "somebody joins", "who joins", "`member`, `bot`, `account_days`: how old the account is"},
		IncidentType{MemberKicked, "somebody is kicked", byEntry, entryFields},
		IncidentType{MemberBanned, "somebody is banned", byEntry, entryFields},
		IncidentType{MembersPruned, "members are pruned", byEntry, "`entry`, `by_bot`, `members_removed`"},
		IncidentType{RoleGiven, "a person gives a member roles", byEntry, entryFields + ", `roles`"},
		IncidentType{RoleGivenByBot, "a bot gives a member roles, as Auth's does by trade", byEntry, entryFields + ", `roles`"},
		IncidentType{ChannelDeleted, "a channel is deleted", byEntry, entryFields},
		IncidentType{RoleDeleted, "a role is deleted", byEntry, entryFields + ", `change`: `managed_role`, where the audit line manages it"},
		IncidentType{RoleUpdated, "a role is made or edited", byEntry, entryFields + ", `changed_fields`, `granted`: dangerous permissions that it has now and had not, `change`: `dangerous_permission`, `managed_role`"},
		IncidentType{OverwriteChanged, "what a role or member may do in one channel is changed", byEntry, entryFields + ", `changed_fields`, `granted`, `change`: `dangerous_permission`"},
		IncidentType{WebhookCreated, "a webhook is made", byEntry, entryFields + ", `change`: `webhook`"},
		IncidentType{BotAdded, "a bot is added", byEntry, entryFields + ", `change`: `bot`"},
	)
}

const (
	byEntry       = "who did it, as Discord's audit log says"
	entryFields   = "`target`, `entry`, `by_bot`"
	outcomeFields = "`command`, and its options that are numbers, flags, members, roles or channels, by name"
)
