package audit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// crowded is a guild of the given size: 250 roles of which 120 are managed, 6 roles per member, one finding in twenty; a fifth of the
// members is linked to one of the accounts. The seed is fixed, so figures can be compared.
func crowded(members int) (audit.Subjects, []audit.Member) {
	const groups, plain, accounts = 120, 129, 20_000
	rnd := rand.New(rand.NewPCG(3, uint64(members)))
	s := audit.Subjects{At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), ProposalsBind: true, Auth: &audit.Directory{States: []string{"Member", "Guest"}}}
	s.Guild = audit.Guild{ID: 1, Owner: 2, Bot: 3, BotTop: 1000, Roles: []audit.Role{{ID: 1, Name: "@everyone"}}}
	for i := range groups {
		name := fmt.Sprintf("Group %03d", i)
		s.Auth.Groups = append(s.Auth.Groups, name)
		s.Guild.Roles = append(s.Guild.Roles, audit.Role{ID: snowflake.ID(100 + i), Name: name, Position: i + 1})
	}
	for i := range plain {
		s.Guild.Roles = append(s.Guild.Roles, audit.Role{ID: snowflake.ID(500 + i), Name: fmt.Sprintf("Fun %03d", i), Position: i + 200})
	}
	list := make([]audit.Member, members)
	for i := range list {
		m := audit.Member{ID: snowflake.ID(1_000_000 + i*7), Joined: s.At.AddDate(-1, 0, 0).UnixMicro()}
		// The first accounts/members of the guild are linked; the rest are strangers, who hold roles that nobody manages.
		linked := i < accounts
		a := audit.Account{User: int64(i + 1), Active: true, Access: true, Discord: m.ID}
		for m.Roles.Len() < 6 {
			if g := rnd.IntN(groups); linked && m.Roles.Len() < 3 {
				if !m.Roles.Has(1 + g) {
					a.Groups = append(a.Groups, int32(g))
				}
				m.Roles = m.Roles.With(1 + g)
			} else {
				m.Roles = m.Roles.With(1 + groups + rnd.IntN(plain))
			}
		}
		if rnd.IntN(20) == 0 {
			m.Roles = m.Roles.With(1 + rnd.IntN(groups))
		}
		if linked {
			s.Auth.Accounts = append(s.Auth.Accounts, a)
		}
		list[i] = m
	}
	s.Guild.Roles = append(s.Guild.Roles, audit.Role{ID: 400, Name: "Member", Position: 1})
	for i := range s.Auth.Accounts {
		list[i].Roles = list[i].Roles.With(len(s.Guild.Roles) - 1)
	}
	rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	s.Auth.Index()
	return s, list
}

// BenchmarkLine classifies, decides and plans; the scene is ready.
func BenchmarkLine(b *testing.B) {
	for _, members := range []int{100_000, 250_000} {
		s, list := crowded(members)
		scene, policy := audit.NewScene(s), audit.DefaultPolicy()
		policy.Rules[audit.UnknownGuest].Default, policy.Rules[audit.SurplusRoles].Default = audit.Strip, audit.Strip
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				kept, population := audit.Survey(scene, list, &policy, scene.Noteworthy)
				population.Complete = true
				plan := audit.MakePlan(s.Guild.ID, kept, population, policy.Limits, audit.Used{}, audit.Gates{})
				if len(plan.Actions) < members/25 || len(plan.Actions) > members/15 {
					b.Fatalf("%d actions", len(plan.Actions))
				}
			}
		})
	}
}

// BenchmarkScene makes a scene of 20,000 accounts ready.
func BenchmarkScene(b *testing.B) {
	s, _ := crowded(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if scene := audit.NewScene(s); scene.Managed().Len() != 121 {
			b.Fatalf("%d managed roles", scene.Managed().Len())
		}
	}
}

// BenchmarkSkeleton is what one name costs that look-alikes are searched for.
func BenchmarkSkeleton(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if audit.Skeleton("Fleet Commanders") != audit.Skeleton("FLEET  СOMMANDERS") {
			b.Fatal("not alike")
		}
	}
}
