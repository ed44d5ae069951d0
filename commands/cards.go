package commands

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// draft is a card that is to be shown: what a press will do.
type draft struct {
	kind    string
	digest  string
	run     int64
	members int // whom it is about; above phraseAbove the button's label has to be typed
	extra   any // what else the kind wants to know at the press
}

// cardArgs is what a stored card remembers.
type cardArgs struct {
	Members int             `json:"members,omitempty"`
	Path    string          `json:"path"` // the command that made it
	Extra   json.RawMessage `json:"extra,omitempty"`
}

// cardKind is what a press on one kind of card needs and does.
type cardKind struct {
	need  func(k posted) need
	label func(p *i18n.Printer, k posted) string // verb and number
	green bool                                   // nothing is taken from anybody
	// reason says that the press asks why, in a modal with one input.
	reason bool
	// check refuses what cannot be done now, before the card is used up; may be nil.
	check func(ctx context.Context, x *call, k posted) error
	do    func(ctx context.Context, x *call, k posted, reason string) (*answer, error)
}

// posted is a card with what it remembers.
type posted struct {
	storage.Card
	args cardArgs
}

// extra reads what the kind put aside.
func (k posted) extra(into any) error {
	if len(k.args.Extra) == 0 {
		return nil
	}
	return json.Unmarshal(k.args.Extra, into)
}

const (
	cardLife    = 5 * time.Minute
	phraseAbove = 25 // members
)

// What a card's outcome says.
const (
	outcomeDone      = "done"
	outcomeCancelled = "cancelled"
	outcomeExpired   = "expired"
)

// verbs of a custom id, after the card's own id.
const (
	verbGo     = "go"
	verbCancel = "no"
	verbPage   = "page"
	verbModal  = "say"
)

// newCardID is 128 random bits in base32: all that a custom id holds, and all that it proves.
func newCardID() string { return rand.Text() }

const cardIDLength = 26

func customID(card string, verb ...string) string {
	return card + "." + strings.Join(verb, ".")
}

// cutID takes a custom id apart.
func cutID(custom string) (card, verb, rest string) {
	card, verb, _ = strings.Cut(custom, ".")
	verb, rest, _ = strings.Cut(verb, ".")
	return card, verb, rest
}

// cardOrigin says of a card: who it is for, and what made it.
type cardOrigin struct {
	guild, invoker snowflake.ID
	locale, path   string
}

// makeCard stores a card that is about to be shown.
func (c *Commands) makeCard(ctx context.Context, d *draft, o cardOrigin) (k posted, err error) {
	defer wrap.Err(&err, "card %s", d.kind)
	k.args = cardArgs{Members: d.members, Path: o.path}
	if d.extra != nil {
		if k.args.Extra, err = json.Marshal(d.extra); err != nil {
			return k, err
		}
	}
	k.Card = storage.Card{
		ID: newCardID(), Guild: o.guild, Kind: d.kind, Digest: d.digest, Run: d.run, Locale: o.locale, Invoker: o.invoker,
		Created: c.now(), Expires: c.now().Add(cardLife),
	}
	if k.Args, err = json.Marshal(k.args); err != nil {
		return k, err
	}
	return k, c.cfg.Store.MakeCard(ctx, k.Card)
}

// buttons are the card's, in the language of whoever it was made for.
func (c *Commands) buttons(k posted, p *i18n.Printer, off bool) []discord.LayoutComponent {
	kind := c.kinds[k.Kind]
	style := discord.ButtonStyleDanger
	if kind.green {
		style = discord.ButtonStyleSuccess
	}
	if off {
		style = discord.ButtonStyleSecondary
	}
	do := discord.NewButton(style, cut(kind.label(p, k), 80), customID(k.ID, verbGo), "", 0)
	no := discord.NewSecondaryButton(p.T(i18n.FrameCancel), customID(k.ID, verbCancel))
	return []discord.LayoutComponent{discord.NewActionRow(do.WithDisabled(off), no.WithDisabled(off))}
}

// showCard answers with a card and remembers where it is.
func (x *call) showCard(ctx context.Context, a *answer, private bool) error {
	k, err := x.makeCard(ctx, a.card, cardOrigin{x.guild, x.caller.Discord, x.locale, x.path})
	if err != nil {
		x.fail(ctx, nil, err)
		return nil
	}
	untilWhen(a, k, x.Printer)
	m := a.message()
	m.Components = x.buttons(k, x.Printer, false)
	sent, err := x.line.show(ctx, m, private)
	if err != nil || sent == nil {
		return err
	}
	x.alive.keep(k.ID, x.line, k.Expires)
	return x.cfg.Store.PlaceCard(ctx, x.guild, k.ID, x.channel, sent.ID)
}

// untilWhen says on the card how long it is good for.
func untilWhen(a *answer, k posted, p *i18n.Printer) {
	a.fields = append(a.fields, field{name: p.T(i18n.FrameCardUntil), value: stamp(k.Expires)})
}

