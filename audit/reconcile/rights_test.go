package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

const (
	moderator snowflake.ID = 1005 // user 5, holds rights in Auth
	operator  snowflake.ID = 1006
	granted   snowflake.ID = 1007 // by a grant to the Discord account
	grouped   snowflake.ID = 1008 // by a grant to a group
)

// rights is a world in which some people may do something.
func rights(t *testing.T) (*world, *reconcile.Rights) {
	t.Helper()
	w := newWorld(t)
	w.permit(5, audit.RightRun, audit.RightViewRuns, audit.RightAcknowledge, audit.RightManageOverrides)
	w.grant(8, "Fleet")
	for _, right := range []audit.Right{audit.RightPause, audit.RightViewFindings, audit.RightPolicy, audit.RightRun, audit.RightGrant} {
		w.give(right, "discord", granted.String())
		w.give(right, "group", "Fleet")
	}
	return w, w.rights()
}

func (w *world) rights() *reconcile.Rights {
	return reconcile.NewRights(w.db, w, reconcile.RightsConfig{Operators: []snowflake.ID{operator}, TrustSuperusers: true, Now: w.now})
}

func (w *world) give(right audit.Right, kind, subject string) storage.Grant {
	w.t.Helper()
	g, err := w.db.AddGrant(w.t.Context(), storage.Grant{Guild: guildID, Right: right.String(), SubjectKind: kind, Subject: subject}, w.author("for the test"))
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// permit gives a user permissions of Auth.
func (w *world) permit(user int64, list ...audit.Right) {
	w.change(func(d *audit.Directory) {
		for _, r := range audit.Rights() {
			if r.InAuth() {
				d.Permissions = append(slices.Clip(d.Permissions), r.String())
			}
		}
		slices.Sort(d.Permissions)
		d.Permissions = slices.Compact(d.Permissions)
		held := make(audit.Bits, (len(d.Permissions)+63)/64)
		for _, r := range list {
			held.Set(slices.Index(d.Permissions, r.String()))
		}
		held.Set(slices.Index(d.Permissions, audit.AccessDiscord))
		for i := range d.Accounts {
			if d.Accounts[i].User == user {
				d.Accounts[i].Grants = &held
			}
		}
	})
}

func standing(t *testing.T, r *reconcile.Rights, who snowflake.ID) *reconcile.Standing {
	t.Helper()
	s, err := r.Of(t.Context(), guildID, reconcile.Asker{Caller: audit.Caller{Discord: who}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRightsComeFromAuthFromGrantsAndFromOperators(t *testing.T) {
	_, r := rights(t)
	for _, c := range []struct {
		who   snowflake.ID
		right audit.Right
		want  string // empty: refused
	}{
		{moderator, audit.RightRun, "auth"},
		{moderator, audit.RightAcknowledge, "auth"},
		{moderator, audit.RightApply, ""},
		{moderator, audit.RightPause, ""},
		{operator, audit.RightRun, "operator"},
		{operator, audit.RightAcknowledge, "operator"},
		{operator, audit.RightPause, "operator"},
		{operator, audit.RightGrant, "operator"},
		{operator, audit.RightViewFindings, ""},
		{operator, audit.RightPolicy, ""},
		{granted, audit.RightPolicy, "grant:5"},
		{grouped, audit.RightPolicy, "grant:6"},
		{1009, audit.RightRun, ""},
		{777, audit.RightRun, ""},
	} {
		a := standing(t, r, c.who).Ask(c.right)
		if a.Held != (c.want != "") || a.Held && a.Ground.String() != c.want || a.AuthAway {
			t.Errorf("%d, %s: %+v, want %q", c.who, c.right, a, c.want)
		}
		if a.Held {
			continue
		}
		if !slices.Equal(a.Givers.Holders, []snowflake.ID{granted}) || !slices.Equal(a.Givers.Operators, []snowflake.ID{operator}) || a.Givers.AuthAdmins != c.right.InAuth() {
			t.Errorf("%d, %s: who can give it is %+v", c.who, c.right, a.Givers)
		}
	}
}

func TestWhileAuthIsAwayReadingAndStoppingRestOnWhatWasKnown(t *testing.T) {
	for name, away := range map[string]func(w *world){
		"unreachable": func(w *world) { w.fail(errDown) },
		"emptied":     func(w *world) { w.change(func(d *audit.Directory) { d.Accounts = nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			w, r := rights(t)
			w.run(w.engine(), storage.Order{DryRun: true}) // what is normal
			for _, who := range []snowflake.ID{moderator, operator, granted, grouped} {
				standing(t, r, who)
			}
			away(w)
			w.pass(23 * time.Hour)
			type answer struct{ held, away, aged bool }
			for _, c := range []struct {
				who   snowflake.ID
				deed  reconcile.Deed
				right audit.Right
				want  answer
			}{
				{moderator, reconcile.Reading, audit.RightViewRuns, answer{held: true, aged: true}},
				{moderator, reconcile.Stopping, audit.RightRun, answer{held: true, aged: true}}, // cancel
				{moderator, reconcile.Stopping, audit.RightPause, answer{}},                     // never held it
				{moderator, reconcile.Ordinary, audit.RightRun, answer{away: true}},             // order a report
				{moderator, reconcile.Loosening, audit.RightAcknowledge, answer{away: true}},
				{moderator, reconcile.Loosening, audit.RightManageOverrides, answer{away: true}},
				{grouped, reconcile.Reading, audit.RightViewFindings, answer{held: true, aged: true}},
				{grouped, reconcile.Stopping, audit.RightPause, answer{held: true, aged: true}},
				{grouped, reconcile.Loosening, audit.RightPause, answer{away: true}}, // unpause
				{granted, reconcile.Reading, audit.RightViewFindings, answer{held: true}},
				{granted, reconcile.Stopping, audit.RightPause, answer{held: true}},
				{granted, reconcile.Ordinary, audit.RightRun, answer{held: true}},
				{granted, reconcile.Loosening, audit.RightPause, answer{away: true}},
				{granted, reconcile.Loosening, audit.RightPolicy, answer{away: true}},
				{granted, reconcile.Loosening, audit.RightGrant, answer{away: true}},
				{operator, reconcile.Stopping, audit.RightPause, answer{held: true}},
				{operator, reconcile.Ordinary, audit.RightRun, answer{held: true}},
				{operator, reconcile.Loosening, audit.RightRun, answer{away: true}}, // an acting run
				{operator, reconcile.Loosening, audit.RightAcknowledge, answer{away: true}},
				{operator, reconcile.Loosening, audit.RightGrant, answer{away: true}},
				{1009, reconcile.Reading, audit.RightViewRuns, answer{away: true}},
			} {
				s := standing(t, r, c.who)
				a := s.AskTo(c.deed, c.right)
				if got := (answer{a.Held, a.AuthAway, a.Age > 22*time.Hour}); got != c.want && (c.want != answer{} || a.Held) {
					t.Errorf("%d, %s for %s: %+v, want %+v", c.who, c.right, c.deed, got, c.want)
				}
				if s.Trouble == nil {
					t.Fatal("Auth is away, and nobody says so")
				}
			}
			w.pass(time.Hour)
			if a := standing(t, r, moderator).Ask(audit.RightViewRuns); a.Held {
				t.Errorf("what was known a day ago still counts: %+v", a)
			}
		})
	}
}

func TestAGrantThatWasTakenWhileAuthIsAwayIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.grant(8, "Fleet")
	g, r := w.give(audit.RightPause, "group", "Fleet"), w.rights()
	standing(t, r, grouped)
	w.fail(errDown)
	if a := standing(t, r, grouped).Ask(audit.RightPause); !a.Held {
		t.Errorf("known a moment ago: %+v", a)
	}
	if _, err := w.db.RemoveGrant(t.Context(), guildID, g.ID, w.author("no more")); err != nil {
		t.Fatal(err)
	}
	if a := standing(t, r, grouped).Ask(audit.RightPause); a.Held {
		t.Errorf("the grant is gone: %+v", a)
	}
}

func TestWhoLostRightsInAuthDoesNotGetThemBackByAnOutage(t *testing.T) {
	w, r := rights(t)
	standing(t, r, moderator)
	w.permit(5)
	if a := standing(t, r, moderator).Ask(audit.RightViewRuns); a.Held {
		t.Errorf("taken a moment ago: %+v", a)
	}
	w.fail(errDown)
	if a := standing(t, r, moderator).Ask(audit.RightViewRuns); a.Held {
		t.Errorf("an outage gave it back: %+v", a)
	}
}

func TestManageServerIsEnoughToStopAndForNothingElse(t *testing.T) {
	w, r := rights(t)
	ask := func(d reconcile.Deed, right audit.Right) reconcile.Answer {
		t.Helper()
		s, err := r.Of(t.Context(), guildID, reconcile.Asker{Caller: audit.Caller{Discord: 777}, ManageServer: true})
		if err != nil {
			t.Fatal(err)
		}
		return s.AskTo(d, right)
	}
	for range 2 {
		for _, right := range []audit.Right{audit.RightPause, audit.RightRun} {
			if a := ask(reconcile.Stopping, right); !a.Held || a.Ground.Ground != audit.ByManageServer {
				t.Errorf("stopping, %s: %+v", right, a)
			}
			if a := ask(reconcile.Loosening, right); a.Held {
				t.Errorf("loosening, %s: %+v", right, a)
			}
			if a := ask(reconcile.Ordinary, right); a.Held {
				t.Errorf("ordinary, %s: %+v", right, a)
			}
		}
		w.fail(errDown)
	}
}

// slow never answers.
type slow struct{}

func (slow) Read(ctx context.Context) (*audit.Directory, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAnAuthThatDoesNotAnswerInTimeIsAway(t *testing.T) {
	w := newWorld(t)
	r := reconcile.NewRights(w.db, slow{}, reconcile.RightsConfig{Operators: []snowflake.ID{operator}, Within: 10 * time.Millisecond, Now: w.now})
	s := standing(t, r, operator)
	if !errors.Is(s.Trouble, context.DeadlineExceeded) || !s.Ask(audit.RightPause).Held || s.Ask(audit.RightGrant).Held {
		t.Errorf("trouble %v, pause %+v, grant %+v", s.Trouble, s.Ask(audit.RightPause), s.Ask(audit.RightGrant))
	}
}

func TestEveryRightHasADeed(t *testing.T) {
	counts := map[reconcile.Deed]int{}
	for _, r := range audit.Rights() {
		counts[reconcile.DeedOf(r)]++
	}
	if counts[reconcile.Reading] != 4 || counts[reconcile.Ordinary] != 3 || counts[reconcile.Stopping] != 1 {
		t.Errorf("%v: whatever is not known to be harmless loosens", counts)
	}
}
