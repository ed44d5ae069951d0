package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
)

// accounts reads "aa". Names may be used before they are listed, so that users keep names until the end.
type accounts struct {
	*document
	f        *File
	authOnly bool     // read what an Auth source is asked for, and name the rest
	ignored  []string // keys that an Auth source does not read

	groups, states, reserved []string
	users                    []user
	userPlace                map[int64]int // id → index in aa.users
	access                   access
	identities               []audit.Identity
	policy                   *policyfile.Value
	privileged               *policyfile.Value
	names                    map[string]string // each name once in memory
}

// user is an account whose names are not yet looked up.
type user struct {
	account     audit.Account
	state       string // empty: no profile
	groups      []string
	permissions []string
}

// access says who holds discord.access_discord.
type access struct {
	groups, states []string
	users          []int64
}

func newAccounts(d *document, f *File, authOnly bool) *accounts {
	return &accounts{document: d, f: f, authOnly: authOnly, userPlace: map[int64]int{}, names: map[string]string{}}
}

func (a *accounts) read(t token) {
	seen := map[string]bool{}
	a.object(t, func(key string) {
		if seen[key] {
			a.refuse("written twice", "keep one of them")
			return
		}
		seen[key] = true
		if a.identityKey(key) {
			return
		}
		if a.authOnly {
			a.ignored = append(a.ignored, a.place())
			a.skip()
			return
		}
		a.operatorKey(key)
	})
}

// identityKey reads what an Auth source says; false: the key is none of that.
func (a *accounts) identityKey(key string) bool {
	switch key {
	case "states":
		a.states = a.list("state", true)
	case "groups":
		a.groups = a.list("group", true)
	case "reserved_names":
		a.reserved = a.list("name", false)
	case "access":
		a.optional(a.readAccess)
	case "users":
		a.each("users", a.readUser)
	case "identities":
		a.each("identities", a.readIdentity)
	default:
		return false
	}
	return true
}

// operatorKey reads what the operators of gatecamp, not Auth, say.
func (a *accounts) operatorKey(key string) {
	switch key {
	case "bot_uids":
		a.f.Bots = a.ids("Discord ids")
	case "protected":
		a.each("Discord ids, or objects with uid, reason, owner and expires_at", a.readProtection)
	case "role_exceptions":
		a.f.Exempt = a.ids("role ids")
	case "blocks":
		a.each("blocks", a.readBlock)
	case "overrides":
		a.each("overrides", a.readOverride)
	case "opened":
		a.optional(a.readOpened)
	case "policy":
		a.policy = a.tree()
	case "privileged_roles":
		a.privileged = a.tree()
	case "bindings":
		a.optional(a.readBindings)
	default:
		a.skip()
	}
}

// each reads a list that may be null.
func (a *accounts) each(what string, one func(t token)) {
	a.optional(func(t token) { a.array(t, what, one) })
}

// list reads names; those of groups and states stand once.
func (a *accounts) list(what string, once bool) (names []string) {
	seen := map[string]int{}
	a.each("names", func(t token) {
		if t.kind != isText {
			a.wrong(t, "a "+what+"'s name")
			return
		}
		name := a.intern(t.text)
		if first, twice := seen[name]; once && twice {
			a.refuse(fmt.Sprintf("%q is item %d already", name, first), "list each "+what+" once")
		}
		seen[name] = len(names)
		names = append(names, name)
	})
	return names
}

func (a *accounts) intern(text []byte) string {
	if known, ok := a.names[string(text)]; ok {
		return known
	}
	name := string(text)
	a.names[name] = name
	return name
}

func (a *accounts) ids(what string) (ids []snowflake.ID) {
	a.each(what, func(t token) { ids = append(ids, a.idOf(t)) })
	return ids
}

func (a *accounts) readAccess(t token) {
	a.object(t, func(key string) {
		switch key {
		case "groups":
			a.access.groups = a.list("group", false)
		case "states":
			a.access.states = a.list("state", false)
		case "users":
			a.each("ids of users", func(t token) { a.access.users = append(a.access.users, int64(a.idOf(t))) })
		default:
			a.skip()
		}
	})
}

func (a *accounts) readUser(t token) {
	u := user{account: audit.Account{Active: true, State: -1}}
	a.object(t, func(key string) {
		switch key {
		case "id":
			u.account.User = int64(a.id())
		case "username":
			u.account.Username = string(a.textOrNull())
		case "active":
			u.account.Active = a.flag(true)
		case "superuser":
			u.account.Superuser = a.flag(false)
		case "state":
			u.state = a.intern(a.textOrNull())
		case "groups":
			u.groups = a.list("group", false)
		case "main":
			u.account.Main.Name = string(a.textOrNull())
		case "discord_uid":
			u.account.Discord = a.idOrNull()
		case "permissions":
			u.permissions = a.permissions()
		default:
			a.skip()
		}
	})
	if a.err != nil {
		return
	}
	if u.account.User == 0 {
		a.missing("id", idCure)
		return
	}
	if first, twice := a.userPlace[u.account.User]; twice {
		a.path = append(a.path, step{key: "id"})
		a.refuse(fmt.Sprintf("user %d is aa.users[%d] already", u.account.User, first), "list each user once")
		return
	}
	a.userPlace[u.account.User] = len(a.users)
	a.users = append(a.users, u)
}

