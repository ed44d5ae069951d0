package notify

import (
	"maps"
	"slices"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// Render makes the message about a run, in the printer's language.
func Render(p *i18n.Printer, run Run) Message {
	r := told{Run: &run, p: p}
	m := Message{Title: p.T(i18n.NotifyTitle, i18n.Args{"Run": r.ID, "State": p.RunState(r.State)}), Text: r.text(), Tone: r.tone(), At: r.Ended}
	m.Fields = slices.DeleteFunc([]Field{
		{p.T(i18n.NotifyMembers), r.members()},
		{p.T(i18n.NotifyFindings), r.findings()},
		{p.T(i18n.NotifyDone), r.done()},
		{p.T(i18n.NotifyHeld), r.held()},
		{p.T(i18n.NotifyUndone), r.undone()},
		{p.T(i18n.NotifySources), r.sources()},
	}, func(f Field) bool { return f.Value == "" })
	m.Footer = p.T(i18n.NotifyFooter, i18n.Args{"Guild": r.Summary.Guild, "Took": r.lasted()})
	if d := r.Summary.Digest; d != "" {
		m.Footer += " · " + p.T(i18n.NotifyPlan, i18n.Args{"Digest": d[:min(12, len(d))]})
	}
	return m.fit(r.kept(), p.T(i18n.NotifyHidden))
}

// told is a run and the language in which it is told.
type told struct {
	*Run
	p *i18n.Printer
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

// text is the one sentence that a person reads who reads no more.
func (r *told) text() string {
	sentences := []string{r.deed()}
	switch {
	case r.Auth.Health == audit.Blind:
		sentences = append(sentences, r.p.T(i18n.NotifyBlind))
	case r.Auth.Health == audit.Doubtful:
		sentences = append(sentences, r.p.T(i18n.NotifyDoubtful))
	case !r.Complete && r.Members > 0:
		sentences = append(sentences, r.p.T(i18n.NotifyPartial))
	case len(r.Holds) > 0:
		sentences = append(sentences, r.p.T(i18n.NotifyBraked))
	}
	if r.Error != "" && r.State != storage.CompletedWithErrors {
		why, _ := r.p.Code(plain(r.Error))
		sentences = append(sentences, r.p.T(i18n.NotifyBecause, i18n.Args{"Why": why}))
	}
	return strings.Join(sentences, " ")
}

// deed says what was done, or that nothing was.
func (r *told) deed() string {
	switch n := r.did(); {
	case n > 0:
		return r.p.N(i18n.NotifyMade, n, i18n.Args{"To": r.p.N(i18n.NotifyMadeTo, r.Summary.Members)})
	case r.Auth.Health == audit.Blind:
	case r.DryRun:
		return r.p.T(i18n.NotifyLooked)
	case len(r.Summary.Planned) == 0:
		return r.p.T(i18n.NotifyNeedless)
	}
	return r.p.T(i18n.NotifyNothing)
}

func (r *told) members() string {
	var lines []string
	for c := range audit.Categories() {
		if n := r.Categories[c.String()]; n > 0 {
			lines = append(lines, r.p.CategoryCount(c, n))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *told) findings() string {
	if r.Auth.Health == audit.Blind {
		return ""
	}
	s := r.p.T(i18n.NotifyIntervals, i18n.Args{"Opened": r.Opened, "Changed": r.Changed, "Closed": r.Closed})
	if parts := counts(r.Decided, r.p.ActCount); parts != "" {
		s += "\n" + r.p.T(i18n.NotifyWanted, i18n.Args{"List": parts})
	}
	if r.Alerts > 0 {
		s += "\n" + r.p.N(i18n.NotifyAlert, r.Alerts)
	}
	return s
}

func (r *told) done() string {
	if len(r.Summary.Planned) == 0 {
		return ""
	}
	s := r.p.T(i18n.NotifyPlanned, i18n.Args{"List": counts(r.Summary.Planned, r.p.KindCount)})
	if len(r.Summary.Results) > 0 {
		s += "\n" + r.p.T(i18n.NotifyCame, i18n.Args{"List": counts(r.Summary.Results, r.p.ResultCount)})
	}
	return s
}

// held says what was held and by what; brakes with their figures.
func (r *told) held() string {
	var lines []string
	for _, h := range r.Holds {
		brake, role := i18n.Args{}, ""
		if h.By.Dimension == audit.OneRole && h.By.Gate == 0 {
			role = r.role(h.By.Role)
		}
		brake["Brake"] = r.p.Brake(h.By.String(), role)
		if h.Tripped {
			lines = append(lines, r.p.T(i18n.NotifyTripped, brake))
			continue
		}
		lines = append(lines, r.p.T(i18n.NotifyOver, brake, i18n.Args{"Asked": h.Asked, "Allowed": h.Allowed, "Window": r.p.Window(h.Window)}))
	}
	for _, code := range slices.Sorted(maps.Keys(r.Summary.Held)) {
		if gate := r.p.GateName(code); gate != "" {
			lines = append(lines, r.p.T(i18n.NotifyHeldBy, i18n.Args{"Count": r.Summary.Held[code], "Gate": gate}))
		}
	}
	return strings.Join(lines, "\n")
}

// role names a role. The name is another person's text: it cannot format, mention or move anything.
func (r *told) role(id snowflake.ID) string {
	name, known := r.Roles[id]
	if !known {
		return r.p.T(i18n.NotifyRoleGone)
	}
	return "`" + plain(name) + "`"
}

// undone are refusals and failures by code.
func (r *told) undone() string {
	var lines []string
	for _, code := range slices.Sorted(maps.Keys(r.Summary.Codes)) {
		what, _ := r.p.Code(plain(code))
		lines = append(lines, r.p.T(i18n.NotifyTimes, i18n.Args{"Count": r.Summary.Codes[code], "What": what}))
	}
	return strings.Join(lines, "\n")
}

func (r *told) sources() string {
	lines := []string{r.p.T(i18n.NotifyAuth, i18n.Args{"Health": r.p.Health(r.Auth.Health)})}
	for _, reason := range r.Auth.Reasons {
		text := r.p.HealthReason(reason)
		if reason.Fact == audit.Reachable {
			text = r.p.T(i18n.NotifyUnreadable)
		}
		lines = append(lines, "· "+text)
	}
	switch {
	case r.Members == 0:
	case r.Complete:
		lines = append(lines, r.p.N(i18n.NotifyWhole, r.Members))
	default:
		lines = append(lines, r.p.N(i18n.NotifyPart, r.Members))
	}
	return strings.Join(lines, "\n")
}

func (r *told) lasted() string {
	if r.Started.IsZero() || r.Ended.IsZero() {
		return r.p.T(i18n.NotifyNotEnded)
	}
	return r.p.T(i18n.NotifyTook, i18n.Args{"Duration": r.p.Duration(r.Ended.Sub(r.Started))})
}

// counts tells numbers by code, in the order of the codes.
func counts(m map[string]int, tell func(code string, n int) string) string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, tell(plain(code), m[code]))
	}
	return strings.Join(parts, ", ")
}
