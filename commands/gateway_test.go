//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package commands

import (
	"context"
	"strings"
	"testing"

	"gatecamp/audit"
	edge "gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/secret"
)

// byGateway lets interactions come by the gateway alone, through a real client.
func (r *rig) byGateway() {
	t := r.t
	t.Helper()
	r.deaf = true
	client, err := edge.Open(context.WithoutCancel(t.Context()), edge.Config{
		Token: secret.New(r.s.Bot(discordtest.BotGatecamp).Token), APIURL: r.s.APIURL(), OnInteraction: r.c,
	})
	r.must(err)
	t.Cleanup(func() { client.Close(context.WithoutCancel(t.Context())) })
	r.must(client.Guild(guildID).WaitVisible(t.Context()))
	r.house.REST = client.Rest()
}

func TestInteractionsComeByTheGatewayAndAreAnsweredThroughItsClient(t *testing.T) {
	r := newRig(t)
	r.byGateway()
	r.grant(dara, audit.RightRun)
	reply, err := r.s.RunCommand(t.Context(), guildID, typed(dara, "en-US", "audit run", nil))
	want(t, r.see(reply, err).text(), "Run 1 is ordered")
}

func TestSomebodyIsBlockedOverTheGateway(t *testing.T) {
	r := blockRig(t)
	r.byGateway()
	r.grant(mako, audit.RightBlock)
	want(t, r.run(mako, "block add", "member", kael, "duration", "7d", "reason", "spams").text(), "Blocked: 1 person")
	s := r.run(kael, "why")
	want(t, s.text(), "You are blocked here", "spams", "<t:")
	if s.Type != 4 || !s.private() {
		t.Errorf("refused with type %d, private: %v", s.Type, s.private())
	}
	if got := r.typing(kael, "block show", "block", "block", "1").Choices; len(got) != 0 {
		t.Errorf("offered %v", got)
	}
	menu := r.menu(mako, quill, "en-US", "Block…")
	want(t, r.fill(mako, menu, map[string]any{"duration": "1h", "reason": "by the menu"}).last().text(), "Blocked: 1 person")
	want(t, r.menu(quill, kael, "en-US", "Block…").text(), "You are blocked here", "by the menu")
	want(t, r.run(mako, "block remove", "member", kael, "reason", "enough").text(), "Lifted")
	if text := r.run(kael, "why").text(); strings.Contains(text, "blocked") {
		t.Errorf("still refused:\n%s", text)
	}
}
