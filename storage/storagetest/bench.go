package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
	"gatecamp/trail"
)

// Benchmarks measures what a report run of 10,000 findings writes.
func Benchmarks(b *testing.B, fresh func(testing.TB) Database) {
	s := fresh(b).Open(b)
	look := func(g snowflake.ID) storage.Look {
		l := storage.Look{Guild: g, Run: 1, At: noon, Extent: storage.Complete}
		for i := range 10_000 {
			l.Found = append(l.Found, found(biggest-snowflake.ID(i), "unknown_guest", storage.FindingFacts{
				Wanted: "strip", Allowed: "report", Layer: "default", Held: []snowflake.ID{biggest - 7, biggest - 8}, Go: []snowflake.ID{biggest - 7},
				Reasons: []string{"no_link"}, Holds: []string{"dry_run"},
			}))
		}
		return l
	}
	applied := func(b *testing.B, l storage.Look, want storage.Applied) {
		b.Helper()
		if got := apply(b, s, l); got != want {
			b.Fatalf("applied %+v, want %+v", got, want)
		}
	}
	b.Run("10,000 new findings", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			applied(b, look(guild()), storage.Applied{Opened: 10_000})
		}
	})
	b.Run("10,000 unchanged findings", func(b *testing.B) {
		b.ReportAllocs()
		l := look(guild())
		apply(b, s, l)
		for b.Loop() {
			applied(b, l, storage.Applied{Unchanged: 10_000})
		}
	})
	b.Run("10,000 changed findings", func(b *testing.B) {
		l := look(guild())
		apply(b, s, l)
		for i := 0; b.Loop(); i++ {
			for j := range l.Found {
				l.Found[j].Allowed = fmt.Sprint(i)
			}
			applied(b, l, storage.Applied{Changed: 10_000})
		}
	})
	b.Run("10,000 trail entries", func(b *testing.B) {
		g := guild()
		key := must(s.PersonKeys(b.Context(), g, []storage.Person{{Ref: "discord:1"}}))(b)[0]
		all := make([]storage.TrailRecord, 10_000)
		for i := range all {
			all[i].Entry = trail.Entry{Guild: g, At: noon, Kind: trail.Seen, Run: 1, Subject: key, What: "unknown_guest", Code: "no_link"}
		}
		for b.Loop() {
			ok(b, s.AppendTrail(b.Context(), all))
		}
	})
	b.Run("10,000 new people", func(b *testing.B) {
		people := make([]storage.Person, 10_000)
		for i := range people {
			people[i] = storage.Person{Ref: fmt.Sprintf("discord:%d", i), Discord: snowflake.ID(i + 1)}
		}
		for b.Loop() {
			must(s.PersonKeys(b.Context(), guild(), people))(b)
		}
	})
	b.Run("a plan of 10,000 actions", func(b *testing.B) {
		p := storage.Plan{Digest: "d", Run: 1, Made: noon, Actions: make([]storage.PlanAction, 10_000)}
		for i := range p.Actions {
			p.Actions[i] = storage.PlanAction{Key: fmt.Sprintf("key-%032d", i), Member: biggest - snowflake.ID(i), Kind: "remove_role", Role: biggest - 7, Held: []string{"dry_run"}}
		}
		for b.Loop() {
			p.Guild = guild()
			ok(b, s.StorePlan(b.Context(), p))
		}
	})
	b.Run("an intention and its outcome", func(b *testing.B) {
		g, l := guild(), lease(b, s, 1, "o")
		for i := 0; b.Loop(); i++ {
			a := must(s.Intend(b.Context(), l.Fence, storage.Action{Guild: g, Member: snowflake.ID(i + 1), Kind: "kick", Budget: storage.BudgetCommon, Intended: noon}))(b)
			ok(b, s.Settle(b.Context(), a.ID, "done", "", noon.Add(time.Second)))
		}
	})
	b.Run("20,000 accounts read again", func(b *testing.B) {
		r := storage.SourceRead{Source: guild().String(), At: noon, Verdict: "healthy", Counts: map[string]int64{"users": 20_000}}
		for i := range 20_000 {
			r.Accounts = append(r.Accounts, storage.AccountRevision{User: int64(i), Discord: biggest, Revision: uint64(i + 1)})
		}
		for b.Loop() {
			r.At = r.At.Add(time.Minute)
			must(s.NoteRead(b.Context(), r))(b)
		}
	})
}
