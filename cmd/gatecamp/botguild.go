package main

import (
	"gatecamp/bot"
	"gatecamp/discord"
)

var (
	_ bot.Sight   = liveGuild{}
	_ bot.Gateway = gatewayPulse{}
)

// Reach satisfies bot.Sight.
func (g liveGuild) Reach() string { return g.Hierarchy().Trouble() }

// gatewayPulse is how a client's connections show to the canary.
type gatewayPulse struct{ *discord.Client }

// busyFrom is from how many members on silence of ten minutes is suspicious.
const busyFrom = 1_000

// Pulses satisfies bot.Gateway.
func (g gatewayPulse) Pulses() (pulses []bot.Pulse) {
	busy := map[int]bool{}
	for _, id := range g.Guilds() {
		if g.Guild(id).Headcount().Members >= busyFrom {
			busy[g.ShardOf(id)] = true
		}
	}
	for _, p := range g.Client.Pulses() {
		pulses = append(pulses, bot.Pulse{Shard: p.Shard, Acked: p.Ack, Heard: p.Event, Busy: busy[p.Shard]})
	}
	return pulses
}
