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

// Names asks what up to MaxNamed members are called; nothing of it is kept here. Who is not there is missing, and so is whoever cannot
// be read.
func (g *Guild) Names(ctx context.Context, ids []snowflake.ID) (_ map[snowflake.ID]Name, err error) {
	defer wrap.Err(&err, "names of %d members of guild %d", len(ids), g.id)
	names := map[snowflake.ID]Name{}
	if len(ids) == 0 {
		return names, nil
	}
	members, err := g.named(ctx, ids[:min(len(ids), MaxNamed)])
	for _, m := range members {
		names[m.User.ID] = Name{Shown: m.EffectiveName(), User: m.User.Username}
	}
	return names, err
}
