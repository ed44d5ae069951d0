package discordtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

//go:embed worlds/*.txtar
var worlds embed.FS

// World is what a local Discord starts with: one guild, and for callers what Alliance Auth and the policy say.
type World struct {
	Name   string
	Auth   []byte // auth.json: the key aa of a snapshot; nil if absent
	Policy []byte // policy.yaml; nil if absent

	guild    guildSpec
	roles    []roleSpec
	members  []memberSpec
	channels []channelSpec
	crowd    []crowd
}

type guildSpec struct {
	ID          LooseID `json:"id"`
	Owner       LooseID `json:"owner_id"`
	Bot         LooseID `json:"bot_user_id"`
	BotPosition *int    `json:"bot_top_position"`
	Name        string  `json:"name"`
	Locale      string  `json:"preferred_locale"`
}

type roleSpec struct {
	ID          LooseID         `json:"id"`
	Name        string          `json:"name"`
	Managed     bool            `json:"managed"`
	Position    int             `json:"position"`
	Permissions *Permissions    `json:"permissions"`
	Color       int             `json:"color"`
	Hoist       bool            `json:"hoist"`
	Mentionable bool            `json:"mentionable"`
	Tags        json.RawMessage `json:"tags"`
}

type memberSpec struct {
	User struct {
		ID       LooseID `json:"id"`
		Username string  `json:"username"`
		Global   *string `json:"global_name"`
		Bot      bool    `json:"bot"`
	} `json:"user"`
	Nick    *string    `json:"nick"`
	Roles   []LooseID  `json:"roles"`
	Joined  *time.Time `json:"joined_at"`
	Boosts  *time.Time `json:"premium_since"`
	Timeout *time.Time `json:"communication_disabled_until"`
	Pending bool       `json:"pending"`
	Flags   uint32     `json:"flags"`
}

type channelSpec struct {
	ID         LooseID `json:"id"`
	Type       int     `json:"type"`
	Name       string  `json:"name"`
	Position   int     `json:"position"`
	Topic      *string `json:"topic"`
	Overwrites []struct {
		ID    LooseID     `json:"id"`
		Type  int         `json:"type"`
		Allow Permissions `json:"allow"`
		Deny  Permissions `json:"deny"`
	} `json:"permission_overwrites"`
	Webhooks []struct {
		ID    LooseID `json:"id"`
		Name  string  `json:"name"`
		Token string  `json:"token"`
	} `json:"webhooks"`
}

// crowd is a number of made-up members.
type crowd struct {
	Members int    `json:"members"`
	Seed    uint64 `json:"seed"`
}

// WorldNames is every world that is built in.
func WorldNames() []string {
	files, err := fs.Glob(worlds, "worlds/*.txtar")
	if err != nil {
		panic(err) // a bug: the pattern is ours
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".txtar")
	}
	return files
}

// LoadWorld is a world that is built in, or one read from a file.
func LoadWorld(name string) (*World, error) {
	if slices.Contains(WorldNames(), name) {
		data, err := worlds.ReadFile("worlds/" + name + ".txtar")
		if err != nil {
			return nil, err
		}
		return ParseWorld(name, data)
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.Usagef("no world is named %q and no file either; built in are %s", name, strings.Join(WorldNames(), ", ")).Because(err)
	}
	if err != nil {
		return nil, problem.New(problem.Failed, "the world "+name+" cannot be read", "check the file").Because(err)
	}
	return ParseWorld(name, data)
}

// Populate adds n made-up members, the same ones for the same seed.
func (w *World) Populate(n int, seed uint64) *World {
	if n > 0 {
		w.crowd = append(w.crowd, crowd{n, seed})
	}
	return w
}

// section is one file of a txtar archive, with the line of the archive that it starts at.
type section struct {
	file string // of the archive, for errors
	name string
	line int // of its first line, from 1
	data []byte
}

// fault is an error at an offset of the section: file, line, and what was expected.
func (s section) fault(offset int, format string, args ...any) error {
	line := s.line + bytes.Count(s.data[:min(max(offset, 0), len(s.data))], []byte("\n"))
	return problem.Usagef("%s:%d: %s: %s", s.file, line, s.name, fmt.Sprintf(format, args...))
}

