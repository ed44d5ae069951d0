//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord"
	"gatecamp/discord/discordtest"
)

// single counts how often members were read one by one.
func single(s *discordtest.Server, since int) (n int) {
	for _, r := range s.Requests(since) {
		if r.Route == "/guilds/{g}/members/{u}" {
			n++
		}
	}
	return n
}

func TestWhereTheGatewaysShareIsUsedUpMembersAreReadOneByOne(t *testing.T) {
	t.Parallel()
	s := here(t, 5)
	_, g, _ := client(t, s)
	for n := range 60 {
		if _, members, err := g.Members(t.Context(), []snowflake.ID{pilot}); err != nil || len(members) != 1 {
			t.Fatalf("read %d: %d members, %v", n, len(members), err)
		}
	}
	if n := single(s, 0); n > 0 {
		t.Errorf("%d single reads within the share", n)
	}
	_, members, err := g.Members(t.Context(), []snowflake.ID{pilot + 1, 4242, pilot})
	must(t, err)
	if len(members) != 2 || members[0].ID != pilot || single(s, 0) != 3 {
		t.Errorf("members %v with %d single reads", members, single(s, 0))
	}
}

func TestAnAnswerThatIsLateIsReplacedBySingleReads(t *testing.T) {
	t.Parallel()
	s := here(t, 5)
	_, g, _ := client(t, s, func(c *discord.Config) { c.ChunkIdle = 300 * time.Millisecond })
	fault(t, s, discordtest.FaultChunkLost)
	_, members, err := g.Members(t.Context(), []snowflake.ID{pilot, pilot + 1})
	must(t, err)
	if len(members) != 2 || single(s, 0) != 2 {
		t.Errorf("members %v with %d single reads", members, single(s, 0))
	}
}

func TestWhatCannotBeReadInTimeIsToldByNumber(t *testing.T) {
	t.Parallel()
	s := here(t, 30)
	_, g, _ := client(t, s, func(c *discord.Config) { c.ChunkIdle = 300 * time.Millisecond })
	fault(t, s, discordtest.FaultChunkLost)
	ids := make([]snowflake.ID, 30)
	for i := range ids {
		ids[i] = pilot + snowflake.ID(i)
	}
	ctx, end := context.WithTimeout(t.Context(), 1300*time.Millisecond) // five reads a second
	defer end()
	_, members, err := g.Members(ctx, ids)
	unread, ok := errors.AsType[*discord.UnreadError](err)
	if !ok || unread.Of != 30 || unread.Unread == 0 || unread.Unread == 30 || members != nil {
		t.Errorf("%d members, %v", len(members), err)
	}
}

func TestWhatAMemberHoldsIsKnownWithoutAsking(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	_, g, _ := client(t, s)
	if held, _ := g.Holds(pilot); !held.Empty() {
		t.Error("known before anybody was read")
	}
	picture(t, g)
	before := len(s.Requests(0))
	held, roles := g.Holds(pilot)
	var names strings.Builder
	for i := range held.All() {
		names.WriteString(roles[i].Name + " ")
	}
	if names.String() != "Fleet Cyno Booster " || len(s.Requests(0)) != before {
		t.Errorf("they hold %s", names.String())
	}
}

func TestADriftOfRoleCountsIsASentence(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	_, g, _ := client(t, s)
	picture(t, g)
	if drift, err := g.Drift(t.Context()); drift != "" || err != nil {
		t.Errorf("drift %q, %v", drift, err)
	}
	fault(t, s, discordtest.FaultMissedEvents, func(f *discordtest.Fault) { f.Match.Event = "GUILD_MEMBER_UPDATE" })
	must(t, s.TakeRole(guild, pilot, fleet, 0))
	if drift, err := g.Drift(t.Context()); err != nil || drift != "Discord counts 3 holders of role 902, and shows 4" {
		t.Errorf("drift %q, %v", drift, err)
	}
}
