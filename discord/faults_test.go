//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
)

// rightAgain looks until the picture is whole, and holds it against what Discord has. It may say a few times that it is not.
func rightAgain(t *testing.T, s *discordtest.Server, g *discord.Guild) {
	t.Helper()
	p := picture(t, g)
	for range 20 {
		if p.Complete {
			break
		}
		if p.Doubt == "" {
			t.Error("the picture is not whole and does not say why")
		}
		p = picture(t, g)
	}
	if diff := cmp.Diff(truth(t, s), shown(p)); diff != "" || !p.Complete {
		t.Errorf("complete %v (%s), members (-want +got):\n%s", p.Complete, p.Doubt, diff)
	}
}

func TestASessionThatBeginsBadlyShowsTheGuildAllTheSame(t *testing.T) {
	t.Parallel()
	for _, name := range []discordtest.FaultName{
		discordtest.FaultDropAfterAccept, discordtest.FaultEventBeforeGuildCreate, discordtest.FaultUnknownChannelKind,
	} {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			s := here(t, 20)
			fault(t, s, name)
			_, g, _ := client(t, s)
			rightAgain(t, s, g)
			if fired := s.Faults()[0].Fired; fired != 1 {
				t.Errorf("it went wrong %d times, want once", fired)
			}
		})
	}
}

func TestAHeartbeatThatIsNotAnsweredCostsNoMember(t *testing.T) {
	t.Parallel()
	s := here(t, 20, func(c *discordtest.Config) { c.HeartbeatInterval = time.Second })
	_, g, b := client(t, s)
	picture(t, g)
	fault(t, s, discordtest.FaultNoHeartbeatACK)
	b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionKept }) // it took the silence for a dead connection
	must(t, s.GiveRole(guild, pilot, capital, 0))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.MemberChanged && e.Member == pilot })
	rightAgain(t, s, g)
}

func TestAGuildThatGoesDownIsReadAnewWhenItIsBack(t *testing.T) {
	t.Parallel()
	clock := discordtest.NewManualClock(time.Now())
	s := here(t, 20, func(c *discordtest.Config) { c.Clock = clock; c.Unlimited = true })
	_, g, b := client(t, s)
	picture(t, g)
	fault(t, s, discordtest.FaultGuildUnavailable, func(f *discordtest.Fault) { f.Match.Event = "GUILD_MEMBER_UPDATE" })
	must(t, s.GiveRole(guild, pilot, capital, 0))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.GuildLost })
	must(t, s.GiveRole(guild, pilot+1, capital, 0)) // nobody hears of it
	ended, end := context.WithCancel(t.Context())
	end()
	if p, err := g.Picture(ended); err == nil {
		t.Errorf("a picture of %d members of a guild that is not there", len(p.Members))
	}
	must(t, s.Advance(5*time.Second))
	rightAgain(t, s, g)
}

// Whenever the entry of the audit log comes, or if it never does: the member is looked at because of the member's own event.
func TestTheAuditLogIsNeverWaitedFor(t *testing.T) {
	t.Parallel()
	for name, comes := range map[discordtest.FaultName]bool{
		discordtest.FaultAuditBefore: true, discordtest.FaultAuditLate: true, discordtest.FaultAuditNever: false,
	} {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			clock := discordtest.NewManualClock(time.Now())
			s := here(t, 5, func(c *discordtest.Config) { c.Clock = clock })
			_, g, b := client(t, s)
			picture(t, g)
			fault(t, s, name)
			must(t, s.GiveRole(guild, pilot, capital, 0))
			b.await(t, func(e audit.Event) bool { return e.Why == audit.MemberChanged && e.Member == pilot })
			rightAgain(t, s, g)
			must(t, s.Advance(5*time.Second))
			must(t, s.GiveRole(guild, pilot+1, capital, 0))
			granted := func(e audit.Event) bool {
				return e.Why == audit.EntryWritten && e.Member == pilot && e.Grant.Actor == owner && slices.Contains(e.Grant.Added, capital)
			}
			b.await(t, func(e audit.Event) bool { return e.Why == audit.EntryWritten && e.Member == pilot+1 })
			b.mu.Lock()
			defer b.mu.Unlock()
			if heard := slices.ContainsFunc(b.events, granted); heard != comes {
				t.Errorf("who gave the role was told: %v, want %v", heard, comes)
			}
		})
	}
}

