package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/commands"
	"gatecamp/config"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/storage"
)

func TestSomebodyIsBlockedListedShownAndLetInAgainAtTheConsole(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("block", "list").says("Nobody is blocked here.")
	tt.ok("block", "add", "211", "--duration", "7d", "--reason", "spams").says("member 900:211 is blocked in guild 900 until 2026-", "(block 1)", "next `gatecamp serve`")
	tt.ok("block", "add", "211", "--duration", "1h", "--reason", "again").says("already at least as long")
	tt.ok("block", "add", "211", "--duration", "forever", "--reason", "enough").says("was blocked already, and is now in guild 900 for good")
	tt.ok("block", "add", "212", "213", "--scope", "user", "--also", "none", "--duration", "30m", "--reason", "alts").says("user 212 is blocked everywhere", "user 213")
	tt.ok("block", "list").says("1      active", "guild:900", "900:211", "kick", "never", "console:tester", "spams", "user", "global")
	one := tt.ok("block", "list", "--scope", "member", "--json").object()
	if one["block"] != 1.0 || one["state"] != "active" || one["member_id"] != "211" || one["also"] != "kick" || one["ends"] != nil || one["reason"] != "spams" || one["owner"] != "console:tester" {
		t.Errorf("listed as %v", one)
	}
	tt.ok("block", "list", "--csv").says("block,state,namespace,scope,value,member_id")
	tt.ok("block", "show", "211").says("Block 1, active: member 900:211 in guild 900 for good, also kick.", "made", "extended", "enough")
	if lines := tt.ok("block", "show", "--block", "1", "--json").lines(); len(lines) != 3 || lines[0]["block"] != 1.0 || lines[2]["change"] != "made" {
		t.Errorf("shown as %v", lines)
	}
	tt.ok("block", "shorten", "211", "--duration", "2h", "--reason", "he said sorry").says("member 900:211 is blocked in guild 900 until 2026-", "now (block 1)")
	tt.ok("block", "show", "211").says("shortened", "he said sorry")
	tt.run("block", "shorten", "211", "--duration", "3h", "--reason", "x").exits(exitRefused).says("ends before", "block add")
	tt.run("block", "shorten", "211", "--duration", "forever", "--reason", "x").exits(exitUsage).says("cannot be shortened to forever")
	tt.run("block", "shorten", "299", "--duration", "1h", "--reason", "x").exits(exitUsage).says("299")
	tt.ok("block", "remove", "212", "--reason", "a mistake").says("user 212 is not blocked any more everywhere")
	tt.ok("block", "remove", "--block", "1", "--reason", "a mistake").says("member 900:211 is not blocked any more in guild 900")
	tt.ok("block", "list").says("213").silentAbout("211", "212")
	tt.ok("block", "list", "--closed").says("revoked", "211", "212")
	tt.ok("trail", "attempts").says("block add", "--duration=7d", "--reason=[REDACTED]").silentAbout("spams")
}

func TestWhatIsAskedForWrongOfBlockAtTheConsoleIsToldWithTheCure(t *testing.T) {
	tt := newTerminal(t)
	add := func(args ...string) answer { return tt.run(append([]string{"block", "add"}, args...)...) }
	add().exits(exitUsage)
	add("211").exits(exitUsage).says("a reason is needed", "--reason")
	add("211", "--reason", "x").exits(exitUsage).says("--duration", "forever")
	add("211", "--reason", "x", "--duration", "2020-01-01").exits(exitUsage).says("no time that is still to come")
	add("mako", "--reason", "x", "--duration", "1h").exits(exitUsage).says("no Discord id")
	add("211", "--reason", "x", "--duration", "1h", "--scope", "route").exits(exitUsage).says("would keep everybody out")
	add("abc", "--reason", "x", "--duration", "1h", "--scope", "invite").exits(exitUsage).says("invite is no scope", "no member event names the invite")
	add("211", "--reason", "x", "--duration", "1h", "--also", "tickle").exits(exitUsage).says("--also", "tickle")
	add("10.0.0.1/8", "--reason", "x", "--duration", "1h", "--scope", "ip").exits(exitUsage).says("bits beside its mask")
	add("10.0.0.0/8", "--reason", "x", "--duration", "1h", "--scope", "ip", "--also", "kick").exits(exitUsage).says("names no person")
	add("7", "--reason", "x", "--duration", "forever", "--scope", "channel").exits(exitRefused).says("may be shared by many")
	tt.ok("block", "add", "7", "--reason", "x", "--duration", "forever", "--scope", "channel", "--force").says("channel 7 is blocked in guild 900 for good")
	tt.run("block", "remove", "--reason", "x").exits(exitUsage).says("nobody was named")
	tt.run("block", "remove", "211", "--reason", "x").exits(exitUsage).says("no block of", "block list")
	tt.run("block", "remove", "--block", "99", "--reason", "x").exits(exitUsage).says("there is no block 99")
	tt.run("block", "show").exits(exitUsage)
	tt.run("block", "list", "--scope", "planet").exits(exitUsage).says("planet")
	if n := len(tt.ok("block", "list", "--json").lines()); n != 1 {
		t.Errorf("%d blocks", n)
	}
}

