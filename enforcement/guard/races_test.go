package guard

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// once lets something happen while an answer of the store is on its way: it has been read, and nobody has it yet.
func (s *rows) once(do func()) {
	s.before = func() {
		s.mu.Lock()
		s.before = nil
		s.mu.Unlock()
		do()
	}
}

// fresh is a guard that has not read anything.
func fresh(t *testing.T, p Parts) *Guard {
	t.Helper()
	p.Now = func() time.Time { return noon }
	g, err := New(enforcement.Defaults(), p)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func denied(t *testing.T, g *Guard, id uint64) bool {
	t.Helper()
	return g.Check(t.Context(), &Attempt{Actor: enforcement.Actor{User: id}}).Deny
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnUnblockWhileEverythingIsReadIsNotUndoneByWhatWasRead(t *testing.T) {
	store := newRows()
	elsewhere := made(t, enforcement.Defaults(), Parts{Store: store})
	_, err := elsewhere.Block(t.Context(), Order{Subject: user(7), By: author()})
	must(t, err)
	g := fresh(t, Parts{Store: store})
	store.once(func() { must(t, g.Unblock(context.Background(), enforcement.Global, user(7), author())) })
	must(t, g.Load(t.Context()))
	if denied(t, g, 7) {
		t.Error("denied after the unblock has returned")
	}
	must(t, g.Refresh(t.Context()))
	if denied(t, g, 7) {
		t.Error("denied after the next delta")
	}
}

func TestABlockMadeWhileEverythingIsReadIsNotLost(t *testing.T) {
	store := newRows()
	g := fresh(t, Parts{Store: store})
	store.once(func() {
		_, err := g.Block(context.Background(), Order{Subject: user(7), By: author()})
		must(t, err)
	})
	must(t, g.Load(t.Context()))
	if !denied(t, g, 7) {
		t.Error("allowed after the block has returned")
	}
	must(t, g.Load(t.Context()))
	if !denied(t, g, 7) {
		t.Error("allowed after it was read again")
	}
}

func TestManyWhoFindNothingReadReadEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newRows()
		seeded := made(t, enforcement.Defaults(), Parts{Store: store})
		_, err := seeded.Block(t.Context(), Order{Subject: user(7), By: author()})
		must(t, err)
		g := fresh(t, Parts{Store: store})
		before := store.times()
		gate := make(chan struct{})
		store.once(func() { <-gate }) // the first is on its way until all the others have asked
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() { denied(t, g, 7) })
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		if n := store.times() - before; n != 1 {
			t.Errorf("everything was read %d times", n)
		}
		if !denied(t, g, 7) {
			t.Error("what was read does not hold")
		}
	})
}

func TestCopiesThatFailAfterTheWriteHideNothing(t *testing.T) {
	store, copies := newRows(), newShelf()
	here := made(t, enforcement.Defaults(), Parts{Store: store, Copies: copies})
	there := made(t, enforcement.Defaults(), Parts{Store: store, Copies: copies, Stream: heard(false)})
	copies.failing(refusing)
	_, err := here.Block(t.Context(), Order{Subject: user(7), By: author()})
	must(t, err)
	if !denied(t, here, 7) {
		t.Error("allowed where it was blocked")
	}
	if !denied(t, there, 7) {
		t.Error("allowed elsewhere although the database says otherwise")
	}
	copies.failing(nil)
	here.mend(t.Context())
	last := func() int64 { copies.mu.Lock(); defer copies.mu.Unlock(); return copies.floor }()
	if last < 2 {
		t.Errorf("the copies begin at %d, before the change that they lack", last)
	}
}

func TestABlockThatWasNotCommittedIsNowhere(t *testing.T) {
	store, copies, events := newRows(), newShelf(), &collected{}
	g := made(t, enforcement.Defaults(), Parts{Store: store, Copies: copies, Emit: events.emit})
	store.failing(refusing)
	if _, err := g.Block(t.Context(), Order{Subject: user(7), By: author()}); err == nil {
		t.Fatal("accepted")
	}
	if denied(t, g, 7) || len(copies.changed)+len(copies.held) > 0 || events.of(enforcement.BlockApplied, "") > 0 {
		t.Errorf("denied %v, copied %v, held %v", denied(t, g, 7), copies.changed, copies.held)
	}
}

