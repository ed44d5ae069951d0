package config

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnEnvFileIsReadAsItIsWritten(t *testing.T) {
	text := "\ufeff# comment\r\n" +
		"A=plain\r\n" +
		"  export B = spaced out  # comment\n" +
		"C='single $x \\n # kept'\n" +
		`D="double \"q\" \\ \$x\n\t" # comment` + "\n" +
		"E=\n" +
		"F=a#b=c\n" +
		"\n" +
		"G=# only a comment\n" +
		"H=last line"
	entries, wrong := parseDotEnv([]byte(text))
	if len(wrong) > 0 {
		t.Fatalf("mistakes: %+v", wrong)
	}
	got := map[string]string{}
	for name, e := range entries {
		got[name] = e.value
	}
	want := map[string]string{
		"A": "plain", "B": "spaced out", "C": "single $x \\n # kept", "D": "double \"q\" \\ $x\n\t", "E": "", "F": "a#b=c", "G": "", "H": "last line",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
	if entries["H"].line != 10 {
		t.Errorf("line = %d, want 10", entries["H"].line)
	}
}

func TestAWrongLineIsNamedAndNeverShown(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\ncanary":            "there is no =",
		"A=1\ncan ary=x":         "what stands before the = is no name",
		"A=1\n1canary=x":         "what stands before the = is no name",
		"A=1\n=canary":           "what stands before the = is no name",
		"A=1\nB='canary":         "the quote is not closed",
		"A=1\nB=\"canary\\":      "the quote is not closed",
		"A=1\nB=\"canary\\x\"":   "an unknown character follows a backslash",
		"A=1\nB='can'ary":        "something stands after the closing quote",
		"A=1\nB=canary\xff":      "the line is no text",
		"A=1\nB=canary\x00":      "the line is no text",
		"A=1\nA=canary":          "A is set a second time, first in line 1",
		"A=1\n\"B\"=\"canary\"":  "what stands before the = is no name",
		"A=1\nexport =canary":    "what stands before the = is no name",
		"A=1\nexport canary foo": "there is no =",
	} {
		_, wrong := parseDotEnv([]byte(text))
		if len(wrong) != 1 || wrong[0].line != 2 || !strings.Contains(wrong[0].what, want) || wrong[0].cure == "" {
			t.Errorf("%q: mistakes %+v, want one of line 2: %s", text, wrong, want)
			continue
		}
		if strings.Contains(wrong[0].what+wrong[0].cure, "canary") {
			t.Errorf("%q: the mistake shows the line: %+v", text, wrong[0])
		}
	}
}

func FuzzEnvFile(f *testing.F) {
	f.Add("A=1\n# c\nexport B='x'\nC=\"\\n\"")
	f.Add("GATECAMP_DISCORD_TOKEN=canary\r\nX")
	f.Fuzz(func(t *testing.T, text string) {
		entries, wrong := parseDotEnv([]byte(text))
		lines := strings.Count(text, "\n") + 1
		for name, e := range entries {
			if !isName(name) || e.line < 1 || e.line > lines {
				t.Errorf("%q: entry %q of line %d", text, name, e.line)
			}
		}
		for _, w := range wrong {
			if w.line < 1 || w.line > lines || w.what == "" || w.cure == "" {
				t.Errorf("%q: mistake %+v", text, w)
			}
		}
		again := map[string]string{}
		var b strings.Builder
		for name, e := range entries {
			again[name] = e.value
			b.WriteString(name + `="` + strings.NewReplacer("\\", `\\`, `"`, `\"`, "\n", `\n`).Replace(e.value) + "\"\n")
		}
		reread, wrong := parseDotEnv([]byte(b.String()))
		got := map[string]string{}
		for name, e := range reread {
			got[name] = e.value
		}
		if len(wrong) > 0 || !maps.Equal(again, got) {
			t.Errorf("%q: what was read does not survive writing and reading: %q, %+v", text, b.String(), wrong)
		}
	})
}
