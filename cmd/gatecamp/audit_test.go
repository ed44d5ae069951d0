package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gatecamp/storage"
)

func TestMain(m *testing.M) {
	// What runs in parallel here waits for Discord's windows most of the time.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// night is a guild with wrongs of several kinds: ten entitled members, a stranger with Directors, a stranger with nothing, a member
// with a role too many, one who lacks a role, one whose access is gone.
type night struct {
	Guild   map[string]any   `json:"guild,omitempty"`
	At      string           `json:"at,omitempty"`
	Roles   []map[string]any `json:"guild_roles"`
	Members [][]any          `json:"guild_members"`
	Auth    map[string]any   `json:"aa,omitempty"`
}

func newNight() *night {
	role := func(id, name string, position int, permissions string) map[string]any {
		return map[string]any{"id": id, "name": name, "position": position, "permissions": permissions}
	}
	n := &night{
		At:    "2026-11-22T17:00:00Z",
		Guild: map[string]any{"id": "900", "name": "Night", "owner_id": "201", "bot_user_id": "999", "bot_top_position": 50},
		Roles: []map[string]any{
			role("900", "@everyone", 0, "0"), role("11", "Member", 1, "0"), role("12", "Directors", 9, "8"), role("16", "Recruiters", 4, "0"), role("18", "Gamers", 6, "0"),
		},
		Members: [][]any{{}},
	}
	var users []any
	user := func(id int, state, discord string, groups ...string) {
		users = append(users, map[string]any{"id": id, "username": fmt.Sprint("u", id), "state": state, "groups": groups, "discord_uid": discord})
	}
	for i := 1; i <= 10; i++ {
		n.member(fmt.Sprint(200+i), "11")
		user(i, "Member", fmt.Sprint(200+i))
	}
	n.member("300", "12", "18") // a stranger
	n.member("301")             // a guest
	n.member("302", "11", "16") // a role too many
	user(11, "Member", "302")
	n.member("303") // lacks Member
	user(12, "Member", "303")
	n.member("304", "11") // lost access
	user(13, "Guest", "304")
	n.Auth = map[string]any{"states": []string{"Member", "Guest"}, "groups": []string{"Directors", "Recruiters"}, "access": map[string]any{"states": []string{"Member"}}, "users": users}
	return n
}

func (n *night) member(id string, roles ...string) {
	n.Members[0] = append(n.Members[0], map[string]any{
		"user": map[string]any{"id": id, "username": "name" + id}, "roles": append([]string{}, roles...), "joined_at": "2020-01-01T00:00:00Z",
	})
}

func (n *night) text() string {
	data, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(data)
}

const nightPolicy = "unknown_guest: {default: strip, grace: 0s}\nlinked_no_perm: {default: strip, grace: 0s}\nsurplus_roles: {default: strip, grace: 0s}\n"

// onNight is a terminal with the night's file; ready has everything bound and a policy that strips.
func onNight(t *testing.T) (*terminal, string) {
	t.Helper()
	tt := newTerminal(t)
	return tt, tt.file("night.json", newNight().text())
}

func ready(t *testing.T) (*terminal, string) {
	t.Helper()
	tt, file := onNight(t)
	tt.ok("bind", "add", "--all-proposed", "--snapshot", file, "--reason", "as Auth says")
	tt.ok("policy", "set", tt.file("policy.yaml", nightPolicy), "--reason", "as agreed")
	return tt, file
}

func TestAFirstRunReportsAndChangesNothing(t *testing.T) {
	tt, file := onNight(t)
	tt.ok("audit", "run", "--snapshot", file).
		says("15 members (every member)", "healthy", "2  strangers", "Look at these first", "! name300 (300)", "ALERT, privileged: Directors", "nothing would be changed in Discord",
			"3 roles count as managed by name alone")
}

func TestARunSaysWhatWouldGoAndWhatHoldsIt(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file).
		says("would go: Directors", "would go: Recruiters", "3 held by the first-run lock", "3 held by this run only reports", "policy   version 1").
		silentAbout("name301", "(301)") // a guest with nothing is counted only (aa-discord-audit A16)
}