// ParseWorld reads a world file. Errors name file, line and what was expected.
func ParseWorld(file string, data []byte) (*World, error) {
	sections := splitArchive(file, data)
	w := &World{Name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
	seen := map[string]bool{}
	for _, s := range sections {
		if seen[s.name] {
			return nil, problem.Usagef("%s:%d: %s is there a second time; want each file once", file, s.line-1, s.name)
		}
		seen[s.name] = true
		if err := w.read(s); err != nil {
			return nil, err
		}
	}
	if !seen["guild.json"] {
		return nil, problem.Usagef("%s:1: want a txtar archive with a line \"-- guild.json --\" and the guild after it", file)
	}
	return w, nil
}

func splitArchive(file string, data []byte) []section {
	var out []section
	start := 0
	for n, line := range bytes.SplitAfter(data, []byte("\n")) {
		text := strings.TrimRight(string(line), "\r\n")
		if name, is := strings.CutPrefix(text, "-- "); is && strings.HasSuffix(name, " --") {
			out = append(out, section{file: file, name: strings.TrimSpace(strings.TrimSuffix(name, "--")), line: n + 2})
			start += len(line)
			continue
		}
		if len(out) > 0 {
			s := &out[len(out)-1]
			s.data = data[start-len(s.data) : start+len(line)]
		}
		start += len(line)
	}
	return out
}

func (w *World) read(s section) error {
	if err := w.readSection(s); err != nil {
		return err
	}
	if strings.HasSuffix(s.name, ".json") && !json.Valid(s.data) { // something follows
		return s.slip("")
	}
	return nil
}

func (w *World) readSection(s section) error {
	switch s.name {
	case "guild.json":
		return w.readGuild(s)
	case "channels.json":
		return s.each(s.data, 0, "", func(at string, raw []byte, offset int) error {
			var c channelSpec
			if err := s.decode(raw, offset, at, &c); err != nil {
				return err
			}
			if c.ID == 0 || c.Name == "" {
				return s.fault(offset, "%s: want a channel with id and name", at)
			}
			if slices.ContainsFunc(w.channels, func(o channelSpec) bool { return o.ID == c.ID }) {
				return s.fault(offset, "%s.id: %d is there a second time; want each channel once", at, c.ID)
			}
			w.channels = append(w.channels, c)
			return nil
		})
	case "auth.json":
		var root map[string]json.RawMessage
		if err := s.decode(s.data, 0, "", &root); err != nil {
			return err
		}
		w.Auth = bytes.TrimSpace(s.data)
	case "policy.yaml":
		w.Policy = s.data
	case "generate.json":
		var c crowd
		if err := s.decode(s.data, 0, "", &c); err != nil {
			return err
		}
		w.Populate(c.Members, c.Seed)
	default:
		return problem.Usagef("%s:%d: unknown file %q; want guild.json, auth.json, policy.yaml, channels.json or generate.json", s.file, s.line-1, s.name)
	}
	return nil
}

func (w *World) readGuild(s section) error {
	var roles, members bool
	err := s.fields(s.data, func(key string, raw []byte, offset int) error {
		switch key {
		case "guild":
			return s.decode(raw, offset, key, &w.guild)
		case "guild_roles":
			roles = true
			return w.readRoles(s, raw, offset)
		case "guild_members":
			members = true
			return s.each(raw, offset, key, func(page string, raw []byte, offset int) error { return w.readPage(s, page, raw, offset) })
		}
		return nil // other keys of a snapshot
	})
	switch {
	case err != nil:
		return err
	case !roles:
		return s.fault(0, "guild_roles: missing; want a list of Discord role objects")
	case !members:
		return s.fault(0, "guild_members: missing; want a list of pages, each a list of Discord member objects")
	}
	return nil
}

func (w *World) readRoles(s section, raw []byte, offset int) error {
	seen := map[LooseID]bool{}
	return s.each(raw, offset, "guild_roles", func(at string, raw []byte, offset int) error {
		var r roleSpec
		if err := s.decode(raw, offset, at, &r); err != nil {
			return err
		}
		switch {
		case r.ID == 0:
			return s.fault(offset, "%s.id: missing; want an id in digits", at)
		case r.Name == "":
			return s.fault(offset, "%s.name: missing; want the role's name", at)
		case seen[r.ID]:
			return s.fault(offset, "%s.id: %d is there a second time; want each role once", at, r.ID)
		}
		seen[r.ID] = true
		w.roles = append(w.roles, r)
		return nil
	})
}

func (w *World) readPage(s section, page string, raw []byte, offset int) error {
	seen := make(map[LooseID]bool, len(w.members))
	for _, m := range w.members {
		seen[m.User.ID] = true
	}
	return s.each(raw, offset, page, func(at string, raw []byte, offset int) error {
		var m memberSpec
		if err := s.decode(raw, offset, at, &m); err != nil {
			return err
		}
		switch {
		case m.User.ID == 0:
			return s.fault(offset, "%s.user.id: missing; want an id in digits", at)
		case m.User.Username == "":
			return s.fault(offset, "%s.user.username: missing; want the account's name", at)
		case seen[m.User.ID]:
			return s.fault(offset, "%s.user.id: %d is there a second time; want each member once", at, m.User.ID)
		}
		seen[m.User.ID] = true
		w.members = append(w.members, m)
		return nil
	})
}

// decode reads one value; what does not fit is an error with its line.
func (s section) decode(raw []byte, offset int, at string, v any) error {
	err := json.Unmarshal(raw, v)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	var when *time.ParseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return s.fault(offset+int(syntax.Offset)-1, "%s%v; want JSON", place(at), err)
	case errors.As(err, &typ):
		return s.fault(offset+int(typ.Offset)-1, "%sa %s does not fit; want %s", place(at, typ.Field), typ.Value, plainType(typ.Type.String()))
	case errors.As(err, &when):
		return s.fault(offset, "%s%s is no time; want one like 2026-03-01T12:00:00Z", place(at), when.Value)
	default:
		return s.fault(offset, "%s%v", place(at), err)
	}
}

