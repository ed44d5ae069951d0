package i18n

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"

	"gatecamp/audit"
	"gatecamp/storage"
)

func catalogue(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// forms are the plural forms of a language (Unicode CLDR, language plural rules, cardinal).
var forms = map[string][]string{English: {"one", "other"}, Russian: {"one", "few", "many", "other"}}

func formsOf(m *goi18n.Message) map[string]string {
	all := map[string]string{"zero": m.Zero, "one": m.One, "two": m.Two, "few": m.Few, "many": m.Many, "other": m.Other}
	for form, text := range all {
		if text == "" {
			delete(all, form)
		}
	}
	return all
}

var places = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

func placesOf(text string) []string {
	var names []string
	for _, m := range places.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryLanguageHasEveryTextWithTheSamePlaces(t *testing.T) {
	c := catalogue(t)
	if want := []string{English, Russian}; !slices.Equal(c.Languages(), want) {
		t.Fatalf("languages %q, want %q", c.Languages(), want)
	}
	for _, lang := range c.Languages() {
		for key, m := range c.texts[lang] {
			english := c.texts[English][key]
			if english == nil {
				t.Errorf("%s: %s has no English text", lang, key)
				continue
			}
			for form, text := range formsOf(m) {
				if want := placesOf(english.Other); !slices.Equal(placesOf(text), want) && form != "one" {
					t.Errorf("%s: %s (%s) has the places %q, the English one %q", lang, key, form, placesOf(text), want)
				}
				if rest := places.ReplaceAllString(text, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
					t.Errorf("%s: %s (%s) has a place that is none: %s", lang, key, form, text)
				}
				if text != strings.TrimSpace(text) && key != NumberGroup || text == "" {
					t.Errorf("%s: %s (%s) is empty, or begins or ends with a blank: %q", lang, key, form, text)
				}
			}
			if counted := english.One != ""; counted {
				for _, form := range forms[lang] {
					if formsOf(m)[form] == "" {
						t.Errorf("%s: %s lacks the plural form %q", lang, key, form)
					}
				}
			} else if len(formsOf(m)) != 1 {
				t.Errorf("%s: %s has plural forms, and the English one has none", lang, key)
			}
		}
		for key := range c.texts[English] {
			if c.texts[lang][key] == nil {
				t.Errorf("%s: %s is missing", lang, key)
			}
		}
	}
}

// alike are names, and what is written in code style, which no language translates.
var alike = regexp.MustCompile("`[^`]*`|Discord|Alliance Auth|Auth|gatecamp|EVE|https?://\\S+|\\bid\\b|CSV|JSON|YAML")

func TestRussianTextsAreRussian(t *testing.T) {
	for key, m := range catalogue(t).texts[Russian] {
		for form, text := range formsOf(m) {
			text = alike.ReplaceAllString(places.ReplaceAllString(text, ""), "")
			if strings.ContainsFunc(text, unicode.IsLetter) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
				t.Errorf("%s (%s) is not in Russian: %s", key, form, text)
			}
		}
	}
}

// Discord's limits (docs: interactions/application-commands, components/reference, reference/discord.md 2.3).
var limits = []struct {
	key  *regexp.Regexp
	most int
	form *regexp.Regexp
}{
	{regexp.MustCompile(`^(command|option)\..*\.name$`), 32, regexp.MustCompile(`^[-_\p{Ll}\p{Lo}\p{N}]+$`)},
	{regexp.MustCompile(`^(command|option)\..*\.description$`), 100, nil},
	{regexp.MustCompile(`^menu\.`), 32, nil},
	{regexp.MustCompile(`^choice\.`), 100, nil},
	{regexp.MustCompile(`(^|\.)button\.`), 80, nil},
	{regexp.MustCompile(`(^|\.)modal\.(.*\.)?(title|label)$`), 45, nil},
	{regexp.MustCompile(`(^|\.)modal\.(.*\.)?(placeholder|description)$`), 100, nil},
}

func TestWhatDiscordShowsFitsItsLimits(t *testing.T) {
	c := catalogue(t)
	for lang, texts := range c.texts {
		for key, m := range texts {
			for _, l := range limits {
				if !l.key.MatchString(string(key)) {
					continue
				}
				for _, text := range formsOf(m) {
					if n := utf8.RuneCountInString(text); n > l.most {
						t.Errorf("%s: %s has %d characters, and Discord takes %d: %s", lang, key, n, l.most, text)
					}
					if l.form != nil && !l.form.MatchString(text) {
						t.Errorf("%s: %s is no name for a command: %q", lang, key, text)
					}
				}
			}
		}
	}
}

// families are the beginnings of keys that no constant names: texts of codes, and what Discord shows of commands, which package
// commands compares with its definitions.
var families = []string{
	ofCategory, ofCounted, ofReason, ofRemedy, ofAct, ofLayer, ofAlert, ofHold, ofWindow, ofTrouble, ofKind, ofKindRole, ofKinds, ofResult, ofResults, ofActs, ofBrake, ofGate, ofCode, ofCure,
	ofHealth, ofFact, ofRunState, ofRight, ofGround, ofTable, ofRealtime, ofBinding, ofGrantee, ofIdentity, ofException,
	"command.", "option.", "choice.", "menu.",
}

func TestEveryKeyHasATextAndEveryTextAKey(t *testing.T) {
	c := catalogue(t)
	keys := constants(t)
	named := map[Key]string{}
	for name, key := range keys {
		if other := named[key]; other != "" {
			t.Errorf("%s and %s are both %q", name, other, key)
		}
		named[key] = name
		if !c.Has(key) {
			t.Errorf("%s (%s) has no text", name, key)
		}
		if slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(string(key), f) }) {
			t.Errorf("%s (%s) has the beginning of a family of codes", name, key)
		}
	}
	for key := range c.texts[English] {
		if named[key] == "" && !slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(string(key), f) }) {
			t.Errorf("nothing names the text %s", key)
		}
	}
}

