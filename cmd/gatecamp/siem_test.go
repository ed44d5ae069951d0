package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/storage"
	"gatecamp/telemetry"
)

const siem = "../../deploy/siem/"

// lineFields are the names that a line has, as Wazuh and Sigma write them.
func lineFields() map[string]bool {
	all := map[string]bool{"timestamp": true, "observed_timestamp": true, "severity_text": true, "severity_number": true, "body": true, "event_name": true, "resource.service.name": true, "instrumentation_scope.name": true}
	for _, f := range enforcement.Fields() {
		all["attributes."+f.Name] = true
	}
	return all
}

var eventName = regexp.MustCompile(`audit\\?\.enforcement\\?\.([a-z_]+)`)

// namesOnlyEvents checks that every event that a text names is there.
func namesOnlyEvents(t *testing.T, file, text string) {
	t.Helper()
	for _, m := range eventName.FindAllStringSubmatch(text, -1) {
		if _, err := enforcement.ParseEventType(m[1]); err != nil {
			t.Errorf("%s names the event %s", file, m[0])
		}
	}
}

// flat are the fields of a line by their whole names.
func flat(t *testing.T, line []byte) map[string]string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		if inner, is := v.(map[string]any); is {
			for name, one := range inner {
				walk(strings.TrimPrefix(prefix+"."+name, "."), one)
			}
			return
		}
		if n, is := v.(float64); is {
			v = strconv.FormatFloat(n, 'f', -1, 64)
		}
		all[prefix] = fmt.Sprint(v)
	}
	walk("", object)
	return all
}

type wazuhRule struct {
	ID     int    `xml:"id,attr"`
	Level  int    `xml:"level,attr"`
	Every  int    `xml:"frequency,attr"`
	IfSID  string `xml:"if_sid"`
	After  string `xml:"if_matched_sid"`
	As     string `xml:"decoded_as"`
	Text   string `xml:"description"`
	Fields []struct {
		Name string `xml:"name,attr"`
		Type string `xml:"type,attr"`
		Is   string `xml:",chardata"`
	} `xml:"field"`
}

func (r *wazuhRule) meets(fields map[string]string) bool {
	for _, f := range r.Fields {
		if !regexp.MustCompile(f.Is).MatchString(fields[f.Name]) {
			return false
		}
	}
	return true
}

// wazuhMeets is the rule that a JSON line meets, as Wazuh goes down from a rule to those that build on it, highest level first.
func wazuhMeets(rules []wazuhRule, fields map[string]string) (met wazuhRule) {
	for _, r := range rules {
		if r.As == "json" && r.meets(fields) {
			met = r
		}
	}
	for again := true; again; {
		again = false
		var next []wazuhRule
		for _, r := range rules {
			if r.Every == 0 && slices.Contains(strings.Split(r.IfSID, ","), strconv.Itoa(met.ID)) && r.meets(fields) {
				next = append(next, r)
			}
		}
		if len(next) > 0 {
			met, again = slices.MaxFunc(next, func(a, b wazuhRule) int { return a.Level - b.Level }), true
		}
	}
	return met
}

