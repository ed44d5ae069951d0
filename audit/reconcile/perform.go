package reconcile

import (
	"context"
	"errors"
	"slices"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/trail"
)

// takeUp goes on with a stored plan: what a resumed run had planned, or what a person ordered to be applied. What was planned is
// the most that can happen; whether it is still right is asked again before each write.
func (e *Engine) takeUp(ctx context.Context, r *Report, digest string) error {
	stored, err := e.db.Plan(ctx, e.cfg.Guild, digest)
	if err != nil {
		return err
	}
	r.stored = true
	done, err := e.soFar(ctx, r)
	if err != nil {
		return err
	}
	decisions, pop := r.Look.Decide(r.Look.Picture.Members)
	if r.Run.Order.Limit > 0 {
		pop.Complete = false
	}
	addBack(&pop, done)
	gates, err := e.gates(ctx, e.db, r.Look, r.Run.Order.DryRun)
	if err != nil {
		return err
	}
	if gates.Fights, err = e.fights(ctx, e.db, r.Look.At); err != nil {
		return err
	}
	if gates.Once, err = e.passed(ctx, digest, r.Run.ID); err != nil {
		return err
	}
	used, err := e.used(ctx, e.db, r.Look, r.unasked())
	if err != nil {
		return err
	}
	if r.unasked() {
		decisions = r.Look.acting(decisions)
	}
	r.Decisions = wanted(decisions, stored, pop.Roles)
	r.Plan = audit.MakePlan(e.cfg.Guild, r.Decisions, pop, r.Look.Policy.Limits, used, gates)
	// The plan is named by the digest that was approved, also where a part of it is no longer right.
	r.Plan.Digest = digest
	keys := asked(stored)
	for i := range r.Plan.Actions {
		a := &r.Plan.Actions[i]
		a.Key = keys[bare(a.Action)]
	}
	r.count(pop)
	return e.trip(ctx, r)
}

// soFar takes over what the run came to before it was interrupted: what it found, and each action's last outcome. It returns what
// was done to the guild.
func (e *Engine) soFar(ctx context.Context, r *Report) (done []audit.Action, err error) {
	before, err := decode[Counts](r.Run.Counts)
	if err != nil {
		return nil, err
	}
	r.Counts.Findings = before.Findings
	rows, err := e.db.ActionsOf(ctx, e.cfg.Guild, r.Run.ID)
	if err != nil {
		return nil, err
	}
	last := map[string]int{}
	for _, row := range rows {
		kind, known := audit.ParseKind(row.Kind)
		result, settled := audit.ParseResult(row.Outcome)
		if !known || !settled {
			continue
		}
		o := audit.Outcome{Action: audit.Action{Kind: kind, Member: row.Member, Role: row.Role}, Result: result, Code: row.Code}
		if result == audit.Done || result == audit.Collateral {
			done = append(done, o.Action)
		}
		if i, again := last[row.Key]; again {
			r.earlier[i] = o
			continue
		}
		last[row.Key] = len(r.earlier)
		r.earlier = append(r.earlier, o)
	}
	return done, nil
}

// addBack counts what this run itself took away as still there: brakes are shares of the guild that the plan was made for, and must
// not close on a run because half of it is done.
func addBack(pop *audit.Population, done []audit.Action) {
	for _, a := range done {
		switch a.Kind {
		case audit.RemoveRole:
			if i := slices.IndexFunc(pop.Roles, func(r audit.Role) bool { return r.ID == a.Role }); i >= 0 {
				pop.Holders[i]++
			}
		case audit.KickMember, audit.BanMember:
			pop.Members++
		case audit.Contain, audit.GiveRoleBack:
		}
	}
}

// bare is an action without its budget, which may have changed since it was planned.
func bare(a audit.Action) audit.Action {
	a.Budget = audit.Ordinary
	return a
}

// asked are the keys of a stored plan's actions.
func asked(plan storage.Plan) map[audit.Action]string {
	keys := make(map[audit.Action]string, len(plan.Actions))
	for _, a := range plan.Actions {
		if kind, ok := audit.ParseKind(a.Kind); ok {
			keys[audit.Action{Kind: kind, Member: a.Member, Role: a.Role}] = a.Key
		}
	}
	return keys
}

// passed reports whether a person let this run's plan through the brakes.
func (e *Engine) passed(ctx context.Context, digest string, run int64) (bool, error) {
	pass, err := e.db.OpenPass(ctx, e.cfg.Guild, digest)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil && pass.Run == run, err
}

// wanted keeps of today's decisions what the stored plan asked for: only what is in the plan *and* still right.
func wanted(decisions []audit.Decision, plan storage.Plan, roles []audit.Role) []audit.Decision {
	keys := asked(plan)
	has := func(a audit.Action) bool { return keys[a] != "" }
	var both []audit.Decision
	for _, d := range decisions {
		for i := range d.Remove.All() {
			if !has(audit.Action{Kind: audit.RemoveRole, Member: d.Member, Role: roles[i].ID}) {
				d.Remove = d.Remove.Minus(audit.RoleSet{}.With(i))
			}
		}
		d.Privileged = d.Privileged.And(d.Remove)
		d.Kick = d.Kick && has(audit.Action{Kind: audit.KickMember, Member: d.Member})
		d.Ban = d.Ban && has(audit.Action{Kind: audit.BanMember, Member: d.Member})
		if d.Acts() {
			both = append(both, d)
		}
	}
	return both
}

