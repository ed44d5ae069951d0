package policyfile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// Sections are the parts of a policy, wherever each of them was written; nil or Null: not there.
type Sections struct {
	Rules        *Value // by category
	RulesAt      string // the path of the rules, such as "aa.policy"; empty: the root
	Limits       *Value // always at the root
	Privileged   *Value // role ids
	PrivilegedAt string // the path of the role ids
}

// Policy is what the sections mean: defaults for all that they do not say. With a Directory the names of groups and states
// are checked too.
func (s Sections) Policy(auth *audit.Directory) (audit.Policy, Faults) {
	p, places, faults := s.policy()
	if len(faults) == 0 {
		faults = places.locate(p.Faults(auth), s.RulesAt)
	}
	return p, faults
}

// keyLimits and keyPrivileged are the root keys of a file that are no category.
const (
	keyLimits     = "limits"
	keyPrivileged = "privileged_roles"
)

// fileSections splits the root of a file.
func fileSections(root Value) Sections {
	rules := root
	rules.Entries = nil
	s := Sections{Rules: &rules, PrivilegedAt: keyPrivileged}
	for i := range root.Entries {
		// A second one stays among the rules, where every key is checked.
		switch e := &root.Entries[i]; {
		case e.Key == keyLimits && s.Limits == nil:
			s.Limits = &e.Value
		case e.Key == keyPrivileged && s.Privileged == nil:
			s.Privileged = &e.Value
		default:
			rules.Entries = append(rules.Entries, *e)
		}
	}
	return s
}

// places are where the parts of a policy were written, by path.
type places map[string]Fault

// locate gives the faults of a policy their places. What was not written is not the writer's fault: brakes that were derived.
func (p places) locate(found []audit.PolicyFault, rulesAt string) Faults {
	var faults Faults
	for _, f := range found {
		path := f.Path
		if !strings.HasPrefix(path, keyLimits+".") {
			path = join(rulesAt, path)
		}
		if at, written := p[path]; written {
			at.Path, at.Says = path, f.Says
			faults = append(faults, at)
		}
	}
	return faults
}

// meaning reads values, and gathers faults on the way.
type meaning struct {
	faults Faults
	places places
}

func (s Sections) policy() (audit.Policy, places, Faults) {
	p := audit.DefaultPolicy()
	m := meaning{places: places{}}
	if s.Rules != nil {
		m.rules(s.Rules, s.RulesAt, &p)
	}
	if s.Limits != nil {
		m.limits(s.Limits, &p.Limits)
	}
	if s.Privileged != nil {
		p.PrivilegedRoles = m.roles(s.Privileged, s.PrivilegedAt)
	}
	for _, f := range m.places.locate(p.Faults(nil), s.RulesAt) {
		if !slices.ContainsFunc(m.faults, func(g Fault) bool { return g.Path == f.Path }) {
			m.faults = append(m.faults, f)
		}
	}
	return p, m.places, m.faults
}

func (m *meaning) fault(path string, line, column int, format string, args ...any) {
	m.faults = append(m.faults, Fault{Path: path, Line: line, Column: column, Says: fmt.Sprintf(format, args...)})
}

