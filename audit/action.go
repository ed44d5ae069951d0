package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/disgoorg/snowflake/v2"
)

// Kind is what an action does. The list is closed: nothing else can happen to a member.
type Kind int

// The kinds of action. The order is the order in which a member's actions are performed.
const (
	RemoveRole   Kind = iota + 1 // take one role away
	Contain                      // take one privileged role from a moderator gone wrong, managed or not; it draws on no brake
	KickMember                   // remove the member from the guild; nothing can bring them back but an invite
	BanMember                    // remove them and keep them out
	GiveRoleBack                 // undo of RemoveRole, for undo only
	kinds
)

var kindNames = [...]string{"", "remove_role", "contain", "kick", "ban", "give_role_back"}

func (k Kind) String() string { return kindNames[k] }

// ParseKind reads an action's name.
func ParseKind(name string) (Kind, bool) {
	for k := RemoveRole; k < kinds; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// Budget says which allowance an action draws on.
type Budget int

// The budgets.
const (
	Ordinary         Budget = iota // the brakes on members, roles and kicks
	PrivilegedBudget               // removals of privileged roles
	BlockBudget                    // what is done to blocked members
)

func (b Budget) String() string { return [...]string{"ordinary", "privileged", "block"}[b] }

// Action is one change of one member.
type Action struct {
	Kind   Kind
	Member snowflake.ID // the Discord id that was looked at, and nothing else
	Role   snowflake.ID // zero unless a role is taken or given
	Budget Budget
}

// Inverse is the action that undoes this one; false where nothing can.
func (a Action) Inverse() (Action, bool) {
	switch a.Kind {
	case RemoveRole, Contain:
		return Action{Kind: GiveRoleBack, Member: a.Member, Role: a.Role}, true
	case KickMember, BanMember, GiveRoleBack:
	}
	return Action{}, false
}

// Key names the action within a plan: equal plan, guild, member, kind and role give an equal key. 32 hexadecimal digits.
func (a Action) Key(digest string, guild snowflake.ID) string {
	h := sha256.New()
	h.Write([]byte(digest))
	var record [33]byte
	binary.BigEndian.PutUint64(record[0:], uint64(guild))
	a.put(record[8:])
	h.Write(record[:])
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// put writes the fixed binary form of an action, 25 bytes, for digests.
func (a Action) put(record []byte) {
	record[0] = byte(a.Kind)
	binary.BigEndian.PutUint64(record[1:], uint64(a.Member))
	binary.BigEndian.PutUint64(record[9:], uint64(a.Role))
	binary.BigEndian.PutUint64(record[17:], uint64(a.Budget))
}

// Result is what became of an action.
type Result int

// The results.
const (
	Done       Result = iota + 1
	AlreadySo         // the member looked like that before the call
	Gone              // the member is not in the guild any more
	Refused           // Discord said no; Code says why; never tried again
	NotTried          // a gate, a brake or a new look said no before the call
	NotApplied        // Discord accepted it, and reading back shows that it did not take
	Collateral        // done, and a role went that the plan did not name
	FailedCall        // no answer that says what happened
	results
)

var resultNames = [...]string{"", "done", "already_so", "gone", "refused", "not_tried", "not_applied", "collateral", "failed"}

func (r Result) String() string { return resultNames[r] }

// ParseResult reads a result's name.
func ParseResult(name string) (Result, bool) {
	for r := Done; r < results; r++ {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// GivesBack reports whether the action is given back to the brakes: nothing happened to the member because of it.
func (r Result) GivesBack() bool {
	switch r {
	case AlreadySo, Gone, Refused, NotTried:
		return true
	case Done, NotApplied, Collateral, FailedCall:
	}
	return false
}

// Outcome is what became of one action of a plan.
type Outcome struct {
	Action Action
	Result Result
	Code   string // Discord's error code, or which gate, brake or reason said no; empty for Done
}

// lostPrefix begins the code of a Collateral outcome.
const lostPrefix = "lost:"

// LostCode is the code of an outcome Collateral: the roles that went and that the plan did not name.
func LostCode(roles []snowflake.ID) string {
	texts := make([]string, len(roles))
	for i, id := range roles {
		texts[i] = id.String()
	}
	return lostPrefix + strings.Join(texts, ",")
}

// Lost are the roles that went and that the plan did not name; none unless the result is Collateral.
func (o Outcome) Lost() (roles []snowflake.ID) {
	list, is := strings.CutPrefix(o.Code, lostPrefix)
	if o.Result != Collateral || !is {
		return nil
	}
	for text := range strings.SplitSeq(list, ",") {
		if id, err := snowflake.Parse(text); err == nil {
			roles = append(roles, id)
		}
	}
	return roles
}
