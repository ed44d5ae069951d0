package main

import "gatecamp/bot"

var _ bot.Sight = liveGuild{}

// Reach satisfies bot.Sight.
func (g liveGuild) Reach() string { return g.Hierarchy().Trouble() }
