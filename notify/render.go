package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatecamp/audit"
	"gatecamp/storage"
)

// Render makes the message about a run.
func Render(r Run) Message {
	m := Message{Title: r.title(), Text: r.text(), Tone: r.tone(), At: r.Ended}
	m.Fields = slices.DeleteFunc([]Field{
		{"Members", r.members()},
		{"Findings", r.findings()},
		{"Done", r.done()},
		{"Held", r.held()},
		{"Not done", r.undone()},
		{"Sources", r.sources()},
	}, func(f Field) bool { return f.Value == "" })
	m.Footer = fmt.Sprintf("guild %d · %s", r.Summary.Guild, r.lasted())
	if d := r.Summary.Digest; d != "" {
		m.Footer += " · plan " + d[:min(12, len(d))]
	}
	return m.fit(r.kept())
}

func (r *Run) did() int {
	return r.Summary.Results[audit.Done.String()] + r.Summary.Results[audit.Collateral.String()]
}

func (r *Run) tone() Tone {
	switch {
	case r.State != storage.Succeeded && r.Auth.Health == audit.Healthy || r.Summary.Results[audit.Collateral.String()] > 0:
		return Trouble
	case r.State == storage.Failed || r.State == storage.DeadlineExceeded:
		return Trouble
	case r.Auth.Health != audit.Healthy || !r.Complete || len(r.Holds) > 0 || !r.DryRun && len(r.Summary.Held) > 0:
		return Held
	case r.did() > 0:
		return Acted
	}
	return Quiet
}

func (r *Run) title() string {
	return fmt.Sprintf("Run %d %s", r.ID, map[storage.RunState]string{
		storage.Pending: "waits", storage.Running: "is at work", storage.Succeeded: "succeeded", storage.CompletedWithErrors: "completed with errors",
		storage.Failed: "failed", storage.Interrupted: "was interrupted", storage.Abandoned: "was given up",
		storage.DeadlineExceeded: "ran out of time", storage.Cancelled: "was stopped by a person",
	}[r.State])
}

// text is the one sentence that a person reads who reads no more.
func (r *Run) text() string {
	var s string
	switch n := r.did(); {
	case n > 0:
		s = fmt.Sprintf("%s made, to %s.", count(n, "change was", "changes were"), count(r.Summary.Members, "member", "members"))
	case r.Auth.Health == audit.Blind:
		s = "Nothing was changed."
	case r.DryRun:
		s = "It only looked; nothing was changed."
	case len(r.Summary.Planned) == 0:
		s = "Nothing had to be done, and nothing was changed."
	default:
		s = "Nothing was changed."
	}
	switch {
	case r.Auth.Health == audit.Blind:
		s += " Auth could not be believed, so nobody was judged: no finding was opened or closed."
	case r.Auth.Health == audit.Doubtful:
		s += " Auth looks wrong, so everything was reported only."
	case !r.Complete && r.Members > 0:
		s += " Not every member was seen, so nobody was touched and no finding was closed."
	case len(r.Holds) > 0:
		s += " A brake held a part of the plan: look at it before you reset the brake."
	}
	if r.Error != "" && r.State != storage.CompletedWithErrors {
		s += " It ended because of: " + words(r.Error) + "."
	}
	return s
}

