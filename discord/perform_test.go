//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
)

const (
	deleteRole  = "DELETE /guilds/{g}/members/{u}/roles/{r}"
	patchMember = "PATCH /guilds/{g}/members/{u}"
	kickMember  = "DELETE /guilds/{g}/members/{u}"
)

func results(outcomes []audit.Outcome) (list []string) {
	for _, o := range outcomes {
		list = append(list, strings.TrimSpace(o.Result.String()+" "+o.Code))
	}
	return list
}

func TestAMemberWhomAuthKnowsLosesEachRoleByItself(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	_, g, _ := client(t, s)
	got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet), strip(pilot, cyno)}, Linked: true})
	if diff := cmp.Diff([]string{"done", "done"}, results(got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{deleteRole + " 204", deleteRole + " 204"}, writes(s)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]snowflake.ID{booster}, holds(t, s, pilot)); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

func TestAStrangerLosesSeveralRolesWithOneWriteThatKeepsEveryOther(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	_, g, _ := client(t, s)
	got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet), strip(pilot, cyno)}})
	if diff := cmp.Diff([]string{"done", "done"}, results(got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{patchMember + " 200"}, writes(s)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]snowflake.ID{booster}, holds(t, s, pilot)); diff != "" {
		t.Errorf("roles, the managed one included (-want +got):\n%s", diff)
	}
}

func TestOneRoleOfAStrangerGoesByItselfWhileThatBucketHasRoom(t *testing.T) {
	t.Parallel()
	s := here(t, 24)
	_, g, _ := client(t, s)
	for i := range 20 {
		do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot+snowflake.ID(i), fleet)}})
	}
	counts := map[string]int{}
	for _, w := range writes(s) {
		counts[w]++
	}
	// Live work may use a whole bucket: ten by themselves, then ten by the other.
	if diff := cmp.Diff(map[string]int{deleteRole + " 204": 10, patchMember + " 200": 10}, counts); diff != "" {
		t.Errorf("writes within one window (-want +got):\n%s", diff)
	}
}

func TestTheOutcomeSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	role := []audit.Action{strip(pilot, fleet)}
	both := []audit.Action{strip(pilot, fleet), strip(pilot, cyno)}
	for name, c := range map[string]struct {
		before  func(t *testing.T, s *discordtest.Server, g *discord.Guild, b *book)
		actions []audit.Action
		linked  bool
		want    []string
		writes  int // calls that reach Discord; -1 any
	}{
		"the member left": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) { must(t, s.Leave(guild, pilot)) }, role, true, []string{"gone member_left"}, 1},
		"a stranger left": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) { must(t, s.Leave(guild, pilot)) }, both, false, []string{"gone member_left", "gone member_left"}, 0},
		"the role was taken already": {func(t *testing.T, s *discordtest.Server, g *discord.Guild, b *book) {
			must(t, s.TakeRole(guild, pilot, fleet, 0))
			b.await(t, func(e audit.Event) bool { return e.Why == audit.MemberChanged && e.Member == pilot })
			look(t, g, pilot)
		}, role, true, []string{"already_so role_not_held"}, 0},
		"accepted and not applied": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.FaultOKWithoutEffect, on("DELETE", "/guilds/{g}/members/{u}/roles/{r}"))
		}, role, true, []string{"not_applied still_there"}, 1},
		"an array accepted and not applied": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.FaultOKWithoutEffect, on("PATCH", "/guilds/{g}/members/{u}"))
		}, both, false, []string{"not_applied still_there", "not_applied still_there"}, 1},
		"a passing error, nothing happened": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.Fault5xxBefore, on("DELETE", "/guilds/{g}/members/{u}/roles/{r}"))
		}, role, true, []string{"done"}, 2},
		"a passing error, and it happened": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.Fault5xxAfter, on("DELETE", "/guilds/{g}/members/{u}/roles/{r}"))
		}, role, true, []string{"done"}, 2},
		"an array, a passing error, and it happened": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.Fault5xxAfter, on("PATCH", "/guilds/{g}/members/{u}"))
		}, both, false, []string{"done", "done"}, 1},
		"an array, a passing error, nothing happened": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.Fault5xxBefore, on("PATCH", "/guilds/{g}/members/{u}"))
		}, both, false, []string{"done", "done"}, 2},
		"Discord fails for good": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.Fault5xxBefore, on("DELETE", "/guilds/{g}/members/{u}/roles/{r}"), times(9))
		}, role, true, []string{"failed http_502"}, 3},
		"the role above the bot": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {}, []audit.Action{strip(pilot, high)}, true, []string{"refused role_above_bot"}, 0},
		"a kick, and it happened though Discord failed": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.Fault5xxAfter, on("DELETE", "/guilds/{g}/members/{u}"))
		}, []audit.Action{kick(pilot)}, true, []string{"done"}, 2},
		"the event never came": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.FaultMissedEvents, func(f *discordtest.Fault) { f.Match.Event = "GUILD_MEMBER_UPDATE" })
		}, role, true, []string{"done"}, 1},
		"a kick": {func(*testing.T, *discordtest.Server, *discord.Guild, *book) {}, []audit.Action{kick(pilot)}, true, []string{"done"}, 1},
		"a ban":  {func(*testing.T, *discordtest.Server, *discord.Guild, *book) {}, []audit.Action{{Kind: audit.BanMember, Member: pilot}}, true, []string{"done"}, 1},
		"two-factor authentication is asked for": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			must(t, s.RequireTwoFactor(guild, true, false))
		}, both, true, []string{"refused discord_60003", "refused discord_60003"}, 1},
		"another writer gave a role between read and array": {func(t *testing.T, s *discordtest.Server, _ *discord.Guild, _ *book) {
			fault(t, s, discordtest.FaultForeignWrite, on("PATCH", "/guilds/{g}/members/{u}"))
		}, both, false, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := here(t, 2)
			if strings.Contains(name, "above the bot") {
				raise(t, s)
			}
			_, g, b := client(t, s)
			c.before(t, s, g, b)
			got := do(t, g, discord.Offer{Actions: c.actions, Linked: c.linked})
			if c.want == nil {
				for _, o := range got {
					if o.Result != audit.Collateral || len(o.Lost()) != 1 {
						t.Errorf("%v, want a role lost that nobody named", o)
					}
				}
				return
			}
			if diff := cmp.Diff(c.want, results(got)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if n := len(writes(s)); n != c.writes {
				t.Errorf("%d calls, want %d: %v", n, c.writes, writes(s))
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, g *discord.Guild, id snowflake.ID) {
	t.Helper()
	if _, _, err := g.Member(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// raise puts the role High above everything of the bot's.
func raise(t *testing.T, s *discordtest.Server) {
	t.Helper()
	at := 90
	if _, err := s.EditRole(guild, high, 0, discordtest.RoleEdit{Position: &at}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatDiscordForbadeIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	s := here(t, 5)
	_, g, _ := client(t, s)
	// A forbidden answer that nothing showed before: the account that owns the bot has no second factor.
	must(t, s.RequireTwoFactor(guild, true, false))
	for i := range 5 {
		got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot+snowflake.ID(i), fleet)}, Linked: true})
		if diff := cmp.Diff([]string{"refused discord_60003"}, results(got)); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
	}
	if n := len(writes(s)); n != 1 {
		t.Errorf("Discord was asked %d times, want once: each refusal counts towards the ban of the address", n)
	}
}

func TestALostPermissionIsKnownBeforeTheNextCall(t *testing.T) {
	t.Parallel()
	s := here(t, 2)
	_, g, b := client(t, s)
	none := discordtest.Permissions(0)
	for _, r := range roles(t, s) {
		if r.Managed && r.ID != booster || r.ID == guild {
			if _, err := s.EditRole(guild, r.ID, 0, discordtest.RoleEdit{Permissions: &none}); err != nil {
				t.Fatal(err)
			}
			b.await(t, func(e audit.Event) bool { return e.Why == audit.RoleEdited && e.Role == r.ID })
		}
	}
	got := do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet), kick(pilot)}})
	if diff := cmp.Diff([]string{"refused bot_lacks_manage_roles", "refused bot_lacks_kick_members"}, results(got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if w := writes(s); len(w) > 0 {
		t.Errorf("calls were made: %v", w)
	}
	if h := g.Hierarchy(); !h.Known || !strings.Contains(h.Trouble(), "Manage Roles, Kick Members, Ban Members") {
		t.Errorf("hierarchy: %+v", h)
	}
}

func roles(t *testing.T, s *discordtest.Server) []discordtest.Role {
	t.Helper()
	list, err := s.Roles(guild)
	must(t, err)
	return list
}

func TestARoleThatAuthGaveBackIsToldLater(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, g, _ := client(t, s, func(c *discord.Config) { c.LookAgain = 300 * time.Millisecond })
	told := make(chan audit.Outcome, 1)
	do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true, Later: func(o audit.Outcome) { told <- o }})
	must(t, s.GiveRole(guild, pilot, fleet, 0))
	c.Drain(t.Context())
	select {
	case o := <-told:
		if o.Result != audit.NotApplied || o.Code != "given_back" || o.Action != strip(pilot, fleet) {
			t.Errorf("told %v", o)
		}
	default:
		t.Error("nothing was told")
	}
}

