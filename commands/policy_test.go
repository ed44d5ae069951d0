package commands

import (
	"errors"
	"strings"
	"testing"

	"gatecamp/audit"
)

// governed is a corporation with a policy that reports, which kael may change.
func governed(t *testing.T) *rig {
	t.Helper()
	r := looked(t)
	r.grant(kael, audit.RightPolicy)
	r.policy("surplus_roles: report\n")
	return r
}

func TestThePolicyIsShownAsItWasGiven(t *testing.T) {
	r := governed(t)
	s := r.run(kael, "policy show", "public", true)
	if s.private() {
		t.Error("public:true was not heard")
	}
	want(t, s.text(), "Policy version 1", "Set by `console:test`", "for the test", "```yaml\nsurplus_roles: report\n```")
	if len(s.Attachments) != 1 || s.Attachments[0].Filename != "policy.yaml" {
		t.Errorf("attached %+v", s.Attachments)
	}
	want(t, r.run(kael, "policy show", "policy", "7").text(), "has no version 7", "/policy history")
	want(t, r.run(kael, "policy show", "policy", "x").text(), "`x` is no number")
}

func TestAGuildWithoutAPolicyIsShownTheHarmlessOne(t *testing.T) {
	r := corporation(t)
	r.grant(kael, audit.RightPolicy)
	want(t, r.run(kael, "policy show").text(), "No policy was ever set", "unknown_guest:")
	want(t, r.run(kael, "policy history").text(), "No policy was ever set")
}

func TestAPreviewSaysWhatAnotherPolicyWouldDoToTodaysMembers(t *testing.T) {
	r := governed(t)
	r.trip("kicks")
	form := r.run(kael, "policy preview")
	if form.Type != 9 || len(form.Modal.Components) != 1 {
		t.Fatalf("answered with type %d, %+v", form.Type, form.Modal)
	}
	s := r.fill(kael, form, map[string]any{"policy": "surplus_roles: {default: strip, grace: 0s}\nunknown_guest: {default: strip_kick, grace: 0s}\n"})
	if !s.private() {
		t.Error("a preview names members, and everybody sees it")
	}
	text := s.text()
	want(t, text,
		"`surplus_roles.default`: `report` → `strip`", "`unknown_guest.default`: `report` → `strip_kick`",
		"1 with a role too many: report it, change nothing → take the managed roles that Auth does not give",
		"1 stranger to Auth: report it, change nothing → take the managed roles that Auth does not give, and kick",
		"What a run under it would ask of Discord now: 1 kick and 3 roles removed, 2 members", "⚠️ kicks: tripped earlier",
		"<@1005> Pera Nightfall pera `1005`: report it, change nothing →", "<@1007> `1007`", "Nothing was changed",
	)
	if p, err := r.db.Policy(t.Context(), guildID, 0); err != nil || p.Version != 1 {
		t.Errorf("policy %d %v is in force", p.Version, err)
	}
}

func TestAPreviewOfAStoredVersionNeedsNoForm(t *testing.T) {
	r := governed(t)
	r.policy("surplus_roles: {default: strip, grace: 0s}\n")
	choices := r.typing(kael, "policy preview", "policy", "policy", "").Choices
	if len(choices) != 2 || choices[0].Value != "2" {
		t.Errorf("offered %v", choices)
	}
	want(t, r.run(kael, "policy preview", "policy", "1").text(), "`strip` → `report`", "take the managed roles that Auth does not give → report it, change nothing")
}

func TestAFormWithAWrongPolicySaysWhereAndChangesNothing(t *testing.T) {
	r := governed(t)
	form := r.run(kael, "policy set")
	if form.Type != 9 || len(form.Modal.Components) != 2 {
		t.Fatalf("answered with type %d, %+v", form.Type, form.Modal)
	}
	text := r.fill(kael, form, map[string]any{"policy": "surplus_roles: strip\nunknown_gest: report\nmissing_roles: strip\n", "reason": "spring cleaning"}).text()
	want(t, text, "2 things are wrong with the policy; nothing was changed", "line 2, column 1", "line 3, column", "did you mean unknown\\_guest")
	form = r.run(kael, "policy set")
	text = r.fill(kael, form, map[string]any{"policy": "surplus_roles: {by_group: {Minors: strip}}\n", "reason": "spring cleaning"}).text()
	want(t, text, "Something is wrong with the policy", "Auth has no group of this name")
	if p, err := r.db.Policy(t.Context(), guildID, 0); err != nil || p.Version != 1 {
		t.Errorf("policy %d %v is in force", p.Version, err)
	}
}

const sterner = "surplus_roles: {default: strip, grace: 0s}\n"

// carded is the card of a policy that was typed.
func (r *rig) policyCard(document string) shown {
	r.t.Helper()
	return r.fill(kael, r.run(kael, "policy set"), map[string]any{"policy": document, "reason": "spring | cleaning"})
}

