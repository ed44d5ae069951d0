package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"
	"go.uber.org/goleak"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/discord/discordtest"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/i18n"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("github.com/disgoorg/disgo/rest.(*rateLimiterImpl).cleanup"))
}

// The people of the world "corporation": dara owns the guild, kael and mako are members, pera keeps a role that Auth does not give,
// quill is a stranger.
const (
	guildID      snowflake.ID = 900000000000000001
	dara         snowflake.ID = 1001
	kael         snowflake.ID = 1002
	mako         snowflake.ID = 1004
	quill        snowflake.ID = 1007
	adminChannel snowflake.ID = 7
	roleMember   snowflake.ID = 2001
)

// rig is commands over a real store and a local Discord, with the test as the person in front of the client. Interactions come without a
// gateway, and are answered through Discord's REST.
type rig struct {
	t   *testing.T
	s   *discordtest.Server
	c   *Commands
	db  *sqlite.Store
	api rest.Rest
	log *logged

	rights *rights
	guard  *guard.Guard
	house  House
	guild  *pictured
	runner *runner

	deaf      bool // interactions come by the gateway alone
	twice     bool // each comes twice
	elsewhere bool // the guild is another process's

	mu     sync.Mutex
	offset time.Duration
}

// logged is everything that was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logged{}, rights: &rights{}, runner: &runner{}}
	r.openStore()
	r.openWorld()
	texts, err := spoken()
	r.must(err)
	r.openGuard()
	cfg := Config{
		Guard: r.checked, Blocks: r.guard,
		Store: r.db, Rights: r.rights, Guilds: r, Texts: texts, Now: r.now, RunsPerUser: 6,
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	r.c = New(cfg)
	t.Cleanup(r.c.Close)
	r.serve()
	_, err = r.c.Sync(t.Context(), guildID, r.house.Application, r.api)
	r.must(err)
	return r
}

// spoken is the catalogue, which does not change.
var spoken = sync.OnceValues(i18n.Load)

func (r *rig) openStore() {
	path := filepath.Join(r.t.TempDir(), "gatecamp.db")
	storagetest.SQLiteFile(r.t, path)
	db, err := sqlite.Open(r.t.Context(), sqlite.Config{Path: path, Relaxed: true})
	r.must(err)
	r.db = db
	r.t.Cleanup(func() { _ = db.Close() })
}

// openGuard makes the real guard over the store. Role 2003 is immune.
func (r *rig) openGuard() {
	c := enforcement.Defaults()
	c.Immune.Subjects = []enforcement.Subject{{Scope: enforcement.Role, ID: 2003}, {Scope: enforcement.User, ID: uint64(dara)}}
	var err error
	r.guard, err = guard.New(c, guard.Parts{Store: r.db, Now: r.now})
	r.must(err)
	r.must(r.guard.Load(r.t.Context()))
}

// checked asks the guard, as the wiring does.
func (r *rig) checked(ctx context.Context, a Attempt) *Denial {
	v := r.guard.Check(ctx, &guard.Attempt{Route: a.Route, Actor: enforcement.Actor{User: uint64(a.User), Guild: uint64(a.Guild), Channel: uint64(a.Channel)}})
	if !v.Deny {
		return nil
	}
	return &Denial{Reason: v.Reason, Message: v.Message, Rule: v.Rule, Block: v.Block, Until: v.End, Unchecked: v.Degraded == enforcement.Closed}
}

// openWorld reads the guild and its Auth as the engine sees them.
func (r *rig) openWorld() {
	w := worldFile()
	file, err := snapshot.Parse(strings.NewReader(w), "corporation")
	r.must(err)
	r.guild = &pictured{pic: reconcile.Picture{Guild: file.Guild, Members: file.Members, Complete: true, Live: true}, auth: file.Auth, now: r.now}
	r.rights.real = reconcile.NewRights(r.db, r.guild, reconcile.RightsConfig{Now: r.now})
	r.house = House{
		Engine: reconcile.New(r.db, r.guild, reconcile.Config{Guild: guildID, Owner: "test", Now: r.now}),
		Guilds: r.guild, Runner: r.runner, AdminChannel: adminChannel, Locale: "en-US",
	}
}