func TestTheJSONOfARunIsOneObject(t *testing.T) {
	tt, file := ready(t)
	got := tt.ok("audit", "run", "--snapshot", file, "--json").object()
	digest, _ := got["digest"].(string)
	if len(digest) != 64 {
		t.Errorf("digest %q", digest)
	}
	delete(got, "digest")
	want := map[string]any{"run": 1.0, "state": "succeeded", "held": map[string]any{"dry_run": 3.0, "lock": 3.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}

	history := tt.ok("audit", "history", "--json").object()
	if diff := cmp.Diff([]string{"counts", "digest", "ended", "held", "kind", "run", "started", "state"}, slices.Sorted(maps.Keys(history))); diff != "" {
		t.Errorf("history has the keys (-want +got):\n%s", diff)
	}
	if history["digest"] != digest || history["kind"] != "snapshot" || history["state"] != "succeeded" || history["run"] != 1.0 {
		t.Errorf("history: %v", history)
	}
	plan := tt.ok("plan", "show", "--json").object()
	if plan["digest"] != digest || plan["run"] != 1.0 {
		t.Errorf("plan: %v", plan)
	}
	actions, _ := plan["actions"].([]any)
	first, _ := actions[0].(map[string]any)
	if key, _ := first["key"].(string); len(key) != 32 {
		t.Errorf("key %q", key)
	}
	delete(first, "key")
	wantAction := map[string]any{"member_id": "300", "kind": "remove_role", "role_id": "12", "held": []any{"lock", "dry_run"}, "outcome": nil, "code": nil}
	if diff := cmp.Diff(wantAction, first); diff != "" {
		t.Errorf("first action (-want +got):\n%s", diff)
	}
}

func TestTheJSONOfFindingsHasTheAgreedForm(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	n := newNight()
	n.Members[0] = slices.DeleteFunc(n.Members[0], func(m any) bool {
		object, _ := m.(map[string]any)
		who, _ := object["user"].(map[string]any)
		return who["id"] == "304"
	})
	tt.ok("audit", "run", "--snapshot", tt.file("later.json", n.text()))
	lines := tt.ok("audit", "findings", "--closed", "--json").lines()
	var last float64 = 1 << 40
	got := map[string]map[string]any{}
	for _, l := range lines {
		number, _ := l["finding"].(float64)
		if number >= last {
			t.Errorf("not newest first: %v after %v", number, last)
		}
		last = number
		id, _ := l["member_id"].(string)
		opened, _ := l["opened"].(string)
		if _, err := time.Parse(time.RFC3339Nano, opened); err != nil {
			t.Errorf("opened %q is no time", opened)
		}
		if _, closed := l["closed"].(string); closed {
			l["closed"] = "a time"
		}
		delete(l, "finding")
		delete(l, "opened")
		got[id] = l
	}
	open := func(id, category string, roles ...any) map[string]any {
		return map[string]any{"member_id": id, "category": category, "roles": append([]any{}, roles...), "granted_by": nil, "state": "open", "closed": nil}
	}
	gone := open("304", "linked_no_perm", "11")
	gone["state"], gone["closed"] = "closed", "a time"
	want := map[string]map[string]any{
		"300": open("300", "unknown_guest", "12"), "302": open("302", "surplus_roles", "16"), "303": open("303", "missing_roles", "11"), "304": gone,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	tt.ok("audit", "findings", "--category", "surplus_roles").says("302").silentAbout("300")
	tt.ok("audit", "findings", "--member", "300").says("300").silentAbout("302")
	tt.ok("audit", "findings", "--run", "2").says("304", "closed").silentAbout("302")
	tt.run("audit", "findings", "--category", "nonsense").exits(exitUsage).says("there are", "surplus_roles")
	tt.run("audit", "findings", "--member", "you").exits(exitUsage)
}

// aa-discord-audit A3: what acts needs a confirmation and the lock released, and every refused attempt is in the record.
func TestWhatActsIsRefusedWithItsReasonAndRecorded(t *testing.T) {
	tt, file := ready(t)
	tt.offline()
	for _, c := range []struct {
		args       []string
		says, code string
	}{
		{[]string{"audit", "run", "--action", "strip"}, "was not confirmed", "confirmation_missing"},
		{[]string{"audit", "run", "--action", "strip_kick", "--yes"}, "acknowledged a first report", "initial_lock_held"},
		{[]string{"audit", "run", "--yes"}, "acknowledged a first report", "initial_lock_held"},
		{[]string{"audit", "run"}, "needs a live run", "needs_live_run"},
		{[]string{"audit", "run", "--action", "report"}, "needs a live run", "needs_live_run"},
		{[]string{"audit", "run", "--action", "strip", "--yes", "--snapshot", file}, "a run on a snapshot never acts", "snapshot_never_acts"},
		{[]string{"audit", "explain", "300"}, "needs a live run", "needs_live_run"},
		{[]string{"audit", "preview", filepath.Join(tt.dir, "policy.yaml")}, "needs a live run", "needs_live_run"},
	} {
		tt.run(c.args...).exits(exitRefused).says(c.says)
		v := tt.invocations()[0]
		if v.Accepted || v.Refusal != c.code || v.User != "console:tester" || strings.Contains(v.Args, tt.dir) {
			t.Errorf("%v: recorded as %+v, want the refusal %s", c.args, v, c.code)
		}
	}
	if runs := tt.ok("audit", "history", "--json").lines(); len(runs) > 0 {
		t.Errorf("refused attempts left runs: %v", runs)
	}
	tt.acknowledge("strip")
	tt.ok("pause", "--reason", "wait")
	tt.run("audit", "run", "--action", "strip", "--yes").exits(exitRefused).says("paused this guild", "wait")
	tt.ok("unpause", "--reason", "go on")
	tt.run("audit", "run", "--action", "strip", "--yes").exits(exitRefused).says("needs a live run")
}

func TestWrongArgumentsAreUsageErrorsAndDoNothing(t *testing.T) {
	tt, file := onNight(t)
	for _, args := range [][]string{
		{"audit", "run", "--action", "destroy", "--snapshot", file},
		{"audit", "run", "--limit", "0", "--snapshot", file},
		{"audit", "run", "--limit", "-3", "--snapshot", file},
		{"audit", "run", "--limit", "x"},
		{"audit", "run", "--member", "me", "--snapshot", file},
		{"audit", "run", "--limit", "1", "--member", "300", "--snapshot", file},
		{"audit", "run", "--snapshot", filepath.Join(tt.dir, "none.json")},
		{"audit", "run", "extra"},
		{"audit", "nonsense"},
		{"audit", "explain"},
		{"audit", "explain", "x", "--snapshot", file},
		{"audit", "explain", "777", "--snapshot", file},
		{"audit", "replay"},
		{"audit", "diff"},
		{"audit", "diff", "x"},
		{"audit", "diff", "99"},
		{"audit", "review", "1"},
		{"audit", "review", "0", "--note", "x"},
		{"audit", "review", "77", "--note", "x"},
		{"audit", "resume", "0"},
		{"audit", "resume", "99"},
		{"audit", "abandon", "99"},
		{"audit", "cancel", "-1"},
		{"audit", "acknowledge", "99", "--reason", "x"},
		{"audit", "acknowledge", "1"},
		{"plan", "show"},
		{"plan", "show", "abc"},
		{"plan", "show", strings.Repeat("a", 64)},
		{"plan", "apply", strings.Repeat("a", 64), "--reason", "x"},
		{"trail", "list", "--since", "yesterday"},
		{"trail", "list", "--run", "-1"},
		{"pause"},
		{"unpause", "--reason", " "},
		{"bench", "audit", "--members", "0"},
		{"bench", "audit", "--findings", "few"},
		{"bench", "audit", "--members", "5", "--accounts", "6"},
		{"audit", "history", "--limit", "0"},
		{"audit", "findings", "--json", "--csv"},
		{"audit", "run", "--snapshot", file, "--guild", "901"},
		{"audit", "run", "--snapshot", file, "--guild", "x"},
	} {
		tt.run(args...).exits(exitUsage)
	}
	tt.env["GATECAMP_GUILD_IDS"] = "901,902"
	tt.run("audit", "run", "--snapshot", file).exits(exitUsage).says("900", "901, 902")
}

func TestAFileWithoutAGuildTakesTheConfiguredOne(t *testing.T) {
	tt := newTerminal(t)
	n := newNight()
	n.Guild = nil
	file := tt.file("bare.json", n.text())
	tt.ok("audit", "run", "--snapshot", file).says("guild    900")
	delete(tt.env, "GATECAMP_GUILD_IDS")
	tt.env["GATECAMP_DATA_DIR"] = filepath.Join(tt.dir, "other")
	tt.run("audit", "run", "--snapshot", file).exits(exitUsage).says("which guild?")
	tt.ok("audit", "run", "--snapshot", file, "--guild", "900")
}

func TestTheAllowanceCountsAcceptedRunsOfADay(t *testing.T) {
	tt, file := onNight(t)
	tt.env["GATECAMP_RUNS_PER_USER"] = "2"
	tt.ok("audit", "run", "--snapshot", file)
	tt.offline().run("audit", "run").exits(exitRefused) // refused ones do not count
	tt.ok("audit", "replay", file)                      // nor does what orders no run: aa-discord-audit A24
	tt.ok("audit", "explain", "300", "--snapshot", file)
	tt.ok("audit", "run", "--snapshot", file)
	tt.run("audit", "run", "--snapshot", file).exits(exitRefused).says("2 runs in 24 hours", "the next is free at 2026-11-23 18:00")
	if v := tt.invocations()[0]; v.Refusal != "rate_limited" {
		t.Errorf("recorded as %+v", v)
	}
	tt.now = tt.now.Add(24 * time.Hour)
	tt.ok("audit", "run", "--snapshot", file)
}

// aa-discord-audit A24: replaying a file needed the live database, left a run, ate the allowance and printed no verdicts. A23: exit
// codes said nothing.
func TestReplayNeedsAndLeavesNothing(t *testing.T) {
	tt, file := onNight(t)
	tt.env["GATECAMP_RUNS_PER_USER"] = "nonsense" // settings are not even read
	got := tt.ok("audit", "replay", file, "--json").object()
	if got["schema"] != "gatecamp.replay/1" || got["file"] != file {
		t.Errorf("schema %v, file %v", got["schema"], got["file"])
	}
	verdicts, _ := got["verdicts"].(map[string]any)
	stranger, _ := verdicts["300"].(map[string]any)
	if len(verdicts) != 15 || stranger["category"] != "unknown_guest" {
		t.Errorf("%d verdicts, stranger %v", len(verdicts), stranger)
	}
	if _, err := os.Stat(tt.env["GATECAMP_DATA_DIR"]); !os.IsNotExist(err) {
		t.Errorf("a replay made the data folder (%v)", err)
	}
	tt.ok("audit", "replay", file).says("15 members")
	if lines := tt.ok("audit", "replay", file, file, "--json").lines(); len(lines) != 2 {
		t.Errorf("%d objects of two files", len(lines))
	}
}

func TestAReplayPrintsNothingIfOneFileDoesNotFit(t *testing.T) {
	tt, file := onNight(t)
	n := newNight()
	n.Members[0][2] = map[string]any{"user": map[string]any{"username": "nobody"}, "roles": []string{}}
	bad := tt.file("bad.json", n.text())
	for _, args := range [][]string{{file, bad}, {bad, file}, {bad, file, "--json"}} {
		a := tt.run(append([]string{"audit", "replay"}, args...)...).exits(exitUsage).says("guild_members[0][2].user.id")
		if a.out != "" {
			t.Errorf("printed before the mistake was told: %s", a.out)
		}
	}
	tt.run("audit", "run", "--snapshot", bad).exits(exitUsage).says("guild_members[0][2].user.id")
	if _, err := os.Stat(tt.env["GATECAMP_DATA_DIR"]); !os.IsNotExist(err) {
		t.Errorf("a file that does not fit touched the database (%v)", err)
	}
	tt.run("audit", "replay", t.TempDir()).exits(exitUsage).says("it is a folder", "check the name")
}

// aa-discord-audit A18: explain told "strip_kick" for a protected member. A12: it knew no hierarchy.
func TestExplainSaysWhatTheEngineWouldDo(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	tt.ok("audit", "explain", "300", "--snapshot", file).
		says("name300 (300)", "unknown_guest", "no Auth account is linked", "remove role Directors (12): held by the first-run lock", "What would change that", "YES  the policy's default", "not managed; never touched")
	tt.ok("protect", "add", "300", "--reason", "a guest of honour")
	tt.ok("audit", "explain", "300", "--snapshot", file).says("an operator protects this member", "YES  an operator's protection", "What would happen now\n  nothing", "gatecamp protect list")
	got := tt.ok("audit", "explain", "302", "--snapshot", file, "--json").object()
	if got["member_id"] != "302" || got["category"] != "surplus_roles" || got["action"] != "strip" || got["layer"] != "default" {
		t.Errorf("explained: %v", got)
	}
	roles, _ := got["roles"].(map[string]any)
	if diff := cmp.Diff([]any{"16"}, roles["remove"]); diff != "" {
		t.Errorf("roles to remove (-want +got):\n%s", diff)
	}
	facts, _ := got["facts"].(map[string]any)
	if facts["auth_health"] != "healthy" || facts["open_since"] == nil || facts["joined_at"] != "2020-01-01T00:00:00Z" || facts["live"] != false {
		t.Errorf("facts: %v", facts)
	}
	tt.ok("audit", "explain", "201", "--snapshot", file).says("in_order", "entitled")
}

func TestPreviewCountsWhatAnotherPolicyWouldChange(t *testing.T) {
	tt, file := ready(t)
	harder := tt.file("harder.yaml", "unknown_guest: {default: strip_kick, grace: 0s}\n")
	tt.ok("audit", "preview", harder, "--snapshot", file).says("unknown_guest", "4 members would be treated differently", "Nothing was stored")
	lines := tt.ok("audit", "preview", harder, "--snapshot", file, "--json").lines()
	if diff := cmp.Diff([]string{"300", "301", "302", "304"}, column(lines, "member_id")); diff != "" {
		t.Errorf("changed members (-want +got):\n%s", diff)
	}
	tt.in = "unknown_guest: {default: strip, by_group: {Nobody: report}}\n"
	tt.run("audit", "preview", "-", "--snapshot", file).exits(exitUsage).says("Nobody") // aa-discord-audit A27
	tt.in = "unknown_guest: {default: explode}\n"
	tt.run("audit", "preview", "-", "--snapshot", file).exits(exitUsage).says("line 1")
	if runs := tt.ok("audit", "history", "--json").lines(); len(runs) > 0 {
		t.Errorf("a preview left a run: %v", runs)
	}
}

func TestAnAuthThatCannotBeBelievedIsExit4(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	before := tt.ok("audit", "findings", "--json").out
	for name, change := range map[string]func(n *night){
		"no users":  func(n *night) { n.Auth["users"] = []any{} },
		"no aa":     func(n *night) { n.Auth = nil },
		"no access": func(n *night) { n.Auth["access"] = map[string]any{} },
	} {
		n := newNight()
		change(n)
		broken := tt.file("broken.json", n.text())
		tt.run("audit", "run", "--snapshot", broken).exits(exitHeld).says("Auth is blind", "nothing would be changed")
		if after := tt.ok("audit", "findings", "--json").out; after != before {
			t.Errorf("%s: findings changed from\n%sto\n%s", name, before, after)
		}
		got := tt.run("audit", "run", "--snapshot", broken, "--json").exits(exitHeld).object()
		if got["state"] != "completed_with_errors" {
			t.Errorf("%s: %v", name, got)
		}
		tt.env["GATECAMP_RUNS_PER_USER"] = "100"
	}
	n := newNight() // a third of the users is gone
	users, _ := n.Auth["users"].([]any)
	n.Auth["users"] = users[:8]
	tt.run("audit", "run", "--snapshot", tt.file("shrunk.json", n.text())).exits(exitHeld).says("Auth is doubtful", "users: 8 now")
	n = newNight()
	n.Guild["member_count"] = 4000
	tt.run("audit", "run", "--snapshot", tt.file("part.json", n.text())).exits(exitHeld).says("NOT every member", "does not show every member")
}

func TestASignalSavesTheRunAndItCanBeResumed(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			tt, file := ready(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			looks := 0
			tt.onClock = func() {
				if looks++; looks == 6 { // the run has begun by then
					cancel(&signalError{sig})
				}
			}
			tt.runIn(ctx, "audit", "run", "--snapshot", file).exits(code).says("was interrupted", "stopped by "+sig.String()).silentAbout("context canceled", "run 1: ")
			tt.onClock = nil
			line := tt.ok("audit", "history", "--json").object()
			if line["state"] != "interrupted" {
				t.Fatalf("the run is %v", line)
			}
			tt.run("audit", "resume", "1").exits(exitUsage).says("which one is not kept", "--snapshot FILE")
			tt.ok("audit", "resume", "1", "--snapshot", file).says("Run 1", "succeeded", "would go")
			tt.run("audit", "resume", "1", "--snapshot", file).exits(exitRefused).says("nothing follows")
		})
	}
}

