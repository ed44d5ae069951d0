package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
)

// mostContains is how many containments may wait: the line does one person in ten minutes anyhow.
const mostContains = 16

// Contain asks for every privileged role to be taken from a member, because a rule of enforcement fired. It never waits; an error says
// that nobody will look at it. What comes of it is told.
func (g *Guild) Contain(member snowflake.ID, rule string) error {
	select {
	case g.contains <- reconcile.Contain{Member: member, Rule: rule}:
		return nil
	default:
		return errors.New("too many containments wait")
	}
}

// containAll does what is asked for, one after another, until the context ends.
func (g *Guild) containAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c := <-g.contains:
			if err := g.contain(ctx, c); err != nil {
				return err
			}
		}
	}
}

// contain has the line do it. Only what must stop the whole guild is an error.
func (g *Guild) contain(ctx context.Context, c reconcile.Contain) error {
	r, err := g.cfg.Line.Contain(ctx, c, g.cfg.Guilds, g.cfg.Writer)
	switch {
	case isFenced(err):
		return err
	case ctx.Err() != nil:
		return nil //nolint:nilerr // it was stopped
	case err != nil:
		g.cfg.Log.ErrorContext(ctx, "containment went wrong", "guild", g.cfg.Guild, "member", c.Member, "rule", c.Rule, "error", err)
		g.trouble(TroubleContain, fmt.Sprintf("%d %s", c.Member, c.Rule))
	}
	if r != nil {
		g.cfg.Teller.Looked(r)
		g.tellOutcomes(r)
	}
	return nil
}
