package discordtest

import (
	"time"

	"github.com/disgoorg/snowflake/v2"
)

func controlPeople(on controlAdder) {
	on("POST /guilds/{g}/members", joinByControl)
	on("DELETE /guilds/{g}/members/{u}", func(c control) (any, error) {
		ids, err := c.ids("g", "u")
		if err != nil {
			return nil, err
		}
		return nil, c.Leave(ids[0], ids[1])
	})
	hand := func(do func(s *Server, guild, user, role, by snowflake.ID) error) func(control) (any, error) {
		return func(c control) (any, error) {
			ids, err := c.ids("g", "u", "r")
			if err != nil {
				return nil, err
			}
			by, err := c.asked("by")
			if err != nil {
				return nil, err
			}
			return nil, do(c.Server, ids[0], ids[1], ids[2], by)
		}
	}
	on("PUT /guilds/{g}/members/{u}/roles/{r}", hand((*Server).GiveRole))
	on("DELETE /guilds/{g}/members/{u}/roles/{r}", hand((*Server).TakeRole))
	on("POST /guilds/{g}/commands", func(c control) (any, error) {
		var in CommandCall
		return acted(c, "g", &in, func(id snowflake.ID) (Reply, error) { return c.RunCommand(c.r.Context(), id, in) })
	})
	on("POST /guilds/{g}/autocomplete", func(c control) (any, error) {
		var in CommandCall
		return acted(c, "g", &in, func(id snowflake.ID) (Reply, error) { return c.Autocomplete(c.r.Context(), id, in) })
	})
	on("POST /guilds/{g}/context-menus", func(c control) (any, error) {
		var in MenuCall
		return acted(c, "g", &in, func(id snowflake.ID) (Reply, error) { return c.Menu(c.r.Context(), id, in) })
	})
	on("POST /interactions/{id}/press", func(c control) (any, error) {
		var in PressCall
		return acted(c, "id", &in, func(id snowflake.ID) (Reply, error) { return c.Press(c.r.Context(), id, in) })
	})
	on("POST /interactions/{id}/submit", func(c control) (any, error) {
		var in SubmitCall
		return acted(c, "id", &in, func(id snowflake.ID) (Reply, error) { return c.Submit(c.r.Context(), id, in) })
	})
	on("POST /messages/{m}/press", func(c control) (any, error) {
		var in PressCall
		return acted(c, "m", &in, func(id snowflake.ID) (Reply, error) { return c.PressMessage(c.r.Context(), id, in) })
	})
	on("GET /interactions/{id}", func(c control) (any, error) {
		id, err := c.id("id")
		if err != nil {
			return nil, err
		}
		return c.Interaction(id)
	})
	on("GET /channels/{c}/messages", func(c control) (any, error) {
		id, err := c.id("c")
		if err != nil {
			return nil, err
		}
		return c.Messages(id)
	})
}

// acted does something as a person on what the path names.
func acted(c control, name string, in any, do func(snowflake.ID) (Reply, error)) (any, error) {
	id, err := c.id(name)
	if err != nil {
		return nil, err
	}
	if err := c.decode(in); err != nil {
		return nil, err
	}
	r, err := do(id)
	return r, err
}

func joinByControl(c control) (any, error) {
	var in struct {
		User *struct {
			ID       LooseID `json:"id"`
			Username string  `json:"username"`
			Bot      bool    `json:"bot"`
		} `json:"user"`
		Roles   []LooseID  `json:"roles"`
		Pending bool       `json:"pending"`
		Nick    string     `json:"nick"`
		Joined  *time.Time `json:"joined_at"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.User == nil {
		return nil, badRequest(0, `user: want {"id", "username", "bot"}`)
	}
	return c.inGuild(func(g *guild) (any, error) {
		a := Arrival{ID: snowflake.ID(in.User.ID), Username: in.User.Username, Bot: in.User.Bot}
		if a.ID == 0 {
			a.ID = c.newID()
		}
		m, err := c.join(g, c.account(a), plainIDs(in.Roles), in.Pending)
		if err != nil {
			return nil, err
		}
		m.nick = in.Nick
		if in.Joined != nil {
			m.joined = in.Joined.UnixMicro()
		}
		return memberObject(m), nil
	})
}
