package main

import (
	"strings"
	"testing"
)

func TestTheRulesAreListedWithWhatSetsThemOff(t *testing.T) {
	tt := newTerminal(t)
	tt.env["GATECAMP_RULES_FILE"] = tt.file("rules.yaml", "rules:\n  - name: mine\n    on: [discord.command.error]\n    count: {by: [user], threshold: 3, window: 90s}\n    action: {do: temp_block, ttl: 2h}\n")
	tt.ok("rules", "list").says("command_flood", "ten times within 20 seconds", "observe", "mine", "3 in 1m30s by user", "temp_block user 2h", "5 values of target in 1m by member")
	all := tt.ok("rules", "list", "--json").lines()
	if len(all) != 9 || all[8]["rule"] != "mine" || all[8]["built_in"] != false || all[0]["do"] != "observe" || all[0]["looks"] != true || all[0]["last"] != nil {
		t.Errorf("rules %v", all)
	}
	tt.ok("rules", "list", "--csv").says("rule,state,stage")
}

func TestARuleIsSwitchedOnAndOffByAPersonWithAReason(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("rules", "enable", "command_flood", "--do", "temp_block", "--ttl", "30m", "--reason", "only spammers").says("is on", "10 in 20s by user and route", "temp_block user 30m")
	tt.ok("rules", "list").says("on by console:tester", "temp_block user 30m")
	tt.ok("rules", "disable", "command_flood", "--reason", "a contest").says("is off", "Blocks that it made stay")
	tt.ok("rules", "list", "--json").says(`"switch":"off"`, `"reason":"a contest"`)
	tt.ok("rules", "enable", "command_flood", "--reason", "over").says("temp_block user")
	tt.ok("rules", "enable", "join_wave", "--do", "temp_block", "--reason", "try").says("shared by many")
	tt.ok("rules", "enable", "distinct_targets", "--do", "contain", "--reason", "try").says("once in ten minutes")
}

func TestAWrongWordAboutRulesIsToldWithTheCureAndChangesNothing(t *testing.T) {
	tt := newTerminal(t)
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"rules", "enable", "comand_flood", "--reason", "x"}, exitUsage, []string{"no rule", "command_flood"}},
		{[]string{"rules", "enable", "command_flood"}, exitUsage, []string{"a reason is needed"}},
		{[]string{"rules", "disable", "command_flood"}, exitUsage, []string{"a reason is needed"}},
		{[]string{"rules", "enable", "command_flood", "--do", "explode", "--reason", "x"}, exitUsage, []string{"explode", "temp_block", "nothing was changed"}},
		{[]string{"rules", "enable", "command_flood", "--ttl", "soon", "--reason", "x"}, exitUsage, []string{"soon", "30d"}},
		{[]string{"rules", "enable"}, exitUsage, []string{"usage"}},
		{[]string{"rules", "test", "nowhere.yaml"}, exitUsage, []string{"nowhere.yaml", "cannot be read"}},
		{[]string{"rules", "lst"}, exitUsage, []string{"rules list"}},
	} {
		tt.run(c.args...).exits(c.code).says(c.says...)
	}
	for _, r := range tt.ok("rules", "list", "--json").lines() {
		if r["switch"] != "as_written" {
			t.Errorf("changed: %v", r)
		}
	}
}

func TestARulesFileIsCheckedAndTriedWithoutBeingPutInForce(t *testing.T) {
	tt := newTerminal(t)
	good := tt.file("rules.yaml", "rules:\n  - name: mine\n    on: [auth.login.failed]\n    count: {by: [ip], threshold: 2, window: 5m}\n    action: {do: temp_block, scopes: [ip], ttl: 5m}\n")
	tt.ok("rules", "test", good).says("is sound. Rules: 1", "mine: at 2 in 5m by ip, then temp_block ip 5m", `note: nothing here tells of "auth.login.failed"`)
	story := tt.file("story.json", `{"schema": "gatecamp.enforcement.scenario/1", "id": "story", "title": "Guessing", "config": {}, "steps": [
		{"at": "0s", "do": "repeat", "n": 2, "every": "1s", "step": {"do": "event", "type": "auth.login.failed", "actor": {"ip": "203.0.113.9"}}, "expect": {"right": {"events": {"block_applied": 1}}}},
		{"at": "5s", "do": "request", "actor": {"ip": "203.0.113.9"}, "path": "/"}]}`)
	tt.ok("rules", "test", good, "--scenario", story).says("as is right", `"block_applied":1`, `"verdict":"deny"`)
	tt.ok("rules", "test", good, "--scenario", story, "--json").says(`"id":"story"`)
	harmless := tt.file("harmless.yaml", "rules: []\n")
	tt.run("rules", "test", harmless, "--scenario", story).exits(exitFailed).says("not as is right")
	bad := tt.file("bad.yaml", "rules:\n  - name: mine\n    count: {by: [colour], threshold: 0, window: soon}\n    action: {do: explode}\n")
	tt.run("rules", "test", bad).exits(exitUsage).says("bad.yaml", "rules[0].count.by[0]", "rules[0].count.window", "rules[0].action.do")
	if out := tt.ok("rules", "list").out; strings.Contains(out, "mine") {
		t.Errorf("a file that was only tried is in force:\n%s", out)
	}
}

func TestReloadSaysSoWhenNobodyServes(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("rules", "reload").says("No process that serves answered")
	tt.env["GATECAMP_RULES_FILE"] = tt.file("bad.yaml", "rules: [{name: a, severity: 99}]\n")
	tt.run("rules", "reload").exits(exitUsage).says("rules[0].severity")
}
