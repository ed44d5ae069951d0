package discordtest

import (
	"context"
	"encoding/json"
	"io"
	"runtime/debug"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// HelloSchema names the form of the first line.
const HelloSchema = "gatecamp.local-discord/1"

// Bot is one of the bots of the world.
type Bot struct {
	Name   string       `json:"name"`
	UserID snowflake.ID `json:"user_id"`
	Token  string       `json:"token"`
}

// Hello is the first line of `gatecamp local-discord`: where everything is.
type Hello struct {
	Schema        string         `json:"schema"`
	API           string         `json:"api"`
	Gateway       string         `json:"gateway"`
	Control       string         `json:"control"`
	ApplicationID snowflake.ID   `json:"application_id"`
	Bots          []Bot          `json:"bots"` // gatecamp first
	GuildIDs      []snowflake.ID `json:"guild_ids"`
	Webhooks      []Webhook      `json:"webhooks"`
}

// Hello says where everything is.
func (s *Server) Hello() Hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := Hello{Schema: HelloSchema, API: s.APIURL(), Gateway: s.GatewayURL(), Control: s.ControlURL(), GuildIDs: s.guildIDs(), Webhooks: []Webhook{}}
	for _, name := range []string{BotGatecamp, BotAuth} {
		for _, id := range sortedKeys(s.apps) {
			if a := s.apps[id]; a.name == name {
				h.Bots = append(h.Bots, Bot{Name: a.name, UserID: a.id, Token: a.token})
			}
		}
	}
	h.ApplicationID = h.Bots[0].UserID
	for _, id := range sortedKeys(s.webhooks) {
		w := s.webhooks[id]
		h.Webhooks = append(h.Webhooks, Webhook{ID: w.id, ChannelID: w.channel.ID, URL: s.webhookURL(w)})
	}
	return h
}

// Bot is the bot of the name; the zero Bot if there is none.
func (s *Server) Bot(name string) Bot {
	for _, b := range s.Hello().Bots {
		if b.Name == name {
			return b
		}
	}
	return Bot{}
}

// Serve is `gatecamp local-discord`: it writes the line of Hello to stdout once it is ready, and serves until ctx ends.
func Serve(ctx context.Context, cfg Config, stdout io.Writer) (err error) {
	defer wrap.Err(&err, "discordtest.Serve")
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // what lives here lives long: 250,000 members shall not cost twice their memory
	s, err := New(cfg)
	if err != nil {
		return err
	}
	defer func() {
		if closed := s.Close(); err == nil {
			err = closed
		}
	}()
	if err := json.NewEncoder(stdout).Encode(s.Hello()); err != nil {
		return err
	}
	return s.Run(ctx)
}
