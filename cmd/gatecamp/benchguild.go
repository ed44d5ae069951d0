package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"gatecamp/internal/problem"
)

// The made-up guild: 250 roles, of which 5 stand for states and 60 for groups of Auth; 6 roles a member.
const (
	benchRoles     = 250
	benchStates    = 5
	benchGroups    = 60
	benchHeld      = 6
	benchMemberID  = 100_000_000_000_000_000
	benchGuildID   = 900_000_000_000_000_000
	benchRoleID    = 800_000_000_000_000_000
	benchEvery     = 20 // one member in so many has a finding
	benchPrivilege = 10 // one group in so many has a privileged role
)

// writeBenchGuild writes a snapshot member by member, so that making it costs no memory that the measurement would count.
func writeBenchGuild(path string, g benchGuild) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return problem.New(problem.Usage, fmt.Sprintf("the made-up snapshot cannot be written: %v", err), "name a file that does not exist yet, in a folder where you may write").Because(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<16)
	g.head(out)
	for i := range g.accounts {
		g.user(out, i)
	}
	fmt.Fprint(out, "\n]},\n\"guild_members\":[[")
	g.random = rand.New(rand.NewPCG(2, uint64(g.members))) //nolint:gosec // a made-up guild, the same each time
	for i := range g.members {
		g.member(out, i)
	}
	fmt.Fprint(out, "\n]]}\n")
	return out.Flush()
}

type benchGuild struct {
	random   *rand.Rand
	members  int
	accounts int // of the first so many members
	all      bool
}

func (g *benchGuild) head(out *bufio.Writer) {
	fmt.Fprintf(out, `{"at":"2026-01-01T00:00:00Z","guild":{"id":"%d","name":"Bench","owner_id":"%d","bot_user_id":"1","bot_top_position":1000,"member_count":%d},`,
		benchGuildID, benchMemberID, g.members)
	fmt.Fprintf(out, "\n\"guild_roles\":[{\"id\":\"%d\",\"name\":\"@everyone\",\"position\":0}", benchGuildID)
	for i := 1; i < benchRoles; i++ {
		permissions := "0"
		if i > benchStates && i <= benchStates+benchGroups && i%benchPrivilege == 0 {
			permissions = "8"
		}
		fmt.Fprintf(out, ",\n{\"id\":\"%d\",\"name\":%q,\"position\":%d,\"permissions\":%q}", benchRoleID+i, benchRole(i), i, permissions)
	}
	fmt.Fprint(out, "],\n\"aa\":{\"states\":[")
	for i := range benchStates {
		fmt.Fprintf(out, "%s%q", comma(i), benchRole(1+i))
	}
	fmt.Fprint(out, `],"groups":[`)
	for i := range benchGroups {
		fmt.Fprintf(out, "%s%q", comma(i), benchRole(1+benchStates+i))
	}
	fmt.Fprintf(out, `],"access":{"states":[%q]},"policy":{"unknown_guest":{"default":"strip","grace":"0s"},"surplus_roles":{"default":"strip","grace":"0s"}},"users":[`, benchRole(1))
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// benchRole is a role's name: states first, then groups, then what Auth knows nothing about.
func benchRole(i int) string {
	switch {
	case i <= benchStates:
		return fmt.Sprintf("State %d", i)
	case i <= benchStates+benchGroups:
		return fmt.Sprintf("Group %d", i-benchStates)
	}
	return fmt.Sprintf("Role %d", i)
}

// wrong reports whether a member has a finding; every other one of those is a stranger, the rest hold a role too many.
func (g *benchGuild) wrong(i int) (is, stranger bool) {
	n := i
	if !g.all {
		if i%benchEvery != 0 {
			return false, false
		}
		n = i / benchEvery
	}
	return true, n%2 == 1
}

// groupsOf are the two groups of a member: always the same, so that users and members agree.
func groupsOf(i int) (a, b int) {
	a = 1 + benchStates + i%benchGroups
	b = 1 + benchStates + (i*7+3)%benchGroups
	if b == a {
		b = 1 + benchStates + (b-benchStates)%benchGroups
	}
	return a, b
}

func (g *benchGuild) user(out *bufio.Writer, i int) {
	discord := fmt.Sprintf(`"%d"`, benchMemberID+i)
	if _, stranger := g.wrong(i); stranger {
		discord = "null"
	}
	a, b := groupsOf(i)
	fmt.Fprintf(out, "%s\n{\"id\":%d,\"username\":\"pilot_%d\",\"state\":%q,\"groups\":[%q,%q],\"main\":\"Pilot %d\",\"discord_uid\":%s}",
		comma(i), i+1, i, benchRole(1), benchRole(a), benchRole(b), i, discord)
}

func (g *benchGuild) member(out *bufio.Writer, i int) {
	a, b := groupsOf(i)
	held := []int{1, a, b}
	if i >= g.accounts {
		held = nil
	} else if wrong, stranger := g.wrong(i); wrong && !stranger {
		for extra := a; extra == a || extra == b; {
			extra = 1 + benchStates + g.random.IntN(benchGroups)
			if extra != a && extra != b {
				held = append(held, extra)
			}
		}
	}
	first := 1 + benchStates + benchGroups
	for r := first + g.random.IntN(benchRoles-first-benchHeld); len(held) < benchHeld; r++ {
		held = append(held, r)
	}
	fmt.Fprintf(out, "%s\n{\"user\":{\"id\":\"%d\",\"username\":\"pilot_%d\",\"global_name\":\"Pilot %d\"},\"nick\":null,\"joined_at\":\"2024-05-%02dT10:00:00Z\",\"roles\":[",
		comma(i), benchMemberID+i, i, i, 1+i%28)
	for n, r := range held {
		fmt.Fprintf(out, "%s\"%d\"", comma(n), benchRoleID+r)
	}
	fmt.Fprint(out, "]}")
}