func (a *accounts) permissions() (list []string) {
	a.each("permissions", func(t token) {
		app, codename, _ := bytes.Cut(t.text, []byte("."))
		if t.kind != isText || len(app) == 0 || len(codename) == 0 {
			a.wrong(t, "a permission such as \"discord.access_discord\"")
		}
		list = append(list, a.intern(t.text))
	})
	return list
}

func (a *accounts) readIdentity(t token) {
	id := audit.Identity{Source: audit.Historical}
	a.object(t, func(key string) {
		switch key {
		case "uid":
			id.Discord = a.id()
		case "user":
			id.User = int64(a.id())
		case "source":
			switch t := a.token(); string(t.text) {
			case audit.Historical.String():
			case audit.Operator.String():
				id.Source = audit.Operator
			default:
				a.wrong(t, "historical or operator")
			}
		default:
			a.skip()
		}
	})
	switch {
	case a.err != nil:
	case id.Discord == 0:
		a.missing("uid", idCure)
	case id.User == 0:
		a.missing("user", "write the id of one of aa.users")
	default:
		a.identities = append(a.identities, id)
	}
}

func (a *accounts) readProtection(t token) {
	if t.kind != isObject {
		a.f.Protected = append(a.f.Protected, Protection{Member: a.idOf(t)})
		return
	}
	var p Protection
	a.object(t, func(key string) {
		switch key {
		case "uid", "id", "member_id":
			p.Member = a.id()
		case "reason":
			p.Reason = string(a.textOrNull())
		case "owner":
			p.Owner = a.ownerText()
		case "expires_at":
			p.Until = a.instant()
		default:
			a.skip()
		}
	})
	if a.err == nil && p.Member == 0 {
		a.missing("uid", idCure)
	}
	a.f.Protected = append(a.f.Protected, p)
}

// ownerText is who answers for something: a name or an id.
func (a *accounts) ownerText() string {
	t := a.token()
	switch t.kind {
	case isText, isNumber:
		return string(t.text)
	case isNull:
	case nothing, isTrue, isFalse, isObject, isList:
		a.wrong(t, "a name or an id")
	}
	return ""
}

func (a *accounts) readBlock(t token) {
	var b audit.Block
	a.object(t, func(key string) {
		switch key {
		case "uid":
			b.Member = a.id()
		case "until":
			b.Until = a.instant()
		case "ban":
			b.Ban = a.flag(false)
		default:
			a.skip()
		}
	})
	if a.err == nil && b.Member == 0 {
		a.missing("uid", idCure)
	}
	a.f.Blocks = append(a.f.Blocks, b)
}

func (a *accounts) readOverride(t token) {
	var o audit.Override
	a.object(t, func(key string) {
		switch key {
		case "member_id":
			o.Member = a.id()
		case "action":
			t := a.token()
			act, ok := audit.ParseAct(string(t.text))
			if !ok || t.kind != isText {
				a.wrong(t, "report, strip or strip_kick")
			}
			o.Act = act
		case "expires_at":
			o.Until = a.instant()
		case "single_use":
			o.SingleUse = a.flag(false)
		default:
			a.skip()
		}
	})
	switch {
	case a.err != nil:
	case o.Member == 0:
		a.missing("member_id", idCure)
	case o.Act == audit.None:
		a.missing("action", "write report, strip or strip_kick")
	}
	a.f.Overrides = append(a.f.Overrides, o)
}

func (a *accounts) readOpened(t token) {
	a.f.Opened = map[snowflake.ID]time.Time{}
	a.object(t, func(key string) {
		id, ok := parseID([]byte(key))
		if !ok {
			a.refuse("the key is no member's id", idCure)
			return
		}
		if at := a.instant(); !at.IsZero() {
			a.f.Opened[id] = at
		}
	})
}

func (a *accounts) readBindings(t token) {
	a.f.Bound = true
	named := func(kind audit.BindingKind) func(t token) {
		return func(t token) {
			a.object(t, func(name string) {
				for _, role := range a.ids("role ids") {
					a.f.Bindings = append(a.f.Bindings, audit.Binding{Role: role, Kind: kind, Name: name})
				}
			})
		}
	}
	a.object(t, func(key string) {
		switch key {
		case "groups":
			a.optional(named(audit.ToGroup))
		case "states":
			a.optional(named(audit.ToState))
		case "guarded":
			for _, role := range a.ids("role ids") {
				a.f.Bindings = append(a.f.Bindings, audit.Binding{Role: role, Kind: audit.Guarded})
			}
		default:
			a.skip()
		}
	})
	slices.SortFunc(a.f.Bindings, compareBindings)
	a.f.Bindings = slices.Compact(a.f.Bindings)
}

