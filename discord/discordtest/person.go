package discordtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// The functions of this file act as a person in front of a Discord client.

// CommandCall is a slash command typed by a person, or a part of one that wants choices.
type CommandCall struct {
	User        LooseID        `json:"user"`
	Channel     LooseID        `json:"channel"` // 0: the first text channel
	Locale      string         `json:"locale"`
	Name        string         `json:"name"` // with group and sub-command: "audit run"
	Options     map[string]any `json:"options"`
	Application LooseID        `json:"application_id"` // needed where two applications have a command of one name
	Focused     string         `json:"focused"`        // autocomplete: the option that is being typed
}

// MenuCall is an entry of a context menu chosen by a person.
type MenuCall struct {
	User        LooseID `json:"user"`
	Channel     LooseID `json:"channel"`
	Locale      string  `json:"locale"`
	Name        string  `json:"name"`
	Target      LooseID `json:"target"` // a user, or a message
	Application LooseID `json:"application_id"`
}

// PressCall is a press of a button, or a choice in a menu.
type PressCall struct {
	User     LooseID  `json:"user"`
	Locale   string   `json:"locale"`
	CustomID string   `json:"custom_id"`
	Values   []string `json:"values"` // of select menus
}

// SubmitCall is a modal filled in.
type SubmitCall struct {
	User     LooseID        `json:"user"`
	Locale   string         `json:"locale"`
	CustomID string         `json:"custom_id"`
	Values   map[string]any `json:"values"` // by custom id: a string, a list of strings, or a boolean
}

// Reply is what the bot answered.
type Reply struct {
	Interaction   snowflake.ID    `json:"interaction"`
	AnsweredAfter int64           `json:"answered_after_ms"`
	Response      json.RawMessage `json:"response"` // the callback as sent: {"type": 4, "data": {…}}
}

// RunCommand runs a slash command as a person and waits for the first answer.
func (s *Server) RunCommand(ctx context.Context, guild snowflake.ID, in CommandCall) (Reply, error) {
	return s.await(ctx, func() (*interaction, error) { return s.command(guild, in, kindCommand) })
}

// Autocomplete asks for choices as a person types.
func (s *Server) Autocomplete(ctx context.Context, guild snowflake.ID, in CommandCall) (Reply, error) {
	return s.await(ctx, func() (*interaction, error) { return s.command(guild, in, kindAutocomplete) })
}

// Menu chooses an entry of a context menu.
func (s *Server) Menu(ctx context.Context, guild snowflake.ID, in MenuCall) (Reply, error) {
	return s.await(ctx, func() (*interaction, error) { return s.menu(guild, in) })
}

// Press presses a button on a message of an interaction.
func (s *Server) Press(ctx context.Context, id snowflake.ID, in PressCall) (Reply, error) {
	return s.await(ctx, func() (*interaction, error) {
		i := s.interactions[id]
		if i == nil {
			return nil, unknownInteraction()
		}
		for _, m := range append(slices.Clone(i.followups), i.original) {
			if m != nil && m.find(in.CustomID) != nil {
				return s.press(m, in)
			}
		}
		return nil, &APIError{Status: http.StatusNotFound, Message: fmt.Sprintf("no message of this interaction has a component %q", in.CustomID)}
	})
}

// PressMessage presses a button on any message.
func (s *Server) PressMessage(ctx context.Context, id snowflake.ID, in PressCall) (Reply, error) {
	return s.await(ctx, func() (*interaction, error) {
		m := s.messages[id]
		if m == nil {
			return nil, unknownMessage()
		}
		return s.press(m, in)
	})
}

// Submit fills in the modal that an interaction was answered with.
func (s *Server) Submit(ctx context.Context, id snowflake.ID, in SubmitCall) (Reply, error) {
	return s.await(ctx, func() (*interaction, error) { return s.submit(id, in) })
}