// aa-discord-audit A19 and A20: dead runs, and runs that only looked dead.
func TestADeadRunIsTakenUpByItsLastSignOfLife(t *testing.T) {
	tt, file := ready(t)
	tt.store(func(ctx context.Context, db storage.Store) {
		run := must[storage.Run](t)(db.CreateRun(ctx, guildID, storage.Order{Kind: "snapshot", DryRun: true, Actor: "console:tester", Origin: "console"}, tt.now))
		must[storage.Run](t)(db.MoveRun(ctx, storage.Move{Run: run.ID, From: storage.Pending, To: storage.Running, At: tt.now, Owner: "dead"}))
	})
	tt.run("audit", "resume", "1", "--snapshot", file).exits(exitRefused).says("is at work", "audit cancel 1`", "15s")
	tt.now = tt.now.Add(time.Minute)
	tt.ok("audit", "resume", "1", "--snapshot", file, "--json")
}

func TestARunIsAbandonedOrCancelledOnce(t *testing.T) {
	tt, _ := ready(t)
	for i, command := range []string{"abandon", "cancel"} {
		tt.store(func(ctx context.Context, db storage.Store) {
			must[storage.Run](t)(db.CreateRun(ctx, guildID, storage.Order{Kind: "live", Actor: "console:tester", Origin: "console"}, tt.now))
		})
		run := fmt.Sprint(i + 1)
		tt.ok("audit", command, run).says("Run "+run, "is kept")
		tt.ok("audit", command, run).says("already")
		other := map[string]string{"abandon": "cancel", "cancel": "abandon"}[command]
		tt.run("audit", other, run).exits(exitUsage).says("has ended already")
		tt.run("audit", "resume", run).exits(exitRefused)
	}
}

