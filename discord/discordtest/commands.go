package discordtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
)

// Command and option types (interactions/application-commands).
const (
	commandChat    = 1
	commandUser    = 2
	commandMessage = 3

	optionSub         = 1
	optionGroup       = 2
	optionString      = 3
	optionInteger     = 4
	optionBool        = 5
	optionUser        = 6
	optionChannel     = 7
	optionRole        = 8
	optionMentionable = 9
	optionNumber      = 10
)

const (
	maxCommandText    = 8000
	commandCreatesDay = 200
)

// option is one option of a command, or a sub-command.
type option struct {
	Type         int            `json:"type"`
	Name         string         `json:"name"`
	Description  string         `json:"description"`
	Required     bool           `json:"required"`
	Autocomplete bool           `json:"autocomplete"`
	Choices      []optionChoice `json:"choices"`
	Options      []option       `json:"options"`
	MinLength    *int           `json:"min_length"`
	MaxLength    *int           `json:"max_length"`
	MinValue     *float64       `json:"min_value"`
	MaxValue     *float64       `json:"max_value"`

	NameLocales        map[string]string `json:"name_localizations"`
	DescriptionLocales map[string]string `json:"description_localizations"`
}

type optionChoice struct {
	Name        string            `json:"name"`
	Value       any               `json:"value"`
	NameLocales map[string]string `json:"name_localizations"`
}

// command is a registered command; raw is what the bot sent, which Discord echoes.
type command struct {
	option
	Permissions *Permissions `json:"default_member_permissions"`
	Contexts    []int        `json:"contexts"`

	id, version snowflake.ID
	app         *application
	guild       snowflake.ID // 0: global
	raw         map[string]json.RawMessage
	sent        string // the compact form as sent, to see whether a PUT changes anything
}

// object is Discord's command object.
func (c *command) object() object {
	o := object{
		"name_localizations": nil, "description_localizations": nil, "default_member_permissions": nil, "nsfw": false,
		"description": "", "dm_permission": true, "integration_types": []int{0}, "contexts": nil,
	}
	for k, v := range c.raw {
		o[k] = v
	}
	o["id"], o["application_id"], o["version"], o["type"] = c.id, c.app.id, c.version, c.Type
	if c.guild != 0 {
		o["guild_id"] = c.guild
	}
	return o
}

var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

func parseCommand(raw json.RawMessage) (*command, error) {
	c := &command{}
	var sent bytes.Buffer
	if err := json.Compact(&sent, raw); err != nil {
		return nil, badRequest(50109, "The request body contains invalid JSON.")
	}
	c.sent = sent.String()
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, invalidForm("BASE_TYPE_BAD_TYPE", err.Error(), "_")
	}
	if err := json.Unmarshal(raw, &c.raw); err != nil {
		return nil, invalidForm("BASE_TYPE_BAD_TYPE", err.Error(), "_")
	}
	if c.Type == 0 {
		c.Type = commandChat
	}
	return c, c.check()
}

func (c *command) check() error {
	n := utf8.RuneCountInString(c.Name)
	if c.Type != commandChat {
		if n < 1 || n > 32 || c.Type > commandMessage {
			return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.", "name")
		}
		return nil
	}
	if text := c.text(); text > maxCommandText {
		return invalidForm("APPLICATION_COMMAND_TOO_LARGE", fmt.Sprintf("Command exceeds maximum size (%d)", maxCommandText))
	}
	return c.option.check()
}

// text is what counts toward 8,000: the longest localisation of each name and description, and the values of choices.
func (o *option) text() int {
	n := longest(o.Name, o.NameLocales) + longest(o.Description, o.DescriptionLocales)
	for _, ch := range o.Choices {
		n += longest(ch.Name, ch.NameLocales)
		if s, is := ch.Value.(string); is {
			n += utf8.RuneCountInString(s)
		}
	}
	for i := range o.Options {
		n += o.Options[i].text()
	}
	return n
}

func longest(text string, locales map[string]string) int {
	n := utf8.RuneCountInString(text)
	for _, t := range locales {
		n = max(n, utf8.RuneCountInString(t))
	}
	return n
}

func (o *option) check() error {
	if !commandName.MatchString(o.Name) || strings.ToLower(o.Name) != o.Name {
		return invalidForm("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid", "name")
	}
	if n := utf8.RuneCountInString(o.Description); n < 1 || n > 100 {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "description")
	}
	if len(o.Options) > 25 || len(o.Choices) > 25 {
		return invalidForm("BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.", "options")
	}
	optional := false
	for i := range o.Options {
		sub := &o.Options[i]
		at := []string{"options", strconv.Itoa(i)}
		if err := sub.check(); err != nil {
			return err
		}
		if sub.Required && optional {
			return invalidForm("APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required options", at...)
		}
		optional = optional || !sub.Required
		if sub.Autocomplete && len(sub.Choices) > 0 {
			return invalidForm("APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", "Autocomplete and choices exclude each other", at...)
		}
		if slices.ContainsFunc(o.Options[:i], func(p option) bool { return p.Name == sub.Name }) {
			return invalidForm("APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option names must be unique", at...)
		}
	}
	return nil
}

// scopeOf is the list of commands that the path names: the application's own, global or of one guild.
func (c *call) commandScope() (*[]*command, snowflake.ID, error) {
	id, err := c.id("a")
	if err != nil {
		return nil, 0, err
	}
	if id != c.app.id {
		return nil, 0, &APIError{Status: 403, Code: 20012, Message: "You are not authorized to perform this action on this application"}
	}
	if c.path["g"] == "" {
		return &c.app.global, 0, nil
	}
	g, err := c.guild()
	if err != nil {
		return nil, 0, missingAccess()
	}
	list := c.app.guildCommands[g.id]
	return &list, g.id, nil
}

