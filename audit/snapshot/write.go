package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/internal/wrap"
)

// pageSize is how many members Discord lists at once, and so a page of ours.
const pageSize = 1_000

// Write writes a snapshot; reading it gives the same File, what is not in force included. Ids are strings: JavaScript and jq would
// round them as numbers.
func Write(w io.Writer, f *File) (err error) {
	defer wrap.Err(&err, "snapshot.Write")
	out := &writer{to: bufio.NewWriterSize(w, 1<<16)}
	out.raw("{")
	if !f.At.IsZero() {
		out.value("at", f.At.Format(time.RFC3339Nano))
		out.raw(",")
	}
	if known(f) {
		out.value("guild", guildOf(f))
		out.raw(",")
	}
	out.value("limits", limitsOf(f.Policy.Limits))
	if f.Auth != nil {
		out.raw(",")
		out.value("aa", authOf(f))
	}
	out.raw(",\n" + `"guild_roles":[`)
	for i, r := range f.Guild.Roles {
		out.item(i, roleOf(r))
	}
	out.raw("\n],\n" + `"guild_members":[[`)
	for i, m := range f.Members {
		if i > 0 && i%pageSize == 0 {
			out.raw("\n],[")
		}
		out.item(i%pageSize, memberOf(f, i, m))
	}
	out.raw("\n]]\n}\n")
	if out.err != nil {
		return out.err
	}
	return out.to.Flush()
}

// known reports whether anything is known about the guild itself.
func known(f *File) bool {
	g := f.Guild
	return g.ID != 0 || g.Owner != 0 || g.Bot != 0 || g.BotTop >= 0 || g.Name != "" || f.MemberCount >= 0
}

// writer keeps its first error.
type writer struct {
	to  *bufio.Writer
	err error
}

func (w *writer) raw(s string) {
	if w.err == nil {
		_, w.err = w.to.WriteString(s)
	}
}

func (w *writer) json(v any) {
	if w.err != nil {
		return
	}
	var b []byte
	if b, w.err = marshal(v); w.err == nil {
		_, w.err = w.to.Write(b)
	}
}

func (w *writer) value(key string, v any) {
	w.raw("\n" + strconv.Quote(key) + ":")
	w.json(v)
}

func (w *writer) item(i int, v any) {
	if i > 0 {
		w.raw(",")
	}
	w.raw("\n")
	w.json(v)
}

type idText snowflake.ID

func (id idText) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(id), 10), nil
}

type jsonRole struct {
	ID          idText `json:"id"`
	Name        string `json:"name"`
	Managed     bool   `json:"managed"`
	Position    int    `json:"position"`
	Permissions string `json:"permissions"`
}

func roleOf(r audit.Role) jsonRole {
	return jsonRole{idText(r.ID), r.Name, r.Managed, r.Position, strconv.FormatUint(uint64(r.Permissions), 10)}
}

type jsonMember struct {
	User struct {
		ID         idText  `json:"id"`
		Username   string  `json:"username"`
		GlobalName *string `json:"global_name"`
		Bot        bool    `json:"bot,omitempty"`
	} `json:"user"`
	Nick     *string  `json:"nick"`
	Roles    []idText `json:"roles"`
	JoinedAt *string  `json:"joined_at"`
	Pending  bool     `json:"pending,omitempty"`
}