func TestEvery429IsWaitedOutAndTheRoleTakenOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []discordtest.FaultName{
		discordtest.Fault429User, discordtest.Fault429Shared, discordtest.Fault429Global, discordtest.Fault429Cloudflare,
	} {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			s := here(t, 2)
			_, g, _ := client(t, s)
			fault(t, s, name, on("DELETE", "/guilds/{g}/members/{u}/roles/{r}"))
			got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true})
			if diff := cmp.Diff([]string{"done"}, results(got)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			want := []string{"DELETE /guilds/{g}/members/{u}/roles/{r} 429", "DELETE /guilds/{g}/members/{u}/roles/{r} 204"}
			if diff := cmp.Diff(want, writes(s)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASlowDiscordIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	_, g, _ := client(t, s)
	fault(t, s, discordtest.FaultSlow, on("DELETE", "/guilds/{g}/members/{u}/roles/{r}"))
	got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true})
	if diff := cmp.Diff([]string{"done"}, results(got)); diff != "" || len(writes(s)) != 1 {
		t.Errorf("calls %v, outcome (-want +got):\n%s", writes(s), diff)
	}
}

// Discord's clock is 90 s ahead; five members a second may be read, and the sixth waits for a second and not for a minute and a half.
func TestAClockThatIsAheadMakesNobodyWait(t *testing.T) {
	t.Parallel()
	s := here(t, 6)
	c, g, _ := client(t, s)
	if skew := time.Since(c.Clock()).Abs(); skew > time.Minute {
		t.Errorf("Discord's clock differs by %s before it is ahead", skew)
	}
	fault(t, s, discordtest.FaultClockSkew, times(99))
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	for i := range 6 {
		_, _, err := g.Member(ctx, pilot+1)
		must(t, err)
		_ = i
	}
	if ahead := time.Until(c.Clock()); ahead < time.Minute || ahead > 2*time.Minute {
		t.Errorf("Discord's clock is %s ahead of ours, want a minute and a half", ahead)
	}
	for _, r := range s.Requests(0) {
		if r.Status == http.StatusTooManyRequests {
			t.Errorf("%s was answered with 429", r.Path)
		}
	}
}

func TestARoleThatNoLongerExistsIsNotWrittenBack(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	_, g, _ := client(t, s)
	fault(t, s, discordtest.FaultDeletedRoleInMember, on("GET", "/guilds/{g}/members/{u}"))
	got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet), strip(pilot, cyno)}})
	if diff := cmp.Diff([]string{"done", "done"}, results(got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"PATCH /guilds/{g}/members/{u} 200"}, writes(s)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if fired := s.Faults()[0].Fired; fired != 1 {
		t.Error("the member never held a role that does not exist")
	}
}

// aa-discord-audit A33: a 5xx while it read the guild ended the run.
func TestAReadThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	_, g, _ := client(t, s)
	fault(t, s, discordtest.FaultChunkLost)
	fault(t, s, discordtest.Fault5xxBefore, on("GET", "/guilds/{g}/members"), times(2))
	rightAgain(t, s, g)
	fault(t, s, discordtest.Fault5xxBefore, on("GET", "/guilds/{g}/members/{u}"), times(2))
	if _, m, err := g.Member(t.Context(), pilot); err != nil || m.ID != pilot {
		t.Errorf("member %d, %v", m.ID, err)
	}
	fault(t, s, discordtest.Fault5xxBefore, on("GET", "/guilds/{g}/members/{u}"), times(99))
	if _, _, err := g.Member(t.Context(), pilot); err == nil {
		t.Error("an answer came from a Discord that fails for good")
	}
	failed := 0
	for _, r := range s.Requests(0) {
		if r.Status == http.StatusBadGateway {
			failed++
		}
	}
	if failed != 7 { // twice, twice, and three times for good
		t.Errorf("%d reads failed, want 7: what fails for good is not asked for ever", failed)
	}
}
