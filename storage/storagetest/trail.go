package storagetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
	"gatecamp/trail"
)

func testTrail(t *testing.T, s suite) {
	t.Run("entries are read back in order, with every field", func(t *testing.T) {
		g := guild()
		keys := must(s.PersonKeys(t.Context(), g, []storage.Person{{Ref: "discord:1", Discord: biggest, Name: "Zoë"}, {Ref: "console:root"}}))(t)
		want := []storage.TrailRecord{
			{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Seen, Run: 3, Subject: keys[0], What: "unknown_guest", Numbers: map[string]int64{"roles": 2}}},
			{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Approved, Run: 3, Actor: keys[1], What: "apply", Plan: "d"}, Text: "the merger"},
			{Entry: trail.Entry{Guild: g, At: noon.Add(time.Second), Kind: trail.Done, Run: 4, Subject: keys[0], Actor: keys[1], What: "remove_role", Code: "c", Role: biggest, Action: "k"}},
		}
		ok(t, s.AppendTrail(t.Context(), want))
		got := must(s.TrailEntries(t.Context(), g, storage.TrailFilter{}))(t)
		for i := range got {
			want[min(i, 2)].ID = got[i].ID
		}
		same(t, want, got, "trail")
		for name, c := range map[string]struct {
			filter storage.TrailFilter
			want   []storage.TrailRecord
		}{
			"by run":          {storage.TrailFilter{Run: 3}, want[:2]},
			"by subject":      {storage.TrailFilter{Subject: keys[0]}, []storage.TrailRecord{want[0], want[2]}},
			"since":           {storage.TrailFilter{Since: noon.Add(time.Second)}, want[2:]},
			"by kind":         {storage.TrailFilter{Kinds: []trail.Kind{trail.Approved, trail.Done}}, want[1:]},
			"a page":          {storage.TrailFilter{After: want[0].ID, Limit: 1}, want[1:2]},
			"newest":          {storage.TrailFilter{Newest: true, Limit: 1}, want[2:]},
			"newest, page 2":  {storage.TrailFilter{Newest: true, After: want[2].ID, Limit: 1}, want[1:2]},
			"nothing of that": {storage.TrailFilter{Run: 99}, nil},
		} {
			same(t, c.want, must(s.TrailEntries(t.Context(), g, c.filter))(t), name)
		}
	})
	t.Run("an entry about someone whom nobody introduced is not written, nor those beside it", func(t *testing.T) {
		g := guild()
		elsewhere := must(s.PersonKeys(t.Context(), guild(), []storage.Person{{Ref: "discord:1"}}))(t)[0]
		for _, key := range []trail.Key{"nobody", elsewhere} {
			err := s.AppendTrail(t.Context(), []storage.TrailRecord{
				{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Seen}}, {Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Seen, Subject: key}},
			})
			want(t, err, storage.ErrNotFound, "key "+string(key))
		}
		if got := must(s.TrailEntries(t.Context(), g, storage.TrailFilter{}))(t); len(got) != 0 {
			t.Errorf("written: %+v", got)
		}
	})
	t.Run("many entries at once keep their order", func(t *testing.T) {
		g := guild()
		var all []storage.TrailRecord
		for i := range 1500 {
			r := storage.TrailRecord{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Seen, What: fmt.Sprint(i)}}
			if i%700 == 0 {
				r.Text = "text " + fmt.Sprint(i)
			}
			all = append(all, r)
		}
		ok(t, s.AppendTrail(t.Context(), all))
		got := must(s.TrailEntries(t.Context(), g, storage.TrailFilter{Limit: 2000}))(t)
		if len(got) != len(all) {
			t.Fatalf("%d entries, want %d", len(got), len(all))
		}
		for i, r := range got {
			if r.What != all[i].What || r.Text != all[i].Text || i > 0 && r.ID <= got[i-1].ID {
				t.Fatalf("entry %d is %+v, want %+v", i, r, all[i])
			}
		}
	})
	t.Run("a person has one key in a guild, and a name that can change", func(t *testing.T) {
		g := guild()
		first := must(s.PersonKeys(t.Context(), g, []storage.Person{{Ref: "discord:1", Discord: 1, Name: "old"}, {Ref: "discord:2"}, {Ref: "discord:1", Name: "old"}}))(t)
		if first[0] != first[2] || first[0] == first[1] || first[0] == "" {
			t.Errorf("keys: %v", first)
		}
		again := must(s.PersonKeys(t.Context(), g, []storage.Person{{Ref: "discord:1", Name: "new"}, {Ref: "discord:2"}}))(t)
		same(t, first[:2], again, "keys")
		people := must(s.People(t.Context(), g, append(again, "nobody")))(t)
		same(t, map[trail.Key]storage.Person{
			first[0]: {Key: first[0], Guild: g, Ref: "discord:1", Discord: 1, Name: "new"}, first[1]: {Key: first[1], Guild: g, Ref: "discord:2"},
		}, people, "people")
		if elsewhere := must(s.PersonKeys(t.Context(), guild(), []storage.Person{{Ref: "discord:1"}}))(t); elsewhere[0] == first[0] {
			t.Error("the same key in two guilds")
		}
	})
	t.Run("many people at once get a key each", func(t *testing.T) {
		g := guild()
		var all []storage.Person
		for i := range 700 {
			all = append(all, storage.Person{Ref: fmt.Sprintf("discord:%d", i)})
		}
		first := must(s.PersonKeys(t.Context(), g, all))(t)
		distinct := map[trail.Key]bool{}
		for _, k := range first {
			distinct[k] = true
		}
		if len(distinct) != len(all) {
			t.Errorf("%d keys for %d people", len(distinct), len(all))
		}
		same(t, first, must(s.PersonKeys(t.Context(), g, all))(t), "keys")
	})
	t.Run("who is erased is nobody any more, and the entries stay", func(t *testing.T) {
		g := guild()
		keys := must(s.PersonKeys(t.Context(), g, []storage.Person{{Ref: "discord:1", Discord: 1, Name: "Zoë"}, {Ref: "discord:2", Discord: 2}}))(t)
		ok(t, s.AppendTrail(t.Context(), []storage.TrailRecord{
			{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Seen, Subject: keys[0], Actor: keys[1]}, Text: "about Zoë"},
			{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Changed, Actor: keys[0]}, Text: "by Zoë"},
			{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Changed, Actor: keys[1]}, Text: "by another"},
		}))
		ok(t, s.ErasePerson(t.Context(), g, "discord:1", author(noon.Add(time.Hour))))
		want(t, s.ErasePerson(t.Context(), g, "discord:1", author(noon)), storage.ErrNotFound, "erased twice")
		got := must(s.TrailEntries(t.Context(), g, storage.TrailFilter{}))(t)
		if len(got) != 3 || got[0].Text != "" || got[1].Text != "" || got[2].Text != "by another" || got[0].Subject != keys[0] {
			t.Errorf("trail: %+v", got)
		}
		same(t, storage.Person{Key: keys[0], Guild: g, Erased: noon.Add(time.Hour)}, must(s.People(t.Context(), g, keys))(t)[keys[0]], "erased person")
		if again := must(s.PersonKeys(t.Context(), g, []storage.Person{{Ref: "discord:1", Discord: 1}}))(t); again[0] == keys[0] {
			t.Error("an erased person got the old key again")
		}
		for _, c := range must(s.Changes(t.Context(), g, storage.ChangeFilter{}))(t) {
			if line := c.Key + string(c.Before) + string(c.After); strings.Contains(line, "discord:1") || strings.Contains(line, "Zoë") {
				t.Errorf("the change names the person: %s", line)
			}
		}
	})
	t.Run("what is kept of a Discord account outside the record goes with the person, also of one whom no entry names", func(t *testing.T) {
		g, ctx := guild(), t.Context()
		const gone, other = snowflake.ID(112233445566778899), snowflake.ID(223344556677889900)
		for i, id := range []snowflake.ID{gone, other} {
			ok(t, s.Subscribe(ctx, g, id, noon))
			must(s.AdmitMessage(ctx, g, id, "run", noon))(t)
			ok(t, s.NoteRights(ctx, storage.SeenRights{Guild: g, Discord: id, At: noon}))
			ok(t, s.MakeCard(ctx, storage.Card{ID: "invoked " + id.String(), Guild: g, Invoker: id, Created: noon, Expires: noon}))
			ok(t, s.MakeCard(ctx, storage.Card{ID: "about " + id.String(), Guild: g, Args: json.RawMessage(`{"member":"` + id.String() + `"}`), Created: noon, Expires: noon}))
			ok(t, s.NoteRoleGrants(ctx, []storage.RoleGrant{
				{Guild: g, Entry: snowflake.ID(2*i + 1), Role: 1, Member: id, Actor: 7, At: noon}, {Guild: g, Entry: snowflake.ID(2*i + 2), Role: 1, Member: 7, Actor: id, At: noon, Reason: "mine"},
			}))
		}
		ok(t, s.ErasePerson(ctx, g, "discord:"+gone.String(), author(noon)))
		want(t, s.ErasePerson(ctx, g, "discord:"+gone.String(), author(noon)), storage.ErrNotFound, "erased twice")
		same(t, []storage.Subscriber{{Guild: g, Discord: other, Since: noon}}, must(s.Subscribers(ctx, g))(t), "subscribers")
		if !must(s.AdmitMessage(ctx, g, gone, "run", noon))(t) {
			t.Error("the admission of a message was kept")
		}
		_, err := s.LastRights(ctx, g, gone)
		want(t, err, storage.ErrNotFound, "rights")
		for _, id := range []string{"invoked ", "about "} {
			_, err := s.Card(ctx, g, id+gone.String())
			want(t, err, storage.ErrNotFound, id)
			must(s.Card(ctx, g, id+other.String()))(t)
		}
		same(t, []storage.RoleGrant{
			{Guild: g, Entry: 4, Role: 1, Member: 7, Actor: other, At: noon, Reason: "mine"},
			{Guild: g, Entry: 3, Role: 1, Member: other, Actor: 7, At: noon},
			{Guild: g, Entry: 2, Role: 1, Member: 7, At: noon},
		}, must(s.RoleGrants(ctx, g, nil, noon))(t), "role grants")
		for _, c := range must(s.Changes(ctx, g, storage.ChangeFilter{}))(t) {
			if strings.Contains(c.Key+string(c.Before)+string(c.After), gone.String()) {
				t.Errorf("the change names the person: %+v", c)
			}
		}
	})
}
