package discord

import (
	"context"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// Holds are a member's roles as far as they are known, as indexes into the list; it asks Discord for nothing and copies nothing.
func (g *Guild) Holds(member snowflake.ID) (audit.RoleSet, []audit.Role) {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	r, known := g.m.members[member]
	if !known {
		return audit.RoleSet{}, g.m.guild.Roles
	}
	return g.m.sets[r.set&rowSet], g.m.guild.Roles
}

// Owner is who owns the guild, as far as it was seen; zero: not seen. It asks Discord for nothing.
func (g *Guild) Owner() snowflake.ID {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.m.guild.Owner
}

// Drift says where Discord's own count of a role's holders differs from ours, and goes on to; empty: nowhere, or nothing is known
// whole that could be compared.
func (g *Guild) Drift(ctx context.Context) (doubt string, err error) {
	defer wrap.Err(&err, "compare role counts of guild %d", g.id)
	if !g.m.isComplete() {
		return "", nil
	}
	if doubt = g.differs(ctx); doubt == notCounted {
		doubt = ""
	}
	return doubt, ctx.Err()
}