func TestEveryKeyIsUsed(t *testing.T) {
	keys := constants(t)
	used := map[string]bool{}
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		ours := filepath.Dir(path) == filepath.Join(root, "i18n")
		if !ours && !strings.Contains(string(data), `"gatecamp/i18n"`) {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, data, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, is := n.X.(*ast.Ident); is && x.Name == "i18n" && !ours {
					used[n.Sel.Name] = true
				}
			case *ast.GenDecl:
				return n.Tok != token.CONST
			case *ast.Ident:
				if ours {
					used[n.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range keys {
		if !used[name] && !strings.HasPrefix(name, "Count") { // what is counted is vocabulary

			t.Errorf("nothing uses %s", name)
		}
	}
}

// constants are the keys that this package names.
func constants(t *testing.T) map[string]Key {
	t.Helper()
	keys := map[string]Key{}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if !is {
				return true
			}
			if kind, typed := spec.Type.(*ast.Ident); typed && kind.Name == "Key" && len(spec.Values) == 1 {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				keys[spec.Names[0].Name] = Key(text)
			}
			return true
		})
	}
	return keys
}

// codesFrom are the names of an enumeration from one of its values to its end.
func codesFrom[T interface {
	~int
	String() string
}](from T,
) (list []string) {
	defer func() { _ = recover() }() // past the end, some have no name
	for v := from; v < from+100; v++ {
		name := v.String()
		if name == "unknown" {
			break
		}
		list = append(list, name)
	}
	return list
}

func TestEveryCodeThatPeopleMeetHasASentence(t *testing.T) {
	c := catalogue(t)
	for family, codes := range map[string][]string{
		ofCategory: codesFrom(audit.BotFiltered), ofCounted: codesFrom(audit.BotFiltered), ofReason: codesFrom(audit.NotLinked), ofAct: codesFrom(audit.None),
		ofLayer: codesFrom(audit.LayerUntouchable), ofAlert: codesFrom(audit.PrivilegedRole),
		ofKinds: codesFrom(audit.RemoveRole), ofResults: codesFrom(audit.Done), ofActs: codesFrom(audit.None),
		ofBrake: codesFrom(audit.MembersTouched), ofGate: codesFrom(audit.Lock),
		ofHold:   slices.Concat(codesFrom(audit.Lock), codesFrom(audit.MembersTouched)),
		ofWindow: codesFrom(audit.PerRun), ofTrouble: codesFrom(audit.Twins), ofKind: codesFrom(audit.RemoveRole), ofResult: codesFrom(audit.Done),
		ofHealth: codesFrom(audit.Healthy), ofFact: codesFrom(audit.Reachable), ofRunState: codesFrom(storage.Pending), ofRight: codesFrom(audit.RightRun),
		ofGround: codesFrom(audit.NoGround), ofGrantee: codesFrom(audit.ToDiscord), ofTable: codesFrom(storage.Exemptions),
		ofRealtime: codesFrom(audit.RealtimeReport), ofBinding: codesFrom(audit.ToGroup), ofIdentity: codesFrom(audit.Historical),
		ofException: {"in_force", "expired", "used", "removed"}, ofCode: outcomeCodes(t),
	} {
		if len(codes) == 0 {
			t.Errorf("%s: no codes were found", family)
		}
		for _, code := range codes {
			if family == ofCategory && code == "" {
				continue
			}
			if !c.Has(Key(family + code)) {
				t.Errorf("%s%s has no sentence", family, code)
			}
		}
	}
}

// Codes that are no outcome's, or whose ending is told by another text.
var notOutcomes = []string{"discord_", "http_", "lost:", "bot_lacks_"}