// serve starts the local Discord, whose interactions go to the commands.
func (r *rig) serve() {
	w, err := discordtest.LoadWorld("corporation")
	r.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	s, wait, err := discordtest.Start(ctx, discordtest.Config{World: w, Unlimited: true, OnInteraction: r.hear})
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	r.s = s
	bot := s.Bot(discordtest.BotGatecamp)
	client := rest.NewClient(bot.Token, rest.WithURL(s.APIURL()+fmt.Sprintf("/v%d", rest.Version)), rest.WithRateLimiter(rest.NewNoopRateLimiter()))
	r.api = rest.New(client)
	r.house.REST, r.house.Application = r.api, bot.UserID
	r.t.Cleanup(func() {
		client.Close(context.WithoutCancel(r.t.Context()))
		cancel()
		if err := wait(); err != nil {
			r.t.Errorf("the local Discord ended with %v", err)
		}
	})
}

// hear takes an interaction as disgo would hand it over.
func (r *rig) hear(_ snowflake.ID, payload []byte) {
	if r.deaf {
		return
	}
	if r.twice {
		defer r.hand(payload)
	}
	r.hand(payload)
}

func (r *rig) hand(payload []byte) {
	i, err := discord.UnmarshalInteraction(payload)
	if err != nil {
		r.t.Errorf("interaction: %v", err)
		return
	}
	r.c.OnEvent(&events.InteractionCreate{Interaction: i, Respond: func(typ discord.InteractionResponseType, data discord.InteractionResponseData, opts ...rest.RequestOpt) error {
		return r.api.CreateInteractionResponse(i.ID(), i.Token(), discord.InteractionResponse{Type: typ, Data: data}, opts...)
	}})
}

// Guild satisfies Guilds.
func (r *rig) Guild(id snowflake.ID) (House, bool) { return r.house, id == guildID && !r.elsewhere }

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.offset)
}

// pass lets time go by for us; Discord's own clock stays.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset += d
}

// shown is what a person sees.
type shown struct {
	r           *rig
	interaction snowflake.ID
	Type        int
	message
	Followups []message
	Modal     struct {
		CustomID   string `json:"custom_id"`
		Title      string
		Components []struct {
			Label, Description string
			Component          struct {
				CustomID string `json:"custom_id"`
				Required bool
			}
		}
	}
	Choices []struct{ Name, Value string }
}

type message struct {
	ID      snowflake.ID
	Content string
	Flags   int
	Embeds  []struct {
		Title, Description string
		Footer             struct{ Text string }
		Fields             []struct{ Name, Value string }
	}
	Components []struct {
		Components []struct {
			CustomID string `json:"custom_id"`
			Label    string
			Style    int
			Disabled bool
		}
	}
	Attachments []struct {
		Filename string
		Size     int
	}
}

func (m message) private() bool { return m.Flags&64 != 0 }

// text is everything that can be read.
func (m message) text() string {
	lines := []string{m.Content}
	for _, e := range m.Embeds {
		lines = append(lines, e.Title, e.Description)
		for _, f := range e.Fields {
			lines = append(lines, f.Name+": "+f.Value)
		}
		lines = append(lines, e.Footer.Text)
	}
	return strings.Join(lines, "\n")
}

// button is the custom id of the button that shows the label.
func (m message) button(label string) (custom string, disabled, found bool) {
	for _, row := range m.Components {
		for _, b := range row.Components {
			if b.Label == label {
				return b.CustomID, b.Disabled, true
			}
		}
	}
	return "", false, false
}

// last is the last thing that was said: the newest followup, or the answer.
func (s shown) last() message {
	if n := len(s.Followups); n > 0 {
		return s.Followups[n-1]
	}
	return s.message
}

// see waits until an interaction is worked on, and reads what became of it.
func (r *rig) see(reply discordtest.Reply, err error) shown {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.log)
	}
	r.c.working.Wait()
	s := shown{r: r, interaction: reply.Interaction}
	var first struct {
		Type int
		Data json.RawMessage
	}
	r.must(json.Unmarshal(reply.Response, &first))
	s.Type = first.Type
	switch first.Type {
	case 8:
		r.must(json.Unmarshal(first.Data, &s))
	case 9:
		r.must(json.Unmarshal(first.Data, &s.Modal))
	default:
		i, err := r.s.Interaction(reply.Interaction)
		r.must(err)
		r.must(json.Unmarshal(i.Original, &s.message))
		for _, f := range i.Followups {
			var m message
			r.must(json.Unmarshal(f, &m))
			s.Followups = append(s.Followups, m)
		}
	}
	for _, m := range append([]message{s.message}, s.Followups...) {
		if strings.Contains(m.text(), "<no value>") {
			r.t.Errorf("a text has an empty place:\n%s", m.text())
		}
	}
	return s
}

// run types a command.
func (r *rig) run(user snowflake.ID, name string, options ...any) shown {
	r.t.Helper()
	return r.runIn(user, "en-US", name, options...)
}

