package commands

import (
	"errors"
	"testing"

	"gatecamp/audit"
	"gatecamp/storage"
)

func (r *rig) trip(dimension string) {
	r.t.Helper()
	_, err := r.db.Trip(r.t.Context(), storage.Trip{Guild: guildID, Dimension: dimension, Plan: "abc123", Run: 3, At: r.now(), Cause: []byte(`{"window":"day","asked":12,"allowed":10}`)})
	r.must(err)
}

func TestBrakesAreShownWithLimitsUseAndTrips(t *testing.T) {
	r := corporation(t)
	r.grant(kael, audit.RightBrake)
	want(t, r.run(kael, "brake show").text(), "Limits of policy version 0", "unknown until a run has seen them all", "Tripped, and holding: none", "Kicks: in one run: 3", "5 or 5%, at most 50", "3 × (")
	r.report()
	r.trip("kicks")
	r.trip("one_role:2004")
	text := r.run(kael, "brake show").text()
	want(t, text, "7 members at the last whole run", "**kicks** (`kicks`) tripped <t:", "by run 3", "It asked for 12 where 10 were allowed in 24 hours", "holders of the role <@&2004>")
	want(t, r.runIn(kael, "ru", "brake show").text(), "предохранитель сработал", "Понадобилось 12, а можно 10 за 24 часа", "было 7 участников")
}

func TestABrakeIsResetWithAReasonAndOnlyIfItTripped(t *testing.T) {
	r := corporation(t)
	r.grant(kael, audit.RightBrake)
	r.trip("one_role:2004")
	choices := r.typing(kael, "brake reset", "scope", "scope", "").Choices
	if len(choices) != 1 || choices[0].Value != "one_role:2004" {
		t.Errorf("offered %v", choices)
	}
	want(t, r.run(kael, "brake reset", "scope", "kicks", "reason", "looked at it").text(), "has not tripped: kicks")
	want(t, r.run(kael, "brake reset", "scope", "nonsense", "reason", "looked at it").text(), "There is no brake `nonsense`")
	want(t, r.run(kael, "brake reset", "scope", "one_role:2004", "reason", "each was looked at").text(), "The brake goes again", "holders of the role <@&2004>", "each was looked at")
	open, err := r.db.OpenTrips(t.Context(), guildID)
	r.must(err)
	all, err := r.db.Trips(t.Context(), guildID, storage.Page{})
	r.must(err)
	if len(open) != 0 || len(all) != 1 || all[0].ResetBy != "discord:1002" || all[0].ResetReason != "each was looked at" {
		t.Errorf("open %+v, all %+v", open, all)
	}
}

func TestABrakeIsNotResetWithoutTheRightOrWhileAuthIsAway(t *testing.T) {
	r := corporation(t)
	r.trip("kicks")
	want(t, r.run(mako, "brake reset", "scope", "kicks", "reason", "let it go").text(), "gatecamp.brake")
	r.grant(mako, audit.RightBrake)
	r.guild.lose(errors.New("away"))
	want(t, r.run(mako, "brake reset", "scope", "kicks", "reason", "let it go").text(), "Alliance Auth cannot be asked")
	want(t, r.run(mako, "brake show").text(), "**kicks** (`kicks`) tripped")
	if open, err := r.db.OpenTrips(t.Context(), guildID); err != nil || len(open) != 1 {
		t.Errorf("open %+v, %v", open, err)
	}
}
