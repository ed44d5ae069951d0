package secret_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"gatecamp/internal/secret"
)

const canary = "canary-7f3a-do-not-print"

// holder keeps secrets in every place where a struct can keep one.
type holder struct {
	Exported secret.String
	Pointer  *secret.String
	List     []secret.String
	Map      map[string]secret.String
	Any      any
	hidden   secret.String
	deeper   struct{ hidden secret.String }
}

func newHolder() holder {
	s := secret.New(canary)
	h := holder{Exported: s, Pointer: &s, List: []secret.String{s}, Map: map[string]secret.String{"k": s}, Any: s, hidden: s}
	h.deeper.hidden = s
	return h
}

func quiet(t *testing.T, how, text string) {
	t.Helper()
	hexed := fmt.Sprintf("%x", canary)
	for _, leak := range []string{canary, hexed, strings.ToUpper(hexed), canary[:8], fmt.Sprint([]byte(canary)), fmt.Sprintf("%U", []rune(canary))} {
		if strings.Contains(text, leak) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
}

func TestNoVerbOfFmtShowsTheSecret(t *testing.T) {
	s, h := secret.New(canary), newHolder()
	values := map[string]any{
		"value": s, "pointer": &s, "slice": []secret.String{s}, "map": map[string]secret.String{"k": s}, "any": any(s),
		"struct": h, "struct pointer": &h, "slice of structs": []holder{h},
	}
	for name, v := range values {
		for verb := range strings.SplitSeq("v +v #v s +s #s q +q #q x #x X #X d b o O c U e f g t p T 10s -40v .5s", " ") {
			quiet(t, "%"+verb+" of a "+name, fmt.Sprintf("%"+verb, v))
		}
		quiet(t, "Sprint of a "+name, fmt.Sprint(v)+fmt.Sprintln(v))
	}
	if got := fmt.Sprintf("%s", s); got != "[REDACTED]" {
		t.Errorf("%%s = %q, want the word that says a secret is there", got)
	}
}

func TestNoMarshallerShowsTheSecret(t *testing.T) {
	h := newHolder()
	marshallers := map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"yaml": yaml.Marshal,
		"xml":  xml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
		"template": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := template.Must(template.New("").Parse("{{.}} {{printf `%#v` .}}")).Execute(&b, v)
			return b.Bytes(), err
		},
	}
	for name, marshal := range marshallers {
		t.Run(name, func(t *testing.T) {
			for _, v := range []any{h.Exported, h.Pointer, h.List, struct{ S secret.String }{h.Exported}} {
				text, err := marshal(v) // some refuse such a type, which is as quiet
				quiet(t, name, fmt.Sprint(string(text), err))
			}
		})
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	quiet(t, "json of the whole struct", string(text))
	if !strings.Contains(string(text), `"Exported":"[REDACTED]"`) {
		t.Errorf("JSON does not say that a secret is there: %s", text)
	}
}

func TestNoLogHandlerShowsTheSecret(t *testing.T) {
	s, h := secret.New(canary), newHolder()
	var b bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for name, handler := range map[string]slog.Handler{"text": slog.NewTextHandler(&b, options), "json": slog.NewJSONHandler(&b, options)} {
		b.Reset()
		log := slog.New(handler).With("with", s).WithGroup("g").With("struct", h)
		log.InfoContext(t.Context(), "hello", "plain", s, "pointer", &s, "any", any(s), slog.Group("in", "s", s, "h", &h), "list", []secret.String{s},
			"err", fmt.Errorf("connect to %s: %w", s, context.Canceled))
		quiet(t, name+" handler", b.String())
		if !strings.Contains(b.String(), "[REDACTED]") {
			t.Errorf("%s handler does not say that a secret is there: %s", name, b.String())
		}
	}
}

func TestErrorsAndDifferencesStayQuiet(t *testing.T) {
	s := secret.New(canary)
	err := errors.Join(fmt.Errorf("open %v: %w", s, context.Canceled), fmt.Errorf("open %q", s))
	quiet(t, "a wrapped error", fmt.Sprintf("%v %+v %#v", err, err, err))
	quiet(t, "cmp.Diff", cmp.Diff(holder{Exported: s}.Exported, secret.New("other")))
}

func TestASecretGivesItsTextOnlyToReveal(t *testing.T) {
	if got := secret.New(canary).Reveal(); got != canary {
		t.Errorf("Reveal = %q, want the text", got)
	}
	var decoded struct{ S secret.String }
	if err := json.Unmarshal([]byte(`{"S":"`+canary+`"}`), &decoded); err != nil || decoded.S.Reveal() != canary {
		t.Errorf("a decoder fills %q, %v; want the text", decoded.S.Reveal(), err)
	}
}

func TestAnUnsetSecretSaysSo(t *testing.T) {
	var zero secret.String
	for _, s := range []secret.String{zero, secret.New("")} {
		if s.IsSet() || s.Reveal() != "" || fmt.Sprint(s) != "" || !s.Equal(zero) {
			t.Errorf("an unset secret: IsSet %v, %q", s.IsSet(), fmt.Sprint(s))
		}
	}
	if !secret.New(canary).IsSet() {
		t.Error("a set secret says it is unset")
	}
}

func TestEqualComparesTheText(t *testing.T) {
	if !secret.New(canary).Equal(secret.New(canary)) {
		t.Error("two secrets of one text differ")
	}
	if secret.New(canary).Equal(secret.New(canary+"x")) || secret.New(canary).Equal(secret.String{}) {
		t.Error("different secrets are equal")
	}
}