// outcomeCodes are the codes that package discord and the engine give outcomes and ends of runs, as their sources write them.
func outcomeCodes(t *testing.T) []string {
	t.Helper()
	var codes []string
	for _, pattern := range []string{"../discord/*.go", "../audit/reconcile/*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				codes = append(codes, codesIn(n)...)
				return true
			})
		}
	}
	slices.Sort(codes)
	return slices.DeleteFunc(slices.Compact(codes), func(code string) bool { return slices.Contains(notOutcomes, code) })
}

func codesIn(n ast.Node) (codes []string) {
	add := func(name string, value ast.Expr) {
		lit, is := value.(*ast.BasicLit)
		if !is || lit.Kind != token.STRING || !(strings.HasPrefix(name, "code") || name == "Code" || name == "Error") {
			return
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
			codes = append(codes, text)
		}
	}
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if i < len(n.Values) {
				add(name.Name, n.Values[i])
			}
		}
	case *ast.KeyValueExpr:
		if name, is := n.Key.(*ast.Ident); is {
			add(name.Name, n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if i >= len(n.Rhs) {
				break
			}
			switch left := left.(type) {
			case *ast.Ident:
				add(left.Name, n.Rhs[i])
			case *ast.SelectorExpr:
				add(left.Sel.Name, n.Rhs[i])
			}
		}
	}
	return codes
}

func TestOutcomeCodesAreFoundInTheSources(t *testing.T) {
	codes := outcomeCodes(t)
	for _, want := range []string{"role_above_bot", "no_slot", "unanswered", "deadline", "lease_lost", "seen_after_restart"} {
		if !slices.Contains(codes, want) {
			t.Errorf("%s was not found among %q", want, codes)
		}
	}
}