func TestTheRulesForWazuhKnowOurEventsAndMeetTheTestLog(t *testing.T) {
	raw := must[[]byte](t)(os.ReadFile(siem + "wazuh/rules.xml"))
	var group struct {
		Rules []wazuhRule `xml:"rule"`
	}
	if err := xml.Unmarshal(raw, &group); err != nil {
		t.Fatal(err)
	}
	namesOnlyEvents(t, "rules.xml", string(raw))
	known, ids := lineFields(), map[int]bool{}
	for _, r := range group.Rules {
		if ids[r.ID] || r.ID < 100_000 || r.ID > 120_000 || r.Text == "" {
			t.Errorf("rule %d stands twice, is not in the range for rules of one's own, or says nothing", r.ID)
		}
		ids[r.ID] = true
		for _, f := range r.Fields {
			if !known[f.Name] || f.Type != "pcre2" {
				t.Errorf("rule %d looks at %s (%s)", r.ID, f.Name, f.Type)
			}
		}
		for _, m := range regexp.MustCompile(`\$\(([^)]+)\)`).FindAllStringSubmatch(r.Text, -1) {
			if !known[m[1]] {
				t.Errorf("rule %d tells %s", r.ID, m[1])
			}
		}
		for _, id := range strings.FieldsFunc(r.IfSID+","+r.After, func(c rune) bool { return c == ',' }) {
			if n, err := strconv.Atoi(id); err != nil || !ids[n] {
				t.Errorf("rule %d builds on %s, which does not stand before it", r.ID, id)
			}
		}
	}
	var log, want bytes.Buffer
	met := map[int]bool{}
	for _, s := range eventSamples() {
		line := s.line()
		log.Write(line)
		r := wazuhMeets(group.Rules, flat(t, line))
		fmt.Fprintf(&want, "%d level %d\n", r.ID, r.Level)
		if met[r.ID] = true; r.ID != s.wazuh {
			t.Errorf("%s: meets rule %d, want %d", s.words, r.ID, s.wazuh)
		}
	}
	for _, r := range group.Rules {
		if !met[r.ID] && r.As == "" && r.Every == 0 {
			t.Errorf("no line of the test log meets rule %d", r.ID)
		}
	}
	for name, b := range map[string]*bytes.Buffer{"wazuh/test.jsonl": &log, "wazuh/test.want": &want} {
		if *update {
			if err := os.WriteFile(siem+name, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := must[[]byte](t)(os.ReadFile(siem + name)); !bytes.Equal(got, b.Bytes()) {
			t.Errorf("%s is old; run: go test ./cmd/gatecamp -run Wazuh -update", name)
		}
	}
	for _, name := range []string{"wazuh/decoders.xml", "wazuh/ossec.conf.part.xml"} {
		if err := xml.Unmarshal(must[[]byte](t)(os.ReadFile(siem+name)), new(struct{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.HasPrefix(log.String(), `{"timestamp":`) {
		t.Error("the decoder looks for lines that begin otherwise")
	}
}

type sigmaRule struct {
	Title, ID, Status, Description, Level, Author string
	LogSource                                     map[string]string `yaml:"logsource"`
	Detection                                     map[string]any
	Fields, FalsePositives, Tags                  []string
}

// holds reports whether the rule fires on a line: selections, and "a and not b".
func (r *sigmaRule) holds(t *testing.T, fields map[string]string) bool {
	t.Helper()
	condition, _ := r.Detection["condition"].(string)
	fires := true
	for part := range strings.SplitSeq(condition, " and ") {
		name, not := strings.CutPrefix(part, "not ")
		selection, is := r.Detection[name].(map[string]any)
		if !is {
			t.Fatalf("%s: the condition names %q", r.Title, name)
		}
		fires = fires && selected(t, r.Title, selection, fields) != not
	}
	return fires
}

func selected(t *testing.T, title string, selection map[string]any, fields map[string]string) bool {
	t.Helper()
	for key, want := range selection {
		name, modifier, _ := strings.Cut(key, "|")
		if !lineFields()[name] {
			t.Errorf("%s looks at %s", title, name)
		}
		switch wants := want.(type) {
		case []any:
			if !slices.ContainsFunc(wants, func(w any) bool { return fmt.Sprint(w) == fields[name] }) {
				return false
			}
		default:
			got, _ := strconv.Atoi(fields[name])
			least, _ := strconv.Atoi(fmt.Sprint(want))
			if modifier == "gte" && got < least || modifier == "" && fmt.Sprint(want) != fields[name] {
				return false
			}
		}
	}
	return true
}

func TestTheSigmaRulesKnowOurEventsAndEachFires(t *testing.T) {
	files := must[[]string](t)(filepath.Glob(siem + "sigma/*.yml"))
	ids := map[string]bool{}
	for _, file := range files {
		raw := must[[]byte](t)(os.ReadFile(file))
		var r sigmaRule
		if err := yaml.UnmarshalWithOptions(raw, &r, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		namesOnlyEvents(t, filepath.Base(file), string(raw))
		if ids[r.ID] || !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(r.ID) || r.LogSource["product"] != "gatecamp" || !slices.Contains([]string{"low", "medium", "high", "critical"}, r.Level) {
			t.Errorf("%s: id %q, level %q, source %v", filepath.Base(file), r.ID, r.Level, r.LogSource)
		}
		ids[r.ID] = true
		for _, f := range r.Fields {
			if !lineFields()[f] {
				t.Errorf("%s shows %s", filepath.Base(file), f)
			}
		}
		fires := 0
		for _, s := range eventSamples() {
			if r.holds(t, flat(t, s.line())) {
				fires++
			}
		}
		if fires == 0 || fires == len(eventSamples()) {
			t.Errorf("%s fires on %d of %d examples", filepath.Base(file), fires, len(eventSamples()))
		}
	}
	if len(files) < 4 {
		t.Errorf("%d rules, the peer has four", len(files))
	}
}

// ourFigures are the names of the figures of enforcement that /metrics has.
func ourFigures(t *testing.T) map[string]bool {
	t.Helper()
	sink, err := telemetry.New(t.Context(), telemetry.Config{Events: filepath.Join(t.TempDir(), "events")})
	if err != nil {
		t.Fatal(err)
	}
	sink.Emit(enforcement.Event{Type: enforcement.Alert, Rule: "own"})
	g, err := guard.New(enforcement.Defaults(), guard.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{console: &console{}, events: sink, guard: g, state: newServeState(storage.Owner{})}
	page := httptest.NewRecorder()
	newMetrics(s).handler().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(gatecamp_enforcement_[a-z_]+)`).FindAllString(page.Body.String(), -1) {
		all[m] = true
	}
	if !strings.Contains(page.Body.String(), `gatecamp_enforcement_events_total{rule="own",type="alert"} 1`) {
		t.Errorf("the page is\n%s", page.Body)
	}
	return all
}

func TestTheDashboardAndTheDocumentKnowOurEventsAndFigures(t *testing.T) {
	raw := must[[]byte](t)(os.ReadFile(siem + "grafana/gatecamp-enforcement.json"))
	var board struct {
		Panels []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	figures, ids, loki := ourFigures(t), map[int]bool{}, 0
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || (p.Type != "row" && len(p.Targets) == 0) {
			t.Errorf("panel %d %q stands twice or shows nothing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if strings.Contains(target.Expr, `{service="gatecamp"`) {
				loki++
			}
		}
	}
	if loki < 7 {
		t.Errorf("%d questions for Loki, the peer has seven panels", loki)
	}
	docs := string(must[[]byte](t)(os.ReadFile(eventDocs)))
	labels := map[string]bool{}
	for _, f := range enforcement.Fields() {
		labels["attributes_"+strings.ReplaceAll(f.Name, ".", "_")] = true
	}
	shown := map[string]bool{}
	for file, text := range map[string]string{"the dashboard": string(raw), "docs/events.md": docs} {
		namesOnlyEvents(t, file, text)
		for _, name := range regexp.MustCompile(`attributes_[a-z_]+`).FindAllString(text, -1) {
			if !labels[name] {
				t.Errorf("%s names the label %s", file, name)
			}
		}
		for _, name := range regexp.MustCompile(`gatecamp_enforcement_[a-z_]+`).FindAllString(text, -1) {
			if shown[name] = true; !figures[name] {
				t.Errorf("%s names the figure %s", file, name)
			}
		}
	}
	for name := range figures {
		if !shown[name] {
			t.Errorf("neither the dashboard nor the document names %s", name)
		}
	}
}

func TestTheLabelsForLokiAreFourAndNoPerson(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile(siem + "loki/gatecamp.alloy")))
	if !strings.Contains(text, `values = ["service", "environment", "severity", "event_type"]`) {
		t.Error("other labels are kept")
	}
	for _, m := range regexp.MustCompile(`"(?:event_type|severity|at)" = "([a-z_]+)"`).FindAllStringSubmatch(text, -1) {
		if !lineFields()[m[1]] {
			t.Errorf("it reads %s", m[1])
		}
	}
}
