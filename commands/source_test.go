package commands

import (
	"errors"
	"strings"
	"testing"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
)

func TestTheSourceIsShownFactByFact(t *testing.T) {
	r := looked(t)
	r.grant(kael, audit.RightSource)
	text := r.run(kael, "source show").text()
	want(t, text, "Alliance Auth: healthy", "It is believed", "✅ users: 6, at least", "users with a main character: 6", "Last read by a run: <t:")
	r.guild.lose(errors.New("no route to host"))
	text = r.run(kael, "source show").text()
	want(t, text, "Alliance Auth: blind", "no finding is opened or closed", "Auth could not be read")
	wantNot(t, text, "no route to host")
}

// shrunken is a corporation whose Auth has lost most of its users since the first look.
func shrunken(t *testing.T) *rig {
	t.Helper()
	r := looked(t)
	r.behold(strings.Replace(corporationFile, `,
		{"id":3,"username":"lira","state":"Member","groups":["Miners"],"main":"Lira Corvo","discord_uid":"1003"},
		{"id":4,"username":"mako","state":"Member","groups":["Miners"],"main":"Mako Ember","discord_uid":"1004"},
		{"id":5,"username":"pera","state":"Guest","groups":[],"main":"Pera Nightfall","discord_uid":"1005"}`, "", 1))
	r.grant(kael, audit.RightSource)
	return r
}

func TestAShrinkIsAcceptedExactlyAsItWasShown(t *testing.T) {
	r := shrunken(t)
	want(t, r.run(kael, "source show").text(), "doubtful", "users: 3 now, at least 4 expected")
	card := r.run(kael, "source accept", "reason", "three left the corporation")
	want(t, card.text(), "Take this as the new normal?", "➡️ users: 3 (normal before: 6)", "three left the corporation", "Good until")
	r.behold(corporationFile) // everybody is back; what was shown counts all the same
	want(t, r.press(kael, card.message, "Accept these figures").last().text(), "Accepted")
	base, err := r.db.Baseline(t.Context(), reconcile.AuthSource, r.now().UTC())
	r.must(err)
	if base.Accepted == nil || base.Accepted.Counts["users"] != 3 || base.Accepted.Actor != "discord:1002" || base.Accepted.Reason != "three left the corporation" {
		t.Errorf("accepted %+v", base.Accepted)
	}
}

func TestABlindSourceIsNotAccepted(t *testing.T) {
	r := looked(t)
	r.grant(kael, audit.RightSource)
	whole := r.guild.auth
	r.guild.auth = &audit.Directory{Fingerprint: whole.Fingerprint, Counts: audit.Counts{audit.Users: 0}}
	r.guild.auth.Index()
	want(t, r.run(kael, "source accept", "reason", "it is what it is").text(), "nothing was done") // nobody holds any right by an Auth like that
	base, err := r.db.Baseline(t.Context(), reconcile.AuthSource, r.now().UTC())
	r.must(err)
	if base.Accepted != nil {
		t.Errorf("accepted %+v", base.Accepted)
	}
}

func TestASourceThatWentBlindAfterTheCardIsNotAccepted(t *testing.T) {
	r := shrunken(t)
	card := r.run(kael, "source accept", "reason", "three left the corporation")
	r.guild.auth = &audit.Directory{Counts: audit.Counts{audit.Users: 0}}
	r.guild.auth.Index()
	text := r.press(kael, card.message, "Accept these figures").last().text()
	wantNot(t, text, "From now on")
	base, err := r.db.Baseline(t.Context(), reconcile.AuthSource, r.now().UTC())
	r.must(err)
	if base.Accepted != nil {
		t.Errorf("accepted %+v", base.Accepted)
	}
}