// press takes a button that was pressed.
func (x *call) press(ctx context.Context, i discord.ComponentInteraction) {
	ref, verb, rest := cutID(i.Data.CustomID())
	if verb == verbPage {
		if err := x.line.hold(ctx); err != nil {
			x.report(ctx, err)
			return
		}
		if err := x.pagePressed(ctx, ref, rest); err != nil {
			x.fail(ctx, nil, err)
		}
		return
	}
	k, err := x.cardHere(ctx, ref, &i.Message)
	if err != nil {
		x.refusePress(ctx, err)
		return
	}
	switch kind := x.kinds[k.Kind]; {
	case verb == verbCancel:
		x.cancelCard(ctx, k)
	case verb != verbGo:
		x.refusePress(ctx, x.forged())
	case kind.reason || k.args.Members > phraseAbove:
		x.openModal(ctx, k)
	default:
		if err := x.line.hold(ctx); err != nil {
			x.report(ctx, err)
			return
		}
		x.carryOut(ctx, k, "")
	}
}

// refusePress says a no to a press that has not been answered yet.
func (x *call) refusePress(ctx context.Context, err error) {
	if hold := x.line.hold(ctx); hold != nil {
		x.report(ctx, hold)
		return
	}
	x.fail(ctx, nil, err)
}

func (x *call) pagePressed(ctx context.Context, ref, page string) error {
	card, err := x.cfg.Store.Card(ctx, x.guild, ref)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && card.Kind != kindList:
		return x.forged()
	case err != nil:
		return err
	case card.Invoker != x.caller.Discord:
		x.unconfirmed(card.ID)
		return refuse("not_yours", x.T(i18n.FrameNotYours), "")
	case !x.now().Before(card.Expires):
		return problem.New(problem.Usage, x.T(i18n.FrameListOver), x.T(i18n.FrameAskAgain))
	}
	return x.turnPage(ctx, card, page)
}

// forged is the answer to a reference that means nothing here: made up, of another guild, or on another message than its own.
func (x *call) forged() error {
	x.unconfirmed("")
	return refuse("unknown_button", x.T(i18n.FrameForged), x.T(i18n.FrameAskAgain))
}

// cardHere is the open card of a reference, if it belongs to this guild, this message and a kind that there is.
func (x *call) cardHere(ctx context.Context, ref string, m *discord.Message) (k posted, err error) {
	k.Card, err = x.cfg.Store.Card(ctx, x.guild, ref)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return k, x.forged()
	case err != nil:
		return k, err
	}
	if _, known := x.kinds[k.Kind]; !known || m == nil || k.Guild != x.guild || k.Message != m.ID {
		return k, x.forged()
	}
	if err := json.Unmarshal(k.Args, &k.args); err != nil {
		return k, err
	}
	x.path = k.args.Path
	if !k.Used.IsZero() {
		return k, x.tooLate(k.Card)
	}
	if !x.now().Before(k.Expires) {
		return k, x.over(ctx, k)
	}
	return k, nil
}

// tooLate says who was faster.
func (x *call) tooLate(card storage.Card) error {
	by := whoWords(card.UsedBy)
	return problem.New(problem.Usage, x.T(i18n.FrameCardUsed, i18n.Args{"Outcome": outcomeWords(x.Printer, card.Outcome), "By": by, "At": stamp(card.Used)}), "")
}

// over closes a card whose time is over, and greys its buttons out.
func (x *call) over(ctx context.Context, k posted) error {
	x.unconfirmed(k.ID)
	card, err := x.cfg.Store.UseCard(ctx, x.guild, k.ID, outcomeExpired, "system", x.now())
	if err == nil || errors.Is(err, storage.ErrConflict) {
		if card.Outcome == outcomeExpired {
			x.greyOut(ctx, posted{card, k.args})
		}
		return problem.New(problem.Usage, x.T(i18n.FrameCardOver), x.T(i18n.FrameAskAgain))
	}
	return err
}

// openModal asks for the reason, or for the button's label. The rights are asked before, as at every press.
func (x *call) openModal(ctx context.Context, k posted) {
	kind := x.kinds[k.Kind]
	quick, end := context.WithTimeout(ctx, rightsWithin)
	err := x.mayPress(quick, k)
	if err == nil && kind.check != nil {
		err = kind.check(quick, x, k)
	}
	if err != nil && quick.Err() != nil { // a modal cannot be promised: it has to be the first answer
		err = problem.New(problem.Failed, x.T(i18n.FrameSlow), x.T(i18n.FramePressAgain)).Because(err)
	}
	end()
	if err != nil {
		x.refusePress(ctx, err)
		return
	}
	label := cut(kind.label(x.Printer, k), 80)
	input := discord.NewParagraphTextInput(inputReason).WithRequired(true).WithMaxLength(mostReason)
	m := discord.NewModalCreate(customID(k.ID, verbModal), cut(label, mostModalTitle))
	if kind.reason {
		m = m.AddLabel(x.T(i18n.FrameReason), input)
	}
	if k.args.Members > phraseAbove {
		l := discord.NewLabel(cut(x.T(i18n.FramePhrase), mostModalTitle), discord.NewShortTextInput(inputPhrase).WithRequired(true).WithPlaceholder(cut(label, 100)))
		l.Description = cut(x.T(i18n.FramePhraseText, i18n.Args{"Phrase": label}), 100)
		m = m.AddComponents(l)
	}
	x.report(ctx, x.line.ask(ctx, m))
}

