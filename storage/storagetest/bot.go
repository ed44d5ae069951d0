package storagetest

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
)

func testCards(t *testing.T, s suite) {
	card := func(g snowflake.ID, id string) storage.Card {
		return storage.Card{
			ID: id, Guild: g, Channel: 5, Kind: "apply", Digest: "d", Run: 7, Args: json.RawMessage(`{"n":1}`), Locale: "ru", Invoker: biggest,
			Created: noon, Expires: noon.Add(5 * time.Minute),
		}
	}
	t.Run("a card is read back, of its own guild alone, and knows where it was posted", func(t *testing.T) {
		g := guild()
		c := card(g, "read")
		ok(t, s.MakeCard(t.Context(), c))
		want(t, s.MakeCard(t.Context(), card(g, "read")), storage.ErrConflict, "the same id again")
		same(t, c, must(s.Card(t.Context(), g, "read"))(t), "card")
		ok(t, s.PlaceCard(t.Context(), g, "read", 6, biggest))
		c.Channel, c.Message = 6, biggest
		same(t, c, must(s.db.Open(t).Card(t.Context(), g, "read"))(t), "card as another process sees it")
		elsewhere := guild()
		_, err := s.Card(t.Context(), elsewhere, "read")
		want(t, err, storage.ErrNotFound, "in another guild")
		_, err = s.UseCard(t.Context(), elsewhere, "read", "done", "discord:1", noon)
		want(t, err, storage.ErrNotFound, "used in another guild")
		want(t, s.PlaceCard(t.Context(), elsewhere, "read", 1, 1), storage.ErrNotFound, "placed in another guild")
	})
	t.Run("of many who press at once one is first, and the others learn who", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		ok(t, s.MakeCard(t.Context(), card(g, "pressed")))
		cards, errs := make([]storage.Card, 8), make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				cards[i], errs[i] = store.UseCard(t.Context(), g, "pressed", "done", "discord:"+string(rune('0'+i)), noon.Add(time.Second))
			})
		}
		wg.Wait()
		stored, won := must(s.Card(t.Context(), g, "pressed"))(t), 0
		for i, err := range errs {
			if err == nil {
				won++
			} else {
				want(t, err, storage.ErrConflict, "a later press")
			}
			same(t, stored, cards[i], "what the press learnt")
		}
		if won != 1 || stored.Outcome != "done" || stored.UsedBy == "" || !stored.Used.Equal(noon.Add(time.Second)) {
			t.Errorf("%d were first; stored %+v", won, stored)
		}
	})
	t.Run("overdue are those that were posted, are open, and whose time is over", func(t *testing.T) {
		g := guild()
		for _, id := range []string{"late", "early", "used", "unposted"} {
			c := card(g, id)
			if id == "early" {
				c.Expires = noon
			}
			ok(t, s.MakeCard(t.Context(), c))
			if id != "unposted" {
				ok(t, s.PlaceCard(t.Context(), g, id, 5, 9))
			}
		}
		must(s.UseCard(t.Context(), g, "used", "cancelled", "discord:1", noon))(t)
		for at, expected := range map[time.Time][]string{
			noon.Add(-time.Microsecond): nil, noon: {"early"}, noon.Add(5 * time.Minute): {"early", "late"},
		} {
			var got []string
			for _, c := range must(s.OverdueCards(t.Context(), g, at))(t) {
				got = append(got, c.ID)
			}
			same(t, expected, got, "overdue")
		}
	})
}

func testMemory(t *testing.T, s suite) {
	g := guild()
	_, _, err := s.Recall(t.Context(), g, "board")
	want(t, err, storage.ErrNotFound, "nothing yet")
	ok(t, s.Forget(t.Context(), g, "board"))
	for i, value := range [][]byte{{0, 255, 1}, []byte("second"), {}} {
		at := noon.Add(time.Duration(i) * time.Second)
		ok(t, s.Remember(t.Context(), g, "board", value, at))
		got, when, err := s.db.Open(t).Recall(t.Context(), g, "board")
		ok(t, err)
		same(t, string(value), string(got), "value")
		same(t, at, when, "when")
	}
	ok(t, s.Remember(t.Context(), 0, "board", []byte("process"), noon))
	ok(t, s.Forget(t.Context(), g, "board"))
	_, _, err = s.Recall(t.Context(), g, "board")
	want(t, err, storage.ErrNotFound, "forgotten")
	got, _, err := s.Recall(t.Context(), 0, "board")
	ok(t, err)
	same(t, "process", string(got), "the process's own")
}

