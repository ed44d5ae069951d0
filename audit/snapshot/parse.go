package snapshot

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/internal/problem"
)

// Parse reads a snapshot as a stream of tokens. The name stands in front of what is refused. Files of aa-discord-audit
// (--from-fixture), which know guild_roles and guild_members alone, are snapshots too.
func Parse(r io.Reader, name string) (*File, error) {
	l := &loader{document: newDocument(r, name), f: New(name)}
	l.root()
	l.finished()
	l.finish()
	if l.err != nil {
		return nil, l.err
	}
	return l.f, nil
}

// loader fills a File. Members may come before the roles that they hold: their role ids are kept as they were written until the
// roles are known. That costs eight bytes an id, and only files in that order pay it; a second pass would need the whole file in
// memory, or a source that can be read twice, which a pipe cannot.
type loader struct {
	*document
	f    *File
	seen map[string]bool // root keys

	roles     map[snowflake.ID]int // nil: not read yet
	heldIDs   []snowflake.ID       // of members who came before the roles
	heldEnds  []int                // per such member: where its ids end in heldIDs
	pageEnds  []int                // per page: how many members there were at its end
	members   pile[audit.Member]
	member    audit.Member
	person    Person
	unordered bool

	guild      bool
	topWritten bool
	aa         *accounts
	limits     *policyfile.Value
}

// The root keys that are read.
const (
	keyRoles   = "guild_roles"
	keyMembers = "guild_members"
)

func (l *loader) root() {
	l.seen = map[string]bool{}
	l.object(l.token(), func(key string) {
		if l.seen[key] {
			l.refuse("written twice", "keep one of them")
			return
		}
		l.seen[key] = true
		switch key {
		case keyRoles:
			l.readRoles()
		case keyMembers:
			l.readMembers()
		case "guild":
			l.optional(l.readGuild)
		case "aa":
			l.optional(func(t token) {
				l.aa = newAccounts(l.document, l.f, false)
				l.aa.read(t)
				l.aa.finish()
			})
		case "at":
			l.f.At = l.instant()
		case "limits":
			l.limits = l.tree()
		default:
			l.skip()
		}
	})
	for _, key := range [...]string{keyRoles, keyMembers} {
		if l.err == nil && !l.seen[key] {
			l.missing(key, "a snapshot has at least guild_roles and guild_members")
		}
	}
}

func (l *loader) readRoles() {
	l.roles = map[snowflake.ID]int{}
	l.array(l.token(), "roles", func(t token) {
		if len(l.f.Guild.Roles) == audit.MaxRoles {
			l.refuse(fmt.Sprintf("more than %d roles", audit.MaxRoles), "Discord allows 250 in a guild")
			return
		}
		r, named := audit.Role{}, false
		l.object(t, func(key string) {
			switch key {
			case "id":
				r.ID = l.id()
			case "name":
				r.Name, named = string(l.textToken()), true
			case "managed":
				r.Managed = l.flag(false)
			case "position":
				r.Position = l.whole(0)
			case "permissions":
				r.Permissions = l.permissions()
			default:
				l.skip()
			}
		})
		switch {
		case l.err != nil:
			return
		case r.ID == 0:
			l.missing("id", idCure)
		case !named:
			l.missing("name", "every role has one")
		}
		if first, twice := l.roles[r.ID]; twice {
			l.refuse(fmt.Sprintf("role %d is guild_roles[%d] already", r.ID, first), "list each role once")
		}
		l.roles[r.ID] = len(l.f.Guild.Roles)
		l.f.Guild.Roles = append(l.f.Guild.Roles, r)
	})
}

func (l *loader) permissions() audit.Permissions {
	t := l.token()
	if t.kind == isNull {
		return 0
	}
	if t.kind == isText || t.kind == isNumber {
		if n, err := strconv.ParseUint(string(t.text), 10, 64); err == nil {
			return audit.Permissions(n)
		}
	}
	l.wrong(t, "a decimal string of permission bits, such as \"2048\",")
	return 0
}

