package commands

import (
	"context"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/i18n"
)

// command is a slash command: a family with things below it, or one thing alone.
type command struct {
	name string
	// hidden is what Discord asks of whoever shall see the command; zero: everybody sees it. We ask on our side too.
	hidden discord.Permissions
	below  []deed // of a family
	alone  *deed  // else
}

// deed is one thing that somebody can ask for: "audit run".
type deed struct {
	name    string // below a family: "run"
	options []option
	need    need
	// more is what the options ask for beside need; may be nil.
	more func(x *call) need
	// public says that the answer may be shown to the channel, where `public:true` asks for it.
	public bool
	// people says that the answer names people: the only channel that it may be shown to is the admin channel.
	people bool
	do     func(ctx context.Context, x *call) (*answer, error)
	// form asks for more in a modal before anything is done, and has its answers among what was given; may be nil, and so may the form.
	form func(ctx context.Context, x *call) (*form, error)
}

// menu is an entry of a member's context menu.
type menu struct {
	name   string // "explain": the key of its text
	hidden discord.Permissions
	as     string // the deed that it does, with the member as its option
}

// option is something that is given with a command.
type option struct {
	name     string
	is       optionKind
	required bool
	choices  []string
	// offer makes choices for what is typed; may be nil.
	offer func(ctx context.Context, x *call, typed string) ([]choice, error)
	// kept says that what is given may stand in the record as it is: never text that a person wrote.
	kept     bool
	min, max int // of a number, or of a text's length; zero: none
}

// optionKind says what an option is. The list is closed.
type optionKind int

// The kinds of option.
const (
	optText optionKind = iota + 1
	optNumber
	optFlag
	optMember // somebody, also who has left
	optRole
)

// choice is offered while somebody types.
type choice struct{ name, value string }

// publicOption is there with everything that may be shown to the channel.
func publicOption() option { return option{name: "public", is: optFlag, kept: true} }

// formatOption is there with everything that lists.
func formatOption() option {
	return option{name: "format", is: optText, kept: true, choices: []string{formatPages, formatCSV, formatJSON}}
}

// optionsOf are a deed's options, the frame's own last.
func optionsOf(d *deed) []option {
	all := d.options
	if d.public {
		all = append(all[:len(all):len(all)], publicOption())
	}
	return all
}

// definitions are all commands as Discord is told.
func (c *Commands) definitions() []discord.ApplicationCommandCreate {
	var all []discord.ApplicationCommandCreate
	for _, cmd := range c.list {
		l := c.cfg.Texts.Command(cmd.name)
		d := discord.SlashCommandCreate{
			Name: cmd.name, NameLocalizations: locales(l.Names), Description: l.Description, DescriptionLocalizations: locales(l.Descriptions),
			Contexts: inGuilds(), IntegrationTypes: byGuilds(),
		}
		if d.DefaultMemberPermissions.OK = cmd.hidden != 0; cmd.hidden != 0 {
			d.DefaultMemberPermissions.Value = &cmd.hidden
		}
		if cmd.alone != nil {
			d.Options = c.optionsFor(cmd.alone)
		}
		for i := range cmd.below {
			b := &cmd.below[i]
			l := c.cfg.Texts.Command(cmd.name, b.name)
			d.Options = append(d.Options, discord.ApplicationCommandOptionSubCommand{
				Name: b.name, NameLocalizations: locales(l.Names), Description: l.Description, DescriptionLocalizations: locales(l.Descriptions),
				Options: c.optionsFor(b),
			})
		}
		all = append(all, d)
	}
	for _, m := range c.menus {
		l := c.cfg.Texts.Menu(m.name)
		d := discord.UserCommandCreate{Name: l.Name, NameLocalizations: locales(l.Names), Contexts: inGuilds(), IntegrationTypes: byGuilds()}
		if d.DefaultMemberPermissions.OK = m.hidden != 0; m.hidden != 0 {
			d.DefaultMemberPermissions.Value = &m.hidden
		}
		all = append(all, d)
	}
	return all
}

func inGuilds() []discord.InteractionContextType {
	return []discord.InteractionContextType{discord.InteractionContextTypeGuild}
}

func byGuilds() []discord.ApplicationIntegrationType {
	return []discord.ApplicationIntegrationType{discord.ApplicationIntegrationTypeGuildInstall}
}

func locales(texts map[string]string) map[discord.Locale]string {
	if len(texts) == 0 {
		return nil
	}
	all := make(map[discord.Locale]string, len(texts))
	for locale, t := range texts {
		all[discord.Locale(locale)] = t
	}
	return all
}

func (c *Commands) optionsFor(d *deed) []discord.ApplicationCommandOption {
	var all []discord.ApplicationCommandOption
	for _, required := range []bool{true, false} { // Discord wants required ones first
		for _, o := range optionsOf(d) {
			if o.required == required {
				all = append(all, c.optionFor(o))
			}
		}
	}
	return all
}

func (c *Commands) optionFor(o option) discord.ApplicationCommandOption {
	l := c.cfg.Texts.Option(o.name)
	names, descriptions := locales(l.Names), locales(l.Descriptions)
	switch o.is {
	case optNumber:
		return discord.ApplicationCommandOptionInt{
			Name: o.name, NameLocalizations: names, Description: l.Description, DescriptionLocalizations: descriptions, Required: o.required,
			Autocomplete: o.offer != nil, MinValue: orNil(o.min), MaxValue: orNil(o.max),
		}
	case optFlag:
		return discord.ApplicationCommandOptionBool{Name: o.name, NameLocalizations: names, Description: l.Description, DescriptionLocalizations: descriptions, Required: o.required}
	case optMember:
		return discord.ApplicationCommandOptionUser{Name: o.name, NameLocalizations: names, Description: l.Description, DescriptionLocalizations: descriptions, Required: o.required}
	case optRole:
		return discord.ApplicationCommandOptionRole{Name: o.name, NameLocalizations: names, Description: l.Description, DescriptionLocalizations: descriptions, Required: o.required}
	case optText:
	}
	s := discord.ApplicationCommandOptionString{
		Name: o.name, NameLocalizations: names, Description: l.Description, DescriptionLocalizations: descriptions, Required: o.required,
		Autocomplete: o.offer != nil, MinLength: orNil(o.min), MaxLength: orNil(o.max),
	}
	for _, value := range o.choices {
		l := c.cfg.Texts.Choice(o.name, value)
		s.Choices = append(s.Choices, discord.ApplicationCommandOptionChoiceString{Name: l.Name, NameLocalizations: locales(l.Names), Value: value})
	}
	return s
}

func orNil(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// find is the deed that a path names.
func (c *Commands) find(path string) *deed {
	for i := range c.list {
		cmd := &c.list[i]
		if cmd.alone != nil && cmd.name == path {
			return cmd.alone
		}
		for j := range cmd.below {
			if cmd.name+" "+cmd.below[j].name == path {
				return &cmd.below[j]
			}
		}
	}
	return nil
}

// menuNamed is the entry of the context menu of this English name.
func (c *Commands) menuNamed(name string) *menu {
	for i := range c.menus {
		if c.cfg.Texts.For(i18n.English).T(i18n.Key("menu."+c.menus[i].name)) == name {
			return &c.menus[i]
		}
	}
	return nil
}
