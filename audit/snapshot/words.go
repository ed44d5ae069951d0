package snapshot

import (
	"fmt"

	"gatecamp/audit"
)

func categoryWords(c audit.Category) string {
	switch c {
	case audit.BotFiltered:
		return "bots; never touched"
	case audit.Undecidable:
		return "Auth could not be believed, so nothing is concluded"
	case audit.UnknownGuest:
		return "Auth knows nothing about this Discord account"
	case audit.LinkedNoPerm:
		return "known to Auth, but may not use Discord"
	case audit.SurplusRoles:
		return "may use Discord, but holds a role that Auth does not give"
	case audit.MissingRoles:
		return "may use Discord, but lacks a role that Auth gives"
	case audit.InOrder:
		return "nothing wrong"
	}
	return ""
}

var reasonSentences = [...]string{
	audit.NotLinked:        "no Auth account is linked to it",
	audit.NoAccess:         "the account lacks discord.access_discord",
	audit.Deactivated:      "the account is deactivated in Auth",
	audit.OldAccount:       "an earlier Discord account of an Auth user",
	audit.LinkLost:         "that user has access, and no Discord account linked any more",
	audit.SeveralAccounts:  "several Auth users are linked to it",
	audit.NoProfile:        "the account has no profile in Auth",
	audit.HoldsSurplus:     "holds what Auth does not give",
	audit.LacksRole:        "lacks what Auth gives",
	audit.HoldsProposed:    "some of the roles are managed by their name alone",
	audit.BotSelf:          "this is gatecamp itself",
	audit.BotFlag:          "Discord says this is a bot",
	audit.BotListed:        "listed as a bot by an operator",
	audit.BotLinked:        "a bot that is linked to an Auth user: one of the two is wrong",
	audit.AuthBlind:        "Auth could not be believed",
	audit.AuthDoubtful:     "Auth looks wrong, so everything is only reported",
	audit.Blocked:          "blocked",
	audit.ProtectedMember:  "protected by an operator",
	audit.ScreeningOpen:    "membership screening is not finished",
	audit.JoinedLately:     "joined a short while ago",
	audit.LostLately:       "lost it a short while ago",
	audit.IsOwner:          "owns the guild, so is never kicked",
	audit.OwnerUnknown:     "who owns the guild is unknown, so nobody is kicked",
	audit.MemberAboveBot:   "stands above the bot, so Discord would refuse a kick",
	audit.RoleAboveBot:     "a role stands above the bot, so Discord would refuse to take it",
	audit.HierarchyUnknown: "how far the bot reaches is unknown",
}

func reasonWords(r audit.Reason) string {
	if int(r) < len(reasonSentences) {
		return reasonSentences[r]
	}
	return r.String()
}

func gateWords(g audit.Gate) string {
	switch g {
	case audit.Lock:
		return "nobody has acknowledged a first report for this guild, so nothing is done"
	case audit.Pause:
		return "somebody paused everything that changes Discord"
	case audit.DryRun:
		return "this run only reports"
	case audit.Roster:
		return "the member list is not proven to be complete"
	case audit.NothingWanted:
		return "Auth gives nobody any role here; that is an outage, not a plan"
	case audit.Outage:
		return "Discord does not show the guild to its bots at the moment"
	case audit.Fight:
		return "this role was taken three times within an hour and came back each time; it rests until the first of them is an hour old"
	}
	return g.String()
}

func windowWords(w audit.Window) string {
	switch w {
	case audit.PerRun:
		return "one run"
	case audit.Live15m:
		return "15 minutes"
	case audit.PerDay:
		return "24 hours"
	}
	return w.String()
}

func troubleWords(r audit.RoleFinding) string {
	switch r.Trouble {
	case audit.Twins:
		return "another role has the same name; Auth may use either, so both count as managed"
	case audit.Vanished:
		if r.Expects == "" {
			return "guarded, but the guild has no such role any more"
		}
		return fmt.Sprintf("bound to %s, but the guild has no such role any more", quoted(r.Expects))
	case audit.Renamed:
		return fmt.Sprintf("bound, but no longer named %s as Auth writes it", quoted(r.Expects))
	case audit.Unnamed:
		return fmt.Sprintf("bound to %s, which Auth does not have any more", quoted(r.Expects))
	case audit.Resembling:
		return fmt.Sprintf("is not managed, and can be taken for %s", quoted(r.Expects))
	case audit.OutOfReach:
		return "not below the bot's highest role, so the bot cannot take it from anybody"
	case audit.Fought:
		return "given back to a member each time that it was taken"
	}
	return r.Trouble.String()
}