// late are copies whose answer is on its way while something happens.
type late struct {
	*shelf
	meanwhile func()
}

func (l *late) CopiesSince(ctx context.Context, revision int64) (changed, held []storage.Block, err error) {
	changed, held, err = l.shelf.CopiesSince(ctx, revision)
	if do := l.meanwhile; do != nil {
		l.meanwhile = nil
		do()
	}
	return changed, held, err
}

func TestACopyThatWasOnItsWayDuringAnUnblockBringsNothingBack(t *testing.T) {
	store, copies := newRows(), newShelf()
	elsewhere := made(t, enforcement.Defaults(), Parts{Store: store, Copies: copies})
	slow := &late{shelf: copies}
	g := made(t, enforcement.Defaults(), Parts{Store: store, Copies: slow, Stream: heard(false)})
	_, err := elsewhere.Block(t.Context(), Order{Subject: user(7), By: author()})
	must(t, err)
	slow.meanwhile = func() { must(t, g.Unblock(context.Background(), enforcement.Global, user(7), author())) }
	if denied(t, g, 7) {
		t.Error("denied by a copy that was read before the unblock returned")
	}
	if denied(t, g, 7) {
		t.Error("denied by an old copy")
	}
}

func TestNewsOutOfOrderLeaveTheNewestState(t *testing.T) {
	store := newRows()
	elsewhere := made(t, enforcement.Defaults(), Parts{Store: store})
	g := made(t, enforcement.Defaults(), Parts{Store: store})
	var news []storage.Block
	keep := func() {
		store.mu.Lock()
		defer store.mu.Unlock()
		news = append(news, store.blocks["user7"])
	}
	_, err := elsewhere.Block(t.Context(), Order{Subject: user(7), By: author()})
	must(t, err)
	keep()
	must(t, elsewhere.Unblock(t.Context(), enforcement.Global, user(7), author()))
	keep()
	for _, i := range []int{1, 0} {
		g.heard(t.Context(), storage.BlockNews{Revision: news[i].Revision, Block: &news[i]})
		if denied(t, g, 7) {
			t.Error("denied by old news")
		}
	}
}

// TestAHeldBlockThatAnotherProcessTakesBackIsNotStored lets the database come back in between.
func TestAHeldBlockThatAnotherProcessTakesBackIsNotStored(t *testing.T) {
	for name, stored := range map[string]bool{"before it is stored": false, "while it is stored": true} {
		t.Run(name, func(t *testing.T) {
			store, copies := newRows(), newShelf()
			here := made(t, enforcement.Defaults(), Parts{Store: store, Copies: copies})
			there := made(t, enforcement.Defaults(), Parts{Store: store, Copies: copies, Stream: heard(false)})
			store.failing(refusing)
			c, err := here.Block(t.Context(), Order{Subject: user(7), TTL: time.Hour, By: author()})
			if err != nil || !c.Held {
				t.Fatalf("%+v, %v", c, err)
			}
			if !denied(t, there, 7) {
				t.Error("another process does not know what is held")
			}
			back := author()
			back.At = noon.Add(time.Second)
			release := func() { must(t, there.Unblock(context.Background(), enforcement.Global, user(7), back)) }
			if stored {
				store.failing(nil)
				store.once(release)
			} else {
				release()
				store.failing(nil)
			}
			must(t, here.Flush(t.Context()))
			must(t, here.Refresh(t.Context()))
			must(t, there.Refresh(t.Context()))
			if b := store.blocks["user7"]; b.ID != 0 && b.Closed.IsZero() {
				t.Errorf("the database has it in force: %+v", b)
			}
			if denied(t, here, 7) || denied(t, there, 7) {
				t.Error("denied after the unblock")
			}
		})
	}
}