func (r *rig) runIn(user snowflake.ID, locale, name string, options ...any) shown {
	r.t.Helper()
	return r.see(r.s.RunCommand(r.t.Context(), guildID, typed(user, locale, name, options)))
}

func typed(user snowflake.ID, locale, name string, options []any) discordtest.CommandCall {
	given := map[string]any{}
	for i := 0; i+1 < len(options); i += 2 {
		given[options[i].(string)] = options[i+1]
	}
	return discordtest.CommandCall{User: discordtest.LooseID(user), Locale: locale, Name: name, Options: given}
}

// typing asks for choices.
func (r *rig) typing(user snowflake.ID, name, focused string, options ...any) shown {
	r.t.Helper()
	in := typed(user, "en-US", name, options)
	in.Focused = focused
	return r.see(r.s.Autocomplete(r.t.Context(), guildID, in))
}

// press presses the button of the label on a message.
func (r *rig) press(user snowflake.ID, m message, label string) shown {
	r.t.Helper()
	custom, _, found := m.button(label)
	if !found {
		r.t.Fatalf("there is no button %q on:\n%s\n%+v", label, m.text(), m.Components)
	}
	return r.see(r.s.PressMessage(r.t.Context(), m.ID, discordtest.PressCall{User: discordtest.LooseID(user), Locale: "en-US", CustomID: custom}))
}

// fill fills in the modal that a press was answered with.
func (r *rig) fill(user snowflake.ID, s shown, values map[string]any) shown {
	r.t.Helper()
	if s.Type != 9 {
		r.t.Fatalf("no modal but:\n%s", s.last().text())
	}
	return r.see(r.s.Submit(r.t.Context(), s.interaction, discordtest.SubmitCall{User: discordtest.LooseID(user), Locale: "en-US", CustomID: s.Modal.CustomID, Values: values}))
}

// posted lists the messages of a channel.
func (r *rig) posted(channel snowflake.ID) (list []message) {
	r.t.Helper()
	raw, err := r.s.Messages(channel)
	r.must(err)
	for _, data := range raw {
		var m message
		r.must(json.Unmarshal(data, &m))
		list = append(list, m)
	}
	return list
}

// want fails unless the text holds all of the parts.
func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

// grant gives rights, for good.
func (r *rig) grant(user snowflake.ID, list ...audit.Right) {
	r.t.Helper()
	for _, right := range list {
		_, err := r.db.AddGrant(r.t.Context(), storage.Grant{Guild: guildID, Right: right.String(), SubjectKind: "discord", Subject: user.String(), Reason: "for the test", At: r.now()}, r.author())
		if !errors.Is(err, storage.ErrConflict) {
			r.must(err)
		}
	}
}

// revoke takes all rights of somebody.
func (r *rig) revoke(user snowflake.ID) {
	r.t.Helper()
	all, err := r.db.Grants(r.t.Context(), guildID)
	r.must(err)
	for _, g := range all {
		if g.Subject == user.String() {
			_, err := r.db.RemoveGrant(r.t.Context(), guildID, g.ID, r.author())
			r.must(err)
		}
	}
}

// rights are the real ones, behind what a test wants to go wrong.
type rights struct {
	mu    sync.Mutex
	real  *reconcile.Rights
	asked int
	err   error
	panic bool
}

func (r *rights) Of(ctx context.Context, guild snowflake.ID, who reconcile.Asker) (*reconcile.Standing, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.panic {
		panic("the sky fell")
	}
	r.asked++
	if r.err != nil {
		return nil, r.err
	}
	return r.real.Of(ctx, guild, who)
}

// runner notes what it was told.
type runner struct {
	mu        sync.Mutex
	started   []storage.Run
	cancelled []int64
}

func (r *runner) Start(run storage.Run) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, run)
	return nil
}

func (r *runner) Cancel(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelled = append(r.cancelled, id)
	return true
}

// pictured is the guild and its Auth as a file shows them.
type pictured struct {
	pic  reconcile.Picture
	auth *audit.Directory
	now  func() time.Time

	mu   sync.Mutex
	away error // why Auth cannot be read
}

func (p *pictured) Picture(context.Context) (reconcile.Picture, error) { return p.pic, nil }
func (p *pictured) Known(context.Context) (reconcile.Picture, error)   { return p.pic, nil }

func (p *pictured) Member(_ context.Context, id snowflake.ID) (audit.Guild, audit.Member, error) {
	for _, m := range p.pic.Members {
		if m.ID == id {
			return p.pic.Guild, m, nil
		}
	}
	return p.pic.Guild, audit.Member{}, reconcile.ErrNoMember
}

