package discord

import (
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	someGuild snowflake.ID = 900
	someBot   snowflake.ID = 42
)

func someRole(id snowflake.ID) discord.Role {
	return discord.Role{ID: id, Name: "r", Position: int(id)}
}

func someMember(id snowflake.ID, roles ...snowflake.ID) discord.Member {
	joined := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	return discord.Member{User: discord.User{ID: id}, RoleIDs: roles, JoinedAt: &joined}
}

// truth is the guild as Discord has it.
type truth struct {
	members map[snowflake.ID][]snowflake.ID // roles ascending
	roles   []snowflake.ID
}

func (w *truth) drop(role snowflake.ID) {
	w.roles = slices.DeleteFunc(w.roles, func(r snowflake.ID) bool { return r == role })
	for id, roles := range w.members {
		w.members[id] = slices.DeleteFunc(slices.Clone(roles), func(r snowflake.ID) bool { return r == role })
	}
}

// shows is the mirror in the form of the truth.
func (m *mirror) shows() map[snowflake.ID][]snowflake.ID {
	g, members, _ := m.picture()
	all := map[snowflake.ID][]snowflake.ID{}
	for _, a := range members {
		all[a.ID] = []snowflake.ID{}
		for i := range a.Roles.All() {
			all[a.ID] = append(all[a.ID], g.Roles[i].ID)
		}
	}
	return all
}

// Whatever happens while members are read, and however late a chunk is looked at: the mirror ends as Discord is, and counts as
// complete.
func TestEventsAndAFullReadSideBySideEndAsDiscordIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &truth{members: map[snowflake.ID][]snowflake.ID{}, roles: []snowflake.ID{1, 2, 3}}
		m := newMirror(someGuild, someBot)
		for id := range snowflake.ID(rapid.IntRange(0, 6).Draw(t, "members")) {
			w.members[100+id] = []snowflake.ID{1}
		}
		if err := m.setGuild("g", 7, []discord.Role{someRole(1), someRole(2), someRole(3)}, len(w.members)); err != nil {
			t.Fatal(err)
		}
		id := rapid.Custom(func(t *rapid.T) snowflake.ID { return snowflake.ID(100 + rapid.IntRange(0, 7).Draw(t, "id")) })
		newest := snowflake.ID(3)
		happen := func(when string) {
			for range rapid.IntRange(0, 6).Draw(t, "events "+when) {
				who := id.Draw(t, "who")
				_, here := w.members[who]
				var has []snowflake.ID
				for _, r := range w.roles {
					if rapid.Bool().Draw(t, "has") {
						has = append(has, r)
					}
				}
				slices.Sort(has)
				a := someMember(who, has...)
				switch what := rapid.IntRange(0, 4).Draw(t, "what"); {
				case what == 0 && here:
					delete(w.members, who)
					m.drop(who)
				case what == 1 && len(w.roles) > 1:
					role := rapid.SampledFrom(w.roles).Draw(t, "role")
					w.drop(role)
					m.dropRole(role)
				case what == 2:
					newest++ // no id is used twice
					w.roles = append(w.roles, newest)
					m.putRole(someRole(newest))
				case here:
					w.members[who] = append([]snowflake.ID{}, has...)
					m.put(&a, false)
				default:
					w.members[who] = append([]snowflake.ID{}, has...)
					m.put(&a, true)
				}
			}
		}
		happen("before") // the members that are there are not known yet
		m.beginRead()
		ids := slices.Sorted(maps.Keys(w.members))
		var sent [][]discord.Member // chunks on their way
		for _, part := range slices.Collect(slices.Chunk(ids, 2)) {
			var chunk []discord.Member
			for _, id := range part {
				if roles, here := w.members[id]; here { // Discord sends them as they are when it sends them
					chunk = append(chunk, someMember(id, slices.Clone(roles)...))
				}
			}
			sent = append(sent, chunk)
			happen("during")
			if rapid.Bool().Draw(t, "looked at at once") {
				m.add(sent[0])
				sent = sent[1:]
			}
		}
		for _, chunk := range sent {
			happen("late")
			m.add(chunk)
		}
		p := m.endRead()
		if p.count == countWrong || p.missed {
			t.Fatalf("not proven: %+v", p)
		}
		m.believe()
		happen("after")
		if _, _, complete := m.picture(); !complete {
			t.Error("not complete any more")
		}
		if diff := cmp.Diff(w.members, m.shows()); diff != "" {
			t.Errorf("the mirror is not what Discord is (-want +got):\n%s", diff)
		}
		kept := m.held
		if m.recount(); kept != m.held {
			t.Errorf("holders of roles, counted on: %v, counted anew: %v", kept[:8], m.held[:8])
		}
	})
}

