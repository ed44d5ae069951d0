package discordtest

import (
	"net/http"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// channel is the channel of the path, if the bot sees it.
func (c *call) channel() (*Channel, *member, error) {
	id, err := c.id("c")
	if err != nil {
		return nil, nil, err
	}
	if dm := c.dms[id]; dm != nil && dm.bot == c.app.user {
		return dm, nil, nil
	}
	for _, g := range c.guildOrder {
		ch := g.channel(id)
		if ch == nil {
			continue
		}
		self := g.members.by[c.app.user.id]
		if self == nil || !g.permissionsIn(self, ch).Has(ViewChannel) {
			return nil, nil, missingAccess()
		}
		return ch, self, nil
	}
	return nil, nil, unknownChannel()
}

// channelFor is the channel of the path, if the bot has the permission in it. Direct messages need none.
func (c *call) channelFor(want Permissions) (*Channel, error) {
	ch, self, err := c.channel()
	if err != nil {
		return nil, err
	}
	if self == nil {
		if want.Has(SendMessages) && !c.shareGuild(ch) {
			return nil, &APIError{Status: http.StatusForbidden, Code: 50007, Message: "Cannot send messages to this user"}
		}
		return ch, nil
	}
	if !ch.guild.permissionsIn(self, ch).Has(want) || want.Has(SendMessages) && self.timedOut(c.clock.Now()) {
		return nil, missingPermissions()
	}
	return ch, nil
}

// inChannel makes a handler of one that needs the channel of the path, and the bot's permission in it.
func inChannel(want Permissions, do func(*call, *Channel) (answer, error)) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		ch, err := c.channelFor(want)
		if err != nil {
			return answer{}, err
		}
		return do(c, ch)
	}
}

// shareGuild tells whether bot and recipient are in one guild; else Discord delivers nothing.
func (c *call) shareGuild(dm *Channel) bool {
	return slices.ContainsFunc(c.guildsOf(c.app), func(g *guild) bool { return g.members.by[dm.recipient.id] != nil })
}

func (ch *Channel) object() any {
	if ch.Type != channelDM {
		return ch
	}
	return object{"id": ch.ID, "type": channelDM, "last_message_id": ch.LastMessageID, "recipients": []any{userObject(ch.recipient)}, "flags": 0}
}

func getChannel(c *call) (answer, error) {
	ch, _, err := c.channel()
	if err != nil {
		return answer{}, err
	}
	return ok(ch.object())
}

