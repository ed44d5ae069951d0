//go:build !race

// The tests of this file open disgo's own gateway, which has a data race between opening and closing (v0.19.6). What they show of this package is
// shown to the race detector by the raw connections of the other files.

package discordtest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/handler"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/omit"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// disgoBot is a whole disgo client, connected.
func disgoBot(t *testing.T, s *discordtest.Server, opts ...bot.ConfigOpt) *bot.Client {
	t.Helper()
	opts = append([]bot.ConfigOpt{
		bot.WithLogger(slog.New(slog.DiscardHandler)),
		bot.WithRestClientConfigOpts(rest.WithURL(s.APIURL()+"/v10"), rest.WithRateLimiter(rest.NewNoopRateLimiter())),
		bot.WithGatewayConfigOpts(
			gateway.WithIntents(gateway.IntentGuilds, gateway.IntentGuildMembers, gateway.IntentGuildModeration),
			gateway.WithCompression(gateway.CompressionNone), // with zstd disgo v0.19.6 panics if a message arrives while it closes
		),
	}, opts...)
	c, err := disgo.New(s.Bot(discordtest.BotGatecamp).Token, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.OpenGateway(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

func TestDisgoReadsTheGuildAndHearsOfAJoin(t *testing.T) {
	for _, c := range []gateway.CompressionType{gateway.CompressionNone, gateway.CompressionZlibPayload, gateway.CompressionZlibStream, gateway.CompressionZstdStream} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := start(t, discordtest.Config{})
			guild := s.GuildIDs()[0]
			ready, joined := make(chan int, 1), make(chan snowflake.ID, 1)
			disgoBot(t, s,
				bot.WithGatewayConfigOpts(gateway.WithCompression(c)),
				bot.WithEventListenerFunc(func(e *events.GuildReady) { ready <- e.Guild.MemberCount }),
				bot.WithEventListenerFunc(func(e *events.GuildMemberJoin) { joined <- e.Member.User.ID }))
			if got := next(t, ready); got != 3 {
				t.Errorf("the guild has %d members, want owner and two bots", got)
			}
			if err := s.Join(guild, discordtest.Arrival{ID: 5001, Username: "newcomer"}); err != nil {
				t.Fatal(err)
			}
			if got := next(t, joined); got != 5001 {
				t.Errorf("%d joined, want 5001", got)
			}
		})
	}
}

var testCommands = []discord.ApplicationCommandCreate{
	discord.SlashCommandCreate{
		Name: "audit", Description: "Audit", DefaultMemberPermissions: omit.NewPtr(discord.PermissionManageRoles),
		Options: []discord.ApplicationCommandOption{discord.ApplicationCommandOptionSubCommand{Name: "run", Description: "Run", Options: []discord.ApplicationCommandOption{
			discord.ApplicationCommandOptionString{Name: "mode", Description: "mode", Required: true, Choices: []discord.ApplicationCommandOptionChoiceString{{Name: "Report", Value: "report"}}},
			discord.ApplicationCommandOptionUser{Name: "member", Description: "who"},
			discord.ApplicationCommandOptionRole{Name: "role", Description: "which"},
			discord.ApplicationCommandOptionInt{Name: "limit", Description: "many"},
		}}},
	},
	discord.SlashCommandCreate{Name: "why", Description: "Why", Options: []discord.ApplicationCommandOption{
		discord.ApplicationCommandOptionString{Name: "rule", Description: "rule", Autocomplete: true},
	}},
	discord.UserCommandCreate{Name: "Explain access"},
	discord.SlashCommandCreate{Name: "silent", Description: "Says nothing"},
}

// heard is what the bot's handlers saw.
type heard struct {
	text   chan string
	second chan error
}

