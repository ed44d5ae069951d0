package snapshot_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/audit/snapshot/demo"
)

// guilds are all snapshots of the tests.
func guilds(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"demo": demo.Guild()}
	files, err := filepath.Glob("testdata/replay/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		story, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = story.Files[0].Data
	}
	return all
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	for name, data := range guilds(t) {
		first := parse(t, data)
		text := written(t, first)
		second := parse(t, []byte(text))
		if diff := cmp.Diff(text, written(t, second)); diff != "" {
			t.Errorf("%s: written again (-first +second):\n%s", name, diff)
		}
		for _, gates := range []audit.Gates{{}, {Locked: true}} {
			a, b := answerOf(t, snapshot.Replay(first, gates)), answerOf(t, snapshot.Replay(second, gates))
			// Notes and unknown roles are about the file that was read, not about the guild.
			a.Summary.Notes, a.Summary.Unknown = nil, 0
			b.Summary.Notes, b.Summary.Unknown = nil, 0
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s: verdicts after a round trip (-before +after):\n%s", name, diff)
			}
		}
		lists := func(f *snapshot.File) []any {
			return []any{f.At, f.Guild, f.MemberCount, f.Members, f.Bots, f.Protected, f.Exempt, f.Blocks, f.Overrides, f.Bindings, f.Bound, f.Policy}
		}
		if diff := cmp.Diff(lists(first), lists(second)); diff != "" {
			t.Errorf("%s (-first +second):\n%s", name, diff)
		}
	}
}

func TestMembersAreWrittenInPagesOfAThousand(t *testing.T) {
	f := snapshot.New("big")
	for i := range 2_001 {
		f.Members = append(f.Members, audit.Member{ID: snowflake.ID(1_000_000_000_000_000_000 + i)})
		f.People.Add(snapshot.Person{Username: "m", Nick: strings.Repeat("ü", i%3)})
	}
	text := written(t, f)
	if pages := strings.Count(text, "\n],["); pages != 2 {
		t.Errorf("%d page ends inside, want 2", pages)
	}
	back := parse(t, []byte(text))
	if len(back.Members) != 2_001 || back.Person(back.Members[5].ID).Nick != "üü" || back.Person(7).Username != "" {
		t.Errorf("%d members, nick %q", len(back.Members), back.Person(back.Members[5].ID).Nick)
	}
}

func TestMaskLeavesNoNameOfAPersonAndEveryVerdict(t *testing.T) {
	f := parse(t, demo.Guild())
	masked := snapshot.Mask(f)
	text := written(t, masked)
	for i := range f.Members {
		who := f.People.At(i)
		for _, name := range []string{who.Username, who.GlobalName, who.Nick} {
			// gatecamp is the name of a role too, and roles keep theirs.
			if name != "" && name != "gatecamp" && strings.Contains(text, name) {
				t.Errorf("%q is still there", name)
			}
		}
	}
	for _, a := range f.Auth.Accounts {
		if strings.Contains(text, a.Main.Name) || strings.Contains(text, a.Username) {
			t.Errorf("%q is still there", a.Main.Name)
		}
	}
	for _, kept := range []string{"Directors", "Capital Pilots", "Wormhole Scouts", "Guest"} {
		if !strings.Contains(text, `"`+kept+`"`) {
			t.Errorf("%q is gone; without it nothing could be bound", kept)
		}
	}
	if strings.Contains(text, "journalists") {
		t.Error("the reason of a protection is still there")
	}
	before, after := answerOf(t, snapshot.Replay(f, audit.Gates{})), answerOf(t, snapshot.Replay(parse(t, []byte(text)), audit.Gates{}))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("verdicts changed (-before +after):\n%s", diff)
	}
	if f.People.At(0).GlobalName != "Aldo Verrin" || f.Auth.Accounts[0].Main.Name != "Aldo Verrin" {
		t.Error("masking changed the original")
	}
}

func TestMaskGivesOnePersonOnePseudonymAndAnotherInEachFile(t *testing.T) {
	f := parse(t, []byte(`{"guild_roles": [], "guild_members": [[
		{"user": {"id": 1, "username": "a", "global_name": "b"}, "nick": "c"}, {"user": {"id": 2, "username": "old"}}, {"user": {"id": 3, "username": "stranger"}}]],
		"aa": {"states": ["M"], "users": [{"id": 7, "username": "u", "main": "d", "discord_uid": 1}], "identities": [{"uid": 2, "user": 7, "source": "operator"}]}}`))
	m := snapshot.Mask(f)
	name := m.Person(1).Username
	if p := m.Person(1); p.GlobalName != name || p.Nick != name || m.Auth.Accounts[0].Main.Name != name || m.Auth.Accounts[0].Username != name || m.Person(2).Username != name {
		t.Errorf("one person, several pseudonyms: %+v, %+v, %+v", p, m.Person(2), m.Auth.Accounts[0])
	}
	if m.Person(2).Nick != "" || m.Person(3).Username == name || m.Person(3).Username == "" {
		t.Errorf("stranger %+v, old account %+v", m.Person(3), m.Person(2))
	}
	if snapshot.Mask(f).Person(1).Username == name {
		t.Error("two files give the same pseudonym: names could be found by trying")
	}
}

func TestAFullDiskIsReported(t *testing.T) {
	full := errors.New("no space left")
	for name, write := range map[string]func() error{
		"snapshot": func() error { return snapshot.Write(failing{full}, parse(t, demo.Guild())) },
		"answer":   func() error { return snapshot.Replay(parse(t, demo.Guild()), audit.Gates{}).WriteJSON(failing{full}) },
		"text":     func() error { return snapshot.Replay(parse(t, demo.Guild()), audit.Gates{}).WriteText(failing{full}) },
	} {
		if err := write(); !errors.Is(err, full) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
