package audit_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// world is a guild, its Auth and what people ordered, as testdata/README.md describes them in words.
type world struct {
	audit.Subjects
	policy  audit.Policy
	members []audit.Member
	used    audit.Used
	gates   audit.Gates
	partial bool // the roster is not proven to be complete

	ids    map[string]snowflake.ID // of people and roles by the name used in the story
	names  map[snowflake.ID]string
	access []string // "group:X", "state:X", "user:X"
}

const guildID = 1

func newWorld() *world {
	w := &world{policy: audit.DefaultPolicy(), ids: map[string]snowflake.ID{}, names: map[snowflake.ID]string{}}
	w.At = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w.Auth = &audit.Directory{Edition: "5"}
	w.OpenedLost, w.OpenedSurplus = map[snowflake.ID]time.Time{}, map[snowflake.ID]time.Time{}
	w.ProposalsBind = true
	w.Guild = audit.Guild{ID: guildID, Owner: w.person("Owner"), Bot: w.person("gatecamp"), BotTop: 100}
	w.Guild.Roles = []audit.Role{{ID: guildID, Name: "@everyone"}}
	w.names[guildID], w.ids["@everyone"] = "@everyone", guildID
	w.used.Quarter, w.used.Day = newUse(), newUse()
	return w
}

func newUse() audit.Use {
	return audit.Use{Members: map[snowflake.ID]struct{}{}, PerRole: map[snowflake.ID]int{}}
}

// person gives the Discord id of a name; a new name is a new id.
func (w *world) person(name string) snowflake.ID { return w.id(name, 1000) }

func (w *world) id(name string, from snowflake.ID) snowflake.ID {
	id, ok := w.ids[name]
	if !ok {
		id = from + snowflake.ID(len(w.ids))
		w.ids[name], w.names[id] = id, name
	}
	return id
}

// readWorld reads the lines of a story.
func readWorld(t *testing.T, text string) *world {
	t.Helper()
	w := newWorld()
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := w.read(line); err != nil {
			t.Fatalf("line %d, %s: %v", i+1, line, err)
		}
	}
	w.settle()
	return w
}

// settle gives access as Auth's has_perm would, and makes the look-up of links.
func (w *world) settle() {
	d := w.Auth
	if d == nil {
		return
	}
	d.Permissions = []string{audit.AccessDiscord}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		a.Grants = &audit.Bits{0}
		for _, holder := range w.access {
			kind, name, _ := strings.Cut(holder, ":")
			if kind == "user" && a.Username == name || kind == "state" && d.StateName(a) == name ||
				kind == "group" && slices.ContainsFunc(a.Groups, func(g int32) bool { return d.Groups[g] == name }) {
				a.Grants.Set(0)
			}
		}
		a.Access = d.Holds(a, audit.AccessDiscord)
	}
	d.Index()
}

// words are the words of a line. Quoted parts keep their blanks and may use Go's escapes.
func words(line string) (list []string, err error) {
	word, open := "", false
	for line != "" {
		switch {
		case line[0] == '"':
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("a quote is not closed")
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			word, open, line = word+text, true, line[len(quoted):]
		case line[0] == ' ':
			if open {
				list = append(list, word)
			}
			word, open, line = "", false, line[1:]
		default:
			word, open, line = word+line[:1], true, line[1:]
		}
	}
	if open {
		list = append(list, word)
	}
	return list, nil
}

// options are the rest of a line: plain words, and key=value.
type options struct {
	flags  []string
	values map[string]string
}

func readOptions(list []string) options {
	o := options{values: map[string]string{}}
	for _, word := range list {
		if key, value, ok := strings.Cut(word, "="); ok {
			o.values[key] = value
		} else {
			o.flags = append(o.flags, word)
		}
	}
	return o
}

func (o options) has(flag string) bool { return slices.Contains(o.flags, flag) }

func (o options) list(key string) []string {
	if o.values[key] == "" {
		return nil
	}
	return strings.Split(o.values[key], ",")
}

