package discordtest

import (
	"github.com/disgoorg/snowflake/v2"
)

func getRoles(c *call, g *guild) (answer, error) {
	return ok(g.sortedRoles())
}

func getRole(c *call, g *guild) (answer, error) {
	id, err := c.id("r")
	if err != nil {
		return answer{}, err
	}
	if g.roles[id] == nil {
		return answer{}, unknownRole()
	}
	return ok(g.roles[id])
}

// getRoleCounts is the number of holders of each role; @everyone is not in it.
func getRoleCounts(c *call, g *guild) (answer, error) {
	counts := make(map[snowflake.ID]int, len(g.roles))
	for id := range g.roles {
		if id != g.id {
			counts[id] = 0
		}
	}
	for _, m := range g.members.order {
		for _, id := range m.roles {
			if g.roles[id] != nil {
				counts[id]++
			}
		}
	}
	return ok(counts)
}

func postRole(c *call, g *guild) (answer, error) {
	var edit roleEdit
	if err := c.decode(&edit); err != nil {
		return answer{}, err
	}
	edit.Position = nil
	if !c.Server.cfg.Unlimited && !g.roleCreates.take(c.clock.Now(), roleCreatesLimit, roleCreatesWindow) {
		return answer{}, badRequest(30005, "Maximum number of guild roles reached (250)")
	}
	r, err := c.createRole(g, c.actor(), edit)
	if err != nil {
		return answer{}, err
	}
	return ok(r)
}

func patchRole(c *call, g *guild) (answer, error) {
	id, err := c.id("r")
	if err != nil {
		return answer{}, err
	}
	var edit roleEdit
	if err := c.decode(&edit); err != nil {
		return answer{}, err
	}
	edit.Position = nil
	r, err := c.editRole(g, c.actor(), id, edit)
	if err != nil {
		return answer{}, err
	}
	return ok(r)
}

func patchRolePositions(c *call, g *guild) (answer, error) {
	var in []struct {
		ID       LooseID `json:"id"`
		Position *int    `json:"position"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	places := make([]rolePlace, 0, len(in))
	for _, p := range in {
		places = append(places, rolePlace{ID: snowflake.ID(p.ID), Position: p.Position})
	}
	if err := c.moveRoles(g, c.actor(), places); err != nil {
		return answer{}, err
	}
	return ok(g.sortedRoles())
}

func deleteRole(c *call, g *guild) (answer, error) {
	id, err := c.id("r")
	if err != nil {
		return answer{}, err
	}
	if err := c.deleteRole(g, c.actor(), id); err != nil {
		return answer{}, err
	}
	return noContent()
}
