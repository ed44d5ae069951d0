package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// assembly joins the tables in memory: in the database the same takes many times as long, and its collations would merge names.
type assembly struct {
	query  query
	d      *audit.Directory
	layout layout
	begun  string // when the first migration was applied: with the first user, what tells one Auth from another

	users, states, groups index // row id → place in d
	permissions           index // row id → place in place
	place                 []int32
	words                 int // of a set of permissions

	stateMasks, groupMasks []uint64             // one set of permissions each
	userMasks              map[int32]audit.Bits // of the users who have permissions of their own
	members                []uint64             // user's place << 32 | group's place
	corporations           map[audit.Corporation]*audit.Corporation
	tickers                map[string]string
	rows                   audit.Counts
}

// assemble reads the tables one after the other; those that others point at come first.
func assemble(ctx context.Context, q query) (*audit.Directory, layout, error) {
	a := &assembly{query: q, d: &audit.Directory{}, corporations: map[audit.Corporation]*audit.Corporation{}, tickers: map[string]string{}, rows: audit.Counts{}}
	for _, read := range []func(context.Context) error{
		a.readMigrations, a.readLayout, a.readClock,
		a.readUsers, a.readStates, a.readGroups, a.readPermissions,
		a.readProfiles, a.readMemberships, a.readGrants, a.readLinks, a.readReserved,
	} {
		if err := read(ctx); err != nil {
			return nil, layout{}, err
		}
	}
	a.finish()
	return a.d, a.layout, nil
}

func (a *assembly) readMigrations(ctx context.Context) error {
	names := map[string][]string{}
	first := int64(-1)
	err := a.query.each(ctx, "SELECT id, app, name, applied FROM django_migrations", 4, func(r *row) {
		app := r.string(1)
		if _, ours := newest[app]; ours {
			names[app] = append(names[app], r.string(2))
		}
		if id := r.int(0); first < 0 || id < first {
			// To the second: a database that was moved to another engine keeps no more.
			first, a.begun = id, r.time(3).Truncate(time.Second).Format(time.RFC3339)
		}
	})
	a.d.Edition = editionOf(names)
	return err
}

func (a *assembly) readLayout(ctx context.Context) error {
	columns := map[string][]string{}
	err := a.query.each(ctx, a.query.engine.seen(), 2, func(r *row) {
		name := r.string(0)
		columns[name] = append(columns[name], r.string(1))
	})
	a.layout = layoutOf(columns)
	return err
}

func (a *assembly) readClock(ctx context.Context) error {
	c, err := readClocks(ctx, a.query, a.layout)
	maps.Copy(a.rows, c.ages())
	return err
}

// measured are the facts that change though nobody writes.
var measured = [...]audit.Fact{audit.ClockSkew, audit.BeatAge, audit.AffiliationsAge}

// clocks are the times that the facts in seconds are measured by; zero: not known.
type clocks struct {
	ours, server  time.Time // of one moment; a file's clock is ours
	beat, updated time.Time
}

func readClocks(ctx context.Context, q query, l layout) (c clocks, err error) {
	err = q.each(ctx, q.engine.clock(l), 3, func(r *row) {
		c = clocks{time.Now().UTC(), r.time(0), r.time(1), r.time(2)}
	})
	return c, err
}

// ages are the facts that are measured in seconds, as far as they can be known.
func (c clocks) ages() audit.Counts {
	facts := audit.Counts{}
	now := c.ours
	if !c.server.IsZero() {
		now = c.server
		facts[audit.ClockSkew] = int64(c.server.Sub(c.ours).Abs() / time.Second)
	}
	for fact, at := range map[audit.Fact]time.Time{audit.BeatAge: c.beat, audit.AffiliationsAge: c.updated} {
		if !at.IsZero() {
			facts[fact] = max(0, int64(now.Sub(at)/time.Second))
		}
	}
	return facts
}

func (a *assembly) readUsers(ctx context.Context) error {
	d := a.d
	err := a.query.each(ctx, "SELECT id, username, is_active, is_superuser FROM auth_user", 4, func(r *row) {
		d.Accounts = append(d.Accounts, audit.Account{
			User: r.int(0), Username: r.string(1), Active: r.bool(2), Superuser: r.bool(3), State: -1,
		})
	})
	byUser := func(x, y audit.Account) int { return cmp.Compare(x.User, y.User) }
	if !slices.IsSortedFunc(d.Accounts, byUser) {
		slices.SortFunc(d.Accounts, byUser)
	}
	a.users = makeIndex(len(d.Accounts), func(i int) int64 { return d.Accounts[i].User })
	return err
}

// named is a row of a short table.
type named struct {
	id       int64
	name     string
	priority int64
}

func (a *assembly) readStates(ctx context.Context) error {
	var rows []named
	err := a.query.each(ctx, "SELECT id, name, priority FROM authentication_state", 3, func(r *row) {
		rows = append(rows, named{id: r.int(0), name: r.string(1), priority: r.int(2)})
	})
	slices.SortFunc(rows, func(x, y named) int { return cmp.Or(cmp.Compare(y.priority, x.priority), cmp.Compare(x.id, y.id)) })
	a.d.States, a.states = listed(rows)
	return err
}