// routes answers in every way that a bot can.
func routes(h heard) *handler.Mux {
	r := handler.New()
	r.Use(func(next handler.Handler) handler.Handler {
		return func(e *handler.InteractionEvent) error {
			go next(e)
			return nil
		}
	})
	r.SlashCommand("/audit/run", func(d discord.SlashCommandInteractionData, e *handler.CommandEvent) error {
		m, _ := d.OptMember("member")
		role, _ := d.OptRole("role")
		h.text <- d.String("mode") + " " + m.User.Username + " " + role.Name
		if err := e.DeferCreateMessage(true); err != nil {
			return err
		}
		h.second <- e.CreateMessage(discord.MessageCreate{Content: "again"})
		row := discord.NewActionRow(discord.NewDangerButton("Strip 12 members", "/confirm"), discord.NewSecondaryButton("Reason", "/reason"), discord.NewSecondaryButton("Old", "/old").AsDisabled())
		if _, err := e.UpdateInteractionResponse(discord.NewMessageUpdateV2(discord.NewTextDisplay("done"), row)); err != nil {
			return err
		}
		_, err := e.CreateFollowupMessage(discord.MessageCreate{Content: "page 2", Files: []*discord.File{discord.NewFile("r.csv", "", strings.NewReader("a,b\n"))}})
		h.second <- err
		return err
	})
	r.SlashCommand("/why", func(_ discord.SlashCommandInteractionData, e *handler.CommandEvent) error {
		return e.CreateMessage(discord.MessageCreate{Content: "because " + e.Locale().Code()})
	})
	r.Autocomplete("/why", func(e *handler.AutocompleteEvent) error {
		return e.AutocompleteResult([]discord.AutocompleteChoice{discord.AutocompleteChoiceString{Name: e.Data.String("rule") + "!", Value: "x"}})
	})
	r.UserCommand("/Explain access", func(d discord.UserCommandInteractionData, e *handler.CommandEvent) error {
		return e.CreateMessage(discord.MessageCreate{Content: d.TargetUser().Username, Flags: discord.MessageFlagEphemeral})
	})
	r.ButtonComponent("/confirm", func(_ discord.ButtonInteractionData, e *handler.ComponentEvent) error {
		return e.UpdateMessage(discord.NewMessageUpdateV2(discord.NewTextDisplay("stripped")))
	})
	r.ButtonComponent("/reason", func(_ discord.ButtonInteractionData, e *handler.ComponentEvent) error {
		return e.Modal(discord.NewModalCreate("/ack", "Acknowledge",
			discord.NewLabel("Reason", discord.NewParagraphTextInput("reason").WithRequired(true).WithMaxLength(20)),
			discord.NewLabel("Ends", discord.NewStringSelectMenu("ttl", "pick", discord.NewStringSelectMenuOption("1 day", "24h")).WithRequired(false))))
	})
	r.Modal("/ack", func(e *handler.ModalEvent) error {
		return e.CreateMessage(discord.MessageCreate{Content: "acked: " + e.Data.Text("reason") + strings.Join(e.Data.StringValues("ttl"), ",")})
	})
	return r
}

// talking is a corporation with a disgo bot that has the commands above.
func talking(t *testing.T) (*rig, heard) {
	t.Helper()
	r := newRig(t, discordtest.Config{World: world(t, "corporation")})
	h := heard{make(chan string, 10), make(chan error, 10)}
	c := disgoBot(t, r.s, bot.WithEventListeners(routes(h)))
	if err := handler.SyncCommands(c, testCommands, []snowflake.ID{r.guild}); err != nil {
		t.Fatal(err)
	}
	return r, h
}

type reply struct {
	Type int
	Data struct {
		Content    string
		Flags      int
		CustomID   string `json:"custom_id"`
		Choices    []struct{ Name string }
		Components []json.RawMessage
	}
}

func parsed(t *testing.T, r discordtest.Reply) reply {
	t.Helper()
	var out reply
	if err := json.Unmarshal(r.Response, &out); err != nil {
		t.Fatalf("%s: %v", r.Response, err)
	}
	return out
}

