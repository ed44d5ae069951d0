package main

import (
	"context"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/bot"
)

var _ bot.Sight = liveGuild{}

// Holds satisfies bot.Sight.
func (g liveGuild) Holds(member snowflake.ID) (audit.RoleSet, []audit.Role) {
	held, roles, _ := g.Guild.Holds(member)
	return held, roles
}

// Drift satisfies bot.Sight. What is not known whole cannot be compared.
func (g liveGuild) Drift(ctx context.Context) (string, error) {
	if !g.Headcount().Complete {
		return "", nil
	}
	return g.Guild.Drift(ctx), ctx.Err()
}

// Reach satisfies bot.Sight.
func (g liveGuild) Reach() string { return g.Hierarchy().Trouble() }