func (a *assembly) readGroups(ctx context.Context) error {
	var rows []named
	err := a.query.each(ctx, "SELECT id, name FROM auth_group", 2, func(r *row) {
		rows = append(rows, named{id: r.int(0), name: r.string(1)})
	})
	slices.SortFunc(rows, func(x, y named) int { return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.id, y.id)) })
	a.d.Groups, a.groups = listed(rows)
	return err
}

func listed(rows []named) ([]string, index) {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	return names, makeIndex(len(rows), func(i int) int64 { return rows[i].id })
}

// readPermissions takes the content type's app alone: its model plays no part in Auth's check, so one name may have several rows, and a
// retired app keeps its names.
func (a *assembly) readPermissions(ctx context.Context) error {
	var rows []named
	kinds := map[int64]struct{}{}
	err := a.query.each(ctx, "SELECT p.id, p.codename, t.id, t.app_label FROM auth_permission p LEFT JOIN django_content_type t ON t.id = p.content_type_id", 4, func(r *row) {
		if r.null(2) {
			a.rows[audit.Orphans]++
			return
		}
		kinds[r.int(2)] = struct{}{}
		rows = append(rows, named{id: r.int(0), name: r.string(3) + "." + r.string(1)})
	})
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	slices.Sort(names)
	a.d.Permissions = slices.Compact(names)
	a.place = make([]int32, len(rows))
	for i, r := range rows {
		at, _ := slices.BinarySearch(a.d.Permissions, r.name)
		a.place[i] = int32(at)
	}
	a.permissions = makeIndex(len(rows), func(i int) int64 { return rows[i].id })
	a.words = (len(a.d.Permissions) + 63) / 64
	a.rows[audit.PermissionRows], a.rows[audit.ContentTypes] = int64(len(rows)), int64(len(kinds))
	return err
}

func (a *assembly) readProfiles(ctx context.Context) error {
	const statement = "SELECT p.user_id, p.state_id, p.main_character_id, c.id, c.character_name, c.corporation_ticker, c.alliance_ticker " +
		"FROM authentication_userprofile p LEFT JOIN " + characterTable + " c ON c.id = p.main_character_id"
	a.rows[audit.Profiles] = 0
	return a.query.each(ctx, statement, 7, func(r *row) {
		user, known := a.users.find(r.int(0))
		if !known {
			a.rows[audit.Orphans]++
			return
		}
		a.rows[audit.Profiles]++
		account := &a.d.Accounts[user]
		if state, ok := a.states.find(r.int(1)); ok {
			account.State = state
		} else {
			a.rows[audit.Orphans]++
		}
		switch {
		case r.null(2):
		case r.null(3): // the character has vanished: no main, as if there had never been one
			a.rows[audit.Orphans]++
		default:
			account.Main = audit.Main{Name: r.string(4), Corporation: a.corporation(r)}
		}
	})
}

// corporation is that of a row of readProfiles, each once in memory.
func (a *assembly) corporation(r *row) *audit.Corporation {
	c := audit.Corporation{Ticker: r.shared(5, a.tickers), AllianceTicker: r.shared(6, a.tickers)}
	if c == (audit.Corporation{}) {
		return nil
	}
	if known, ok := a.corporations[c]; ok {
		return known
	}
	a.corporations[c] = &c
	return &c
}

func (a *assembly) readMemberships(ctx context.Context) error {
	err := a.query.each(ctx, "SELECT user_id, group_id FROM auth_user_groups", 2, func(r *row) {
		user, known := a.users.find(r.int(0))
		group, exists := a.groups.find(r.int(1))
		if !known || !exists {
			a.rows[audit.Orphans]++
			return
		}
		a.members = append(a.members, uint64(user)<<32|uint64(group))
	})
	slices.Sort(a.members)
	a.members = slices.Compact(a.members)
	a.rows[audit.Memberships] = int64(len(a.members))
	return err
}

// The three tables of grants in one statement: all are pairs of an id and a permission's id.
const (
	grantedToGroup = 1 + iota
	grantedToUser
	grantedToState
)

func (a *assembly) readGrants(ctx context.Context) error {
	statement := fmt.Sprintf("SELECT %d, group_id, permission_id FROM auth_group_permissions "+
		"UNION ALL SELECT %d, user_id, permission_id FROM auth_user_user_permissions "+
		"UNION ALL SELECT %d, state_id, permission_id FROM authentication_state_permissions", grantedToGroup, grantedToUser, grantedToState)
	slab := make([]uint64, (len(a.d.Groups)+len(a.d.States))*a.words)
	a.userMasks = map[int32]audit.Bits{}
	a.groupMasks, a.stateMasks = slab[:len(a.d.Groups)*a.words], slab[len(a.d.Groups)*a.words:]
	a.rows[audit.GroupPermissions], a.rows[audit.UserPermissions], a.rows[audit.StatePermissions] = 0, 0, 0
	return a.query.each(ctx, statement, 3, func(r *row) {
		permission, exists := a.permissions.find(r.int(2))
		mask, fact, known := a.grantee(r.int(0), r.int(1))
		if !exists || !known {
			a.rows[audit.Orphans]++
			return
		}
		a.rows[fact]++
		mask.Set(int(a.place[permission]))
	})
}