func (c *call) keepCommands(guild snowflake.ID, list []*command) {
	if guild == 0 {
		c.app.global = list
	} else {
		c.app.guildCommands[guild] = list
	}
}

func commandObjects(list []*command) []object {
	out := []object{}
	for _, cmd := range list {
		out = append(out, cmd.object())
	}
	return out
}

func getCommands(c *call) (answer, error) {
	list, _, err := c.commandScope()
	if err != nil {
		return answer{}, err
	}
	return ok(commandObjects(*list))
}

// putCommands replaces the whole list. A command of the same type and name keeps its id, and its version if nothing changed.
func putCommands(c *call) (answer, error) {
	old, guild, err := c.commandScope()
	if err != nil {
		return answer{}, err
	}
	var in []json.RawMessage
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	next := []*command{}
	for i, raw := range in {
		cmd, err := parseCommand(raw)
		if err != nil {
			return answer{}, err
		}
		if sameCommand(next, cmd) != nil {
			return answer{}, invalidForm("APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique", strconv.Itoa(i), "name")
		}
		next = append(next, cmd)
	}
	if err := countCommands(next); err != nil {
		return answer{}, err
	}
	for _, cmd := range next {
		if err := c.enrol(cmd, *old, guild); err != nil {
			return answer{}, err
		}
	}
	c.keepCommands(guild, next)
	return ok(commandObjects(next))
}

// countCommands holds the list against 100 chat, 15 user and 15 message commands.
func countCommands(list []*command) error {
	var n [4]int
	for _, cmd := range list {
		n[cmd.Type]++
	}
	if n[commandChat] > 100 || n[commandUser] > 15 || n[commandMessage] > 15 {
		return badRequest(30032, "Maximum number of application commands has been reached")
	}
	return nil
}

func sameCommand(list []*command, cmd *command) *command {
	for _, o := range list {
		if o.Type == cmd.Type && o.Name == cmd.Name {
			return o
		}
	}
	return nil
}

// enrol gives a command its id; new ones count toward 200 a day and guild.
func (c *call) enrol(cmd *command, old []*command, guild snowflake.ID) error {
	cmd.app, cmd.guild = c.app, guild
	if was := sameCommand(old, cmd); was != nil {
		cmd.id, cmd.version = was.id, was.version
		if was.sent != cmd.sent {
			cmd.version = c.newID()
		}
		return nil
	}
	w := c.app.creates[guild]
	if w == nil {
		w = &window{}
		c.app.creates[guild] = w
	}
	if !w.take(c.clock.Now(), commandCreatesDay, 24*time.Hour) && !c.cfg.Unlimited {
		return badRequest(30034, "Max number of daily application command creates has been reached (200)")
	}
	cmd.id = c.newID()
	cmd.version = cmd.id
	return nil
}

func postCommand(c *call) (answer, error) {
	old, guild, err := c.commandScope()
	if err != nil {
		return answer{}, err
	}
	cmd, err := parseCommand(c.body)
	if err != nil {
		return answer{}, err
	}
	was := sameCommand(*old, cmd)
	if err := c.enrol(cmd, *old, guild); err != nil {
		return answer{}, err
	}
	next := slices.DeleteFunc(slices.Clone(*old), func(o *command) bool { return o == was })
	if err := countCommands(append(next, cmd)); err != nil {
		return answer{}, err
	}
	c.keepCommands(guild, append(next, cmd))
	if was != nil {
		return ok(cmd.object())
	}
	return created(cmd.object())
}

// command is the command of the path.
func (c *call) command() (*command, *[]*command, snowflake.ID, error) {
	list, guild, err := c.commandScope()
	if err != nil {
		return nil, nil, 0, err
	}
	id, err := c.id("cmd")
	if err != nil {
		return nil, nil, 0, err
	}
	at := slices.IndexFunc(*list, func(o *command) bool { return o.id == id })
	if at < 0 {
		return nil, nil, 0, unknownCommand()
	}
	return (*list)[at], list, guild, nil
}

func getCommand(c *call) (answer, error) {
	cmd, _, _, err := c.command()
	if err != nil {
		return answer{}, err
	}
	return ok(cmd.object())
}

func patchCommand(c *call) (answer, error) {
	was, list, guild, err := c.command()
	if err != nil {
		return answer{}, err
	}
	merged := map[string]json.RawMessage{}
	maps.Copy(merged, was.raw)
	if err := c.decode(&merged); err != nil {
		return answer{}, err
	}
	merged["type"] = encode(was.Type)
	cmd, err := parseCommand(encode(merged))
	if err != nil {
		return answer{}, err
	}
	cmd.app, cmd.guild, cmd.id, cmd.version = was.app, guild, was.id, c.newID()
	next := slices.Clone(*list)
	next[slices.Index(next, was)] = cmd
	c.keepCommands(guild, next)
	return ok(cmd.object())
}

func deleteCommand(c *call) (answer, error) {
	cmd, list, guild, err := c.command()
	if err != nil {
		return answer{}, err
	}
	c.keepCommands(guild, slices.DeleteFunc(slices.Clone(*list), func(o *command) bool { return o == cmd }))
	return noContent()
}

func getCommandPermissions(c *call) (answer, error) {
	if _, _, err := c.commandScope(); err != nil {
		return answer{}, err
	}
	return ok([]object{})
}

// getOneCommandPermissions says that no overrides exist, as Discord does until somebody makes one.
func getOneCommandPermissions(c *call) (answer, error) {
	if _, _, _, err := c.command(); err != nil {
		return answer{}, err
	}
	return answer{}, notFound(10066, "application command permissions")
}
