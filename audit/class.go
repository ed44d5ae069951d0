package audit

import (
	"iter"
	"math/bits"
)

// Category is what a member turns out to be. The first that fits, in this order, is the member's.
type Category int

// The categories.
const (
	BotFiltered  Category = iota + 1 // the bot itself, Discord's bot flag, configured bot ids
	Undecidable                      // a source that this member's verdict needs is blind
	UnknownGuest                     // Auth knows nothing about this Discord id
	LinkedNoPerm                     // linked, or known from the identity catalogue, but may not use Discord
	SurplusRoles                     // may use Discord, and holds a managed role that Auth does not give
	MissingRoles                     // may use Discord, and lacks a role that Auth gives
	InOrder                          // nothing wrong
	categories
)

var categoryNames = [...]string{"", "bot_filtered", "undecidable", "unknown_guest", "linked_no_perm", "surplus_roles", "missing_roles", "in_order"}

func (c Category) String() string { return categoryNames[c] }

// Categories yields every category in order.
func Categories() iter.Seq[Category] {
	return func(yield func(Category) bool) {
		for c := BotFiltered; c < categories; c++ {
			if !yield(c) {
				return
			}
		}
	}
}

// ParseCategory reads a category's name.
func ParseCategory(name string) (Category, bool) {
	for c := range Categories() {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// IsFinding reports whether a member of this category is something a moderator should look at.
func (c Category) IsFinding() bool {
	switch c {
	case UnknownGuest, LinkedNoPerm, SurplusRoles, MissingRoles:
		return true
	case BotFiltered, Undecidable, InOrder:
	}
	return false
}

// Severest is the most severe action a policy may ask for in this category.
func (c Category) Severest() Act {
	switch c {
	case UnknownGuest, LinkedNoPerm:
		return StripKick
	case SurplusRoles:
		return Strip
	case MissingRoles, Undecidable, BotFiltered:
		return Report
	case InOrder:
	}
	return None
}

// Reason is one fact that led to a verdict. Edges turn the codes into sentences.
type Reason int

// The reasons, in the order in which a verdict lists them.
const (
	NotLinked        Reason = iota // no Auth account is linked to this Discord account, and none is known to have been
	NoAccess                       // the account lacks discord.access_discord
	Deactivated                    // the account is deactivated in Auth
	OldAccount                     // an earlier Discord account of an Auth user
	LinkLost                       // the user has access and no Discord account is linked any more: an outage of Auth looks like this
	SeveralAccounts                // more than one Auth user is linked to this Discord account
	NoProfile                      // the account has no profile, so Auth's role synchronisation fails and its state is unknown
	HoldsSurplus                   // holds a managed role that Auth does not give
	LacksRole                      // lacks a role that Auth gives
	HoldsProposed                  // a role counts as managed by its name alone; until it is bound it is never removed
	BotSelf                        // gatecamp's own account
	BotFlag                        // Discord says that this is a bot
	BotListed                      // an operator listed this account as a bot
	BotLinked                      // a bot's account is linked to an Auth user: a conflict
	AuthBlind                      // Auth could not be believed at all
	AuthDoubtful                   // Auth looks wrong: everything is reported only
	Blocked                        // a block is in force
	ProtectedMember                // an operator protects this member
	ScreeningOpen                  // membership screening is not finished
	JoinedLately                   // joined within the grace of the policy
	LostLately                     // the finding was opened within the grace of the policy
	IsOwner                        // the guild's owner is never kicked
	OwnerUnknown                   // who owns the guild is unknown, so nobody is kicked
	MemberAboveBot                 // the member's highest role is not below the bot's: Discord would refuse a kick
	RoleAboveBot                   // a role to remove is not below the bot's highest: Discord would refuse
	HierarchyUnknown               // the bot's highest role is unknown, so reach is unknown
	IsImmune                       // operators, and whom the rules of enforcement exempt: no block reaches them
	reasons
)

var reasonNames = [...]string{
	"not_linked", "no_access", "deactivated", "old_account", "link_lost", "several_accounts", "no_profile", "surplus", "missing", "proposed_roles",
	"bot_self", "bot_flag", "bot_listed", "bot_linked", "auth_blind", "auth_doubtful", "blocked", "protected", "screening_open", "joined_lately",
	"lost_lately", "owner", "owner_unknown", "member_above_bot", "role_above_bot", "hierarchy_unknown", "immune",
}

func (r Reason) String() string { return reasonNames[r] }

// Reasons is a set of reasons.
type Reasons uint32

// ReasonsOf makes a set.
func ReasonsOf(list ...Reason) (s Reasons) {
	for _, r := range list {
		s |= 1 << r
	}
	return s
}

// With returns the set and r.
func (s Reasons) With(r Reason) Reasons { return s | 1<<r }

// Has reports whether r is in the set.
func (s Reasons) Has(r Reason) bool { return s&(1<<r) != 0 }

// All yields the reasons of the set in their order.
func (s Reasons) All() iter.Seq[Reason] {
	return func(yield func(Reason) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(Reason(bits.TrailingZeros32(uint32(s)))) {
				return
			}
		}
	}
}

// Codes are the names of the reasons, in order; never nil.
func (s Reasons) Codes() []string {
	codes := make([]string, 0, 4)
	for r := range s.All() {
		codes = append(codes, r.String())
	}
	return codes
}

// AllReasons yields every reason there is, for documentation and catalogues.
func AllReasons() iter.Seq[Reason] { return Reasons(1<<reasons - 1).All() }

// Class is which category a member is in, and why.
type Class struct {
	Category Category
	Reasons  Reasons
	Surplus  RoleSet  // SurplusRoles: managed roles held that Auth does not give, proposed ones included
	Missing  RoleSet  // roles that Auth gives and the member lacks
	Absent   []string // names of roles that Auth gives and the guild does not have, sorted; shared, read-only
}

// Classify says what a member is. It is total: "I do not know" is Undecidable.
func Classify(f Facts) Class { return classify(&f) }

func classify(f *Facts) Class {
	if why := botReasons(f); why != 0 {
		return Class{Category: BotFiltered, Reasons: why}
	}
	if f.AuthHealth == Blind || f.Auth == nil {
		return Class{Category: Undecidable, Reasons: ReasonsOf(AuthBlind)}
	}
	if len(f.Linked) == 0 && len(f.Known) == 0 {
		return Class{Category: UnknownGuest, Reasons: ReasonsOf(NotLinked) | f.proposed(f.Member.Roles)}
	}
	may, allowed, why := entitlement(f)
	if !allowed {
		return Class{Category: LinkedNoPerm, Reasons: why | f.proposed(f.Member.Roles)}
	}
	c := Class{Category: InOrder, Reasons: why}
	if c.Surplus = f.Member.Roles.And(f.Scene.managed).Minus(may); !c.Surplus.Empty() {
		c.Category = SurplusRoles
		c.Reasons = c.Reasons.With(HoldsSurplus) | f.proposed(c.Surplus)
	}
	c.Missing, c.Absent = missing(f)
	if !c.Missing.Empty() || len(c.Absent) > 0 {
		c.Reasons = c.Reasons.With(LacksRole)
		if c.Category == InOrder {
			c.Category = MissingRoles
		}
	}
	return c
}

// proposed marks that some of the roles count as managed by their name alone.
func (s *Scene) proposed(roles RoleSet) Reasons {
	if roles.And(s.managed).Minus(s.bound).Empty() {
		return 0
	}
	return ReasonsOf(HoldsProposed)
}

func botReasons(f *Facts) (why Reasons) {
	switch {
	case f.Guild.Bot != 0 && f.Member.ID == f.Guild.Bot:
		why = why.With(BotSelf)
	case f.Member.Is(IsBot):
		why = why.With(BotFlag)
	}
	if f.BotListed {
		why = why.With(BotListed)
	}
	if why != 0 && len(f.Linked) > 0 {
		why = why.With(BotLinked)
	}
	return why
}

// entitlement joins what all accounts of this Discord id may hold: several users may share one, and Auth writes for each of them.
func entitlement(f *Facts) (may RoleSet, allowed bool, why Reasons) {
	for _, i := range f.Linked {
		a := &f.Auth.Accounts[i]
		switch {
		case a.Access:
			allowed = true
			may = may.Or(f.Scene.entitled(i).may)
			if a.State < 0 {
				why = why.With(NoProfile)
			}
		case !a.Active:
			why = why.With(Deactivated)
		default:
			why = why.With(NoAccess)
		}
	}
	if len(f.Linked) > 1 {
		why = why.With(SeveralAccounts)
	}
	if allowed {
		return may, true, why &^ ReasonsOf(Deactivated, NoAccess)
	}
	if len(f.Linked) > 0 {
		return may, false, why
	}
	for _, i := range f.Known {
		a := &f.Auth.Accounts[i]
		switch {
		case !a.Active:
			why = why.With(Deactivated)
		case !a.Access:
			why = why.With(NoAccess)
		case a.Discord == 0:
			why = why.With(LinkLost)
		}
	}
	return may, false, why.With(OldAccount)
}

// missing lists what the accounts with access should hold; of twins of one name any will do.
func missing(f *Facts) (lacking RoleSet, absent []string) {
	for _, i := range f.Linked {
		e := f.Scene.entitled(i) // nothing without access
		lacking = lacking.Or(e.one.Minus(f.Member.Roles))
		for _, t := range e.twins {
			if twins := &f.Scene.twins[t]; f.Member.Roles.And(twins.roles).Empty() {
				lacking = lacking.With(twins.lowest)
			}
		}
		switch {
		case len(absent) == 0:
			absent = e.absent
		case len(e.absent) > 0:
			absent = mergeSorted(absent, e.absent)
		}
	}
	return lacking, absent
}