func TestARunOnAFileReleasesNoLock(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	tt.run("audit", "acknowledge", "1", "--reason", "read it").exits(exitRefused).says("it looked at a file")
	digest, _ := tt.ok("plan", "show", "--json").object()["digest"].(string)
	tt.run("plan", "apply", digest, "--reason", "do it").exits(exitRefused).says("never acted on")
	tt.run("plan", "apply", digest, "--once", "--reason", "do it").exits(exitRefused)
	tt.run("plan", "apply", digest).exits(exitUsage).says("--reason")
}

func TestAReviewIsKeptAndSafeInASpreadsheet(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	tt.ok("audit", "review", "1", "--note", `=HYPERLINK("http://x") `+secretMark[:6]).says("finding 1")
	csv := tt.ok("audit", "findings", "--csv").out
	if !strings.Contains(csv, `"'=HYPERLINK(`) {
		t.Errorf("the note is a formula in CSV:\n%s", csv)
	}
	if v := tt.invocations()[0]; !strings.Contains(v.Args, "--note=[REDACTED]") || strings.Contains(v.Args, "HYPERLINK") {
		t.Errorf("the record keeps the note among the arguments: %q", v.Args)
	}
}

func TestTheTrailListsWhatHappenedInOrder(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	lines := tt.ok("trail", "list", "--run", "1", "--json").lines()
	if len(lines) != 2 || lines[0]["what"] != "findings" || lines[1]["what"] != "plan" || lines[0]["actor"] != "console:tester" {
		t.Errorf("trail: %v", lines)
	}
	tt.ok("trail", "list").says("findings", "plan", "console:tester")
	if lines := tt.ok("trail", "list", "--since", "2027-01-01", "--json").lines(); len(lines) > 0 {
		t.Errorf("entries of the future: %v", lines)
	}
	if lines := tt.ok("trail", "list", "--since", "24h", "--json").lines(); len(lines) == 0 {
		t.Error("nothing of the last day")
	}
	if lines := tt.ok("trail", "list", "--member", "300", "--json").lines(); len(lines) > 0 {
		t.Errorf("nothing was done about 300, and the trail says %v", lines)
	}
}

