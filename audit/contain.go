package audit

import "time"

// ContainEvery is the time in which at most one member of a guild is contained: a rule that is wrong about one must not empty the whole
// staff.
const ContainEvery = 10 * time.Minute

// Containment decides about a moderator gone wrong: every privileged role that the bot reaches goes, managed or not, so that they can do
// no more harm. It takes nothing else. The owner, operators, bots, the bot itself and protected members are never contained.
func Containment(f Facts) Decision {
	d := Decision{Class: classify(&f), Member: f.Member.ID, Held: f.Member.Roles}
	d.Alarming = f.Member.Roles.And(f.privileged)
	switch {
	case d.Reasons.Has(BotSelf):
		d.settle(None, LayerUntouchable)
	case d.Category == BotFiltered:
		d.settle(Report, LayerBot)
	case f.Guild.Owner == 0:
		d.Reasons = d.Reasons.With(OwnerUnknown)
		d.settle(Report, LayerUntouchable)
	case f.Member.ID == f.Guild.Owner:
		d.Reasons = d.Reasons.With(IsOwner)
		d.settle(Report, LayerUntouchable)
	case f.Immune:
		d.Reasons = d.Reasons.With(IsImmune)
		d.settle(Report, LayerUntouchable)
	case f.Protected:
		d.Reasons = d.Reasons.With(ProtectedMember)
		d.settle(Report, LayerProtected)
	default:
		d.settle(Strip, LayerContain)
		going := f.Member.Roles.And(f.privileged).Minus(f.discords)
		d.take(&f, going)
		d.Contain, d.Remove = d.Remove, RoleSet{}
	}
	return d
}
