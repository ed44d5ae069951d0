package bot

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

func grant(entry, member snowflake.ID, added ...snowflake.ID) audit.Event {
	return audit.Event{
		Guild: guildID, Scope: audit.OneMember, Member: member, Why: audit.EntryWritten, Grant: audit.Grant{Entry: entry, Actor: 77, Added: added},
	}
}

func TestTheStartCatchesUpOnTheAuditLogAndThenOnEverybody(t *testing.T) {
	inBubble(t, func(w *world) {
		w.memory[auditLast] = binary.BigEndian.AppendUint64(nil, 1000)
		w.entries = []audit.Event{grant(900, 1, plain), grant(1001, 2, plain), grant(1002, 3, mighty)}
		w.begin()
		w.pass(time.Second)
		w.wantLooks(1, 0)
		w.wantLooks(2, 1)
		w.wantLooks(3, 1)
		if len(w.grants) != 2 || w.grants[0].Member != 2 || w.grants[0].Actor != 77 || !w.grants[0].Added {
			t.Errorf("grants %+v", w.grants)
		}
		if last := binary.BigEndian.Uint64(w.memory[auditLast]); last != 1002 {
			t.Errorf("the newest entry is remembered as %d", last)
		}
		w.wantSweeps(reconcile.KindCatchUp)
		if w.reads != 1 {
			t.Errorf("everybody was read %d times", w.reads)
		}
	})
}

func TestANewSessionIsHealedAndSaidAndAKeptOneIsNot(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.session(audit.SessionKept)
		w.pass(time.Minute)
		w.wantSweeps()
		for range 3 { // a session that begins, and its guilds that come into sight
			w.session(audit.SessionNew)
			w.whole(audit.GuildSeen)
		}
		w.pass(20 * time.Second)
		w.wantSweeps(reconcile.KindCatchUp)
		w.set(func() { w.told = slices.Compact(w.told) }) // whoever looks between two sessions tells of each
		w.wantTold(TroubleMissed)
		if w.reads != 1 {
			t.Errorf("everybody was read %d times", w.reads)
		}
		if n := w.guild.Stats().Missed["new_session"]; n != 3 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestAGuildOutOfSightIsLeftAloneAndReadWhenItIsBack(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.event(audit.MemberChanged, 1)
		w.whole(audit.GuildLost)
		_ = w.guild.Start(w.ordered(storage.Order{Kind: reconcile.KindLive}))
		w.pass(time.Hour)
		w.wantLooks(1, 0)
		w.wantSweeps()
		if !w.guild.Stats().Frozen {
			t.Error("the guild does not count as out of sight")
		}
		w.set(func() { w.locked = false })
		w.whole(audit.GuildSeen)
		w.pass(30 * time.Second)
		w.wantSweeps(reconcile.KindCatchUp, reconcile.KindLive)
		w.wantTold(TroubleLost, TroubleBack)
	})
}

func TestHoldersOfAChangedRoleAreMarkedAsOne(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.holding(1, 1)
		w.holding(2, 1)
		w.holding(3, 2)
		for range 10 {
			w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleEdited})
		}
		if s := w.guild.Stats(); s.Ranges != 1 || s.Waiting != 0 {
			t.Errorf("%d ranges and %d members wait", s.Ranges, s.Waiting)
		}
		w.holding(4, 1) // whoever holds it when it is resolved
		w.pass(time.Second)
		w.wantLooks(1, 1)
		w.wantLooks(2, 1)
		w.wantLooks(3, 0)
		w.wantLooks(4, 1)
	})
}

func TestARoleOfManyBecomesOneLookAtEverybody(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		for id := range snowflake.ID(5_000) {
			w.holding(id+1, 1)
		}
		w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleEdited})
		w.pass(30 * time.Second)
		w.wantSweeps(reconcile.KindCatchUp)
		if len(w.looks) != 0 {
			t.Errorf("%d looks", len(w.looks))
		}
	})
}

func TestADeletedRoleHasThoseLookedAtWhoseFindingItWasAPartOf(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.findings = []storage.Finding{
			{ID: 3, SubjectKind: storage.SubjectMember, Subject: 1, FindingFacts: storage.FindingFacts{Held: []snowflake.ID{plain}}},
			{ID: 2, SubjectKind: storage.SubjectMember, Subject: 2, FindingFacts: storage.FindingFacts{Held: []snowflake.ID{mighty}}},
			{ID: 1, SubjectKind: storage.SubjectRole, Subject: plain},
		}
		w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleDeleted})
		w.pass(time.Second)
		w.wantLooks(1, 1)
		w.wantLooks(2, 0)
	})
}

