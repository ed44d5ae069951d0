package discordtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// webhook is an incoming webhook of a channel.
type webhook struct {
	id      snowflake.ID
	token   string
	name    string
	channel *Channel
	app     *application // the bot that made it; nil if a person did
	maker   snowflake.ID
}

// Webhook is a webhook with its URL, which is a credential.
type Webhook struct {
	ID        snowflake.ID `json:"-"`
	ChannelID snowflake.ID `json:"channel_id"`
	URL       string       `json:"url"`
}

// Delivery is one call to a webhook's URL, without the URL.
type Delivery struct {
	Time      int64           `json:"time"` // arrival, Unix microseconds of the clock
	WebhookID snowflake.ID    `json:"webhook_id"`
	Method    string          `json:"method"`
	Status    int             `json:"status"`
	Body      json.RawMessage `json:"body"`
	Files     []File          `json:"files"`
	MessageID *snowflake.ID   `json:"message_id"`
}

func (s *Server) webhookURL(w *webhook) string {
	return s.APIURL() + "/webhooks/" + w.id.String() + "/" + w.token
}

func (s *Server) webhookObject(w *webhook) object {
	o := object{
		"id": w.id, "type": 1, "guild_id": w.channel.GuildID, "channel_id": w.channel.ID, "name": w.name, "avatar": nil, "token": w.token,
		"application_id": nil, "url": s.webhookURL(w),
	}
	if w.app != nil {
		o["application_id"] = w.app.id
	}
	if u := s.users[w.maker]; u != nil {
		o["user"] = userObject(u)
	}
	return o
}

// addWebhook makes a webhook. mu is held.
func (s *Server) addWebhook(ch *Channel, a actor, name string) *webhook {
	w := &webhook{id: s.newID(), token: webhookToken(), name: name, channel: ch, app: a.app, maker: a.id}
	s.webhooks[w.id] = w
	s.publish(ch.guild, entry(a, w.id, auditWebhookCreate, auditChange{Key: "name", New: name}), event{
		name: "WEBHOOKS_UPDATE", guild: ch.guild, intent: IntentWebhooks, channel: ch,
		data: func() []byte { return encode(object{"guild_id": ch.GuildID, "channel_id": ch.ID}) },
	})
	return w
}

