package audit

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// Dimension is a way in which a plan can hurt. Each has brakes of its own.
type Dimension int

// The dimensions, in the order in which a held plan names them.
const (
	MembersTouched    Dimension = iota // distinct members touched by ordinary actions
	RolesRemoved                       // ordinary role removals
	OneRole                            // holders that a single role loses
	Kicks                              // ordinary removals from the guild
	PrivilegedRemoved                  // removals of privileged roles, a budget of their own
	BlockKicks                         // kicks and bans of blocked members, and members whose roles a block takes: a budget of their own
	dimensions
)

var dimensionNames = [...]string{"members", "roles_removed", "one_role", "kicks", "privileged", "block_kicks"}

func (d Dimension) String() string { return dimensionNames[d] }

// ParseDimension reads a dimension's name.
func ParseDimension(name string) (Dimension, bool) {
	i := slices.Index(dimensionNames[:], name)
	return Dimension(i), i >= 0
}

// Window is a stretch of time over which a brake counts.
type Window int

// The windows.
const (
	PerRun  Window = iota // one plan of a sweep
	Live15m               // live actions of the last 15 minutes
	PerDay                // everything in the last 24 hours
	windows
)

var windowNames = [...]string{"run", "live_15m", "day"}

func (w Window) String() string { return windowNames[w] }

// ParseWindow reads a window's name.
func ParseWindow(name string) (Window, bool) {
	i := slices.Index(windowNames[:], name)
	return Window(i), i >= 0
}

// Brake bounds one dimension in one window. All figures are whole: a fraction of nothing would be NaN, and NaN passes every
// comparison.
type Brake struct {
	Floor       int  // always allowed, however small the population
	BasisPoints int  // share of the population, 1/10,000, 0 to 10,000; shares are rounded down
	Ceiling     int  // never exceeded, however large the population
	Times       int  // the whole is allowed this many times; 0: once
	Set         bool // false: this window knows no bound for the dimension
}

// Allows is the most that the brake lets through in a population, never below zero.
func (b Brake) Allows(population int) int {
	n, share := max(0, population), max(0, min(b.BasisPoints, wholeShare))
	n = n/wholeShare*share + n%wholeShare*share/wholeShare
	n = max(0, min(max(b.Floor, n), b.Ceiling))
	times := max(1, b.Times)
	if n > math.MaxInt/times {
		return math.MaxInt
	}
	return n * times
}

const wholeShare = 10_000 // basis points of everything

// Limits are the brakes of a guild.
type Limits [dimensions][windows]Brake

// DefaultLimits are the brakes of a guild that never set any.
func DefaultLimits() Limits {
	var l Limits
	l[MembersTouched] = [windows]Brake{
		PerRun:  {Floor: 5, BasisPoints: 500, Ceiling: 50, Set: true},
		Live15m: {Floor: 3, BasisPoints: 100, Ceiling: 10, Set: true},
		PerDay:  {Floor: 10, BasisPoints: 1_000, Ceiling: 50, Set: true},
	}
	l[OneRole] = [windows]Brake{
		PerRun: {Floor: 2, BasisPoints: 2_500, Ceiling: 50, Set: true},
		PerDay: {Floor: 2, BasisPoints: 2_500, Ceiling: 50, Set: true},
	}
	l[Kicks] = [windows]Brake{PerRun: flat(3), Live15m: flat(3), PerDay: flat(10)}
	l[PrivilegedRemoved][PerDay] = flat(5)
	l[BlockKicks][PerDay] = flat(5)
	l.DeriveRoles()
	return l
}

// DeriveRoles makes the brakes on role removals three times those on members, where a policy does not set them itself.
func (l *Limits) DeriveRoles() {
	for w, b := range l[MembersTouched] {
		b.Times = 3
		l[RolesRemoved][w] = b
	}
}

func flat(n int) Brake { return Brake{Floor: n, Ceiling: n, Set: true} }

func (l *Limits) faults() []PolicyFault {
	var faults []PolicyFault
	for d := range dimensions {
		for w := range windows {
			b, path := l[d][w], "limits."+d.String()+"."+w.String()
			switch {
			case !b.Set:
			case b.Floor < 0 || b.Ceiling < 0:
				faults = append(faults, PolicyFault{path, "floor and ceiling are whole numbers from 0"})
			case b.BasisPoints < 0 || b.BasisPoints > wholeShare:
				faults = append(faults, PolicyFault{path, "share is in basis points, 0 to 10000"})
			case b.Floor > b.Ceiling:
				faults = append(faults, PolicyFault{path, fmt.Sprintf("the floor %d is above the ceiling %d", b.Floor, b.Ceiling)})
			}
		}
	}
	return faults
}