func TestRussianCountsByItsRules(t *testing.T) {
	p := catalogue(t).For("ru")
	for n, want := range map[int]string{
		0: "0 участников", 1: "1 участник", 2: "2 участника", 4: "4 участника", 5: "5 участников", 11: "11 участников", 12: "12 участников",
		21: "21 участник", 22: "22 участника", 111: "111 участников", 1001: "1001 участник", 12_345: "12\u00a0345 участников", 100_001: "100\u00a0001 участник",
	} {
		if got := p.N(CountMembers, n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestNumbersDurationsAndListsReadWell(t *testing.T) {
	c := catalogue(t)
	en, ru := c.For("en-GB"), c.For("ru")
	for _, x := range []struct{ got, want string }{
		{en.N(CountMembers, 1), "1 member"},
		{en.N(CountMembers, 12_345), "12,345 members"},
		{en.Number(-1_234_567), "-1,234,567"},
		{en.Number(9_999), "9999"},
		{en.Percent(1_250), "12.5%"},
		{en.Percent(5_000), "50%"},
		{en.Percent(1), "0.01%"},
		{ru.Percent(1_205), "12,05\u00a0%"},
		{en.Duration(72 * time.Hour), "3 days"},
		{en.Duration(26*time.Hour + 5*time.Minute), "1 day 2 hours"},
		{en.Duration(61 * time.Second), "1 minute 1 second"},
		{en.Duration(time.Millisecond), "less than a second"},
		{ru.Duration(90 * time.Minute), "1 час 30 минут"},
		{ru.Ago(61 * time.Second), "1 минуту назад"},
		{en.Ago(-time.Second), "just now"},
		{en.List(nil), ""},
		{en.List([]string{"a"}), "a"},
		{en.List([]string{"a", "b", "c"}), "a, b and c"},
		{ru.List([]string{"а", "б"}), "а и б"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}

func TestALocaleIsSpokenInItsLanguageElseInEnglish(t *testing.T) {
	c := catalogue(t)
	for locale, want := range map[string]string{"en-US": English, "en-GB": English, "ru": Russian, "RU": Russian, "uk": English, "de": English, "": English, "zh-CN": English} {
		if got := c.For(locale).Language(); got != want {
			t.Errorf("%q is spoken in %q, want %q", locale, got, want)
		}
	}
}

func TestATextThatALanguageLacksIsToldInEnglish(t *testing.T) {
	c := catalogue(t)
	if err := c.bundle.AddMessages(c.bundle.LanguageTags()[0], &goi18n.Message{ID: "test.only_english", Other: "only {{.What}}"}); err != nil {
		t.Fatal(err)
	}
	if got := c.For("ru").T("test.only_english", Args{"What": "this"}); got != "only this" {
		t.Errorf("%q", got)
	}
	if got := c.For("ru").T("test.nobody"); got != "test.nobody" {
		t.Errorf("a key without a text is told as %q", got)
	}
}

func TestCodesOfAllKindsReadAsSentences(t *testing.T) {
	en := catalogue(t).For(English)
	for code, want := range map[string][2]string{
		"role_above_bot":      {"the role is above the bot's highest role", "drag the bot's role above it in the server's settings, Roles"},
		"discord_50013":       {"Discord says that the bot may not do this", "check the bot's permissions, and that its role is above the roles and members concerned"},
		"discord_99999":       {"Discord refused it with error 99999", "see https://discord.com/developers/docs/topics/opcodes-and-status-codes"},
		"http_502":            {"Discord answered with status 502", "look again with the next run"},
		"lost:123,456":        {"another role of the member was lost with it", "the roles are named in the trail; give them back by hand"},
		"now_in_order":        {"a fresh look found the member otherwise: in order", ""},
		"kicks":               {"held by the brake on kicks", ""},
		"one_role:7":          {"held by the brake on how many holders the role 7 may lose", ""},
		"what_nobody_knows":   {"what nobody knows", ""},
		"now_what_is_this":    {"now what is this", ""},
		"bot_lacks_something": {"bot lacks something", ""},
	} {
		what, cure := en.Code(code)
		if diff := gocmp.Diff(want, [2]string{what, cure}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
	}
	for got, want := range map[string]string{
		en.Layer(audit.LayerGroup, "Directors"):                                              "the policy's entry for the group Directors",
		en.Layer(audit.LayerGrace, ""):                                                       "grace",
		en.Kind(audit.RemoveRole, "Directors"):                                               "remove Directors",
		en.Kind(audit.KickMember, ""):                                                        "kick",
		en.Kind(audit.KickMember, "Directors"):                                               "kick",
		en.Remedy(audit.IsOwner):                                                             "",
		en.HealthReason(audit.HealthReason{Fact: audit.Users, Now: 12, Want: 96}):            "users: 12 now, at least 96 expected",
		en.HealthReason(audit.HealthReason{Fact: audit.BeatAge, Now: 9000, Want: 7200}):      "time since Auth's scheduler last ran: 2 hours 30 minutes now, at most 2 hours expected",
		en.HealthReason(audit.HealthReason{Fact: audit.Reachable, Want: 1}):                  "Auth could not be read",
		en.HealthReason(audit.HealthReason{Fact: audit.Mains, Now: audit.Unknown, Want: 5}):  "users with a main character: Auth no longer says",
		en.HealthReason(audit.HealthReason{Fact: audit.GuildOverlap, Now: 1234, Want: 5000}): "share of linked accounts that are in the guild: 12.34% now, at least 50% expected",
		en.HealthReason(audit.HealthReason{Fact: audit.UnknownEdition, Now: 1}):              "Auth's tables are newer than this version knows: it is only reported, never acted on",
		fmt.Sprint(len(en.Reasons(audit.ReasonsOf(audit.NotLinked, audit.JoinedLately)))):    "2",
		en.CategoryCount(audit.UnknownGuest, 4):                                              "4 strangers to Auth",
		cmp.Or(en.Trouble(audit.Renamed, "Corp Members"), "nothing"):                         "bound, but no longer named Corp Members as Auth writes it",
		en.Hold("somebody_unknown", ""):                                                      "somebody unknown",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMapsForDiscordLeaveEnglishOut(t *testing.T) {
	c := catalogue(t)
	want := map[string]string{"ru": "только что"}
	if diff := gocmp.Diff(want, c.All(DurationNow)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.All("nobody"); len(got) != 0 {
		t.Errorf("a key without a text: %q", got)
	}
}

func TestNoFileHasAKeyTwice(t *testing.T) {
	names, err := fs.Glob(files, "texts/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("%q %v", names, err)
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if twice := repeated(data); twice != "" {
			t.Errorf("%s: the key %q is there twice", name, twice)
		}
	}
}

// repeated is a key that stands twice at the top of an object, which encoding/json takes without a word; empty: none does.
func repeated(data []byte) string {
	d := json.NewDecoder(strings.NewReader(string(data)))
	seen := map[string]struct{}{}
	depth, key := 0, true
	for {
		t, err := d.Token()
		if err != nil {
			return "" // what is wrong is told by who reads it all
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' {
				depth++
			} else {
				depth--
			}
			key = true
			continue
		case string:
			if depth == 1 && key {
				if _, again := seen[t]; again {
					return t
				}
				seen[t] = struct{}{}
				key = false
				continue
			}
		}
		if depth == 1 {
			key = true
		}
	}
}

func TestAKeyThatStandsTwiceIsFound(t *testing.T) {
	for data, want := range map[string]string{
		`{"a": "x", "b": "y"}`:                                      "",
		`{"a": "x", "b": "y", "a": "z"}`:                            "a",
		`{"a": {"one": "x", "other": "y"}, "one": "a", "b": "one"}`: "",
		`{"a": "b", "b": {"one": "1", "other": "2"}, "b": "c"}`:     "b",
		`{"a": "a"}`: "",
		`{"a"`:       "",
	} {
		if got := repeated([]byte(data)); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}