func TestAPersonTalksWithADisgoBot(t *testing.T) {
	r, h := talking(t)
	ctx := t.Context()
	run, err := r.s.RunCommand(ctx, r.guild, discordtest.CommandCall{
		User: discordtest.LooseID(dara), Name: "audit run", Locale: "ru", Options: map[string]any{"mode": "report", "member": mako.String(), "role": "2003"},
	})
	r.must(err)
	if got := parsed(t, run); got.Type != 5 || got.Data.Flags != 64 {
		t.Errorf("answered %s, want deferred and ephemeral", run.Response)
	}
	if got := next(t, h.text); got != "report Mako Ember Miners" {
		t.Errorf("the bot read %q", got)
	}
	if err := next(t, h.second); err == nil || !strings.Contains(err.Error(), "40060") {
		t.Errorf("a second answer gave %v, want 40060", err)
	}
	r.must(next(t, h.second))
	seen, err := r.s.Interaction(run.Interaction)
	r.must(err)
	var original struct{ Flags int }
	if err := json.Unmarshal(seen.Original, &original); err != nil || original.Flags != 64|1<<15 {
		t.Errorf("the original is %s, want ephemeral with components V2", seen.Original)
	}
	var followup struct{ Files []discordtest.File }
	if err := json.Unmarshal(seen.Followups[0], &followup); err != nil || len(followup.Files) != 1 || string(followup.Files[0].Data) != "a,b\n" {
		t.Errorf("the followup is %s", seen.Followups[0])
	}
	if seen.User != dara || seen.Name != "audit run" || len(seen.Edits) != 1 {
		t.Errorf("user %d, name %s, %d edits", seen.User, seen.Name, len(seen.Edits))
	}

	press := discordtest.PressCall{User: discordtest.LooseID(dara), CustomID: "/reason"}
	opened, err := r.s.Press(ctx, run.Interaction, press)
	r.must(err)
	if got := parsed(t, opened); got.Type != 9 || got.Data.CustomID != "/ack" {
		t.Errorf("the button answered %s, want the modal", opened.Response)
	}
	sent, err := r.s.Submit(ctx, opened.Interaction, discordtest.SubmitCall{
		User: discordtest.LooseID(dara), CustomID: "/ack", Values: map[string]any{"reason": "fine", "ttl": []any{"24h"}},
	})
	r.must(err)
	if got := parsed(t, sent); got.Data.Content != "acked: fine24h" {
		t.Errorf("the modal answered %s", sent.Response)
	}
	press.CustomID = "/confirm"
	done, err := r.s.Press(ctx, run.Interaction, press)
	r.must(err)
	after, err := r.s.Interaction(run.Interaction)
	r.must(err)
	if got := parsed(t, done); got.Type != 7 || !strings.Contains(string(after.Original), "stripped") || len(after.Edits) != 2 {
		t.Errorf("after the press: %s, original %s, %d edits", done.Response, after.Original, len(after.Edits))
	}
}

func TestChoicesMenusAndLocales(t *testing.T) {
	r, _ := talking(t)
	who := discordtest.LooseID(mako)
	c, err := r.s.Autocomplete(t.Context(), r.guild, discordtest.CommandCall{User: who, Name: "why", Options: map[string]any{"rule": "cor"}, Focused: "rule"})
	r.must(err)
	if got := parsed(t, c); got.Type != 8 || len(got.Data.Choices) != 1 || got.Data.Choices[0].Name != "cor!" {
		t.Errorf("the choices are %s", c.Response)
	}
	m, err := r.s.Menu(t.Context(), r.guild, discordtest.MenuCall{User: who, Name: "Explain access", Target: discordtest.LooseID(kael)})
	r.must(err)
	if got := parsed(t, m); got.Data.Content != "Kael Brandt" || got.Data.Flags != 64 {
		t.Errorf("the menu answered %s", m.Response)
	}
	w, err := r.s.RunCommand(t.Context(), r.guild, discordtest.CommandCall{User: who, Name: "why", Locale: "de"})
	r.must(err)
	if got := parsed(t, w).Data.Content; got != "because de" {
		t.Errorf("the answer is %q", got)
	}
	messages, err := r.s.Messages(7)
	r.must(err)
	if len(messages) != 1 {
		t.Errorf("%d messages in the channel, want the public one alone", len(messages))
	}
}

