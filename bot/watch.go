package bot

import (
	"context"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/policyfile"
	"gatecamp/storage"
)

// watchEvery is how soon a change that somebody made in storage is felt: a console is another process and tells nobody.
const watchEvery = time.Second

// watch notices that lock or pause were lifted, that the policy changed, that the bot's place in the guild did, and tries those
// again who wait for Auth.
func (g *Guild) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	auth := time.NewTicker(g.cfg.AuthWait)
	defer auth.Stop()
	var at standing
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			at = g.lookAtGates(ctx, at)
			g.lookAtEntries()
		case <-auth.C:
			g.AuthBack()
		case <-g.reach:
			at.reach = g.lookAtReach(at.reach)
		}
	}
	return context.Cause(ctx)
}

// standing is how the guild stood when it was last looked at.
type standing struct {
	known          bool
	paused, locked bool
	policy         int64
	reach          string
	failing        bool
}

// lookAtGates has blocked members looked at again when the lock or a pause was lifted; everybody else waits for an event or a sweep.
func (g *Guild) lookAtGates(ctx context.Context, at standing) standing {
	now, err := g.gates(ctx)
	if err != nil {
		if ctx.Err() == nil && !at.failing {
			g.cfg.Log.WarnContext(ctx, "lock and pause not read", "guild", g.cfg.Guild, "error", err)
		}
		at.failing = ctx.Err() == nil
		return at
	}
	now.policy, now.reach = at.policy, at.reach
	if err := g.lookAtPolicy(ctx, &now); err != nil && ctx.Err() == nil {
		g.cfg.Log.WarnContext(ctx, "policy not read", "guild", g.cfg.Guild, "error", err)
	}
	lifted := at.known && (at.paused && !now.paused || at.locked && !now.locked)
	if !now.paused && !now.locked && (g.blocksHeld.Swap(false) || lifted) { // a short pause may have come and gone between two looks
		g.lookAtBlocked(ctx)
	}
	return now
}

func (g *Guild) gates(ctx context.Context) (now standing, err error) {
	now.known = true
	switch _, err := g.cfg.Store.Paused(ctx, g.cfg.Guild); {
	case err == nil:
		now.paused = true
	case !errors.Is(err, storage.ErrNotFound):
		return now, err
	}
	switch _, err := g.cfg.Store.Acknowledged(ctx, g.cfg.Guild); {
	case errors.Is(err, storage.ErrNotFound):
		now.locked = true
	case err != nil:
		return now, err
	}
	return now, nil
}

// lookAtPolicy takes over which roles the policy calls privileged.
func (g *Guild) lookAtPolicy(ctx context.Context, now *standing) error {
	stored, err := g.cfg.Store.Policy(ctx, g.cfg.Guild, 0)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil || stored.Version == now.policy {
		return err
	}
	policy, err := policyfile.Parse([]byte(stored.Document), "stored policy")
	if err != nil {
		return err
	}
	named := make(map[snowflake.ID]struct{}, len(policy.PrivilegedRoles))
	for _, role := range policy.PrivilegedRoles {
		named[role] = struct{}{}
	}
	now.policy = stored.Version
	g.mu.Lock()
	defer g.mu.Unlock()
	g.privileged = named
	return nil
}

// lookAtEntries counts role changes that the audit log never told of.
func (g *Guild) lookAtEntries() {
	missing, trouble := g.entries.expire(time.Now())
	g.count.with(func(s *Stats) { s.Unexplained += uint64(missing) })
	if trouble != "" {
		g.trouble(TroubleEntries, trouble)
	}
}

func (g *Guild) lookAtReach(was string) string {
	now := g.cfg.Sight.Reach()
	if now != was {
		g.trouble(TroubleReach, now)
	}
	return now
}

func (g *Guild) lookAtBlocked(ctx context.Context) {
	ids, err := g.cfg.Line.BlockedPresent(ctx, g.cfg.Guilds)
	if err != nil {
		if ctx.Err() == nil {
			g.cfg.Log.WarnContext(ctx, "blocked members not found out", "guild", g.cfg.Guild, "error", err)
			g.runner.catchUp(causeAgain, false)
		}
		return
	}
	g.Mark("lock or pause was lifted", ids...)
}