func (l *loader) readGuild(t token) {
	l.guild = true
	g := &l.f.Guild
	l.object(t, func(key string) {
		switch key {
		case "id":
			g.ID = l.idOrNull()
		case "owner_id":
			g.Owner = l.idOrNull()
		case "bot_user_id":
			g.Bot = l.idOrNull()
		case "bot_top_position":
			g.BotTop = l.whole(-1)
			l.topWritten = g.BotTop >= 0
		case "member_count":
			l.f.MemberCount = l.whole(-1)
		case "name":
			g.Name = string(l.textOrNull())
		default:
			l.skip()
		}
	})
}

func (l *loader) readMembers() {
	l.members.expect(l.f.MemberCount)
	// These three are made once, not once per member.
	var hasUser, hasID, hasName bool
	user := func(key string) {
		switch key {
		case "id":
			l.member.ID, hasID = l.id(), true
		case "username":
			l.person.Username, hasName = string(l.textToken()), true
		case "global_name":
			l.person.GlobalName = string(l.textOrNull())
		case "bot":
			l.setFlag(audit.IsBot)
		default:
			l.skip()
		}
	}
	role := func(t token) { l.hold(l.idOf(t)) }
	field := func(key string) {
		switch key {
		case "user":
			hasUser = true
			l.object(l.token(), user)
			switch {
			case l.err != nil:
			case !hasID:
				l.missing("id", idCure)
			case !hasName:
				l.missing("username", "every account has one")
			}
		case "nick":
			l.person.Nick = string(l.textOrNull())
		case "roles":
			if t := l.token(); t.kind != isNull {
				l.array(t, "role ids", role)
			}
		case "joined_at":
			if at := l.instant(); !at.IsZero() {
				l.member.Joined = at.UnixMicro()
			}
		case "pending":
			l.setFlag(audit.IsPending)
		default:
			l.skip()
		}
	}
	l.array(l.token(), "pages, each a list of members", func(page token) {
		l.array(page, "members (guild_members is a list of pages)", func(t token) {
			l.member, l.person = audit.Member{}, Person{}
			hasUser, hasID, hasName = false, false, false
			l.object(t, field)
			if l.err == nil && !hasUser {
				l.missing("user", "a member without an account cannot be judged")
			}
			l.add()
		})
		l.pageEnds = append(l.pageEnds, l.members.len())
	})
}

func (l *loader) setFlag(flag audit.MemberFlags) {
	if l.flag(false) {
		l.member.Flags |= flag
	}
}

func (l *loader) hold(role snowflake.ID) {
	if l.roles == nil {
		l.heldIDs = append(l.heldIDs, role)
		return
	}
	l.member.Roles = l.with(l.member.Roles, role)
}

func (l *loader) with(set audit.RoleSet, role snowflake.ID) audit.RoleSet {
	if i, ok := l.roles[role]; ok {
		return set.With(i)
	}
	l.f.UnknownRoles++
	return set
}

func (l *loader) add() {
	if l.err != nil {
		return
	}
	if l.roles == nil {
		l.heldEnds = append(l.heldEnds, len(l.heldIDs))
	}
	if n := l.members.len(); n > 0 && l.members.at(n-1).ID >= l.member.ID {
		l.unordered = true
	}
	l.members.add(l.member)
	l.f.People.Add(l.person)
}

