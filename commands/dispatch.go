package commands

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"

	"gatecamp/enforcement/rules"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// handle works on one interaction: the guard first, whatever it is.
func (c *Commands) handle(ctx context.Context, e *events.InteractionCreate) {
	guild := id(e.GuildID())
	house, served := c.cfg.Guilds.Guild(guild)
	x := c.newCall(e, house)
	defer c.record(x)
	defer c.recovered(ctx, x)
	kind, path := whatIs(e.Interaction)
	x.path, x.route = path, RouteOf(e.Interaction)
	if !c.guarded(ctx, x, kind, e.Interaction) {
		return
	}
	// A copy that a user installed for themselves runs where the bot is not, and on nobody's authority.
	if _, installed := e.AuthorizingIntegrationOwners()[discord.ApplicationIntegrationTypeGuildInstall]; !served || guild == 0 || !installed {
		if kind == Typing {
			x.line.choices(ctx, nil)
			return
		}
		x.report(ctx, x.line.tell(ctx, answer{tone: toneNo, text: x.T(i18n.FrameNotServed)}))
		return
	}
	x.looked.kind, x.looked.let = kind, true
	switch i := e.Interaction.(type) {
	case discord.ApplicationCommandInteraction:
		x.command(ctx, i.Data)
	case discord.AutocompleteInteraction:
		x.offer(ctx, i.Data)
	case discord.ComponentInteraction:
		x.press(ctx, i)
	case discord.ModalSubmitInteraction:
		x.submit(ctx, i)
	}
}

// whatIs says what somebody did, as the guard is told.
func whatIs(i discord.Interaction) (AttemptKind, string) {
	switch i := i.(type) {
	case discord.ApplicationCommandInteraction:
		if s, slash := i.Data.(discord.SlashCommandInteractionData); slash {
			return Command, pathOf(s.CommandPath())
		}
		return Command, i.Data.CommandName()
	case discord.AutocompleteInteraction:
		return Typing, pathOf(i.Data.CommandPath())
	case discord.ModalSubmitInteraction:
		return Submission, ""
	}
	return Press, ""
}

func pathOf(path string) string { return strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", " ") }

// guarded asks the guard, and says its no.
func (c *Commands) guarded(ctx context.Context, x *call, kind AttemptKind, e discord.Interaction) bool {
	if c.cfg.Guard == nil {
		return true
	}
	no := c.cfg.Guard(ctx, Attempt{
		Guild: x.guild, User: x.caller.Discord, Channel: x.channel, Roles: x.caller.Roles, Kind: kind, Command: x.path, Route: x.route,
		Options: numbersOf(e), Card: cardOf(e),
	})
	if no == nil {
		return true
	}
	x.deny(ctx, kind, no)
	return false
}

// command does what a slash command or an entry of a context menu asks for.
func (x *call) command(ctx context.Context, data discord.ApplicationCommandInteractionData) {
	switch data := data.(type) {
	case discord.SlashCommandInteractionData:
		for name, o := range data.Options {
			x.given[name] = given{raw: o.Value, is: o.Type}
		}
	case discord.UserCommandInteractionData:
		if m := x.menuNamed(data.CommandName()); m != nil {
			x.path = m.as
			x.given["member"] = given{raw: json.RawMessage(`"` + data.TargetID().String() + `"`)}
		}
	}
	d := x.find(x.path)
	if d == nil { // a definition that is older than we are
		x.looked.outcome = rules.OutcomeUserError
		x.report(ctx, x.line.tell(ctx, answer{tone: toneWarn, text: x.T(i18n.FrameUnknownCommand)}))
		return
	}
	if d.form != nil && x.openForm(ctx, d) {
		return
	}
	public := d.public && x.is("public") && (!d.people || x.channel == x.house.AdminChannel)
	if err := x.line.think(ctx, !public); err != nil {
		x.report(ctx, err) // nothing was done: whoever asks sees that nobody answers
		return
	}
	x.do(ctx, d, public)
}

// do asks for rights, does it, and answers.
func (x *call) do(ctx context.Context, d *deed, public bool) {
	if err := x.may(ctx, x.needOf(d)); err != nil {
		x.fail(ctx, d, err)
		return
	}
	a, err := d.do(ctx, x)
	if err != nil {
		x.fail(ctx, d, err)
		return
	}
	if err := x.answer(ctx, a, !public); err != nil {
		x.undelivered(ctx, err)
	}
}

// undelivered tells, where that is still possible, that an answer could not be shown: nobody shall look at "is thinking…" for ever.
func (x *call) undelivered(ctx context.Context, err error) {
	ref := reference()
	x.counted.failed.Add(1)
	x.log.ErrorContext(ctx, "an answer could not be shown", "reference", ref, "command", x.path, "guild", x.guild, "user", x.caller.Discord, "error", x.line.scrub(err))
	x.apologise(ctx, ref)
}

// answer shows an answer with its list or its card.
func (x *call) answer(ctx context.Context, a *answer, private bool) error {
	if a.list != nil {
		m, err := x.listing(ctx, a, "")
		if err != nil {
			x.fail(ctx, nil, err)
			return nil
		}
		_, err = x.line.show(ctx, m, private)
		return err
	}
	if a.card != nil {
		return x.showCard(ctx, a, private)
	}
	_, err := x.line.show(ctx, a.message(), private)
	return err
}

// fail tells an error: what a person can mend in its words, everything else as a reference that the log has. Refusals are recorded.
func (x *call) fail(ctx context.Context, d *deed, err error) {
	// The person is told also where the work took too long.
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer end()
	x.cameTo(err)
	p, known := errors.AsType[*problem.Problem](err)
	if !known {
		ref := reference()
		x.counted.failed.Add(1)
		x.log.ErrorContext(ctx, "a command failed", "reference", ref, "command", x.path, "guild", x.guild, "user", x.caller.Discord, "error", x.line.scrub(err))
		x.apologise(ctx, ref)
		return
	}
	if p.Kind == problem.Refused {
		x.noteRefusal(ctx, d, err)
	}
	a := answer{tone: toneNo, text: p.What}
	if p.Kind == problem.Usage || p.Kind == problem.Held {
		a.tone = toneWarn
	}
	if p.Cure != "" {
		a.fields = []field{{name: x.T(i18n.FrameCure), value: p.Cure}}
	}
	x.report(ctx, x.line.tell(ctx, a))
}

// apologise tells of an error that nobody can mend by reading about it.
func (x *call) apologise(ctx context.Context, ref string) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer end()
	x.report(ctx, x.line.tell(ctx, answer{tone: toneNo, text: x.T(i18n.FrameFailed, i18n.Args{"Reference": code(ref)})}))
}

