package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/storage"
)

func (w *world) contain(e *reconcile.Engine, member snowflake.ID) *reconcile.Report {
	w.t.Helper()
	r, err := e.Contain(w.t.Context(), reconcile.Contain{Member: member, Rule: "anti-nuke"}, w, w)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestARogueModeratorLosesPrivilegedRolesAloneAndTheNextOneRests(t *testing.T) {
	var told []enforcement.Event
	w, e := released(t, harmless, func(c *reconcile.Config) {
		c.Emit = func(ev enforcement.Event) { told = append(told, ev) }
		c.Immune = func() enforcement.Immune {
			return enforcement.Immune{Subjects: []enforcement.Subject{{Scope: enforcement.User, ID: 1005}}}
		}
	})
	for _, id := range []snowflake.ID{1001, 1002, 1003, 1005} {
		w.join(id, roleState, roleChief, rolePlain)
	}
	w.contain(e, 1001)
	w.contain(e, 1005)
	wantWrites(t, w) // the owner and an operator are never contained
	w.fail(errors.New("away"))
	w.contain(e, 1002)
	wantWrites(t, w, "contain 1002 12")
	if r := w.contain(e, 1003); !slices.Equal(held(&r.Plan), []string{"contained"}) {
		t.Errorf("the second within ten minutes is held by %v", held(&r.Plan))
	}
	if err := w.db.ReleaseLease(t.Context(), w.fence); err != nil {
		t.Fatal(err)
	}
	again := w.engine() // another process
	w.contain(again, 1003)
	wantWrites(t, w, "contain 1002 12")
	w.pass(audit.ContainEvery)
	w.contain(again, 1003)
	wantWrites(t, w, "contain 1002 12", "contain 1003 12")
	if len(told) != 4 || told[2].Subject.ID != 1002 || told[2].Rule != "anti-nuke" || !strings.Contains(told[2].Reason, "1 privileged") || !strings.Contains(told[3].Reason, "contained") {
		t.Errorf("told %+v", told)
	}
	actions, err := w.db.MemberActions(t.Context(), guildID, 1002, storage.Page{})
	if err != nil || len(actions) != 1 || actions[0].Actor != "rule:anti-nuke" || actions[0].Outcome != "done" {
		t.Errorf("recorded %+v, %v", actions, err)
	}
	entries, err := w.db.TrailEntries(t.Context(), guildID, storage.TrailFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(entries, func(x storage.TrailRecord) bool {
		return x.What == "give_role_back" && x.Code == "contain" && x.Role == roleChief
	}) {
		t.Errorf("what gives the role back is not kept: %+v", entries)
	}
}

func TestGatesHoldAContainmentToo(t *testing.T) {
	w, e := released(t, harmless)
	w.join(1002, roleState, roleChief)
	w.pause()
	if r := w.contain(e, 1002); !slices.Equal(held(&r.Plan), []string{"pause"}) {
		t.Errorf("held by %v", held(&r.Plan))
	}
	if _, err := w.db.Unpause(t.Context(), guildID, w.author("over")); err != nil {
		t.Fatal(err)
	}
	w.onReserve = func(context.Context, int, audit.Action) error { w.pause(); return nil }
	if r := w.contain(e, 1002); len(r.Outcomes) != 1 || r.Outcomes[0].Code != "pause" {
		t.Errorf("paused on the way: %v", r.Outcomes)
	}
	wantWrites(t, w)
	w.leave(1003)
	if _, err := e.Contain(t.Context(), reconcile.Contain{Member: 1003, Rule: "r"}, w, w); !errors.Is(err, reconcile.ErrNoMember) {
		t.Errorf("who is not here: %v", err)
	}
}
