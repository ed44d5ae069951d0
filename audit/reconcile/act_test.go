package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
	"gatecamp/trail"
)

func TestEachActionOfOneCallKeepsItsOwnIntentionAndOutcome(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.together = 5
	w.join(2001, roleFleet, roleState)
	r := w.run(e, storage.Order{})
	wantState(t, r.Run, storage.Succeeded)
	if w.reserved != 1 {
		t.Errorf("%d places in the line were asked for, want 1 for both roles", w.reserved)
	}
	if diff := cmp.Diff([]string{"remove_role 2001 10 done", "remove_role 2001 11 done"}, w.outcomes(r.Run.ID)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestOfSeveralInOneCallOnlyWhatIsStillRightIsSent(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.together = 5
	w.join(2001, roleFleet, roleState)
	w.onReserve = func(context.Context, int, audit.Action) error {
		w.join(2001, roleFleet) // somebody took the other role while it waited
		return nil
	}
	r := w.run(e, storage.Order{})
	if diff := cmp.Diff([]string{"remove_role 2001 11"}, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if len(r.Outcomes) != 2 || r.Outcomes[0].Code != "role_not_held" || r.Outcomes[1].Result != audit.Done {
		t.Errorf("outcomes %v", r.Outcomes)
	}
}

func TestTheWriterIsToldWhoAuthMayBeWriting(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.run(e, storage.Order{})
	if len(w.offers) != 1 || w.offers[0].Linked {
		t.Fatalf("offers %+v, want one for a stranger", w.offers)
	}
	w.offers = nil
	w.link(50, 2002)
	w.run(e, storage.Order{Mode: "report"}) // sees the row
	w.pass(reconcile.RowFresh + time.Second)
	w.join(2002, roleFleet)
	w.run(e, storage.Order{})
	if len(w.offers) == 0 || !w.offers[len(w.offers)-1].Linked {
		t.Errorf("offers %+v, want one for a member whom Auth knows", w.offers)
	}
}

func TestARowOfAuthThatJustChangedIsLeftToSettle(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.link(50, 2002)
	w.join(2002, roleFleet, roleState)
	w.run(e, storage.Order{})
	if slices.ContainsFunc(w.writes(), func(s string) bool { return strings.Contains(s, " 2002 ") }) {
		t.Fatalf("writes %v: the row came a moment ago", w.writes())
	}
	w.pass(reconcile.RowFresh + time.Second)
	r := w.run(e, storage.Order{})
	if !slices.Contains(w.writes(), "remove_role 2002 11") {
		t.Errorf("writes %v, outcomes %v: after two minutes it is acted on", w.writes(), r.Outcomes)
	}
}

func TestWhatWasLostThoughNobodyNamedItIsKeptWithItsInverse(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.result = func(audit.Action) (audit.Result, string) {
		return audit.Collateral, audit.LostCode([]snowflake.ID{rolePlain})
	}
	r := w.run(e, storage.Order{})
	wantState(t, r.Run, storage.CompletedWithErrors)
	entries, err := w.db.TrailEntries(t.Context(), guildID, storage.TrailFilter{Run: r.Run.ID, Kinds: []trail.Kind{trail.Planned}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(entries, func(e storage.TrailRecord) bool {
		return e.What == "give_role_back" && e.Role == rolePlain && e.Code == "collateral"
	}) {
		t.Errorf("trail %+v: the inverse is not kept", entries)
	}
}
