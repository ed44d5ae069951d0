package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatecamp/audit"
	"gatecamp/i18n"
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

// english tells what the catalogue of texts says about codes, as Discord does in English. What the console says in words of its own is
// what names its own commands, and lists.
var english = sync.OnceValue(func() *i18n.Printer {
	texts, err := i18n.Load()
	if err != nil {
		panic(err) // the texts are built in: a test finds it
	}
	return texts.For(i18n.English)
})

// actWords says what an action would do.
func actWords(a audit.Act) string { return english().Act(a) }

// reasonWords says what led to a verdict.
func reasonWords(r audit.Reason) string { return english().Reason(r) }

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
	case audit.IsImmune:
		return "they are no operator any more, or the rules of enforcement no longer exempt them; until then no block reaches them"
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
	if d.LayerName == "" {
		return layerName(d.Layer)
	}
	return english().Layer(d.Layer, strconv.Quote(d.LayerName))
}

func layerName(l audit.Layer) string { return english().Layer(l, "") }

// holdWords says what a gate or a brake means and how it opens, by its code.
func holdWords(code string) string { return english().Hold(code, "") }

// kindWords names an action in a list.
func kindWords(kind string) string {
	return strings.ReplaceAll(kind, "_", " ")
}

// healthWords says why a source is not believed.
func healthWords(v audit.Verdict) []string {
	var lines []string
	for _, r := range v.Reasons {
		lines = append(lines, english().HealthReason(r))
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