// perform does what the plan leaves free, in order, one action at a time. One that fails does not stop the others; a lost lease,
// an ended context or a database that is gone does.
func (e *Engine) perform(ctx context.Context, r *Report, guilds Guilds, w Writer) (err error) {
	defer wrap.Err(&err, "perform plan %.12s", r.Plan.Digest)
	free := r.Plan.Free()
	if len(free) == 0 {
		return nil
	}
	if !r.performing {
		if err := e.db.MovePlan(ctx, e.cfg.Guild, r.Plan.Digest, storage.PlanStored, storage.PlanPerforming); err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	of := len(free)
	var single int64 // the single-use override that something was done under, for the member in hand
	offered := 0
	for len(free) > 0 {
		same := ofOneMember(free)
		offered++
		n, override, err := e.act(ctx, r, same, offered < offers, guilds, w)
		if n > 0 {
			offered = 0
		}
		if override != 0 {
			single = override
		}
		// An override stands for all that is done to its member, not for the first role.
		if err == nil && n == len(same) && single != 0 {
			err = e.useUp(ctx, single)
			single = 0
		}
		if err != nil {
			return err
		}
		free = free[n:]
		e.tellProgress(ctx, r, of-len(free), of)
	}
	err = e.db.MovePlan(ctx, e.cfg.Guild, r.Plan.Digest, storage.PlanPerforming, storage.PlanPerformed)
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// tellProgress leaves how far the run came where whoever follows it looks: with the run, and with who asked. That a run was stopped
// is found out before its next write.
func (e *Engine) tellProgress(ctx context.Context, r *Report, done, of int) {
	if e.cfg.Progress != nil {
		e.cfg.Progress(r.Run.ID, done, of)
	}
	if r.live() || done == of { // the end of the run stores its counts
		return
	}
	r.Counts.Summary = audit.Summarize(r.Plan, r.outcomes())
	if err := e.alive(ctx, e.db, r.Run.ID, encode(r.Counts)); err != nil && ctx.Err() == nil {
		e.cfg.Log.WarnContext(ctx, "progress not stored", "run", r.Run.ID, "error", err)
	}
}

// noLonger says why a fresh decision does not ask for the action any more; empty if it does.
func noLonger(a audit.Action, d *audit.Decision, s *audit.Scene) string {
	role := slices.IndexFunc(s.Guild.Roles, func(r audit.Role) bool { return r.ID == a.Role })
	right := false
	switch a.Kind {
	case audit.RemoveRole:
		right = role >= 0 && d.Remove.Has(role)
		if right && d.Privileged.Has(role) != (a.Budget == audit.PrivilegedBudget) {
			return "budget_changed"
		}
	case audit.KickMember:
		right = d.Kick
	case audit.BanMember:
		right = d.Ban
	case audit.Contain:
		right = role >= 0 && d.Contain.Has(role)
	case audit.GiveRoleBack:
	}
	if right && (d.Layer == audit.LayerBlock) == (a.Budget == audit.BlockBudget) {
		return ""
	}
	if (a.Kind == audit.RemoveRole || a.Kind == audit.Contain) && (role < 0 || !d.Held.Has(role)) {
		return "role_not_held"
	}
	return "now_" + d.Category.String()
}

// heldNow asks gates and brakes again, for this one action; empty if nothing holds it.
func (e *Engine) heldNow(ctx context.Context, db storage.Roles, r *Report, look *Look, a audit.Planned, d audit.Decision) (string, error) {
	gates, err := e.gates(ctx, db, look, r.Run.Order.DryRun)
	if err != nil {
		return "", err
	}
	if gates.Fights, err = e.fights(ctx, db, look.At); err != nil {
		return "", err
	}
	if r.Contain != nil {
		if gates.Contained, err = e.contained(ctx, db); err != nil {
			return "", err
		}
	}
	gates.Once = r.Plan.Once
	used, err := e.used(ctx, db, look, r.unasked())
	if err != nil {
		return "", err
	}
	pop := r.Population.Under(look.Scene.Guild.Roles)
	one := audit.MakePlan(e.cfg.Guild, []audit.Decision{only(d, a.Action, pop.Roles)}, pop, look.Policy.Limits, used, gates)
	for _, p := range one.Actions {
		if p.Action == a.Action && len(p.Held) == 0 {
			return "", nil
		}
		if p.Action == a.Action {
			return p.Held[0].String(), nil
		}
	}
	return "now_" + d.Category.String(), nil
}

// only narrows a decision to one action.
func only(d audit.Decision, a audit.Action, roles []audit.Role) audit.Decision {
	for i := range d.Remove.All() {
		if a.Kind != audit.RemoveRole || roles[i].ID != a.Role {
			d.Remove = d.Remove.Minus(audit.RoleSet{}.With(i))
		}
	}
	for i := range d.Contain.All() {
		if a.Kind != audit.Contain || roles[i].ID != a.Role {
			d.Contain = d.Contain.Minus(audit.RoleSet{}.With(i))
		}
	}
	d.Privileged = d.Privileged.And(d.Remove)
	d.Kick, d.Ban = d.Kick && a.Kind == audit.KickMember, d.Ban && a.Kind == audit.BanMember
	return d
}

// useUp marks a single-use override under which something was done.
func (e *Engine) useUp(ctx context.Context, override int64) error {
	err := e.db.UseOverride(context.WithoutCancel(ctx), e.cfg.Guild, override, e.now())
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return nil // removed meanwhile
	}
	return err
}

// noteAlone is note in a transaction of its own.
func (e *Engine) noteAlone(ctx context.Context, r *Report, a audit.Planned, result audit.Result, code string) error {
	return e.db.Together(ctx, func(db storage.Roles) error { return e.note(ctx, db, r, a, result, code) })
}

// note leaves what became of an action in the trail and on the member's findings.
func (e *Engine) note(ctx context.Context, db storage.Roles, r *Report, a audit.Planned, result audit.Result, code string) error {
	if code == "" {
		code = result.String()
	}
	if err := e.entry(ctx, db, r, a, trailKind(result), code); err != nil {
		return err
	}
	_, err := db.NoteAttempt(ctx, e.cfg.Guild, a.Member, a.Kind.String(), result.String(), r.Run.ID, e.now())
	return err
}

// entry leaves one line about an action in the trail.
func (e *Engine) entry(ctx context.Context, db storage.Roles, r *Report, a audit.Planned, kind trail.Kind, code string) error {
	keys, err := db.PersonKeys(ctx, e.cfg.Guild, []storage.Person{
		{Guild: e.cfg.Guild, Ref: memberRef(a.Member), Discord: a.Member}, {Guild: e.cfg.Guild, Ref: r.Run.Order.Actor},
	})
	if err != nil {
		return err
	}
	return db.AppendTrail(ctx, []storage.TrailRecord{{Entry: trail.Entry{
		Guild: e.cfg.Guild, At: e.now(), Kind: kind, Run: r.Run.ID, Subject: keys[0], Actor: keys[1],
		What: a.Kind.String(), Code: code, Role: a.Role, Plan: r.Plan.Digest, Action: a.Key,
	}}})
}

func trailKind(r audit.Result) trail.Kind {
	switch r {
	case audit.Done, audit.Collateral, audit.AlreadySo:
		return trail.Done
	case audit.Refused, audit.NotTried, audit.Gone:
		return trail.Refused
	case audit.NotApplied, audit.FailedCall:
	}
	return trail.Failed
}

// Recover looks at every intention that was left without an outcome by a process that died: nothing is repeated blindly. What is
// so now is settled as done; what is not is settled as failed, and decided again by the run that is resumed.
func (e *Engine) Recover(ctx context.Context, guilds Guilds) (settled int, err error) {
	defer wrap.Err(&err, "recover open actions of guild %d", e.cfg.Guild)
	open, err := e.db.OpenActions(ctx, e.cfg.Guild)
	if err != nil {
		return 0, err
	}
	for _, a := range open {
		guild, member, err := guilds.Member(ctx, a.Member)
		if err != nil && !errors.Is(err, ErrNoMember) {
			return settled, err
		}
		result, code := audit.FailedCall, "interrupted"
		if isSo(a, guild, member, errors.Is(err, ErrNoMember)) {
			result, code = audit.Done, "seen_after_restart"
		}
		err = e.db.Settle(ctx, a.ID, result.String(), code, e.now())
		if errors.Is(err, storage.ErrConflict) { // somebody else has looked
			continue
		}
		if err != nil {
			return settled, err
		}
		kind, _ := audit.ParseKind(a.Kind)
		r := &Report{Run: storage.Run{ID: a.Run, Order: storage.Order{Actor: a.Actor}}, Plan: audit.Plan{Digest: a.Plan}}
		planned := audit.Planned{Action: audit.Action{Kind: kind, Member: a.Member, Role: a.Role}, Key: a.Key}
		if err := e.noteAlone(ctx, r, planned, result, code); err != nil {
			return settled, err
		}
		settled++
	}
	return settled, nil
}

// isSo reports whether the member looks as if the action had been done.
func isSo(a storage.Action, guild audit.Guild, m audit.Member, left bool) bool {
	if left {
		return a.Kind != audit.GiveRoleBack.String()
	}
	i := slices.IndexFunc(guild.Roles, func(r audit.Role) bool { return r.ID == a.Role })
	holds := i >= 0 && m.Roles.Has(i)
	switch a.Kind {
	case audit.RemoveRole.String(), audit.Contain.String():
		return !holds
	case audit.GiveRoleBack.String():
		return holds
	}
	return false
}
