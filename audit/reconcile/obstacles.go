package reconcile

import (
	"context"
	"errors"
	"slices"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Obstacle is what would hold every change in the guild now, whatever a plan asks for. Edges ask for it before they order anything.
type Obstacle struct {
	Gate  audit.Gate    // Lock, Pause; zero: there is none
	Pause storage.Pause // of Pause
}

// Code is the word under which a refusal for it is recorded; empty: there is none.
func (o Obstacle) Code() string {
	switch o.Gate {
	case audit.Lock:
		return "initial_lock_held"
	case audit.Pause:
		return "paused"
	case audit.DryRun, audit.Roster, audit.NothingWanted, audit.Outage, audit.Contained, audit.Fight:
	}
	return ""
}

// Obstacle looks at the lock and the pause as they stand now.
func (e *Engine) Obstacle(ctx context.Context) (o Obstacle, err error) {
	defer wrap.Err(&err, "obstacles in guild %d", e.cfg.Guild)
	_, err = e.db.Acknowledged(ctx, e.cfg.Guild)
	if errors.Is(err, storage.ErrNotFound) {
		return Obstacle{Gate: audit.Lock}, nil
	}
	if err != nil {
		return o, err
	}
	p, err := e.db.Paused(ctx, e.cfg.Guild)
	if errors.Is(err, storage.ErrNotFound) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	return Obstacle{Gate: audit.Pause, Pause: p}, nil
}

// HeldNow are the codes of what holds any part of a stored plan, sorted. Lock and pause are asked as they stand now; the roster, the
// brakes and doubts are those that its run met. That the run was ordered to look only does not count, nor does a fight over one role
// of one member, unless that is all there is: the rest of the plan does not depend on it (see Unfought).
func (e *Engine) HeldNow(ctx context.Context, p *storage.Plan) (codes []string, err error) {
	defer wrap.Err(&err, "what holds plan %.12s", p.Digest)
	strips, kicks, all := false, false, len(Unfought(p)) == 0
	for _, a := range p.Actions {
		kind, _ := audit.ParseKind(a.Kind)
		strips = strips || kind == audit.RemoveRole
		kicks = kicks || kind == audit.KickMember || kind == audit.BanMember
		for _, c := range a.Held {
			if c != audit.DryRun.String() && c != audit.Lock.String() && c != audit.Pause.String() && (c != audit.Fight.String() || all) {
				codes = append(codes, c)
			}
		}
	}
	o, err := e.Obstacle(ctx)
	if err != nil {
		return nil, err
	}
	if o.Gate != 0 {
		codes = append(codes, o.Gate.String())
	} else {
		ack, err := e.db.Acknowledged(ctx, e.cfg.Guild)
		if err != nil {
			return nil, err
		}
		if g := released(ack); strips && g.StripsLocked || kicks && g.KicksLocked {
			codes = append(codes, audit.Lock.String())
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes), nil
}

// Unfought are the actions of a stored plan that nobody else keeps undoing.
func Unfought(p *storage.Plan) (actions []storage.PlanAction) {
	for _, a := range p.Actions {
		if !slices.Contains(a.Held, audit.Fight.String()) {
			actions = append(actions, a)
		}
	}
	return actions
}

// released says which kinds of change an acknowledgement leaves locked: those that its policy did not contain.
func released(ack storage.Acknowledgement) (g audit.Gates) {
	g.StripsLocked = !slices.ContainsFunc(ack.Kinds, func(k string) bool { return k == audit.Strip.String() || k == audit.StripKick.String() })
	g.KicksLocked = !slices.Contains(ack.Kinds, audit.StripKick.String())
	return g
}
