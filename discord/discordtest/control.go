package discordtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// control is one call of the control port.
type control struct {
	*Server
	r *http.Request
}

// controlHandler is the control port of reference/local-discord.md: JSON both ways, errors as {"error": …}.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, do func(control) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := do(control{s, r})
			reply(w, r.Method, v, err)
		})
	}
	controlWorld(on)
	controlPeople(on)
	controlMachine(on)
	on("/", func(c control) (any, error) {
		return nil, noCall(c.r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean(r.URL.Path) != r.URL.Path { // the mux would answer with a redirect
			reply(w, r.Method, nil, noCall(r))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func noCall(r *http.Request) error {
	return &APIError{Status: http.StatusNotFound, Message: "no such call: " + r.Method + " " + r.URL.Path}
}

type controlAdder = func(pattern string, do func(control) (any, error))

// reply writes the answer: 200 for what is read or patched, 201 for what is posted, 204 where there is nothing to say.
func reply(w http.ResponseWriter, method string, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	status := http.StatusOK
	if method == http.MethodPost {
		status = http.StatusCreated
	}
	switch {
	case err != nil:
		status = http.StatusBadRequest
		o := object{"error": err.Error()}
		var api *APIError
		if errors.As(err, &api) {
			status = api.Status
			o["error"] = api.Message
			if api.Code != 0 {
				o["error"], o["code"] = fmt.Sprintf("%s (%d)", api.Message, api.Code), api.Code
			}
			if api.Errors != nil {
				o["errors"] = api.Errors
			}
		}
		if r, is := v.(Reply); is && r.Interaction != 0 {
			o["interaction"] = r.Interaction
		}
		v = o
	case v == nil:
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(status)
	if p, is := v.(pages); is {
		p(w)
		return
	}
	w.Write(append(encode(v), '\n')) //nolint:errcheck // the caller may have hung up
}

// decode reads the body.
func (c control) decode(v any) error {
	data, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	switch {
	case err != nil:
		return badRequest(0, "the body cannot be read")
	case len(data) > maxBody:
		return &APIError{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body has more than %d MiB", maxBody>>20)}
	case !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
		return badRequest(0, "a JSON object is wanted as the body")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return badRequest(0, "the body does not fit: "+err.Error())
	}
	return nil
}

// id is a path value.
func (c control) id(name string) (snowflake.ID, error) {
	id, err := snowflake.Parse(c.r.PathValue(name))
	if err != nil || c.r.PathValue(name) == "null" {
		return 0, badRequest(0, fmt.Sprintf("%q is no id", c.r.PathValue(name)))
	}
	return id, nil
}

// ids are several path values.
func (c control) ids(names ...string) ([]snowflake.ID, error) {
	out := make([]snowflake.ID, 0, len(names))
	for _, n := range names {
		id, err := c.id(n)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// asked is an id in the query; 0 if absent.
func (c control) asked(name string) (snowflake.ID, error) {
	raw := c.r.URL.Query().Get(name)
	if raw == "" {
		return 0, nil
	}
	id, err := snowflake.Parse(raw)
	if err != nil {
		return 0, badRequest(0, fmt.Sprintf("%s: %q is no id", name, raw))
	}
	return id, nil
}

func (c control) askedNumber(name string, preset int) (int, error) {
	raw := c.r.URL.Query().Get(name)
	if raw == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 0 {
		return 0, badRequest(0, fmt.Sprintf("%s: %q is no number", name, raw))
	}
	return n, nil
}

// inGuild runs f on the guild of the path and encodes what it gives, all under the lock.
func (c control) inGuild(f func(*guild) (any, error)) (any, error) {
	id, err := c.id("g")
	if err != nil {
		return nil, err
	}
	var out json.RawMessage
	err = c.at(id, func(g *guild) error {
		v, err := f(g)
		if err == nil && v != nil {
			out = encode(v)
		}
		return err
	})
	if err != nil || out == nil {
		return nil, err
	}
	return out, nil
}

func controlWorld(on controlAdder) {
	on("GET /guilds/{g}", func(c control) (any, error) {
		return c.inGuild(func(g *guild) (any, error) {
			o := g.guildObject()
			o["member_count"], o["channels"], o["unavailable"] = len(g.members.order), g.channels, g.down
			return o, nil
		})
	})
	on("GET /guilds/{g}/roles", func(c control) (any, error) {
		return c.inGuild(func(g *guild) (any, error) { return g.sortedRoles(), nil })
	})
	on("GET /guilds/{g}/channels", func(c control) (any, error) {
		return c.inGuild(func(g *guild) (any, error) { return append([]*Channel{}, g.channels...), nil })
	})
	on("GET /guilds/{g}/members", func(c control) (any, error) {
		after, err := c.asked("after")
		if err != nil {
			return nil, err
		}
		limit, err := c.askedNumber("limit", 1000)
		if err != nil {
			return nil, err
		}
		id, err := c.id("g")
		if err != nil {
			return nil, err
		}
		return memberPages(c.Server, id, after, limit), c.at(id, func(*guild) error { return nil })
	})
	on("GET /guilds/{g}/members/{u}", func(c control) (any, error) {
		u, err := c.id("u")
		if err != nil {
			return nil, err
		}
		return c.inGuild(func(g *guild) (any, error) {
			m := g.members.by[u]
			if m == nil {
				return nil, unknownMember()
			}
			return memberObject(m), nil
		})
	})
	on("GET /guilds/{g}/audit-log", func(c control) (any, error) {
		return c.inGuild(func(g *guild) (any, error) {
			entries := slices.Clone(g.audit)
			slices.Reverse(entries)
			return object{"audit_log_entries": append([]*auditEntry{}, entries...)}, nil
		})
	})
	on("POST /guilds/{g}/channels", func(c control) (any, error) {
		var in Channel
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		return c.inGuild(func(g *guild) (any, error) { return c.addChannel(g, g.by(0), in) })
	})
	on("POST /guilds/{g}/webhooks", func(c control) (any, error) {
		var in struct {
			Channel LooseID `json:"channel_id"`
			In      LooseID `json:"channel"` // as the other calls name it
			Name    string  `json:"name"`
		}
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		return c.inGuild(func(g *guild) (any, error) {
			w, err := c.webhookIn(g, snowflake.ID(cmp.Or(in.Channel, in.In)), in.Name)
			if err != nil {
				return nil, err
			}
			return c.webhookObject(w), nil
		})
	})
	controlRoles(on)
}

// pages is an answer that is written piece by piece.
type pages func(io.Writer)

// memberPages is the list of members in pieces: a quarter of a million of them at once would double the memory.
func memberPages(s *Server, in, after snowflake.ID, limit int) pages {
	return func(w io.Writer) {
		b := []byte("[")
		for last := false; !last; b = b[:0] {
			err := s.at(in, func(g *guild) error {
				list := g.members.after(after, min(limit, chunkSize))
				for _, m := range list {
					if after = m.id; len(b) != 1 || b[0] != '[' {
						b = append(b, ',')
					}
					b = appendMember(b, m)
				}
				limit -= len(list)
				last = limit == 0 || len(list) < chunkSize
				return nil
			})
			if last || err != nil {
				b, last = append(b, "]\n"...), true
			}
			if _, err := w.Write(b); err != nil {
				return // the caller has hung up
			}
		}
	}
}

func controlRoles(on controlAdder) {
	edit := func(c control, change func(*guild, actor, roleEdit) (any, error)) (any, error) {
		var in roleEdit
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		by, err := c.asked("by")
		if err != nil {
			return nil, err
		}
		return c.inGuild(func(g *guild) (any, error) { return change(g, g.by(by), in) })
	}
	on("POST /guilds/{g}/roles", func(c control) (any, error) {
		return edit(c, func(g *guild, a actor, in roleEdit) (any, error) { return c.createRole(g, a, in) })
	})
	on("PATCH /guilds/{g}/roles/{r}", func(c control) (any, error) {
		role, err := c.id("r")
		if err != nil {
			return nil, err
		}
		return edit(c, func(g *guild, a actor, in roleEdit) (any, error) { return c.editRole(g, a, role, in) })
	})
	on("DELETE /guilds/{g}/roles/{r}", func(c control) (any, error) {
		ids, err := c.ids("g", "r")
		if err != nil {
			return nil, err
		}
		by, err := c.asked("by")
		if err != nil {
			return nil, err
		}
		return nil, c.DeleteRole(ids[0], ids[1], by)
	})
}

func controlMachine(on controlAdder) {
	on("GET /webhooks/deliveries", func(c control) (any, error) { return c.Deliveries(), nil })
	on("GET /requests", func(c control) (any, error) {
		n, err := c.askedNumber("since", 0)
		if err != nil {
			return nil, err
		}
		return c.Requests(n), nil
	})
	on("GET /gateway/connections", func(c control) (any, error) { return c.Connections(), nil })
	on("DELETE /gateway/connections/{id}", func(c control) (any, error) {
		id, err := c.id("id")
		if err != nil {
			return nil, err
		}
		code, err := c.askedNumber("code", 0)
		if err != nil {
			return nil, err
		}
		return nil, c.CloseConnection(int(id), code)
	})
	on("POST /faults", func(c control) (any, error) {
		var in Fault
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		return c.AddFault(in)
	})
	on("GET /faults", func(c control) (any, error) {
		return object{"names": FaultNames(), "active": append([]ActiveFault{}, c.Faults()...)}, nil
	})
	on("DELETE /faults", func(c control) (any, error) {
		c.ClearFaults()
		return nil, nil
	})
	on("POST /clock", func(c control) (any, error) {
		var in struct {
			Advance string `json:"advance"`
		}
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		d, err := time.ParseDuration(in.Advance)
		if err != nil {
			return nil, badRequest(0, fmt.Sprintf("advance: %q is no duration such as 15m", in.Advance))
		}
		if err := c.Advance(d); err != nil {
			return nil, err
		}
		return object{"now": c.clock.Now().UTC().Format(time.RFC3339Nano)}, nil
	})
}
