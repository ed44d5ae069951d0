package snapshot

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
)

// accounts reads "aa". Names may be used before they are listed, so states and groups of users are numbers of names until the end.
type accounts struct {
	*document
	f        *File
	authOnly bool     // read what an Auth source is asked for, and name the rest
	ignored  []string // keys that an Auth source does not read

	groups, states, reserved []string
	users                    pile[user]
	text                     shelf
	unordered                bool
	memberships              []int32          // of all users, numbers of names
	rights                   map[int][]string // permissions of the few users who have extra ones
	access                   access
	identities               []audit.Identity
	policy                   *policyfile.Value
	privileged               *policyfile.Value

	numbers map[string]int32 // names, each once in memory, and their numbers
	names   []string
}

// user is one of aa.users as it was written.
type user struct {
	id                int64
	discord           snowflake.ID
	username, main    string
	state             int32  // the number of its name; -1: none
	groupEnd          uint32 // where its groups end in accounts.memberships; they begin where those of the user before it end
	active, superuser bool
}

// access says who holds discord.access_discord.
type access struct {
	groups, states []string
	users          []int64
}

func newAccounts(d *document, f *File, authOnly bool) *accounts {
	return &accounts{document: d, f: f, authOnly: authOnly, rights: map[int][]string{}, numbers: map[string]int32{}}
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

// each reads a list that may be null.
func (a *accounts) each(what string, one func(t token)) {
	a.optional(func(t token) { a.array(t, what, one) })
}

// list reads names; those of groups and states stand once.
func (a *accounts) list(what string, once bool) (names []string) {
	seen := map[string]int{}
	a.each("names", func(t token) {
		name := a.nameOf(t, what)
		if first, twice := seen[name]; once && twice {
			a.refuse(fmt.Sprintf("%q is item %d already", name, first), "list each "+what+" once")
		}
		seen[name] = len(names)
		names = append(names, name)
	})
	return names
}

func (a *accounts) nameOf(t token, what string) string {
	if t.kind != isText {
		a.wrong(t, "a "+what+"'s name")
		return ""
	}
	return a.intern(t.text)
}

func (a *accounts) intern(text []byte) string { return a.names[a.number(text)] }

func (a *accounts) number(text []byte) int32 {
	if n, ok := a.numbers[string(text)]; ok {
		return n
	}
	name, n := string(text), int32(len(a.names))
	a.numbers[name] = n
	a.names = append(a.names, name)
	return n
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
	u := user{active: true, state: -1}
	a.object(t, func(key string) {
		switch key {
		case "id":
			u.id = int64(a.id())
		case "username":
			u.username = a.text.keep(a.textOrNull())
		case "active":
			u.active = a.flag(true)
		case "superuser":
			u.superuser = a.flag(false)
		case "state":
			if name := a.textOrNull(); len(name) > 0 {
				u.state = a.number(name)
			}
		case "groups":
			a.each("names", func(t token) {
				a.nameOf(t, "group")
				a.memberships = append(a.memberships, a.number(t.text))
			})
		case "main":
			u.main = a.text.keep(a.textOrNull())
		case "discord_uid":
			u.discord = a.idOrNull()
		case "permissions":
			if rights := a.permissions(); len(rights) > 0 {
				a.rights[a.users.len()] = rights
			}
		default:
			a.skip()
		}
	})
	if a.err == nil && u.id == 0 {
		a.missing("id", idCure)
	}
	if a.users.len() > 0 && a.users.at(a.users.len()-1).id >= u.id {
		a.unordered = true
	}
	u.groupEnd = uint32(len(a.memberships))
	a.users.add(u)
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

// finish looks the names up and makes the Directory.
func (a *accounts) finish() {
	if a.err != nil {
		return
	}
	d := &audit.Directory{
		Edition: "snapshot", Fingerprint: "snapshot", States: a.states, Groups: slices.Sorted(slices.Values(a.groups)),
		Reserved: a.reserved, Permissions: a.allPermissions(), Identities: a.identities,
	}
	order, ok := a.order()
	if !ok || !a.fill(d, order) {
		return
	}
	a.users = pile[user]{}
	d.Index()
	d.Counts = audit.CountFacts(d)
	a.f.Auth = d
	a.warnAboutUsers(d)
}

// order is where users stand in the file, in order of their ids; false: one of them is there twice.
func (a *accounts) order() (order []uint32, ok bool) {
	if !a.unordered {
		return nil, true
	}
	order = make([]uint32, a.users.len())
	for i := range order {
		order[i] = uint32(i)
	}
	id := func(i uint32) int64 { return a.users.at(int(i)).id }
	slices.SortStableFunc(order, func(x, y uint32) int { return cmp.Compare(id(x), id(y)) })
	for i, at := range order {
		if i > 0 && id(order[i-1]) == id(at) {
			a.refuseAt(fmt.Sprintf("aa.users[%d].id", at), fmt.Sprintf("user %d is aa.users[%d] already", id(at), order[i-1]), "list each user once")
			return nil, false
		}
	}
	return order, true
}

// fill makes the accounts, in that order or, if it is nil, in the file's; false: a name is not listed.
func (a *accounts) fill(d *audit.Directory, order []uint32) bool {
	groups, states, grants := a.listed(d.Groups), a.listed(d.States), a.grantsOf(d)
	d.Accounts = make([]audit.Account, a.users.len())
	for i := range d.Accounts {
		at := i
		if order != nil {
			at = int(order[i])
		}
		u, c := a.users.at(at), &d.Accounts[i]
		*c = audit.Account{User: u.id, Username: u.username, Active: u.active, Superuser: u.superuser, Discord: u.discord, Main: audit.Main{Name: u.main}, State: -1}
		if u.state >= 0 {
			if c.State = states[u.state]; c.State < 0 {
				a.refuseAt(fmt.Sprintf("aa.users[%d].state", at), fmt.Sprintf("%q is not among aa.states", a.names[u.state]), "list every state, lowest priority last")
				return false
			}
		}
		begin := uint32(0)
		if at > 0 {
			begin = a.users.at(at - 1).groupEnd
		}
		held := a.memberships[begin:u.groupEnd:u.groupEnd]
		for j, n := range held {
			if held[j] = groups[n]; held[j] < 0 {
				a.refuseAt(fmt.Sprintf("aa.users[%d].groups[%d]", at, j), fmt.Sprintf("%q is not among aa.groups", a.names[n]), "list every group")
				return false
			}
		}
		slices.Sort(held)
		c.Groups = slices.Compact(held)
		grants(c, a.rights[at])
		c.Revision = revision(d, c)
	}
	return true
}

// grantsOf gives an account its permissions: those through "access", and its own.
func (a *accounts) grantsOf(d *audit.Directory) func(c *audit.Account, own []string) {
	rights, holding := indexes(d.Permissions), a.holders(d)
	access := int(rights[audit.AccessDiscord])
	entrance := make(audit.Bits, (len(d.Permissions)+63)/64)
	entrance.Set(access)
	return func(c *audit.Account, own []string) {
		if holding(c) {
			c.Grants = &entrance
		}
		if len(own) > 0 {
			grants := make(audit.Bits, len(entrance))
			if c.Grants != nil {
				copy(grants, entrance)
			}
			for _, p := range own {
				grants.Set(int(rights[p]))
			}
			c.Grants = &grants
		}
		c.Access = c.Active && (c.Superuser || c.Grants.Has(access))
	}
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
	for _, rights := range a.rights {
		for _, p := range rights {
			all[p] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// listed gives each name's index in a list, by the name's number; -1: not listed.
func (a *accounts) listed(list []string) []int32 {
	byNumber := slices.Repeat([]int32{-1}, len(a.names))
	for i, name := range list {
		byNumber[a.numbers[name]] = int32(i)
	}
	return byNumber
}

// holders answers who holds discord.access_discord through "access". Names and users that are not listed hold nothing; people are
// told, since a slip of the pen there makes strangers of a whole group.
func (a *accounts) holders(d *audit.Directory) func(*audit.Account) bool {
	byGroup, byState, byUser := map[int32]bool{}, map[int32]bool{}, map[int64]bool{}
	pick := func(what string, names, list []string, into map[int32]bool) {
		listed := indexes(list)
		for _, name := range names {
			if i, ok := listed[name]; ok {
				into[i] = true
				continue
			}
			a.f.Notes = append(a.f.Notes, fmt.Sprintf("aa.access.%s names %s, which is not among aa.%s", what, showKey(name), what))
		}
	}
	pick("groups", a.access.groups, d.Groups, byGroup)
	pick("states", a.access.states, d.States, byState)
	for _, id := range a.access.users {
		byUser[id] = true
	}
	return func(c *audit.Account) bool {
		return byUser[c.User] || c.State >= 0 && byState[c.State] || slices.ContainsFunc(c.Groups, func(g int32) bool { return byGroup[g] })
	}
}

func (a *accounts) warnAboutUsers(d *audit.Directory) {
	for _, id := range a.access.users {
		if _, ok := d.Account(id); !ok {
			a.f.Notes = append(a.f.Notes, fmt.Sprintf("aa.access.users names user %d, who is not among aa.users", id))
		}
	}
}
