package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// AccessDiscord is the permission that lets an account use the Discord service (Alliance Auth, discord app).
const AccessDiscord = "discord.access_discord"

// RoleNameLimit is how many characters (code points) of a group's or state's name Auth writes as a role's name
// (allianceauth/services/modules/discord/discord_client).
const RoleNameLimit = 100

// Directory is what Auth says, read at one moment: every account with what it may do and which roles Auth would give it.
// It is read-only once built; Account fields index into its lists.
type Directory struct {
	Edition     string   // "4" or "5" (Alliance Auth's major version), "snapshot", or "unknown" for newer tables than we know: report only
	Fingerprint string   // which Auth this is: stays the same as long as it is the same installation; never holds a secret
	States      []string // names, lowest priority last
	Groups      []string // names, sorted by byte
	Reserved    []string // reserved group names, as written; compared without case
	Permissions []string // "app_label.codename", sorted, each once
	Accounts    []Account
	Identities  []Identity
	Counts      Counts // the facts that the health of this source is judged by

	// Version tells what was read from anything else that the same source gave to this process: equal means that all of the above is
	// equal, facts measured in seconds apart. Empty: unknown.
	Version string

	links    links // made by Index
	entitled int   // accounts that Auth gives at least one role; made by Index
}

// Account is one Auth user. There may be hundreds of thousands: what many have alike is behind a pointer that they share.
type Account struct {
	User      int64
	Username  string
	Active    bool
	Superuser bool
	Access    bool         // may use Discord: active, and superuser or AccessDiscord through user, group or state
	State     int32        // index into Directory.States; -1: the user has no profile, so Auth writes no roles at all
	Groups    []int32      // indexes into Directory.Groups, ascending
	Main      Main         // zero Name: no main character
	Discord   snowflake.ID // the linked Discord account; zero: not linked. Several users may share one
	Grants    *Bits        // permissions through user, groups and state, by index into Directory.Permissions; superuser and activity are not folded in; nil: none
	Revision  uint64       // digest of everything above: a changed row changes it
}

// Main is an account's main character.
type Main struct {
	Name        string
	Corporation *Corporation // nil: not known
}

// Corporation is what a character belongs to.
type Corporation struct {
	Ticker         string
	AllianceTicker string // empty: the corporation is in no alliance
}

// CorporationTicker is empty where it is not known.
func (m Main) CorporationTicker() string {
	if m.Corporation == nil {
		return ""
	}
	return m.Corporation.Ticker
}

// AllianceTicker is empty where the corporation is in no alliance, or not known.
func (m Main) AllianceTicker() string {
	if m.Corporation == nil {
		return ""
	}
	return m.Corporation.AllianceTicker
}

// IdentitySource says how an earlier Discord account became known.
type IdentitySource int

// The sources of an Identity.
const (
	Historical IdentitySource = iota + 1 // seen linked before
	Operator                             // entered by a person
)

func (s IdentitySource) String() string {
	switch s {
	case Historical:
		return "historical"
	case Operator:
		return "operator"
	}
	return "unknown"
}

// Identity says that a Discord account belongs, or belonged, to an Auth user.
type Identity struct {
	Discord snowflake.ID
	User    int64
	Source  IdentitySource
}

// Bits is a set of small numbers.
type Bits []uint64

// Has reports whether i is in the set; beyond its end nothing is, and nothing is in no set.
func (b *Bits) Has(i int) bool {
	return b != nil && i >= 0 && i/64 < len(*b) && (*b)[i/64]&(1<<(i%64)) != 0
}

// Set puts i into the set, which must be long enough.
func (b Bits) Set(i int) { b[i/64] |= 1 << (i % 64) }

// RoleName is a group's or state's name as Auth writes it to Discord: the first RoleNameLimit code points, nothing trimmed.
func RoleName(name string) string {
	if len(name) <= RoleNameLimit {
		return name
	}
	n := 0
	for i := range name {
		if n == RoleNameLimit {
			return name[:i]
		}
		n++
	}
	return name
}

// Index makes the look-up of accounts by Discord id; call it once, after Accounts is filled and sorted by User.
func (d *Directory) Index() {
	d.links = linksOf(d.Accounts)
	d.entitled = 0
	for i := range d.Accounts {
		if d.Accounts[i].Access && d.Accounts[i].State >= 0 {
			d.entitled++
		}
	}
}

// WithIdentities is the directory with more identities than its own.
func (d *Directory) WithIdentities(more []Identity) *Directory {
	own := *d
	own.Identities = slices.Concat(d.Identities, more)
	return &own
}

