package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
)

func (c *console) auditReplay() *cobra.Command {
	var asJSON, gates bool
	cmd := &cobra.Command{
		Use: "replay FILE…", Short: "work out every verdict of snapshot files again; needs nothing, stores nothing",
		Long: `Reads snapshot files (gatecamp.snapshot/1; the fixtures of aa-discord-audit are such files too) and says what gatecamp concludes about
every member: category, action, the layer that decided, and what would be asked of Discord. It needs no database, no Auth, no Discord and
no settings, and it leaves nothing behind.

It decides as if a first report had been acknowledged, nothing were paused and the run confirmed; --gates decides as a fresh
installation would, with the first-run lock on. The policy, the operator's tables and the bindings are those of the file.

All files are read before anything is printed: if one of them does not fit, its place is said and nothing else.`,
		Example: `  gatecamp audit replay guild.json
  gatecamp audit replay --json january.json february.json | jq .summary`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, paths []string) error {
			files := make([]*snapshot.File, len(paths))
			for i, path := range paths {
				var err error
				if files[i], err = readSnapshot(path); err != nil {
					return err
				}
			}
			for i, file := range files {
				answer := snapshot.Replay(file, audit.Gates{Locked: gates})
				if asJSON {
					if err := answer.WriteJSON(c.out); err != nil {
						return err
					}
					continue
				}
				if i > 0 {
					c.say("")
				}
				c.tellReplay(file, answer)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each file, on one line (gatecamp.replay/1)")
	cmd.Flags().BoolVar(&gates, "gates", false, "decide as a fresh installation, with the first-run lock on")
	return noted(cmd, noteJSON, "one object a file: gatecamp.replay/1 of the snapshot reference")
}

// tellReplay prints a file's verdicts for people, those that want something first.
func (c *console) tellReplay(file *snapshot.File, a *snapshot.Answer) {
	f := &filed{session: &session{console: c}, file: file}
	c.say("%s: %s", visible(file.Name), count(a.Summary.Members, "member", "members"))
	for category := range audit.Categories() {
		if n := a.Summary.ByCategory[category.String()]; n > 0 {
			c.say("  %6d  %s", n, categoryWords(category))
		}
	}
	c.say("Decided: %s", countsText(a.Summary.ByAction))
	for _, code := range sortedKeys(a.Summary.Held) {
		c.say("  %s held by %s", count(a.Summary.Held[code], "member", "members"), holdWords(code))
	}
	for _, t := range a.Summary.RoleFindings {
		c.say("  role %d %q: %s%s", t.Role, visible(t.Name), kindWords(t.Trouble), expects(t.Expects, t.Name))
	}
	if a.Summary.UnknownRoles > 0 {
		c.say("  %s that the guild does not list; they were ignored", count(a.Summary.UnknownRoles, "role is held", "roles are held"))
	}
	for _, note := range a.Summary.Notes {
		c.say("  note: %s", visible(note))
	}
	for v := range a.Verdicts {
		if !v.Category.IsFinding() && !v.Acts() {
			continue
		}
		c.say("%s", f.verdictLine(&v))
	}
}

func expects(expected, name string) string {
	if expected == "" || expected == name {
		return ""
	}
	return fmt.Sprintf(" (%q is expected)", visible(expected))
}

// verdictLine is one member's verdict on one line.
func (f *filed) verdictLine(v *snapshot.Verdict) string {
	line := fmt.Sprintf("  %s: %s → %s (%s)", f.name(v.Member), v.Category, v.Act, v.LayerCode())
	for _, p := range []struct {
		label string
		roles audit.RoleSet
	}{{"removes", v.Remove}, {"out of reach", v.Unreachable}, {"missing", v.Missing}} {
		if !p.roles.Empty() {
			line += fmt.Sprintf("; %s %s", p.label, namesOf(f.file.Guild.Roles, p.roles))
		}
	}
	switch {
	case v.Ban:
		line += "; bans"
	case v.Kick:
		line += "; kicks"
	}
	if !v.Alarming.Empty() {
		line += "; ALERT: holds " + namesOf(f.file.Guild.Roles, v.Alarming)
	}
	for i, by := range v.Held {
		if i == 0 {
			line += "; held by "
		} else {
			line += ", "
		}
		line += by.String()
	}
	return line
}

func namesOf(roles []audit.Role, set audit.RoleSet) string {
	var names []string
	for i := range set.All() {
		names = append(names, visible(roles[i].Name))
	}
	slices.Sort(names)
	return joinWords(names)
}