// await starts an interaction and waits until the bot answers, 3 s of the clock have passed, or 3 s of real time where the clock stands still.
func (s *Server) await(ctx context.Context, start func() (*interaction, error)) (Reply, error) {
	s.mu.Lock()
	i, err := start()
	s.mu.Unlock()
	if err != nil {
		return Reply{}, err
	}
	over := make(chan struct{})
	stop := s.clock.AfterFunc(answerWithin, func() { close(over) })
	defer stop()
	patience := time.NewTimer(answerWithin)
	defer patience.Stop()
	select {
	case <-i.done:
	case <-over:
	case <-patience.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.answerType == 0 {
		i.dead = true
		return Reply{Interaction: i.id}, unanswered()
	}
	return Reply{Interaction: i.id, AnsweredAfter: i.answered.Sub(i.at).Milliseconds(), Response: i.answer}, nil
}

// person finds who acts and where, and refuses whom Discord would not let.
func (s *Server) person(guildID, userID, channelID snowflake.ID) (*guild, *member, *Channel, error) {
	g := s.guilds[guildID]
	if g == nil {
		return nil, nil, nil, unknownGuild()
	}
	m := g.members.by[userID]
	if m == nil {
		return nil, nil, nil, unknownMember()
	}
	ch := g.firstText()
	if channelID != 0 {
		ch = g.channel(channelID)
	}
	if ch == nil {
		return nil, nil, nil, unknownChannel()
	}
	switch {
	case m.bot:
		return nil, nil, nil, forbidden("bots do not run commands")
	case m.timedOut(s.clock.Now()), m.pending && m.id != g.owner:
		return nil, nil, nil, forbidden("this member may not speak yet")
	case !g.permissionsIn(m, ch).Has(ViewChannel | UseApplicationCommands):
		return nil, nil, nil, forbidden("this member may not use commands in this channel")
	}
	return g, m, ch, nil
}

func forbidden(why string) error { return &APIError{Status: http.StatusForbidden, Message: why} }

// find is the command that the name means for this member: guild commands cover global ones of the same application.
func (s *Server) findCommand(g *guild, m *member, ch *Channel, app snowflake.ID, name string, types ...int) (*command, error) {
	var found []*command
	for _, id := range sortedKeys(s.apps) {
		a := s.apps[id]
		if app != 0 && a.id != app || g.members.by[a.user.id] == nil {
			continue
		}
		for _, cmd := range append(slices.Clone(a.guildCommands[g.id]), a.global...) {
			if cmd.Name == name && slices.Contains(types, cmd.Type) && (len(cmd.Contexts) == 0 || slices.Contains(cmd.Contexts, 0)) {
				found = append(found, cmd)
				break
			}
		}
	}
	switch {
	case len(found) == 0:
		return nil, &APIError{Status: http.StatusNotFound, Message: fmt.Sprintf("no application here has a command %q", name)}
	case len(found) > 1:
		return nil, badRequest(0, fmt.Sprintf("%d applications have a command %q: say which by application_id", len(found), name))
	}
	if p := found[0].Permissions; p != nil {
		has := g.permissionsIn(m, ch)
		if !has.Has(Administrator) && (*p == 0 || !has.Has(*p)) {
			return nil, forbidden(fmt.Sprintf("Discord hides %q from this member: default_member_permissions %s", name, p))
		}
	}
	return found[0], nil
}

func (s *Server) command(guildID snowflake.ID, in CommandCall, kind int) (*interaction, error) {
	g, m, ch, err := s.person(guildID, snowflake.ID(in.User), snowflake.ID(in.Channel))
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.TrimPrefix(in.Name, "/"))
	if len(words) == 0 {
		return nil, badRequest(0, `name: want the command, like "audit run"`)
	}
	cmd, err := s.findCommand(g, m, ch, snowflake.ID(in.Application), words[0], commandChat)
	if err != nil {
		return nil, err
	}
	form := &filling{server: s, guild: g, channel: ch, given: in.Options, resolved: object{}}
	if kind == kindAutocomplete {
		if form.focused = in.Focused; form.focused == "" {
			return nil, badRequest(0, "focused: want the name of the option that is being typed")
		}
	}
	options, err := form.fill(cmd.Options, words[1:])
	if err != nil {
		return nil, err
	}
	data := object{"id": cmd.id, "name": cmd.Name, "type": commandChat, "options": options, "resolved": form.resolved}
	if cmd.guild != 0 {
		data["guild_id"] = cmd.guild
	}
	i := &interaction{kind: kind, name: strings.Join(words, " "), app: cmd.app, guild: g, channel: ch, member: m, locale: in.Locale}
	s.start(i, data)
	return i, nil
}

