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
