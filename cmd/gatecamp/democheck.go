package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatecamp/audit"
	"gatecamp/discord/discordtest"
)

// has checks that an output says all of these.
func has(parts ...string) func(string) error {
	return func(output string) error {
		for _, p := range parts {
			if !strings.Contains(output, p) {
				return fmt.Errorf("the output does not say %q", p)
			}
		}
		return nil
	}
}

// shorten keeps the parts of an output that a step shows. A part begins after an empty line.
func shorten(output string, step storyStep) string {
	if len(step.show) > 0 {
		var parts []string
		for part := range strings.SplitSeq(strings.TrimSpace(output), "\n\n") {
			if slices.ContainsFunc(step.show, func(first string) bool { return strings.HasPrefix(part, first) }) {
				parts = append(parts, part)
			}
		}
		output = strings.Join(parts, "\n\n") + "\n"
	}
	lines := strings.SplitAfter(output, "\n")
	if more := len(lines) - 1 - step.lines; step.lines > 0 && more > 0 {
		output = strings.Join(lines[:step.lines], "") + fmt.Sprintf("… and %s more\n", count(more, "line", "lines"))
	}
	return output
}

// heldWhole checks that the plan wants something and that nothing of it is free.
func (s *story) heldWhole(output string) error {
	p, err := planOf(output)
	if err != nil {
		return err
	}
	for _, a := range p.Actions {
		if !slices.Contains(a.Held, audit.Lock.String()) || a.Outcome != nil {
			return fmt.Errorf("the lock does not hold %s of %s", a.Kind, a.MemberID)
		}
	}
	return s.untouched(output)
}

// untouched checks that nobody has lost or got anything.
func (s *story) untouched(string) error {
	now, err := s.holdings()
	if err != nil {
		return err
	}
	return same(s.before, now)
}

func same(want, got map[string][]string) error {
	for member, roles := range want {
		now, there := got[member]
		if !there {
			return fmt.Errorf("member %s is gone", member)
		}
		if !slices.Equal(roles, now) {
			return fmt.Errorf("member %s holds %v, and should hold %v", member, now, roles)
		}
	}
	if len(want) != len(got) {
		return errors.New("the guild has other members than before")
	}
	return nil
}

// asDiscordSaw checks that the guild looks as it did, but for what the plan counts as done, and that the brake held every kick.
func (s *story) asDiscordSaw(output string) error {
	p, err := planOf(output)
	if err != nil {
		return err
	}
	want := map[string][]string{}
	for member, roles := range s.before {
		want[member] = slices.Clone(roles)
	}
	for _, a := range p.Actions {
		switch {
		case a.Kind == audit.KickMember.String() && (a.Outcome != nil || !slices.Contains(a.Held, audit.Kicks.String())):
			return fmt.Errorf("the brake did not hold the kick of %s", a.MemberID)
		case a.Kind != audit.RemoveRole.String():
		case a.Outcome == nil || *a.Outcome != audit.Done.String():
			return fmt.Errorf("role %v of %s was not taken", a.RoleID, a.MemberID)
		default:
			want[a.MemberID] = slices.DeleteFunc(want[a.MemberID], func(role string) bool { return a.RoleID != nil && role == *a.RoleID })
		}
	}
	now, err := s.holdings()
	if err != nil {
		return err
	}
	return same(want, now)
}

func (s *story) remember(output string) error {
	s.findings = output
	if strings.Count(output, "\n") < 5 {
		return errors.New("there are hardly any findings")
	}
	return nil
}

func (s *story) same(output string) error {
	if s.findings != output {
		return errors.New("findings were opened, changed or closed on the word of a broken Auth")
	}
	return nil
}

// breakAuth is a restore that went wrong: Auth is there, and has lost all its users.
func (s *story) breakAuth() error {
	var file map[string]map[string]json.RawMessage
	if err := json.Unmarshal(s.auth, &file); err != nil {
		return err
	}
	file["aa"]["users"], file["aa"]["identities"] = json.RawMessage("[]"), json.RawMessage("[]")
	data, err := json.Marshal(file)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, demoAuth)
	return errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path))
}

// seen counts what the bot changed, by Discord's own record.
func (s *story) seen() string {
	writes, refused := 0, 0
	for _, r := range s.discord.Requests(0) {
		if r.Bot == discordtest.BotGatecamp && r.Method != http.MethodGet && strings.HasPrefix(r.Path, "/guilds/") {
			writes++
			if r.Status >= 300 {
				refused++
			}
		}
	}
	return fmt.Sprintf("%s, %d of them refused", count(writes, "write", "writes"), refused)
}

// delivered is what the demo reads of a message at the webhook.
type delivered struct {
	Embeds []struct {
		Title, Description string
		Fields             []struct{ Name, Value string }
		Footer             struct{ Text string }
	}
}

// message shows the webhook's newest message; there must be one more than at the last look.
func (s *story) message(loud bool) error {
	all := s.discord.Deliveries()
	if len(all) <= s.told {
		return errors.New("no summary was posted to the webhook")
	}
	s.told = len(all)
	var d delivered
	last := all[len(all)-1]
	if err := json.Unmarshal(last.Body, &d); err != nil {
		return err
	}
	if len(d.Embeds) != 1 || last.Status >= 300 {
		return fmt.Errorf("the webhook was given something else: status %d", last.Status)
	}
	for member := range s.before {
		if strings.Contains(string(last.Body), `"`+member) || strings.Contains(string(last.Body), " "+member) {
			return fmt.Errorf("the summary names member %s", member)
		}
	}
	if loud {
		s.show(d)
	}
	return nil
}

func (s *story) show(d delivered) {
	e := d.Embeds[0]
	s.say("\nThe webhook got, for everybody to read:\n\n  | %s\n  | %s", e.Title, e.Description)
	for _, f := range e.Fields {
		s.say("  | %s: %s", f.Name, strings.NewReplacer("\n· ", ", ", "\n", "; ").Replace(f.Value))
	}
	s.say("  | %s", e.Footer.Text)
}