func TestDriftOfRoleCountsIsFoundAndHealed(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.set(func() { w.drift = "Discord counts 3 holders of role 10, and shows 2" })
		w.pass(16 * time.Minute)
		w.set(func() { w.drift = "" })
		w.wantTold(TroubleDrift)
		w.wantSweeps(reconcile.KindCatchUp)
		if w.reads != 1 {
			t.Errorf("everybody was read %d times", w.reads)
		}
		w.forget()
		w.pass(time.Hour)
		w.wantSweeps()
	})
}

func TestTheBotsPlaceIsToldWhenItChanges(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleEdited})
		w.pass(time.Second)
		w.wantTold()
		w.set(func() { w.reach = "the bot lacks Manage Roles" })
		w.event(audit.MemberChanged, botID)
		w.pass(time.Second)
		w.event(audit.MemberChanged, botID)
		w.pass(time.Second)
		w.wantTold(TroubleReach)
		w.set(func() { w.reach = "" })
		w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleEdited})
		w.pass(time.Second)
		w.wantTold(TroubleReach, TroubleReach)
	})
}

func TestWhoGrantedARoleIsKeptBeforeTheLook(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.guild.Event(grant(5, 1, mighty))
		w.pass(0)
		w.wantLooks(1, 1)
		if len(w.grants) != 1 || w.grants[0].Entry != 5 || w.grants[0].Role != mighty {
			t.Errorf("grants %+v", w.grants)
		}
		w.pass(6 * time.Second)
		if last := binary.BigEndian.Uint64(w.memory[auditLast]); last != 5 {
			t.Errorf("the newest entry is remembered as %d", last)
		}
	})
}

func TestEntriesThatCannotBeKeptAreKeptLater(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.set(func() { w.noKeep = errBroken })
		w.guild.Event(grant(5, 1, plain))
		w.pass(time.Second)
		w.wantTold(TroubleStore)
		w.wantLooks(1, 1) // who it was is no reason to wait
		w.set(func() { w.noKeep = nil })
		w.event(audit.MemberChanged, 2)
		w.pass(time.Second)
		if len(w.grants) != 1 {
			t.Errorf("grants %+v", w.grants)
		}
	})
}

func TestRoleChangesWithoutAnEntryAreCountedAndSaidOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		change := func(id snowflake.ID) {
			w.guild.Event(audit.Event{Guild: guildID, Scope: audit.OneMember, Member: id, Why: audit.MemberChanged, Roles: true})
		}
		for id := range snowflake.ID(30) {
			change(id + 1)
		}
		for id := range snowflake.ID(10) {
			if id%2 == 0 {
				w.guild.Event(grant(100+id, id+1, plain))
			} else { // the entry first
				w.guild.Event(grant(100+id, id+1000, plain))
				change(id + 1000)
			}
		}
		w.pass(15 * time.Second)
		s := w.guild.Stats()
		if s.RoleChanges != 35 || s.Entries != 10 || s.Unexplained != 25 {
			t.Errorf("%d changes, %d entries, %d unexplained", s.RoleChanges, s.Entries, s.Unexplained)
		}
		w.wantTold(TroubleEntries)
	})
}

func TestALiftedPauseHasBlockedMembersLookedAtAtOnce(t *testing.T) {
	for name, lift := range map[string]func(w *world){
		"pause": func(w *world) { w.paused = false },
		"lock":  func(w *world) { w.locked = false },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.locked, w.paused = name == "lock", name == "pause"
				w.blocked = []snowflake.ID{5, 6}
				w.begin()
				w.settled()
				w.pass(time.Minute)
				w.wantLooks(5, 0)
				w.set(func() { lift(w) })
				w.pass(1100 * time.Millisecond)
				w.wantLooks(5, 1)
				w.wantLooks(6, 1)
				w.pass(time.Minute)
				w.wantLooks(5, 1)
			})
		})
	}
}

func TestTheTimeFromEventToDoneIsCounted(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		before := w.guild.Stats().EventToDone.Count
		w.event(audit.MemberChanged, 1)
		w.pass(time.Second)
		h := w.guild.Stats().EventToDone
		if h.Count != before+1 || fmt.Sprintf("%.2f", h.Sum) != "0.75" {
			t.Errorf("%+v", h)
		}
	})
}
