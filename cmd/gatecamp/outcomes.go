package main

import (
	"strings"

	"gatecamp/audit"
	"gatecamp/discord"
)

// lineCodes are the codes of the audit line itself: why a change was let be, and what one can do.
var lineCodes = map[string][2]string{
	"auth_row_fresh":     {"Auth changed the account less than two minutes ago and may still be writing", "the next run does it if it is still right"},
	"budget_changed":     {"the role became privileged, or is no longer", "the next run plans it anew"},
	"in_hand":            {"another process had the same change in hand", ""},
	"interrupted":        {"the process died before Discord was heard to have done it, and it is not done", "the next run decides again"},
	"member_unreadable":  {"the member could not be read right before the write", "the next run tries again"},
	"no_slot":            {"there was no place in the line of requests", "the next run tries again"},
	"seen_after_restart": {"it was found done after a process had died", ""},
	"stopped":            {"the run was stopped before it was sent", ""},
	"unanswered":         {"the call came to no outcome", "the next run looks again"},
}

// codeWords says what the code of an outcome means and what an operator can do; both are the code's own where nobody has words for it.
func codeWords(code string) (what, cure string) {
	if what, cure = discord.Words(code); what != "" {
		return what, cure
	}
	if w, ok := lineCodes[code]; ok {
		return w[0], w[1]
	}
	if name, ok := strings.CutPrefix(code, "now_"); ok {
		if c, known := audit.ParseCategory(name); known {
			return "looked at again, it is not asked for any more; the member counts among: " + categoryWords(c), ""
		}
	}
	if held := holdWords(code); held != code {
		return "held by " + held, ""
	}
	return code, ""
}

// legend says once what each code means that was shown, and what to do about it.
func legend(codes []string) (lines []string) {
	told := map[string]struct{}{}
	for _, code := range codes {
		if _, again := told[code]; again || code == "" {
			continue
		}
		told[code] = struct{}{}
		what, cure := codeWords(code)
		if cure != "" {
			what += "; " + cure
		}
		lines = append(lines, code+": "+what)
	}
	return lines
}