func TestDiffSaysWhatIsDifferentBetweenRuns(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	n := newNight()
	n.member("305", "12")
	tt.ok("audit", "run", "--snapshot", tt.file("later.json", n.text()))
	lines := tt.ok("audit", "diff", "1", "2", "--json").lines()
	if len(lines) != 1 || lines[0]["id"] != "305" || lines[0]["what"] != "added" || lines[0]["after"] != "unknown_guest strip" || lines[0]["before"] != nil {
		t.Errorf("difference: %v", lines)
	}
	tt.ok("audit", "diff", "2").says("Nothing is different")
}

func TestPauseAndUnpauseSayWhatIsSoAlready(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("unpause", "--reason", "why not").says("is not paused")
	tt.ok("pause", "--reason", "checking").says("is paused")
	tt.ok("pause", "--reason", "again").says("is paused already", "checking")
	tt.ok("unpause", "--reason", "fine").says("goes on")
}

func TestPruneStoresTheRetentionThatTheDatabaseGoesBy(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file)
	tt.ok("prune", "--dry-run").says("nothing is older")
	tt.env["GATECAMP_RETENTION_DAYS"] = "30"
	tt.ok("prune", "--dry-run").says("stored 180 days")
	tt.ok("prune").says("Guild 900")
	tt.store(func(ctx context.Context, db storage.Store) {
		if days, err := db.Setting(ctx, guildID, storage.SettingRetentionDays); err != nil || days != "30" {
			t.Errorf("stored retention %q, %v", days, err)
		}
	})
	tt.env["GATECAMP_RETENTION_DAYS"], tt.env["GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED"] = "0", "true"
	tt.ok("prune").says("kept for ever")
	if len(tt.ok("audit", "history", "--json").lines()) != 1 {
		t.Error("the run is gone")
	}
	delete(tt.env, "GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED")
	tt.run("prune").exits(exitUsage)
}