// grantee is the set of permissions that a row of the grants adds to.
func (a *assembly) grantee(kind, id int64) (_ audit.Bits, _ audit.Fact, known bool) {
	switch kind {
	case grantedToGroup:
		if i, ok := a.groups.find(id); ok {
			return a.mask(a.groupMasks, i), audit.GroupPermissions, true
		}
	case grantedToUser:
		if i, ok := a.users.find(id); ok {
			mask, ok := a.userMasks[i]
			if !ok {
				mask = make(audit.Bits, a.words)
				a.userMasks[i] = mask
			}
			return mask, audit.UserPermissions, true
		}
	case grantedToState:
		if i, ok := a.states.find(id); ok {
			return a.mask(a.stateMasks, i), audit.StatePermissions, true
		}
	}
	return nil, audit.NoFact, false
}

func (a *assembly) mask(slab []uint64, i int32) audit.Bits {
	return slab[int(i)*a.words : (int(i)+1)*a.words]
}

func (a *assembly) readLinks(ctx context.Context) error {
	a.rows[audit.InvalidLinks] = 0
	return a.query.each(ctx, "SELECT user_id, uid FROM "+linksTable, 2, func(r *row) {
		user, known := a.users.find(r.int(0))
		uid := r.int(1)
		switch {
		case !known:
			a.rows[audit.Orphans]++
		case uid <= 0: // no Discord account has such an id
			a.rows[audit.InvalidLinks]++
		default:
			a.d.Accounts[user].Discord = snowflake.ID(uid)
		}
	})
}

func (a *assembly) readReserved(ctx context.Context) error {
	err := a.query.each(ctx, "SELECT name FROM groupmanagement_reservedgroupname", 1, func(r *row) {
		a.d.Reserved = append(a.d.Reserved, r.string(0))
	})
	slices.Sort(a.d.Reserved)
	return err
}

// finish gives every account its groups, its permissions and its revision, and counts.
func (a *assembly) finish() {
	d := a.d
	access, granted := slices.BinarySearch(d.Permissions, audit.AccessDiscord)
	groups := make([]int32, len(a.members))
	for i, m := range a.members {
		groups[i] = int32(uint32(m))
	}
	digests := newDigests(d)
	next := 0
	mask, alike := make(audit.Bits, a.words), map[uint64]*audit.Bits{}
	for i := range d.Accounts {
		account := &d.Accounts[i]
		clear(mask)
		if own, ok := a.userMasks[int32(i)]; ok {
			copy(mask, own)
		}
		first := next
		for next < len(a.members) && int(a.members[next]>>32) == i {
			or(mask, a.mask(a.groupMasks, groups[next]))
			next++
		}
		if first < next {
			account.Groups = groups[first:next:next]
		}
		if account.State >= 0 {
			or(mask, a.mask(a.stateMasks, account.State))
		}
		account.Grants = shared(alike, mask)
		account.Access = account.Active && (account.Superuser || granted && account.Grants.Has(access))
		account.Revision = digests.revision(account)
	}
	d.Fingerprint = a.fingerprint()
	d.Index()
	if _, any := a.rows[audit.Orphans]; !any {
		a.rows[audit.Orphans] = 0
	}
	d.Counts = audit.CountFacts(d).Highest(a.rows)
}

// shared is the one set that all accounts of the same permissions point to; nil for none. Of two sets with one digest the second is
// not shared.
func shared(alike map[uint64]*audit.Bits, set audit.Bits) *audit.Bits {
	var all uint64
	sum := uint64(offset)
	for _, word := range set {
		all |= word
		sum = mix(sum, word)
	}
	if all == 0 {
		return nil
	}
	known, ok := alike[sum]
	if ok && slices.Equal(*known, set) {
		return known
	}
	own := slices.Clone(set)
	if !ok {
		alike[sum] = &own
	}
	return &own
}

func or(into, from audit.Bits) {
	for i := range into {
		into[i] |= from[i]
	}
}

// fingerprint names this installation: its first user and the moment at which its first table was made. Neither changes in its life,
// and two installations share the first user's id and often the name too. Empty without users.
func (a *assembly) fingerprint() string {
	if len(a.d.Accounts) == 0 {
		return ""
	}
	first := &a.d.Accounts[0]
	sum := sha256.Sum256(fmt.Appendf(nil, "alliance auth\x00%d\x00%s\x00%s", first.User, first.Username, a.begun))
	return hex.EncodeToString(sum[:16])
}
