package discordtest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

func getMembers(c *call, g *guild) (answer, error) {
	if c.app.intents&IntentMembers == 0 {
		return answer{}, missingAccess()
	}
	limit, err := c.number("limit", 1, 1, 1000)
	if err != nil {
		return answer{}, err
	}
	after, err := c.snowflake("after")
	if err != nil {
		return answer{}, err
	}
	return ok(json.RawMessage(appendMembers(nil, g.members.after(after, limit))))
}

func getMembersSearch(c *call, g *guild) (answer, error) {
	limit, err := c.number("limit", 1, 1, 1000)
	if err != nil {
		return answer{}, err
	}
	if c.query.Get("query") == "" {
		return answer{}, invalidForm("BASE_TYPE_REQUIRED", "This field is required", "query")
	}
	return ok(json.RawMessage(appendMembers(nil, g.search(c.query.Get("query"), limit))))
}

// member is the member of the path.
func (c *call) member() (*guild, *member, error) {
	g, err := c.guild()
	if err != nil {
		return nil, nil, err
	}
	id, err := c.id("u")
	if err != nil {
		return nil, nil, err
	}
	m := g.members.by[id]
	if m == nil {
		return nil, nil, unknownMember()
	}
	return g, m, nil
}

func getMember(c *call) (answer, error) {
	_, m, err := c.member()
	if err != nil {
		return answer{}, err
	}
	return ok(memberObject(m))
}

// memberPatch is the body of PATCH member. Null leaves as it is, except that it ends a timeout and takes a nickname away.
type memberPatch struct {
	Roles   *[]LooseID      `json:"roles"`
	Nick    json.RawMessage `json:"nick"`
	Timeout json.RawMessage `json:"communication_disabled_until"`
	Flags   *uint32         `json:"flags"`
}

func (p memberPatch) edit(now time.Time) (memberEdit, error) {
	e := memberEdit{flags: p.Flags}
	if p.Nick != nil {
		nick := ""
		if err := json.Unmarshal(p.Nick, &nick); err != nil {
			return e, invalidForm("BASE_TYPE_BAD_TYPE", "The value has the wrong type.", "nick")
		}
		e.nick = &nick
	}
	if p.Timeout != nil {
		until := int64(0)
		if string(p.Timeout) != "null" {
			var t time.Time
			if err := json.Unmarshal(p.Timeout, &t); err != nil || t.After(now.Add(28*24*time.Hour)) {
				return e, invalidForm("TIMEOUT_INVALID", "Want a time within 28 days.", "communication_disabled_until")
			}
			until = t.UnixMicro()
		}
		e.timeout = &until
	}
	return e, nil
}

// patchMember judges roles before it edits the rest, so that a refusal leaves everything as it was.
func patchMember(c *call) (answer, error) {
	g, m, err := c.member()
	if err != nil {
		return answer{}, err
	}
	return c.patch(g, m)
}

func patchSelf(c *call, g *guild) (answer, error) {
	return c.patch(g, g.members.by[c.app.user.id])
}

func (c *call) patch(g *guild, m *member) (answer, error) {
	var in memberPatch
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	edit, err := in.edit(c.clock.Now())
	if err != nil {
		return answer{}, err
	}
	if in.Roles != nil {
		judge := c.actor()
		judge.noEffect = true
		if err := c.setRoles(g, judge, m, plainIDs(*in.Roles)); err != nil {
			return answer{}, err
		}
	}
	if err := c.editMember(g, c.actor(), m, edit); err != nil {
		return answer{}, err
	}
	if in.Roles != nil {
		if err := c.setRoles(g, c.actor(), m, plainIDs(*in.Roles)); err != nil {
			return answer{}, err
		}
	}
	if c.version == unversioned {
		return noContent()
	}
	return ok(memberObject(m))
}

func plainIDs(loose []LooseID) []snowflake.ID {
	out := make([]snowflake.ID, 0, len(loose))
	for _, id := range loose {
		out = append(out, snowflake.ID(id))
	}
	return out
}

// putMember lets a bot bring a person in, as Alliance Auth does with the access token that it got from that person. Any token is taken.
func putMember(c *call, g *guild) (answer, error) {
	id, err := c.id("u")
	if err != nil {
		return answer{}, err
	}
	var in struct {
		Token string    `json:"access_token"`
		Nick  string    `json:"nick"`
		Roles []LooseID `json:"roles"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Token == "" {
		return answer{}, invalidForm("BASE_TYPE_REQUIRED", "This field is required", "access_token")
	}
	if g.members.by[id] != nil {
		return noContent()
	}
	roles := plainIDs(in.Roles)
	if len(roles) > 0 {
		by, err := g.may(c.actor(), ManageRoles)
		if err != nil {
			return answer{}, err
		}
		for _, role := range roles {
			if err := g.roleForMembers(by, role); err != nil {
				return answer{}, err
			}
		}
	}
	m, err := c.join(g, c.userOrNew(id), roles, false)
	if err != nil {
		return answer{}, err
	}
	m.nick = in.Nick
	return answer{http.StatusCreated, memberObject(m)}, nil
}

func deleteMember(c *call) (answer, error) {
	return c.onUser(func(g *guild, u snowflake.ID) error { return c.kick(g, c.actor(), u) })
}

func putMemberRole(c *call) (answer, error)    { return c.changeRoleOf(true) }
func deleteMemberRole(c *call) (answer, error) { return c.changeRoleOf(false) }

func (c *call) changeRoleOf(give bool) (answer, error) {
	role, err := c.id("r")
	if err != nil {
		return answer{}, err
	}
	return c.onUser(func(g *guild, u snowflake.ID) error { return c.changeRole(g, c.actor(), u, role, give) })
}

// foreignWrite is the fault of that name: the other bot gives the member a role that he lacks, or takes one if he has all.
func (s *Server) foreignWrite(c *call) {
	g, m, err := c.member()
	if err != nil {
		return
	}
	other := actor{id: g.owner}
	for _, id := range sortedKeys(s.apps) {
		if s.apps[id] != c.app && g.members.by[id] != nil {
			other = actor{id: id, app: s.apps[id]}
			break
		}
	}
	var has snowflake.ID
	for _, r := range g.sortedRoles() {
		if r.Managed || r.ID == g.id || c.path["r"] == r.ID.String() {
			continue
		}
		if !m.has(r.ID) {
			if s.changeRole(g, other, m.id, r.ID, true) == nil {
				return
			}
			continue
		}
		has = r.ID
	}
	s.changeRole(g, other, m.id, has, false) //nolint:errcheck // nothing to write means nothing is written
}

// haunt is the fault deleted_role_in_member on a read: the first person read gets the id of a role that no longer exists.
func (s *Server) haunt(c *call) {
	g, err := c.guild()
	if err != nil {
		return
	}
	if g.ghost == 0 {
		g.ghost = s.newID()
	}
	if id, err := c.id("u"); err == nil && c.path["u"] != "" {
		if m := g.members.by[id]; m != nil {
			m.roles = g.members.with(m.roles, g.ghost)
		}
		return
	}
	after, _ := c.snowflake("after")
	for _, m := range g.members.after(after, 1000) {
		if !m.bot {
			m.roles = g.members.with(m.roles, g.ghost)
			return
		}
	}
}
