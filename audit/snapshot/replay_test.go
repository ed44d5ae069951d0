package snapshot_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/audit/snapshot/demo"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each file in testdata/replay is a sentence of the snapshot's description: a guild, and the verdicts, a line a member. A file
// "gates" names closed gates. Refresh with -update, and read what changed.
func TestReplayKeepsEachSentence(t *testing.T) {
	files, err := filepath.Glob("testdata/replay/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var gates audit.Gates
			var guild []byte
			at := -1
			for i, f := range story.Files {
				switch f.Name {
				case "guild.json":
					guild = f.Data
				case "gates":
					gates = gatesOf(t, string(f.Data))
				case "answer":
					at = i
				}
			}
			if at < 0 {
				story.Files = append(story.Files, txtar.File{Name: "answer"})
				at = len(story.Files) - 1
			}
			got := told(t, snapshot.Replay(parse(t, guild), gates))
			if *update {
				story.Files[at].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(story), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(story.Files[at].Data), got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func gatesOf(t *testing.T, words string) (g audit.Gates) {
	t.Helper()
	for w := range strings.FieldsSeq(words) {
		switch w {
		case "lock":
			g.Locked = true
		case "pause":
			g.Paused = true
		case "dry_run":
			g.DryRun = true
		default:
			t.Fatalf("no gate %q", w)
		}
	}
	return g
}

func parse(t testing.TB, data []byte) *snapshot.File {
	t.Helper()
	f, err := snapshot.Parse(bytes.NewReader(data), "guild.json")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// answer is gatecamp.replay/1 as another program would read it.
type answer struct {
	Schema  string
	File    string
	Summary struct {
		Members  int
		Category map[string]int `json:"by_category"`
		Action   map[string]int `json:"by_action"`
		Held     map[string]int
		Unknown  int                 `json:"unknown_roles"`
		Roles    []map[string]string `json:"role_findings"`
		Notes    []string
	}
	Verdicts map[string]verdict
}

type verdict struct {
	Category, Action, Layer string
	Reasons                 []string
	Remove                  []string `json:"remove_roles"`
	Kick, Ban               bool
	Surplus, Missing        []string
	Lookalikes              []struct{ Role, Like string }
	Unreachable             []string
	Alerts                  []string
	Held                    []string
}

func answerOf(t testing.TB, a *snapshot.Answer) (out answer) {
	t.Helper()
	var b bytes.Buffer
	if err := a.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b.Bytes(), []byte("\n")); n != 1 || !bytes.HasSuffix(b.Bytes(), []byte("}\n")) {
		t.Fatalf("not one object on one line: %d line ends", n)
	}
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// told writes an answer a line a member, from its JSON.
func told(t *testing.T, a *snapshot.Answer) string {
	t.Helper()
	var b strings.Builder
	whole := answerOf(t, a)
	for v := range a.Verdicts {
		j := whole.Verdicts[fmt.Sprint(uint64(v.Member))]
		fmt.Fprintf(&b, "%d %s %s %s", v.Member, j.Category, j.Action, j.Layer)
		list := func(name string, items []string) {
			if len(items) > 0 {
				fmt.Fprintf(&b, " %s=%s", name, strings.Join(items, ","))
			}
		}
		list("remove", j.Remove)
		if j.Kick {
			b.WriteString(" kick")
		}
		if j.Ban {
			b.WriteString(" ban")
		}
		list("surplus", j.Surplus)
		list("missing", j.Missing)
		for _, l := range j.Lookalikes {
			fmt.Fprintf(&b, " %s~%s", l.Role, l.Like)
		}
		list("unreachable", j.Unreachable)
		list("alerts", j.Alerts)
		list("held", j.Held)
		list("reasons", j.Reasons)
		b.WriteByte('\n')
	}
	s := whole.Summary
	fmt.Fprintf(&b, "%d members %v %v held %v\n", s.Members, s.Category, s.Action, s.Held)
	if s.Unknown > 0 {
		fmt.Fprintf(&b, "%d unknown roles\n", s.Unknown)
	}
	for _, r := range s.Roles {
		fmt.Fprintf(&b, "role %s %s %q %q\n", r["role"], r["trouble"], r["name"], r["expects"])
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

// The demo is what a newcomer sees first: its answer, in words and as JSON, is kept letter by letter.
func TestDemoTellsWhatIsWrong(t *testing.T) {
	f, err := snapshot.Parse(bytes.NewReader(demo.Guild()), "demo.json")
	if err != nil {
		t.Fatal(err)
	}
	a := snapshot.Replay(f, audit.Gates{})
	var text, lines bytes.Buffer
	if err := a.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteJSON(&lines); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/demo.txt", text.Bytes())
	golden(t, "testdata/demo.answer.json", lines.Bytes())
	// Whatever the golden files say, these are the reasons for having the demo.
	got := answerOf(t, a).Verdicts
	for id, want := range map[string]verdict{
		"100000000000000001": {Category: "linked_no_perm", Layer: "untouchable", Action: "strip"},
		"100000000000000005": {Category: "unknown_guest", Layer: "default", Action: "strip_kick", Kick: true},
		"100000000000000010": {Category: "unknown_guest", Layer: "grace", Action: "strip"},
		"100000000000000014": {Category: "linked_no_perm", Layer: "default", Action: "strip_kick", Kick: true},
		"100000000000000023": {Category: "in_order", Layer: "block", Action: "kick", Kick: true},
	} {
		v := got[id]
		if v.Category != want.Category || v.Layer != want.Layer || v.Action != want.Action || v.Kick != want.Kick {
			t.Errorf("member %s: got %+v, want %+v", id, v, want)
		}
	}
	if held := got["100000000000000005"].Held; !cmp.Equal(held, []string{"kicks"}) {
		t.Errorf("the kick of the stranger with Directors is held by %v, want the brake on kicks", held)
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestAnswerHasTheKeysOfItsSchemaInTheirOrder(t *testing.T) {
	a := snapshot.Replay(parse(t, []byte(`{
		"guild": {"owner_id": 1, "bot_top_position": 9},
		"guild_roles": [{"id": 20, "name": "Member", "position": 1}, {"id": "35", "name": "member", "position": 2}, {"id": 36, "name": "Boss", "permissions": 8, "position": 3}],
		"guild_members": [[{"user": {"id": "718", "username": "x"}, "roles": ["20", "35", 36]}]],
		"limits": {"kicks": {"run": {"ceiling": 0}}},
		"aa": {"states": ["Member"], "access": {"states": ["Member"]}, "users": [{"id": 1, "state": "Member", "discord_uid": "1"}],
			"policy": {"unknown_guest": "strip_kick"}}}`)), audit.Gates{})
	var b strings.Builder
	if err := a.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	want := `{"schema":"gatecamp.replay/1","file":"guild.json",` +
		`"summary":{"members":1,"by_category":{"unknown_guest":1},"by_action":{"strip_kick":1},"held":{"kicks":1},` +
		`"role_findings":[{"role":"35","trouble":"lookalike_role","name":"member","expects":"Member"}]},` +
		`"verdicts":{"718":{"category":"unknown_guest","action":"strip_kick","layer":"default","reasons":["not_linked"],` +
		`"remove_roles":["20"],"kick":true,"ban":false,"surplus":[],"missing":[],"lookalikes":[{"role":"35","like":"Member"}],` +
		`"unreachable":[],"alerts":["privileged_role"],"held":["kicks"]}}}` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// The peer's --from-fixture reads guild_roles and guild_members alone, needs its database and a run, prints no verdict, and takes
// roles that Discord manages for its own.
func TestPeerFixtureIsReplayedWithNothingElseRunning(t *testing.T) {
	fixture := []byte(`{"guild_roles": [{"id": "20", "name": "Member", "color": 7, "managed": true}, {"id": 21, "name": "Blue"}],
		"guild_members": [[{"user": {"id": "1", "username": "a", "discriminator": "0"}, "roles": ["20", 21]}], [], [
			{"user": {"id": 9007199254740993, "username": "b"}, "roles": [], "nick": null, "premium_since": {"odd": [null]}}]]}`)
	got := answerOf(t, snapshot.Replay(parse(t, fixture), audit.Gates{}))
	if len(got.Verdicts) != 2 || got.Summary.Members != 2 {
		t.Fatalf("got %d verdicts for 2 members", len(got.Verdicts))
	}
	for id, v := range got.Verdicts {
		if v.Category != "undecidable" || v.Action != "report" || v.Layer != "health" || v.Kick || len(v.Remove) > 0 {
			t.Errorf("member %s without Auth: %+v", id, v)
		}
	}
	if _, exact := got.Verdicts["9007199254740993"]; !exact {
		t.Errorf("an id above 2^53 was rounded: %v", got.Verdicts)
	}
	withAuth := []byte(strings.Replace(string(fixture), `{"guild_roles"`, `{"aa": {"states": ["Member", "Blue"],
		"access": {"states": ["Member"]}, "users": [{"id": 1, "state": "Member", "discord_uid": "5"}],
		"policy": {"unknown_guest": "strip"}}, "guild_roles"`, 1))
	v := answerOf(t, snapshot.Replay(parse(t, withAuth), audit.Gates{})).Verdicts["1"]
	if !cmp.Equal(v.Remove, []string{"21"}) {
		t.Errorf("removes %v; only 21 may go, 20 is managed by Discord", v.Remove)
	}
}

func TestTextSaysWhyNothingHappens(t *testing.T) {
	words := func(file string, gates audit.Gates) string {
		var b strings.Builder
		if err := snapshot.Replay(parse(t, []byte(file)), gates).WriteText(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	bare := `{"guild_roles": [], "guild_members": [[{"user": {"id": 1, "username": "a\u202e\nb\u001b[31m"}}]]`
	for _, test := range []struct{ name, text, want string }{
		{"locked", words(string(demo.Guild()), audit.Gates{Locked: true}), "lock: no report that covers such changes has been acknowledged"},
		{"locked", words(string(demo.Guild()), audit.Gates{Locked: true}), "Nothing is done while a gate is closed."},
		{"no Auth", words(bare+"}", audit.Gates{}), "Auth: not in this file."},
		{"no time", words(bare+"}", audit.Gates{}), "does not say when this was true"},
		{"incomplete", words(bare+`, "guild": {"member_count": 2}}`, audit.Gates{}), "Discord counts 2 members: the list is not complete"},
		{"in order", words(bare+`, "aa": {"states": ["M"], "access": {"users": [1]}, "users": [{"id": 1, "discord_uid": 1}]}}`, audit.Gates{}), "Nothing. All is in order"},
	} {
		if !strings.Contains(test.text, test.want) {
			t.Errorf("%s: %q is not in\n%s", test.name, test.want, test.text)
		}
		if strings.ContainsAny(test.text, "\u202e\x1b") {
			t.Errorf("%s: a name can colour or turn the text", test.name)
		}
	}
}
