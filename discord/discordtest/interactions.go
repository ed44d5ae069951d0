package discordtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Interaction and answer types (interactions/receiving-and-responding).
const (
	kindCommand      = 2
	kindComponent    = 3
	kindAutocomplete = 4
	kindModal        = 5

	answerPong           = 1
	answerMessage        = 4
	answerDeferred       = 5
	answerDeferredUpdate = 6
	answerUpdate         = 7
	answerChoices        = 8
	answerModal          = 9
)

const (
	answerWithin = 3 * time.Second  // else the token dies
	tokenLife    = 15 * time.Minute // of edits and followups
)

// interaction is one thing that a person did with a bot.
type interaction struct {
	id         snowflake.ID
	token      string
	kind       int
	name       string // of the command, or the custom id
	app        *application
	guild      *guild
	channel    *Channel
	member     *member
	locale     string
	at         time.Time
	dead       bool // not answered in time
	answered   time.Time
	answerType int // 0: no answer yet
	answer     json.RawMessage
	modal      *modalData
	source     *message // whose button was pressed
	original   *message
	followups  []*message
	done       chan struct{} // closed by the answer
}

type modalData struct {
	CustomID   string      `json:"custom_id"`
	Title      string      `json:"title"`
	Components []component `json:"components"`
}

// over tells whether edits and followups are too late.
func (i *interaction) over(now time.Time) bool { return now.Sub(i.at) > tokenLife }

// late tells whether the first answer is too late.
func (i *interaction) late(now time.Time) bool { return i.dead || now.Sub(i.at) > answerWithin }

// start makes an interaction and sends it to the bot. mu is held.
func (s *Server) start(i *interaction, data object) {
	i.id, i.at, i.done = s.newID(), s.clock.Now(), make(chan struct{})
	i.token = base64.RawURLEncoding.EncodeToString([]byte("interaction:" + i.id.String() + ":" + secret(32)))
	if i.locale == "" {
		i.locale = i.guild.locale
	}
	s.interactions[i.id] = i
	s.interactionTokens[i.token] = i
	payload := encode(s.interactionObject(i, data))
	s.emit(event{name: "INTERACTION_CREATE", guild: i.guild, app: i.app, data: func() []byte { return payload }})
	if s.cfg.OnInteraction != nil {
		s.cfg.OnInteraction(i.app.id, payload)
	}
}

// interactionObject is the payload of INTERACTION_CREATE.
func (s *Server) interactionObject(i *interaction, data object) object {
	g := i.guild
	app := Permissions(0)
	if self := g.members.by[i.app.user.id]; self != nil {
		app = g.permissionsIn(self, i.channel)
	}
	channel := object{"id": i.channel.ID, "type": i.channel.Type, "name": i.channel.Name, "guild_id": g.id, "parent_id": i.channel.ParentID, "permissions": g.permissionsIn(i.member, i.channel)}
	o := object{
		"id": i.id, "application_id": i.app.id, "type": i.kind, "token": i.token, "version": 1, "guild_id": g.id,
		"guild":      object{"id": g.id, "locale": g.locale, "features": []string{}},
		"channel_id": i.channel.ID, "channel": channel, "member": g.memberHere(i.member, i.channel, true), "locale": i.locale, "guild_locale": g.locale,
		"app_permissions": app, "entitlements": []int{}, "authorizing_integration_owners": object{"0": g.id}, "context": 0,
		"attachment_size_limit": maxFile, "data": data,
	}
	if i.source != nil {
		o["message"] = i.source.object()
	}
	return o
}

// memberHere is a member object with the permissions in the channel; resolved data has it without the user.
func (g *guild) memberHere(m *member, ch *Channel, withUser bool) json.RawMessage {
	b := []byte(`{"permissions":"` + g.permissionsIn(m, ch).String() + `"`)
	if withUser {
		b = append(b, `,"user":`...)
		b = appendUser(b, m.user)
	}
	return appendMemberRest(b, m)
}

// callbackBody is an answer to an interaction.
type callbackBody struct {
	Type int             `json:"type"`
	Data json.RawMessage `json:"data"`
}

