package discord

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// mirror is what we have seen of one guild: its roles, and of each member the roles, when they joined, two flags. A member costs
// about 30 bytes: role sets repeat, so each is kept once.
//
// Events and a full read change it side by side. An event is newer than the row of a read that began before it.
type mirror struct {
	mu      sync.Mutex
	guild   audit.Guild
	locale  string               // that Discord speaks in the guild; empty: not known yet
	index   map[snowflake.ID]int // role id → index in guild.Roles
	members map[snowflake.ID]row
	sets    []audit.RoleSet
	setAt   map[audit.RoleSet]uint32
	held    [audit.MaxRoles]int // members of each role, by its index
	changes uint64              // counts whatever may have made others members than before

	claimed  int  // how many members Discord says there are, counted on by joins and leaves
	whole    bool // everybody was read once: who is not known is not there
	counted  bool // claimed can be believed: no join or leave was missed since Discord said it
	current  bool // roles and owner are as they are now: no event was missed since they were read whole
	away     bool // an outage, or the bot is not in the guild
	standing uint // changes with everything that the bot's reach depends on
	shape    uint // changes when rows of before do not mean the same any more
	joins    uint // members who were not known before
	complete bool
	read     *fullRead // nil: none under way
	traces   map[snowflake.ID]*trace
}

// row is one member.
type row struct {
	joined uint32 // seconds since Discord's epoch; 0: unknown
	set    uint32 // index into sets, and the flags above it
}

const (
	rowBot     uint32 = 1 << 31
	rowPending uint32 = 1 << 30
	rowSet     uint32 = rowPending - 1
)

// fullRead is a read of all members under way.
type fullRead struct {
	members map[snowflake.ID]row
	touched map[snowflake.ID]struct{} // by events since it began: their rows, or their absence, are newer
	claimed int                       // members when it began
	counted bool                      // that can be believed
	moves   int                       // joins and leaves since
	missed  bool                      // events may have been missed since
}

func newMirror(guild, bot snowflake.ID) *mirror {
	return &mirror{
		guild: audit.Guild{ID: guild, Bot: bot, BotTop: -1}, index: map[snowflake.ID]int{}, members: map[snowflake.ID]row{},
		setAt: map[audit.RoleSet]uint32{}, traces: map[snowflake.ID]*trace{},
	}
}

// setGuild takes the guild as Discord shows it whole; claimed is how many members it says there are, below zero if it does not say.
func (m *mirror) setGuild(name string, owner snowflake.ID, roles []discord.Role, claimed int) error {
	if len(roles) > audit.MaxRoles {
		return tooManyRoles(m.guild.ID, len(roles))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	m.guild.Name, m.guild.Owner, m.current, m.away = name, owner, true, false
	if claimed >= 0 {
		m.claimed, m.counted = claimed, true
	}
	next := make([]audit.Role, 0, len(roles))
	for _, r := range roles {
		next = append(next, auditRole(r))
	}
	m.setRoles(next)
	return nil
}

// setRoles replaces the list and moves every role set to the new indexes; a role that is gone leaves the sets.
func (m *mirror) setRoles(roles []audit.Role) {
	slices.SortFunc(roles, func(a, b audit.Role) int { return cmp.Compare(a.ID, b.ID) })
	m.shape++
	index := make(map[snowflake.ID]int, len(roles))
	for i, r := range roles {
		index[r.ID] = i
	}
	for n, old := range m.sets {
		var moved audit.RoleSet
		for i := range old.All() {
			if to, ok := index[m.guild.Roles[i].ID]; ok {
				moved = moved.With(to)
			}
		}
		m.sets[n] = moved
	}
	clear(m.setAt)
	for n, s := range m.sets {
		m.setAt[s] = uint32(n)
	}
	var held [audit.MaxRoles]int
	for i, n := range m.held[:len(m.guild.Roles)] {
		if to, ok := index[m.guild.Roles[i].ID]; ok {
			held[to] = n
		}
	}
	m.held = held
	m.guild.Roles, m.index = roles, index
	m.place()
}

// hold counts a member's roles, or discounts them.
func (m *mirror) hold(r row, n int) {
	for i := range m.sets[r.set&rowSet].All() {
		m.held[i] += n
	}
}

// place works out the bot's highest role.
func (m *mirror) place() {
	m.standing++
	m.changes++
	r, ok := m.members[m.guild.Bot]
	if !ok {
		return
	}
	top := topRole(m.guild, m.sets[r.set&rowSet])
	m.guild.BotTop, m.guild.BotTopRole = top.Position, top.ID
}

// putRole takes a role that was made or edited. Where there is no room for it, the list of members no longer counts as complete.
func (m *mirror) putRole(r discord.Role) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, known := m.index[r.ID]; known {
		m.guild.Roles = slices.Clone(m.guild.Roles) // pictures share the old list
		m.guild.Roles[i] = auditRole(r)
		m.place()
		return
	}
	if len(m.guild.Roles) == audit.MaxRoles {
		m.complete = false
		m.changes++
		return
	}
	m.setRoles(append(slices.Clone(m.guild.Roles), auditRole(r)))
}

