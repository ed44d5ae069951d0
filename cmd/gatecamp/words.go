package main

import (
	"fmt"
	"strings"
	"time"

	"gatecamp/audit"
	"gatecamp/storage"
)

// The words of the console for codes that the record keeps. Programs read the codes, people these.

// categoryWords says what a category means.
func categoryWords(c audit.Category) string {
	return [...]string{
		audit.BotFiltered: "bots", audit.Undecidable: "nothing can be said about them: a source is blind",
		audit.UnknownGuest: "strangers: Auth knows nothing about them", audit.LinkedNoPerm: "known to Auth, but may not use Discord",
		audit.SurplusRoles: "hold a managed role that Auth does not give them", audit.MissingRoles: "lack a role that Auth gives them",
		audit.InOrder: "in order",
	}[c]
}

// actWords says what an action would do.
func actWords(a audit.Act) string {
	return [...]string{
		audit.None: "nothing", audit.Report: "report it, change nothing", audit.Strip: "take the managed roles that Auth does not give",
		audit.StripKick: "take those roles and kick", audit.Kick: "kick (blocked)", audit.Ban: "ban (blocked)",
	}[a]
}

// reasonWords says what led to a verdict.
func reasonWords(r audit.Reason) string {
	return [...]string{
		audit.NotLinked:        "no Auth account is linked to this Discord account, and none is known to have been",
		audit.NoAccess:         "the Auth account lacks the permission to use Discord",
		audit.Deactivated:      "the Auth account is deactivated",
		audit.OldAccount:       "this is an earlier Discord account of an Auth user",
		audit.LinkLost:         "that user has access, and no Discord account is linked any more",
		audit.SeveralAccounts:  "more than one Auth user is linked to this Discord account",
		audit.NoProfile:        "the Auth account has no profile, so Auth cannot write its roles",
		audit.HoldsSurplus:     "holds a managed role that Auth does not give",
		audit.LacksRole:        "lacks a role that Auth gives",
		audit.HoldsProposed:    "holds a role that counts as managed by its name alone; until it is bound it is never removed",
		audit.BotSelf:          "this is gatecamp's own account",
		audit.BotFlag:          "Discord says that this is a bot",
		audit.BotListed:        "an operator listed this account as a bot",
		audit.BotLinked:        "a bot's account is linked to an Auth user, which is a conflict",
		audit.AuthBlind:        "Auth could not be believed at all",
		audit.AuthDoubtful:     "Auth looks wrong, so everything is reported only",
		audit.Blocked:          "a block is in force",
		audit.ProtectedMember:  "an operator protects this member",
		audit.ScreeningOpen:    "membership screening is not finished",
		audit.JoinedLately:     "joined within the grace of the policy",
		audit.LostLately:       "this came up within the grace of the policy",
		audit.IsOwner:          "the guild's owner is never kicked",
		audit.OwnerUnknown:     "nobody knows who owns the guild, so nobody is kicked",
		audit.MemberAboveBot:   "the member's highest role is not below the bot's: Discord would refuse a kick",
		audit.RoleAboveBot:     "a role to remove is not below the bot's highest: Discord would refuse",
		audit.HierarchyUnknown: "the bot's highest role is unknown, so nobody knows what it can reach",
	}[r]
}

// remedyWords says what would change a verdict; empty where nobody needs to do anything.
func remedyWords(r audit.Reason) string {
	switch r {
	case audit.NotLinked:
		return "they link their Discord account in Auth, or an operator enters whose account it is (gatecamp identity add)"
	case audit.NoAccess:
		return "their group or state in Auth is given the permission discord.access_discord"
	case audit.Deactivated:
		return "their Auth account is activated again"
	case audit.LinkLost:
		return "they link this Discord account in Auth again"
	case audit.OldAccount:
		return "they link this Discord account in Auth instead of the newer one"
	case audit.HoldsSurplus:
		return "Auth gives them the group or state of the role, or the role is taken from them"
	case audit.LacksRole:
		return "Auth's own role synchronisation writes the role; gatecamp never gives roles"
	case audit.HoldsProposed:
		return "the role is bound (gatecamp bind propose), then it can be removed"
	case audit.BotListed:
		return "the entry is removed (gatecamp botaccount remove)"
	case audit.BotLinked:
		return "the link is removed in Auth, or the bot from gatecamp's list"
	case audit.AuthBlind, audit.AuthDoubtful:
		return "Auth can be read whole again, or somebody accepts what it says now (gatecamp source show)"
	case audit.Blocked:
		return "the block ends"
	case audit.ProtectedMember:
		return "the protection is removed or ends (gatecamp protect list)"
	case audit.ScreeningOpen:
		return "they finish membership screening"
	case audit.JoinedLately, audit.LostLately:
		return "the grace runs out"
	case audit.MemberAboveBot, audit.RoleAboveBot:
		return "the bot's role is moved above theirs in Discord's settings"
	case audit.OwnerUnknown, audit.HierarchyUnknown:
		return "the picture of the guild says who owns it and how high the bot stands"
	case audit.NoProfile:
		return "their profile is made in Auth (they log in once)"
	case audit.SeveralAccounts:
		return "the link is removed from all Auth users but one"
	case audit.BotSelf, audit.BotFlag, audit.IsOwner:
	}
	return ""
}