func memberOf(f *File, i int, m audit.Member) jsonMember {
	who := f.People.At(i)
	var j jsonMember
	j.User.ID, j.User.Username, j.User.GlobalName, j.User.Bot = idText(m.ID), who.Username, orNull(who.GlobalName), m.Is(audit.IsBot)
	j.Nick, j.Pending, j.Roles = orNull(who.Nick), m.Is(audit.IsPending), make([]idText, 0, m.Roles.Len())
	for r := range m.Roles.All() {
		j.Roles = append(j.Roles, idText(f.Guild.Roles[r].ID))
	}
	if m.Joined != 0 {
		j.JoinedAt = orNull(time.UnixMicro(m.Joined).UTC().Format(time.RFC3339Nano))
	}
	return j
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type jsonGuild struct {
	ID          idText `json:"id,omitzero"`
	Owner       idText `json:"owner_id,omitzero"`
	Bot         idText `json:"bot_user_id,omitzero"`
	BotTop      *int   `json:"bot_top_position,omitempty"`
	MemberCount *int   `json:"member_count,omitempty"`
	Name        string `json:"name,omitempty"`
}

func guildOf(f *File) jsonGuild {
	g := jsonGuild{ID: idText(f.Guild.ID), Owner: idText(f.Guild.Owner), Bot: idText(f.Guild.Bot), Name: f.Guild.Name}
	if f.Guild.BotTop >= 0 {
		g.BotTop = &f.Guild.BotTop
	}
	if f.MemberCount >= 0 {
		g.MemberCount = &f.MemberCount
	}
	return g
}

type jsonAuth struct {
	States     []string            `json:"states"`
	Groups     []string            `json:"groups"`
	Access     jsonAccess          `json:"access"`
	Reserved   []string            `json:"reserved_names"`
	Users      []jsonUser          `json:"users"`
	Identities []jsonIdentity      `json:"identities"`
	Bots       []idText            `json:"bot_uids"`
	Protected  []jsonProtection    `json:"protected"`
	Exempt     []idText            `json:"role_exceptions"`
	Blocks     []jsonBlock         `json:"blocks"`
	Overrides  []jsonOverride      `json:"overrides"`
	Opened     map[string]string   `json:"opened"`
	Policy     map[string]jsonRule `json:"policy"`
	Privileged []idText            `json:"privileged_roles,omitempty"`
	Bindings   *jsonBindings       `json:"bindings,omitempty"`
}

// jsonAccess names users alone: through which group or state they hold access is not kept, only that they do.
type jsonAccess struct {
	Groups []string `json:"groups"`
	States []string `json:"states"`
	Users  []int64  `json:"users"`
}

type jsonUser struct {
	ID          int64    `json:"id"`
	Username    string   `json:"username"`
	Active      bool     `json:"active"`
	Superuser   bool     `json:"superuser"`
	State       *string  `json:"state"`
	Groups      []string `json:"groups"`
	Main        *string  `json:"main"`
	Discord     *idText  `json:"discord_uid"`
	Permissions []string `json:"permissions,omitempty"`
}

type jsonIdentity struct {
	Discord idText `json:"uid"`
	User    int64  `json:"user"`
	Source  string `json:"source"`
}

type jsonProtection struct {
	Member idText  `json:"uid"`
	Reason string  `json:"reason,omitempty"`
	Owner  string  `json:"owner,omitempty"`
	Until  *string `json:"expires_at"`
}

type jsonBlock struct {
	Member idText  `json:"uid"`
	Until  *string `json:"until"`
	Ban    bool    `json:"ban"`
	Strip  bool    `json:"strip,omitempty"`
}

type jsonOverride struct {
	Member    idText  `json:"member_id"`
	Act       string  `json:"action"`
	Until     *string `json:"expires_at"`
	SingleUse bool    `json:"single_use"`
}

type jsonRule struct {
	Default  string            `json:"default"`
	ByState  map[string]string `json:"by_state,omitempty"`
	ByGroup  map[string]string `json:"by_group,omitempty"`
	Realtime string            `json:"realtime"`
	Grace    string            `json:"grace"`
}

type jsonBindings struct {
	Groups  map[string][]idText `json:"groups"`
	States  map[string][]idText `json:"states"`
	Guarded []idText            `json:"guarded"`
}

func authOf(f *File) jsonAuth {
	d := f.Auth
	a := jsonAuth{
		States: some(d.States), Groups: some(d.Groups), Reserved: some(d.Reserved),
		Access: jsonAccess{Groups: []string{}, States: []string{}, Users: []int64{}},
		Users:  make([]jsonUser, 0, len(d.Accounts)), Identities: []jsonIdentity{},
		Bots: idTextsOf(f.Bots), Exempt: idTextsOf(f.Exempt), Privileged: idTextsOf(f.Policy.PrivilegedRoles),
		Protected: []jsonProtection{}, Blocks: []jsonBlock{}, Overrides: []jsonOverride{}, Opened: map[string]string{},
		Policy: policyOf(&f.Policy), Bindings: bindingsOf(f),
	}
	right, granted := slices.BinarySearch(d.Permissions, audit.AccessDiscord)
	for i := range d.Accounts {
		a.Users = append(a.Users, userOf(d, &d.Accounts[i]))
		if granted && d.Accounts[i].Grants.Has(right) {
			a.Access.Users = append(a.Access.Users, d.Accounts[i].User)
		}
	}
	for _, id := range d.Identities {
		a.Identities = append(a.Identities, jsonIdentity{idText(id.Discord), id.User, id.Source.String()})
	}
	for _, p := range f.Protected {
		a.Protected = append(a.Protected, jsonProtection{idText(p.Member), p.Reason, p.Owner, instantOf(p.Until)})
	}
	for _, b := range f.Blocks {
		a.Blocks = append(a.Blocks, jsonBlock{idText(b.Member), instantOf(b.Until), b.Act == audit.Ban, b.Act == audit.Strip})
	}
	for _, o := range f.Overrides {
		a.Overrides = append(a.Overrides, jsonOverride{idText(o.Member), o.Act.String(), instantOf(o.Until), o.SingleUse})
	}
	for member, at := range f.Opened {
		a.Opened[fmt.Sprint(uint64(member))] = at.Format(time.RFC3339Nano)
	}
	return a
}

func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func instantOf(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return orNull(t.UTC().Format(time.RFC3339Nano))
}

func idTextsOf(ids []snowflake.ID) []idText {
	texts := make([]idText, len(ids))
	for i, id := range ids {
		texts[i] = idText(id)
	}
	return texts
}

func userOf(d *audit.Directory, a *audit.Account) jsonUser {
	u := jsonUser{ID: a.User, Username: a.Username, Active: a.Active, Superuser: a.Superuser, State: orNull(d.StateName(a)), Groups: make([]string, 0, len(a.Groups)), Main: orNull(a.Main.Name)}
	for _, g := range a.Groups {
		u.Groups = append(u.Groups, d.Groups[g])
	}
	if a.Discord != 0 {
		id := idText(a.Discord)
		u.Discord = &id
	}
	for i, p := range d.Permissions {
		if p != audit.AccessDiscord && a.Grants.Has(i) {
			u.Permissions = append(u.Permissions, p)
		}
	}
	return u
}

func policyOf(p *audit.Policy) map[string]jsonRule {
	rules := map[string]jsonRule{}
	for c := range audit.Categories() {
		if c == audit.InOrder {
			continue
		}
		r := &p.Rules[c]
		rules[c.String()] = jsonRule{r.Default.String(), words(r.ByState), words(r.ByGroup), r.Realtime.String(), policyfile.FormatDuration(r.Grace)}
	}
	return rules
}

func words(acts map[string]audit.Act) map[string]string {
	w := make(map[string]string, len(acts))
	for name, a := range acts {
		w[name] = a.String()
	}
	return w
}

// limitsOf leaves out brakes on role removals that are three times those on members anyway.
func limitsOf(l audit.Limits) map[string]map[string]map[string]int {
	derived := l
	derived.DeriveRoles()
	all := map[string]map[string]map[string]int{}
	for d, windows := range l {
		for w, b := range windows {
			if !b.Set || audit.Dimension(d) == audit.RolesRemoved && b == derived[d][w] {
				continue
			}
			name := audit.Dimension(d).String()
			if all[name] == nil {
				all[name] = map[string]map[string]int{}
			}
			all[name][audit.Window(w).String()] = map[string]int{"floor": b.Floor, "share": b.BasisPoints, "ceiling": b.Ceiling}
		}
	}
	return all
}

func bindingsOf(f *File) *jsonBindings {
	if !f.Bound {
		return nil
	}
	b := &jsonBindings{Groups: map[string][]idText{}, States: map[string][]idText{}, Guarded: []idText{}}
	for _, x := range f.Bindings {
		switch x.Kind {
		case audit.ToGroup:
			b.Groups[x.Name] = append(b.Groups[x.Name], idText(x.Role))
		case audit.ToState:
			b.States[x.Name] = append(b.States[x.Name], idText(x.Role))
		case audit.Guarded:
			b.Guarded = append(b.Guarded, idText(x.Role))
		}
	}
	return b
}
