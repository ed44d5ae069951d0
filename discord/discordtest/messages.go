package discordtest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Message flags (resources/message).
const (
	flagEphemeral    = 1 << 6
	flagLoading      = 1 << 7
	flagComponentsV2 = 1 << 15
)

// file is an attachment.
type file struct {
	ID   snowflake.ID
	Name string
	data []byte
}

// message is something that was posted, in a channel or for one person's eyes.
type message struct {
	id          snowflake.ID
	channel     *Channel
	author      *user
	name        string       // username that a webhook shows
	webhook     snowflake.ID // 0 for a bot's own
	app         *application // who hears of its buttons; nil for webhooks
	content     string
	embeds      []json.RawMessage
	components  []json.RawMessage
	flags       int
	reference   json.RawMessage
	posted      time.Time
	edited      time.Time
	files       []file
	seenBy      snowflake.ID // ephemeral: the only one who sees it
	interaction *interaction // whose answer it is
	deleted     bool
	edits       []edit
}

// edit is one change of a message, and the message as it was after it.
type edit struct {
	at      time.Time
	by      *interaction
	message json.RawMessage
}

// messageBody is what POST and PATCH of messages carry. Raw fields tell absent from null.
type messageBody struct {
	Content     json.RawMessage `json:"content"`
	Embeds      json.RawMessage `json:"embeds"`
	Components  json.RawMessage `json:"components"`
	Flags       *int            `json:"flags"`
	Attachments *[]attachment   `json:"attachments"`
	Username    string          `json:"username"`
	Reference   json.RawMessage `json:"message_reference"`
}

type attachment struct {
	ID LooseID `json:"id"`
}

// object is Discord's message object.
func (m *message) object() object {
	author := any(userObject(m.author))
	if m.webhook != 0 {
		author = object{"id": m.webhook, "username": m.name, "avatar": nil, "bot": true, "discriminator": "0000", "global_name": nil, "public_flags": 0}
	}
	o := object{
		"id": m.id, "channel_id": m.channel.ID, "author": author, "content": m.content, "timestamp": discordTime(m.posted), "edited_timestamp": nil,
		"tts": false, "mention_everyone": false, "mentions": []int{}, "mention_roles": []int{}, "attachments": m.attachments(), "embeds": raws(m.embeds),
		"components": raws(m.components), "flags": m.flags, "pinned": false, "type": 0,
	}
	if !m.edited.IsZero() {
		o["edited_timestamp"] = discordTime(m.edited)
	}
	if m.webhook != 0 {
		o["webhook_id"] = m.webhook
	}
	if m.app != nil {
		o["application_id"] = m.app.id
	}
	if m.reference != nil {
		o["message_reference"] = m.reference
	}
	if i := m.interaction; i != nil {
		o["type"], o["webhook_id"] = 20, m.app.id
		o["interaction_metadata"] = object{"id": i.id, "type": i.kind, "user": userObject(i.member.user), "authorizing_integration_owners": object{"0": i.guild.id}}
	}
	return o
}

func raws(list []json.RawMessage) []json.RawMessage {
	if list == nil {
		return []json.RawMessage{}
	}
	return list
}

func (m *message) attachments() []object {
	out := []object{}
	for _, f := range m.files {
		url := "http://127.0.0.1/attachments/" + m.channel.ID.String() + "/" + f.ID.String() + "/" + f.Name
		out = append(out, object{"id": f.ID, "filename": f.Name, "size": len(f.data), "url": url, "proxy_url": url})
	}
	return out
}

// take writes a checked body into the message. What is absent stays; null empties.
func (s *Server) take(m *message, b messageBody, files []file) error {
	next := *m
	if b.Content != nil {
		next.content = ""
		if err := decodeOrNull(b.Content, &next.content, "content"); err != nil {
			return err
		}
	}
	if b.Embeds != nil {
		next.embeds = nil
		if err := decodeOrNull(b.Embeds, &next.embeds, "embeds"); err != nil {
			return err
		}
	}
	if b.Components != nil {
		next.components = nil
		if err := decodeOrNull(b.Components, &next.components, "components"); err != nil {
			return err
		}
	}
	if b.Flags != nil {
		const settable = 1<<2 | 1<<12 | flagComponentsV2
		if m.flags&flagComponentsV2 != 0 && *b.Flags&flagComponentsV2 == 0 && m.id != 0 {
			return invalidForm("MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG", "The IS_COMPONENTS_V2 flag cannot be removed.", "flags")
		}
		next.flags = m.flags&^settable | *b.Flags&settable
	}
	if b.Reference != nil {
		next.reference = b.Reference
	}
	if b.Attachments != nil {
		next.files = slices.DeleteFunc(slices.Clone(m.files), func(f file) bool {
			return !slices.ContainsFunc(*b.Attachments, func(a attachment) bool { return snowflake.ID(a.ID) == f.ID })
		})
	}
	next.files = slices.Clone(next.files)
	for _, f := range files {
		f.ID = s.newID()
		next.files = append(next.files, f)
	}
	if err := next.check(); err != nil {
		return err
	}
	*m = next
	return nil
}

func decodeOrNull(raw json.RawMessage, v any, field string) error {
	if string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return invalidForm("BASE_TYPE_BAD_TYPE", "The value has the wrong type.", field)
	}
	return nil
}

// post puts a new message where it belongs and tells who may hear. mu is held.
func (s *Server) post(m *message) {
	m.id, m.posted = s.newID(), s.clock.Now()
	s.messages[m.id] = m
	if m.seenBy != 0 {
		return
	}
	m.channel.messages = append(m.channel.messages, m)
	m.channel.LastMessageID = &m.id
	s.tell("MESSAGE_CREATE", m)
}

// tell emits a message event. Bots without the content intent see only their own content.
func (s *Server) tell(name string, m *message) {
	intent := IntentMessages
	if m.channel.guild == nil {
		intent = IntentDMs
	}
	s.emit(event{name: name, guild: m.channel.guild, intent: intent, channel: m.channel, each: func(sess *session) []byte {
		o := m.object()
		if sess.intents&IntentContent == 0 && m.app != sess.app {
			o["content"], o["embeds"], o["components"], o["attachments"] = "", []int{}, []int{}, []int{}
		}
		if m.channel.guild != nil {
			o["guild_id"] = m.channel.guild.id
		}
		return encode(o)
	}})
}

// change edits a posted message. mu is held.
func (s *Server) change(m *message, b messageBody, files []file, by *interaction) error {
	if err := s.take(m, b, files); err != nil {
		return err
	}
	m.flags &^= flagLoading
	m.edited = s.clock.Now()
	m.edits = append(m.edits, edit{at: m.edited, by: by, message: encode(m.view())})
	if m.seenBy == 0 {
		s.tell("MESSAGE_UPDATE", m)
	}
	return nil
}

// erase deletes a message. mu is held.
func (s *Server) erase(m *message) {
	m.deleted = true
	delete(s.messages, m.id)
	if m.seenBy != 0 {
		return
	}
	ch := m.channel
	ch.messages = slices.DeleteFunc(ch.messages, func(o *message) bool { return o == m })
	intent, o := IntentDMs, object{"id": m.id, "channel_id": ch.ID}
	if ch.guild != nil {
		intent, o["guild_id"] = IntentMessages, ch.guild.id
	}
	s.emit(event{name: "MESSAGE_DELETE", guild: ch.guild, intent: intent, channel: ch, data: func() []byte { return encode(o) }})
}