func (s *Server) menu(guildID snowflake.ID, in MenuCall) (*interaction, error) {
	g, m, ch, err := s.person(guildID, snowflake.ID(in.User), snowflake.ID(in.Channel))
	if err != nil {
		return nil, err
	}
	target := snowflake.ID(in.Target)
	form := &filling{server: s, guild: g, channel: ch, resolved: object{}}
	typ := commandUser
	if msg := s.messages[target]; msg != nil {
		typ = commandMessage
		form.resolved["messages"] = object{target.String(): msg.object()}
	} else if err := form.resolveUser(target); err != nil {
		return nil, err
	}
	cmd, err := s.findCommand(g, m, ch, snowflake.ID(in.Application), in.Name, typ)
	if err != nil {
		return nil, err
	}
	i := &interaction{kind: kindCommand, name: in.Name, app: cmd.app, guild: g, channel: ch, member: m, locale: in.Locale}
	data := object{"id": cmd.id, "name": cmd.Name, "type": typ, "target_id": target, "resolved": form.resolved}
	if cmd.guild != 0 {
		data["guild_id"] = cmd.guild
	}
	s.start(i, data)
	return i, nil
}

// find is the component of the message that can be pressed.
func (m *message) find(customID string) *component {
	parts, err := parseComponents(m.components)
	if err != nil {
		return nil
	}
	var found *component
	for i := range parts {
		parts[i].walk(func(c *component) {
			if c.interactive() && c.CustomID == customID {
				found = c
			}
		})
	}
	return found
}

func (s *Server) press(m *message, in PressCall) (*interaction, error) {
	if m.channel.guild == nil || m.app == nil {
		return nil, badRequest(0, "nobody hears of this button")
	}
	g, who, ch, err := s.person(m.channel.guild.id, snowflake.ID(in.User), m.channel.ID)
	if err != nil {
		return nil, err
	}
	part := m.find(in.CustomID)
	switch {
	case m.deleted:
		return nil, unknownMessage()
	case m.seenBy != 0 && m.seenBy != who.id:
		return nil, forbidden("this member does not see the message")
	case part == nil:
		return nil, &APIError{Status: http.StatusNotFound, Message: fmt.Sprintf("the message has no component %q", in.CustomID)}
	case part.Disabled:
		return nil, forbidden(fmt.Sprintf("the component %q is disabled", in.CustomID))
	}
	form := &filling{server: s, guild: g, channel: ch, resolved: object{}}
	data := object{"custom_id": part.CustomID, "component_type": part.Type, "id": part.ID}
	if part.Type != componentButton {
		if err := form.choose(part, in.Values); err != nil {
			return nil, err
		}
		data["values"], data["resolved"] = in.Values, form.resolved
	}
	i := &interaction{kind: kindComponent, name: in.CustomID, app: m.app, guild: g, channel: ch, member: who, locale: in.Locale, source: m}
	s.start(i, data)
	return i, nil
}

func (s *Server) submit(id snowflake.ID, in SubmitCall) (*interaction, error) {
	parent := s.interactions[id]
	switch {
	case parent == nil:
		return nil, unknownInteraction()
	case parent.modal == nil:
		return nil, badRequest(0, "this interaction was not answered with a modal")
	case parent.member.id != snowflake.ID(in.User):
		return nil, forbidden("only who opened the modal can send it")
	case parent.modal.CustomID != in.CustomID:
		return nil, badRequest(0, fmt.Sprintf("the modal's custom_id is %q", parent.modal.CustomID))
	}
	form := &filling{server: s, guild: parent.guild, channel: parent.channel, given: in.Values, resolved: object{}}
	parts, err := form.modal(parent.modal.Components)
	if err != nil {
		return nil, err
	}
	i := &interaction{
		kind: kindModal, name: in.CustomID, app: parent.app, guild: parent.guild, channel: parent.channel, member: parent.member,
		locale: in.Locale, source: parent.source,
	}
	s.start(i, object{"custom_id": in.CustomID, "components": parts, "resolved": form.resolved})
	return i, nil
}
