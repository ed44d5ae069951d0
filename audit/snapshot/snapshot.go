// Package snapshot reads and writes gatecamp.snapshot/1: one JSON file that holds all that an audit needs, so that any verdict can
// be computed again without network, Auth or Discord.
//
// What must stay true: what does not fit is refused with its place and nothing of it is used; what a file does not say is unknown,
// never "no".
package snapshot

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// File is a snapshot. Its lists hold all that was written, in force or not.
type File struct {
	Name  string    // as the caller named it, for messages
	At    time.Time // when this was true, UTC; zero: unknown
	Guild audit.Guild
	// MemberCount is how many members Discord says there are; -1: unknown, then the roster counts as complete.
	MemberCount int
	Members     []audit.Member // ascending by id
	People      People         // parallel to Members

	Auth      *audit.Directory // nil: the file has no "aa"
	Bots      []snowflake.ID
	Protected []Protection
	Exempt    []snowflake.ID // roles that are never managed
	Blocks    []audit.Block
	Overrides []audit.Override
	Opened    map[snowflake.ID]time.Time // since when each member's finding has been open
	Bindings  []audit.Binding
	Bound     bool // the file says what is bound; else the proposals by name count as bound
	Policy    audit.Policy

	UnknownRoles int      // roles that members hold and the guild does not list; ignored
	Notes        []string // what was read and can hardly be meant, for people
}

// Protection says that a member is never acted on.
type Protection struct {
	Member snowflake.ID
	Reason string
	Owner  string    // who answers for it
	Until  time.Time // zero: no end
}

// New is a snapshot of nothing: who owns the guild, how far the bot reaches and how many members there are is unknown, and the
// policy only reports.
func New(name string) *File {
	return &File{Name: name, Guild: audit.Guild{BotTop: -1}, MemberCount: -1, Policy: audit.DefaultPolicy()}
}

// Complete reports whether the members are all that the guild has, as far as the file can tell.
func (f *File) Complete() bool { return f.MemberCount < 0 || f.MemberCount == len(f.Members) }

// Health is how far Auth can be believed: there must be at least one user, link, state and holder of access. A file has nothing that
// it could be compared with.
func (f *File) Health() audit.Health {
	if f.Auth == nil || len(f.Auth.States) == 0 {
		return audit.Blind
	}
	links, holders := false, false
	for i := range f.Auth.Accounts {
		links = links || f.Auth.Accounts[i].Discord != 0
		holders = holders || f.Auth.Accounts[i].Access
	}
	if !links || !holders {
		return audit.Blind
	}
	return audit.Healthy
}

// Subjects is the snapshot as a Scene wants it, with the lists cut down to what is in force at its time. When that is unknown,
// protections are in force, overrides that end are not, and blocks that end are.
func (f *File) Subjects() audit.Subjects {
	s := audit.Subjects{
		At: f.At, Guild: f.Guild, Auth: f.Auth, AuthHealth: f.Health(),
		Bindings: f.Bindings, ProposalsBind: !f.Bound, Exempt: f.Exempt, PrivilegedRoles: f.Policy.PrivilegedRoles,
		Bots: f.Bots, OpenedLost: f.Opened, OpenedSurplus: f.Opened,
	}
	for _, p := range f.Protected {
		if audit.InForce(f.At, p.Until, true) {
			s.Protected = append(s.Protected, p.Member)
		}
	}
	for _, b := range f.Blocks {
		if audit.InForce(f.At, b.Until, true) {
			s.Blocks = append(s.Blocks, b)
		}
	}
	for _, o := range f.Overrides {
		if audit.InForce(f.At, o.Until, false) {
			s.Overrides = append(s.Overrides, o)
		}
	}
	return s
}

// Person is what people call a member.
type Person struct {
	Username   string
	GlobalName string // empty: none
	Nick       string // empty: none
}

// Display is the name that members of the guild see.
func (p Person) Display() string {
	switch {
	case p.Nick != "":
		return p.Nick
	case p.GlobalName != "":
		return p.GlobalName
	}
	return p.Username
}

// People is a table of names. They lie in one piece of memory: a guild of 250,000 has 750,000 of them.
type People struct {
	text []byte
	ends []uint32 // three per person
}

// Add puts a person at the end.
func (p *People) Add(who Person) {
	for _, name := range [...]string{who.Username, who.GlobalName, who.Nick} {
		p.text = append(p.text, name...)
		p.ends = append(p.ends, uint32(len(p.text)))
	}
}

// Len is how many people there are.
func (p *People) Len() int { return len(p.ends) / 3 }

// At gives the names of one of them; nothing beyond the end.
func (p *People) At(i int) Person {
	if i < 0 || i >= p.Len() {
		return Person{}
	}
	begin := uint32(0)
	if i > 0 {
		begin = p.ends[3*i-1]
	}
	e := p.ends[3*i : 3*i+3]
	return Person{Username: string(p.text[begin:e[0]]), GlobalName: string(p.text[e[0]:e[1]]), Nick: string(p.text[e[1]:e[2]])}
}

// Person finds a member's names.
func (f *File) Person(member snowflake.ID) Person {
	i, ok := slices.BinarySearchFunc(f.Members, member, func(m audit.Member, id snowflake.ID) int { return compare(m.ID, id) })
	if !ok {
		return Person{}
	}
	return f.People.At(i)
}

func compare(a, b snowflake.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// oneLine makes a name fit for a line of text: what could break or colour the line is dropped.
func oneLine(name string) string {
	return strings.Map(func(r rune) rune {
		if !isPlain(r) {
			return -1
		}
		return r
	}, name)
}

// isPlain keeps control characters, line ends and what turns the direction of writing out of lines for people.
func isPlain(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }
