package storagetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"pgregory.net/rapid"

	"gatecamp/storage"
)

func found(subject snowflake.ID, category string, f storage.FindingFacts) storage.Found {
	return storage.Found{SubjectKind: storage.SubjectMember, Subject: subject, Category: category, FindingFacts: f}
}

func apply(t testing.TB, s storage.Store, l storage.Look) storage.Applied {
	t.Helper()
	return must(s.ApplyLook(t.Context(), l))(t)
}

func testFindings(t *testing.T, s suite) {
	t.Run("a finding keeps all of its facts apart", func(t *testing.T) {
		g := guild()
		facts := storage.FindingFacts{
			User: 7, Wanted: "strip_kick", Allowed: "strip", Layer: "default", Held: []snowflake.ID{1, biggest}, Go: []snowflake.ID{1}, Unreachable: []snowflake.ID{2},
			Missing: []snowflake.ID{3}, Lookalikes: []snowflake.ID{4}, Alerts: []string{"privileged"}, Reasons: []string{"no_link"}, Holds: []string{"dry_run"},
			Proposed: true, GrantedBy: biggest - 1,
		}
		f := found(biggest, "unknown_guest", facts)
		f.Slot = "x"
		apply(t, s, storage.Look{Guild: g, Run: 5, At: noon, Extent: storage.Complete, Found: []storage.Found{f}})
		got := must(s.Findings(t.Context(), g, storage.FindingFilter{}))(t)
		same(t, []storage.Finding{{
			ID: got[0].ID, Guild: g, SubjectKind: storage.SubjectMember, Subject: biggest, Category: "unknown_guest", Slot: "x", FindingFacts: facts,
			Opened: noon, Changed: noon, OpenedRun: 5, ChangedRun: 5,
		}}, got, "finding")
		same(t, got[0], must(s.Finding(t.Context(), g, got[0].ID))(t), "the same by its id")
		_, err := s.Finding(t.Context(), guild(), got[0].ID)
		want(t, err, storage.ErrNotFound, "another guild's finding")
	})
	t.Run("what was tried and observed stands beside what was wanted, and survives the next look", func(t *testing.T) {
		g := guild()
		look := storage.Look{Guild: g, Run: 1, At: noon, Extent: storage.Complete, Found: []storage.Found{found(1, "unknown_guest", storage.FindingFacts{Wanted: "strip"})}}
		apply(t, s, look)
		if n := must(s.NoteAttempt(t.Context(), g, 1, "remove_role", "refused", 1, noon.Add(time.Minute)))(t); n != 1 {
			t.Errorf("marked %d findings, want 1", n)
		}
		look.Run, look.At = 2, noon.Add(time.Hour)
		same(t, storage.Applied{Unchanged: 1}, apply(t, s, look), "the same look again")
		f := must(s.Findings(t.Context(), g, storage.FindingFilter{}))(t)[0]
		if f.Wanted != "strip" || f.Attempted != "remove_role" || f.Observed != "refused" || f.ChangedRun != 1 {
			t.Errorf("finding is %+v", f)
		}
		log := must(s.FindingChanges(t.Context(), g, f.ID))(t)
		if len(log) != 1 || log[0].What != storage.ChangeAttempt || log[0].Run != 1 {
			t.Errorf("change log is %+v", log)
		}
	})
	t.Run("a review replaces the note, and the change log keeps both", func(t *testing.T) {
		g := guild()
		apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Partial, Found: []storage.Found{found(1, "unknown_guest", storage.FindingFacts{})}})
		id := must(s.Findings(t.Context(), g, storage.FindingFilter{}))(t)[0].ID
		for _, reason := range []string{"a friend", "not a friend"} {
			by := author(noon)
			by.Reason = reason
			f := must(s.ReviewFinding(t.Context(), g, id, by))(t)
			if f.ReviewNote != reason || f.ReviewedBy != "console:root" || !f.Reviewed.Equal(noon) {
				t.Errorf("reviewed: %+v", f)
			}
		}
		log := must(s.FindingChanges(t.Context(), g, id))(t)
		if len(log) != 2 || string(log[1].Before) != `{"by":"console:root","note":"a friend"}` {
			t.Errorf("change log is %+v", log)
		}
		_, err := s.ReviewFinding(t.Context(), g, 1<<40, author(noon))
		want(t, err, storage.ErrNotFound, "no such finding")
	})
	t.Run("lists filter by what is open, when, whose, and which run", func(t *testing.T) {
		g := guild()
		a, b := found(1, "unknown_guest", storage.FindingFacts{}), found(2, "surplus_roles", storage.FindingFacts{})
		apply(t, s, storage.Look{Guild: g, Run: 1, At: noon, Extent: storage.Complete, Found: []storage.Found{a, b}})
		apply(t, s, storage.Look{Guild: g, Run: 2, At: noon.Add(time.Hour), Extent: storage.Complete, Found: []storage.Found{b}})
		for _, c := range []struct {
			filter storage.FindingFilter
			want   []snowflake.ID
		}{
			{storage.FindingFilter{}, []snowflake.ID{2}},
			{storage.FindingFilter{Closed: true}, []snowflake.ID{2, 1}},
			{storage.FindingFilter{At: noon}, []snowflake.ID{2, 1}},
			{storage.FindingFilter{At: noon.Add(time.Hour - time.Microsecond)}, []snowflake.ID{2, 1}},
			{storage.FindingFilter{At: noon.Add(time.Hour)}, []snowflake.ID{2}},
			{storage.FindingFilter{At: noon.Add(-time.Microsecond)}, nil},
			{storage.FindingFilter{Closed: true, Subject: 1}, []snowflake.ID{1}},
			{storage.FindingFilter{Closed: true, Subjects: []snowflake.ID{1, 9}}, []snowflake.ID{1}},
			{storage.FindingFilter{Closed: true, Subjects: []snowflake.ID{1, 2}}, []snowflake.ID{2, 1}},
			{storage.FindingFilter{Closed: true, Subjects: []snowflake.ID{}}, nil},
			{storage.FindingFilter{Closed: true, Category: "surplus_roles"}, []snowflake.ID{2}},
			{storage.FindingFilter{Run: 2}, []snowflake.ID{1}},
			{storage.FindingFilter{Run: 1, Page: storage.Page{Limit: 1}}, []snowflake.ID{2}},
		} {
			var got []snowflake.ID
			for _, f := range must(s.Findings(t.Context(), g, c.filter))(t) {
				got = append(got, f.Subject)
			}
			same(t, c.want, got, fmt.Sprintf("findings by %+v", c.filter))
		}
	})
}

