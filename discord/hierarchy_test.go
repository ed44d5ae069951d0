package discord

import (
	"testing"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"
	"pgregory.net/rapid"

	"gatecamp/audit"
)

// Whatever is asked for: the owner is never removed, the bot itself and roles that Discord manages are never touched, and nothing is
// sent that the bot's place forbids.
func TestTheUntouchableAreNeverTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror(someGuild, someBot)
		owner := snowflake.ID(rapid.IntRange(100, 104).Draw(t, "owner"))
		var roles []discord.Role
		for id := snowflake.ID(1); id <= 8; id++ {
			roles = append(roles, discord.Role{
				ID: id, Position: rapid.IntRange(1, 4).Draw(t, "position"), Managed: rapid.Bool().Draw(t, "managed"),
				Permissions: discord.Permissions(rapid.SampledFrom([]int64{0, 2, 4, 8, 1 << 28, 1<<28 | 6}).Draw(t, "permissions")),
			})
		}
		if err := m.setGuild("g", owner, append(roles, discord.Role{ID: someGuild}), 5); err != nil {
			t.Fatal(err)
		}
		held := map[snowflake.ID][]snowflake.ID{}
		for _, id := range []snowflake.ID{someBot, 100, 101, 102, 103, 104} {
			for _, r := range roles {
				if rapid.IntRange(0, 3).Draw(t, "holds") == 0 {
					held[id] = append(held[id], r.ID)
				}
			}
			a := someMember(id, held[id]...)
			a.User.Bot = id == 104
			m.put(&a, false)
		}
		a := audit.Action{
			Kind:   rapid.SampledFrom([]audit.Kind{audit.RemoveRole, audit.Contain, audit.KickMember, audit.BanMember, audit.GiveRoleBack, 0}).Draw(t, "kind"),
			Member: rapid.SampledFrom([]snowflake.ID{0, someBot, 100, 101, 102, 103, 104}).Draw(t, "member"),
			Role:   rapid.SampledFrom([]snowflake.ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 77, someGuild}).Draw(t, "role"),
		}
		if m.beyond(a, nil) != "" {
			return
		}
		top := topOf(roles, held[someBot])
		switch {
		case a.Kind == audit.Contain && (a.Member == owner || owner == 0 || a.Member == 104):
			t.Errorf("%v may be sent; the owner is %d, 104 is a bot", a, owner)
		case a.Kind == audit.RemoveRole || a.Kind == audit.Contain:
			if a.Role < 1 || a.Role > 8 || roles[a.Role-1].Managed || !under(roles[a.Role-1], top) {
				t.Errorf("%v may be sent, with the bot at %+v and roles %+v", a, top, roles)
			}
		case a.Kind == audit.KickMember || a.Kind == audit.BanMember:
			if a.Member == owner || !under(topOf(roles, held[a.Member]), top) {
				t.Errorf("%v may be sent; the owner is %d, the bot at %+v, the member at %+v", a, owner, top, topOf(roles, held[a.Member]))
			}
		default:
			t.Errorf("%v may be sent", a)
		}
		if a.Member == someBot || a.Member == 0 {
			t.Errorf("%v may be sent", a)
		}
	})
}

// topOf is the highest of the roles, else @everyone.
func topOf(roles []discord.Role, ids []snowflake.ID) (best discord.Role) {
	best = discord.Role{ID: someGuild}
	for _, id := range ids {
		if under(best, roles[id-1]) {
			best = roles[id-1]
		}
	}
	return best
}

// under says whether a stands below b: lower, or as high with the higher id.
func under(a, b discord.Role) bool {
	return a.Position < b.Position || a.Position == b.Position && a.ID > b.ID
}

func TestOfEqualPositionsTheLowerIdIsHigher(t *testing.T) {
	m := newMirror(someGuild, someBot)
	roles := []discord.Role{{ID: someGuild}, {ID: 1, Position: 5}, {ID: 2, Position: 5, Permissions: 8}, {ID: 3, Position: 5}, {ID: 4, Position: 4}}
	if err := m.setGuild("g", 7, roles, 1); err != nil {
		t.Fatal(err)
	}
	own := someMember(someBot, 2)
	m.put(&own, false)
	for role, want := range map[snowflake.ID]string{1: codeRoleAbove, 2: codeRoleAbove, 3: "", 4: ""} {
		if got := m.beyond(audit.Action{Kind: audit.RemoveRole, Member: 100, Role: role}, nil); got != want {
			t.Errorf("role %d: %q, want %q", role, got, want)
		}
	}
	if h := m.hierarchy(); h.Missing != 0 || len(h.Above) != 2 {
		t.Errorf("hierarchy %+v: Administrator is every permission, and lifts no hierarchy", h)
	}
}