func postWebhook(c *call) (answer, error) {
	ch, err := c.channelFor(ManageWebhooks)
	if err != nil {
		return answer{}, err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if n := len(in.Name); n < 1 || n > 80 {
		return answer{}, invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 80 in length.", "name")
	}
	return ok(c.webhookObject(c.addWebhook(ch, c.actor(), in.Name)))
}

func getChannelWebhooks(c *call) (answer, error) {
	ch, err := c.channelFor(ManageWebhooks)
	if err != nil {
		return answer{}, err
	}
	out := []object{}
	for _, id := range sortedKeys(c.webhooks) {
		if w := c.webhooks[id]; w.channel == ch {
			out = append(out, c.webhookObject(w))
		}
	}
	return ok(out)
}

func getWebhookByID(c *call) (answer, error) {
	id, err := c.id("id")
	if err != nil {
		return answer{}, err
	}
	w := c.webhooks[id]
	if w == nil {
		return answer{}, unknownWebhook()
	}
	if _, err := w.channel.guild.may(c.actor(), ManageWebhooks); err != nil {
		return answer{}, err
	}
	return ok(c.webhookObject(w))
}

// byToken is the webhook of the path, or the interaction whose token it is: Discord serves both under one address.
func (c *call) byToken() (*webhook, *interaction, error) {
	id, err := c.id("id")
	if err != nil {
		return nil, nil, err
	}
	token := c.path["token"]
	if app := c.apps[id]; app != nil {
		i := c.interactionTokens[token]
		if i == nil || i.app != app || i.over(c.clock.Now()) || i.answerType == 0 {
			return nil, nil, unknownWebhook()
		}
		return nil, i, nil
	}
	w := c.webhooks[id]
	switch {
	case w == nil:
		return nil, nil, unknownWebhook()
	case w.token != token:
		return nil, nil, &APIError{Status: http.StatusUnauthorized, Code: 50027, Message: "Invalid Webhook Token"}
	}
	return w, nil, nil
}

func getWebhook(c *call) (answer, error) {
	w, _, err := c.byToken()
	if err != nil {
		return answer{}, err
	}
	if w == nil {
		return answer{}, unknownWebhook()
	}
	o := c.webhookObject(w)
	delete(o, "user")
	return ok(o)
}

// postWebhookMessage posts through a webhook, or a followup of an interaction.
func postWebhookMessage(c *call) (answer, error) {
	w, i, err := c.byToken()
	if err != nil {
		return answer{}, err
	}
	var b messageBody
	if err := c.decode(&b); err != nil {
		return answer{}, err
	}
	if i != nil {
		m, err := c.followup(i, b, c.files)
		if err != nil {
			return answer{}, err
		}
		return ok(m.object())
	}
	m := &message{channel: w.channel, author: &user{id: w.id, name: w.name, bot: true}, name: w.name, webhook: w.id}
	if b.Username != "" {
		m.name = b.Username
	}
	if err := c.webhookRules(w, &b); err != nil {
		return answer{}, err
	}
	m.app = w.app
	if err := c.take(m, b, c.files); err != nil {
		return answer{}, err
	}
	c.post(m)
	c.delivered = &m.id
	if c.flag("wait") {
		return ok(m.object())
	}
	return noContent()
}

// webhookRules: components need with_components, files do not go with components V2, and nothing can be pressed (resources/webhook).
func (c *call) webhookRules(w *webhook, b *messageBody) error {
	if b.Flags != nil && *b.Flags&flagComponentsV2 != 0 && len(c.files) > 0 {
		return invalidForm("MESSAGE_CANNOT_USE_FILES_WITH_COMPONENTS_V2", "Files cannot be sent with IS_COMPONENTS_V2.", "files")
	}
	if w.app != nil {
		return nil // its own
	}
	if !c.flag("with_components") {
		if b.Flags != nil && *b.Flags&flagComponentsV2 != 0 {
			return badRequest(50006, "Cannot send an empty message") // components are ignored without with_components
		}
		b.Components = nil
		return nil
	}
	var raw []json.RawMessage
	if b.Components != nil {
		if err := decodeOrNull(b.Components, &raw, "components"); err != nil {
			return err
		}
	}
	parts, err := parseComponents(raw)
	for i := range parts {
		parts[i].walk(func(p *component) {
			if p.interactive() {
				err = invalidForm("WEBHOOK_CANNOT_USE_INTERACTIVE_COMPONENTS", "Only webhooks of an application can have interactive components.", "components")
			}
		})
	}
	return err
}

// tokenMessage is the message of the path, posted through its token.
func (c *call) tokenMessage() (*message, *interaction, error) {
	w, i, err := c.byToken()
	if err != nil {
		return nil, nil, err
	}
	if c.path["m"] == "" { // @original
		if i == nil || i.original == nil {
			return nil, nil, unknownMessage()
		}
		return i.original, i, nil
	}
	id, err := c.id("m")
	if err != nil {
		return nil, nil, err
	}
	m := c.messages[id]
	switch {
	case m == nil, w != nil && m.webhook != w.id, i != nil && m != i.original && !slices.Contains(i.followups, m):
		return nil, nil, unknownMessage()
	}
	return m, i, nil
}

func getWebhookMessage(c *call) (answer, error) {
	m, _, err := c.tokenMessage()
	if err != nil {
		return answer{}, err
	}
	return ok(m.object())
}

func patchWebhookMessage(c *call) (answer, error) {
	m, i, err := c.tokenMessage()
	if err != nil {
		return answer{}, err
	}
	var b messageBody
	if err := c.decode(&b); err != nil {
		return answer{}, err
	}
	if i == nil {
		if err := c.webhookRules(c.webhooks[m.webhook], &b); err != nil {
			return answer{}, err
		}
	}
	if err := c.change(m, b, c.files, i); err != nil {
		return answer{}, err
	}
	c.delivered = &m.id
	return ok(m.object())
}

func deleteWebhookMessage(c *call) (answer, error) {
	m, i, err := c.tokenMessage()
	if err != nil {
		return answer{}, err
	}
	c.erase(m)
	c.delivered = &m.id
	if i != nil && i.original == m {
		i.original = nil
	}
	return noContent()
}

// noteDelivery records a call to a webhook's URL, refused ones included.
func (s *Server) noteDelivery(c *call, res result, at time.Time) {
	if !strings.HasPrefix(c.route.template, "/webhooks/{id}/{token}") || c.route.method == http.MethodGet {
		return
	}
	id, err := c.id("id")
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[id] != nil {
		return // an interaction's followup
	}
	d := Delivery{Time: at.UnixMicro(), WebhookID: id, Method: c.route.method, Status: res.status, Body: nullable(c.body), Files: viewFiles(c.files), MessageID: c.delivered}
	s.deliveries = append(s.deliveries, d)
}
