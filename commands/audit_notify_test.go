package commands

import (
	"testing"

	"gatecamp/audit"
)

func TestWhoMayViewRunsCanAskForDirectMessagesAndForNoneAgain(t *testing.T) {
	r := newRig(t)
	subscribers := func() int {
		t.Helper()
		all, err := r.db.Subscribers(t.Context(), guildID)
		r.must(err)
		return len(all)
	}
	want(t, r.run(dara, "audit notify", "wanted", true).last().text(), "You lack the right")
	if n := subscribers(); n != 0 {
		t.Fatalf("%d subscribers without the right", n)
	}
	r.grant(dara, audit.RightViewRuns)
	s := r.run(dara, "audit notify", "wanted", true)
	want(t, s.text(), "You get direct messages", "At most one a day")
	if !s.private() {
		t.Error("everybody sees who wants messages")
	}
	r.run(dara, "audit notify", "wanted", true)
	all, err := r.db.Subscribers(t.Context(), guildID)
	r.must(err)
	if len(all) != 1 || all[0].Discord != dara {
		t.Errorf("subscribers %+v", all)
	}
	for range 2 {
		want(t, r.run(dara, "audit notify", "wanted", false).text(), "You get no direct messages")
	}
	if n := subscribers(); n != 0 {
		t.Errorf("%d subscribers in the end", n)
	}
}
