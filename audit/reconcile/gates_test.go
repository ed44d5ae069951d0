package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// aa-discord-audit A3: one override row removed a role in a dry run, under the first-run lock, and in an unconfirmed scheduled run.
func TestAnOverrideOpensNoGate(t *testing.T) {
	for name, c := range map[string]struct {
		release bool
		order   storage.Order
		want    []string
	}{
		"locked":              {order: storage.Order{}, want: []string{"lock"}},
		"ordered as report":   {release: true, order: storage.Order{Mode: "report"}, want: []string{"dry_run"}},
		"a preview":           {release: true, order: storage.Order{DryRun: true}, want: []string{"dry_run"}},
		"locked and a report": {order: storage.Order{Mode: "report"}, want: []string{"dry_run", "lock"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bind()
			w.policy(stripStrangers)
			e := w.engine()
			if c.release {
				w.release(e)
			}
			w.join(2001, roleFleet)
			w.except(storage.Exception{Table: storage.Overrides, Subject: 2001, Action: "strip"})
			r := w.run(e, c.order)
			if len(r.Plan.Actions) == 0 {
				t.Fatal("the override asks for nothing: the test proves nothing")
			}
			if diff := cmp.Diff(c.want, held(&r.Plan)); diff != "" {
				t.Errorf("held by (-want +got):\n%s", diff)
			}
			if got := w.writes(); len(got) > 0 {
				t.Errorf("Discord was changed: %v", got)
			}
			if f := w.findings(storage.FindingFilter{Subject: 2001}); len(f) != 1 || f[0].Wanted != "strip" || f[0].Allowed != "report" || f[0].Attempted != "" {
				t.Errorf("the finding does not keep wanted, allowed and attempted apart: %+v", f)
			}
		})
	}
}

func TestOnlyAWholeLiveHealthyYoungReportReleasesTheLock(t *testing.T) {
	for name, c := range map[string]struct {
		order  storage.Order
		before func(w *world)
		after  func(w *world)
		want   string // of the refusal; empty: it releases
	}{
		"a good one":                  {order: storage.Order{Mode: "report"}},
		"a snapshot's":                {order: storage.Order{Kind: reconcile.KindSnapshot}, want: "a file"},
		"limited":                     {order: storage.Order{Mode: "report", Limit: 5}, want: "limited"},
		"larger limit than the guild": {order: storage.Order{Mode: "report", Limit: 5000}, want: "limited"},
		"one member":                  {order: storage.Order{Mode: "report", Members: nil, Limit: 1}, want: "limited"},
		"incomplete":                  {order: storage.Order{Mode: "report"}, before: func(w *world) { w.partial = true }, want: "every member"},
		"blind":                       {order: storage.Order{Mode: "report"}, before: func(w *world) { w.authErr = errDown }, want: "completed_with_errors"},
		"doubtful": {order: storage.Order{Mode: "report"}, before: func(w *world) {
			w.change(func(d *audit.Directory) { d.Edition = "unknown" })
		}, want: "doubtful"},
		"a day old": {order: storage.Order{Mode: "report"}, after: func(w *world) { w.pass(24 * time.Hour) }, want: "24 hours"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bind()
			e := w.engine()
			if c.before != nil {
				c.before(w)
			}
			r, err := e.Sweep(t.Context(), w.order(e, c.order), w, w)
			if err != nil {
				t.Fatal(err)
			}
			if c.after != nil {
				c.after(w)
			}
			_, err = e.Acknowledge(t.Context(), r.Run.ID, w.author("read it"))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantProblem(t, err, problem.Refused, c.want)
			if _, err := w.db.Acknowledged(t.Context(), guildID); err == nil {
				t.Error("the lock was released all the same")
			}
		})
	}
}

func wantProblem(t *testing.T, err error, kind problem.Kind, part string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", part)
	}
	if problem.KindOf(err) != kind {
		t.Errorf("the error is %v, want %v: %v", problem.KindOf(err), kind, err)
	}
	if text := err.Error(); !contains(text, part) {
		t.Errorf("the error does not say %q: %s", part, text)
	}
}

func TestAnUnknownRunCannotBeAcknowledged(t *testing.T) {
	w := newWorld(t)
	_, err := w.engine().Acknowledge(t.Context(), 17, w.author("read it"))
	wantProblem(t, err, problem.Usage, "no run 17")
}

