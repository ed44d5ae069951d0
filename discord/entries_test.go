//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
)

func TestTheAuditLogSaysWhatWasMissedAndByWhom(t *testing.T) {
	t.Parallel()
	const n = 230 // more than two pages
	s := here(t, n)
	_, g, _ := client(t, s)
	must(t, s.GiveRole(guild, pilot, high, owner))
	_, last, err := g.AuditEntries(t.Context(), 0)
	must(t, err)
	if last == 0 {
		t.Fatal("the newest entry is not known")
	}
	for i := range snowflake.ID(n) {
		must(t, s.GiveRole(guild, pilot+i, capital, owner))
	}
	must(t, s.TakeRole(guild, pilot, fleet, owner))
	must(t, s.DeleteRole(guild, cyno, owner))
	must(t, s.Ban(guild, pilot+1))
	before := len(s.Requests(0))
	events, next, err := g.AuditEntries(t.Context(), last)
	must(t, err)
	seen := map[snowflake.ID]int{}
	for i, e := range events {
		if e.Guild != guild || e.Why != audit.EntryWritten || e.Grant.Actor != owner || e.Grant.Entry <= last || i > 0 && e.Grant.Entry <= events[i-1].Grant.Entry {
			t.Fatalf("event %d: %+v", i, e)
		}
		if cmp.Equal(e.Grant.Added, []snowflake.ID{capital}) {
			seen[e.Member]++
		}
	}
	if len(seen) != n || len(events) != n+3 || next != events[len(events)-1].Grant.Entry {
		t.Errorf("%d events about %d members, up to %d", len(events), len(seen), next)
	}
	taken, role, banned := events[n], events[n+1], events[n+2]
	if taken.Member != pilot || !cmp.Equal(taken.Grant.Removed, []snowflake.ID{fleet}) {
		t.Errorf("the role that was taken: %+v", taken)
	}
	if role.Scope != audit.RoleHolders || role.Role != cyno {
		t.Errorf("the role that was deleted: %+v", role)
	}
	if banned.Scope != audit.OneMember || banned.Member != pilot+1 {
		t.Errorf("who was banned: %+v", banned)
	}
	pages := 0
	for _, r := range s.Requests(before) {
		if strings.HasSuffix(r.Route, "audit-logs") {
			pages++
		}
	}
	if pages != 3 {
		t.Errorf("%d pages were read, want 3", pages)
	}
	if again, still, err := g.AuditEntries(t.Context(), next); err != nil || len(again) > 0 || still != next {
		t.Errorf("nothing new: %d events up to %d, %v", len(again), still, err)
	}
}
