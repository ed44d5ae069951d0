package audit

import (
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Facts is all that is known about one member now. It is a value; what all members share is behind Scene, read-only.
type Facts struct {
	*Scene
	Member    Member
	Linked    []int32 // accounts linked to this Discord id, indexes into Auth.Accounts
	Known     []int32 // accounts that the identity catalogue names for it
	BotListed bool
	Protected bool
	Immune    bool     // no block reaches them, and nobody contains them
	Block     Block    // in force; zero Member: none
	Override  Override // in force; zero Member: none
	// Since when the member's finding has been open: for lost access, and for surplus roles. Zero: unknown, or not open.
	OpenedLost, OpenedSurplus time.Time
}

// Block keeps one Discord account out of the guild, or out of its managed roles.
type Block struct {
	Member snowflake.ID
	Until  time.Time // zero: permanent
	Act    Act       // Strip, Kick or Ban; None: Kick
}

// act is what the block does.
func (b Block) act() Act {
	if b.Act == None {
		return Kick
	}
	return b.Act
}

// Override is an operator's decision about one member, instead of the policy's.
type Override struct {
	Member    snowflake.ID
	Act       Act // Report, Strip or StripKick
	Until     time.Time
	SingleUse bool
}

// BindingKind says what a role stands for.
type BindingKind int

// The kinds of binding.
const (
	ToGroup BindingKind = iota + 1
	ToState
	Guarded // a role that no Auth group gives: nobody is entitled to it through Auth
)

func (k BindingKind) String() string { return [...]string{"", "group", "state", "guarded"}[k] }

// Binding says that a role of the guild is one of Auth's groups or states, or guarded.
type Binding struct {
	Role snowflake.ID
	Kind BindingKind
	Name string // of the group or state; for Guarded the role's name when it was bound
}

// Subjects are what a Scene is made of, all of it as it is now. Lists hold what is in force at At, see InForce.
type Subjects struct {
	At              time.Time // zero: unknown, then no grace by age
	Guild           Guild
	Auth            *Directory // nil: not read, then AuthHealth counts as Blind
	AuthHealth      Health
	Bindings        []Binding
	ProposalsBind   bool           // proposals by name count as bound
	Exempt          []snowflake.ID // roles that are never managed
	PrivilegedRoles []snowflake.ID // privileged besides those whose permissions say so
	Bots            []snowflake.ID
	Protected       []snowflake.ID
	Blocks          []Block
	Immune          []snowflake.ID // whom no block reaches and nobody contains, by member
	ImmuneRoles     []snowflake.ID // likewise, whoever holds one of these roles
	Overrides       []Override
	OpenedLost      map[snowflake.ID]time.Time // since when each member's finding linked_no_perm has been open
	OpenedSurplus   map[snowflake.ID]time.Time // likewise surplus_roles
	OpensNow        bool                       // a finding that is not open yet opens At; else no grace for it
	Ordered         Act                        // the run's own action; None: the policy decides
	Before          *Scene                     // an earlier one, to make this one quicker of; it changes nothing. May be nil
}

// Scene is Subjects made ready: names resolved to roles, accounts to role sets, once for all members.
type Scene struct {
	Subjects
	bound      RoleSet // may be removed
	tied       RoleSet // bound, also where Auth cannot be asked for the name now: blocks take them
	immune     RoleSet
	discords   RoleSet // that Discord itself manages, and @everyone
	managed    RoleSet // bound, or proposed by name
	privileged RoleSet
	reach      RoleSet // below the bot's highest role, or unknown
	lookalikes RoleSet
	like       [MaxRoles]string // for lookalikes: the name that they resemble
	due        []entitlements   // each once
	dueTo      []int32          // by index into Auth.Accounts: which of them
	twins      []twins
	looks      map[string][2]string // skeletons of all names

	known     map[snowflake.ID][]int32
	bots      map[snowflake.ID]struct{}
	protected map[snowflake.ID]struct{}
	spared    map[snowflake.ID]struct{}
	blocks    map[snowflake.ID]Block
	overrides map[snowflake.ID]Override
}

// entitlements are what Auth gives to accounts that may use Discord; few are unlike all others.
type entitlements struct {
	may    RoleSet  // every role that Auth may write for it
	one    RoleSet  // of them, those that are the only role of their name
	twins  []int32  // indexes into Scene.twins
	absent []string // names the guild has no role for, sorted
}

// NewScene makes Subjects ready. A guild with more than MaxRoles roles must be refused before.
func NewScene(s Subjects) *Scene {
	sc := &Scene{Subjects: s, looks: make(map[string][2]string, len(s.Guild.Roles))}
	if s.Auth == nil {
		sc.AuthHealth = Blind
		sc.Auth = &Directory{}
	}
	names := sc.resolveRoles()
	sc.resolveAccounts(names)
	sc.findLookalikes(names)
	sc.indexLists()
	sc.Before = nil // or no scene would ever be forgotten
	return sc
}

// Facts gathers what is known about one member.
func (s *Scene) Facts(m Member) Facts {
	f := Facts{Scene: s, Member: m, Linked: s.Auth.Linked(m.ID), Known: s.known[m.ID]}
	f.BotListed, f.Protected = has(s.bots, m.ID), has(s.protected, m.ID)
	if len(s.blocks) > 0 {
		f.Block = s.blocks[m.ID]
	}
	f.Immune = has(s.spared, m.ID) || !m.Roles.And(s.immune).Empty()
	if len(s.overrides) > 0 {
		f.Override = s.overrides[m.ID]
	}
	f.OpenedLost, f.OpenedSurplus = s.opened(s.Subjects.OpenedLost, m.ID), s.opened(s.Subjects.OpenedSurplus, m.ID)
	return f
}

func (s *Scene) opened(known map[snowflake.ID]time.Time, member snowflake.ID) time.Time {
	if at, ok := known[member]; ok || !s.OpensNow {
		return at
	}
	return s.At
}

// RoleIDs are the ids of a set, ascending; never nil.
func (s *Scene) RoleIDs(set RoleSet) []snowflake.ID {
	ids := make([]snowflake.ID, 0, set.Len())
	for i := range set.All() {
		ids = append(ids, s.Guild.Roles[i].ID)
	}
	slices.Sort(ids)
	return ids
}

// Managed are the roles that are judged: bound ones, and those that Auth's rules propose by name.
func (s *Scene) Managed() RoleSet { return s.managed }

// Proposed are the managed roles that are not bound: they count for findings and never for removals.
func (s *Scene) Proposed() RoleSet { return s.managed.Minus(s.bound) }

// Concerning are the roles that a finding is about when its member holds them: managed, privileged, or looking like a managed one.
func (s *Scene) Concerning() RoleSet { return s.managed.Or(s.privileged).Or(s.lookalikes) }

// PrivilegedSet are the roles whose permissions, or the policy, make them privileged.
func (s *Scene) PrivilegedSet() RoleSet { return s.privileged }

// ReachKnown reports whether the bot's place in the hierarchy is known.
func (s *Scene) ReachKnown() bool { return s.Guild.BotTop >= 0 }

// InForce reports whether something that ends at until still holds at the instant. An unknown instant (zero) is answered by
// whenUnknown, unless it never ends.
func InForce(at, until time.Time, whenUnknown bool) bool {
	if until.IsZero() {
		return true
	}
	if at.IsZero() {
		return whenUnknown
	}
	return at.Before(until)
}

func (s *Scene) indexLists() {
	s.bots, s.protected, s.spared = set(s.Bots), set(s.Subjects.Protected), set(s.Subjects.Immune)
	s.blocks = make(map[snowflake.ID]Block, len(s.Subjects.Blocks))
	for _, b := range s.Subjects.Blocks {
		if old, ok := s.blocks[b.Member]; ok {
			b.Act = max(b.act(), old.act())
		}
		s.blocks[b.Member] = b
	}
	s.overrides = make(map[snowflake.ID]Override, len(s.Subjects.Overrides))
	for _, o := range s.Subjects.Overrides {
		if old, ok := s.overrides[o.Member]; !ok || o.Act < old.Act {
			s.overrides[o.Member] = o
		}
	}
	s.known = make(map[snowflake.ID][]int32, len(s.Auth.Identities))
	for _, id := range s.Auth.Identities {
		if a, ok := s.Auth.accountIndex(id.User); ok && !slices.Contains(s.known[id.Discord], a) {
			s.known[id.Discord] = append(s.known[id.Discord], a)
		}
	}
}

func set(ids []snowflake.ID) map[snowflake.ID]struct{} {
	s := make(map[snowflake.ID]struct{}, len(ids))
	for _, id := range ids {
		s[id] = struct{}{}
	}
	return s
}

func has[K comparable](s map[K]struct{}, k K) bool {
	_, ok := s[k]
	return ok
}

func mergeSorted(a, b []string) []string {
	merged := slices.Concat(a, b)
	slices.Sort(merged)
	return slices.Compact(merged)
}
