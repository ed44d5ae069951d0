package commands

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
)

// line is the way back to whoever did something. Its token is a credential for a quarter of an hour: it is nowhere but here, and no
// error that leaves here holds it.
type line struct {
	respond events.InteractionResponderFunc
	api     Answers // nil: there is only the first answer
	app     snowflake.ID
	token   secret.String

	state   lineState
	private bool // the answer that is thought about is for the person alone
}

// lineState is how far an interaction has been answered.
type lineState int

const (
	silent   lineState = iota // nothing yet
	thinking                  // "is thinking…" stands there
	held                      // of a button: its message stays as it is for now
	answered
)

func newLine(e *events.InteractionCreate, api Answers) *line {
	return &line{respond: e.Respond, api: api, app: e.ApplicationID(), token: secret.New(e.Token())}
}

// first sends the first answer, in time or not at all. What went wrong on the way, and not with the answer, is tried once more; that it is
// there already then means that it had arrived. On the first try it means that somebody else has answered, and then it is an error.
func (l *line) first(ctx context.Context, t discord.InteractionResponseType, data discord.InteractionResponseData, then lineState) (err error) {
	defer wrap.Err(&err, "answer")
	ctx, end := context.WithTimeout(ctx, answerWithin)
	defer end()
	err = l.respond(t, data, rest.WithCtx(ctx))
	if onTheWay(ctx, err) {
		if err = l.respond(t, data, rest.WithCtx(ctx)); isAnswered(err) {
			err = nil
		}
	}
	if err != nil {
		return l.clean(err)
	}
	l.state = then
	return nil
}

// onTheWay reports whether an error is the network's or Discord's own, and not about what was sent, and there is time to try again.
func onTheWay(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	var refused *rest.Error
	return !errors.As(err, &refused) || refused.Response != nil && refused.Response.StatusCode >= http.StatusInternalServerError
}

// isAnswered reports whether Discord says that the interaction was answered already.
func isAnswered(err error) bool {
	var refused *rest.Error
	return errors.As(err, &refused) && refused.Code == rest.JSONErrorCodeInteractionAlreadyAcknowledged
}

// think shows that an answer will come, to the person alone or to the channel.
func (l *line) think(ctx context.Context, private bool) error {
	l.private = private
	return l.first(ctx, discord.InteractionResponseTypeDeferredCreateMessage, discord.MessageCreate{Flags: flagsOf(private)}, thinking)
}

// hold takes a press and leaves the message as it is for now.
func (l *line) hold(ctx context.Context) error {
	return l.first(ctx, discord.InteractionResponseTypeDeferredUpdateMessage, nil, held)
}

// ask opens a modal.
func (l *line) ask(ctx context.Context, m discord.ModalCreate) error {
	return l.first(ctx, discord.InteractionResponseTypeModal, m, answered)
}

// choices offers what may be typed. What cannot be offered is not missed.
func (l *line) choices(ctx context.Context, list []choice) {
	all := make([]discord.AutocompleteChoice, 0, len(list))
	for _, c := range list[:min(len(list), mostChoices)] {
		all = append(all, discord.AutocompleteChoiceString{Name: cut(c.name, mostChoiceText), Value: c.value})
	}
	_ = l.first(ctx, discord.InteractionResponseTypeAutocompleteResult, discord.AutocompleteResult{Choices: all}, answered) // whoever types has typed on
}

// Discord's limits of choices (docs: application commands, autocomplete).
const (
	mostChoices    = 25
	mostChoiceText = 100
)

// tell shows an answer to the person alone, whatever was said before.
func (l *line) tell(ctx context.Context, a answer) error {
	_, err := l.show(ctx, a.message(), true)
	return err
}

// show answers. An answer that was thought about in the channel, and is for the person alone after all, takes the thought away first.
func (l *line) show(ctx context.Context, m discord.MessageCreate, private bool) (_ *discord.Message, err error) {
	defer wrap.Err(&err, "answer")
	switch {
	case l.state == silent:
		m.Flags = flagsOf(private)
		return nil, l.first(ctx, discord.InteractionResponseTypeCreateMessage, m, answered)
	case l.api == nil:
		return nil, errors.New("there is nobody to answer through")
	case l.state == thinking && l.private == private:
		sent, err := l.edit(ctx, update(m))
		if err == nil {
			l.state = answered
		}
		return sent, err
	case l.state == thinking:
		if err := l.api.DeleteInteractionResponse(l.app, l.token.Reveal(), rest.WithCtx(ctx)); err != nil {
			return nil, l.clean(err)
		}
		l.state = answered
	}
	m.Flags = flagsOf(private)
	sent, err := l.api.CreateFollowupMessage(l.app, l.token.Reveal(), m, rest.WithCtx(ctx))
	return sent, l.clean(err)
}

// turn changes the message whose button was pressed; it must have been held.
func (l *line) turn(ctx context.Context, u discord.MessageUpdate) (err error) {
	defer wrap.Err(&err, "change the message")
	if l.api == nil {
		return errors.New("there is nobody to answer through")
	}
	_, err = l.edit(ctx, u)
	return err
}

// edit changes the first answer, or the message whose button was pressed. Doing it twice does it once, so what went wrong on the way is
// tried again; a file can be read once only.
func (l *line) edit(ctx context.Context, u discord.MessageUpdate) (*discord.Message, error) {
	sent, err := l.api.UpdateInteractionResponse(l.app, l.token.Reveal(), u, rest.WithCtx(ctx))
	if len(u.Files) == 0 && onTheWay(ctx, err) {
		sent, err = l.api.UpdateInteractionResponse(l.app, l.token.Reveal(), u, rest.WithCtx(ctx))
	}
	return sent, l.clean(err)
}

// clean takes the token out of an error: the transport's own name the whole address.
func (l *line) clean(err error) error {
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), l.token.Reveal()) {
		return errors.New(l.scrub(err))
	}
	return err
}

// scrub is anything as a text without the token.
func (l *line) scrub(v any) string {
	return strings.ReplaceAll(fmt.Sprint(v), l.token.Reveal(), "[TOKEN]")
}

func flagsOf(private bool) discord.MessageFlags {
	if private {
		return discord.MessageFlagEphemeral
	}
	return discord.MessageFlagsNone
}

// nobody keeps a message from pinging anybody. Empty, not nil: nil would be sent as null, and null pings.
func nobody() *discord.AllowedMentions {
	return &discord.AllowedMentions{Parse: []discord.AllowedMentionType{}, Roles: []snowflake.ID{}, Users: []snowflake.ID{}}
}

// update is a message as a change of one: what the new one lacks goes.
func update(m discord.MessageCreate) discord.MessageUpdate {
	u := discord.MessageUpdate{Content: &m.Content, Embeds: &m.Embeds, Components: &m.Components, Files: m.Files, AllowedMentions: nobody()}
	if m.Embeds == nil {
		u.Embeds = &[]discord.Embed{}
	}
	if m.Components == nil {
		u.Components = &[]discord.LayoutComponent{}
	}
	return u
}

// stamp is a time as Discord shows it in everybody's own zone, with how long ago that is.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return fmt.Sprintf("<t:%d:F> (<t:%d:R>)", t.Unix(), t.Unix())
}
