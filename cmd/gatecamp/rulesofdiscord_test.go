//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/config"
	"gatecamp/discord/discordtest"
	"gatecamp/enforcement/rules"
)

// The people of the guild in which every rule is set off: dara owns it, lira is a member, mods are moderators whom Discord lets do a lot,
// and asks may ask for runs.
const (
	ruledGuild   snowflake.ID = 900
	ruledChannel snowflake.ID = 7
	ruledBot     snowflake.ID = 42
	asks         snowflake.ID = 1004
	lira         snowflake.ID = 1003
)

func mod(n int) snowflake.ID { return snowflake.ID(5000 + n) }

// ruledWorld is that guild.
func ruledWorld() string {
	var members, users []string
	for n := range 20 {
		members = append(members, fmt.Sprintf(`{"user": {"id": "%d", "username": "mod%d"}, "roles": ["2001", "2009"], "joined_at": "2021-04-02T18:00:00Z"}`, mod(n), n))
		users = append(users, fmt.Sprintf(`{"id": %d, "username": "mod%d", "state": "Member", "groups": [], "discord_uid": "%d"}`, 100+n, n, mod(n)))
	}
	for n := range 30 {
		members = append(members, fmt.Sprintf(`{"user": {"id": "%d", "username": "m%d"}, "roles": ["2001"], "joined_at": "2021-04-02T18:00:00Z"}`, 6000+n, n))
		users = append(users, fmt.Sprintf(`{"id": %d, "username": "m%d", "state": "Member", "groups": [], "discord_uid": "%d"}`, 200+n, n, 6000+n))
	}
	var channels []string
	for n := range 20 {
		channels = append(channels, fmt.Sprintf(`{"id": "%d", "type": 0, "name": "c%d"}`, 8000+n, n))
	}
	return `Moderators who go too far.
-- guild.json --
{"guild": {"id": "900", "owner_id": "1001", "name": "Ruled"},
 "guild_roles": [
  {"id": "2001", "name": "Member", "position": 1},
  {"id": "2003", "name": "Miners", "position": 2},
  {"id": "2009", "name": "Mods", "position": 3, "permissions": "805306422"}],
 "guild_members": [[
  {"user": {"id": "1001", "username": "dara"}, "roles": ["2001"], "joined_at": "2021-04-02T18:00:00Z"},
  {"user": {"id": "1003", "username": "lira"}, "roles": ["2001"], "joined_at": "2021-04-02T18:00:00Z"},
  {"user": {"id": "1004", "username": "asks"}, "roles": ["2001", "2009"], "joined_at": "2021-04-02T18:00:00Z"},
  {"user": {"id": "3001", "username": "stranger"}, "roles": ["2003"], "joined_at": "2021-04-02T18:00:00Z"},
  ` + strings.Join(members, ",\n  ") + `]]}
-- auth.json --
{"states": ["Member", "Guest"], "groups": ["Miners"], "access": {"groups": [], "states": ["Member"], "users": []},
 "users": [
  {"id": 1, "username": "dara", "state": "Member", "groups": [], "discord_uid": "1001"},
  {"id": 3, "username": "lira", "state": "Member", "groups": [], "discord_uid": "1003"},
  {"id": 4, "username": "asks", "state": "Member", "groups": [], "discord_uid": "1004"},
  ` + strings.Join(users, ",\n  ") + `]}
-- policy.yaml --
unknown_guest: {default: strip, grace: 0s}
-- channels.json --
[{"id": "7", "type": 0, "name": "general", "webhooks": [{"id": "1", "name": "audit"}]}, ` + strings.Join(channels, ", ") + `]
`
}

// ruledGuildAtWork is that guild with `gatecamp serve` beside a terminal, until the test ends.
type ruledGuildAtWork struct {
	*terminal
	s    *discordtest.Server
	said *locked

	decisions int // that were made about rules
}