// Part is the directory with the accounts of these Discord ids alone: those linked to them, and those that an identity names for them.
// What is said of all accounts stays: counts, and how many are given a role. It is for deciding about few members of a large Auth.
func (d *Directory) Part(ids []snowflake.ID) *Directory {
	p := *d
	p.Identities, p.Accounts = nil, nil
	var places []int32
	for _, id := range ids {
		places = append(places, d.Linked(id)...)
	}
	for _, x := range d.Identities {
		if !slices.Contains(ids, x.Discord) {
			continue
		}
		p.Identities = append(p.Identities, x)
		if i, ok := d.accountIndex(x.User); ok {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	for _, i := range slices.Compact(places) {
		p.Accounts = append(p.Accounts, d.Accounts[i])
	}
	p.links = linksOf(p.Accounts)
	return &p
}

// Frame digests what all accounts share, and what decides which roles are managed: which Auth it is, names of states and groups,
// reserved names.
func (d *Directory) Frame() string {
	h := sha256.New()
	d.frame(h)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (d *Directory) frame(w io.Writer) {
	for _, list := range [][]string{{d.Edition, d.Fingerprint}, d.States, d.Groups, d.Reserved} {
		_, _ = fmt.Fprintf(w, "%d %q\n", len(list), list)
	}
}

// Sum digests what the directory says of everybody, counts apart: it is equal in every process for an equal Auth.
func (d *Directory) Sum() string {
	h := sha256.New()
	d.frame(h)
	_, _ = fmt.Fprintf(h, "%d %q\n", len(d.Permissions), d.Permissions)
	record := make([]byte, 0, 24)
	for i := range d.Accounts {
		record = binary.BigEndian.AppendUint64(record[:0], uint64(d.Accounts[i].User))
		_, _ = h.Write(binary.BigEndian.AppendUint64(record, d.Accounts[i].Revision))
	}
	for _, id := range d.Identities {
		record = binary.BigEndian.AppendUint64(record[:0], uint64(id.User))
		record = binary.BigEndian.AppendUint64(record, uint64(id.Discord))
		_, _ = h.Write(binary.BigEndian.AppendUint64(record, uint64(id.Source)))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Linked gives the indexes of the accounts that are linked to a Discord account: none, one, or several, ascending; read-only.
func (d *Directory) Linked(id snowflake.ID) []int32 { return d.links.of(d.Accounts, id) }

// Account finds a user by its id.
func (d *Directory) Account(user int64) (*Account, bool) {
	i, ok := d.accountIndex(user)
	if !ok {
		return nil, false
	}
	return &d.Accounts[i], true
}

func (d *Directory) accountIndex(user int64) (int32, bool) {
	i, ok := slices.BinarySearchFunc(d.Accounts, user, func(a Account, user int64) int { return cmp.Compare(a.User, user) })
	return int32(i), ok
}

// Holds reports whether Auth's has_perm would say yes: active, and superuser or granted through user, group or state.
// Like Auth, a superuser holds permissions that do not exist.
func (d *Directory) Holds(a *Account, permission string) bool {
	if !a.Active {
		return false
	}
	if a.Superuser {
		return true
	}
	i, ok := slices.BinarySearch(d.Permissions, permission)
	return ok && a.Grants.Has(i)
}

// HeldBy lists what Auth's get_all_permissions would: sorted, all of them for an active superuser, none for an inactive user.
func (d *Directory) HeldBy(a *Account) []string {
	if !a.Active {
		return nil
	}
	if a.Superuser {
		return d.Permissions
	}
	var held []string
	for i, p := range d.Permissions {
		if a.Grants.Has(i) {
			held = append(held, p)
		}
	}
	return held
}

// RoleNames are the roles Auth would write for the account: its groups' and its state's names, cut, sorted, each once.
// None for an account without a profile, whose synchronisation fails in Auth.
func (d *Directory) RoleNames(a *Account) []string {
	if a.State < 0 {
		return nil
	}
	names := make([]string, 0, len(a.Groups)+1)
	for _, g := range a.Groups {
		names = append(names, RoleName(d.Groups[g]))
	}
	names = append(names, RoleName(d.States[a.State]))
	slices.Sort(names)
	return slices.Compact(names)
}

// StateName is the name of the account's state, empty without a profile.
func (d *Directory) StateName(a *Account) string {
	if a.State < 0 {
		return ""
	}
	return d.States[a.State]
}

// IsReserved reports whether Auth would leave a role of this name alone: the reserved names are compared cut and without case.
func (d *Directory) IsReserved(role string) bool { return d.reservedNames()(role) }

// reservedNames makes IsReserved for many names.
func (d *Directory) reservedNames() func(role string) bool {
	reserved := make(map[string]struct{}, len(d.Reserved))
	for _, name := range d.Reserved {
		reserved[lower(RoleName(name))] = struct{}{}
	}
	return func(role string) bool {
		_, ok := reserved[lower(role)]
		return len(reserved) > 0 && ok
	}
}