// layerWords says which rule decided.
func layerWords(d *audit.Decision) string {
	switch d.Layer {
	case audit.LayerGroup:
		return fmt.Sprintf("the policy's entry for the group %q", d.LayerName)
	case audit.LayerState:
		return fmt.Sprintf("the policy's entry for the state %q", d.LayerName)
	case audit.LayerUntouchable, audit.LayerProtected, audit.LayerBot, audit.LayerBlock, audit.LayerHealth, audit.LayerGrace, audit.LayerOverride,
		audit.LayerRun, audit.LayerDefault, audit.LayerAccess:
	}
	return layerName(d.Layer)
}

func layerName(l audit.Layer) string {
	return [...]string{
		audit.LayerUntouchable: "untouchable: the owner is never kicked, the bot never touched", audit.LayerProtected: "an operator's protection",
		audit.LayerBot: "bots are reported only", audit.LayerBlock: "a block", audit.LayerHealth: "the health of Auth", audit.LayerGrace: "grace",
		audit.LayerOverride: "an operator's override for this member", audit.LayerRun: "the run's own action", audit.LayerGroup: "the policy's entry for a group",
		audit.LayerState: "the policy's entry for a state", audit.LayerDefault: "the policy's default for the category", audit.LayerAccess: "entitled, nothing wrong",
	}[l]
}

// holdWords says what a gate or a brake means and how it opens, by its code.
func holdWords(code string) string {
	if role, ok := strings.CutPrefix(code, audit.OneRole.String()+":"); ok {
		return "the brake on how many holders the role " + role + " may lose"
	}
	words, known := map[string]string{
		audit.Lock.String():              "the first-run lock: nobody has acknowledged a first report",
		audit.Pause.String():             "the pause: somebody stopped everything",
		audit.DryRun.String():            "this run only reports",
		audit.Roster.String():            "the member list is not proven to be complete",
		audit.NothingWanted.String():     "Auth gives nobody any role here, which is an outage and not a plan",
		audit.MembersTouched.String():    "the brake on members touched",
		audit.RolesRemoved.String():      "the brake on roles removed",
		audit.Kicks.String():             "the brake on kicks",
		audit.PrivilegedRemoved.String(): "the brake on removals of privileged roles",
		audit.BlockKicks.String():        "the brake on kicks of blocked members",
	}[code]
	if !known {
		return code
	}
	return words
}

// kindWords names an action in a list.
func kindWords(kind string) string {
	return strings.ReplaceAll(kind, "_", " ")
}

// healthWords says why a source is not believed.
func healthWords(v audit.Verdict) []string {
	var lines []string
	for _, r := range v.Reasons {
		bound, now := "at least", fmt.Sprint(r.Now)
		if r.Fact.Ceiling() {
			bound = "at most"
		}
		if r.Now == audit.Unknown {
			now = "unknown"
		}
		if r.Fact == audit.Reachable {
			lines = append(lines, "it could not be read")
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s now, %s %d expected (%s)", strings.ReplaceAll(r.Fact.String(), "_", " "), now, bound, r.Want, r.Fact.Unit()))
	}
	return lines
}

// stateWords says where a run stands.
func stateWords(s storage.RunState) string { return strings.ReplaceAll(s.String(), "_", " ") }

// ago is how long something has been so, roughly.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "just now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