func TestAHeadcountCopiesNobodyAndSaysWhenSomethingChanged(t *testing.T) {
	c, _ := quietClient()
	g := c.Guild(someGuild)
	if err := g.m.setGuild("g", 7, []discord.Role{someRole(1), someRole(2)}, 3); err != nil {
		t.Fatal(err)
	}
	for id := range snowflake.ID(3) {
		a := someMember(100+id, 1)
		g.m.put(&a, false)
	}
	before := g.Headcount()
	if before.Members != 3 || before.Holders[0] != 3 || before.Holders[1] != 0 || before.Complete || before.Visible {
		t.Errorf("headcount %+v", before)
	}
	if again := g.Headcount(); again.Revision != before.Revision {
		t.Error("a headcount changes the revision")
	}
	a := someMember(101, 2)
	g.m.put(&a, false)
	if other := g.Headcount(); other.Revision != before.Revision {
		t.Error("another role changes the revision, though nobody came or went")
	}
	a = someMember(200, 2)
	if g.m.put(&a, true); g.Headcount().Revision == before.Revision {
		t.Error("a join does not change the revision")
	}
	joined := g.Headcount().Revision
	if g.m.drop(200); g.Headcount().Revision == joined {
		t.Error("a leave does not change the revision")
	}
	g.m.believe()
	g.show()
	after := g.Headcount()
	if after.Holders[0] != 2 || after.Holders[1] != 1 || after.Revision == before.Revision || !after.Visible {
		t.Errorf("headcount %+v", after)
	}
	if n := g.Present([]snowflake.ID{99, 100, 102, 103}); n != 2 {
		t.Errorf("%d of them are present, want 2", n)
	}
	if allocs := testing.AllocsPerRun(100, func() { g.Headcount() }); allocs > 0 {
		t.Errorf("a headcount allocates %v times", allocs)
	}
}

// The reader of the gateway gets its turn while a large guild is copied: whoever stays is in the copy once, with roles that are theirs.
func TestACopyBesideEventsShowsEverybodyWhoStaysOnce(t *testing.T) {
	m := newMirror(someGuild, someBot)
	if err := m.setGuild("g", 1, []discord.Role{someRole(10), someRole(20)}, 0); err != nil {
		t.Fatal(err)
	}
	const stay = 5 * copiedAtOnce
	for id := range snowflake.ID(stay) {
		member := someMember(id+1, 20)
		m.put(&member, true)
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			id := snowflake.ID(stay + 1 + n%50)
			member := someMember(id, 10)
			m.put(&member, true)
			m.drop(id)
			if n%5_000 == 0 { // every index moves
				m.putRole(someRole(5))
				m.dropRole(5)
			}
		}
	}()
	for range 20 {
		g, members, _ := m.unsorted()
		seen := map[snowflake.ID]bool{}
		stayed := 0
		for _, a := range members {
			if seen[a.ID] {
				t.Fatalf("member %d is there twice", a.ID)
			}
			seen[a.ID] = true
			if a.ID <= stay {
				stayed++
				for i := range a.Roles.All() {
					if g.Roles[i].ID != 20 {
						t.Fatalf("member %d holds role %d", a.ID, g.Roles[i].ID)
					}
				}
			}
		}
		if stayed != stay {
			t.Fatalf("%d of those who stay are there, want %d", stayed, stay)
		}
	}
	close(done)
	<-ended
}

func TestAMissedEventSpoilsTheReadThatIsUnderWay(t *testing.T) {
	m := newMirror(someGuild, someBot)
	if err := m.setGuild("g", 7, nil, 1); err != nil {
		t.Fatal(err)
	}
	m.beginRead()
	m.add([]discord.Member{someMember(100)})
	m.doubt()
	if p := m.endRead(); !p.missed {
		t.Errorf("proof %+v", p)
	}
	m.believe()
	if _, _, complete := m.picture(); complete {
		t.Error("the list counts as complete")
	}
}

