package discord

import (
	"context"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// Name is what people call a member.
type Name struct {
	Shown string // in this guild: the nickname, else the account's display name, else the username
	User  string // the account's username
}

// Names asks over the gateway what up to MaxNamed members are called; nothing of it is kept here. Who is not there is missing. It takes
// nothing of the share that reads of members have: a name is an ornament.
func (g *Guild) Names(ctx context.Context, ids []snowflake.ID) (_ map[snowflake.ID]Name, err error) {
	defer wrap.Err(&err, "names of %d members of guild %d", len(ids), g.id)
	names := map[snowflake.ID]Name{}
	if len(ids) == 0 {
		return names, nil
	}
	to, err := g.c.asks(g.id, (*sendBudget).takeWhole)
	if err != nil {
		return names, err
	}
	members, err := g.c.chunks.some(ctx, to, g.id, ids[:min(len(ids), MaxNamed)])
	for _, m := range members {
		names[m.User.ID] = Name{Shown: m.EffectiveName(), User: m.User.Username}
	}
	return names, err
}
