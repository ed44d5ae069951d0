package reconcile

import (
	"context"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Reaching are guilds that know beforehand what Discord would not let the bot do.
type Reaching interface {
	// Beyond is the code of an outcome that is certain, or empty; it asks Discord for nothing.
	Beyond(a audit.Action) string
}

// BlockOutlook is what stands, at this moment, between blocked members and what their blocks do to them in the guild.
type BlockOutlook struct {
	Guild   audit.Guild
	Members map[snowflake.ID]audit.Member // those asked about who are in the guild
	Gate    audit.Gate                    // holds every change: Lock, Pause, Roster; zero: none does
	Pause   storage.Pause                 // of Pause
	Tripped bool                          // the budget of blocks was exceeded, and nobody has reset it
	Left    int                           // how many more blocked members may be touched today; below zero: any number
	spared  map[snowflake.ID]audit.Layer
	reach   Reaching // may be nil
}

// OutlookOfBlocks reads it for members about whom a block is made. It changes nothing, and needs nothing of Auth.
func (e *Engine) OutlookOfBlocks(ctx context.Context, ids []snowflake.ID, guilds LiveGuilds) (o *BlockOutlook, err error) {
	defer wrap.Err(&err, "outlook of blocks in guild %d", e.cfg.Guild)
	o = &BlockOutlook{Members: map[snowflake.ID]audit.Member{}, Left: -1, spared: map[snowflake.ID]audit.Layer{}}
	o.reach, _ = guilds.(Reaching)
	for some := range slices.Chunk(ids, namedAtOnce) {
		guild, members, err := guilds.Members(ctx, some)
		if err != nil {
			return nil, err
		}
		o.Guild = guild
		for _, m := range members {
			o.Members[m.ID] = m
		}
	}
	pic, err := known(ctx, guilds)
	if err != nil {
		return nil, err
	}
	hold, err := e.Obstacle(ctx)
	if err != nil {
		return nil, err
	}
	if o.Gate, o.Pause = hold.Gate, hold.Pause; o.Gate == 0 && !pic.Complete {
		o.Gate = audit.Roster
	}
	if err := e.budgetOfBlocks(ctx, o); err != nil {
		return nil, err
	}
	return o, e.sparedByTables(ctx, o)
}

// budgetOfBlocks is what is left of today's.
func (e *Engine) budgetOfBlocks(ctx context.Context, o *BlockOutlook) error {
	brakes, err := e.Brakes(ctx)
	if err != nil {
		return err
	}
	o.Tripped = slices.ContainsFunc(brakes.Trips, func(t storage.Trip) bool { return t.Dimension == audit.BlockKicks.String() })
	for _, line := range brakes.Lines() {
		if line.Dimension != audit.BlockKicks || line.Window == audit.PerRun || line.Allows == nil || line.Used == nil {
			continue
		}
		if left := max(0, *line.Allows-*line.Used); o.Left < 0 || left < o.Left {
			o.Left = left
		}
	}
	return nil
}

// sparedByTables are those whom an operator's entry keeps from every change.
func (e *Engine) sparedByTables(ctx context.Context, o *BlockOutlook) error {
	rows, err := e.db.ExceptionsAt(ctx, e.cfg.Guild, e.now())
	if err != nil {
		return err
	}
	for _, x := range rows {
		switch x.Table {
		case storage.Protections:
			o.spared[x.Subject] = audit.LayerProtected
		case storage.BotAccounts:
			if o.spared[x.Subject] == 0 {
				o.spared[x.Subject] = audit.LayerBot
			}
		case storage.Exemptions, storage.Overrides, storage.Identities:
		}
	}
	return nil
}

// BlockFate is what becomes of one blocked member in the guild.
type BlockFate struct {
	Present bool        // is in the guild at this moment
	Layer   audit.Layer // that comes before blocks and spares the member; zero: none
	Code    string      // of the outcome that is certain, as Discord would refuse it; empty: none is
	Gate    audit.Gate  // that holds it; zero: none
	Budget  bool        // the budget of blocks holds it
}

// Goes reports whether nothing is known that would keep it from being done at once.
func (f BlockFate) Goes() bool {
	return f.Present && f.Layer == 0 && f.Code == "" && f.Gate == 0 && !f.Budget
}

// Of is the fate of one member, of whom the block asks for an action of this kind; what goes draws on what is left of the budget.
func (o *BlockOutlook) Of(id snowflake.ID, kind audit.Kind) (f BlockFate) {
	m, present := o.Members[id]
	f.Present, f.Gate = present, o.Gate
	f.Layer = o.spared[id]
	if f.Layer == 0 && present && m.Is(audit.IsBot) {
		f.Layer = audit.LayerBot
	}
	if !present || f.Layer != 0 {
		return f
	}
	if kind != audit.RemoveRole && o.reach != nil {
		f.Code = o.reach.Beyond(audit.Action{Kind: kind, Member: id})
	}
	f.Budget = o.Tripped || o.Left == 0
	if f.Goes() && o.Left > 0 {
		o.Left--
	}
	return f
}
