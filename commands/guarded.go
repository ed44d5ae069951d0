package commands

import (
	"context"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/i18n"
)

// RouteOf is an interaction's route, the template under which the guard, the rules and the fail mode know it: "cmd:audit/run" for a
// command, "typ:" and the command for letters typed where choices are offered, "cmp:" and "modal:" with the verb of what was pressed or
// filled in. It holds nothing that a person wrote.
func RouteOf(i discord.Interaction) string {
	switch i := i.(type) {
	case discord.ApplicationCommandInteraction:
		if s, slash := i.Data.(discord.SlashCommandInteractionData); slash {
			return "cmd:" + strings.TrimPrefix(s.CommandPath(), "/")
		}
		return "cmd:" + i.Data.CommandName()
	case discord.AutocompleteInteraction:
		return "typ:" + strings.TrimPrefix(i.Data.CommandPath(), "/")
	case discord.ComponentInteraction:
		return "cmp:" + knownVerb(i.Data.CustomID())
	case discord.ModalSubmitInteraction:
		return "modal:" + knownVerb(i.Data.CustomID)
	}
	return "cmp:other"
}

// knownVerb is the verb of a custom id. Custom ids are made by whoever posts a message, so only verbs of ours go on.
func knownVerb(custom string) string {
	switch _, verb, _ := cutID(custom); verb {
	case verbGo, verbCancel, verbPage, verbModal, verbForm:
		return verb
	}
	return "other"
}

// ChangingRoutes are the routes of what changes something: they are denied when it cannot be found out whether somebody is blocked.
// What only reads goes on, and so does what stops gatecamp: a pause must always be possible.
func ChangingRoutes() (routes []string) {
	for _, cmd := range all() {
		if cmd.alone != nil && cmd.alone.need.sort >= orders {
			routes = append(routes, "cmd:"+cmd.name)
		}
		for i := range cmd.below {
			if cmd.below[i].need.sort >= orders {
				routes = append(routes, "cmd:"+cmd.name+"/"+cmd.below[i].name)
			}
		}
	}
	return append(routes, "cmp:"+verbGo, "modal:"+verbModal, "modal:"+verbForm)
}

// deny says the guard's no, in each kind's own way: whoever types is offered nothing, whoever presses too often sees nothing happen.
func (x *call) deny(ctx context.Context, kind AttemptKind, no *Denial) {
	if kind == Typing {
		x.line.choices(ctx, nil)
		return
	}
	if _, ok := x.denials.admit(x.guild, x.caller.Discord, x.now()); !ok && kind == Press {
		x.report(ctx, x.line.hold(ctx))
		return
	}
	x.report(ctx, x.line.tell(ctx, denied(x.Printer, no)))
}

// How many denied presses of somebody are answered in words; the others are taken and nothing happens.
const (
	denialMost   = 3
	denialWithin = time.Minute
)

// denied is what somebody who is kept out is told: why, until when, and whom to ask.
func denied(p *i18n.Printer, no *Denial) answer {
	appeal := oneLine(no.Appeal) // an operator wrote it, and may name a channel
	if appeal == "" {
		appeal = p.T(i18n.DeniedAppeal)
	}
	if no.Unchecked {
		return answer{tone: toneWarn, title: p.T(i18n.DeniedUncheckedTitle), text: p.T(i18n.DeniedUnchecked)}
	}
	reason := no.Reason
	if no.Rule != "" {
		reason = no.Message
	}
	until := p.T(i18n.DeniedForever)
	if !no.Until.IsZero() {
		until = stamp(no.Until)
	}
	a := answer{tone: toneNo, title: p.T(i18n.DeniedTitle), text: p.T(i18n.DeniedText), fields: []field{
		{name: p.T(i18n.DeniedReason), value: plainOr(reason, p.T(i18n.DeniedNoReason))},
		{name: p.T(i18n.DeniedUntil), value: until},
		{name: p.T(i18n.DeniedAppealName), value: appeal},
	}}
	if no.Block != 0 {
		a.footer = p.T(i18n.DeniedNumber, i18n.Args{"Block": no.Block})
	}
	return a
}

func plainOr(text, otherwise string) string {
	if text = plain(text); text == "" {
		return otherwise
	}
	return text
}
