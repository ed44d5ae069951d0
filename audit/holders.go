package audit

import (
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// GranteeKind says what kind of subject a grant names.
type GranteeKind int

// The kinds of grantee.
const (
	ToDiscord   GranteeKind = iota + 1 // one Discord account
	ToUser                             // one Auth user, by name
	ToAuthGroup                        // who is in a group of Auth
	ToAuthState                        // who is in a state of Auth
	ToRole                             // who holds a Discord role: reading rights only
)

var granteeNames = [...]string{"", "discord", "user", "group", "state", "role"}

func (k GranteeKind) String() string {
	if k < ToDiscord || int(k) >= len(granteeNames) {
		return "unknown"
	}
	return granteeNames[k]
}

// ParseGranteeKind reads the word before the colon: "discord", "user", "group", "state", "role".
func ParseGranteeKind(word string) (GranteeKind, bool) {
	i := slices.Index(granteeNames[:], word)
	return GranteeKind(max(i, 0)), i > 0
}

// GrantedRight gives one right to someone.
type GrantedRight struct {
	ID    int64
	Right Right
	Kind  GranteeKind
	Name  string       // of the user, group or state
	To    snowflake.ID // the Discord account or role
	Until time.Time    // zero: never ends
}

// Keys are all that rights follow from, as it is now.
type Keys struct {
	At              time.Time  // zero: unknown, then a grant that ends does not count
	Auth            *Directory // nil: Auth cannot be read, so nothing follows from it
	Grants          []GrantedRight
	Operators       []snowflake.ID
	TrustSuperusers bool // Auth's superusers hold the rights that are ours
}

// Caller is who asks: a Discord account and the roles that it holds in the guild.
type Caller struct {
	Discord snowflake.ID
	Roles   []snowflake.ID
}

// Ground is why a right is held, or why not. The list is closed.
type Ground int

// The grounds.
const (
	NoGround       Ground = iota // nothing gives it
	SeveralUsers                 // the account is linked to several active users, so Auth gives nothing; no other grant does
	AuthUnreadable               // nothing else gives it, and Auth cannot be asked
	ByOperator                   // GATECAMP_OPERATORS
	ByGrant                      // a grant; its number is in Entitlement.Grant
	ByAuth                       // a permission in Auth, by user, group or state
	BySuperuser                  // a superuser of Auth
	ByManageServer               // Discord's permission Manage Server, which is enough to stop things; never made by Keys.Ask
)

var groundNames = [...]string{"none", "several_users", "auth_unreadable", "operator", "grant", "auth", "superuser", "manage_server"}

func (g Ground) String() string { return groundNames[g] }

// Entitlement is the answer to "may this person do that", and why.
type Entitlement struct {
	Ground Ground
	Grant  int64 // of ByGrant
	User   int64 // the Auth user that it follows from; zero: none
}

// Held reports whether the right is held.
func (e Entitlement) Held() bool { return e.Ground >= ByOperator }

// String is the ground as a code: "operator", "grant:12", "auth", "several_users".
func (e Entitlement) String() string {
	if e.Ground == ByGrant {
		return e.Ground.String() + ":" + strconv.FormatInt(e.Grant, 10)
	}
	return e.Ground.String()
}

// Ask says whether the caller holds the right. What does not depend on Auth is looked at first, so that the answer is the same while
// Auth is away.
func (k *Keys) Ask(c Caller, right Right) Entitlement {
	if c.Discord == 0 || right <= 0 || right >= rightsEnd {
		return Entitlement{}
	}
	if right.OfOperators() && slices.Contains(k.Operators, c.Discord) {
		return Entitlement{Ground: ByOperator}
	}
	user, trouble := k.user(c.Discord)
	var found Entitlement
	for _, g := range k.Grants {
		if g.Right == right && InForce(k.At, g.Until, false) && k.names(g, c, user) && (found.Grant == 0 || g.ID < found.Grant) {
			found = Entitlement{Ground: ByGrant, Grant: g.ID}
			if g.Kind != ToDiscord && g.Kind != ToRole {
				found.User = user.User
			}
		}
	}
	switch {
	case found.Held():
		return found
	case user == nil:
		return Entitlement{Ground: trouble}
	case user.Superuser && (right.InAuth() || k.TrustSuperusers):
		return Entitlement{Ground: BySuperuser, User: user.User}
	case !user.Superuser && right.InAuth() && k.Auth.Holds(user, right.String()):
		return Entitlement{Ground: ByAuth, User: user.User}
	}
	return Entitlement{}
}

// User is the one active Auth user whom a Discord account is linked to; nil if there is none, several, or Auth cannot be read.
func (k *Keys) User(id snowflake.ID) *Account {
	a, _ := k.user(id)
	return a
}

// user is the one active Auth user whom a Discord account is linked to. Of several nobody can say who is asking.
func (k *Keys) user(id snowflake.ID) (found *Account, trouble Ground) {
	if k.Auth == nil {
		return nil, AuthUnreadable
	}
	for _, i := range k.Auth.Linked(id) {
		a := &k.Auth.Accounts[i]
		switch {
		case !a.Active:
		case found != nil:
			return nil, SeveralUsers
		default:
			found = a
		}
	}
	return found, NoGround
}

// names reports whether the grant is for the caller. A role gives reading rights alone, whatever is stored.
func (k *Keys) names(g GrantedRight, c Caller, user *Account) bool {
	switch g.Kind {
	case ToDiscord:
		return g.To == c.Discord
	case ToRole:
		return g.Right.Reads() && slices.Contains(c.Roles, g.To)
	case ToUser:
		return user != nil && user.Username == g.Name
	case ToAuthGroup:
		return user != nil && slices.ContainsFunc(user.Groups, func(i int32) bool { return k.Auth.Groups[i] == g.Name })
	case ToAuthState:
		return user != nil && user.State >= 0 && k.Auth.StateName(user) == g.Name
	}
	return false
}
