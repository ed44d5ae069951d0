package scenario

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// slash runs a slash command as a person: slash USER "audit run" mode=report.
func (s *story) slash(a []string) (err error) {
	call := discordtest.CommandCall{User: loose(a[0]), Locale: s.locale, Name: a[1], Options: map[string]any{}}
	for _, pair := range a[2:] {
		name, value, _ := strings.Cut(pair, "=")
		call.Options[name] = option(s.mentioned(value))
	}
	s.reply, err = s.discord.RunCommand(s.t.Context(), s.guild, call)
	return err
}

// option is a value as its kind is typed.
func option(text string) any {
	switch text {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}

func loose(text string) discordtest.LooseID { return discordtest.LooseID(id(text)) }

// menu chooses an entry of a context menu on a person: menu USER "Explain access" TARGET.
func (s *story) menu(a []string) (err error) {
	s.reply, err = s.discord.Menu(s.t.Context(), s.guild, discordtest.MenuCall{User: loose(a[0]), Locale: s.locale, Name: a[1], Target: loose(a[2])})
	return err
}

// answer is everything that the person sees of the last interaction.
func (s *story) answer() (string, error) {
	i, err := s.discord.Interaction(s.reply.Interaction)
	if err != nil {
		return "", err
	}
	all := []json.RawMessage{s.reply.Response, i.Original}
	all = append(all, i.Followups...)
	var b strings.Builder
	for _, part := range all {
		b.WriteString(plain(part))
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// plain is JSON with its escapes taken out, so that a story can look for text.
func plain(doc json.RawMessage) string {
	var v any
	if json.Unmarshal(doc, &v) != nil {
		return string(doc)
	}
	var b strings.Builder
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, one := range v {
				walk(one)
			}
		case []any:
			for _, one := range v {
				walk(one)
			}
		case string:
			b.WriteString(v)
			b.WriteByte('\n')
		}
	}
	walk(v)
	return b.String()
}

// answers waits until the answer holds a text.
func (s *story) answers(text string, want bool) error {
	try := func() error {
		got, err := s.answer()
		if err != nil {
			return err
		}
		if strings.Contains(got, text) != want {
			return fmt.Errorf("the answer is:\n%s", got)
		}
		return nil
	}
	if !want {
		return try()
	}
	return s.until(try)
}

// part is anything with a custom id.
type part struct {
	CustomID   string `json:"custom_id"`
	Label      string `json:"label"`
	Type       int    `json:"type"`
	Disabled   bool   `json:"disabled"`
	Components []part `json:"components"`
	Component  *part  `json:"component"`
}

// parts finds all components of a kind, however deep.
func parts(in []part, types ...int) (found []part) {
	for _, p := range in {
		for _, t := range types {
			if p.Type == t {
				found = append(found, p)
			}
		}
		found = append(found, parts(p.Components, types...)...)
		if p.Component != nil {
			found = append(found, parts([]part{*p.Component}, types...)...)
		}
	}
	return found
}

const (
	buttonPart = 2
	inputPart  = 4
)

func componentsOf(doc json.RawMessage) []part {
	var m struct {
		Components []part          `json:"components"`
		Data       json.RawMessage `json:"data"`
	}
	if json.Unmarshal(doc, &m) != nil {
		return nil
	}
	if len(m.Components) == 0 && len(m.Data) > 0 {
		return componentsOf(m.Data)
	}
	return m.Components
}

// button finds the custom id of a button by its label.
func button(label string, docs ...json.RawMessage) (string, error) {
	var seen []string
	for i := len(docs) - 1; i >= 0; i-- {
		for _, b := range parts(componentsOf(docs[i]), buttonPart) {
			if strings.Contains(b.Label, label) && !b.Disabled {
				return b.CustomID, nil
			}
			seen = append(seen, b.Label)
		}
	}
	return "", fmt.Errorf("no button %q; there are %q", label, seen)
}

// press presses a button of the last answer: press USER LABEL.
func (s *story) press(a []string) error {
	return s.until(func() error {
		i, err := s.discord.Interaction(s.reply.Interaction)
		if err != nil {
			return err
		}
		docs := append([]json.RawMessage{s.reply.Response, i.Original}, i.Followups...)
		custom, err := button(a[1], docs...)
		if err != nil {
			return err
		}
		s.pressed = custom
		s.reply, err = s.discord.Press(s.t.Context(), s.reply.Interaction, discordtest.PressCall{User: loose(a[0]), Locale: s.locale, CustomID: custom})
		return err
	})
}

// pressBoard presses a button of a message in the admin channel: press-board USER LABEL. The newest such button counts.
func (s *story) pressBoard(a []string) error {
	return s.until(func() error {
		messages, err := s.board()
		if err != nil {
			return err
		}
		custom, err := button(a[1], oldestFirst(messages)...)
		if err != nil {
			return err
		}
		message, err := holding(messages, custom)
		if err != nil {
			return err
		}
		s.pressed = custom
		s.reply, err = s.discord.PressMessage(s.t.Context(), message, discordtest.PressCall{User: loose(a[0]), Locale: s.locale, CustomID: custom})
		return err
	})
}

// submit fills in the modal of the last answer, its inputs in order: submit USER TEXT….
func (s *story) submit(a []string) (err error) {
	var custom struct {
		Data struct {
			CustomID string `json:"custom_id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(s.reply.Response, &custom); err != nil {
		return err
	}
	values := map[string]any{}
	for i, input := range parts(componentsOf(s.reply.Response), inputPart) {
		if i+1 < len(a) {
			values[input.CustomID] = a[i+1]
		}
	}
	if len(values) == 0 {
		return fmt.Errorf("the answer is no modal: %s", s.reply.Response)
	}
	s.reply, err = s.discord.Submit(s.t.Context(), s.reply.Interaction, discordtest.SubmitCall{User: loose(a[0]), Locale: s.locale, CustomID: custom.Data.CustomID, Values: values})
	return err
}

// board is the admin channel of the guild, newest first.
func (s *story) board() ([]json.RawMessage, error) {
	return s.discord.Messages(s.webhook().ChannelID)
}

func oldestFirst(messages []json.RawMessage) []json.RawMessage {
	turned := make([]json.RawMessage, 0, len(messages))
	for i := len(messages) - 1; i >= 0; i-- {
		turned = append(turned, messages[i])
	}
	return turned
}

func idIn(message json.RawMessage) (snowflake.ID, error) {
	var m struct {
		ID snowflake.ID `json:"id"`
	}
	err := json.Unmarshal(message, &m)
	return m.ID, err
}

func holding(messages []json.RawMessage, custom string) (snowflake.ID, error) {
	for _, m := range messages {
		if strings.Contains(string(m), custom) {
			return idIn(m)
		}
	}
	return 0, fmt.Errorf("no message holds %s", custom)
}

// told looks for a text in what was written to a person alone.
func (s *story) told(a []string, want bool) error {
	messages, err := s.discord.DirectMessages(id(a[0]))
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(plain(m))
	}
	if strings.Contains(b.String(), a[1]) != want {
		return fmt.Errorf("%s was told:\n%s", a[0], b.String())
	}
	return nil
}

// heard counts what was written to a person alone.
func (s *story) heard(a []string) error {
	messages, err := s.discord.DirectMessages(id(a[0]))
	if err == nil && strconv.Itoa(len(messages)) != a[1] {
		err = fmt.Errorf("%s got %d direct messages", a[0], len(messages))
	}
	return err
}

// shows looks for a text in the admin channel.
func (s *story) shows(text string, want bool) error {
	messages, err := s.board()
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(plain(m))
	}
	if strings.Contains(b.String(), text) != want {
		return fmt.Errorf("the admin channel holds:\n%s", b.String())
	}
	return nil
}