func TestShorteningIsAnActOfItsOwn(t *testing.T) {
	store, events := newRows(), &collected{}
	g := made(t, enforcement.Defaults(), Parts{Store: store, Emit: events.emit})
	if _, err := g.Shorten(t.Context(), enforcement.Global, user(7), noon.Add(time.Minute), author()); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	_, err := g.Block(t.Context(), Order{Subject: user(7), TTL: time.Hour, By: author()})
	must(t, err)
	b, err := g.Shorten(t.Context(), enforcement.Global, user(7), noon.Add(time.Minute), author())
	if err != nil || !b.End.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v, %v", b, err)
	}
	if f, _ := g.Find(enforcement.Global, user(7)); !f.End.Equal(noon.Add(time.Minute)) {
		t.Errorf("in force: %+v", f)
	}
	if n := len(events.all); n != 2 || events.all[1].Action != "shortened" || !events.all[1].Before.Equal(noon.Add(time.Hour)) {
		t.Errorf("events %+v", events.all)
	}
}

// somebody is anybody who attempts something, of a world so small that blocks hit.
func somebody(t *rapid.T) *Attempt {
	id := rapid.Uint64Range(0, 3)
	a := &Attempt{Actor: enforcement.Actor{
		User: id.Draw(t, "user"), Account: id.Draw(t, "account"), Guild: id.Draw(t, "guild"), Channel: id.Draw(t, "channel"), Webhook: id.Draw(t, "webhook"),
		Session: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "session"), Roles: rapid.SliceOfN(rapid.Uint64Range(1, 3), 0, 2).Draw(t, "roles"),
	}}
	if n := id.Draw(t, "address"); n > 0 {
		a.Actor.IP = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
	}
	return a
}

func somethingBlocked(t *rapid.T) enforcement.Block {
	scope := enforcement.Scope(rapid.IntRange(int(enforcement.User), int(enforcement.Role)).Draw(t, "scope"))
	n := rapid.Uint64Range(1, 3).Draw(t, "id")
	b := enforcement.Block{Subject: enforcement.Subject{Scope: scope}, Start: noon}
	switch scope {
	case enforcement.IP:
		b.Subject.Net, _ = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).Prefix(rapid.SampledFrom([]int{24, 30, 32}).Draw(t, "bits"))
	case enforcement.Session:
		b.Subject.Text = string(rune('a' + n - 1))
	case enforcement.Member:
		b.Subject.ID, b.Subject.Guild = n, rapid.Uint64Range(1, 3).Draw(t, "of the guild")
	case enforcement.User, enforcement.Account, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Role, enforcement.Route:
		b.Subject.ID = n
	}
	b.Namespace = enforcement.Namespace(rapid.Uint64Range(0, 3).Draw(t, "namespace"))
	if minutes := rapid.IntRange(-5, 5).Draw(t, "minutes"); minutes != 0 {
		b.End = noon.Add(time.Duration(minutes) * time.Minute)
	}
	if rapid.IntRange(0, 4).Draw(t, "revoked") == 0 {
		b.Revoked = noon
	}
	return b
}

func TestABlockNeverYieldsMoreAccess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := enforcement.Defaults()
		c.Precedence = rapid.Permutation([]enforcement.Scope{enforcement.IP, enforcement.Role, enforcement.Session}).Draw(t, "precedence")
		g, err := New(c, Parts{Store: newRows(), Now: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Load(context.Background()); err != nil {
			t.Fatal(err)
		}
		revision := int64(0)
		add := func(b enforcement.Block) {
			// Taking back what is in force yields access, and so it must: only blocks are added here.
			if old := g.index.find(b.Namespace, &b.Subject); old != nil && old.active(noon.UnixMicro()) {
				if is := old.asBlock(); !b.Active(noon) || !is.Longer(b.End) {
					return
				}
			}
			revision++
			b.ID, b.Revision = revision, revision
			g.take(b)
		}
		attempts := rapid.SliceOfN(rapid.Custom(somebody), 1, 6).Draw(t, "attempts")
		before := make([]bool, len(attempts))
		for range rapid.IntRange(1, 12).Draw(t, "blocks") {
			add(somethingBlocked(t))
			for i, a := range attempts {
				now := g.Check(context.Background(), a).Deny
				if before[i] && !now {
					t.Fatalf("%+v was denied, and is not after one more block", a.Actor)
				}
				before[i] = now
			}
		}
	})
}
