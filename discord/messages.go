package discord

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/notify"
)

// The colours of messages. Each is told in words as well.
var colours = [...]int{notify.Quiet: 0x95a5a6, notify.Acted: 0x2ecc71, notify.Held: 0xf1c40f, notify.Trouble: 0xe74c3c}

// deliveryPatience is how long a message waits for its turn. Whoever sends it has a queue, and is told how long instead.
const deliveryPatience = 5 * time.Second

// Send posts a message in a channel, with files of up to 10 MiB in all, and returns its id. It pings nobody. An error is an *Undelivered.
func (c *Client) Send(ctx context.Context, channel snowflake.ID, m notify.Message, files ...notify.File) (snowflake.ID, error) {
	create := discord.MessageCreate{Embeds: []discord.Embed{embed(m)}, Files: attach(files), AllowedMentions: &noMentions}
	sent, err := c.bot.Rest.CreateMessage(channel, create, rest.WithCtx(WithPatience(ctx, deliveryPatience)))
	if err != nil {
		return 0, undelivered(ctx, err, "the message was not posted in the channel")
	}
	return sent.ID, nil
}

// Edit replaces a message of the bot's own; files replace those it had, none leaves them. A message that somebody deleted is
// Undelivered with the fate Gone.
func (c *Client) Edit(ctx context.Context, channel, message snowflake.ID, m notify.Message, files ...notify.File) error {
	update := discord.MessageUpdate{Embeds: &[]discord.Embed{embed(m)}, Files: attach(files), AllowedMentions: &noMentions}
	_, err := c.bot.Rest.UpdateMessage(channel, message, update, rest.WithCtx(WithPatience(ctx, deliveryPatience)))
	if err != nil {
		return undelivered(ctx, err, "the message in the channel was not changed")
	}
	return nil
}

// DirectMessage posts a message to one person alone. Who takes none of the bot's is ErrClosed. An error is an *Undelivered.
func (c *Client) DirectMessage(ctx context.Context, person snowflake.ID, m notify.Message, files ...notify.File) error {
	channel, err := c.directChannel(WithPatience(ctx, deliveryPatience), person)
	if err != nil {
		return undelivered(ctx, err, "the direct message was not sent")
	}
	create := discord.MessageCreate{Embeds: []discord.Embed{embed(m)}, Files: attach(files), AllowedMentions: &noMentions}
	if _, err := c.bot.Rest.CreateMessage(channel, create, rest.WithCtx(WithPatience(ctx, deliveryPatience))); err != nil {
		u := undelivered(ctx, err, "the direct message was not sent")
		if u.Fate == Gone {
			c.mu.Lock()
			delete(c.direct, person)
			c.mu.Unlock()
		}
		return u
	}
	return nil
}

// directChannel opens the channel once: Discord takes a bot that opens many for one that spams.
func (c *Client) directChannel(ctx context.Context, person snowflake.ID) (snowflake.ID, error) {
	c.mu.Lock()
	id := c.direct[person]
	c.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	channel, err := c.bot.Rest.CreateDMChannel(person, rest.WithCtx(ctx))
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.direct[person] = channel.ID()
	return channel.ID(), nil
}

// Post sends a message to a webhook, on the same budget as everything else; it needs no gateway session. The address is a credential:
// no error holds it. An error is an *Undelivered, but for an address that is none.
func (c *Client) Post(ctx context.Context, address secret.String, m notify.Message, files ...notify.File) error {
	id, token, ok := webhookOf(address.Reveal())
	if !ok {
		return problem.Usagef("the webhook's address is none; copy it anew from the channel's settings into GATECAMP_WEBHOOK_URL")
	}
	create := discord.WebhookMessageCreate{Embeds: []discord.Embed{embed(m)}, Files: attach(files), AllowedMentions: &noMentions}
	_, err := c.bot.Rest.CreateWebhookMessage(id, token, create, rest.CreateWebhookMessageParams{Wait: true}, rest.WithCtx(WithPatience(ctx, deliveryPatience)))
	if err == nil {
		return nil
	}
	u := undelivered(ctx, err, "the summary was not posted")
	if code := status(err); code == http.StatusNotFound || code == http.StatusUnauthorized {
		u.Fate = Gone
		u.problem = problem.New(problem.Failed, "the webhook that summaries go to is gone; the summary was not posted",
			"make a new one in the channel's settings and put its address into GATECAMP_WEBHOOK_URL")
	}
	return u
}

// webhookOf takes a webhook's address apart: …/webhooks/ID/TOKEN.
func webhookOf(address string) (id snowflake.ID, token string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, "", false
	}
	_, rest, found := strings.Cut(u.Path, "/webhooks/")
	text, token, split := strings.Cut(rest, "/")
	id, err = snowflake.Parse(text)
	return id, token, found && split && err == nil && id != 0 && token != "" && !strings.Contains(token, "/")
}

func embed(m notify.Message) discord.Embed {
	e := discord.Embed{Title: m.Title, Description: m.Text, Color: colours[m.Tone]}
	if !m.At.IsZero() {
		e.Timestamp = &m.At
	}
	if m.Footer != "" {
		e.Footer = &discord.EmbedFooter{Text: m.Footer}
	}
	for _, f := range m.Fields {
		e.Fields = append(e.Fields, discord.EmbedField{Name: f.Name, Value: f.Value})
	}
	return e
}

// attach names each file in its description as well: disgo lists only described ones, and an edit keeps all that are not replaced by a list.
func attach(files []notify.File) (list []*discord.File) {
	for _, f := range files {
		list = append(list, discord.NewFile(f.Name, f.Name, bytes.NewReader(f.Data)))
	}
	return list
}