func TestTheLockArmsItselfAgain(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"on another bot user": func(w *world) { w.guild.Bot = 98 },
		"on another Auth":     func(w *world) { w.change(func(d *audit.Directory) { d.Fingerprint = "another" }) },
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, stripStrangers)
			w.join(2001, roleFleet)
			change(w)
			r := w.run(e, storage.Order{})
			if got := held(&r.Plan); !slices.Contains(got, "lock") || len(w.writes()) > 0 {
				t.Errorf("held by %v, writes %v; want the lock and none", got, w.writes())
			}
			if _, err := w.db.Acknowledged(t.Context(), guildID); err == nil {
				t.Error("the acknowledgement is still in force")
			}
		})
	}
}

func TestTheLockStaysOnForKindsThatWereNotAcknowledged(t *testing.T) {
	w, e := released(t, stripStrangers)
	w.join(2001, roleFleet)
	w.policy("unknown_guest: {default: strip_kick, grace: 0s}\n")
	r := w.run(e, storage.Order{})
	if diff := cmp.Diff([]string{"lock"}, held(&r.Plan)); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"remove_role 2001 11"}, w.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

// A run that was ordered before there was any policy covers no kind of action, whatever policy was set before it was acknowledged.
func TestAnAcknowledgementCoversThePolicyOfItsRun(t *testing.T) {
	w := newWorld(t)
	w.bind()
	e := w.engine()
	first := w.run(e, storage.Order{Mode: "report"})
	w.policy(stripStrangers)
	ack, err := e.Acknowledge(t.Context(), first.Run.ID, w.author("read it"))
	if err != nil {
		t.Fatal(err)
	}
	if len(ack.Kinds) > 0 || ack.PolicyVersion != 0 {
		t.Errorf("it covers %v of policy version %d, want nothing of none", ack.Kinds, ack.PolicyVersion)
	}
	w.join(2001, roleFleet)
	w.run(e, storage.Order{})
	if got := w.writes(); len(got) > 0 {
		t.Errorf("Discord was changed: %v", got)
	}
}

// aa-discord-audit A8: nothing compared the number of findings with the guild; a mis-click led to the whole guild.
func TestAPlanOverABrakeDoesNothingThereAndStaysHeldUntilReset(t *testing.T) {
	w, e := released(t, stripStrangers)
	for id := range 6 { // 5 members a run are allowed in a guild of this size
		w.join(2001+snowflakeOf(id), roleFleet)
	}
	r := w.run(e, storage.Order{})
	if got := held(&r.Plan); !slices.Contains(got, "members") || len(w.writes()) > 0 {
		t.Fatalf("held by %v, writes %v; want the brake on members and none", got, w.writes())
	}
	if _, ok := w.members[2006]; !ok {
		t.Fatal("who is member 2006?")
	}
	delete(w.members, 2006)
	delete(w.members, 2005)
	delete(w.members, 2004)
	delete(w.members, 2003)
	r = w.run(e, storage.Order{}) // small enough now, but the trip holds
	if got := held(&r.Plan); !slices.Contains(got, "members") || len(w.writes()) > 0 {
		t.Errorf("held by %v, writes %v; want the trip to hold", got, w.writes())
	}
	trips, err := w.db.OpenTrips(t.Context(), guildID)
	if err != nil || len(trips) == 0 {
		t.Fatalf("trips %v, %v", trips, err)
	}
	for _, trip := range trips {
		if _, err := w.db.ResetTrip(t.Context(), guildID, trip.Dimension, w.author("looked into it")); err != nil {
			t.Fatal(err)
		}
	}
	w.run(e, storage.Order{})
	if diff := cmp.Diff([]string{"remove_role 2001 11", "remove_role 2002 11"}, w.writes()); diff != "" {
		t.Errorf("writes after the reset (-want +got):\n%s", diff)
	}
}

func TestAReportTripsNoBrake(t *testing.T) {
	w, e := released(t, stripStrangers)
	for id := range 6 {
		w.join(2001+snowflakeOf(id), roleFleet)
	}
	w.run(e, storage.Order{Mode: "report"})
	w.run(e, storage.Order{DryRun: true})
	if trips, err := w.db.OpenTrips(t.Context(), guildID); err != nil || len(trips) > 0 {
		t.Errorf("trips %v, %v; want none", trips, err)
	}
}