func TestOperatorsAndWhoeverTheRulesFileNamesAreImmuneAtTheConsoleToo(t *testing.T) {
	tt := newTerminal(t)
	tt.env["GATECAMP_OPERATORS"] = "211"
	tt.env["GATECAMP_RULES_FILE"] = tt.file("rules.yaml", "immune: [{scope: user, value: '212'}]\n")
	for _, id := range []string{"211", "212"} {
		tt.run("block", "add", id, "--duration", "1h", "--reason", "a revolt").exits(exitRefused).says("is immune", "the attempt is recorded")
		tt.ok("block", "show", id).says("Not blocked in guild 900 now", "refused", "a revolt")
	}
	tt.env["GATECAMP_RULES_FILE"] = tt.file("rules.yaml", "immune: [{scope: planet, value: '212'}]\n")
	tt.run("block", "list").exits(exitUsage).says("GATECAMP_RULES_FILE", "immune[0].scope", "planet")
}

func TestBlocksMoveFromOneDatabaseToAnother(t *testing.T) {
	from, to := newTerminal(t), newTerminal(t)
	from.ok("block", "add", "211", "--duration", "7d", "--reason", "spams")
	from.ok("block", "add", "212", "--scope", "user", "--duration", "forever", "--also", "strip", "--message", "Ask the directors.", "--reason", "sold")
	from.ok("block", "add", "213", "--duration", "1h", "--reason", "gone")
	from.ok("block", "remove", "213", "--reason", "gone again")
	exported := from.ok("block", "export").out
	if strings.Count(exported, "\n") != 2 {
		t.Fatalf("exported:\n%s", exported)
	}
	exported += `{"scope":"ip","value":"203.0.113.9","ends":"2020-01-01T00:00:00Z"}` + "\n" + `{"scope":"account","value":"42","reason":"by hand"}` + "\n\n"
	file := to.file("blocks.jsonl", exported)
	to.ok("block", "import", file, "--reason", "moved", "--dry-run").says("3 blocks would be taken over", "1 lines are of blocks whose end is past", "nothing was changed")
	to.ok("block", "list").says("Nobody is blocked here.")
	to.ok("block", "import", file, "--reason", "moved").says("3 new", "0 made longer", "1 past")
	to.ok("block", "list").says("900:211", "kick", "spams", "212", "strip", "sold", "account", "42", "none", "by hand")
	to.ok("block", "import", file, "--reason", "moved").says("0 new", "3 were there already")
	for line, says := range map[string]string{
		"{": "no JSON object", `{"scope":"planet","value":"1"}`: "planet", `{"scope":"user","value":"mako"}`: "never names", `{"scope":"user","value":"5","ends":"soon"}`: "ends:",
		`{"scope":"user","value":"5","also":"tickle"}`: "tickle", `{"scope":"user","value":"5","namespace":"moon"}`: "moon",
	} {
		bad := to.file("bad.jsonl", `{"scope":"user","value":"77"}`+"\n"+line+"\n")
		to.run("block", "import", bad, "--reason", "moved").exits(exitUsage).says("line 2: ", says, "nothing was changed")
	}
	to.ok("block", "list").silentAbout(" 77 ")
	to.run("block", "import", "/nowhere", "--reason", "moved").exits(exitUsage).says("cannot be read")
}