// entries walks a map, whose keys must all be known and stand once. Null values are as good as absent.
func (m *meaning) entries(v *Value, path string, known []string, each func(path string, e *Entry)) {
	if v.Shape == Null {
		return
	}
	if v.Shape != Map {
		m.fault(path, v.Line, v.Column, "%s, where a table of keys should be: %s", v.shows(), sample(known))
		return
	}
	seen := map[string]struct{}{}
	for i := range v.Entries {
		e := &v.Entries[i]
		p := join(path, e.Key)
		if _, twice := seen[e.Key]; twice {
			m.fault(p, e.Line, e.Column, "written twice; keep one of them")
			continue
		}
		seen[e.Key] = struct{}{}
		if known != nil && !slices.Contains(known, e.Key) {
			m.fault(p, e.Line, e.Column, "unknown; %s", suggest(e.Key, known))
			continue
		}
		m.places[p] = Fault{Line: e.Line, Column: e.Column}
		if e.Value.Shape != Null {
			each(p, e)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sample(known []string) string {
	if known == nil {
		return "names, each with report, strip or strip_kick"
	}
	return strings.Join(known, ", ")
}

func (m *meaning) rules(v *Value, path string, p *audit.Policy) {
	m.entries(v, path, nil, func(path string, e *Entry) {
		c, ok := audit.ParseCategory(e.Key)
		switch {
		case c == audit.InOrder && ok:
			m.fault(path, e.Line, e.Column, "nothing is wrong with these members, so there is nothing to order; remove it")
		case ok:
			m.rule(path, &e.Value, &p.Rules[c])
		case e.Key == keyLimits || e.Key == keyPrivileged:
			m.fault(path, e.Line, e.Column, "does not belong among the categories here, or is written twice")
		default:
			m.fault(path, e.Line, e.Column, "unknown category; %s", suggest(e.Key, categoryNames()))
		}
	})
}

func categoryNames() (names []string) {
	for c := range audit.Categories() {
		if c != audit.InOrder {
			names = append(names, c.String())
		}
	}
	return names
}

func (m *meaning) rule(path string, v *Value, r *audit.Rule) {
	if v.Shape != Map {
		m.places[join(path, "default")] = Fault{Line: v.Line, Column: v.Column}
		r.Default = m.act(path, v, r.Default)
		return
	}
	m.entries(v, path, []string{"default", "by_state", "by_group", "realtime", "grace"}, func(path string, e *Entry) {
		switch e.Key {
		case "default":
			r.Default = m.act(path, &e.Value, r.Default)
		case "by_state":
			r.ByState = m.acts(path, &e.Value)
		case "by_group":
			r.ByGroup = m.acts(path, &e.Value)
		case "realtime":
			r.Realtime = m.realtime(path, &e.Value)
		case "grace":
			r.Grace = m.grace(path, &e.Value)
		}
	})
}

func (m *meaning) act(path string, v *Value, otherwise audit.Act) audit.Act {
	if v.Shape == Text {
		if a, ok := audit.ParseAct(v.Text); ok {
			return a
		}
	}
	m.fault(path, v.Line, v.Column, "%s is no action; %s", v.shows(), suggest(v.Text, []string{"report", "strip", "strip_kick"}))
	return otherwise
}

func (m *meaning) acts(path string, v *Value) map[string]audit.Act {
	acts := map[string]audit.Act{}
	m.entries(v, path, nil, func(path string, e *Entry) {
		acts[e.Key] = m.act(path, &e.Value, audit.Report)
	})
	if len(acts) == 0 {
		return nil
	}
	return acts
}

func (m *meaning) realtime(path string, v *Value) audit.Realtime {
	// YAML of old reads off as false, and some editors write it so.
	if v.Shape == Bool && strings.EqualFold(v.Text, "false") {
		return audit.RealtimeOff
	}
	if v.Shape == Text {
		if r, ok := audit.ParseRealtime(v.Text); ok {
			return r
		}
	}
	m.fault(path, v.Line, v.Column, "%s is not known; %s", v.shows(), suggest(v.Text, []string{"off", "report", "act"}))
	return audit.RealtimeReport
}

// maxGrace keeps sums with times far from their ends.
const maxGrace = 10 * 365 * 24 * time.Hour

func (m *meaning) grace(path string, v *Value) time.Duration {
	d, ok := parseDuration(v)
	switch {
	case !ok:
		m.fault(path, v.Line, v.Column, "%s is no duration; write a number and a unit, such as 72h, 3d or 30m; 0 means none", v.shows())
	case d < 0:
		m.fault(path, v.Line, v.Column, "%s is less than nothing; write 0 for no grace", v.shows())
	case d > maxGrace:
		m.fault(path, v.Line, v.Column, "%s is longer than ten years; to never act, use the action report", v.shows())
	default:
		return d
	}
	return 0
}

// parseDuration takes what Go does ("72h", "1h30m", "0") and whole days ("3d").
func parseDuration(v *Value) (time.Duration, bool) {
	if v.Shape == Number {
		return 0, v.Text == "0"
	}
	if v.Shape != Text {
		return 0, false
	}
	if days, isDays := strings.CutSuffix(v.Text, "d"); isDays {
		n, err := strconv.ParseInt(days, 10, 32)
		if n > 100_000 {
			return math.MaxInt64, err == nil
		}
		return time.Duration(n) * 24 * time.Hour, err == nil && n >= -100_000
	}
	d, err := time.ParseDuration(v.Text)
	return d, err == nil
}

// roles reads a list of role ids, ascending, each once.
func (m *meaning) roles(v *Value, path string) []snowflake.ID {
	switch v.Shape {
	case Null:
		return nil
	case List:
	case Bool, Number, Text, Map:
		m.fault(path, v.Line, v.Column, "%s, where a list of role ids should be, such as [123456789012345678]", v.shows())
		return nil
	}
	var ids []snowflake.ID
	for i := range v.Items {
		item := &v.Items[i]
		n, ok := parseID(item.Text)
		if item.Shape != Text && item.Shape != Number || !ok {
			m.fault(fmt.Sprintf("%s[%d]", path, i), item.Line, item.Column, "%s is no role id; copy the id from Discord, a number of up to 19 digits", item.shows())
			continue
		}
		ids = append(ids, n)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// parseID reads a Discord id: decimal digits, 1 to 2^63-1.
func parseID(text string) (snowflake.ID, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return snowflake.ID(n), err == nil && n > 0
}
