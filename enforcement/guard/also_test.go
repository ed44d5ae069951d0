package guard

import (
	"sync"
	"testing"
	"time"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

func TestWhatABlockDoesBesidesIsOnlyForPeopleAndSurvivesBeingHeld(t *testing.T) {
	store := newRows()
	g := made(t, enforcement.Defaults(), Parts{Store: store})
	channel := enforcement.Subject{Scope: enforcement.Channel, ID: 5}
	if _, err := g.Block(t.Context(), Order{Subject: channel, TTL: time.Hour, Also: enforcement.AlsoKick, By: author()}); err == nil {
		t.Error("a block of a channel may kick")
	}
	if _, err := g.Block(t.Context(), Order{Subject: user(7), By: author()}); err != nil {
		t.Fatal(err)
	}
	store.err = storage.ErrGone
	c, err := g.Block(t.Context(), Order{Subject: user(7), TTL: time.Hour, Also: enforcement.AlsoKick, By: author()})
	if err != nil || c.What != storage.BlockExtended || !c.Block.Permanent() || c.Block.Also != enforcement.AlsoKick {
		t.Errorf("a harsher, shorter one while the store is away: %+v, %v", c, err)
	}
	if b, _ := g.Find(enforcement.Global, user(7)); b.Also != enforcement.AlsoKick || !b.Permanent() {
		t.Errorf("in force: %+v", b)
	}
	store.err = nil
	if err := g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b := store.blocks["user7"]; b.Also != enforcement.AlsoKick || b.End.IsZero() {
		t.Errorf("the store was given %+v, not what was asked for while it was away", b)
	}
}

func TestEveryChangeOfABlockIsToldHereAndByOthers(t *testing.T) {
	store := newRows()
	var mu sync.Mutex
	var here, there []bool // whether each told block keeps out
	listen := func(told *[]bool) func(enforcement.Block) {
		return func(b enforcement.Block) {
			mu.Lock()
			defer mu.Unlock()
			*told = append(*told, b.Active(noon))
		}
	}
	g := made(t, enforcement.Defaults(), Parts{Store: store, Changed: listen(&here)})
	other := made(t, enforcement.Defaults(), Parts{Store: store, Changed: listen(&there)})
	if _, err := g.Block(t.Context(), Order{Subject: user(7), TTL: time.Hour, By: author()}); err != nil {
		t.Fatal(err)
	}
	if err := other.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Unblock(t.Context(), enforcement.Global, user(7), author()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second has nothing new to tell
		if err := other.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, told := range map[string][]bool{"here": here, "there": there} {
		if len(told) != 2 || !told[0] || told[1] {
			t.Errorf("%s was told %v, want a block and its end", name, told)
		}
	}
}