func TestDiscordRefusesForTheBot(t *testing.T) {
	r, _ := talking(t)
	audit := map[string]any{"mode": "report"}
	for name, c := range map[string]struct {
		call   discordtest.CommandCall
		status int
	}{
		"a command that is hidden":         {discordtest.CommandCall{User: discordtest.LooseID(mako), Name: "audit run", Options: audit}, 403},
		"a channel that is not seen":       {discordtest.CommandCall{User: discordtest.LooseID(mako), Name: "why", Channel: 8}, 403},
		"somebody who is not here":         {discordtest.CommandCall{User: 99, Name: "why"}, 404},
		"a bot":                            {discordtest.CommandCall{User: 43, Name: "why"}, 403},
		"a command that does not exist":    {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "nothing"}, 404},
		"a command without its subcommand": {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "audit", Options: audit}, 400},
		"a missing option":                 {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "audit run"}, 400},
		"a value that is no choice":        {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "audit run", Options: map[string]any{"mode": "x"}}, 400},
		"an unknown option":                {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "why", Options: map[string]any{"x": "y"}}, 400},
		"a number that is none":            {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "audit run", Options: map[string]any{"mode": "report", "limit": 1.5}}, 400},
		"an unknown role":                  {discordtest.CommandCall{User: discordtest.LooseID(dara), Name: "audit run", Options: map[string]any{"mode": "report", "role": "1"}}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.s.RunCommand(t.Context(), r.guild, c.call)
			if got := status(err); got != c.status {
				t.Errorf("got %v, want status %d", err, c.status)
			}
		})
	}
}

func TestTheControlPortRunsACommandAndShowsWhatBecameOfIt(t *testing.T) {
	base, h := talking(t)
	r := base.control()
	a := r.want(201, 0, "POST", "/guilds/{g}/commands", `{"user": "1001", "locale": "de", "name": "audit run", "options": {"mode": "report"}}`)
	run := into[struct {
		Interaction string
		After       *int `json:"answered_after_ms"`
		Response    reply
	}](t, a)
	if run.Response.Type != 5 || run.After == nil {
		t.Errorf("the answer is %s", a.body)
	}
	next(t, h.second)
	base.must(next(t, h.second))
	seen := into[map[string]any](t, r.want(200, 0, "GET", "/interactions/"+run.Interaction, ""))
	if seen["user"] != "1001" || seen["name"] != "audit run" || seen["original"] == nil {
		t.Errorf("the interaction is %v", seen)
	}
	raw := jsonOf(t, seen["followups"])
	if !strings.Contains(raw, base64.StdEncoding.EncodeToString([]byte("a,b\n"))) || !strings.Contains(raw, `"name":"r.csv"`) || !strings.Contains(raw, `"size":4`) {
		t.Errorf("the followups are %s", raw)
	}
	press := r.want(201, 0, "POST", "/interactions/"+run.Interaction+"/press", `{"user": "1001", "custom_id": "/reason"}`)
	modal := into[struct{ Interaction string }](t, press).Interaction
	if modal == run.Interaction || modal == "" {
		t.Errorf("the press is interaction %q, want a new one", modal)
	}
	r.want(400, 0, "POST", "/interactions/"+modal+"/submit", `{"user": "1001", "custom_id": "/ack", "values": {}}`)
	sent := r.want(201, 0, "POST", "/interactions/"+modal+"/submit", `{"user": "1001", "custom_id": "/ack", "values": {"reason": "fine"}}`)
	if !strings.Contains(string(sent.body), "acked: fine") {
		t.Errorf("the modal was answered by %s", sent.body)
	}
	if a := r.do("POST", "/interactions/"+run.Interaction+"/press", `{"user": "1002", "custom_id": "/confirm"}`); a.status != 403 {
		t.Errorf("a stranger pressed an ephemeral button: %d %s", a.status, a.body)
	}
	if a := r.do("POST", "/interactions/"+run.Interaction+"/press", `{"user": "1001", "custom_id": "/old"}`); a.status != 403 {
		t.Errorf("a disabled button was pressed: %d %s", a.status, a.body)
	}
	r.want(201, 0, "POST", "/guilds/{g}/context-menus", `{"user": "1004", "name": "Explain access", "target": "1002"}`)
	r.want(201, 0, "POST", "/guilds/{g}/autocomplete", `{"user": "1004", "name": "why", "options": {"rule": "x"}, "focused": "rule"}`)
	c := r.do("POST", "/guilds/{g}/commands", `{"user": "1004", "name": "audit run", "options": {"mode": "report"}}`)
	if c.status != 403 {
		t.Errorf("a hidden command: %d %s", c.status, c.body)
	}
}