func (o options) number(key string) int {
	n, err := strconv.Atoi(cmpOr(o.values[key], "0"))
	if err != nil {
		panic(err)
	}
	return n
}

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

func (w *world) read(line string) error {
	list, err := words(line)
	if err != nil {
		return err
	}
	verb, rest := list[0], list[1:]
	name := ""
	if len(rest) > 0 {
		name = rest[0]
	}
	o := readOptions(rest)
	for _, reader := range []func(verb, name string, o options) (bool, error){w.readGuild, w.readAuth, w.readOrders, w.readBrakes} {
		if ok, err := reader(verb, name, o); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("cannot read %q", verb)
}

func (w *world) readGuild(verb, name string, o options) (bool, error) {
	switch verb {
	case "now":
		w.At = time.Time{}
		if name != "unknown" {
			at, err := time.Parse(time.RFC3339, name)
			w.At = at
			return true, err
		}
	case "owner":
		w.Guild.Owner = 0
		if name != "unknown" {
			w.Guild.Owner = w.person(name)
		}
	case "bot":
		w.Guild.Bot = w.person(name)
	case "top":
		w.Guild.BotTop = -1
		if name != "unknown" {
			w.Guild.BotTop, _ = strconv.Atoi(name)
		}
	case "role":
		w.readRole(name, o)
	case "member":
		return true, w.readMember(name, o)
	case "crowd":
		return true, w.readCrowd(name, o)
	case "leaves":
		w.members = slices.DeleteFunc(w.members, func(m audit.Member) bool { return m.ID == w.person(name) })
	default:
		return false, nil
	}
	return true, nil
}

func (w *world) readRole(name string, o options) {
	r := audit.Role{Name: name, Position: o.number("at"), Managed: o.has("by-discord")}
	label := cmpOr(o.values["as"], name)
	r.ID = w.id(label, 100)
	if id := o.number("id"); id > 0 {
		delete(w.names, r.ID)
		r.ID = snowflake.ID(id)
		w.ids[label], w.names[r.ID] = r.ID, label
	}
	for flag, bit := range map[string]audit.Permissions{
		"administrator": audit.Administrator, "manage-roles": audit.ManageRoles, "manage-guild": audit.ManageGuild,
		"manage-webhooks": audit.ManageWebhooks, "manage-channels": audit.ManageChannels, "kick": audit.KickMembers, "ban": audit.BanMembers,
		"mention-everyone": audit.MentionEveryone, "send-messages": 1 << 11,
	} {
		if o.has(flag) {
			r.Permissions |= bit
		}
	}
	if i := w.roleIndex(label); i >= 0 {
		w.Guild.Roles[i] = r
		return
	}
	w.Guild.Roles = append(w.Guild.Roles, r)
}

func (w *world) roleIndex(label string) int {
	return slices.IndexFunc(w.Guild.Roles, func(r audit.Role) bool { return r.ID == w.ids[label] })
}

func (w *world) readMember(name string, o options) error {
	m := audit.Member{ID: w.person(name), Joined: w.At.AddDate(-1, 0, 0).UnixMicro()}
	for _, label := range o.list("roles") {
		i := w.roleIndex(label)
		if i < 0 {
			return fmt.Errorf("no role %q", label)
		}
		m.Roles = m.Roles.With(i)
	}
	switch joined := o.values["joined"]; joined {
	case "":
	case "unknown":
		m.Joined = 0
	default:
		ago, err := time.ParseDuration(joined)
		if err != nil {
			return err
		}
		m.Joined = w.At.Add(-ago).UnixMicro()
	}
	if o.has("pending") {
		m.Flags |= audit.IsPending
	}
	if o.has("flagged-bot") {
		m.Flags |= audit.IsBot
	}
	w.members = slices.DeleteFunc(w.members, func(old audit.Member) bool { return old.ID == m.ID })
	w.members = append(w.members, m)
	return nil
}

// readCrowd makes members whose names differ by a number only; the report counts them together.
func (w *world) readCrowd(name string, o options) error {
	for i := range o.number("of") {
		one := fmt.Sprintf("%s#%d", name, i+1)
		if err := w.readMember(one, o); err != nil {
			return err
		}
		if _, ok := o.values["state"]; ok {
			o.values["discord"] = one
			if err := w.readAccount(one, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) readAuth(verb, name string, o options) (bool, error) {
	d := w.Auth
	switch verb {
	case "auth":
		switch name {
		case "healthy":
			w.AuthHealth = audit.Healthy
		case "doubtful":
			w.AuthHealth = audit.Doubtful
		case "blind":
			w.AuthHealth = audit.Blind
		case "missing":
			w.Auth = nil
		default:
			return true, fmt.Errorf("no health %q", name)
		}
	case "state":
		d.States = append(d.States, o.flags...)
	case "group":
		d.Groups = append(d.Groups, o.flags...)
	case "reserved":
		d.Reserved = append(d.Reserved, o.flags...)
	case "access":
		w.access = append(w.access, o.flags...)
	case "no-access":
		w.access = slices.DeleteFunc(w.access, func(holder string) bool { return o.has(holder) })
	case "account":
		return true, w.readAccount(name, o)
	case "identity":
		a := slices.IndexFunc(d.Accounts, func(a audit.Account) bool { return a.Username == o.values["user"] })
		user := int64(-1) // an Auth user that was deleted
		if a >= 0 {
			user = d.Accounts[a].User
		}
		d.Identities = append(d.Identities, audit.Identity{Discord: w.person(name), User: user, Source: audit.Historical})
	default:
		return false, nil
	}
	return true, nil
}

func (w *world) readAccount(name string, o options) error {
	d := w.Auth
	a := audit.Account{User: int64(len(d.Accounts) + 1), Username: name, Active: !o.has("inactive"), Superuser: o.has("superuser"), State: -1}
	if discord := o.values["discord"]; discord != "" {
		a.Discord = w.person(discord)
	}
	if state := o.values["state"]; state != "" {
		if a.State = int32(slices.Index(d.States, state)); a.State < 0 {
			return fmt.Errorf("no state %q", state)
		}
	}
	for _, group := range o.list("groups") {
		i := slices.Index(d.Groups, group)
		if i < 0 {
			return fmt.Errorf("no group %q", group)
		}
		a.Groups = append(a.Groups, int32(i))
	}
	if i := slices.IndexFunc(d.Accounts, func(old audit.Account) bool { return old.Username == name }); i >= 0 {
		a.User = d.Accounts[i].User
		d.Accounts[i] = a
		return nil
	}
	d.Accounts = append(d.Accounts, a)
	return nil
}

func (w *world) readOrders(verb, name string, o options) (bool, error) {
	role := func() snowflake.ID { return w.ids[name] }
	switch verb {
	case "unbound":
		w.ProposalsBind = false
	case "bind":
		w.ProposalsBind = false
		for key, kind := range map[string]audit.BindingKind{"group": audit.ToGroup, "state": audit.ToState, "guarded": audit.Guarded} {
			if to, ok := o.values[key]; ok {
				w.Bindings = append(w.Bindings, audit.Binding{Role: w.id(name, 100), Kind: kind, Name: to})
			}
		}
	case "exempt":
		w.Exempt = append(w.Exempt, role())
	case "privileged":
		w.PrivilegedRoles = append(w.PrivilegedRoles, role())
	case "botaccount":
		w.Bots = append(w.Bots, w.person(name))
	case "protect":
		w.Protected = append(w.Protected, w.person(name))
	case "block":
		b := audit.Block{Member: w.person(name)}
		if o.has("ban") {
			b.Act = audit.Ban
		}
		if o.has("strip") {
			b.Act = audit.Strip
		}
		w.Blocks = append(w.Blocks, b)
	case "immune":
		w.Immune = append(w.Immune, w.person(name))
	case "immune-role":
		w.ImmuneRoles = append(w.ImmuneRoles, role())
	case "override":
		act, ok := audit.ParseAct(o.flags[1])
		if !ok {
			return true, fmt.Errorf("no action %q", o.flags[1])
		}
		w.Overrides = append(w.Overrides, audit.Override{Member: w.person(name), Act: act, SingleUse: o.has("once")})
	case "opened":
		ago, err := time.ParseDuration(o.values["ago"])
		w.OpenedLost[w.person(name)], w.OpenedSurplus[w.person(name)] = w.At.Add(-ago), w.At.Add(-ago)
		return true, err
	case "opens-now":
		w.OpensNow = true
	case "run":
		act, ok := audit.ParseAct(name)
		if !ok {
			return true, fmt.Errorf("no action %q", name)
		}
		w.Ordered = act
	case "policy":
		return true, w.readPolicy(name, o)
	default:
		return false, nil
	}
	return true, nil
}

// readPolicy reads lines such as "policy linked_no_perm strip_kick group:Directors=report state:Guest=strip grace=72h".
func (w *world) readPolicy(name string, o options) error {
	c, ok := audit.ParseCategory(name)
	if !ok {
		return fmt.Errorf("no category %q", name)
	}
	r := audit.Rule{Grace: w.policy.Rules[c].Grace, ByGroup: map[string]audit.Act{}, ByState: map[string]audit.Act{}}
	if r.Default, ok = audit.ParseAct(o.flags[1]); !ok {
		return fmt.Errorf("no action %q", o.flags[1])
	}
	for key, value := range o.values {
		if key == "grace" {
			grace, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			r.Grace = grace
			continue
		}
		act, ok := audit.ParseAct(value)
		kind, entry, named := strings.Cut(key, ":")
		if !ok || !named {
			return fmt.Errorf("cannot read %s=%s", key, value)
		}
		map[string]map[string]audit.Act{"group": r.ByGroup, "state": r.ByState}[kind][entry] = act
	}
	w.policy.Rules[c] = r
	return nil
}

func (w *world) readBrakes(verb, name string, o options) (bool, error) {
	switch verb {
	case "limit":
		d, known := audit.ParseDimension(name)
		window, ok := audit.ParseWindow(o.flags[1])
		if !known || !ok {
			return true, fmt.Errorf("no such brake")
		}
		w.policy.Limits[d][window] = audit.Brake{Floor: o.number("floor"), BasisPoints: o.number("share"), Ceiling: o.number("ceiling"), Set: true}
	case "used":
		use := map[string]*audit.Use{"15m": &w.used.Quarter, "day": &w.used.Day}[name]
		use.Kicks += o.number("kicks")
		use.Roles += o.number("roles")
		use.Privileged += o.number("privileged")
		use.BlockKicks += o.number("block-kicks")
		for i := range o.number("members") {
			use.Members[snowflake.ID(900_000+i)] = struct{}{}
		}
		if label := o.values["role"]; label != "" {
			use.PerRole[w.ids[label]] += o.number("times")
		}
	case "tripped":
		dimension, label, _ := strings.Cut(name, ":")
		d, ok := audit.ParseDimension(dimension)
		w.used.Tripped = append(w.used.Tripped, audit.By{Dimension: d, Role: w.ids[label]})
		if !ok {
			return true, fmt.Errorf("no dimension %q", name)
		}
	case "live":
		w.used.Live = true
	case "roster":
		w.partial = name == "incomplete"
	case "gate":
		w.gates.Locked, w.gates.Paused = w.gates.Locked || name == "lock", w.gates.Paused || name == "pause"
		w.gates.DryRun = w.gates.DryRun || name == "dry-run"
		w.gates.StripsLocked, w.gates.KicksLocked = w.gates.StripsLocked || name == "strips", w.gates.KicksLocked || name == "kicks"
	case "once":
		w.gates.Once = true
	default:
		return false, nil
	}
	return true, nil
}