// finish joins what had to wait for the whole file.
func (l *loader) finish() {
	if l.err != nil {
		return
	}
	l.f.Members = l.members.take()
	begin := 0
	for i, end := range l.heldEnds {
		for _, role := range l.heldIDs[begin:end] {
			l.f.Members[i].Roles = l.with(l.f.Members[i].Roles, role)
		}
		begin = end
	}
	if l.unordered {
		l.sortMembers()
	}
	if l.guild && !l.topWritten {
		l.f.Guild.BotTop = l.botTop()
	}
	sections := policyfile.Sections{Limits: l.limits, RulesAt: "aa.policy", PrivilegedAt: "aa.privileged_roles"}
	if l.aa != nil {
		sections.Rules, sections.Privileged = l.aa.policy, l.aa.privileged
		l.f.nameGuarded()
	}
	if l.err != nil {
		return
	}
	policy, faults := sections.Policy(l.f.Auth)
	if len(faults) > 0 {
		l.err = l.policyRefusal(faults)
		return
	}
	l.f.Policy = policy
}

// botTop is the highest position among the roles that the bot holds; -1 if the bot is not among the members.
func (l *loader) botTop() int {
	g := &l.f.Guild
	i, ok := slices.BinarySearchFunc(l.f.Members, g.Bot, func(m audit.Member, id snowflake.ID) int { return compare(m.ID, id) })
	if !ok || g.Bot == 0 {
		return -1
	}
	top := 0
	for r := range l.f.Members[i].Roles.All() {
		top = max(top, g.Roles[r].Position)
	}
	return top
}

// sortMembers puts members, and their names, in order of their ids, and refuses one that is there twice.
func (l *loader) sortMembers() {
	f := l.f
	order := make([]uint32, len(f.Members))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return compare(f.Members[a].ID, f.Members[b].ID) })
	members := make([]audit.Member, len(order))
	people := People{text: make([]byte, 0, len(f.People.text)), ends: make([]uint32, 0, len(f.People.ends))}
	for i, from := range order {
		members[i] = f.Members[from]
		people.Add(f.People.At(int(from)))
		if i > 0 && members[i-1].ID == members[i].ID {
			l.refuseAt(l.memberPlace(int(from))+".user.id",
				fmt.Sprintf("member %d is %s already", members[i].ID, l.memberPlace(int(order[i-1]))), "list each member once")
			return
		}
	}
	f.Members, f.People = members, people
}

func (l *loader) memberPlace(i int) string {
	page, _ := slices.BinarySearch(l.pageEnds, i+1)
	begin := 0
	if page > 0 {
		begin = l.pageEnds[page-1]
	}
	return placeOf([]step{{key: keyMembers}, {index: page}, {index: i - begin}})
}

// policyRefusal says all that is wrong with the policy and the limits, each with its place.
func (l *loader) policyRefusal(faults policyfile.Faults) error {
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = l.name + ": " + f.String()
	}
	return problem.Usagef("%s", strings.Join(lines, "\n")).Because(faults)
}

// nameGuarded gives guarded roles the name that they have here: the file says only which they are.
func (f *File) nameGuarded() {
	names := make(map[snowflake.ID]string, len(f.Guild.Roles))
	for _, r := range f.Guild.Roles {
		names[r.ID] = r.Name
	}
	for i := range f.Bindings {
		if b := &f.Bindings[i]; b.Kind == audit.Guarded {
			b.Name = names[b.Role]
		}
	}
}

// tree reads any value for policyfile, which knows what it means.
func (d *document) tree() *policyfile.Value {
	v := d.treeOf(d.token())
	return &v
}

func (d *document) treeOf(t token) (v policyfile.Value) {
	switch t.kind {
	case isTrue, isFalse:
		v.Shape, v.Text = policyfile.Bool, strconv.FormatBool(t.kind == isTrue)
	case isNumber:
		v.Shape, v.Text = policyfile.Number, string(t.text)
	case isText:
		v.Shape, v.Text = policyfile.Text, string(t.text)
	case isList:
		v.Shape = policyfile.List
		d.array(t, "", func(t token) { v.Items = append(v.Items, d.treeOf(t)) })
	case isObject:
		v.Shape = policyfile.Map
		d.object(t, func(key string) {
			v.Entries = append(v.Entries, policyfile.Entry{Key: key, Value: d.treeOf(d.token())})
		})
	case isNull, nothing:
	}
	return v
}
