package discord

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/notify"
)

// The colours of messages. Each is told in words as well.
var colours = [...]int{notify.Quiet: 0x95a5a6, notify.Acted: 0x2ecc71, notify.Held: 0xf1c40f, notify.Trouble: 0xe74c3c}

// Post sends a message to a webhook, on the same budget as everything else. The address is a credential: no error holds it. What
// became of the message is not looked at again; a post that failed is not repeated, since it may have arrived.
func (c *Client) Post(ctx context.Context, address secret.String, m notify.Message) error {
	id, token, ok := webhookOf(address.Reveal())
	if !ok {
		return problem.Usagef("the webhook's address is none; copy it anew from the channel's settings into GATECAMP_WEBHOOK_URL")
	}
	create := discord.WebhookMessageCreate{Embeds: []discord.Embed{embed(m)}, AllowedMentions: &noMentions}
	_, err := c.bot.Rest.CreateWebhookMessage(id, token, create, rest.CreateWebhookMessageParams{Wait: true}, rest.WithCtx(ctx))
	switch code := status(err); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code == http.StatusNotFound, code == http.StatusUnauthorized:
		return problem.New(problem.Failed, "the webhook that summaries go to is gone; the summary was not posted",
			"make a new one in the channel's settings and put its address into GATECAMP_WEBHOOK_URL")
	}
	return problem.New(problem.Failed, "the summary was not posted: "+postWords(codeOf(err)), "it is in `gatecamp audit history`; nothing else depends on it")
}

func postWords(code string) string {
	if what, _ := Words(code); what != "" {
		return what
	}
	return code
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