// slip is what is wrong with a section that is no JSON, at its line: a decoder that reads on does not tell where it stumbled.
func (s section) slip(at string) error {
	err := json.Unmarshal(s.data, &json.RawMessage{})
	offset := len(s.data)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = int(syntax.Offset) - 1
	}
	return s.fault(offset, "%s%v; want JSON", place(at), err)
}

// place is where something is, as the beginning of a sentence.
func place(parts ...string) string {
	if at := strings.Trim(strings.Join(parts, "."), "."); at != "" {
		return at + ": "
	}
	return ""
}

// plainType says what was expected in the words of JSON.
func plainType(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case goType == "string":
		return "a text"
	default:
		return "an object"
	}
}

// each visits the elements of a JSON list with their place and offset in the section.
func (s section) each(raw []byte, base int, at string, visit func(at string, raw []byte, offset int) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return s.fault(base, "%swant a list", place(at))
	}
	for i := 0; d.More(); i++ {
		start := int(d.InputOffset())
		var e json.RawMessage
		if err := d.Decode(&e); err != nil {
			return s.slip(fmt.Sprintf("%s[%d]", at, i))
		}
		start += bytes.Index(raw[start:], e)
		if err := visit(fmt.Sprintf("%s[%d]", at, i), e, base+start); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return s.slip(at)
	}
	return nil
}

// fields visits the fields of the JSON object that the section is.
func (s section) fields(raw []byte, visit func(key string, raw []byte, offset int) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return s.fault(0, "want a JSON object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return s.slip("")
		}
		start := int(d.InputOffset())
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return s.slip(fmt.Sprint(key))
		}
		start += bytes.Index(raw[start:], v)
		if err := visit(fmt.Sprint(key), v, start); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return s.slip("")
	}
	return nil
}

// GuildID is the guild of the world.
func (w *World) GuildID() snowflake.ID {
	if w.guild.ID != 0 {
		return snowflake.ID(w.guild.ID)
	}
	for _, r := range w.roles {
		if r.Name == "@everyone" {
			return snowflake.ID(r.ID)
		}
	}
	return defaultGuild
}
