package commands

import (
	"context"
	"testing"

	"gatecamp/audit"
	"gatecamp/storage"
)

func TestAPauseSaysWhoAndWhyAndOutlivesTheProcess(t *testing.T) {
	r := corporation(t)
	r.grant(kael, audit.RightPause)
	want(t, r.run(kael, "pause", "reason", "Auth looks *wrong*").text(), "Paused", "Nothing is changed in Discord any more", "Paused by <@1002>", `Auth looks \*wrong\*`)
	p, err := r.db.Paused(t.Context(), guildID)
	r.must(err)
	if p.Actor != "discord:1002" || p.Reason != "Auth looks *wrong*" {
		t.Errorf("stored %+v", p)
	}
	want(t, r.run(dara, "pause", "reason", "me too").text(), "Paused already", "<@1002>")
	if got := r.accepted(); len(got) != 1 || got[0] != "pause" {
		t.Errorf("recorded %q", got)
	}
}

func TestWhoManagesTheServerMayPauseAlsoWhileAuthIsAwayAndMayNotEndIt(t *testing.T) {
	r := corporation(t)
	r.guild.lose(storage.ErrGone)
	want(t, r.run(mako, "pause", "reason", "something is off").text(), "Paused by <@1004>")
	want(t, r.run(mako, "unpause", "reason", "all is well").text(), "nothing was done")
	if _, err := r.db.Paused(t.Context(), guildID); err != nil {
		t.Errorf("the pause ended: %v", err)
	}
}

func TestAPauseEndsOnlyWhileAuthCanBeAskedAndTheBlockedAreLookedAtAgain(t *testing.T) {
	r := corporation(t)
	marked := 0
	r.house.Marked = func(context.Context) { marked++ }
	r.grant(kael, audit.RightPause)
	r.run(kael, "pause", "reason", "looking into it")
	r.guild.lose(storage.ErrGone)
	want(t, r.run(kael, "unpause", "reason", "looked").text(), "nothing was done", "Alliance Auth cannot be asked")
	if marked != 0 {
		t.Error("blocked members were looked at while the pause holds")
	}
	r.guild.lose(nil)
	want(t, r.run(kael, "unpause", "reason", "looked").text(), "The pause is over", "Paused by <@1002>", "looking into it")
	want(t, r.run(kael, "unpause", "reason", "looked").text(), "There is no pause")
	if marked != 1 {
		t.Errorf("blocked members were looked at %d times, want 1", marked)
	}
}
