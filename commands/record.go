package commands

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// lookedAt is what rules are told of a call when it has been answered.
type lookedAt struct {
	kind    AttemptKind
	let     bool   // past the guard, in a guild of ours
	outcome string // empty: success
	refusal string // the code of a no; empty: there was none
	wrong   bool   // a confirmation failed
	card    string // the card that was not confirmed; empty: none that there is
}

// unconfirmed notes that a confirmation failed: the wrong phrase, or a press on what is not there, not open or not theirs.
func (x *call) unconfirmed(card string) { x.looked.wrong, x.looked.card = true, card }

// cameTo notes what an error makes of the call.
func (x *call) cameTo(err error) {
	p, known := errors.AsType[*problem.Problem](err)
	if !known || p.Kind == problem.Failed {
		x.looked.outcome = rules.OutcomeError
		return
	}
	x.looked.outcome = rules.OutcomeUserError
	if p.Kind == problem.Refused {
		x.looked.refusal = refusalCode(err)
	}
}

// refusalCode is the code under which a no is recorded.
func refusalCode(err error) string {
	if _, spent := errors.AsType[*storage.AllowanceError](err); spent {
		return "rate_limited"
	}
	if l, is := errors.AsType[*lacking](err); is {
		return l.code
	}
	if c, is := errors.AsType[*coded](err); is {
		return c.code
	}
	return "refused"
}

// record tells the rules what came of a call. It is the last thing that is done about it, and waits for nothing.
func (c *Commands) record(x *call) {
	l := &x.looked
	if c.cfg.Record == nil || !l.let || l.kind == Typing {
		return
	}
	actor := enforcement.Actor{User: uint64(x.caller.Discord), Guild: uint64(x.guild), Channel: uint64(x.channel), Roles: make([]uint64, len(x.caller.Roles))}
	for i, r := range x.caller.Roles {
		actor.Roles[i] = uint64(r)
	}
	tell := func(kind string, actor enforcement.Actor) {
		fields := x.fields()
		if l.refusal != "" {
			fields["refusal"] = l.refusal
		}
		c.cfg.Record(enforcement.Incident{Type: kind, Actor: actor, Route: x.route, Fields: fields})
	}
	outcome := l.outcome
	if outcome == "" {
		outcome = rules.OutcomeSuccess
	}
	tell(prefixOf(l.kind)+outcome, actor)
	if l.refusal != "" {
		tell(rules.CommandRefused, actor)
	}
	if l.wrong {
		with := actor
		with.Session = l.card
		tell(rules.ConfirmationFail, with)
	}
}

// prefixOf begins the type of the incident that tells what came of it.
func prefixOf(kind AttemptKind) string {
	switch kind {
	case Press:
		return rules.ComponentPrefix
	case Submission:
		return rules.ModalPrefix
	case Command, Typing:
	}
	return rules.CommandPrefix
}

// fields are what rules may look at: which command it was, and its options without any that a person wrote in words of their own.
func (x *call) fields() map[string]any {
	fields := map[string]any{"command": x.path}
	for name, g := range x.given {
		if n, is := numberOf(g.is, g.raw); is {
			fields[name] = n
			continue
		}
		switch g.is {
		case discord.ApplicationCommandOptionTypeUser, discord.ApplicationCommandOptionTypeRole, discord.ApplicationCommandOptionTypeChannel,
			discord.ApplicationCommandOptionTypeMentionable:
			fields[name] = x.str(name)
		case discord.ApplicationCommandOptionTypeBool:
			fields[name] = x.is(name)
		default:
			if name == "member" && x.ref(name) != 0 { // of a context menu
				fields[name] = x.str(name)
			}
		}
	}
	return fields
}

// cardOf is the card that was pressed, or whose modal was filled in: a block of it keeps everybody from it. Custom ids are made by whoever
// posts a message: what is no id of a card of ours is none.
func cardOf(i discord.Interaction) string {
	custom := ""
	switch i := i.(type) {
	case discord.ComponentInteraction:
		custom = i.Data.CustomID()
	case discord.ModalSubmitInteraction:
		custom = i.Data.CustomID
	}
	card, _, _ := cutID(custom)
	if len(card) != cardIDLength {
		return ""
	}
	return card
}

// numbersOf are the numbers that were given with a command, by their options' names; nil if there are none.
func numbersOf(i discord.Interaction) (numbers map[string]any) {
	command, is := i.(discord.ApplicationCommandInteraction)
	if !is {
		return nil
	}
	slash, is := command.Data.(discord.SlashCommandInteractionData)
	if !is {
		return nil
	}
	for name, o := range slash.Options {
		n, is := numberOf(o.Type, o.Value)
		if !is {
			continue
		}
		if numbers == nil {
			numbers = map[string]any{}
		}
		numbers[name] = n
	}
	return numbers
}

// numberOf is an option as a number: of a number itself, of a text that is nothing but one, and of a text that names members by their ids
// how many they are.
func numberOf(is discord.ApplicationCommandOptionType, raw json.RawMessage) (n float64, ok bool) {
	switch is {
	case discord.ApplicationCommandOptionTypeInt, discord.ApplicationCommandOptionTypeFloat:
		return n, json.Unmarshal(raw, &n) == nil
	case discord.ApplicationCommandOptionTypeString:
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return 0, false
		}
		words := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\n,;<@!>", c) })
		for _, w := range words {
			if id, err := snowflake.Parse(w); err != nil || id < leastID {
				words = nil
				break
			}
		}
		if len(words) > 0 {
			return float64(len(words)), true
		}
		n, err := strconv.ParseInt(text, 10, 64)
		return float64(n), err == nil
	default:
		return 0, false
	}
}

// leastID is below every id that Discord gives: they hold the milliseconds since 2015 above their 22nd bit.
const leastID = snowflake.ID(1) << 40