func atWork(t *testing.T, rules string) *ruledGuildAtWork {
	t.Helper()
	world, err := discordtest.ParseWorld("ruled", []byte(ruledWorld()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	s, wait, err := discordtest.Start(ctx, discordtest.Config{World: world})
	if err != nil {
		end()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end()
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tt := newTerminal(t)
	tt.now = time.Now().UTC()
	maps.Copy(tt.env, map[string]string{
		"GATECAMP_DISCORD_API_URL": s.APIURL(), "GATECAMP_DISCORD_TOKEN": s.Bot(discordtest.BotGatecamp).Token, "GATECAMP_HTTP_LISTEN": l.Addr().String(),
		"GATECAMP_ADMIN_CHANNEL_ID": ruledChannel.String(), "GATECAMP_AUTH_URL": "snapshot:" + tt.file("auth.json", `{"aa": `+string(world.Auth)+`}`),
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if rules != "" {
		tt.env["GATECAMP_RULES_FILE"] = tt.file("rules.yaml", rules)
	}
	tt.ok("bind", "add", "--all-proposed", "--reason", "ours")
	tt.ok("policy", "set", tt.file("policy.yaml", "unknown_guest: {default: strip, grace: 0s}\n"), "--reason", "as agreed")
	tt.ok("audit", "run")
	tt.ok("audit", "acknowledge", "1", "--reason", "read it")
	for _, right := range []string{audit.RightRun.String(), audit.RightApply.String()} {
		tt.ok("grant", "add", right, "--to", "discord:"+asks.String(), "--reason", "asks for runs")
	}
	g := &ruledGuildAtWork{terminal: tt, s: s, said: &locked{}}
	g.serve(t)
	return g
}

// serve starts the process that serves, and waits until it does.
func (g *ruledGuildAtWork) serve(t *testing.T) {
	t.Helper()
	env := map[string]string{}
	var names []string
	for name, value := range g.env {
		env[name] = value
		names = append(names, name)
	}
	c := &console{
		env: config.Environment{Names: names, Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, ReadFile: os.ReadFile},
		out: &strings.Builder{}, err: g.said, now: time.Now, user: "tester",
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve"}, c) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("serve ended with %v", err)
		}
		if t.Failed() {
			t.Logf("serve said:\n%s", g.said)
		}
	})
	g.until(func() error {
		if a := g.run("health"); a.code != exitDone {
			return errors.New(a.out + a.err)
		}
		return nil
	})
}

// locked is a text that one goroutine writes and another reads.
type locked struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until tries until it is so. What is waited for happens in other goroutines of the real program: there is no signal but its outcome.
func (g *ruledGuildAtWork) until(so func() error) {
	g.t.Helper()
	end := time.Now().Add(30 * time.Second)
	for {
		err := so()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			g.t.Fatalf("still not so: %v", err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// rule is what `rules list --json` says of a rule.
func (g *ruledGuildAtWork) rule(name string) (r ruleLine) {
	g.t.Helper()
	for line := range strings.Lines(g.ok("rules", "list", "--json").out) {
		var one ruleLine
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			g.t.Fatal(err)
		}
		if one.Rule == name {
			return one
		}
	}
	g.t.Fatalf("there is no rule %s", name)
	return r
}

// shadowed waits until a rule has told so often what it would have done.
func (g *ruledGuildAtWork) shadowed(name string, want int64) {
	g.t.Helper()
	g.until(func() error {
		if r := g.rule(name); r.Shadowed != want {
			return fmt.Errorf("%s would have acted %d times, want %d", name, r.Shadowed, want)
		}
		return nil
	})
}

// fired waits until a rule did something.
func (g *ruledGuildAtWork) fired(name string) {
	g.t.Helper()
	g.until(func() error {
		if r := g.rule(name); r.Fired == 0 {
			return fmt.Errorf("%s did nothing", name)
		}
		return nil
	})
}

// command types a command and gives all that was answered.
func (g *ruledGuildAtWork) command(user snowflake.ID, name string, options ...any) string {
	g.t.Helper()
	given := map[string]any{}
	for i := 0; i+1 < len(options); i += 2 {
		given[options[i].(string)] = options[i+1]
	}
	reply, err := g.s.RunCommand(g.t.Context(), ruledGuild, discordtest.CommandCall{User: discordtest.LooseID(user), Locale: "en-US", Name: name, Options: given})
	return g.answer(reply, err)
}

// answer waits for the end of "is thinking", and is all that is shown.
func (g *ruledGuildAtWork) answer(reply discordtest.Reply, err error) (text string) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	if !strings.HasPrefix(string(reply.Response), `{"type":5`) && !strings.HasPrefix(string(reply.Response), `{"type":6`) {
		return string(reply.Response)
	}
	g.until(func() error {
		i, err := g.s.Interaction(reply.Interaction)
		if err != nil {
			return err
		}
		text = string(i.Original)
		for _, f := range i.Followups {
			text += string(f)
		}
		if len(i.Followups) == 0 && !strings.Contains(text, `"edited_timestamp":"`) {
			return fmt.Errorf("not answered yet: %s", text)
		}
		return nil
	})
	return text
}

func (g *ruledGuildAtWork) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// card has a run plan and gives the message of its card and the custom id of its button.
func (g *ruledGuildAtWork) card() (message snowflake.ID, custom string) {
	g.t.Helper()
	known := g.cards()
	g.command(asks, "audit run", "mode", "strip")
	g.until(func() error {
		for id, button := range g.cards() {
			if _, old := known[id]; !old {
				message, custom = id, button
				return nil
			}
		}
		return errors.New("no card is posted")
	})
	return message, custom
}

func (g *ruledGuildAtWork) cards() map[snowflake.ID]string {
	g.t.Helper()
	all := map[snowflake.ID]string{}
	raw, err := g.s.Messages(ruledChannel)
	g.must(err)
	for _, data := range raw {
		var m struct {
			ID         snowflake.ID `json:"id"`
			Components []struct {
				Components []struct {
					CustomID string `json:"custom_id"`
				} `json:"components"`
			} `json:"components"`
		}
		g.must(json.Unmarshal(data, &m))
		if len(m.Components) > 0 && len(m.Components[0].Components) > 0 {
			all[m.ID] = m.Components[0].Components[0].CustomID
		}
	}
	return all
}

// board is all that stands in the admin channel.
func (g *ruledGuildAtWork) board() string {
	g.t.Helper()
	raw, err := g.s.Messages(ruledChannel)
	g.must(err)
	var text strings.Builder
	for _, data := range raw {
		text.Write(data)
	}
	return text.String()
}

// setOff is how each built-in rule is set off by somebody: by what people do in Discord, and nothing else.
func setOff() map[string]func(g *ruledGuildAtWork, who snowflake.ID, round int) {
	return map[string]func(g *ruledGuildAtWork, who snowflake.ID, round int){
		"command_flood": func(g *ruledGuildAtWork, who snowflake.ID, _ int) {
			for range 10 {
				g.command(who, "why")
			}
		},
		"permission_probing": func(g *ruledGuildAtWork, who snowflake.ID, _ int) {
			for range 5 { // two commands: one alone would be a flood
				g.command(who, "audit run")
				g.command(who, "audit status")
			}
		},
		"failed_confirmation": func(g *ruledGuildAtWork, who snowflake.ID, _ int) {
			var messages [2]snowflake.ID
			var customs [2]string
			for n := range messages {
				messages[n], customs[n] = g.card()
			}
			for n := range 5 { // of neither card five
				_, err := g.s.PressMessage(g.t.Context(), messages[n%2], discordtest.PressCall{User: discordtest.LooseID(who), Locale: "en-US", CustomID: customs[n%2]})
				g.must(err)
			}
		},
		"failed_confirmation_of_card": func(g *ruledGuildAtWork, who snowflake.ID, _ int) {
			message, custom := g.card()
			for n := range 5 { // by five people, of whom nobody failed five times
				_, err := g.s.PressMessage(g.t.Context(), message, discordtest.PressCall{User: discordtest.LooseID(who + snowflake.ID(n)), Locale: "en-US", CustomID: custom})
				g.must(err)
			}
		},
		"join_wave": func(g *ruledGuildAtWork, _ snowflake.ID, round int) {
			for n := range 20 {
				g.must(g.s.Join(ruledGuild, discordtest.Arrival{ID: snowflake.ID(7000 + 100*round + n)}))
			}
		},
		"numeric_limit": func(g *ruledGuildAtWork, who snowflake.ID, _ int) {
			if g.env["GATECAMP_RULES_FILE"] != "" { // it sets a limit of its own
				g.command(who, "audit apply", "run", "12")
				return
			}
			var more []string
			for n := range 11 {
				more = append(more, strconv.FormatInt(175928847299117063+int64(n), 10))
			}
			g.command(who, "block add", "member", lira, "duration", "1h", "reason", "a raid", "more_members", strings.Join(more, " "))
		},
		"distinct_targets": func(g *ruledGuildAtWork, who snowflake.ID, round int) {
			for n := range 5 {
				g.must(g.s.DeleteChannel(ruledGuild, snowflake.ID(8000+5*round+n), who))
			}
		},
		"sensitive_change": func(g *ruledGuildAtWork, who snowflake.ID, round int) {
			g.must(g.s.MakeWebhook(ruledGuild, ruledChannel, who, fmt.Sprintf("hook %d", round)))
		},
	}
}

// limited sets a limit of another number than the built-in watches.
const limited = `
rules:
  - name: numeric_limit
    severity: 6
    stage: ingress
    on: [audit.discord.ingress.pre]
    where: {field: run, above: 10}
    action: {do: observe, scopes: [user]}
`

func TestEachBuiltInRuleIsSetOffByWhatPeopleDoInDiscord(t *testing.T) {
	t.Parallel()
	g := atWork(t, limited)
	ways := setOff()
	if len(ways) != len(rules.All()) {
		t.Fatalf("%d ways for %d rules", len(ways), len(rules.All()))
	}
	// What the bot itself does sets off nothing.
	for n := range 6 {
		g.must(g.s.BanBy(ruledGuild, snowflake.ID(9000+n), ruledBot))
	}
	who := map[string]snowflake.ID{}
	for i, r := range rules.All() {
		who[r.Name] = mod(2 * i)
		if ways[r.Name] == nil {
			t.Fatalf("nobody knows how %s is set off", r.Name)
		}
		ways[r.Name](g, who[r.Name], 0)
	}
	for _, r := range rules.All() {
		g.shadowed(r.Name, 1)
	}
	for _, r := range rules.All() {
		if one := g.rule(r.Name); one.Fired != 0 || one.Do != "observe" {
			t.Errorf("%s did something while it only observed: %+v", r.Name, one)
		}
	}
	if text := g.board(); strings.Contains(text, "set off the rule") {
		t.Errorf("the admin channel hears of what rules only observed:\n%s", text)
	}
	g.readAgain()
}

// readAgain has the process that serves read the rules file again, in each way that there is.
func (g *ruledGuildAtWork) readAgain() {
	g.t.Helper()
	inForce := func() int { return strings.Count(g.said.String(), "rules are in force") }
	more := func(known int) func() error {
		return func() error {
			if inForce() == known {
				return errors.New("the rules were not read again")
			}
			return nil
		}
	}
	known := inForce()
	g.ok("rules", "reload").says("The rules are read again: 8 are known")
	g.until(more(known))
	known = inForce()
	g.must(syscall.Kill(os.Getpid(), syscall.SIGHUP))
	g.until(more(known))
	known = inForce()
	g.file("rules.yaml", limited+"  - {name: mine, on: [guild.member.join], action: {do: alert}}\n")
	g.until(more(known))
	g.must(g.s.Join(ruledGuild, discordtest.Arrival{ID: 7999}))
	g.fired("mine")
	g.file("rules.yaml", limited+"  - {name: mine, on: [guild.member.join], action: {do: explode}}\n")
	g.until(func() error {
		if text := g.board(); !strings.Contains(text, "rules[1].action.do") {
			return fmt.Errorf("the admin channel does not hear of the mistake:\n%s", text)
		}
		return nil
	})
	g.run("rules", "reload").exits(exitUsage).says("rules[1].action.do")
}

func TestARuleThatIsSwitchedOnDoesWhatItSaysWithinASecondAndTellsTheAdmins(t *testing.T) {
	t.Parallel()
	g := atWork(t, "")
	ways := setOff()
	for _, c := range []struct {
		rule, do string
		subject  func(who snowflake.ID) string // of the block; nil: an alert
	}{
		{"command_flood", "temp_block", func(who snowflake.ID) string { return "user:" + who.String() }},
		{"permission_probing", "temp_block", func(who snowflake.ID) string { return "user:" + who.String() }},
		{"failed_confirmation", "alert", nil},
		{"failed_confirmation_of_card", "temp_block", func(snowflake.ID) string { return "session:" }},
		{"numeric_limit", "temp_block", func(who snowflake.ID) string { return "user:" + who.String() }},
		{"sensitive_change", "alert", nil},
		{"distinct_targets", "temp_block", func(who snowflake.ID) string { return "member:900:" + who.String() }},
		{"join_wave", "temp_block", func(snowflake.ID) string { return "guild:900" }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			g.t = t
			g.terminal.t = t
			who := mod(0)
			for i, r := range rules.All() {
				if r.Name == c.rule {
					who = mod(2 * i)
				}
			}
			if c.rule == "failed_confirmation_of_card" {
				who = mod(15) // four others follow, of whom nobody is blocked
			}
			g.ok("rules", "enable", c.rule, "--do", c.do, "--reason", "observed long enough").says("is on", c.do)
			g.decisions++
			g.until(func() error {
				if want := fmt.Sprintf(`"decided":%d}`, g.decisions); !strings.Contains(g.said.String(), want) {
					return errors.New("not in force yet")
				}
				return nil
			})
			ways[c.rule](g, who, 0)
			g.fired(c.rule)
			g.until(func() error {
				if text := g.board(); !strings.Contains(text, "`"+c.rule+"`") {
					return fmt.Errorf("the admin channel does not hear of it:\n%s", text)
				}
				return nil
			})
			if r := g.rule(c.rule); r.Shadowed != 0 || r.Do != c.do || r.Switch != "on" || r.Actor != "console:tester" {
				t.Errorf("rule %+v", r)
			}
			if c.subject == nil {
				if answer := g.command(who, "why"); strings.Contains(answer, "blocked") {
					t.Errorf("an alert blocks:\n%s", answer)
				}
				return
			}
			if text := g.board(); !strings.Contains(text, c.subject(who)) {
				t.Errorf("the admin channel is not told who is blocked, %s:\n%s", c.subject(who), text)
			}
			if c.rule == "failed_confirmation_of_card" {
				return // whoever presses it now is denied: the card is blocked, and nobody else
			}
			if answer := g.command(who, "why"); !strings.Contains(answer, "blocked") {
				t.Errorf("who set it off is answered as before:\n%s", answer)
			}
			if answer := g.command(1001, "why"); strings.Contains(answer, "blocked") {
				t.Errorf("the owner is locked out:\n%s", answer)
			}
		})
	}
}
