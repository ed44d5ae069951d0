package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/internal/wrap"
)

// shownLines is how many members each part of the text lists; the JSON has all of them.
const shownLines = 20

// WriteText writes the answer for a person: what was seen, the worst first, what would go, what holds it and why, what to do next.
func (a *Answer) WriteText(w io.Writer) (err error) {
	defer wrap.Err(&err, "snapshot.Answer.WriteText")
	texts, err := i18n.Load()
	if err != nil {
		return err
	}
	t := &text{Answer: a, out: bufio.NewWriter(w), words: texts.For(i18n.English)}
	t.seen()
	t.members()
	t.roles()
	t.next()
	return t.out.Flush()
}

type text struct {
	*Answer
	out    *bufio.Writer
	words  *i18n.Printer
	alarms bool
	wrongs bool
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

// seen says what the file shows, and how far it can be believed.
func (t *text) seen() {
	f := t.file
	name := oneLine(f.Name)
	if f.Guild.Name != "" {
		name += ": " + oneLine(f.Guild.Name)
	}
	t.line("%s", name)
	if f.At.IsZero() {
		t.line("  The file does not say when this was true, so nobody is spared for being new.")
	} else {
		t.line("  As it was on %s EVE time.", f.At.Format("2006-01-02 15:04"))
	}
	t.line("  %s, %s.", count(len(f.Members), "member", "members"), count(len(f.Guild.Roles), "role", "roles"))
	if !f.Complete() {
		t.line("  Discord counts %d members: the list is not complete, so everything is held.", f.MemberCount)
	}
	switch d := f.Auth; {
	case d == nil:
		t.line("  Auth: not in this file. Without it nobody can be judged, and nothing is proposed.")
	case f.Health() == audit.Blind:
		t.line("  Auth: not believable (it needs at least one user, one link, one state and one holder of access). Nobody is judged by it.")
	default:
		t.line("  Auth: %s, %s, %s.", count(len(d.Accounts), "user", "users"), count(len(d.Groups), "group", "groups"), count(len(d.States), "state", "states"))
	}
	if n := t.scene.Proposed().Len(); n > 0 && f.Bound {
		t.line("  %s by name alone and not bound: reported, never removed.", count(n, "role is managed", "roles are managed"))
	}
	if f.UnknownRoles > 0 {
		t.line("  %s of members that the guild does not list: ignored.", count(f.UnknownRoles, "role", "roles"))
	}
	for _, n := range f.Notes {
		t.line("  Note: %s.", n)
	}
	t.line("")
	t.line("What the members are")
	for c := range audit.Categories() {
		if n := t.Summary.ByCategory[c.String()]; n > 0 {
			t.line("  %6d  %-15s %s", n, c, categoryWords(c))
		}
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// listing is one part of the text: the first lines, and how many there would be.
type listing struct {
	lines []string
	all   int
}

func (l *listing) add(line func() string) {
	if l.all++; l.all <= shownLines {
		l.lines = append(l.lines, line())
	}
}

func (t *text) print(l *listing, title string) {
	if l.all == 0 {
		return
	}
	t.line("")
	t.line("%s (%d)", title, l.all)
	for _, line := range l.lines {
		t.line("  %s", line)
	}
	if more := l.all - len(l.lines); more > 0 {
		t.line("  ... and %d more; --json lists all of them", more)
	}
}

func (t *text) members() {
	var alarms, free, held, reported listing
	for v := range t.Verdicts {
		if !v.Alarming.Empty() {
			alarms.add(func() string { return "! " + t.finding(&v) })
		}
		if d := t.deeds(&v, false); d != "" {
			free.add(func() string { return d })
		}
		if d := t.deeds(&v, true); d != "" {
			held.add(func() string { return d })
		}
		if !v.Acts() && v.Alarming.Empty() && t.worthALine(&v) {
			reported.add(func() string { return "- " + t.finding(&v) })
		}
	}
	t.alarms, t.wrongs = alarms.all > 0, free.all+held.all+reported.all > 0
	t.print(&alarms, "Look at these first: findings with privileged roles")
	t.print(&free, "What would be done")
	t.print(&held, "What would be done, but is held")
	t.holds()
	t.print(&reported, "Reported, left as they are")
}

// worthALine keeps empty-handed strangers and the ordinary bots out of the text: they are counted above.
func (t *text) worthALine(v *Verdict) bool {
	return t.scene.Noteworthy(&v.Decision) || !v.Decision.Held.And(t.scene.Concerning()).Empty() && v.Category.IsFinding()
}

func (t *text) holds() {
	if len(t.Plan.Gates) == 0 && len(t.Plan.Holds) == 0 {
		return
	}
	t.line("")
	t.line("What holds it, and why")
	for _, g := range t.Plan.Gates {
		t.line("  %s: %s", g, t.words.Gate(g))
	}
	for _, h := range t.Plan.Holds {
		t.line("  %s: %d would be touched within %s, %d are allowed; a plan over a brake does nothing there", t.by(h.By), h.Asked, windowWords(h.Window), h.Allowed)
	}
}

func (t *text) by(by audit.By) string {
	if by.Gate != 0 || by.Dimension != audit.OneRole {
		return by.String()
	}
	for i, r := range t.file.Guild.Roles {
		if r.ID == by.Role {
			return "one role, " + t.role(i)
		}
	}
	return by.String()
}

func codes(held []audit.By) string {
	list := make([]string, len(held))
	for i, by := range held {
		list[i] = by.String()
	}
	return strings.Join(list, ", ")
}

// who is a member as people know them, with the id that everything aims at.
func (t *text) who(v *Verdict) string {
	if name := oneLine(t.file.Person(v.Member).Display()); name != "" {
		return fmt.Sprintf("%s (%d)", name, v.Member)
	}
	return strconv.FormatUint(uint64(v.Member), 10)
}

func (t *text) role(i int) string { return quoted(t.file.Guild.Roles[i].Name) }

// quoted shows letters that pretend to be others.
func quoted(name string) string { return strconv.QuoteToASCII(name) }

func (t *text) roleList(set audit.RoleSet) string {
	var names []string
	for i := range set.All() {
		names = append(names, t.role(i))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// finding says who, what is wrong, with which roles, and why.
func (t *text) finding(v *Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", t.who(v), v.Category)
	if !v.Alarming.Empty() {
		fmt.Fprintf(&b, ", holds privileged %s", t.roleList(v.Alarming))
	}
	if rest := t.atIssue(v); !rest.Empty() {
		fmt.Fprintf(&b, ", holds %s", t.roleList(rest))
	}
	if missing := t.roleList(v.Missing); missing != "" {
		fmt.Fprintf(&b, ", lacks %s", missing)
	}
	for _, name := range v.Absent {
		fmt.Fprintf(&b, ", lacks %s, a role that the guild does not have", quoted(name))
	}
	for _, l := range t.scene.Lookalikes(v.Decision.Held) {
		fmt.Fprintf(&b, ", holds a role that looks like %s", quoted(l.Like))
	}
	if !v.Unreachable.Empty() {
		fmt.Fprintf(&b, ", out of the bot's reach %s", t.roleList(v.Unreachable))
	}
	b.WriteString("\n      ")
	fmt.Fprintf(&b, "%s, decided by %s", v.Act, oneLine(v.LayerCode()))
	for r := range v.Reasons.All() {
		b.WriteString("; " + t.words.Reason(r))
	}
	return b.String()
}

// atIssue are the managed roles that a finding is about, the privileged ones apart.
func (t *text) atIssue(v *Verdict) audit.RoleSet {
	switch v.Category {
	case audit.SurplusRoles:
		return v.Surplus.Minus(v.Alarming)
	case audit.UnknownGuest, audit.LinkedNoPerm:
		return v.Decision.Held.And(t.scene.Managed()).Minus(v.Alarming)
	case audit.BotFiltered, audit.Undecidable, audit.MissingRoles, audit.InOrder:
	}
	return audit.RoleSet{}
}

// deeds says what would be asked of Discord for a member and is held, or is not held; empty: nothing.
func (t *text) deeds(v *Verdict, held bool) string {
	if !v.Acts() {
		return ""
	}
	var parts []string
	var taken audit.RoleSet
	var by []audit.By
	for _, p := range t.actions(v.Member) {
		if held != (len(p.Held) > 0) {
			continue
		}
		switch p.Kind {
		case audit.RemoveRole:
			taken = taken.With(slices.IndexFunc(t.file.Guild.Roles, func(r audit.Role) bool { return r.ID == p.Role }))
		case audit.KickMember, audit.BanMember:
			parts = append(parts, p.Kind.String())
		case audit.Contain, audit.GiveRoleBack:
		}
		for _, b := range p.Held {
			if !slices.Contains(by, b) {
				by = append(by, b)
			}
		}
	}
	if !taken.Empty() {
		parts = slices.Insert(parts, 0, "take away "+t.roleList(taken))
	}
	switch {
	case len(parts) == 0:
		return ""
	case held:
		slices.SortFunc(by, compareBy)
		return fmt.Sprintf("%s: %s  [held: %s]", t.who(v), strings.Join(parts, ", "), codes(by))
	}
	return fmt.Sprintf("%s: %s", t.who(v), strings.Join(parts, ", "))
}

// actions are the plan's for one member; it is in order of members.
func (t *text) actions(member snowflake.ID) []audit.Planned {
	order := func(p audit.Planned, id snowflake.ID) int { return compare(p.Member, id) }
	begin, _ := slices.BinarySearchFunc(t.Plan.Actions, member, order)
	end, _ := slices.BinarySearchFunc(t.Plan.Actions, member+1, order)
	return t.Plan.Actions[begin:end]
}

func (t *text) roles() {
	findings := t.scene.RoleFindings()
	if len(findings) == 0 {
		return
	}
	l := listing{}
	for _, r := range findings {
		l.add(func() string {
			return fmt.Sprintf("- role %s (%d): %s", quoted(r.Name), r.Role, troubleWords(r))
		})
	}
	t.print(&l, "Roles to look at")
}

// next says what a person should do now.
func (t *text) next() {
	t.line("")
	t.line("What to do next")
	if t.alarms {
		t.line("  * Ask who gave the privileged roles above, and why. Nothing else here is as urgent.")
	}
	switch {
	case t.file.Health() == audit.Blind:
		t.line("  * Give the snapshot an \"aa\" part that lists users, their links, states and who has access.")
	case len(t.Plan.Actions) == 0 && t.wrongs:
		t.line("  * Read the findings. Nothing would be done: the policy only reports.")
	case len(t.Plan.Actions) == 0 && !t.alarms:
		t.line("  * Nothing. All is in order as far as this file shows.")
	case len(t.Plan.Gates) > 0:
		t.line("  * Read the findings. Nothing is done while a gate is closed.")
	case len(t.Plan.Holds) > 0:
		t.line("  * Find out why so many would be touched at once. If it is right, one plan can be let through by name; the brake stays.")
	case len(t.Plan.Actions) > 0:
		t.line("  * Read what would be done, and to whom.")
	}
	t.line("  * This was a replay of a file: nothing was changed anywhere.")
}
