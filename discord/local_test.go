//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/secret"
)

const (
	owner   snowflake.ID = 41
	pilot   snowflake.ID = 1001 // the first of the members
	fleet   snowflake.ID = 902
	cyno    snowflake.ID = 903
	capital snowflake.ID = 904
	booster snowflake.ID = 905 // managed
	high    snowflake.ID = 906 // above the bot
)

// here is the local Discord with a small guild: n members who hold Fleet, Cyno and the managed role Booster.
func here(t testing.TB, n int, change ...func(*discordtest.Config)) *discordtest.Server {
	t.Helper()
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(`{"user":{"id":"%d","username":"m%d"},"roles":["902","903","905"],"joined_at":"2020-01-01T00:00:00Z"}`, int(pilot)+i, i))
	}
	members = append(members, `{"user":{"id":"41","username":"boss"},"roles":["902"],"joined_at":"2020-01-01T00:00:00Z"}`)
	text := fmt.Sprintf(`A small guild.
-- guild.json --
{"guild": {"id": "%d", "owner_id": "41", "name": "Small"},
 "guild_roles": [{"id": "902", "name": "Fleet", "position": 1}, {"id": "903", "name": "Cyno", "position": 2}, {"id": "904", "name": "Capital", "position": 3},
  {"id": "905", "name": "Booster", "position": 4, "managed": true}, {"id": "906", "name": "High", "position": 5}],
 "guild_members": [[%s]]}
`, guild, strings.Join(members, ","))
	world, err := discordtest.ParseWorld("small", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cfg := discordtest.Config{World: world}
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, wait, err := discordtest.Start(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := wait(); err != nil {
			t.Errorf("the local Discord ended with %v", err)
		}
	})
	return s
}

// book is a log, and every event, of one client.
type book struct {
	mu     sync.Mutex
	text   bytes.Buffer
	events []audit.Event
	wake   chan struct{}
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *book) event(e audit.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	close(b.wake)
	b.wake = make(chan struct{})
}

// await waits for an event that fits.
func (b *book) await(t *testing.T, fits func(audit.Event) bool) {
	t.Helper()
	for {
		b.mu.Lock()
		found, wake := slices.ContainsFunc(b.events, fits), b.wake
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-wake:
		case <-t.Context().Done():
			t.Fatal("the event never came")
		case <-time.After(20 * time.Second):
			t.Fatal("the event did not come in 20 s")
		}
	}
}

func config(s *discordtest.Server) (discord.Config, *book) {
	b := &book{wake: make(chan struct{})}
	return discord.Config{
		Token: secret.New(s.Bot(discordtest.BotGatecamp).Token), APIURL: s.APIURL(), Log: slog.New(slog.NewTextHandler(b, nil)), OnEvent: b.event,
		ChunkIdle: time.Second, EchoWithin: time.Second, LookAgain: 50 * time.Millisecond, CountsSettle: 300 * time.Millisecond,
	}, b
}

// client is a real client of the local Discord.
func client(t testing.TB, s *discordtest.Server, change ...func(*discord.Config)) (*discord.Client, *discord.Guild, *book) {
	t.Helper()
	cfg, b := config(s)
	for _, c := range change {
		c(&cfg)
	}
	c, err := discord.Open(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.WithoutCancel(t.Context())) })
	g := c.Guild(guild)
	if err := g.WaitVisible(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return c, g, b
}

func fault(t testing.TB, s *discordtest.Server, name discordtest.FaultName, change ...func(*discordtest.Fault)) {
	t.Helper()
	f := discordtest.Fault{Name: name.String()}
	for _, c := range change {
		c(&f)
	}
	if _, err := s.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func on(method, route string) func(*discordtest.Fault) {
	return func(f *discordtest.Fault) { f.Match.Method, f.Match.Route = method, route }
}

func times(n int) func(*discordtest.Fault) { return func(f *discordtest.Fault) { f.Count = n } }

func strip(member, role snowflake.ID) audit.Action {
	return audit.Action{Kind: audit.RemoveRole, Member: member, Role: role}
}

func kick(member snowflake.ID) audit.Action {
	return audit.Action{Kind: audit.KickMember, Member: member}
}

// do offers actions until all of them were taken, as the line does, and returns what became of each.
func do(t testing.TB, g *discord.Guild, o discord.Offer) (outcomes []audit.Outcome) {
	t.Helper()
	for len(o.Actions) > 0 {
		slot, err := g.Reserve(context.WithoutCancel(t.Context()), o)
		if err != nil {
			t.Fatal(err)
		}
		n := slot.Covers()
		outcomes = append(outcomes, slot.Do(context.WithoutCancel(t.Context()), o.Actions[:n], "for the test")...)
		o.Actions = o.Actions[n:]
	}
	return outcomes
}

// holds are the roles that the local Discord says a member has.
func holds(t testing.TB, s *discordtest.Server, member snowflake.ID) []snowflake.ID {
	t.Helper()
	m, err := s.Member(guild, member)
	if err != nil {
		t.Fatal(err)
	}
	return m.Roles
}

// writes are the calls that change a member, as "METHOD route status".
func writes(s *discordtest.Server) (list []string) {
	for _, r := range s.Requests(0) {
		if r.Bot == discordtest.BotGatecamp && r.Method != http.MethodGet {
			list = append(list, fmt.Sprintf("%s %s %d", r.Method, r.Route, r.Status))
		}
	}
	return list
}

// why lists the reasons of all events so far.
func (b *book) why() string {
	var list []string
	for _, e := range b.events { // called with b.mu held, from await
		list = append(list, e.Why.String())
	}
	return strings.Join(list, " ")
}