func TestAReadThatShowsFewerThanClaimedIsNotProven(t *testing.T) {
	for name, c := range map[string]struct {
		claimed, shown, joins int
		want                  countProof
	}{
		"all":                      {3, 3, 0, countRight},
		"one is missing":           {4, 3, 0, countWrong},
		"one joined meanwhile":     {3, 3, 1, countRight},
		"two too many":             {1, 3, 0, countWrong},
		"nobody says how many":     {-1, 3, 0, countUnknown},
		"more missing than joined": {6, 3, 1, countWrong},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(someGuild, someBot)
			if err := m.setGuild("g", 7, nil, c.claimed); err != nil {
				t.Fatal(err)
			}
			m.beginRead()
			var members []discord.Member
			for i := range c.shown {
				members = append(members, someMember(snowflake.ID(100+i)))
			}
			m.add(members)
			for i := range c.joins {
				a := someMember(snowflake.ID(500 + i))
				m.put(&a, true)
			}
			if p := m.endRead(); p.count != c.want {
				t.Errorf("proof %+v, want %v", p, c.want)
			}
		})
	}
}

// fill reads n members into a mirror as a full read does.
func fill(m *mirror, n int) {
	m.beginRead()
	chunk := make([]discord.Member, 0, 1000)
	for i := range n {
		id := snowflake.ID(100_000_000_000 + i*977)
		chunk = append(chunk, someMember(id, snowflake.ID(1+i%5), snowflake.ID(6+i%7), snowflake.ID(13+i%11)))
		if len(chunk) == cap(chunk) {
			m.add(chunk)
			chunk = chunk[:0]
		}
	}
	m.add(chunk)
	m.endRead()
}

// heapOf is what a value of n members costs once everything else is gone.
func heapOf(n int) (m *mirror, bytes uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m = newMirror(someGuild, someBot)
	var roles []discord.Role
	for i := range 30 {
		roles = append(roles, someRole(snowflake.ID(1+i)))
	}
	if err := m.setGuild("g", 7, roles, n); err != nil {
		panic(err)
	}
	fill(m, n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	return m, after.HeapAlloc - before.HeapAlloc
}

func TestAMirrorOf250000MembersFitsIn12Megabytes(t *testing.T) {
	const n = 250_000
	m, bytes := heapOf(n)
	if perMember := float64(bytes) / n; perMember > 40 || bytes > 12<<20 {
		t.Errorf("%d members take %.1f MB, %.1f bytes each; want at most 12 MB and 40 bytes", n, float64(bytes)/(1<<20), perMember)
	}
	runtime.KeepAlive(m)
}

func BenchmarkMirrorBytesPerMember(b *testing.B) {
	const n = 250_000
	for b.Loop() {
		m, bytes := heapOf(n)
		b.ReportMetric(float64(bytes)/n, "bytes/member")
		b.ReportMetric(float64(bytes)/(1<<20), "MB")
		runtime.KeepAlive(m)
	}
}

func BenchmarkKnown(b *testing.B) {
	m, _ := heapOf(250_000)
	for b.Loop() {
		m.unsorted()
	}
}

// BenchmarkLiveLookOfALargeGuild is what a live look asks of a guild of 250,000: counted, and copied whole.
func BenchmarkLiveLookOfALargeGuild(b *testing.B) {
	c, _ := quietClient()
	g := c.Guild(someGuild)
	if err := g.m.setGuild("g", 7, []discord.Role{someRole(1), someRole(2), someRole(3)}, 250_000); err != nil {
		b.Fatal(err)
	}
	for id := range snowflake.ID(250_000) {
		a := someMember(1000+id, 1+id%3)
		g.m.put(&a, false)
	}
	b.Run("counted", func(b *testing.B) {
		for b.Loop() {
			if g.Headcount().Members != 250_000 {
				b.Fatal("not all")
			}
		}
	})
	b.Run("copied", func(b *testing.B) {
		for b.Loop() {
			if p, err := g.Known(b.Context()); err != nil || len(p.Members) != 250_000 {
				b.Fatal(len(p.Members), err)
			}
		}
	})
}

func TestAGuildsLanguageIsKeptAsDiscordSaysIt(t *testing.T) {
	g := &Guild{m: newMirror(someGuild, someBot)}
	if got := g.Locale(); got != "" {
		t.Errorf("before it came into sight: %q", got)
	}
	for _, said := range []string{"ru", "", "en-US"} { // an update need not repeat it
		g.m.speaks(said)
	}
	if got := g.Locale(); got != "en-US" {
		t.Errorf("%q", got)
	}
	g.m.speaks("")
	if got := g.Locale(); got != "en-US" {
		t.Errorf("after an update that says nothing of it: %q", got)
	}
}
