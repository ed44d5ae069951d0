package enforcement

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stage is when a rule looks.
type Stage int

// The stages.
const (
	AtEvent   Stage = iota // after the handler, at what came of it
	AtIngress              // before the handler, at every attempt; it may deny the present one
)

// Do is what a rule does when it fires. A closed set.
type Do int

// What rules do.
const (
	Observe      Do = iota // tells what it would do
	AlertOnly              // tells
	TempBlock              // blocks for a while
	PersistBlock           // blocks for good
	BlockGated             // for good from the configured severity on, else for a while
	Contain                // asks the audit line to take the actor's privileged roles
)

var doNames = [...]string{"observe", "alert", "temp_block", "persist_block", "block", "contain"}

// String is the name in rule files.
func (d Do) String() string { return doNames[d] }

// Blocks reports whether it makes a block.
func (d Do) Blocks() bool { return d == TempBlock || d == PersistBlock || d == BlockGated }

// ParseDo reads a name of rule files.
func ParseDo(name string) (Do, error) {
	if i := slices.Index(doNames[:], name); i >= 0 {
		return Do(i), nil
	}
	return 0, mistake("", "%q is no action; there are %s", name, strings.Join(doNames[:], ", "))
}

// Count says what a rule counts: incidents, or distinct values of a field, of one subject in a window.
type Count struct {
	By        []Scope // together they are one subject
	Threshold int
	Window    time.Duration
	Fixed     bool   // the window begins with its first incident; else it slides
	Distinct  string // the field whose values are counted; empty: incidents
}

// Where is a condition on a field; exactly one of the three is set.
type Where struct {
	Field  string
	Equals any
	Above  *float64 // strictly
	HasAny []string // whatever their case
}

// Action is what a rule does when it fires.
type Action struct {
	Do      Do
	Scopes  []Scope       // whom a block names; empty: those counted by
	TTL     time.Duration // zero: the configured one
	Status  int
	Message string
}

// Rule is an offence: which incidents, how many, and what then.
type Rule struct {
	Name     string
	Off      bool
	Severity int // 1 to 10; zero: none
	Stage    Stage
	On       []string         // incident types; empty: all
	Paths    []*regexp.Regexp // any must be found in the route; empty: all
	Where    *Where
	Count    *Count // nil: the first incident fires
	GateOf   string // reads the count of that rule in place of its own
	Cooldown time.Duration
	Escalate []time.Duration // lifetimes of the first, second, … block of a subject; Forever ends it
	Exempt   []Subject
	Crash    bool // every evaluation fails: to try what happens then
	Action   Action
}

// Forever in a ladder is a permanent block.
const Forever = time.Duration(-1)

// LadderMemory is how long a ladder remembers a block.
const LadderMemory = 30 * 24 * time.Hour

// Matches reports whether the rule looks at the incident: type, path and condition.
func (r *Rule) Matches(i *Incident) bool {
	if len(r.On) > 0 && !slices.Contains(r.On, i.Type) {
		return false
	}
	if len(r.Paths) > 0 {
		path := i.Route
		if p, ok := i.Fields["path"].(string); ok {
			path = p
		}
		if !slices.ContainsFunc(r.Paths, func(p *regexp.Regexp) bool { return p.MatchString(path) }) {
			return false
		}
	}
	for j := range r.Exempt {
		if i.Actor.is(&r.Exempt[j]) {
			return false
		}
	}
	return r.Where == nil || r.Where.holds(i)
}

func (w *Where) holds(i *Incident) bool {
	v, there := i.Fields[w.Field]
	if !there || v == nil {
		return false
	}
	switch {
	case w.Above != nil:
		n, ok := number(v)
		return ok && n > *w.Above
	case w.HasAny != nil:
		for _, have := range texts(v) {
			if slices.ContainsFunc(w.HasAny, func(s string) bool { return strings.EqualFold(s, have) }) {
				return true
			}
		}
		return false
	}
	if a, ok := number(v); ok {
		b, alike := number(w.Equals)
		return alike && a == b
	}
	return fmt.Sprint(v) == fmt.Sprint(w.Equals)
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	case string:
		n, err := strconv.ParseFloat(x, 64)
		return n, err == nil
	}
	return 0, false
}

func texts(v any) []string {
	switch x := v.(type) {
	case []string:
		return x
	case []any:
		all := make([]string, len(x))
		for i, e := range x {
			all[i] = fmt.Sprint(e)
		}
		return all
	case map[string]any:
		var all []string
		for k := range x {
			all = append(all, k)
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}

// ValueOf is a field's value as text, for counting distinct ones; false if there is none.
func (i *Incident) ValueOf(field string) (string, bool) {
	v, there := i.Fields[field]
	if !there || v == nil {
		if field == "path" || field == "route" {
			return i.Route, i.Route != ""
		}
		return "", false
	}
	return fmt.Sprint(v), true
}

// Lifetime is how long the block that the rule makes lasts, after so many that the ladder remembers; Forever: permanent.
func (r *Rule) Lifetime(c *Config, strikes int) time.Duration {
	if len(r.Escalate) > 0 {
		return r.Escalate[min(strikes, len(r.Escalate)-1)]
	}
	if r.Action.Do == PersistBlock || (r.Action.Do == BlockGated && c.BlockSeverity > 0 && r.Severity >= c.BlockSeverity) {
		return Forever
	}
	if r.Action.TTL > 0 {
		return r.Action.TTL
	}
	return c.TempTTL
}

// Quiet is how long a rule that only tells is silent about a subject after it told: the cooldown, or else the window that it counts in.
func (r *Rule) Quiet() time.Duration {
	if r.Cooldown > 0 || r.Count == nil {
		return r.Cooldown
	}
	return r.Count.Window
}

// Targets are the scopes whose subjects the rule acts on.
func (r *Rule) Targets() []Scope {
	if len(r.Action.Scopes) > 0 {
		return r.Action.Scopes
	}
	var all []Scope
	if r.Count != nil {
		for _, s := range r.Count.By {
			if s.Blockable() {
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		all = []Scope{User}
	}
	return all
}
