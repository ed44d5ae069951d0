//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package commands

import (
	"context"
	"testing"

	"gatecamp/audit"
	edge "gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/secret"
)

func TestInteractionsComeByTheGatewayAndAreAnsweredThroughItsClient(t *testing.T) {
	r := newRig(t)
	r.deaf = true // nothing comes but by the gateway
	client, err := edge.Open(context.WithoutCancel(t.Context()), edge.Config{
		Token: secret.New(r.s.Bot(discordtest.BotGatecamp).Token), APIURL: r.s.APIURL(), OnInteraction: r.c,
	})
	r.must(err)
	defer client.Close(context.WithoutCancel(t.Context()))
	r.must(client.Guild(guildID).WaitVisible(t.Context()))
	r.house.REST = client.Rest()
	r.grant(dara, audit.RightRun)
	reply, err := r.s.RunCommand(t.Context(), guildID, typed(dara, "en-US", "audit run", nil))
	want(t, r.see(reply, err).text(), "Run 1 is ordered")
}
