package audit_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gatecamp/audit"
)

var update = flag.Bool("update", false, "rewrite the golden sections of the stories")

// Each file of testdata is a story: a guild in words, then what is decided about it. testdata/README.md explains the words.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tellStory(t, story)
			if *update {
				if err := os.WriteFile(file, txtar.Format(story), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// tellStory reads "world", and "later" as what changed since, and compares every other section with what the engine says now.
func tellStory(t *testing.T, story *txtar.Archive) {
	t.Helper()
	if len(bytes.TrimSpace(story.Comment)) == 0 || story.Files[0].Name != "world" {
		t.Fatal("a story begins with what it tells, and with the section world")
	}
	if *update && len(story.Files) == 1 {
		story.Files = append(story.Files, txtar.File{Name: "verdicts"}, txtar.File{Name: "plan"})
	}
	text := string(story.Files[0].Data)
	now := tell(readWorld(t, text))
	var before *telling
	told := 0
	for i := range story.Files[1:] {
		f := &story.Files[i+1]
		if f.Name == "later" {
			text += string(f.Data)
			before, now = now, tell(readWorld(t, text))
			continue
		}
		got := now.section(t, f.Name, before)
		told++
		if *update {
			f.Data = []byte(got)
		}
		if diff := cmp.Diff(string(f.Data), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
	if told == 0 {
		t.Error("the story says nothing: run with -update")
	}
}

// telling is a world and what the engine makes of it.
type telling struct {
	*world
	scene     *audit.Scene
	decisions []audit.Decision // of every member
	plan      audit.Plan
}

func tell(w *world) *telling {
	s := &telling{world: w, scene: audit.NewScene(w.Subjects)}
	for _, m := range w.members {
		f := s.scene.Facts(m)
		s.decisions = append(s.decisions, audit.Decide(f, audit.Classify(f), &w.policy))
	}
	kept, population := audit.Survey(s.scene, w.members, &w.policy, func(*audit.Decision) bool { return true })
	population.Complete = !w.partial
	s.plan = audit.MakePlan(w.Guild.ID, kept, population, w.policy.Limits, w.used, w.gates)
	return s
}

func (s *telling) section(t *testing.T, name string, before *telling) string {
	t.Helper()
	verb, of, _ := strings.Cut(name, " ")
	switch verb {
	case "verdicts":
		return s.verdicts()
	case "plan":
		return s.planned()
	case "roles":
		return s.roleFindings()
	case "proposals":
		return s.proposals()
	case "policy":
		return s.faults()
	case "why":
		return s.why(of)
	case "still":
		return s.stillRight(before)
	}
	t.Fatalf("no section %q", name)
	return ""
}

// grouped counts equal lines about a crowd as one.
type grouped struct {
	lines []string
	count map[string]int
}

func (g *grouped) add(name, line string) {
	if g.count == nil {
		g.count = map[string]int{}
	}
	crowd, _, isCrowd := strings.Cut(name, "#")
	line = fmt.Sprintf(line, crowd)
	if g.count[line]++; g.count[line] == 1 || !isCrowd {
		g.lines = append(g.lines, line)
	}
}

func (g *grouped) String() string {
	var b strings.Builder
	for _, line := range g.lines {
		if n := g.count[line]; n > 1 {
			fmt.Fprintf(&b, "%d times: ", n)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (s *telling) verdicts() string {
	var g grouped
	for i := range s.decisions {
		d := &s.decisions[i]
		g.add(s.names[d.Member], "%s: "+strings.ReplaceAll(s.verdict(d), "%", "%%"))
	}
	return g.String()
}

func (s *telling) verdict(d *audit.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s by %s (%s)", d.Category, d.Act, d.LayerCode(), strings.Join(d.Reasons.Codes(), ", "))
	line := func(title string, list []string) {
		if len(list) > 0 {
			fmt.Fprintf(&b, "\n  %s %s", title, strings.Join(list, ", "))
		}
	}
	line("surplus", s.roleNames(d.Surplus))
	line("missing", append(s.roleNames(d.Missing), d.Absent...))
	if d.Remove.Empty() && !d.Kick && !d.Ban {
		line("would lose", s.roleNames(s.scene.AtStake(d)))
	}
	line("takes", s.roleNames(d.Remove))
	line("privileged", s.roleNames(d.Privileged))
	line("out of reach", s.roleNames(d.Unreachable))
	if d.Kick {
		b.WriteString("\n  kicks")
	}
	if d.Ban {
		b.WriteString("\n  bans")
	}
	for _, l := range s.scene.Lookalikes(d.Held) {
		fmt.Fprintf(&b, "\n  %q looks like %q", s.names[l.Role], l.Like)
	}
	for _, a := range d.Alerts() {
		fmt.Fprintf(&b, "\n  alert %s: %s", a, strings.Join(s.roleNames(d.Alarming), ", "))
	}
	if d.SingleUse {
		b.WriteString("\n  uses the override up")
	}
	if d.Category.IsFinding() && !s.scene.Noteworthy(d) {
		b.WriteString("\n  counted, not stored")
	}
	return b.String()
}

func (s *telling) roleNames(set audit.RoleSet) []string {
	var list []string
	for _, id := range s.scene.RoleIDs(set) {
		list = append(list, s.names[id])
	}
	return list
}

func (s *telling) action(a audit.Action, member string) string {
	if a.Role != 0 {
		return fmt.Sprintf("%s %s: %s", a.Kind, s.names[a.Role], member)
	}
	return fmt.Sprintf("%s: %s", a.Kind, member)
}

func (s *telling) planned() string {
	var g grouped
	for _, a := range s.plan.Actions {
		line := s.action(a.Action, "%s")
		if a.Budget != audit.Ordinary {
			line += " (" + a.Budget.String() + " budget)"
		}
		var held []string
		for _, by := range a.Held {
			held = append(held, s.by(by))
		}
		if len(held) > 0 {
			line += ", held by " + strings.Join(held, ", ")
		}
		g.add(s.names[a.Member], line)
	}
	var out strings.Builder
	out.WriteString(g.String())
	for _, h := range s.plan.Holds {
		out.WriteString("brake " + strings.Replace(h.String(), h.By.String(), s.by(h.By), 1) + "\n")
	}
	for _, h := range s.plan.Trips() {
		out.WriteString("trips " + s.by(h.By) + "\n")
	}
	return out.String()
}

func (s *telling) by(b audit.By) string {
	if b.Role != 0 {
		return b.Dimension.String() + ":" + s.names[b.Role]
	}
	return b.String()
}

func (s *telling) roleFindings() string {
	var out strings.Builder
	for _, f := range s.scene.RoleFindings() {
		fmt.Fprintf(&out, "%s: %s, named %q, expected %q\n", s.names[f.Role], f.Trouble, f.Name, f.Expects)
	}
	return out.String()
}

func (s *telling) proposals() string {
	var out strings.Builder
	for _, p := range s.scene.Proposals() {
		fmt.Fprintf(&out, "%s for %s %s\n", s.names[p.Role], p.Kind, p.Name)
	}
	return out.String()
}

func (s *telling) faults() string {
	var out strings.Builder
	for _, f := range s.policy.Faults(s.Auth) {
		fmt.Fprintln(&out, f)
	}
	return out.String()
}

// why lists the layers that were looked at for one member, as explain tells them.
func (s *telling) why(name string) string {
	var out strings.Builder
	for _, m := range s.members {
		if m.ID != s.person(name) {
			continue
		}
		d, steps := audit.Explain(s.scene.Facts(m), &s.policy)
		for _, step := range steps {
			fmt.Fprintf(&out, "%s: %v\n", step.Layer, step.Applies)
		}
		fmt.Fprintf(&out, "= %s\n", s.verdict(&d))
	}
	return out.String()
}

// stillRight are the actions of the earlier plan that a second look at the members still wants.
func (s *telling) stillRight(before *telling) string {
	wants := map[audit.Action]bool{}
	for _, a := range s.plan.Actions {
		wants[a.Action] = true
	}
	var out strings.Builder
	for _, a := range before.plan.Actions {
		verdict := "dropped"
		if wants[a.Action] {
			verdict = "done"
		}
		fmt.Fprintf(&out, "%s: %s\n", s.action(a.Action, s.names[a.Member]), verdict)
	}
	return out.String()
}

// Ids in a report would mean nothing to a reader of stories.
func TestStoriesNameEverybody(t *testing.T) {
	w := readWorld(t, "role Member\nmember Eve roles=Member")
	for _, id := range []snowflake.ID{w.members[0].ID, w.Guild.Roles[1].ID} {
		if !slices.Contains([]string{"Eve", "Member"}, w.names[id]) {
			t.Errorf("%d has no name", id)
		}
	}
}
