//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

func TestAWrongTokenIsAProblemThatDoesNotQuoteIt(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	for name, token := range map[string]string{
		"another bot's":   "NDI.canaryTOKEN.canaryCANARY",
		"not even base64": "canaryTOKEN!!",
		"empty":           "",
		"no bot at all":   "canary.canary.canary",
	} {
		cfg, b := config(s)
		cfg.Token = secret.New(token)
		c, err := discord.Open(t.Context(), cfg)
		if err == nil {
			c.Close(t.Context())
			t.Errorf("%s: accepted", name)
			continue
		}
		if problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), "GATECAMP_DISCORD_TOKEN") {
			t.Errorf("%s: %v, want a problem that names the setting", name, err)
		}
		if strings.Contains(err.Error()+b.String(), "canary") {
			t.Errorf("%s: the token is shown: %v\n%s", name, err, b)
		}
	}
}

func TestARefusedIntentSaysWhichSwitchToFlip(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	must(t, s.AllowIntents(42, 0))
	cfg, _ := config(s)
	_, err := discord.Open(t.Context(), cfg)
	if problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), "Server Members Intent") {
		t.Errorf("error %v", err)
	}
}

func TestTheTokenNeverReachesTheLog(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	_, g, b := client(t, s)
	picture(t, g)
	fault(t, s, discordtest.Fault5xxBefore, times(3))
	_, _, _ = g.Member(t.Context(), pilot)
	if token := s.Bot(discordtest.BotGatecamp).Token; strings.Contains(b.String(), token) {
		t.Errorf("the token is in the log:\n%s", b)
	}
}

func TestASessionGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	cfg, _ := config(s)
	first, err := discord.Open(t.Context(), cfg)
	must(t, err)
	must(t, first.Guild(guild).WaitVisible(t.Context()))
	sessions := first.CloseKeepingSession(t.Context())
	if sessions[0].ID == "" {
		t.Fatal("no session was left")
	}
	must(t, s.GiveRole(guild, pilot, capital, 0))
	cfg2, b := config(s)
	cfg2.Sessions, cfg2.Routes = sessions, first.Routes()
	second, err := discord.Open(t.Context(), cfg2)
	must(t, err)
	defer second.Close(context.WithoutCancel(t.Context()))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.MemberChanged && e.Member == pilot })
	b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionKept })
	p := picture(t, second.Guild(guild))
	if diff := cmp.Diff(truth(t, s), shown(p)); diff != "" || !p.Complete {
		t.Errorf("complete %v (%s), members (-want +got):\n%s", p.Complete, p.Doubt, diff)
	}
	if p.Guild.BotTop <= 0 {
		t.Error("the bot's own place is not known")
	}
}

func TestASessionThatIsOverBecomesANewOne(t *testing.T) {
	t.Parallel()
	s := here(t, 3)
	cfg, b := config(s)
	cfg.Sessions = map[int]discord.Session{0: {ID: "gone", ResumeURL: s.GatewayURL(), Sequence: 5}}
	c, err := discord.Open(t.Context(), cfg)
	must(t, err)
	defer c.Close(context.WithoutCancel(t.Context()))
	b.await(t, func(e audit.Event) bool { return e.Why == audit.SessionNew })
	if p := picture(t, c.Guild(guild)); !p.Complete {
		t.Errorf("not complete: %s", p.Doubt)
	}
}

func TestWhateverTheGatewayDoesTheMembersAreRightAgain(t *testing.T) {
	t.Parallel()
	for _, name := range []discordtest.FaultName{
		discordtest.FaultOp7, discordtest.FaultOp9Resumable, discordtest.FaultOp9New, discordtest.FaultResumeRefused, discordtest.FaultMissedEvents,
	} {
		t.Run(name.String(), func(t *testing.T) {
			t.Parallel()
			s := here(t, 20)
			_, g, b := client(t, s)
			picture(t, g)
			fault(t, s, name, func(f *discordtest.Fault) {
				if name != discordtest.FaultResumeRefused {
					f.Match.Event = "GUILD_MEMBER_UPDATE"
				}
			})
			if name == discordtest.FaultResumeRefused {
				for _, c := range s.Connections() {
					must(t, s.CloseConnection(c.ID, 0))
				}
			}
			must(t, s.GiveRole(guild, pilot, capital, 0))
			must(t, s.GiveRole(guild, pilot+1, capital, 0))
			b.await(t, func(e audit.Event) bool {
				return e.Member == pilot+1 || e.Why == audit.SessionNew && name != discordtest.FaultMissedEvents && strings.Count(b.why(), "session_new") > 1
			})
			deadline := time.Now().Add(20 * time.Second)
			for {
				p, err := g.Picture(t.Context())
				if err == nil && p.Complete && cmp.Equal(truth(t, s), shown(p)) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("still wrong: %v, %s", err, p.Doubt)
				}
			}
		})
	}
}

func TestClosingTheClientLetsEverybodyGo(t *testing.T) {
	t.Parallel()
	s := here(t, 30)
	c, g, _ := client(t, s)
	waits := make(chan error, 1)
	for i := range snowflake.ID(10) { // as many as a window holds
		do(t, g, discord.Offer{Actions: []audit.Action{strip(pilot+i, fleet)}, Linked: true})
	}
	go func() {
		_, err := g.Reserve(context.WithoutCancel(t.Context()), discord.Offer{Actions: []audit.Action{strip(pilot+20, fleet)}, Linked: true})
		waits <- err
	}()
	c.Close(t.Context())
	select {
	case err := <-waits:
		if err == nil {
			t.Error("a place was given after the end")
		}
	case <-time.After(5 * time.Second):
		t.Error("somebody still waits")
	}
}

func TestAnIntentThatIsTakenAwayLaterIsSaidInWords(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	must(t, s.AllowIntents(c.Bot(), 0))
	fault(t, s, discordtest.FaultResumeRefused)
	for _, conn := range s.Connections() {
		must(t, s.CloseConnection(conn.ID, 0))
	}
	select {
	case <-c.Lost():
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	if err := c.Err(); problem.KindOf(err) != problem.Usage || !strings.Contains(err.Error(), "Server Members Intent") {
		t.Errorf("error %v", err)
	}
}