func (p *pictured) Members(_ context.Context, ids []snowflake.ID) (audit.Guild, []audit.Member, error) {
	var found []audit.Member
	for _, m := range p.pic.Members {
		for _, id := range ids {
			if m.ID == id {
				found = append(found, m)
			}
		}
	}
	return p.pic.Guild, found, nil
}

func (p *pictured) Read(context.Context) (*audit.Directory, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.auth, p.away
}

// lose makes Auth unreadable.
func (p *pictured) lose(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = err
}

// worldFile is a guild of forty entitled members, and five strangers who hold the role Member.
func worldFile() string {
	var members, users []string
	add := func(id int, roles string) {
		members = append(members, fmt.Sprintf(`{"user":{"id":"%d","username":"m%d"},"roles":[%s],"joined_at":"2020-01-01T00:00:00Z"}`, id, id, roles))
	}
	for i := 1; i <= 40; i++ {
		add(3000+i, `"2001"`)
		users = append(users, fmt.Sprintf(`{"id":%d,"username":"u%d","state":"Member","groups":[],"discord_uid":"%d"}`, i, i, 3000+i))
	}
	for i := 1; i <= 5; i++ {
		add(4000+i, `"2001"`)
	}
	return fmt.Sprintf(`{"guild":{"id":"%d","owner_id":"3001","bot_user_id":"42","bot_top_position":50,"name":"Dusk Runners"},
		"guild_roles":[{"id":"%d","name":"@everyone"},{"id":"2001","name":"Member","position":2},{"id":"2003","name":"Miners","position":3}],
		"guild_members":[[%s]],
		"aa":{"states":["Member","Guest"],"groups":["Miners"],"access":{"states":["Member"]},"users":[%s]}}`,
		guildID, guildID, strings.Join(members, ","), strings.Join(users, ","))
}

func (r *rig) author() storage.Author {
	return storage.Author{Actor: "console:test", Origin: "console", Reason: "for the test", At: r.now().UTC()}
}

// policy sets the policy in force.
func (r *rig) policy(text string) {
	r.t.Helper()
	p, err := policyfile.Parse([]byte(text), "policy")
	r.must(err)
	_, err = r.db.SetPolicy(r.t.Context(), guildID, -1, text, policyfile.Canonical(p), r.author())
	r.must(err)
}

const wide = "{run: {floor: 100, share: 10000, ceiling: 100}, day: {floor: 100, share: 10000, ceiling: 100}}"

const stripStrangers = "unknown_guest: {default: strip_kick, grace: 0s}\nlimits: {members: " + wide + ", roles_removed: " + wide + ", one_role: " + wide + ", kicks: {run: {ceiling: 50}, day: {ceiling: 50}}}\n"

// released is a guild whose first report somebody read and acknowledged, so that strips and kicks are possible.
func (r *rig) released() {
	r.t.Helper()
	r.policy(stripStrangers)
	_, err := r.db.Bind(r.t.Context(), guildID, []storage.Binding{{Role: roleMember, Kind: storage.BoundState, Name: "Member", RoleName: "Member"}}, r.author())
	r.must(err)
	run := r.report()
	_, err = r.house.Engine.Acknowledge(r.t.Context(), run.ID, r.author())
	r.must(err)
}

// report is a report that was looked at.
func (r *rig) report() storage.Run {
	r.t.Helper()
	run, err := r.house.Engine.Order(r.t.Context(), storage.Order{Kind: reconcile.KindLive, DryRun: true, Actor: "schedule", Origin: "schedule"})
	r.must(err)
	report, err := r.house.Engine.Sweep(r.t.Context(), run, r.guild, nil)
	r.must(err)
	return report.Run
}

// perform does what the newest started run was ordered to do, as far as looking goes.
func (r *rig) perform() storage.Run {
	r.t.Helper()
	r.runner.mu.Lock()
	run := r.runner.started[len(r.runner.started)-1]
	r.runner.mu.Unlock()
	report, err := r.house.Engine.Sweep(r.t.Context(), run, r.guild, nil)
	r.must(err)
	return report.Run
}

// pressBy is a press by somebody.
func pressBy(user, custom string) discordtest.PressCall {
	id, _ := snowflake.Parse(user)
	return discordtest.PressCall{User: discordtest.LooseID(id), Locale: "en-US", CustomID: custom}
}

// post posts a message of the bot's with one button.
func (r *rig) post(custom string) snowflake.ID {
	r.t.Helper()
	m, err := r.api.CreateMessage(adminChannel, discord.MessageCreate{Content: "x", Components: []discord.LayoutComponent{discord.NewActionRow(discord.NewDangerButton("x", custom))}})
	r.must(err)
	return m.ID
}