const (
	inputReason    = "reason"
	inputPhrase    = "phrase"
	mostReason     = 400
	mostModalTitle = 45
)

// submit takes a modal that was filled in.
func (x *call) submit(ctx context.Context, i discord.ModalSubmitInteraction) {
	if ref, verb, _ := cutID(i.Data.CustomID); verb == verbForm {
		x.formFilled(ctx, ref, i)
		return
	}
	if err := x.line.hold(ctx); err != nil {
		x.report(ctx, err)
		return
	}
	ref, verb, _ := cutID(i.Data.CustomID)
	k, err := x.cardHere(ctx, ref, i.Message)
	if err == nil && verb != verbModal {
		err = x.forged()
	}
	if err != nil {
		x.fail(ctx, nil, err)
		return
	}
	kind := x.kinds[k.Kind]
	if phrase := kind.label(x.Printer, k); k.args.Members > phraseAbove && !samePhrase(i.Data.Text(inputPhrase), cut(phrase, 80)) {
		x.unconfirmed(k.ID)
		x.fail(ctx, nil, problem.New(problem.Usage, x.T(i18n.FramePhraseWrong, i18n.Args{"Typed": quoted(i.Data.Text(inputPhrase))}), x.T(i18n.FramePhraseText, i18n.Args{"Phrase": phrase})))
		return
	}
	reason := oneLine(i.Data.Text(inputReason))
	if kind.reason && reason == "" {
		x.fail(ctx, nil, problem.New(problem.Usage, x.T(i18n.FrameNoReason), x.T(i18n.FramePressAgain)))
		return
	}
	x.carryOut(ctx, k, reason)
}

// samePhrase forgives case, quotation marks and blanks, and nothing else.
func samePhrase(typed, phrase string) bool {
	bare := func(s string) string { return strings.ToLower(strings.Trim(oneLine(s), `"'«»“”„`)) }
	return bare(typed) == bare(phrase)
}

// mayPress lets those press who hold what the card needs, the one who asked for it and any other approver alike.
func (x *call) mayPress(ctx context.Context, k posted) error {
	err := x.may(ctx, x.kinds[k.Kind].need(k))
	if l, is := errors.AsType[*lacking](err); is && k.Invoker != x.caller.Discord {
		x.unconfirmed(k.ID)
		l.What = joinLines(x.T(i18n.FrameNotYourCard, i18n.Args{"Invoker": mentionMember(k.Invoker)}), l.What)
	}
	return err
}

// carryOut does what the card is for, once: rights and obstacles first, then the card is used up, then it is done.
func (x *call) carryOut(ctx context.Context, k posted, reason string) {
	kind := x.kinds[k.Kind]
	err := x.mayPress(ctx, k)
	if err == nil && kind.check != nil {
		err = kind.check(ctx, x, k)
	}
	if err != nil {
		x.fail(ctx, nil, err)
		return
	}
	card, err := x.cfg.Store.UseCard(ctx, x.guild, k.ID, outcomeDone, x.actor(), x.now())
	if errors.Is(err, storage.ErrConflict) {
		x.fail(ctx, nil, x.tooLate(card))
		return
	}
	if err != nil {
		x.fail(ctx, nil, err)
		return
	}
	k.Card = card
	a, err := kind.do(ctx, x, k, reason)
	x.alive.forget(k.ID)
	x.report(ctx, x.line.turn(ctx, x.closed(k)))
	if err != nil {
		x.fail(ctx, nil, err)
		return
	}
	x.report(ctx, x.line.tell(ctx, *a))
}

// cancelCard closes a card without doing anything. Whoever asked for it may, and who may press it.
func (x *call) cancelCard(ctx context.Context, k posted) {
	if err := x.line.hold(ctx); err != nil {
		x.report(ctx, err)
		return
	}
	if k.Invoker != x.caller.Discord && !x.manages {
		if err := x.mayPress(ctx, k); err != nil {
			x.fail(ctx, nil, err)
			return
		}
	}
	card, err := x.cfg.Store.UseCard(ctx, x.guild, k.ID, outcomeCancelled, x.actor(), x.now())
	if errors.Is(err, storage.ErrConflict) {
		err = x.tooLate(card)
	}
	if err != nil {
		x.fail(ctx, nil, err)
		return
	}
	x.alive.forget(k.ID)
	x.report(ctx, x.line.turn(ctx, x.closed(posted{card, k.args})))
	x.report(ctx, x.line.tell(ctx, answer{text: x.T(i18n.FrameCancelled)}))
}