// Population is what the limits are shares of. It comes from a complete roster, or everything is held.
type Population struct {
	Complete   bool // the roster is proven to be complete
	Members    int
	Roles      []Role        // the guild's, which the role sets of decisions index into
	Holders    [MaxRoles]int // of each role
	Categories [categories]int
	Wanted     int // accounts to which Auth gives at least one role; none: nothing is removed
}

// Use is what a window of time has already taken from the limits.
type Use struct {
	Members    map[snowflake.ID]struct{}
	PerRole    map[snowflake.ID]int
	Roles      int
	Kicks      int
	Privileged int
	BlockKicks int
	Stripped   map[snowflake.ID]struct{} // blocked members whose roles were taken
}

// Used is the brake ledger as a plan sees it.
type Used struct {
	Live    bool // this plan comes from a live event: the 15 minute brakes bind it, those per run do not
	Quarter Use  // live actions of the last 15 minutes
	Day     Use  // everything in the last 24 hours
	Tripped []By // trips that nobody has reset
}

// plus returns the use after the action, which must be about to be counted once.
func (u *Use) plus(a Action) {
	switch {
	case a.Budget == BlockBudget && a.Kind == RemoveRole:
		u.Stripped[a.Member] = struct{}{}
	case a.Budget == BlockBudget:
		u.BlockKicks++
	case a.Budget == PrivilegedBudget:
		u.Privileged++
	case a.Kind == RemoveRole:
		u.Members[a.Member] = struct{}{}
		u.Roles++
		u.PerRole[a.Role]++
	case a.Kind == KickMember || a.Kind == BanMember:
		u.Members[a.Member] = struct{}{}
		u.Kicks++
	}
}

func (u Use) clone() Use {
	u.Members, u.PerRole, u.Stripped = maps.Clone(u.Members), maps.Clone(u.PerRole), maps.Clone(u.Stripped)
	if u.Members == nil {
		u.Members = map[snowflake.ID]struct{}{}
	}
	if u.PerRole == nil {
		u.PerRole = map[snowflake.ID]int{}
	}
	if u.Stripped == nil {
		u.Stripped = map[snowflake.ID]struct{}{}
	}
	return u
}

func (u *Use) of(d Dimension) int {
	switch d {
	case MembersTouched:
		return len(u.Members)
	case RolesRemoved:
		return u.Roles
	case Kicks:
		return u.Kicks
	case PrivilegedRemoved:
		return u.Privileged
	case BlockKicks:
		return u.BlockKicks + len(u.Stripped)
	case OneRole:
	}
	return 0
}

// check returns the brakes that the actions would break, in a stable order.
func (l *Limits) check(actions []Action, used Used, p *Population) []Hold {
	var holds []Hold
	window := func(w Window, before Use) {
		after, plan := before.clone(), Use{}.clone()
		for _, a := range actions {
			after.plus(a)
			plan.plus(a)
		}
		for d := range dimensions {
			b := l[d][w]
			// What the plan itself does not ask for, it cannot break.
			if asked := after.of(d); d != OneRole && b.Set && plan.of(d) > 0 && asked > b.Allows(p.Members) {
				holds = append(holds, Hold{By: By{Dimension: d}, Window: w, Asked: asked, Allowed: b.Allows(p.Members)})
			}
		}
		b := l[OneRole][w]
		for role := range plan.PerRole {
			if asked, allowed := after.PerRole[role], b.Allows(p.holders(role)); b.Set && asked > allowed {
				holds = append(holds, Hold{By: By{Dimension: OneRole, Role: role}, Window: w, Asked: asked, Allowed: allowed})
			}
		}
	}
	if used.Live {
		window(Live15m, used.Quarter)
	} else {
		window(PerRun, Use{})
	}
	window(PerDay, used.Day)
	slices.SortFunc(holds, compareHolds)
	return holds
}

// Under is the population counted under another list of the guild's roles: roles may have come, gone or moved since it was taken.
func (p *Population) Under(roles []Role) Population {
	moved := *p
	moved.Roles, moved.Holders = roles, [MaxRoles]int{}
	for i, r := range roles {
		moved.Holders[i] = p.holders(r.ID)
	}
	return moved
}

func (p *Population) holders(role snowflake.ID) int {
	for i, r := range p.Roles {
		if r.ID == role {
			return p.Holders[i]
		}
	}
	return 0
}