// postCallback takes the first answer, once, within 3 s.
func postCallback(c *call) (answer, error) {
	id, err := c.id("id")
	if err != nil {
		return answer{}, err
	}
	i := c.interactions[id]
	if i == nil || i.token != c.path["token"] {
		return answer{}, unknownInteraction()
	}
	if i.answerType != 0 {
		return answer{}, badRequest(40060, "Interaction has already been acknowledged.")
	}
	if i.late(c.clock.Now()) {
		return answer{}, unknownInteraction()
	}
	var b callbackBody
	if err := c.decode(&b); err != nil {
		return answer{}, err
	}
	if !fitsKind(i, b.Type) {
		return answer{}, invalidForm("INTERACTION_CALLBACK_TYPE", "This answer does not fit the interaction.", "type")
	}
	if err := c.answerInteraction(i, b); err != nil {
		return answer{}, err
	}
	i.answerType, i.answered, i.answer = b.Type, c.clock.Now(), c.body
	close(i.done)
	if !c.flag("with_response") {
		return noContent()
	}
	return ok(i.callbackObject(b.Type))
}

// callbackObject is Discord's interaction callback object, for who asked for it.
func (i *interaction) callbackObject(answer int) object {
	o := object{"id": i.id, "type": i.kind}
	if i.original == nil {
		return object{"interaction": o}
	}
	o["response_message_id"], o["channel_id"] = i.original.id, i.channel.ID
	o["response_message_loading"] = i.original.flags&flagLoading != 0
	o["response_message_ephemeral"] = i.original.flags&flagEphemeral != 0
	return object{"interaction": o, "resource": object{"type": answer, "message": i.original.object()}}
}

// fitsKind tells whether an interaction of this kind may be answered so.
func fitsKind(i *interaction, typ int) bool {
	switch typ {
	case answerMessage, answerDeferred:
		return i.kind != kindAutocomplete
	case answerDeferredUpdate, answerUpdate:
		return i.source != nil && i.kind != kindAutocomplete
	case answerChoices:
		return i.kind == kindAutocomplete
	case answerModal:
		return i.kind == kindCommand || i.kind == kindComponent
	default:
		return false
	}
}

func (c *call) answerInteraction(i *interaction, b callbackBody) error {
	var body messageBody
	if len(b.Data) > 0 && string(b.Data) != "null" {
		if err := decodeOrNull(b.Data, &body, "data"); err != nil {
			return err
		}
	}
	switch b.Type {
	case answerMessage, answerDeferred:
		return c.answerWithMessage(i, b.Type, body)
	case answerDeferredUpdate:
		i.original = i.source
		return nil
	case answerUpdate:
		i.original = i.source
		return c.change(i.source, body, c.files, i)
	case answerChoices:
		return checkChoices(b.Data)
	default:
		var modal modalData
		if err := decodeOrNull(b.Data, &modal, "data"); err != nil {
			return err
		}
		i.modal = &modal
		return checkModal(modal)
	}
}

func (c *call) answerWithMessage(i *interaction, typ int, body messageBody) error {
	m := i.newMessage(body.Flags)
	if typ == answerDeferred { // of the flags only ephemeral counts
		m.flags |= flagLoading
	} else if err := c.take(m, body, c.files); err != nil {
		return err
	}
	c.post(m)
	i.original = m
	return nil
}

// newMessage is a message of the interaction, for everyone in the channel or for the person alone.
func (i *interaction) newMessage(flags *int) *message {
	m := &message{channel: i.channel, author: i.app.user, app: i.app, interaction: i}
	if flags != nil && *flags&flagEphemeral != 0 {
		m.flags, m.seenBy = flagEphemeral, i.member.id
	}
	return m
}

func checkChoices(data json.RawMessage) error {
	var in struct {
		Choices []optionChoice `json:"choices"`
	}
	if err := decodeOrNull(data, &in, "data"); err != nil {
		return err
	}
	if len(in.Choices) > maxAutocomplete {
		return tooLong("choices", maxAutocomplete, "data")
	}
	for _, ch := range in.Choices {
		text, _ := ch.Value.(string)
		if n := len([]rune(ch.Name)); n < 1 || n > 100 || len([]rune(text)) > 100 {
			return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "data", "choices")
		}
	}
	return nil
}

// followup posts a further message of an interaction.
func (c *call) followup(i *interaction, b messageBody, files []file) (*message, error) {
	if i.answerType == answerChoices || i.answerType == answerModal {
		return nil, unknownWebhook()
	}
	m := i.newMessage(b.Flags)
	if err := c.take(m, b, files); err != nil {
		return nil, err
	}
	c.post(m)
	i.followups = append(i.followups, m)
	return m, nil
}

// unanswered is what a person sees after 3 s of silence.
func unanswered() error {
	return &APIError{Status: http.StatusGatewayTimeout, Message: "The application did not respond"}
}
