package commands

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// call is one thing that somebody did, and all that a handler needs to answer it.
type call struct {
	*Commands
	*i18n.Printer // speaks the language of whoever asked

	guild   snowflake.ID
	house   House
	channel snowflake.ID
	caller  audit.Caller
	manages bool // holds Manage Server, or Administrator
	locale  string
	path    string // "audit run"; of a press that of the command which made the card
	route   string // as the guard knows it
	looked  lookedAt
	given   map[string]given
	page    int // of a list, from 1
	line    *line
}

// given is an option as it was given.
type given struct {
	raw  json.RawMessage
	is   discord.ApplicationCommandOptionType
	typo bool // being typed
}

// origin is where what is ordered or changed in Discord comes from.
const origin = "command"

func (c *Commands) newCall(e *events.InteractionCreate, house House) *call {
	x := &call{
		Commands: c, Printer: c.cfg.Texts.For(string(e.Locale())), guild: id(e.GuildID()), house: house, locale: string(e.Locale()),
		caller: audit.Caller{Discord: e.User().ID}, given: map[string]given{}, page: 1, line: newLine(e, house.REST),
	}
	if m := e.Member(); m != nil {
		x.caller.Roles = m.RoleIDs
		x.manages = m.Permissions.Has(discord.PermissionManageGuild) || m.Permissions.Has(discord.PermissionAdministrator)
	}
	if ch := e.Channel(); ch.MessageChannel != nil {
		x.channel = ch.ID()
	}
	return x
}

// actor is who asks, as the record names them.
func (x *call) actor() string { return "discord:" + x.caller.Discord.String() }

// author is who changes something, from here and now.
func (x *call) author(reason string) storage.Author {
	return storage.Author{Actor: x.actor(), Origin: origin, Reason: oneLine(reason), At: x.now()}
}

// has reports whether an option was given.
func (x *call) has(name string) bool { return x.given[name].raw != nil }

// str is an option's text; empty: not given.
func (x *call) str(name string) string {
	raw := x.given[name].raw
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return strings.TrimSpace(s)
	}
	return strings.Trim(string(raw), `"`)
}

// is reports whether a flag was given and set.
func (x *call) is(name string) bool { return string(x.given[name].raw) == "true" }

// ref is the id of a member or role that was given; 0: none.
func (x *call) ref(name string) snowflake.ID {
	id, err := snowflake.Parse(x.str(name))
	if err != nil {
		return 0
	}
	return id
}

// numbered reads an option that names something by its number, as run and finding do, and that may have been typed by hand; 0: not given.
func (x *call) numbered(name string) (int64, error) {
	if !x.has(name) {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(x.str(name), "#"), 10, 64)
	if err != nil || n < 1 {
		return 0, problem.New(problem.Usage, x.T(i18n.FrameNoNumber, i18n.Args{"Option": name, "Given": quoted(x.str(name))}), x.T(i18n.FrameNoNumberCure))
	}
	return n, nil
}

// redacted stands in the record for what a person wrote.
const redacted = "[REDACTED]"

// record is what was asked for as the record may keep it.
func (x *call) record(d *deed) string {
	if d == nil {
		return ""
	}
	var kept []string
	for _, o := range optionsOf(d) {
		switch {
		case !x.has(o.name):
		case o.kept:
			kept = append(kept, o.name+":"+cut(oneLine(x.str(o.name)), 64))
		default:
			kept = append(kept, o.name+":"+redacted)
		}
	}
	slices.SortFunc(kept, cmp.Compare[string])
	return strings.Join(kept, " ")
}

// attempt is what is noted of the call.
func (x *call) attempt(d *deed) storage.Invocation {
	at := x.now()
	return storage.Invocation{Guild: x.guild, User: x.actor(), Command: x.path, Args: x.record(d), Origin: origin, Count: 1, First: at, Last: at}
}
