package discordtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
)

// filling turns what a person typed into what Discord sends, and refuses what Discord's client would not let through.
type filling struct {
	server   *Server
	guild    *guild
	channel  *Channel
	given    map[string]any
	focused  string
	resolved object
}

// fill descends into group and sub-command, then fills in the options.
func (f *filling) fill(options []option, words []string) ([]object, error) {
	nested := slices.ContainsFunc(options, func(o option) bool { return o.Type == optionSub || o.Type == optionGroup })
	if !nested {
		if len(words) > 0 {
			return nil, badRequest(0, fmt.Sprintf("name: the command has no sub-command %q", words[0]))
		}
		return f.leaves(options)
	}
	var names []string
	for _, o := range options {
		names = append(names, o.Name)
		if len(words) == 0 || o.Name != words[0] {
			continue
		}
		inner, err := f.fill(o.Options, words[1:])
		if err != nil {
			return nil, err
		}
		return []object{{"name": o.Name, "type": o.Type, "options": inner}}, nil
	}
	return nil, badRequest(0, "name: want one of the sub-commands "+strings.Join(names, ", "))
}

func (f *filling) leaves(options []option) ([]object, error) {
	out := []object{}
	known := map[string]bool{}
	for i := range options {
		o := &options[i]
		known[o.Name] = true
		value, given := f.given[o.Name]
		focused := o.Name == f.focused
		switch {
		case focused && !o.Autocomplete:
			return nil, badRequest(0, fmt.Sprintf("focused: the option %q has no autocomplete", o.Name))
		case focused:
			out = append(out, object{"name": o.Name, "type": o.Type, "value": fmt.Sprint(orEmpty(value)), "focused": true})
			continue
		case !given && o.Required && f.focused == "":
			return nil, badRequest(0, fmt.Sprintf("options: %q is required", o.Name))
		case !given:
			continue
		}
		v, err := f.value(o, value)
		if err != nil {
			return nil, err
		}
		out = append(out, object{"name": o.Name, "type": o.Type, "value": v})
	}
	for name := range f.given {
		if !known[name] {
			return nil, badRequest(0, fmt.Sprintf("options: the command has no option %q", name))
		}
	}
	if f.focused != "" && !known[f.focused] {
		return nil, badRequest(0, fmt.Sprintf("focused: the command has no option %q", f.focused))
	}
	return out, nil
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// value holds a value against its option.
func (f *filling) value(o *option, v any) (any, error) {
	bad := func(want string) error {
		return badRequest(0, fmt.Sprintf("options: %q: want %s, not %v", o.Name, want, v))
	}
	switch o.Type {
	case optionString:
		text, is := v.(string)
		n := utf8.RuneCountInString(text)
		switch {
		case !is:
			return nil, bad("a string")
		case o.MinLength != nil && n < *o.MinLength || o.MaxLength != nil && n > *o.MaxLength || n > 6000:
			return nil, bad("a text of another length")
		}
	case optionInteger, optionNumber:
		n, is := number(v)
		switch {
		case !is || o.Type == optionInteger && n != math.Trunc(n):
			return nil, bad("a number")
		case o.MinValue != nil && n < *o.MinValue || o.MaxValue != nil && n > *o.MaxValue:
			return nil, bad("a number within bounds")
		}
		v = n
	case optionBool:
		if _, is := v.(bool); !is {
			return nil, bad("true or false")
		}
	case optionUser, optionChannel, optionRole, optionMentionable:
		id, err := snowflake.Parse(fmt.Sprint(v))
		if err != nil {
			return nil, bad("an id")
		}
		return id.String(), f.resolve(o.Type, id)
	default:
		return nil, badRequest(0, fmt.Sprintf("options: the local Discord cannot fill in %q (type %d)", o.Name, o.Type))
	}
	if len(o.Choices) > 0 && !slices.ContainsFunc(o.Choices, func(c optionChoice) bool { return fmt.Sprint(c.Value) == fmt.Sprint(v) }) {
		return nil, bad("one of its choices")
	}
	return v, nil
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// resolve adds what an id stands for to the resolved data.
func (f *filling) resolve(typ int, id snowflake.ID) error {
	switch typ {
	case optionUser:
		return f.resolveUser(id)
	case optionRole:
		return f.resolveRole(id)
	case optionMentionable:
		if f.guild.roles[id] != nil {
			return f.resolveRole(id)
		}
		return f.resolveUser(id)
	default:
		ch := f.guild.channel(id)
		if ch == nil {
			return unknownChannel()
		}
		f.put("channels", id, object{"id": id, "name": ch.Name, "type": ch.Type, "permissions": allPermissions})
		return nil
	}
}

func (f *filling) put(kind string, id snowflake.ID, v any) {
	m, is := f.resolved[kind].(object)
	if !is {
		m = object{}
		f.resolved[kind] = m
	}
	m[id.String()] = v
}

func (f *filling) resolveUser(id snowflake.ID) error {
	u := f.server.users[id]
	if u == nil {
		return unknownUser()
	}
	f.put("users", id, userObject(u))
	if m := f.guild.members.by[id]; m != nil {
		f.put("members", id, f.guild.memberHere(m, f.channel, false))
	}
	return nil
}

func (f *filling) resolveRole(id snowflake.ID) error {
	r := f.guild.roles[id]
	if r == nil {
		return unknownRole()
	}
	f.put("roles", id, r)
	return nil
}

// choose holds the values of a select menu against it.
func (f *filling) choose(c *component, values []string) error {
	low, high := 1, 1
	if c.MinValues != nil {
		low = *c.MinValues
	}
	if c.MaxValues != nil {
		high = *c.MaxValues
	}
	if len(values) < low || len(values) > high {
		return badRequest(0, fmt.Sprintf("%s: want %d to %d values", c.CustomID, low, high))
	}
	types := map[int]int{componentUsers: optionUser, componentRoles: optionRole, componentMentionable: optionMentionable, componentChannels: optionChannel}
	for _, v := range values {
		if typ := types[c.Type]; typ != 0 {
			id, err := snowflake.Parse(v)
			if err != nil {
				return badRequest(0, fmt.Sprintf("%s: %q is no id", c.CustomID, v))
			}
			if err := f.resolve(typ, id); err != nil {
				return err
			}
		} else if !slices.ContainsFunc(c.Options, func(o selectOption) bool { return o.Value == v }) {
			return badRequest(0, fmt.Sprintf("%s: %q is not among its options", c.CustomID, v))
		}
	}
	return nil
}

// modal fills in a modal's inputs in the shape that Discord sends back.
func (f *filling) modal(parts []component) ([]object, error) {
	out := []object{}
	known := map[string]bool{}
	for i := range parts {
		p := &parts[i]
		o := object{"type": p.Type, "id": i + 1}
		switch {
		case p.Component != nil:
			inner, err := f.input(p.Component, known)
			if err != nil {
				return nil, err
			}
			o["component"] = inner
		case p.Type == componentRow:
			inner := []object{}
			for k := range p.Components {
				in, err := f.input(&p.Components[k], known)
				if err != nil {
					return nil, err
				}
				inner = append(inner, in)
			}
			o["components"] = inner
		}
		out = append(out, o)
	}
	for id := range f.given {
		if !known[id] {
			return nil, badRequest(0, fmt.Sprintf("values: the modal has no input %q", id))
		}
	}
	return out, nil
}

func (f *filling) input(c *component, known map[string]bool) (object, error) {
	known[c.CustomID] = true
	v, given := f.given[c.CustomID]
	o := object{"type": c.Type, "id": c.ID, "custom_id": c.CustomID}
	required := c.Required == nil || *c.Required
	switch c.Type {
	case componentText:
		text, is := orEmpty(v).(string)
		n := utf8.RuneCountInString(text)
		high := c.MaxLength
		if high == 0 {
			high = 4000
		}
		switch {
		case !is:
			return nil, badRequest(0, fmt.Sprintf("values: %q: want a text, not %v", c.CustomID, v))
		case text == "" && required:
			return nil, badRequest(0, fmt.Sprintf("values: %q is required", c.CustomID))
		case text != "" && (n < c.MinLength || n > high):
			return nil, badRequest(0, fmt.Sprintf("values: %q: want %d to %d characters", c.CustomID, c.MinLength, high))
		}
		o["value"] = text
	case componentCheck:
		checked, _ := v.(bool)
		o["value"] = checked
	case componentRadio:
		if !given && required {
			return nil, badRequest(0, fmt.Sprintf("values: %q is required", c.CustomID))
		}
		o["value"] = v
	default:
		values := texts(v)
		if len(values) > 0 || required {
			if err := f.choose(c, values); err != nil {
				return nil, err
			}
		}
		o["values"] = values
	}
	return o, nil
}

// texts is a list of strings, or one string as a list.
func texts(v any) []string {
	out := []string{}
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case []string:
		out = append(out, v...)
	case []any:
		for _, e := range v {
			out = append(out, fmt.Sprint(e))
		}
	}
	return out
}
