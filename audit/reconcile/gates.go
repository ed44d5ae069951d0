package reconcile

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// gates reads lock and pause as they stand now. The lock arms itself again, and says so, when guild, Auth or bot are not those that
// were acknowledged; kinds of action that the acknowledged policy did not contain stay locked.
func (e *Engine) gates(ctx context.Context, db storage.Gates, l *Look, dryRun bool) (g audit.Gates, err error) {
	defer wrap.Err(&err, "gates of guild %d", e.cfg.Guild)
	g.DryRun, g.Outage = dryRun || !l.Picture.Live, l.Picture.Away
	switch _, err := db.Paused(ctx, e.cfg.Guild); {
	case err == nil:
		g.Paused = true
	case !errors.Is(err, storage.ErrNotFound):
		return g, err
	}
	ack, err := db.Acknowledged(ctx, e.cfg.Guild)
	if errors.Is(err, storage.ErrNotFound) {
		g.Locked = true
		return g, nil
	}
	if err != nil {
		return g, err
	}
	if why := rearms(ack, l); why != "" {
		g.Locked = true
		by := storage.Author{Actor: "system", Origin: "audit", Reason: why, At: l.At}
		if err := db.Rearm(ctx, e.cfg.Guild, by); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return g, err
		}
		return g, nil
	}
	locked := released(ack)
	g.StripsLocked, g.KicksLocked = locked.StripsLocked, locked.KicksLocked
	return g, nil
}

// rearms says why an acknowledgement does not fit what is here now; empty if it does. A guild on file tells nothing.
func rearms(ack storage.Acknowledgement, l *Look) string {
	if !l.Picture.Live {
		return ""
	}
	switch {
	case ack.Guild != l.Picture.Guild.ID:
		return "another guild than the one acknowledged"
	case l.Picture.Guild.Bot != 0 && ack.Bot != l.Picture.Guild.Bot:
		return "another bot user than the one acknowledged"
	case l.AuthError == nil && ack.Fingerprint != l.Scene.Auth.Fingerprint:
		return "another Auth than the one acknowledged"
	}
	return ""
}

// used is the brakes' ledger as it stands now, with the trips that nobody has reset.
func (e *Engine) used(ctx context.Context, db storage.Brakes, l *Look, live bool) (u audit.Used, err error) {
	defer wrap.Err(&err, "brake ledger of guild %d", e.cfg.Guild)
	stored, err := db.Used(ctx, e.cfg.Guild, l.At)
	if err != nil {
		return u, err
	}
	trips, err := db.OpenTrips(ctx, e.cfg.Guild)
	if err != nil {
		return u, err
	}
	u = auditUsed(stored)
	u.Live = live
	for _, t := range trips {
		by, err := ParseBrake(t.Dimension)
		if err != nil {
			return u, err
		}
		u.Tripped = append(u.Tripped, by)
	}
	return u, nil
}

// ParseBrake reads a stored brake: "kicks", "one_role:123".
func ParseBrake(code string) (audit.By, error) {
	name, role, ofRole := strings.Cut(code, ":")
	d, ok := audit.ParseDimension(name)
	if !ok || ofRole != (d == audit.OneRole) {
		return audit.By{}, problem.Usagef("there is no brake %q; the brakes are members, roles_removed, one_role:ROLE, kicks, privileged, block_kicks", code)
	}
	by := audit.By{Dimension: d}
	if ofRole {
		id, err := strconv.ParseUint(role, 10, 63)
		if err != nil {
			return audit.By{}, problem.Usagef("brake %q: %q is no role id", code, role)
		}
		by.Role = snowflake.ID(id)
	}
	return by, nil
}
