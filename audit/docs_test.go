package audit

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// codes are what the program says under each heading of docs/verdicts.md, in its own order.
func codes() map[string][]string {
	return map[string][]string{
		"Categories":               names(BotFiltered, categories),
		"Actions":                  actNames[:],
		"Layers":                   layerNames[1:],
		"Reasons":                  names(Reason(0), reasons),
		"Alerts":                   names(PrivilegedRole, alerts),
		"What holds an action":     slices.Concat(names(Lock, gates), names(MembersTouched, dimensions)),
		"Findings about roles":     names(Twins, roleTroubles),
		"Kinds of action":          names(RemoveRole, kinds),
		"What became of an action": names(Done, results),
	}
}

func names[T interface {
	~int
	String() string
}](from, end T,
) (list []string) {
	for v := from; v < end; v++ {
		list = append(list, v.String())
	}
	return list
}

func TestThePageOfVerdictsHasEveryCodeWithASentence(t *testing.T) {
	page, err := os.ReadFile("../docs/verdicts.md")
	if err != nil {
		t.Fatal(err)
	}
	listed, heading := map[string][]string{}, ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			heading = title
		}
		if row, ok := strings.CutPrefix(line, "| `"); ok {
			code, sentence, _ := strings.Cut(row, "` | ")
			listed[heading] = append(listed[heading], code)
			if !strings.HasSuffix(sentence, ". |") || len(sentence) < 10 {
				t.Errorf("%s: %q is no sentence", code, sentence)
			}
		}
	}
	if diff := cmp.Diff(codes(), listed); diff != "" {
		t.Errorf("the program and docs/verdicts.md (-program +page):\n%s", diff)
	}
}

func TestEveryCodeIsNamedOnce(t *testing.T) {
	for heading, list := range codes() {
		sorted := slices.Sorted(slices.Values(list))
		if sorted[0] == "" || len(slices.Compact(sorted)) != len(list) {
			t.Errorf("%s: %q", heading, list)
		}
	}
	if n := len(names(LayerUntouchable, LayerAccess+1)); n != len(layerNames)-1 || len(reasonNames) != int(reasons) || len(actNames) != int(Ban)+1 {
		t.Error("a code has no name, or a name no code")
	}
	for _, word := range []string{"", "nonsense", "none"} {
		_, a := ParseAct(word)
		_, c := ParseCategory(word)
		_, k := ParseKind(word)
		_, r := ParseResult(word)
		_, d := ParseDimension(word)
		_, w := ParseWindow(word)
		_, l := ParseRealtime(word)
		if a || c || k || r || d || w || l {
			t.Errorf("%q was read as something", word)
		}
	}
}

func TestNamesAreReadBack(t *testing.T) {
	for c := range Categories() {
		if got, ok := ParseCategory(c.String()); !ok || got != c {
			t.Errorf("%s is read as %s", c, got)
		}
	}
	for k := RemoveRole; k < kinds; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("%s is read as %s", k, got)
		}
	}
	for r := Done; r < results; r++ {
		if got, ok := ParseResult(r.String()); !ok || got != r {
			t.Errorf("%s is read as %s", r, got)
		}
	}
	for _, r := range []Realtime{RealtimeReport, RealtimeOff, RealtimeAct} {
		if got, ok := ParseRealtime(r.String()); !ok || got != r {
			t.Errorf("%s is read as %s", r, got)
		}
	}
	if got := slices.Collect(AllReasons()); len(got) != int(reasons) {
		t.Errorf("%d reasons of %d", len(got), reasons)
	}
}
