package reconcile

import (
	"context"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// namedAtOnce is how many members can be read by name at once.
const namedAtOnce = 100

// blocks are those in force in the guild. Nothing makes any yet.
func (e *Engine) blocks(context.Context, storage.Roles) ([]audit.Block, error) { return nil, nil }

// BlockedPresent lists who is in the guild though a block is in force. They are looked at again as soon as lock or pause are lifted;
// everybody else waits for the next event or sweep.
func (e *Engine) BlockedPresent(ctx context.Context, guilds LiveGuilds) (present []snowflake.ID, err error) {
	defer wrap.Err(&err, "blocked members of guild %d", e.cfg.Guild)
	blocked, err := e.blocks(ctx, e.db)
	if err != nil {
		return nil, err
	}
	ids := make([]snowflake.ID, len(blocked))
	for i, b := range blocked {
		ids[i] = b.Member
	}
	slices.Sort(ids)
	for some := range slices.Chunk(slices.Compact(ids), namedAtOnce) {
		_, members, err := guilds.Members(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			present = append(present, m.ID)
		}
	}
	return present, nil
}