// dropRole forgets a role: Discord does not say that its holders lost it.
func (m *mirror) dropRole(id snowflake.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.index[id]; known {
		m.setRoles(slices.DeleteFunc(slices.Clone(m.guild.Roles), func(r audit.Role) bool { return r.ID == id }))
	}
}

// put takes a member as an event or a single read shows them, and says whether they hold other roles than were known.
func (m *mirror) put(member *discord.Member, joined bool) (other bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.row(member)
	old, known := m.members[member.User.ID]
	other = !known && len(member.RoleIDs) > 0 || known && old.set&rowSet != r.set&rowSet
	if known {
		m.hold(old, -1)
	} else {
		m.joins++
		m.changes++
	}
	m.hold(r, 1)
	m.members[member.User.ID] = r
	if joined && !known {
		m.claimed++
	}
	if m.read != nil {
		m.read.touched[member.User.ID] = struct{}{}
		if joined {
			m.read.moves++
		}
	}
	if member.User.ID == m.guild.Bot {
		m.place()
	}
	m.traces[member.User.ID].saw(sighting{roles: member.RoleIDs})
	return other
}

// drop forgets a member who left.
func (m *mirror) drop(id snowflake.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, known := m.members[id]
	if known {
		m.hold(old, -1)
	}
	if known || !m.whole { // one who left twice left once
		m.claimed--
	}
	m.changes++
	delete(m.members, id)
	if m.read != nil {
		m.read.touched[id] = struct{}{}
		m.read.moves++
	}
	m.traces[id].saw(sighting{left: true})
}

// doubt says that events may have been missed: nothing is complete until the next full read, and roles are read anew before.
func (m *mirror) doubt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.complete, m.whole, m.counted, m.current = false, false, false, false
	m.changes++
	if m.read != nil {
		m.read.missed = true
	}
	for _, t := range m.traces {
		t.blind = true
	}
}

// gone says that the guild cannot be seen any more: an outage, or the bot was removed.
func (m *mirror) gone() {
	m.doubt()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = true
}

func (m *mirror) row(member *discord.Member) row {
	set := m.known(member.RoleIDs)
	n, ok := m.setAt[set]
	if !ok {
		n = uint32(len(m.sets))
		m.sets = append(m.sets, set)
		m.setAt[set] = n
	}
	r := row{set: n}
	if member.User.Bot {
		r.set |= rowBot
	}
	if member.Pending {
		r.set |= rowPending
	}
	if member.JoinedAt != nil {
		r.joined = uint32(max(0, min(member.JoinedAt.UnixMilli()-snowflake.Epoch, int64(^uint32(0))*1000)) / 1000)
	}
	return r
}

func (m *mirror) member(id snowflake.ID, r row) audit.Member {
	a := audit.Member{ID: id, Roles: m.sets[r.set&rowSet]}
	if r.joined > 0 {
		a.Joined = (snowflake.Epoch + int64(r.joined)*1000) * int64(time.Millisecond/time.Microsecond)
	}
	if r.set&rowBot != 0 {
		a.Flags |= audit.IsBot
	}
	if r.set&rowPending != 0 {
		a.Flags |= audit.IsPending
	}
	return a
}

// beginRead starts, or starts anew, a full read.
func (m *mirror) beginRead() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = &fullRead{
		members: make(map[snowflake.ID]row, max(len(m.members), m.claimed)), touched: map[snowflake.ID]struct{}{}, claimed: m.claimed, counted: m.counted,
	}
}

// add takes one chunk or page of the read.
func (m *mirror) add(members []discord.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range members {
		if _, newer := m.read.touched[members[i].User.ID]; !newer {
			m.read.members[members[i].User.ID] = m.row(&members[i])
		}
	}
}

// abandonRead leaves everything as it was.
func (m *mirror) abandonRead() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = nil
}

// endRead makes the read the list of members and says what speaks for it being complete.
func (m *mirror) endRead() proof {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.read
	m.read = nil
	for id := range r.touched {
		delete(r.members, id)
		if now, here := m.members[id]; here {
			r.members[id] = now
		}
	}
	m.members = r.members
	m.forgetSets()
	m.recount()
	off := len(m.members) - r.claimed
	p := proof{members: len(m.members), claimed: r.claimed, moves: r.moves, missed: r.missed}
	switch {
	case !r.counted:
		p.count = countUnknown
	case max(off, -off) <= r.moves:
		p.count = countRight
	default:
		p.count = countWrong
	}
	m.claimed, m.counted, m.whole, m.complete = len(m.members), !r.missed, !r.missed, false
	m.place()
	return p
}

