package commands

import (
	"regexp"
	"strings"
	"testing"

	"gatecamp/audit"
)

// foreign are words of another language than Russian, apart from what no language translates: names, code, mentions, times, and what
// somebody wrote.
var (
	untranslated = regexp.MustCompile("(?s)```.*?```|`[^`]*`|<[^>]*>|/[a-z]+( [a-z]+)?|https?://\\S+|" +
		`\b(Discord|Alliance|Auth|gatecamp|GATECAMP\w+|EVE|CSV|JSON|YAML|id|Dara|Asche|dara|Kael|Brandt|kael|Lira|Corvo|Mako|Ember|mako|Pera|Nightfall|pera|Oren|Frost|Quill|Member|Guest|because|for the test)\b|surplus\\_roles\.default: report → strip`)
	foreign = regexp.MustCompile(`[A-Za-z]{3,}`)
)

func TestWhoReadsRussianReadsNothingElse(t *testing.T) {
	r := looked(t)
	var all []audit.Right
	for _, right := range audit.Rights() {
		if !right.InAuth() {
			all = append(all, right)
		}
	}
	r.grant(dara, all...)
	r.policy("surplus_roles: {default: strip, grace: 0s}\n")
	r.trip("kicks")
	r.trip("one_role:2004")
	r.done(pera, roleMiner, audit.Done, "")
	r.done(pera, roleDirector, audit.Refused, "discord_50013")
	r.report()
	for _, c := range []struct {
		command string
		options []any
	}{
		{"why", nil},
		{"explain", []any{"member", pera}},
		{"explain", []any{"member", quill}},
		{"explain", []any{"member", kael}},
		{"audit status", nil},
		{"audit history", nil},
		{"audit findings", nil},
		{"audit diff", []any{"run", "1"}},
		{"audit apply", nil},
		{"acknowledge", nil},
		{"policy show", nil},
		{"policy preview", []any{"policy", "1"}},
		{"policy history", nil},
		{"brake show", nil},
		{"brake reset", []any{"scope", "members", "reason", "because"}},
		{"brake reset", []any{"scope", "kicks", "reason", "because"}},
		{"source show", nil},
		{"source accept", []any{"reason", "because"}},
		{"exempt add", []any{"role", roleMember, "reason", "because", "duration", "7d"}},
		{"protect add", []any{"member", quill, "reason", "because"}},
		{"protect add", []any{"member", quill, "reason", "because"}},
		{"protect add", []any{"member", dara, "reason", "because"}},
		{"botaccount add", []any{"member", quill, "reason", "because"}},
		{"override add", []any{"member", quill, "reason", "because", "action", "strip_kick", "once", true}},
		{"identity add", []any{"member", quill, "reason", "because", "user", "4"}},
		{"identity list", nil},
		{"override list", nil},
		{"exempt list", nil},
		{"protect remove", []any{"member", oren, "reason", "because"}},
		{"pause", []any{"reason", "because"}},
		{"pause", []any{"reason", "because"}},
		{"unpause", []any{"reason", "because"}},
		{"unpause", []any{"reason", "because"}},
	} {
		s := r.runIn(dara, "ru", c.command, c.options...)
		var text strings.Builder
		text.WriteString(s.text())
		for _, row := range s.Components {
			for _, b := range row.Components {
				text.WriteString("\n" + b.Label)
			}
		}
		if words := foreign.FindAllString(untranslated.ReplaceAllString(text.String(), ""), -1); len(words) > 0 {
			t.Errorf("/%s %v says %q in:\n%s", c.command, c.options, words, text.String())
		}
		if !strings.ContainsAny(text.String(), "аеиоуы") {
			t.Errorf("/%s says nothing in Russian:\n%s", c.command, text.String())
		}
	}
	if _, err := r.db.Paused(t.Context(), guildID); err == nil {
		t.Error("the pause is still there")
	}
}