func TestADatabaseThatCannotBeUsedIsSaidWithTheCure(t *testing.T) {
	tt, file := onNight(t)
	folder := tt.env["GATECAMP_DATA_DIR"]
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, databaseFile)
	if err := os.WriteFile(path, []byte("this is a letter to a friend, and long enough to be no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	tt.run("audit", "run", "--snapshot", file).exits(exitFailed).says("damaged, or no database")
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), "this is a letter") {
		t.Errorf("the file was changed: %q, %v", data, err)
	}
	tt.env["GATECAMP_DATA_DIR"] = filepath.Join(file, "below-a-file")
	tt.run("audit", "run", "--snapshot", file).exits(exitUsage).says("GATECAMP_DATA_DIR")
	delete(tt.env, "GATECAMP_DATA_DIR")
	tt.env["GATECAMP_DATABASE_URL"] = "postgres://gatecamp:" + secretMark + "@127.0.0.1:1/gatecamp"
	tt.run("audit", "run", "--snapshot", file).exits(exitFailed)
}

func TestTheDataFolderIsForItsOwnerAlone(t *testing.T) {
	tt, file := onNight(t)
	tt.ok("audit", "run", "--snapshot", file)
	for path, want := range map[string]os.FileMode{tt.env["GATECAMP_DATA_DIR"]: 0o700, filepath.Join(tt.env["GATECAMP_DATA_DIR"], databaseFile): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has %v (%v), want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

// aa-discord-audit A28: who changed what was not in the record, and neither were refused looks.
func TestEveryAttemptIsInTheRecordWithoutFreeTextAndPaths(t *testing.T) {
	tt, file := ready(t)
	tt.ok("audit", "run", "--snapshot", file, "--member", "300")
	v := tt.invocations()[0]
	if v.Command != "audit run" || !v.Accepted || !v.Counted || v.Run != 1 || v.Args != "--member=300 --snapshot=[REDACTED]" {
		t.Errorf("recorded as %+v", v)
	}
}

func TestBenchMeasuresEveryPart(t *testing.T) {
	tt := newTerminal(t)
	got := tt.ok("bench", "audit", "--members", "400", "--times", "2", "--json").object()
	parts, _ := got["milliseconds"].(map[string]any)
	if diff := cmp.Diff([]string{"again", "decide", "parse", "run", "scene"}, slices.Sorted(maps.Keys(parts))); diff != "" || got["findings"] != 20.0 || got["members"] != 400.0 {
		t.Errorf("parts (-want +got):\n%s\n%v", diff, got)
	}
	if got := tt.ok("bench", "audit", "--members", "300", "--findings", "all", "--times", "1", "--json").object(); got["findings"] != 300.0 {
		t.Errorf("all have findings: %v", got["findings"])
	}
	tt.ok("bench", "audit", "--members", "50", "--times", "1").says("a report run with storage", "cores")
	kept := filepath.Join(tt.dir, "kept.json")
	got = tt.ok("bench", "audit", "--members", "400", "--accounts", "100", "--times", "1", "--save", kept, "--json").object()
	if got["findings"] != 5.0 || got["accounts"] != 100.0 {
		t.Errorf("guests without managed roles are no findings: %v", got)
	}
	tt.ok("audit", "replay", kept).says("400 members")
	tt.run("bench", "audit", "--members", "10", "--times", "1", "--save", kept).exits(exitUsage).says("exists")
}

func TestEveryCommandExplainsItself(t *testing.T) {
	root := newRoot(&console{})
	var walk func(prefix []string)
	tt := newTerminal(t)
	walk = func(path []string) {
		cmd, _, err := root.Find(path)
		if err != nil {
			t.Fatal(err)
		}
		if cmd.Short == "" {
			t.Errorf("%v has no short help", path)
		}
		if cmd.Runnable() && !cmd.HasSubCommands() && len(cmd.Long)+len(cmd.Short) < 25 {
			t.Errorf("%v has no help worth the name", path)
		}
		tt.ok(append(slices.Clone(path), "--help")...).says("Usage:")
		for _, sub := range cmd.Commands() {
			walk(append(slices.Clone(path), sub.Name()))
		}
	}
	walk([]string{})
	tt.ok("completion", "bash").says("bash completion")
	tt.ok("__complete", "audit", "run", "--action", "").says("strip_kick")
	tt.ok("__complete", "audit", "findings", "--category", "").says("surplus_roles")
}