// proof is what speaks for or against a full read.
type proof struct {
	members, claimed, moves int
	count                   countProof
	missed                  bool // events may have been missed while it went on
}

type countProof int

const (
	countWrong   countProof = iota
	countRight              // as many as Discord claimed, within the joins and leaves that came meanwhile
	countUnknown            // nobody knows how many there should be
)

// believe makes the list count as complete, unless an event was missed since it was read.
func (m *mirror) believe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.complete = m.counted
	m.changes++
}

// forgetSets keeps only the role sets that somebody has.
func (m *mirror) forgetSets() {
	m.shape++
	moved := make([]uint32, len(m.sets))
	var kept []audit.RoleSet
	clear(m.setAt)
	for id, r := range m.members {
		n := r.set & rowSet
		if moved[n] == 0 {
			if at, known := m.setAt[m.sets[n]]; known {
				moved[n] = at + 1
			} else {
				kept = append(kept, m.sets[n])
				moved[n] = uint32(len(kept))
				m.setAt[m.sets[n]] = moved[n] - 1
			}
		}
		r.set = r.set&^rowSet | moved[n] - 1
		m.members[id] = r
	}
	m.sets = kept
}

// picture copies what is known; members are sorted by id.
func (m *mirror) picture() (g audit.Guild, members []audit.Member, complete bool) {
	g, members, complete = m.unsorted()
	slices.SortFunc(members, func(a, b audit.Member) int { return cmp.Compare(a.ID, b.ID) })
	return g, members, complete
}

// copiedAtOnce is how many members are copied before the goroutine that reads the gateway gets its turn.
const copiedAtOnce = 1024

// unsorted copies what is known. The reader waits for a part of it and not for all; what changes meanwhile is in it or not.
func (m *mirror) unsorted() (g audit.Guild, members []audit.Member, complete bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	members = make([]audit.Member, 0, len(m.members)+copiedAtOnce)
	for whole := range copyTries {
		shape, joins := m.shape, m.joins
		members = members[:0]
		for id, r := range m.members {
			if members = append(members, m.member(id, r)); len(members)%copiedAtOnce > 0 || whole == copyTries-1 {
				continue
			}
			m.mu.Unlock()
			runtime.Gosched()
			m.mu.Lock()
			if m.shape != shape { // other roles, or all members were read anew: what was copied does not fit
				break
			}
		}
		if m.shape == shape {
			if m.joins != joins { // who left and came back meanwhile may be there twice
				slices.SortFunc(members, func(a, b audit.Member) int { return cmp.Compare(a.ID, b.ID) })
				members = slices.CompactFunc(members, func(a, b audit.Member) bool { return a.ID == b.ID })
			}
			break
		}
	}
	return m.guild, members, m.complete
}

// copyTries is how often a copy is begun; the last one keeps the reader waiting.
const copyTries = 4

// recount counts every role's holders anew.
func (m *mirror) recount() {
	bySet := make([]int, len(m.sets))
	for _, r := range m.members {
		bySet[r.set&rowSet]++
	}
	clear(m.held[:])
	for n, s := range m.sets {
		for i := range s.All() {
			m.held[i] += bySet[n]
		}
	}
}

// facts turns members, as a read just showed them, into facts, with the guild as it is now.
func (m *mirror) facts(members []discord.Member) (audit.Guild, []audit.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]audit.Member, len(members))
	for i := range members {
		list[i] = m.fact(&members[i])
	}
	return m.guild, list
}

func (m *mirror) fact(member *discord.Member) audit.Member {
	a := audit.Member{ID: member.User.ID, Roles: m.known(member.RoleIDs)}
	if member.JoinedAt != nil {
		a.Joined = member.JoinedAt.UnixMicro()
	}
	if member.User.Bot {
		a.Flags |= audit.IsBot
	}
	if member.Pending {
		a.Flags |= audit.IsPending
	}
	return a
}

// known drops the ids of roles that are none: deleted ones linger in members (discord-api-docs 2822).
func (m *mirror) known(ids []snowflake.ID) (set audit.RoleSet) {
	for _, id := range ids {
		if i, ok := m.index[id]; ok {
			set = set.With(i)
		}
	}
	return set
}

func auditRole(r discord.Role) audit.Role {
	return audit.Role{ID: r.ID, Name: r.Name, Managed: r.Managed, Position: r.Position, Permissions: audit.Permissions(r.Permissions)}
}