func TestTheReasonIsOneLineOfAtMost512WholeCharacters(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", strings.Repeat("é", 600), "two\nlines\x00", "\xff\xfe broken", strings.Repeat("a", 511) + "💥💥"} {
		got := discord.Reason(text)
		if n := utf8.RuneCountInString(got); n > discord.MaxReason || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\x00") {
			t.Errorf("Reason(%.20q…) = %.20q… with %d characters", text, got, n)
		}
	}
	if got := discord.Reason(strings.Repeat("x", 512)); got != strings.Repeat("x", 512) {
		t.Error("512 characters were cut")
	}
}

func TestTheReasonReachesTheAuditLogWhole(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	_, g, _ := client(t, s)
	slot, err := g.Reserve(t.Context(), discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true})
	must(t, err)
	reason := "gatecamp run 7 by console:Björn + 50% 0123456789abcdef"
	slot.Do(t.Context(), []audit.Action{strip(pilot, fleet)}, reason)
	requests := s.Requests(0)
	if i := slices.IndexFunc(requests, func(r discordtest.Request) bool { return r.Method == http.MethodDelete }); i < 0 || requests[i].Reason != reason {
		t.Errorf("requests %v, want the reason %q", requests, reason)
	}
}

func TestASlotDoesOnlyWhatItWasReservedFor(t *testing.T) {
	t.Parallel()
	s := here(t, 2)
	_, g, _ := client(t, s)
	slot, err := g.Reserve(t.Context(), discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true})
	must(t, err)
	got := slot.Do(t.Context(), []audit.Action{strip(pilot+1, fleet)}, "x")
	if diff := cmp.Diff([]string{"refused not_reserved"}, results(got)); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if got := slot.Do(t.Context(), []audit.Action{strip(pilot, fleet)}, "x"); got[0].Code != "sent_already" {
		t.Errorf("a slot could be used twice: %v", got)
	}
	if w := writes(s); len(w) > 0 {
		t.Errorf("calls were made: %v", w)
	}
}

func TestAPlaceThatIsGivenBackCanBeUsedByAnother(t *testing.T) {
	t.Parallel()
	s := here(t, 30)
	_, g, _ := client(t, s)
	do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true}) // the bucket is known now
	ctx, end := context.WithTimeout(t.Context(), 3*time.Second)
	defer end()
	for i := range 30 { // more than a window holds
		slot, err := g.Reserve(ctx, discord.Offer{Actions: []audit.Action{strip(pilot+snowflake.ID(i), fleet)}, Linked: true})
		must(t, err)
		slot.Release()
		slot.Release()
	}
}

func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"discord_50013", "discord_60003", "discord_99999", "http_503", "lost:1,2", "managed_role", "bot_lacks_manage_roles"} {
		if what, _ := discord.Words(code); what == "" {
			t.Errorf("%s has no words", code)
		}
	}
	if what, _ := discord.Words("now_in_order"); what != "" {
		t.Errorf("a code of the engine has words: %s", what)
	}
}
