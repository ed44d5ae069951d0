package reconcile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

func TestWhatHoldsAPlanIsAskedAsItStandsNow(t *testing.T) {
	w := newWorld(t)
	e := w.engine()
	strip := func(held ...string) storage.PlanAction {
		return storage.PlanAction{Member: 1001, Kind: audit.RemoveRole.String(), Role: roleState, Held: held}
	}
	held := func(actions ...storage.PlanAction) []string {
		t.Helper()
		codes, err := e.HeldNow(t.Context(), &storage.Plan{Guild: guildID, Actions: actions})
		if err != nil {
			t.Fatal(err)
		}
		return codes
	}
	want := func(name string, got []string, codes ...string) {
		t.Helper()
		if diff := cmp.Diff(codes, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	want("nobody has acknowledged anything", held(strip("dry_run")), "lock")
	run := storage.Order{Kind: reconcile.KindLive, Actor: "system"}
	first, err := w.db.CreateRun(t.Context(), guildID, run, w.now())
	if err != nil {
		t.Fatal(err)
	}
	acknowledge := func(kinds ...string) {
		t.Helper()
		if _, err := w.db.Acknowledge(t.Context(), storage.Acknowledgement{Guild: guildID, Run: first.ID, Kinds: kinds, Actor: "console:test", Reason: "x", At: w.now()}, "console"); err != nil {
			t.Fatal(err)
		}
	}
	acknowledge()
	want("the policy only reported", held(strip("lock")), "lock")
	acknowledge(audit.Strip.String())
	want("the lock was on when it was made", held(strip("lock", "dry_run")))
	want("kicks are locked", held(strip(), storage.PlanAction{Member: 1002, Kind: audit.KickMember.String()}), "lock")
	want("a brake", held(strip("members"), strip("members", "kicks")), "kicks", "members")
	want("a fight over one role of several", held(strip("fight"), strip()))
	want("a fight over all there is", held(strip("fight")), "fight")
	if _, err := w.db.Pause(t.Context(), guildID, w.author("checking")); err != nil {
		t.Fatal(err)
	}
	want("paused since", held(strip()), "pause")
}
