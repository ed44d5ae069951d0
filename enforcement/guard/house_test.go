package guard

import (
	"errors"
	"testing"
	"time"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// by is an author of the tests.
func by(at time.Time) storage.Author {
	return storage.Author{Actor: "discord:5", Origin: "test", Reason: "for the test", At: at.UTC()}
}

func TestEachGuildHasItsOwnSwitch(t *testing.T) {
	c := enforcement.Defaults()
	c.Guilds = map[enforcement.Namespace]enforcement.Mode{2: enforcement.Shadowing, 3: enforcement.Disabled}
	var told []enforcement.EventType
	g := made(t, c, Parts{Store: newRows(), Emit: func(e enforcement.Event) { told = append(told, e.Type) }})
	if _, err := g.Block(t.Context(), Order{Subject: user(7), TTL: time.Hour, By: by(time.Now())}); err != nil {
		t.Fatal(err)
	}
	told = nil
	for guild, want := range map[uint64]bool{1: true, 2: false, 3: false, 0: true} {
		if v := g.Check(t.Context(), &Attempt{Actor: enforcement.Actor{User: 7, Guild: guild}}); v.Deny != want {
			t.Errorf("guild %d (%s): %+v", guild, g.Mode(guild), v)
		}
	}
	shadows := 0
	for _, kind := range told {
		if kind == enforcement.Shadow {
			shadows++
		}
	}
	if shadows != 1 {
		t.Errorf("told %v, want one of what shadow would have done", told)
	}
	c.Shadow = true
	if err := g.Configure(c); err != nil {
		t.Fatal(err)
	}
	for guild, want := range map[uint64]enforcement.Mode{1: enforcement.Shadowing, 2: enforcement.Shadowing, 3: enforcement.Disabled} {
		if got := g.Mode(guild); got != want {
			t.Errorf("guild %d is in mode %s, want %s", guild, got, want)
		}
	}
}

func TestNobodyIsLockedOutOfTheirOwnHouseWhateverIsStored(t *testing.T) {
	owner := func(a enforcement.Actor) bool { return a.User == 9 && (a.Guild == 1 || a.Guild == 0) }
	c := enforcement.Defaults()
	c.Immune.Subjects = []enforcement.Subject{{Scope: enforcement.Role, ID: 70}}
	rows := newRows()
	g := made(t, c, Parts{Store: rows, Immune: owner})
	now := time.Now()
	for name, o := range map[string]Order{
		"the owner in their guild": {Namespace: 1, Subject: enforcement.Subject{Scope: enforcement.Member, ID: 9, Guild: 1}},
		"the owner everywhere":     {Subject: user(9)},
		"an immune role":           {Namespace: 1, Subject: enforcement.Subject{Scope: enforcement.Member, ID: 8, Guild: 1}, Whom: enforcement.Actor{Roles: []uint64{70}}},
	} {
		o.TTL, o.By = time.Hour, by(now)
		if _, err := g.Block(t.Context(), o); !errors.Is(err, ErrImmune) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Block(t.Context(), Order{Namespace: 2, Subject: enforcement.Subject{Scope: enforcement.Member, ID: 9, Guild: 2}, TTL: time.Hour, By: by(now)}); err != nil {
		t.Errorf("the owner of one guild in another: %v", err)
	}
	// What came into the store on another way denies them all the same no more.
	o := Order{Subject: user(9), TTL: time.Hour, By: by(now)}
	if _, err := g.block(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	for guild, want := range map[uint64]bool{1: false, 2: true} {
		if v := g.Check(t.Context(), &Attempt{Actor: enforcement.Actor{User: 9, Guild: guild}}); v.Deny != want {
			t.Errorf("guild %d: %+v", guild, v)
		}
	}
}

func TestATemporaryBlockIsHeldWhateverTheStoreSaysOfItself(t *testing.T) {
	for _, sentinel := range []error{storage.ErrGone, storage.ErrLocked, storage.ErrFull, storage.ErrReadOnly} {
		if !away(sentinel) {
			t.Errorf("%v is taken for a refusal", sentinel)
		}
	}
	if away(storage.ErrConflict) || away(errors.New("whatever")) {
		t.Error("anything is taken for a store that is away")
	}
}