func (r *Run) members() string {
	var lines []string
	for c := range audit.Categories() {
		if n := r.Categories[c.String()]; n > 0 {
			lines = append(lines, fmt.Sprintf("%d %s", n, words(c.String())))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *Run) findings() string {
	if r.Auth.Health == audit.Blind {
		return ""
	}
	s := fmt.Sprintf("%d new, %d changed, %d gone", r.Opened, r.Changed, r.Closed)
	if parts := counts(r.Decided); parts != "" {
		s += "\nwanted: " + parts
	}
	if r.Alerts > 0 {
		s += fmt.Sprintf("\nALERT: %s in the wrong hands", count(r.Alerts, "privileged role", "privileged roles"))
	}
	return s
}

func (r *Run) done() string {
	if len(r.Summary.Planned) == 0 {
		return ""
	}
	s := "planned: " + counts(r.Summary.Planned)
	if len(r.Summary.Results) > 0 {
		s += "\ncame to: " + counts(r.Summary.Results)
	}
	return s
}

// held says what was held and by what; brakes with their figures.
func (r *Run) held() string {
	var lines []string
	for _, h := range r.Holds {
		name := words(h.By.String())
		if h.By.Dimension == audit.OneRole && h.By.Gate == 0 {
			name = "holders of the role " + r.role(h.By.Role)
		}
		if h.Tripped {
			lines = append(lines, fmt.Sprintf("%s: tripped earlier, and nobody has reset it", name))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %d asked, %d allowed %s", name, h.Asked, h.Allowed, window(h.Window)))
	}
	for _, code := range slices.Sorted(maps.Keys(r.Summary.Held)) {
		if g := gateWords[code]; g != "" {
			lines = append(lines, fmt.Sprintf("%d by %s", r.Summary.Held[code], g))
		}
	}
	return strings.Join(lines, "\n")
}

func window(w audit.Window) string {
	return [...]string{audit.PerRun: "in one run", audit.Live15m: "in 15 minutes", audit.PerDay: "in 24 hours"}[w]
}

// gateWords are what holds a whole plan, besides brakes.
var gateWords = map[string]string{
	audit.Lock.String():          "the first-run lock",
	audit.Pause.String():         "the pause",
	audit.DryRun.String():        "order: this run only reports",
	audit.Roster.String():        "the member list, which is not proven to be complete",
	audit.NothingWanted.String(): "doubt: Auth gives nobody any role",
}

// undone are refusals and failures by code.
func (r *Run) undone() string {
	var lines []string
	for _, code := range slices.Sorted(maps.Keys(r.Summary.Codes)) {
		text := words(code)
		if strings.HasPrefix(code, "lost:") {
			text = "a role was lost that the plan did not name: see the trail"
		}
		lines = append(lines, fmt.Sprintf("%d × %s", r.Summary.Codes[code], text))
	}
	return strings.Join(lines, "\n")
}

func (r *Run) sources() string {
	var s strings.Builder
	s.WriteString("Auth: " + r.Auth.Health.String())
	for _, reason := range r.Auth.Reasons {
		switch {
		case reason.Fact == audit.Reachable:
			s.WriteString("\n· it could not be read")
		case reason.Now == audit.Unknown:
			s.WriteString("\n· " + words(reason.Fact.String()) + ": unknown")
		default:
			s.WriteString(fmt.Sprintf("\n· %s: %d now, %d expected (%s)", words(reason.Fact.String()), reason.Now, reason.Want, reason.Fact.Unit()))
		}
	}
	switch {
	case r.Members == 0:
	case r.Complete:
		s.WriteString(fmt.Sprintf("\nDiscord: every one of %s seen", count(r.Members, "member", "members")))
	default:
		s.WriteString(fmt.Sprintf("\nDiscord: %s seen, NOT every member", count(r.Members, "member", "members")))
	}
	return s.String()
}

func (r *Run) lasted() string {
	if r.Started.IsZero() || r.Ended.IsZero() {
		return "not ended"
	}
	return "took " + max(r.Ended.Sub(r.Started), 0).Round(100*time.Millisecond).String()
}

// words makes a code readable.
func words(code string) string {
	if name := names[code]; name != "" {
		return name
	}
	return strings.ReplaceAll(plain(code), "_", " ")
}

var names = map[string]string{
	audit.BotFiltered.String(): "bots", audit.Undecidable.String(): "not judged: a source is blind", audit.UnknownGuest.String(): "strangers to Auth",
	audit.LinkedNoPerm.String(): "known to Auth, may not use Discord", audit.SurplusRoles.String(): "with a role too many",
	audit.MissingRoles.String(): "with a role too few", audit.InOrder.String(): "in order",
	audit.MembersTouched.String(): "members touched", audit.RolesRemoved.String(): "roles removed", audit.Kicks.String(): "kicks",
	audit.PrivilegedRemoved.String(): "privileged roles removed", audit.BlockKicks.String(): "kicks of blocked members",
}

func counts(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], words(k)))
	}
	return strings.Join(parts, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