func TestOwnersAndSuperusersOfAuthAreImmune(t *testing.T) {
	d := &audit.Directory{Accounts: []audit.Account{
		{User: 1, Active: true, Superuser: true, Discord: 10},
		{User: 2, Active: true, Discord: 20},
		{User: 3, Superuser: true, Discord: 30},
		{User: 4, Active: true, Superuser: true, Discord: 40},
		{User: 5, Active: true, Discord: 40},
	}}
	d.Index()
	for id, want := range map[uint64]bool{10: true, 20: false, 30: false, 40: false, 50: false} {
		if got := isSuperuser(d, &enforcement.Actor{User: id}); got != want {
			t.Errorf("Discord account %d: %v, want %v", id, got, want)
		}
	}
	if !isSuperuser(d, &enforcement.Actor{Account: 4}) || isSuperuser(d, &enforcement.Actor{Account: 3}) || isSuperuser(nil, &enforcement.Actor{Account: 1}) {
		t.Error("accounts are judged otherwise")
	}
}

func TestTheConfigurationOfEnforcementHasTheBuiltInRulesTheRoutesAndTheImmune(t *testing.T) {
	dir := t.TempDir()
	load := func(rules string) config.Config {
		t.Helper()
		names := map[string]string{"GATECAMP_OPERATORS": "5"}
		if rules != "" {
			if err := os.WriteFile(dir+"/rules.yaml", []byte(rules), 0o600); err != nil {
				t.Fatal(err)
			}
			names["GATECAMP_RULES_FILE"] = dir + "/rules.yaml"
		}
		cfg, err := config.Load(t.Context(), config.Environment{Lookup: func(n string) (string, bool) { v, ok := names[n]; return v, ok }, ReadFile: func(n string) ([]byte, error) {
			if n == ".env" {
				return nil, os.ErrNotExist
			}
			return os.ReadFile(n)
		}})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	plain := load("")
	c := enforcementOf(&plain)
	if len(c.Rules) < 7 || c.ModeOf("cmd:audit/apply") != enforcement.Closed || c.ModeOf("cmp:go") != enforcement.Closed || c.ModeOf("cmd:audit/status") != enforcement.Open ||
		c.ModeOf("cmd:pause") != enforcement.Open || !c.Immune.Superusers || !c.Immune.Covers(enforcement.Subject{Scope: enforcement.User, ID: 5}) {
		t.Errorf("%+v", c)
	}
	for _, r := range c.Rules {
		if r.Action.Do != enforcement.Observe {
			t.Errorf("the rule %s does %s before anybody decided so", r.Name, r.Action.Do)
		}
	}
	own := load("fail_closed: ['^cmd:why$']\nrules:\n  - {name: command_flood, count: {by: [user], threshold: 3, window: 10s}, action: {do: temp_block}}\n")
	d := enforcementOf(&own)
	if len(d.Rules) != len(c.Rules) || d.Rules[0].Action.Do != enforcement.TempBlock || d.ModeOf("cmd:audit/apply") != enforcement.Open || d.ModeOf("cmd:why") != enforcement.Closed {
		t.Errorf("%+v", d)
	}
}

// broken is a store of blocks that answers nothing.
type broken struct{ guard.Store }

func (broken) BlocksSince(context.Context, int64, func(storage.Block) error) (int64, error) {
	return 0, errors.New("refused")
}

func TestWhatChangesSomethingIsNotDoneWhileNobodyCanSayWhoIsBlocked(t *testing.T) {
	var cfg config.Config
	g, err := guard.New(enforcementOf(&cfg), guard.Parts{Store: broken{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{cfg: cfg, guard: g}
	for _, route := range commands.ChangingRoutes() {
		no := s.checked(t.Context(), commands.Attempt{Guild: 900, User: 211, Route: route})
		if no == nil || !no.Unchecked {
			t.Errorf("%s: %+v", route, no)
		}
	}
	for _, route := range []string{"cmd:audit/status", "cmd:why", "cmd:pause", "cmp:page", "cmp:no", "typ:block/remove"} {
		if no := s.checked(t.Context(), commands.Attempt{Guild: 900, User: snowflake.ID(211), Route: route}); no != nil {
			t.Errorf("%s is refused: %+v", route, no)
		}
	}
}
