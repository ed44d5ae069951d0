package discordtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

// Of 1,000 made-up members so many are …
const (
	strangers        = 100 // unknown to Auth,
	strangersGranted = 5   // of these with a role that somebody gave by hand,
	surplusOf1000    = 10  // known, with a role too many,
	missingOf1000    = 10  // known, with a role too few.
)

// authCrowd is what the generator reads of auth.json, and what it adds to.
type authCrowd struct {
	States []string          `json:"states"`
	Groups []string          `json:"groups"`
	Users  []json.RawMessage `json:"users"`
}

type authUser struct {
	ID         int      `json:"id"`
	Username   string   `json:"username"`
	State      string   `json:"state"`
	Groups     []string `json:"groups"`
	Main       *string  `json:"main"`
	DiscordUID *string  `json:"discord_uid"`
}

// defaultGroups are the roles of made-up members where the world has none.
var defaultGroups = []string{
	"Member", "Blue", "Guest", "Directors", "Fleet Commanders", "Logistics", "Scouts", "Industry", "Mining", "Haulers", "Recruiters", "Capitals", "Black Ops", "Diplomats",
}

// populate makes members up, and their Auth users if there is an Auth. The same seed makes the same people.
func (s *Server) populate(g *guild, c crowd, auth []byte) ([]byte, error) {
	if c.Members < 0 || c.Members > 1_000_000 {
		return nil, problem.Usagef("members: %d; want 0 to 1000000", c.Members)
	}
	aa := authCrowd{}
	if auth != nil {
		if err := json.Unmarshal(auth, &aa); err != nil {
			return nil, problem.Usagef("auth.json: states and groups are wanted as lists of names, users as a list").Because(err)
		}
	}
	cast := g.cast(aa)
	dice := rand.New(rand.NewPCG(c.Seed, 7))
	users, members := make([]user, c.Members), make([]member, c.Members)
	start := s.clock.Now().Add(-9 * 365 * 24 * time.Hour).UnixMicro()
	step := (8 * 365 * 24 * time.Hour).Microseconds() / int64(c.Members+1)
	id := snowflake.ID(200000000000000000)
	for i := range members {
		id += snowflake.ID(1_000_000_000 + dice.Int64N(1_000_000_000))
		for s.users[id] != nil {
			id++
		}
		users[i] = user{id: id, name: pilotName(dice, i)}
		p := cast.draw(dice)
		members[i] = member{user: &users[i], roles: g.members.set(p.roles), joined: start + int64(i)*step}
		s.users[id] = &users[i]
		g.members.add(&members[i])
		if auth != nil && p.known {
			aa.Users = append(aa.Users, p.user(len(aa.Users)+1_000, &users[i]))
		}
	}
	if auth == nil {
		return nil, nil
	}
	return withUsers(auth, aa.Users), nil
}

func withUsers(auth []byte, users []json.RawMessage) []byte {
	whole := map[string]json.RawMessage{}
	if json.Unmarshal(auth, &whole) == nil {
		whole["users"] = encode(users)
	}
	return encode(whole)
}

// cast is what made-up members are drawn from.
type cast struct {
	states, groups []string
	roles          map[string]snowflake.ID
	all            []snowflake.ID
}

// cast pairs the names of Auth with the roles of the guild; without Auth every role is a group, and without roles some are made.
func (g *guild) cast(aa authCrowd) cast {
	c := cast{states: aa.States, groups: aa.Groups, roles: map[string]snowflake.ID{}}
	ordinary := slices.DeleteFunc(g.sortedRoles(), func(r *Role) bool { return r.Managed || r.ID == g.id })
	if len(ordinary) == 0 {
		top := 0
		for i, name := range slices.Backward(defaultGroups) {
			top++
			r := &Role{ID: g.id + 1000 + snowflake.ID(i), Name: name, Position: top}
			g.roles[r.ID] = r
			ordinary = append(ordinary, r)
		}
		for _, r := range g.roles { // the bots stand above the new ones
			if r.Managed {
				r.Position += top
			}
		}
	}
	for _, r := range ordinary {
		c.roles[r.Name] = r.ID
		c.all = append(c.all, r.ID)
	}
	if len(c.states)+len(c.groups) == 0 {
		for _, r := range slices.Backward(ordinary) {
			c.groups = append(c.groups, r.Name)
		}
	}
	return c
}

// pilot is one draw.
type pilot struct {
	known  bool
	state  string
	groups []string
	roles  []snowflake.ID
}

func (c *cast) draw(dice *rand.Rand) pilot {
	if dice.IntN(1000) < strangers {
		p := pilot{}
		if dice.IntN(strangers) < strangersGranted {
			p.roles = append(p.roles, c.all[dice.IntN(len(c.all))])
		}
		return p
	}
	p := pilot{known: true, groups: []string{}}
	if n := len(c.states); n > 0 {
		p.state = c.states[min(int(dice.ExpFloat64()/1.5), n-1)]
		p.take(c, p.state)
	}
	for k, name := range c.groups {
		if dice.IntN(k+2) == 0 {
			p.groups = append(p.groups, name)
			p.take(c, name)
		}
	}
	switch luck := dice.IntN(1000); {
	case luck < surplusOf1000:
		p.roles = append(p.roles, c.all[dice.IntN(len(c.all))])
	case luck < surplusOf1000+missingOf1000 && len(p.roles) > 0:
		p.roles = p.roles[1:]
	}
	return p
}

func (p *pilot) take(c *cast, name string) {
	if id, ok := c.roles[name]; ok {
		p.roles = append(p.roles, id)
	}
}

func (p pilot) user(id int, u *user) json.RawMessage {
	uid := u.id.String()
	return encode(authUser{ID: id, Username: u.name, State: p.state, Groups: p.groups, Main: &u.name, DiscordUID: &uid})
}

var (
	firstNames = []string{"Aria", "Bran", "Cato", "Dara", "Emre", "Fenn", "Gala", "Hale", "Ilya", "Jora", "Kael", "Lira", "Mako", "Nadi", "Oren", "Pell"}
	lastNames  = []string{"Asche", "Brandt", "Corvo", "Dusk", "Ember", "Frost", "Grimm", "Holt", "Iron", "Jansen", "Kestrel", "Lorn", "Mercer", "Nightfall", "Orlov", "Pyre"}
)

// pilotName is a name that no other made-up member of the crowd has.
func pilotName(dice *rand.Rand, i int) string {
	return fmt.Sprintf("%s %s %s", firstNames[dice.IntN(len(firstNames))], lastNames[dice.IntN(len(lastNames))], strconv.Itoa(i))
}
