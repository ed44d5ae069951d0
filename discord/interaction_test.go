//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/disgoorg/disgo/bot"
	disgo "github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
)

// A person has an answer within 3 s, else Discord shows them a failure; what waits in the line of requests would take minutes.
func TestACommandIsAnsweredWhileAWholeRunWaits(t *testing.T) {
	t.Parallel()
	s := here(t, 60)
	c, g, b := client(t, s, func(cfg *discord.Config) {
		cfg.OnInteraction = bot.NewListenerFunc(func(e *events.ApplicationCommandInteractionCreate) {
			go func() {
				if err := e.CreateMessage(disgo.MessageCreate{Content: "at once"}); err != nil {
					t.Error(err)
				}
			}()
		})
	})
	_, err := c.Rest().SetGuildCommands(c.Bot(), guild, []disgo.ApplicationCommandCreate{disgo.SlashCommandCreate{Name: "audit", Description: "d"}})
	must(t, err)
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	var bulk sync.WaitGroup
	for i := range 60 {
		bulk.Go(func() {
			slot, err := g.Reserve(ctx, discord.Offer{Actions: []audit.Action{strip(pilot, fleet)}, Linked: true, Priority: discord.Bulk})
			if err == nil && i%2 == 0 {
				slot.Release()
			}
		})
	}
	fault(t, s, discordtest.Fault429Global, on("GET", "/guilds/{g}/members/{u}"))
	bulk.Go(func() { _, _, _ = g.Member(ctx, pilot) })
	reply, err := s.RunCommand(t.Context(), guild, discordtest.CommandCall{User: discordtest.LooseID(owner), Name: "audit"})
	if err != nil {
		t.Fatalf("%v; the log: %s", err, b)
	}
	var answer struct{ Data struct{ Content string } }
	must(t, json.Unmarshal(reply.Response, &answer))
	if !strings.Contains(answer.Data.Content, "at once") {
		t.Errorf("reply %s", reply.Response)
	}
	end()
	bulk.Wait()
}
