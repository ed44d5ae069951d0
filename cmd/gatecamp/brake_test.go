package main

import (
	"context"
	"testing"

	"gatecamp/storage"
)

func (tt *terminal) trip(dimension string) {
	tt.t.Helper()
	tt.store(func(ctx context.Context, db storage.Store) {
		must[storage.Trip](tt.t)(db.Trip(ctx, storage.Trip{
			Guild: guildID, Dimension: dimension, Plan: "abc123", At: tt.now, Cause: []byte(`{"window":"day","asked":12,"allowed":10}`),
		}))
	})
}

func TestBrakeShowTellsLimitsUseAndTrips(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("brake", "show").says("policy version 0", "5 or 5.00%, at most 50", "No brake has tripped", "roles_removed", "3 × (")
	tt.trip("kicks")
	tt.trip("one_role:12")
	tt.ok("brake", "show").says("kicks: tripped", "asked for 12 where 10 were allowed (24 hours)", "one_role:12", "plan abc123")
	o := tt.ok("brake", "show", "--json").object()
	if len(items(o, "trips")) != 2 || dig(o, "trips", 0, "cause", "asked") != 12.0 || o["members"] != nil {
		t.Errorf("%v", o)
	}
}

func TestBrakeShowGoesByThePolicyAndTheSizeOfTheGuild(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("policy", "set", tt.file("p.yaml", "limits:\n  members: {run: {floor: 1, share: 1000, ceiling: 7}}\n"), "--reason", "x")
	tt.store(func(ctx context.Context, db storage.Store) {
		run := must[storage.Run](t)(db.CreateRun(ctx, guildID, storage.Order{Kind: "live", Actor: "schedule", Origin: "schedule"}, tt.now))
		must[storage.Run](t)(db.MoveRun(ctx, storage.Move{Run: run.ID, From: storage.Pending, To: storage.Running, At: tt.now, Owner: "o"}))
		must[storage.Run](t)(db.MoveRun(ctx, storage.Move{Run: run.ID, From: storage.Running, To: storage.Succeeded, At: tt.now, Counts: []byte(`{"members":40}`)}))
	})
	o := tt.ok("brake", "show", "--json").object()
	for _, l := range items(o, "limits") {
		if text(l, "dimension") == "members" && text(l, "window") == "run" {
			if dig(l, "allows") != 4.0 || dig(l, "ceiling") != 7.0 || dig(l, "used") != nil {
				t.Errorf("%v", l)
			}
			return
		}
	}
	t.Errorf("no brake on members in a run: %v", o)
}

func TestBrakeResetLetsOneDimensionGoAndIsRecorded(t *testing.T) {
	tt := newTerminal(t)
	tt.trip("kicks")
	tt.trip("members")
	tt.run("brake", "reset", "kicks").exits(exitUsage).says("--reason")
	tt.ok("brake", "reset", "kicks", "--reason", "looked at each").says("kicks holds no longer")
	tt.ok("brake", "show").says("members: tripped").silentAbout("kicks: tripped")
	tt.run("brake", "reset", "kicks", "--reason", "x").exits(exitUsage).says("has not tripped", "nothing was changed")
	for _, wrong := range []string{"kick", "one_role", "one_role:x", "kicks:12", "", "-1"} {
		tt.run("brake", "reset", wrong, "--reason", "x").exits(exitUsage)
	}
	if changes := tt.changes("brake_trip"); len(changes) != 1 || changes[0].Reason != "looked at each" {
		t.Errorf("changes: %+v", changes)
	}
}
