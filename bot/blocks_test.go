package bot

import (
	"testing"
	"testing/synctest"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
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
