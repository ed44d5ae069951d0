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
	"gatecamp/enforcement"
	"gatecamp/storage"
)

const harmless = "unknown_guest: {default: report}\n"

// block stores a block that acts.
func (w *world) block(scope, value string, also enforcement.Also, end time.Time) {
	w.t.Helper()
	if _, _, err := w.db.Block(w.t.Context(), storage.Block{Guild: guildID, Scope: scope, Value: value, Also: also, End: end}, w.author("spied")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) unblock(scope, value string) {
	w.t.Helper()
	if _, err := w.db.Unblock(w.t.Context(), guildID, scope, value, w.author("forgiven")); err != nil {
		w.t.Fatal(err)
	}
}

func wantWrites(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.writes(); !slices.Equal(got, want) {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestABlockActsAtOnceWhateverThePolicyAndAuthSay(t *testing.T) {
	for name, c := range map[string]struct {
		scope, value string
		also         enforcement.Also
		blind        bool
		want         []string
	}{
		"a user is kicked":                      {"user", "1002", enforcement.AlsoKick, false, []string{"kick 1002 0"}},
		"a member of this guild is banned":      {"member", "1:1002", enforcement.AlsoBan, false, []string{"ban 1002 0"}},
		"a member of another guild is not":      {"member", "2:1002", enforcement.AlsoBan, false, nil},
		"an Auth user's Discord account":        {"account", "2", enforcement.AlsoKick, false, []string{"kick 1002 0"}},
		"none leaves them":                      {"user", "1002", enforcement.AlsoNone, false, nil},
		"roles go, the member stays":            {"user", "1002", enforcement.AlsoStrip, false, []string{"remove_role 1002 10"}},
		"a user is kicked, Auth blind":          {"user", "1002", enforcement.AlsoKick, true, []string{"kick 1002 0"}},
		"the account that was linked last":      {"account", "2", enforcement.AlsoKick, true, []string{"kick 1002 0"}},
		"roles go by the bindings, Auth blind":  {"user", "1002", enforcement.AlsoStrip, true, []string{"remove_role 1002 10"}},
		"the owner stays":                       {"user", "1001", enforcement.AlsoKick, false, nil},
		"an operator stays, stored or not":      {"user", "1003", enforcement.AlsoKick, false, nil},
		"who holds an immune role stays":        {"user", "1004", enforcement.AlsoBan, false, nil},
		"a superuser of Auth stays":             {"user", "1005", enforcement.AlsoKick, false, nil},
		"a scope that names nobody never kicks": {"role", "10", enforcement.AlsoKick, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := released(t, harmless, func(c *reconcile.Config) {
				c.Immune = func() enforcement.Immune {
					return enforcement.Immune{Superusers: true, Subjects: []enforcement.Subject{{Scope: enforcement.User, ID: 1003}, {Scope: enforcement.Role, ID: uint64(rolePlain)}}}
				}
			})
			w.change(func(d *audit.Directory) { d.Accounts[4].Superuser = true })
			w.join(1004, roleState, rolePlain)
			w.one(e, 1002, 1005) // Auth was read
			w.block(c.scope, c.value, c.also, time.Time{})
			if c.blind {
				w.fail(errors.New("away"))
			}
			r := w.one(e, 1001, 1002, 1003, 1004, 1005)
			wantWrites(t, w, c.want...)
			again := w.one(e, 1001, 1002, 1003, 1004, 1005)
			if len(again.Outcomes) > 0 {
				t.Errorf("done again: %v after %v", again.Outcomes, r.Outcomes)
			}
		})
	}
}

func TestABlockThatEndsOrIsLiftedOnTheWayIsNotCarriedOut(t *testing.T) {
	w, e := released(t, harmless)
	w.block("user", "1002", enforcement.AlsoKick, w.now().Add(time.Hour))
	w.onReserve = func(context.Context, int, audit.Action) error {
		w.unblock("user", "1002")
		return nil
	}
	if r := w.one(e, 1002); len(w.writes()) > 0 || len(r.Outcomes) != 1 || r.Outcomes[0].Result != audit.NotTried {
		t.Errorf("lifted while it waited: %v, wrote %q", r.Outcomes, w.writes())
	}
	w.onReserve = nil
	w.block("user", "1002", enforcement.AlsoKick, w.now().Add(time.Hour))
	w.pass(2 * time.Hour)
	if r := w.one(e, 1002); len(w.writes()) > 0 || len(r.Plan.Actions) != 0 {
		t.Errorf("after its end: %v, wrote %q", r.Plan.Actions, w.writes())
	}
}

func TestGatesAndTheBudgetHoldABlockAndSaySo(t *testing.T) {
	w, e := released(t, harmless)
	w.pause()
	w.block("user", "1002", enforcement.AlsoKick, time.Time{})
	r := w.one(e, 1002)
	if got := held(&r.Plan); len(w.writes()) > 0 || !slices.Equal(got, []string{"pause"}) {
		t.Errorf("while paused: held by %q, wrote %q", got, w.writes())
	}
	present, err := e.BlockedPresent(t.Context(), w)
	if err != nil || !slices.Equal(present, []snowflake.ID{1002}) {
		t.Errorf("blocked and present: %v, %v", present, err)
	}
	if _, err := w.db.Unpause(t.Context(), guildID, w.author("over")); err != nil {
		t.Fatal(err)
	}
	w.one(e, 1002)
	wantWrites(t, w, "kick 1002 0")
	for _, id := range []string{"1006", "1007", "1008", "1009", "1010"} {
		w.block("user", id, enforcement.AlsoKick, time.Time{})
	}
	r = w.one(e, 1006, 1007, 1008, 1009, 1010)
	if got := held(&r.Plan); len(w.writes()) != 1 || !slices.Contains(got, "block_kicks") {
		t.Errorf("over the budget: held by %q, wrote %q", got, w.writes())
	}
}

func TestTheThirdReturnOfABlockedMemberIsToldOnce(t *testing.T) {
	var told []enforcement.Event
	w, e := released(t, harmless, func(c *reconcile.Config) { c.Emit = func(ev enforcement.Event) { told = append(told, ev) } })
	w.block("user", "1002", enforcement.AlsoKick, time.Time{})
	var rejoins []reconcile.Rejoin
	for range 4 {
		rejoins = append(rejoins, w.one(e, 1002).Rejoins...)
		w.pass(time.Minute)
		w.join(1002)
	}
	w.pause()
	w.one(e, 1002)
	w.one(e, 1002) // the same return
	if len(rejoins) != 1 || rejoins[0].Member != 1002 || rejoins[0].Times != reconcile.RejoinsTold {
		t.Errorf("told of %v", rejoins)
	}
	if len(told) != 2 || told[0].Type != enforcement.Alert || told[0].Subject.ID != 1002 {
		t.Errorf("emitted %+v", told)
	}
	w.pass(25 * time.Hour)
	if r := w.one(e, 1002); len(r.Rejoins) > 0 {
		t.Errorf("a day later: %v", r.Rejoins)
	}
}