func compareBindings(x, y audit.Binding) int {
	if x.Kind != y.Kind {
		return int(x.Kind - y.Kind)
	}
	if c := strings.Compare(x.Name, y.Name); c != 0 {
		return c
	}
	return compare(x.Role, y.Role)
}

// finish looks the names up and makes the Directory.
func (a *accounts) finish() {
	if a.err != nil {
		return
	}
	d := &audit.Directory{Edition: "snapshot", Fingerprint: "snapshot", States: a.states, Groups: slices.Sorted(slices.Values(a.groups)), Reserved: a.reserved, Identities: a.identities}
	groups, states := indexes(d.Groups), indexes(d.States)
	d.Permissions = a.allPermissions()
	rights := indexes(d.Permissions)
	holding := a.holders(groups, states)
	d.Accounts = make([]audit.Account, len(a.users))
	words := (len(d.Permissions) + 63) / 64
	grants := make([]uint64, words*len(a.users))
	for i := range a.users {
		u := &a.users[i]
		c := &u.account
		c.Grants, grants = audit.Bits(grants[:words:words]), grants[words:]
		if !a.resolveUser(i, u, groups, states) {
			return
		}
		for _, p := range u.permissions {
			c.Grants.Set(int(rights[p]))
		}
		if holding(c) {
			c.Grants.Set(int(rights[audit.AccessDiscord]))
		}
		c.Access = c.Active && (c.Superuser || c.Grants.Has(int(rights[audit.AccessDiscord])))
		c.Revision = revision(d, c)
		d.Accounts[i] = *c
	}
	slices.SortFunc(d.Accounts, func(x, y audit.Account) int {
		switch {
		case x.User < y.User:
			return -1
		case x.User > y.User:
			return 1
		}
		return 0
	})
	d.Index()
	d.Counts = audit.CountFacts(d)
	a.users, a.names = nil, nil
	a.f.Auth = d
}

func indexes(names []string) map[string]int32 {
	m := make(map[string]int32, len(names))
	for i, name := range names {
		m[name] = int32(i)
	}
	return m
}

func (a *accounts) allPermissions() []string {
	all := map[string]struct{}{audit.AccessDiscord: {}}
	for i := range a.users {
		for _, p := range a.users[i].permissions {
			all[p] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// resolveUser looks up the names of one user; false: one of them is not listed.
func (a *accounts) resolveUser(i int, u *user, groups, states map[string]int32) bool {
	if u.state != "" {
		s, ok := states[u.state]
		if !ok {
			a.refuseAt(fmt.Sprintf("aa.users[%d].state", i), fmt.Sprintf("%q is not among aa.states", u.state), "list every state, lowest priority last")
		}
		u.account.State = s
	}
	for j, name := range u.groups {
		g, ok := groups[name]
		if !ok {
			a.refuseAt(fmt.Sprintf("aa.users[%d].groups[%d]", i, j), fmt.Sprintf("%q is not among aa.groups", name), "list every group")
		}
		u.account.Groups = append(u.account.Groups, g)
	}
	slices.Sort(u.account.Groups)
	u.account.Groups = slices.Compact(u.account.Groups)
	return a.err == nil
}

// holders answers who holds discord.access_discord through "access". Names and users that are not listed hold nothing; people are
// told, since a slip of the pen there makes strangers of a whole group.
func (a *accounts) holders(groups, states map[string]int32) func(*audit.Account) bool {
	byGroup, byState, byUser := map[int32]bool{}, map[int32]bool{}, map[int64]bool{}
	pick := func(what string, names []string, listed map[string]int32, into map[int32]bool) {
		for _, name := range names {
			if i, ok := listed[name]; ok {
				into[i] = true
				continue
			}
			a.f.Notes = append(a.f.Notes, fmt.Sprintf("aa.access.%s names %s, which is not among aa.%s", what, showKey(name), what))
		}
	}
	pick("groups", a.access.groups, groups, byGroup)
	pick("states", a.access.states, states, byState)
	for _, id := range a.access.users {
		byUser[id] = true
		if _, ok := a.userPlace[id]; !ok {
			a.f.Notes = append(a.f.Notes, fmt.Sprintf("aa.access.users names user %d, who is not among aa.users", id))
		}
	}
	return func(c *audit.Account) bool {
		return byUser[c.User] || c.State >= 0 && byState[c.State] || slices.ContainsFunc(c.Groups, func(g int32) bool { return byGroup[g] })
	}
}

// revision is a digest of an account: a changed row changes it.
func revision(d *audit.Directory, c *audit.Account) uint64 {
	h := fnv.New64a()
	put := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	put(fmt.Sprintf("%d %t %t %t %d", c.User, c.Active, c.Superuser, c.Access, c.Discord))
	put(c.Username)
	put(c.Main.Name)
	put(d.StateName(c))
	for _, g := range c.Groups {
		put(d.Groups[g])
	}
	for i, p := range d.Permissions {
		if c.Grants.Has(i) {
			put(p)
		}
	}
	return h.Sum64()
}
