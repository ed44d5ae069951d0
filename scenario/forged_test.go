package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// forged presses a button that a confused or compromised process posted in the bot's name: forged USER made-up|moved|verb. Its custom id is
// another one, or that of the newest card in a message that is not the card's, or that of the card with another verb.
func (s *story) forged(a []string) error {
	messages, err := s.board()
	if err != nil {
		return err
	}
	custom, err := button("", oldestFirst(messages)...)
	if err != nil {
		return err
	}
	card, verb, _ := strings.Cut(custom, ".")
	custom = map[string]string{"made-up": strings.Repeat("A", len(card)) + "." + verb, "moved": custom, "verb": card + ".all"}[a[1]]
	if custom == "" {
		return fmt.Errorf("nothing is forged by %q", a[1])
	}
	message, err := s.postButton(custom)
	if err != nil {
		return err
	}
	s.reply, err = s.discord.PressMessage(s.t.Context(), message, discordtest.PressCall{User: loose(a[0]), Locale: s.locale, CustomID: custom})
	return err
}

// postButton posts a message with one button, in the bot's name and not by the program, in a channel of its own: each takes five messages in
// five seconds.
func (s *story) postButton(custom string) (id snowflake.ID, err error) {
	channel, err := s.discord.AddChannel(s.guild, "forged")
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(map[string]any{
		"content": "x", "components": []any{map[string]any{"type": 1, "components": []any{map[string]any{"type": buttonPart, "style": 4, "label": "x", "custom_id": custom}}}},
	})
	if err != nil {
		return 0, err
	}
	address := s.discord.APIURL() + "/v10/channels/" + channel.String() + "/messages"
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bot "+s.discord.Bot(discordtest.BotGatecamp).Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the message is answered with %s", answer.Status)
	}
	var m struct {
		ID snowflake.ID `json:"id"`
	}
	return m.ID, json.NewDecoder(answer.Body).Decode(&m)
}

// pressTwice presses a button of the admin channel twice at once: press-twice USER LABEL. The answers to both count as the last.
func (s *story) pressTwice(a []string) error {
	var custom string
	var message snowflake.ID
	if err := s.until(func() error {
		messages, err := s.board()
		if err != nil {
			return err
		}
		if custom, err = button(a[1], oldestFirst(messages)...); err != nil {
			return err
		}
		message, err = holding(messages, custom)
		return err
	}); err != nil {
		return err
	}
	var both sync.WaitGroup
	replies, errs := make([]discordtest.Reply, 2), make([]error, 2)
	for i := range replies {
		both.Go(func() {
			replies[i], errs[i] = s.discord.PressMessage(s.t.Context(), message, discordtest.PressCall{User: loose(a[0]), Locale: s.locale, CustomID: custom})
		})
	}
	both.Wait()
	s.reply = replies[0]
	return errors.Join(errs...)
}

// refuse answers every such call in Discord's place: METHOD PATH : refuse STATUS CODE.
func (s *story) refuse(method, path string, a []string) error {
	var status, code int
	if _, err := fmt.Sscan(strings.Join(a, " "), &status, &code); err != nil {
		return fmt.Errorf("want refuse STATUS CODE: %w", err)
	}
	s.gate.add(&hook{method: method, path: s.inGuild(path), every: 1, refusal: status, words: fmt.Sprintf(`{"message": "no", "code": %d}`, code)})
	return nil
}