// report writes down that an answer did not arrive. Nothing else can be done: there is nobody to tell.
func (x *call) report(ctx context.Context, err error) {
	if err != nil {
		x.log.WarnContext(ctx, "interaction not answered", "command", x.path, "guild", x.guild, "user", x.caller.Discord, "error", x.line.scrub(err))
	}
}

// coded is a refusal with the code under which the record keeps it.
type coded struct {
	*problem.Problem
	code string
}

func (e *coded) Unwrap() error { return e.Problem }

// refuse says no: the code is for the record, the rest for the person.
func refuse(code, what, cure string) error {
	return &coded{problem.New(problem.Refused, what, cure), code}
}

// noteRefusal records a refused attempt, merged with others alike.
func (x *call) noteRefusal(ctx context.Context, d *deed, err error) {
	if _, spent := errors.AsType[*storage.AllowanceError](err); spent {
		return // Admit has recorded it
	}
	v := x.attempt(d)
	v.Refusal = refusalCode(err)
	if v.Command == "" {
		v.Command = "button"
	}
	if _, err := x.cfg.Store.Refuse(ctx, v); err != nil {
		x.log.ErrorContext(ctx, "refusal not recorded", "command", x.path, "user", x.caller.Discord, "error", err)
	}
}

// accept records an attempt that was let through and does not count.
func (x *call) accept(ctx context.Context, d *deed, run int64) error {
	v := x.attempt(d)
	v.Accepted, v.Run = true, run
	_, err := x.cfg.Store.Accept(context.WithoutCancel(ctx), v)
	return err
}

// offer answers with choices, and with none where anything is in the way: nobody is told more here than the command would tell.
func (x *call) offer(ctx context.Context, data discord.AutocompleteInteractionData) {
	ctx, end := context.WithTimeout(ctx, rightsWithin)
	defer end()
	typed := ""
	focus := data.Focused().Name
	for name, o := range data.Options {
		x.given[name] = given{raw: o.Value, is: o.Type, typo: o.Focused}
	}
	if x.given[focus].raw != nil {
		typed = x.str(focus)
	}
	d := x.find(x.path)
	var list []choice
	if d != nil && x.mayTyping(ctx, d.need) {
		for _, o := range d.options {
			if o.name != focus || o.offer == nil {
				continue
			}
			found, err := o.offer(ctx, x, typed)
			if err != nil && ctx.Err() == nil {
				x.log.WarnContext(ctx, "no choices", "command", x.path, "option", focus, "error", err)
			}
			list = found
		}
	}
	x.line.choices(context.WithoutCancel(ctx), list)
}
