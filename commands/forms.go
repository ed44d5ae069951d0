package commands

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// form asks for more than a command's options can hold, in a modal, before its deed is done.
type form struct {
	title  string
	inputs []input
}

// input is one of a form; what is filled in stands among what was given, under its name.
type input struct {
	name, label, value string
	long               bool
	most               int // characters
}

// kindForm is the stored side of a form: what was given with the command, until the modal comes back.
const kindForm = "form"

// formLife is how long a form may be filled in: the token of what opened it is not used again, so only patience bounds it.
const formLife = 30 * time.Minute

// verbForm says that a modal is a form's.
const verbForm = "form"

// openForm shows the form of a deed. The rights are asked before, and again when it comes back.
func (x *call) openForm(ctx context.Context, d *deed) (opened bool) {
	quick, end := context.WithTimeout(ctx, rightsWithin)
	defer end()
	err := x.may(quick, x.needOf(d))
	var f *form
	if err == nil {
		f, err = d.form(quick, x)
	}
	if err == nil && f == nil {
		return false
	}
	var card string
	if err == nil {
		card, err = x.keepGiven(quick, kindForm, formLife)
	}
	if err != nil {
		x.fail(ctx, d, err)
		return true
	}
	m := discord.NewModalCreate(customID(card, verbForm), cut(f.title, mostModalTitle))
	for _, i := range f.inputs {
		field := discord.NewShortTextInput(i.name)
		if i.long {
			field = discord.NewParagraphTextInput(i.name)
		}
		m = m.AddLabel(cut(i.label, mostModalTitle), field.WithRequired(true).WithMaxLength(i.most).WithValue(i.value))
	}
	x.report(ctx, x.line.ask(ctx, m))
	return true
}

// formFilled does what a form was for, once.
func (x *call) formFilled(ctx context.Context, ref string, i discord.ModalSubmitInteraction) {
	if err := x.line.think(ctx, true); err != nil {
		x.report(ctx, err)
		return
	}
	d, err := x.formHere(ctx, ref)
	if err != nil {
		x.fail(ctx, nil, err)
		return
	}
	for c := range i.Data.AllComponents() {
		if text, is := c.(discord.TextInputComponent); is {
			raw, err := json.Marshal(text.Value)
			if err != nil {
				x.fail(ctx, d, err)
				return
			}
			x.given[text.CustomID] = given{raw: raw}
		}
	}
	x.do(ctx, d, false)
}

// formHere is the deed of a form that was opened here by this person, and has not come back yet.
func (x *call) formHere(ctx context.Context, ref string) (*deed, error) {
	card, err := x.cfg.Store.Card(ctx, x.guild, ref)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && (card.Kind != kindForm || card.Invoker != x.caller.Discord):
		return nil, x.forged()
	case err != nil:
		return nil, err
	case !x.now().Before(card.Expires):
		return nil, problem.New(problem.Usage, x.T(i18n.FrameFormOver), x.T(i18n.FrameAskAgain))
	}
	d, err := x.restore(card)
	if err != nil {
		return nil, err
	}
	used, err := x.cfg.Store.UseCard(ctx, x.guild, ref, outcomeDone, x.actor(), x.now())
	if errors.Is(err, storage.ErrConflict) {
		return nil, x.tooLate(used)
	}
	return d, err
}