func TestAPolicyIsSetWithAReasonAfterItsEffectWasShown(t *testing.T) {
	r := governed(t)
	card := r.policyCard(sterner)
	want(t, card.text(), "Policy version 2?", "`surplus_roles.default`: `report` → `strip`", "1 with a role too many", `spring \| cleaning`, "Good until")
	if p, _ := r.db.Policy(t.Context(), guildID, 0); p.Version != 1 {
		t.Error("it was in force before anybody pressed")
	}
	want(t, r.press(kael, card.message, "Set policy version 2").last().text(), "Policy version 2 is in force", "The first-run lock is on", "take the managed roles that Auth does not give", "/acknowledge")
	p, err := r.db.Policy(t.Context(), guildID, 0)
	r.must(err)
	if p.Version != 2 || p.Document != strings.TrimSpace(sterner) || p.Actor != "discord:1002" || p.Reason != "spring | cleaning" {
		t.Errorf("stored %+v", p)
	}
	text := r.run(kael, "policy history").text()
	want(t, text, "Policy version 2", "<@1002>", "surplus\\_roles.default: report → strip", "Policy version 1")
	want(t, r.policyCard(sterner).text(), "in force already (version 2)")
}

func TestAPolicyThatSomebodyElseChangedMeanwhileIsNotOverwritten(t *testing.T) {
	r := governed(t)
	card := r.policyCard(sterner)
	r.policy("unknown_guest: strip\n")
	want(t, r.press(kael, card.message, "Set policy version 2").last().text(), "Somebody else has stored another policy meanwhile", "yours was not stored")
	if p, _ := r.db.Policy(t.Context(), guildID, 0); p.Version != 2 || p.Document != "unknown_guest: strip\n" {
		t.Errorf("stored %+v", p)
	}
}

func TestAnEarlierPolicyComesBackByItsNumber(t *testing.T) {
	r := governed(t)
	r.policy(sterner)
	form := r.run(kael, "policy set", "policy", "1")
	if form.Type != 9 || len(form.Modal.Components) != 1 {
		t.Fatalf("answered with type %d, %+v", form.Type, form.Modal)
	}
	card := r.fill(kael, form, map[string]any{"reason": "back to the old one"})
	want(t, r.press(kael, card.message, "Set policy version 3").last().text(), "Policy version 3 is in force", "It only reports")
}

func TestAPolicyWaitsForAuthAtTheFormAndAtThePress(t *testing.T) {
	r := governed(t)
	form := r.run(kael, "policy set")
	card := r.policyCard(sterner)
	r.guild.lose(errors.New("away"))
	want(t, r.run(kael, "policy set").text(), "Alliance Auth cannot be asked")
	want(t, r.fill(kael, form, map[string]any{"policy": sterner, "reason": "now or never"}).text(), "Alliance Auth cannot be asked")
	want(t, r.press(kael, card.message, "Set policy version 2").last().text(), "Alliance Auth cannot be asked")
	want(t, r.run(kael, "policy show").text(), "Policy version 1")
	if p, _ := r.db.Policy(t.Context(), guildID, 0); p.Version != 1 {
		t.Errorf("version %d is in force", p.Version)
	}
}

func TestAFormIsForWhoOpenedItOnceAndNotForEver(t *testing.T) {
	r := governed(t)
	r.grant(mako, audit.RightPolicy)
	form := r.run(kael, "policy preview")
	values := map[string]any{"policy": sterner}
	want(t, r.fill(kael, form, values).text(), "What another policy would do")
	want(t, r.fill(kael, form, values).text(), "used already")
	late := r.run(kael, "policy preview")
	r.pass(formLife)
	want(t, r.fill(kael, late, values).text(), "open for too long")
}

func TestWhoMayNotChangeThePolicyIsNotEvenShownTheForm(t *testing.T) {
	r := governed(t)
	for _, command := range []string{"policy set", "policy preview", "policy show", "policy history"} {
		s := r.run(mako, command)
		if s.Type == 9 {
			t.Errorf("%s opened a form", command)
		}
		want(t, s.text(), "gatecamp.policy", "nothing was done")
	}
	if got := r.typing(mako, "policy show", "policy", "policy", "").Choices; len(got) != 0 {
		t.Errorf("offered %v", got)
	}
}

func TestAPolicyThatNoFormHoldsIsForTheConsole(t *testing.T) {
	r := governed(t)
	r.policy("surplus_roles:\n  by_group:\n" + strings.Repeat("    # "+strings.Repeat("x", 90)+"\n", 50) + "    Miners: report\n")
	form := r.run(kael, "policy set") // its comments are left out
	if form.Type != 9 {
		t.Fatalf("answered with type %d:\n%s", form.Type, form.text())
	}
	var groups strings.Builder
	for i := range 400 {
		groups.WriteString("    Squad number " + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + ": report\n")
	}
	r.policy("surplus_roles:\n  by_group:\n" + groups.String())
	want(t, r.run(kael, "policy set").text(), "longer than 4000 characters", "gatecamp policy set FILE")
	if s := r.run(kael, "policy show"); len(s.Attachments) != 1 || strings.Contains(s.text(), "```") {
		t.Errorf("a long policy is shown as\n%s", s.text())
	}
}
