package bot

import (
	"context"
	"iter"

	"gatecamp/audit"
	"gatecamp/storage"
)

// keep stores what entries of the audit log said, before the look that they caused. What cannot be stored is kept for the next one.
func (g *Guild) keep(ctx context.Context, entries []audit.Event) {
	if len(entries) == 0 {
		return
	}
	if err := g.note(ctx, entries); err != nil {
		g.box.back(entries)
		if ctx.Err() == nil {
			g.cfg.Log.WarnContext(ctx, "audit-log entries not stored", "guild", g.cfg.Guild, "entries", len(entries), "error", err)
			g.trouble(TroubleStore, err.Error())
		}
		return
	}
	for _, e := range entries {
		g.heal.seen(e.Grant.Entry)
	}
}

// note stores who gave and took roles, as Discord's audit log tells it.
func (g *Guild) note(ctx context.Context, entries []audit.Event) error {
	var grants []storage.RoleGrant
	for _, e := range entries {
		if e.Scope != audit.OneMember {
			continue
		}
		one := storage.RoleGrant{
			Guild: g.cfg.Guild, Member: e.Member, Actor: e.Grant.Actor, Entry: e.Grant.Entry, At: e.Grant.Entry.Time().UTC(), Reason: e.Grant.Reason,
		}
		for _, role := range e.Grant.Added {
			one.Role, one.Added = role, true
			grants = append(grants, one)
		}
		for _, role := range e.Grant.Removed {
			one.Role, one.Added = role, false
			grants = append(grants, one)
		}
	}
	if len(grants) == 0 {
		return nil
	}
	return g.cfg.Store.NoteRoleGrants(ctx, grants)
}

func keysOf[K comparable, V any](m map[K]V) iter.Seq[K] {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
