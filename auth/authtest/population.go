package authtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Population is how many of everything a large Auth has.
type Population struct {
	Seed                             uint64
	Users, Memberships, Links, Chars int
	Groups, Permissions              int
}

// Large is an alliance of 20,000 users.
func Large() Population {
	return Population{Seed: 1, Users: 20_000, Memberships: 53_000, Links: 15_000, Chars: 38_000, Groups: 240, Permissions: 600}
}

// World makes the people of a population; equal populations give equal worlds.
func (p Population) World() World {
	chance := rand.New(rand.NewPCG(p.Seed, 7))
	w := World{Permissions: []string{AccessDiscord}, Reserved: []string{"Server Booster", "Bots"}}
	for i := range p.Permissions {
		w.Permissions = append(w.Permissions, fmt.Sprintf("app%d.right_%d", i/20, i))
	}
	some := func(n int) (held []string) {
		for _, i := range chance.Perm(len(w.Permissions) - 1)[:min(n, len(w.Permissions)-1)] {
			held = append(held, w.Permissions[i+1])
		}
		return held
	}
	w.States = []State{
		{Name: "Guest"},
		{Name: "Blue", Priority: 50, Permissions: some(5)},
		{Name: "Member", Priority: 100, Permissions: append(some(20), AccessDiscord)},
		{Name: "Trial", Priority: 60, Permissions: some(3)},
	}
	for i := range p.Groups {
		w.Groups = append(w.Groups, Group{Name: fmt.Sprintf("Group %d", i), Permissions: some(i % 12)})
	}
	names := []string{"Guest", "Blue", "Member", "Member", "Member", "Member", "Trial"}
	w.Users = make([]User, p.Users)
	for i := range w.Users {
		u := &w.Users[i]
		u.Name, u.State = fmt.Sprintf("pilot_of_stars_%d", i), names[chance.IntN(len(names))]
		u.Inactive, u.Superuser = chance.IntN(20) == 0, i < 5
		if i*10 < p.Users*9 {
			corporation := chance.IntN(200)
			u.Main = Main{Name: fmt.Sprintf("Pilot Of Stars %d", i), Corporation: fmt.Sprintf("C%d", corporation), Alliance: fmt.Sprintf("A%d", corporation%9)}
		}
		if i < p.Links {
			u.Discord = 100_000_000_000_000_000 + int64(i)*7_919
		}
		if chance.IntN(50) == 0 {
			u.Permissions = some(2)
		}
	}
	for left := p.Memberships; left > 0 && p.Users > 0 && p.Groups > 0; {
		u := &w.Users[chance.IntN(p.Users)]
		name := w.Groups[chance.IntN(p.Groups)].Name
		if !slices.Contains(u.Groups, name) {
			u.Groups = append(u.Groups, name)
			left--
		} else if p.Memberships >= p.Users*p.Groups {
			break
		}
	}
	for i := range w.Users {
		if w.Users[i].Main.Name != "" {
			p.Chars--
		}
	}
	w.Alts = max(0, p.Chars)
	return w
}
