//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
)

// shown is a picture as "member: role role" lines, to hold against what the local Discord says.
func shown(p discord.Picture) map[snowflake.ID][]snowflake.ID {
	all := map[snowflake.ID][]snowflake.ID{}
	for _, m := range p.Members {
		all[m.ID] = nil
		for i := range m.Roles.All() {
			all[m.ID] = append(all[m.ID], p.Guild.Roles[i].ID)
		}
	}
	return all
}

func truth(t testing.TB, s *discordtest.Server) map[snowflake.ID][]snowflake.ID {
	t.Helper()
	members, err := s.Members(guild)
	must(t, err)
	all := map[snowflake.ID][]snowflake.ID{}
	for _, m := range members {
		all[m.ID] = nil
		all[m.ID] = append(all[m.ID], m.Roles...)
	}
	return all
}

func picture(t testing.TB, g *discord.Guild) discord.Picture {
	t.Helper()
	p, err := g.Picture(context.WithoutCancel(t.Context()))
	must(t, err)
	return p
}

func TestAPictureIsWhatDiscordShowsAndProvenWhole(t *testing.T) {
	t.Parallel()
	s := here(t, 2500)
	_, g, _ := client(t, s)
	p := picture(t, g)
	if !p.Complete || p.Doubt != "" {
		t.Errorf("complete %v, doubt %q", p.Complete, p.Doubt)
	}
	if diff := cmp.Diff(truth(t, s), shown(p)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if p.Guild.Owner != owner || p.Guild.Bot != 42 || p.Guild.BotTop <= 0 || p.Guild.Name != "Small" {
		t.Errorf("guild: %+v", p.Guild)
	}
}

func TestWhateverHappensToTheChunksThePictureIsWholeOrSaysThatItIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault discordtest.FaultName
		pages bool
	}{
		"a chunk is lost":      {discordtest.FaultChunkLost, true},
		"a chunk comes twice":  {discordtest.FaultChunkDoubled, false},
		"chunks are reordered": {discordtest.FaultChunksReordered, false},
		"rate limited":         {discordtest.FaultChunksRateLimited, true},
		"the connection drops": {discordtest.FaultOp7, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := here(t, 2500)
			_, g, _ := client(t, s, func(cfg *discord.Config) {
				cfg.CountsSettle = 20 * time.Second
				if c.fault != discordtest.FaultChunkLost { // a late chunk is none that is lost
					cfg.ChunkIdle = 20 * time.Second
				}
			})
			fault(t, s, c.fault, func(f *discordtest.Fault) { f.Match.Event = "GUILD_MEMBERS_CHUNK" })
			rightAgain(t, s, g)
			pages := false
			for _, r := range s.Requests(0) {
				pages = pages || r.Method == http.MethodGet && r.Route == "/guilds/{g}/members"
			}
			if pages != c.pages { // whoever waits for the gateway's turn needs no pages
				t.Errorf("read page by page: %v, want %v", pages, c.pages)
			}
		})
	}
}

func TestASecondReadWithin30SecondsUsesWhatWasKept(t *testing.T) {
	t.Parallel()
	s := here(t, 50)
	_, g, b := client(t, s)
	picture(t, g)
	before := len(s.Requests(0))
	must(t, s.Join(guild, discordtest.Arrival{ID: 7777, Username: "new", Roles: []snowflake.ID{fleet}}))
	must(t, s.GiveRole(guild, pilot, capital, 0))
	b.await(t, func(e audit.Event) bool { return e.Member == pilot })
	p := picture(t, g)
	if diff := cmp.Diff(truth(t, s), shown(p)); diff != "" || !p.Complete {
		t.Errorf("complete %v, members (-want +got):\n%s", p.Complete, diff)
	}
	for _, r := range s.Requests(before) {
		if r.Route == "/guilds/{g}/members" {
			t.Error("members were read again though no event was missed")
		}
	}
}

func TestAfterALostEventTheMembersAreReadAgain(t *testing.T) {
	t.Parallel()
	s := here(t, 50)
	_, g, b := client(t, s)
	picture(t, g)
	fault(t, s, discordtest.FaultMissedEvents, func(f *discordtest.Fault) { f.Match.Event = "GUILD_MEMBER_UPDATE" })
	must(t, s.GiveRole(guild, pilot, capital, 0)) // nobody hears of it
	must(t, s.GiveRole(guild, pilot+1, capital, 0))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionNew })
	p := picture(t, g)
	if diff := cmp.Diff(truth(t, s), shown(p)); diff != "" || !p.Complete {
		t.Errorf("complete %v (%s), members (-want +got):\n%s", p.Complete, p.Doubt, diff)
	}
}