func testRoleGrants(t *testing.T, s suite) {
	g := guild()
	grants := []storage.RoleGrant{
		{Guild: g, Entry: 12, Role: 5, Member: 2, Actor: biggest, Added: true, At: noon.Add(time.Minute), Reason: "new pilot"},
		{Guild: g, Entry: 11, Role: 5, Member: 1, Actor: 9, At: noon.Add(time.Second)},
		{Guild: g, Entry: 11, Role: 6, Member: 1, Actor: 9, Added: true, At: noon.Add(time.Second)},
		{Guild: g, Entry: 10, Role: 5, Member: biggest, Actor: 9, Added: true, At: noon},
	}
	ok(t, s.NoteRoleGrants(t.Context(), []storage.RoleGrant{grants[3], grants[1], grants[2]}))
	ok(t, s.NoteRoleGrants(t.Context(), []storage.RoleGrant{grants[0], grants[1]}))
	ok(t, s.NoteRoleGrants(t.Context(), nil))
	changed := grants[3]
	changed.Actor = 1
	ok(t, s.NoteRoleGrants(t.Context(), []storage.RoleGrant{changed}))
	many := make([]snowflake.ID, 1200)
	for i := range many {
		many[i] = snowflake.ID(i + 1)
	}
	for _, c := range []struct {
		what    string
		members []snowflake.ID
		since   time.Time
		want    []storage.RoleGrant
	}{
		{"of all", nil, time.Time{}, grants},
		{"since", nil, noon.Add(time.Second), grants[:3]},
		{"of members", []snowflake.ID{2, biggest}, time.Time{}, []storage.RoleGrant{grants[0], grants[3]}},
		{"of many members", many, time.Time{}, grants[:3]},
		{"of nobody", []snowflake.ID{}, time.Time{}, nil},
	} {
		same(t, c.want, must(s.RoleGrants(t.Context(), g, c.members, c.since))(t), c.what)
	}
	if all := must(s.RoleGrants(t.Context(), guild(), nil, time.Time{}))(t); len(all) != 0 {
		t.Errorf("of another guild: %+v", all)
	}
}

func testSeenRights(t *testing.T, s suite) {
	g := guild()
	_, err := s.LastRights(t.Context(), g, biggest)
	want(t, err, storage.ErrNotFound, "never seen")
	first := storage.SeenRights{Guild: g, Discord: biggest, User: 4, Rights: []string{"run_audit", "view_auditrun"}, At: noon}
	second := storage.SeenRights{Guild: g, Discord: biggest, At: noon.Add(time.Minute)}
	ok(t, s.NoteRights(t.Context(), first))
	same(t, first, must(s.LastRights(t.Context(), g, biggest))(t), "rights")
	ok(t, s.NoteRights(t.Context(), second))
	ok(t, s.NoteRights(t.Context(), first))
	same(t, second, must(s.LastRights(t.Context(), g, biggest))(t), "rights, the older left out")
	_, err = s.LastRights(t.Context(), guild(), biggest)
	want(t, err, storage.ErrNotFound, "in another guild")
}

func testSubscribers(t *testing.T, s suite) {
	t.Run("failures count until one arrives, and whoever comes again begins anew", func(t *testing.T) {
		g := guild()
		for _, id := range []snowflake.ID{biggest, 3} {
			ok(t, s.Subscribe(t.Context(), g, id, noon))
		}
		for i := range 2 {
			ok(t, s.NoteMessage(t.Context(), g, 3, "run", "closed", noon.Add(time.Duration(i)*time.Second)))
		}
		failing := storage.Subscriber{Guild: g, Discord: 3, Since: noon, Failures: 2, LastFailure: noon.Add(time.Second), LastError: "closed"}
		fine, plain := storage.Subscriber{Guild: g, Discord: biggest, Since: noon}, storage.Subscriber{Guild: g, Discord: 3, Since: noon}
		list := func() []storage.Subscriber { return must(s.Subscribers(t.Context(), g))(t) }
		same(t, []storage.Subscriber{failing, fine}, list(), "failing")
		ok(t, s.NoteMessage(t.Context(), g, 3, "run", "", noon.Add(time.Minute)))
		same(t, []storage.Subscriber{plain, fine}, list(), "arrived")
		ok(t, s.NoteMessage(t.Context(), g, 3, "run", "closed", noon))
		ok(t, s.Subscribe(t.Context(), g, 3, noon.Add(time.Hour)))
		same(t, []storage.Subscriber{plain, fine}, list(), "subscribed again")
		ok(t, s.Unsubscribe(t.Context(), g, 3))
		want(t, s.Unsubscribe(t.Context(), g, 3), storage.ErrNotFound, "unsubscribed twice")
		want(t, s.NoteMessage(t.Context(), g, 3, "run", "", noon), storage.ErrNotFound, "a message to someone who left")
		same(t, []storage.Subscriber{fine}, list(), "who is left")
	})
	t.Run("one message a day for a person and reason, also of many who ask at once", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		admitted, errs := make([]bool, 8), make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				admitted[i], errs[i] = store.AdmitMessage(t.Context(), g, 1, "run", noon)
			})
		}
		wg.Wait()
		won := 0
		for i := range errs {
			ok(t, errs[i])
			if admitted[i] {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d were admitted at once, want 1", won)
		}
		for _, c := range []struct {
			person snowflake.ID
			reason string
			at     time.Time
			want   bool
		}{
			{1, "run", noon.Add(storage.MessagePause - time.Microsecond), false},
			{1, "alarm", noon, true},
			{2, "run", noon, true},
			{1, "run", noon.Add(storage.MessagePause), true},
			{1, "run", noon.Add(storage.MessagePause + time.Second), false},
		} {
			if got := must(s.AdmitMessage(t.Context(), g, c.person, c.reason, c.at))(t); got != c.want {
				t.Errorf("%d for %q at %v: admitted %v, want %v", c.person, c.reason, c.at, got, c.want)
			}
		}
	})
}