// postDM opens direct messages. Bots hear no CHANNEL_CREATE for it.
func postDM(c *call) (answer, error) {
	var in struct {
		Recipient LooseID `json:"recipient_id"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	to := c.users[snowflake.ID(in.Recipient)]
	if to == nil || to.bot {
		return answer{}, badRequest(50033, "Invalid Recipient(s)")
	}
	for _, ch := range c.dms {
		if ch.bot == c.app.user && ch.recipient == to {
			return ok(ch.object())
		}
	}
	ch := &Channel{ID: c.newID(), Type: channelDM, bot: c.app.user, recipient: to, Overwrites: []Overwrite{}}
	c.dms[ch.ID] = ch
	return ok(ch.object())
}

func putOverwrite(c *call, ch *Channel) (answer, error) {
	id, err := c.id("o")
	if err != nil {
		return answer{}, err
	}
	next := Overwrite{ID: id}
	if err := c.decode(&next); err != nil {
		return answer{}, err
	}
	next.ID = id
	g, action := ch.guild, auditOverwriteCreate
	if next.Type == overwriteRole && g.roles[id] == nil {
		return answer{}, unknownRole()
	}
	ch.Overwrites = slices.DeleteFunc(slices.Clone(ch.Overwrites), func(o Overwrite) bool {
		if o.ID == id {
			action = auditOverwriteUpdate
		}
		return o.ID == id
	})
	ch.Overwrites = append(ch.Overwrites, next)
	c.publish(g, entry(c.actor(), ch.ID, action), channelEvent("CHANNEL_UPDATE", ch))
	return noContent()
}

func deleteOverwrite(c *call, ch *Channel) (answer, error) {
	id, err := c.id("o")
	if err != nil {
		return answer{}, err
	}
	at := slices.IndexFunc(ch.Overwrites, func(o Overwrite) bool { return o.ID == id })
	if at < 0 {
		return answer{}, notFound(10009, "Overwrite")
	}
	ch.Overwrites = slices.Delete(slices.Clone(ch.Overwrites), at, at+1)
	c.publish(ch.guild, entry(c.actor(), ch.ID, auditOverwriteDelete), channelEvent("CHANNEL_UPDATE", ch))
	return noContent()
}

func channelEvent(name string, ch *Channel) event {
	return event{name: name, guild: ch.guild, intent: IntentGuilds, channel: ch, data: func() []byte { return encode(ch) }}
}

// addChannel makes a channel. mu is held.
func (s *Server) addChannel(g *guild, a actor, ch Channel) (*Channel, error) {
	if ch.Name == "" || len(ch.Name) > 100 {
		return nil, invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "name")
	}
	if ch.ID != 0 && g.channel(ch.ID) != nil {
		return nil, badRequest(0, "a channel of this id exists")
	}
	if ch.ID == 0 {
		ch.ID = s.newID()
	}
	ch.GuildID, ch.guild = g.id, g
	if ch.Overwrites == nil {
		ch.Overwrites = []Overwrite{}
	}
	g.channels = append(g.channels, &ch)
	s.publish(g, entry(a, ch.ID, auditChannelCreate, auditChange{Key: "name", New: ch.Name}), channelEvent("CHANNEL_CREATE", &ch))
	return &ch, nil
}

func getMessages(c *call, ch *Channel) (answer, error) {
	limit, err := c.number("limit", 50, 1, 100)
	if err != nil {
		return answer{}, err
	}
	before, err := c.snowflake("before")
	if err != nil {
		return answer{}, err
	}
	after, err := c.snowflake("after")
	if err != nil {
		return answer{}, err
	}
	out := []object{}
	for _, m := range slices.Backward(ch.messages) {
		if (before == 0 || m.id < before) && m.id > after && len(out) < limit {
			out = append(out, m.object())
		}
	}
	return ok(out)
}

func postMessage(c *call, ch *Channel) (answer, error) {
	var b messageBody
	if err := c.decode(&b); err != nil {
		return answer{}, err
	}
	m := &message{channel: ch, author: c.app.user, app: c.app}
	if err := c.take(m, b, c.files); err != nil {
		return answer{}, err
	}
	c.post(m)
	return ok(m.object())
}

// message is the message of the path.
func (c *call) message(want Permissions) (*message, error) {
	ch, err := c.channelFor(want)
	if err != nil {
		return nil, err
	}
	id, err := c.id("m")
	if err != nil {
		return nil, err
	}
	m := c.messages[id]
	if m == nil || m.channel != ch || m.seenBy != 0 {
		return nil, unknownMessage()
	}
	return m, nil
}

func getMessage(c *call) (answer, error) {
	m, err := c.message(ReadMessageHistory)
	if err != nil {
		return answer{}, err
	}
	return ok(m.object())
}

func patchMessage(c *call) (answer, error) {
	m, err := c.message(0)
	if err != nil {
		return answer{}, err
	}
	if m.app != c.app {
		return answer{}, &APIError{Status: http.StatusForbidden, Code: 50005, Message: "Cannot edit a message authored by another user"}
	}
	var b messageBody
	if err := c.decode(&b); err != nil {
		return answer{}, err
	}
	if err := c.change(m, b, c.files, nil); err != nil {
		return answer{}, err
	}
	return ok(m.object())
}

func deleteMessage(c *call) (answer, error) {
	m, err := c.message(0)
	if err != nil {
		return answer{}, err
	}
	if m.app != c.app {
		if m, err = c.message(ManageMessages); err != nil {
			return answer{}, err
		}
	}
	c.erase(m)
	return noContent()
}

func postTyping(c *call) (answer, error) {
	if _, err := c.channelFor(SendMessages); err != nil {
		return answer{}, err
	}
	return noContent()
}