func TestADifferenceOfCountsThatStaysIsNotComplete(t *testing.T) {
	t.Parallel()
	s := here(t, 20)
	_, g, _ := client(t, s)
	picture(t, g)
	// The role goes from members without a word: what was kept no longer counts as many holders as Discord does.
	fault(t, s, discordtest.FaultMissedEvents, func(f *discordtest.Fault) { f.Match.Event = "GUILD_MEMBER_UPDATE" })
	must(t, s.TakeRole(guild, pilot, fleet, 0))
	p := picture(t, g)
	if diff := cmp.Diff(truth(t, s), shown(p)); diff != "" {
		t.Errorf("the members were not read again (-want +got):\n%s", diff)
	}
}

func TestARoleThatIsGoneIsNobodysAnyMore(t *testing.T) {
	t.Parallel()
	s := here(t, 20)
	_, g, b := client(t, s)
	picture(t, g)
	fault(t, s, discordtest.FaultRoleDeleteSilent)
	must(t, s.DeleteRole(guild, fleet, 0))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.RoleDeleted })
	p := picture(t, g)
	for id, ids := range shown(p) {
		for _, role := range ids {
			if role == fleet {
				t.Errorf("member %d still holds the role", id)
			}
		}
	}
	_, m, err := g.Member(t.Context(), pilot)
	must(t, err)
	if m.Roles.Len() != 2 {
		t.Errorf("a fresh read shows %d roles, want 2", m.Roles.Len())
	}
	got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}})
	if diff := cmp.Diff([]string{"refused role_unknown"}, results(got)); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestOneMemberIsReadAfresh(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	_, g, _ := client(t, s)
	guildNow, m, err := g.Member(t.Context(), pilot)
	must(t, err)
	if m.ID != pilot || m.Roles.Len() != 3 || m.Joined == 0 || guildNow.ID != guild {
		t.Errorf("member %+v of %d", m, guildNow.ID)
	}
	if _, _, err := g.Member(t.Context(), 4242); !errors.Is(err, discord.ErrNotMember) {
		t.Errorf("nobody: %v, want ErrNotMember", err)
	}
}

func TestNamedMembersAreReadOverTheGateway(t *testing.T) {
	t.Parallel()
	s := here(t, 200)
	_, g, _ := client(t, s)
	ids := []snowflake.ID{pilot + 5, 4242, pilot}
	_, members, err := g.Members(t.Context(), ids)
	must(t, err)
	if len(members) != 2 || members[0].ID != pilot || members[1].ID != pilot+5 {
		t.Errorf("members %v", members)
	}
	if _, _, err := g.Members(t.Context(), make([]snowflake.ID, 101)); problem.KindOf(err) != problem.Usage {
		t.Errorf("101 members: %v", err)
	}
	for _, r := range s.Requests(0) {
		if strings.Contains(r.Route, "/members") {
			t.Errorf("REST was asked: %s", r.Route)
		}
	}
}

func TestAGuildThatTheBotIsNotInIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	_, err := c.Guild(5).Picture(t.Context())
	if problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), "not in guild 5") {
		t.Errorf("error %v", err)
	}
}

func TestDuringAnOutageThereIsNoPicture(t *testing.T) {
	t.Parallel()
	s := here(t, 5)
	_, g, b := client(t, s)
	picture(t, g)
	must(t, s.SetDown(guild, true))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.GuildLost })
	ctx, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	if p, err := g.Picture(ctx); err == nil {
		t.Errorf("a picture of %d members", len(p.Members))
	}
	must(t, s.SetDown(guild, false))
	if p := picture(t, g); !p.Complete {
		t.Errorf("after the outage: %s", p.Doubt)
	}
}

func TestDuringAnOutageNothingIsTakenFromAnybody(t *testing.T) {
	t.Parallel()
	s := here(t, 5)
	_, g, b := client(t, s)
	picture(t, g)
	slot, err := g.Reserve(t.Context(), discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}})
	must(t, err)
	must(t, s.SetDown(guild, true))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.GuildLost })
	if g.Visible() || g.Headcount().Visible {
		t.Error("the guild counts as visible")
	}
	if _, _, err := g.Members(t.Context(), []snowflake.ID{pilot}); problem.KindOf(err) != problem.Failed {
		t.Errorf("members: %v, want a problem at once", err)
	}
	if _, _, err := g.Member(t.Context(), pilot); problem.KindOf(err) != problem.Failed {
		t.Errorf("a member: %v, want a problem at once", err)
	}
	got := slot.Do(t.Context(), []audit.Action{strip(pilot, fleet)}, "for the test")
	if diff := cmp.Diff([]string{"not_tried guild_unseen"}, results(got)); diff != "" || len(writes(s)) > 0 {
		t.Errorf("writes %v, outcome (-want +got):\n%s", writes(s), diff)
	}
}
