package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"gatecamp/discord/discordtest"
)

// want compares a part of the record.
func (s *story) want(name string) error {
	var got string
	var err error
	switch name {
	case "requests":
		got = s.requests()
	case "trail":
		got, err = s.lines([]string{"trail", "list", "--json"}, "kind", "run", "what", "member_id", "role_id", "code")
	case "actions":
		got, err = s.actions()
	case "findings":
		got, err = s.lines([]string{"audit", "findings", "--json"}, "member_id", "category", "roles", "state")
	case "runs":
		got, err = s.lines([]string{"audit", "history", "--json"}, "run", "kind", "state", "held")
	default:
		err = fmt.Errorf("there is no record of %s", name)
	}
	if err == nil {
		s.compare(name, got)
	}
	return err
}

// What differs from run to run.
var (
	keys   = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	person = regexp.MustCompile(`console:\S+`)
)

func settled(text string) string {
	return person.ReplaceAllString(keys.ReplaceAllString(text, "KEY"), "console:NAME")
}

// requests are the program's writes to the guild, as Discord saw them.
func (s *story) requests() string {
	var b strings.Builder
	for _, r := range s.discord.Requests(0) {
		if r.Bot != discordtest.BotGatecamp || r.Method == http.MethodGet || strings.HasPrefix(r.Path, "/applications/") {
			continue
		}
		fmt.Fprintf(&b, "%s %s %d", r.Method, strings.TrimPrefix(r.Path, "/guilds/"+s.guild.String()), r.Status)
		if len(r.Body) > 0 {
			fmt.Fprintf(&b, " %s", r.Body)
		}
		fmt.Fprintf(&b, " (%s)\n", settled(r.Reason))
	}
	return b.String()
}

// lines are some fields of JSON lines, one line each.
func (s *story) lines(command []string, fields ...string) (string, error) {
	output, code, err := s.run(command...)
	if err != nil || code != 0 {
		return "", fmt.Errorf("%q exits %d, %w:\n%s", command, code, err, output)
	}
	var b strings.Builder
	for line := range strings.Lines(output) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			return "", fmt.Errorf("%q: %w", line, err)
		}
		b.WriteString(shown(object, fields))
	}
	return b.String(), nil
}

func shown(object map[string]any, fields []string) string {
	var parts []string
	for _, f := range fields {
		v, there := object[f]
		if !there || v == nil {
			continue
		}
		if text, is := v.(string); is {
			parts = append(parts, f+"="+settled(text))
			continue
		}
		data, err := json.Marshal(v)
		if err != nil {
			data = []byte(err.Error())
		}
		parts = append(parts, f+"="+string(data))
	}
	return strings.Join(parts, " ") + "\n"
}

// actions are those of the newest plan that has any, with what became of each.
func (s *story) actions() (string, error) {
	output, code, err := s.run("plan", "show", "--json")
	if err != nil || code != 0 {
		return "", fmt.Errorf("plan show exits %d, %w:\n%s", code, err, output)
	}
	var plan struct {
		Actions []map[string]any `json:"actions"`
	}
	if err := json.Unmarshal([]byte(output), &plan); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, a := range plan.Actions {
		b.WriteString(shown(a, []string{"kind", "member_id", "role_id", "held", "outcome", "code"}))
	}
	return b.String(), nil
}