func testLooks(t *testing.T, s suite) {
	one := found(1, "unknown_guest", storage.FindingFacts{Wanted: "report", Held: []snowflake.ID{10, 11}})
	two := found(2, "unknown_guest", storage.FindingFacts{Wanted: "report"})
	t.Run("a look opens, changes and closes, and says how many", func(t *testing.T) {
		g := guild()
		same(t, storage.Applied{Opened: 2}, apply(t, s, storage.Look{Guild: g, Run: 1, At: noon, Extent: storage.Complete, Found: []storage.Found{one, two}}), "first")
		changed := one
		changed.Held = []snowflake.ID{10}
		three := found(3, "linked_no_perm", storage.FindingFacts{})
		got := apply(t, s, storage.Look{Guild: g, Run: 2, At: noon.Add(time.Hour), Extent: storage.Complete, Found: []storage.Found{three, changed}})
		same(t, storage.Applied{Opened: 1, Changed: 1, Closed: 1}, got, "second")
		all := must(s.Findings(t.Context(), g, storage.FindingFilter{Closed: true}))(t)
		if len(all) != 3 || all[0].Subject != 3 || !all[1].Closed.Equal(noon.Add(time.Hour)) || all[1].ClosedRun != 2 || all[2].ChangedRun != 2 || !all[2].Opened.Equal(noon) {
			t.Errorf("findings are %+v", all)
		}
		log := must(s.FindingChanges(t.Context(), g, all[2].ID))(t)
		if len(log) != 1 || log[0].Run != 2 || string(log[0].Before) != `{"wanted":"report","allowed":"","layer":"","facts":{"held":["10","11"]}}` ||
			string(log[0].After) != `{"wanted":"report","allowed":"","layer":"","facts":{"held":["10"]}}` {
			t.Errorf("change log is %+v", log)
		}
	})
	t.Run("a look that ends late closes nothing that a later one found", func(t *testing.T) {
		g := guild()
		apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Named, Seen: []snowflake.ID{1}, Found: []storage.Found{found(1, "unknown_guest", storage.FindingFacts{})}})
		same(t, storage.Applied{}, apply(t, s, storage.Look{Guild: g, Run: 1, At: noon.Add(-time.Second), Extent: storage.Complete}), "of before")
		same(t, storage.Applied{Closed: 1}, apply(t, s, storage.Look{Guild: g, Run: 2, At: noon, Extent: storage.Complete}), "of the same moment")
	})
	t.Run("the order of a list is no change", func(t *testing.T) {
		g := guild()
		apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one}})
		turned := one
		turned.Held = []snowflake.ID{11, 10}
		same(t, storage.Applied{Unchanged: 1}, apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{turned}}), "turned round")
		same(t, []snowflake.ID{11, 10}, turned.Held, "the caller's list")
	})
	t.Run("who granted a role is kept when a later look does not know", func(t *testing.T) {
		g := guild()
		knows := one
		knows.GrantedBy = 99
		apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one}})
		same(t, storage.Applied{Changed: 1}, apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Named, Seen: []snowflake.ID{1}, Found: []storage.Found{knows}}), "known")
		same(t, storage.Applied{Unchanged: 1}, apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one}}), "unknown again")
		changed := one
		changed.Wanted = "strip"
		same(t, storage.Applied{Changed: 1}, apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{changed}}), "changed")
		if f := must(s.Findings(t.Context(), g, storage.FindingFilter{}))(t)[0]; f.GrantedBy != 99 || f.Wanted != "strip" {
			t.Errorf("granted by %d and wanted %s, want 99 and strip", f.GrantedBy, f.Wanted)
		}
	})
	t.Run("nothing is concluded beyond the extent of the look", func(t *testing.T) {
		for _, c := range []struct {
			name string
			look storage.Look
			want storage.Applied
		}{
			{"blind", storage.Look{Extent: storage.Blind, Found: []storage.Found{found(9, "unknown_guest", storage.FindingFacts{})}}, storage.Applied{}},
			{"partial", storage.Look{Extent: storage.Partial}, storage.Applied{}},
			{"partial with something", storage.Look{Extent: storage.Partial, Found: []storage.Found{one}}, storage.Applied{Unchanged: 1}},
			{"of member 1 alone", storage.Look{Extent: storage.Named, Seen: []snowflake.ID{1}}, storage.Applied{Closed: 1}},
			{"of member 1 who is undecided", storage.Look{Extent: storage.Named, Seen: []snowflake.ID{1}, Undecided: []snowflake.ID{1}}, storage.Applied{}},
			{"complete", storage.Look{Extent: storage.Complete}, storage.Applied{Closed: 2}},
			{"complete, one undecided", storage.Look{Extent: storage.Complete, Undecided: []snowflake.ID{2}}, storage.Applied{Closed: 1}},
			{"undecided but found", storage.Look{
				Extent: storage.Partial, Undecided: []snowflake.ID{1, 5},
				Found: []storage.Found{found(1, "unknown_guest", storage.FindingFacts{Wanted: "strip"}), found(5, "unknown_guest", storage.FindingFacts{})},
			}, storage.Applied{}},
		} {
			g := guild()
			apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one, two}})
			c.look.Guild, c.look.At = g, noon.Add(time.Minute)
			same(t, c.want, apply(t, s, c.look), "a look that is "+c.name)
		}
	})
	t.Run("one member may have findings of several categories, roles have their own, and what is found twice is a conflict", func(t *testing.T) {
		g := guild()
		role := found(1, "twin_role", storage.FindingFacts{})
		role.SubjectKind = storage.SubjectRole
		other := found(1, "surplus_roles", storage.FindingFacts{})
		same(t, storage.Applied{Opened: 3}, apply(t, s, storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one, role, other}}), "three kinds")
		_, err := s.ApplyLook(t.Context(), storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one, one}})
		want(t, err, storage.ErrConflict, "found twice")
	})
	t.Run("a finding that comes back is a new interval", func(t *testing.T) {
		g := guild()
		for i, f := range [][]storage.Found{{one}, nil, {one}} {
			apply(t, s, storage.Look{Guild: g, Run: int64(i), At: noon.Add(time.Duration(i) * time.Hour), Extent: storage.Complete, Found: f})
		}
		all := must(s.Findings(t.Context(), g, storage.FindingFilter{Closed: true}))(t)
		if len(all) != 2 || !all[0].Opened.Equal(noon.Add(2*time.Hour)) || all[1].Closed.IsZero() {
			t.Errorf("findings are %+v", all)
		}
	})
	t.Run("a look whose context has ended leaves nothing", func(t *testing.T) {
		g := guild()
		if _, err := s.ApplyLook(cancelled(t), storage.Look{Guild: g, At: noon, Extent: storage.Complete, Found: []storage.Found{one}}); err == nil {
			t.Error("no error")
		}
		if n := len(must(s.Findings(t.Context(), g, storage.FindingFilter{}))(t)); n != 0 {
			t.Errorf("%d findings were written", n)
		}
	})
	t.Run("any two looks in a row: the open findings are what the last complete one found, and the same again writes nothing", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			g := guild()
			for i := range 3 {
				l := storage.Look{Guild: g, Run: int64(i + 1), At: noon.Add(time.Duration(i) * time.Minute), Extent: storage.Complete, Found: someFindings(r)}
				apply(t, s, l)
				if again := apply(t, s, l); again != (storage.Applied{Unchanged: len(l.Found)}) {
					r.Fatalf("the same look again did %+v", again)
				}
				open := must(s.Findings(t.Context(), g, storage.FindingFilter{}))(t)
				slices.SortFunc(open, func(a, b storage.Finding) int { return int(a.Subject) - int(b.Subject) })
				if len(open) != len(l.Found) {
					r.Fatalf("%d findings are open, want %d", len(open), len(l.Found))
				}
				for j, f := range open {
					if f.Subject != l.Found[j].Subject || f.Wanted != l.Found[j].Wanted || f.Category != l.Found[j].Category {
						r.Fatalf("finding %+v, want %+v", f, l.Found[j])
					}
				}
			}
		})
	})
}

// someFindings are findings of up to six members, in their order.
func someFindings(r *rapid.T) []storage.Found {
	var all []storage.Found
	for id := snowflake.ID(1); id <= 6; id++ {
		if rapid.Bool().Draw(r, "wrong") {
			category := rapid.SampledFrom([]string{"unknown_guest", "surplus_roles"}).Draw(r, "category")
			all = append(all, found(id, category, storage.FindingFacts{Wanted: rapid.SampledFrom([]string{"report", "strip"}).Draw(r, "wanted")}))
		}
	}
	return all
}
