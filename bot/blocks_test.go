package bot

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
)

func TestABlockedMemberIsLookedAtWithoutQuietTime(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.mu.Lock()
		w.blocked = []snowflake.ID{7}
		w.mu.Unlock()
		w.guild.Event(audit.Event{Guild: guildID, Why: audit.MemberJoined, Scope: audit.OneMember, Member: 7})
		w.guild.Event(audit.Event{Guild: guildID, Why: audit.MemberJoined, Scope: audit.OneMember, Member: 8})
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.looks) != 1 || len(w.looks[0].ids) != 1 || w.looks[0].ids[0] != 7 {
			t.Errorf("looked at %+v at once, want the blocked member alone", w.looks)
		}
	})
}

func TestWhomAChangedBlockIsAboutIsLookedAtAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		user := func(id uint64) enforcement.Subject { return enforcement.Subject{Scope: enforcement.User, ID: id} }
		for _, b := range []enforcement.Block{
			{Subject: user(1), Also: enforcement.AlsoKick},
			{Subject: user(2), Also: enforcement.AlsoStrip, Namespace: enforcement.Namespace(guildID)},
			{Subject: user(3), Also: enforcement.AlsoKick, Namespace: enforcement.Namespace(guildID + 1)},
			{Subject: user(4)},
			{Subject: enforcement.Subject{Scope: enforcement.Role, ID: 5}, Also: enforcement.AlsoKick},
		} {
			w.guild.BlockChanged(b)
		}
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		seen := map[snowflake.ID]bool{}
		for _, l := range w.looks {
			for _, id := range l.ids {
				seen[id] = true
			}
		}
		if len(seen) != 2 || !seen[1] || !seen[2] {
			t.Errorf("looked at %v, want 1 and 2", seen)
		}
	})
}

func TestWhoIsToBeContainedIsContainedOneAfterAnotherAndFailuresAreTold(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.mu.Lock()
		w.noContain = errors.New("no way")
		w.mu.Unlock()
		for _, id := range []snowflake.ID{7, 8} {
			if err := w.guild.Contain(id, "anti-nuke"); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		want := []reconcile.Contain{{Member: 7, Rule: "anti-nuke"}, {Member: 8, Rule: "anti-nuke"}}
		if !slices.Equal(w.contained, want) || !slices.Equal(w.details, []string{"7 anti-nuke", "8 anti-nuke"}) || len(w.reports) != 2 {
			t.Errorf("contained %v, told %v and %d reports", w.contained, w.details, len(w.reports))
		}
	})
}

func TestAPauseThatNobodySawEndsForWhomItHeld(t *testing.T) {
	inBubble(t, func(w *world) {
		w.mu.Lock()
		w.locked = false
		w.mu.Unlock()
		w.begin()
		w.settled()
		w.mu.Lock()
		w.blocked = []snowflake.ID{7}
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			w.onLook = nil
			return &reconcile.Report{Plan: audit.Plan{Actions: []audit.Planned{{
				Action: audit.Action{Kind: audit.KickMember, Member: ids[0], Budget: audit.BlockBudget}, Held: []audit.By{{Gate: audit.Pause}},
			}}}}, nil
		}
		w.mu.Unlock()
		w.guild.Mark("a test", 7)
		w.pass(3 * time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.looks) != 2 {
			t.Errorf("looked %d times, want once more when nothing holds it", len(w.looks))
		}
	})
}
