// Package rulefile reads the configuration of enforcement: YAML, of which JSON is a part, in the form that scenarios use too.
//
// What must stay true: what it does not know it refuses, with the place; what it accepts has been validated.
package rulefile

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"gatecamp/enforcement"
)

// File is the configuration as it is written. An absent key is the default.
type File struct {
	Enabled       *bool     `json:"enabled" yaml:"enabled"`
	Mode          string    `json:"mode" yaml:"mode"`
	Deny          *Deny     `json:"deny" yaml:"deny"`
	TempTTL       string    `json:"temp_ttl" yaml:"temp_ttl"`
	CacheTTL      string    `json:"cache_ttl" yaml:"cache_ttl"`
	FailClosed    []string  `json:"fail_closed" yaml:"fail_closed"`
	Precedence    []string  `json:"precedence" yaml:"precedence"`
	SessionScope  *bool     `json:"session_scope" yaml:"session_scope"`
	Proxies       *Proxies  `json:"trusted_proxies" yaml:"trusted_proxies"`
	IPv6Prefix    *int      `json:"ipv6_prefix" yaml:"ipv6_prefix"`
	Immune        []Subject `json:"immune" yaml:"immune"`
	BlockSeverity *int      `json:"block_severity" yaml:"block_severity"`
	Rules         []Rule    `json:"rules" yaml:"rules"`
}

// Deny is how a refusal is answered.
type Deny struct {
	Status  *int   `json:"status" yaml:"status"`
	Message string `json:"message" yaml:"message"`
}

// Proxies are whose X-Forwarded-For is believed.
type Proxies struct {
	CIDRs []string `json:"cidrs" yaml:"cidrs"`
	Count int      `json:"count" yaml:"count"`
}

// Subject is a subject, or everybody with a role of ours.
type Subject struct {
	Scope string `json:"scope" yaml:"scope"`
	Value string `json:"value" yaml:"value"`
	Role  string `json:"role" yaml:"role"`
}

// Rule is a rule as it is written.
type Rule struct {
	Name     string    `json:"name" yaml:"name"`
	Enabled  *bool     `json:"enabled" yaml:"enabled"`
	Severity int       `json:"severity" yaml:"severity"`
	Stage    string    `json:"stage" yaml:"stage"`
	On       []string  `json:"on" yaml:"on"`
	Paths    []string  `json:"paths" yaml:"paths"`
	Where    *Where    `json:"where" yaml:"where"`
	Count    *Count    `json:"count" yaml:"count"`
	Distinct string    `json:"distinct" yaml:"distinct"`
	GateOf   string    `json:"gate_of" yaml:"gate_of"`
	Cooldown string    `json:"cooldown" yaml:"cooldown"`
	Escalate []string  `json:"escalate" yaml:"escalate"`
	Exempt   []Subject `json:"exempt" yaml:"exempt"`
	Crash    bool      `json:"crash" yaml:"crash"`
	Action   *Action   `json:"action" yaml:"action"`
}

// Where is a condition; exactly one of equals, above and has_any.
type Where struct {
	Field  string   `json:"field" yaml:"field"`
	Equals any      `json:"equals" yaml:"equals"`
	Above  *float64 `json:"above" yaml:"above"`
	HasAny []string `json:"has_any" yaml:"has_any"`
}

// Count is what is counted.
type Count struct {
	By        []string `json:"by" yaml:"by"`
	Threshold int      `json:"threshold" yaml:"threshold"`
	Window    string   `json:"window" yaml:"window"`
	Kind      string   `json:"kind" yaml:"kind"`
	Distinct  string   `json:"distinct" yaml:"distinct"`
}

// Action is what a rule does.
type Action struct {
	Do      string   `json:"do" yaml:"do"`
	Scopes  []string `json:"scopes" yaml:"scopes"`
	TTL     string   `json:"ttl" yaml:"ttl"`
	Status  int      `json:"status" yaml:"status"`
	Message string   `json:"message" yaml:"message"`
}

// Parse reads a file; name is for the words of a refusal.
func Parse(text []byte, name string) (enforcement.Config, error) {
	var f File
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return enforcement.Config{}, fmt.Errorf("%s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	c, err := f.Config(nil)
	if err != nil {
		return enforcement.Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// reader gathers mistakes while it reads.
type reader struct {
	found []error
	named func(scope enforcement.Scope, value string) string
}

func (r *reader) bad(place, format string, args ...any) {
	r.found = append(r.found, &enforcement.Mistake{Place: place, What: fmt.Sprintf(format, args...)})
}

// note gathers the mistake of a value.
func (r *reader) note(place string, err error) bool {
	if err == nil {
		return true
	}
	r.bad(place, "%s", err.Error())
	return false
}

// Config is the file's configuration, validated. Named, if not nil, turns a written value of a scope into the value that is meant.
func (f *File) Config(named func(enforcement.Scope, string) string) (enforcement.Config, error) {
	if named == nil {
		named = func(_ enforcement.Scope, v string) string { return v }
	}
	r := &reader{named: named}
	c := enforcement.Defaults()
	c.Off = f.Enabled != nil && !*f.Enabled
	switch f.Mode {
	case "", "enforce":
	case "shadow":
		c.Shadow = true
	default:
		r.bad("mode", "%q is neither enforce nor shadow", f.Mode)
	}
	if f.Deny != nil {
		if f.Deny.Status != nil {
			c.Status = *f.Deny.Status
		}
		if f.Deny.Message != "" {
			c.Message = f.Deny.Message
		}
	}
	if f.TempTTL != "" {
		c.TempTTL = r.duration("temp_ttl", f.TempTTL)
	}
	if f.CacheTTL != "" {
		r.duration("cache_ttl", f.CacheTTL) // nothing here is forgotten after a time: the key is read, and nothing depends on it
	}
	c.FailClosed = r.patterns("fail_closed", f.FailClosed)
	c.Precedence = r.scopes("precedence", f.Precedence)
	c.NoSessions = f.SessionScope != nil && !*f.SessionScope
	if f.Proxies != nil {
		c.ProxyCount = f.Proxies.Count
		for i, cidr := range f.Proxies.CIDRs {
			p, err := netip.ParsePrefix(cidr)
			if err != nil || p.Masked() != p {
				r.bad(fmt.Sprintf("trusted_proxies.cidrs[%d]", i), "%q is no network", cidr)
				continue
			}
			c.Proxies = append(c.Proxies, p)
		}
		if f.Proxies.Count < 1 || len(f.Proxies.CIDRs) == 0 {
			r.bad("trusted_proxies", "it needs both cidrs and a count of at least 1")
		}
	}
	if f.IPv6Prefix != nil {
		c.IPv6Prefix = *f.IPv6Prefix
	}
	r.immune(f.Immune, &c.Immune)
	if f.BlockSeverity != nil {
		if c.BlockSeverity = *f.BlockSeverity; c.BlockSeverity == 0 {
			r.bad("block_severity", "0 is no severity; leave the key out for none")
		}
	}
	for i := range f.Rules {
		c.Rules = append(c.Rules, r.rule(fmt.Sprintf("rules[%d]", i), &f.Rules[i]))
	}
	if len(r.found) > 0 {
		return enforcement.Config{}, errors.Join(r.found...)
	}
	if err := c.Validate(); err != nil {
		return enforcement.Config{}, err
	}
	return c, nil
}

func (r *reader) immune(written []Subject, m *enforcement.Immune) {
	for i, w := range written {
		place := fmt.Sprintf("immune[%d]", i)
		switch {
		case w.Role != "" && (w.Scope != "" || w.Value != ""):
			r.bad(place, "it names a role and a subject; write one of them")
		case w.Role == "superuser":
			m.Superusers = true
		case w.Role != "":
			r.bad(place+".role", "%q is not known; there is superuser", w.Role)
		default:
			if s, ok := r.subject(place, w); ok {
				m.Subjects = append(m.Subjects, s)
			}
		}
	}
}

func (r *reader) subject(place string, w Subject) (enforcement.Subject, bool) {
	scope, err := enforcement.ParseBlockable(w.Scope)
	if !r.note(place+".scope", err) {
		return enforcement.Subject{}, false
	}
	s, err := enforcement.ParseSubject(scope, r.named(scope, w.Value))
	return s, r.note(place+".value", err)
}

func (r *reader) rule(place string, w *Rule) enforcement.Rule {
	rule := enforcement.Rule{Name: w.Name, Off: w.Enabled != nil && !*w.Enabled, Severity: w.Severity, On: w.On, GateOf: w.GateOf, Crash: w.Crash}
	switch w.Stage {
	case "", "event":
	case "ingress":
		rule.Stage = enforcement.AtIngress
	default:
		r.bad(place+".stage", "%q is neither event nor ingress", w.Stage)
	}
	for i, kind := range w.On {
		if strings.TrimSpace(kind) == "" {
			r.bad(fmt.Sprintf("%s.on[%d]", place, i), "it is empty")
		}
	}
	rule.Paths = r.patterns(place+".paths", w.Paths)
	if w.Where != nil {
		rule.Where = r.where(place+".where", w.Where)
	}
	if w.Count != nil {
		rule.Count = r.count(place+".count", w.Count)
	}
	if w.Distinct != "" {
		if rule.Count == nil {
			r.bad(place+".distinct", "it needs a count")
		} else {
			rule.Count.Distinct = w.Distinct
		}
	}
	if w.Cooldown != "" {
		rule.Cooldown = r.duration(place+".cooldown", w.Cooldown)
	}
	for i, step := range w.Escalate {
		d := enforcement.Forever
		if step != "permanent" {
			d = r.duration(fmt.Sprintf("%s.escalate[%d]", place, i), step)
		}
		rule.Escalate = append(rule.Escalate, d)
	}
	for i, e := range w.Exempt {
		if s, ok := r.subject(fmt.Sprintf("%s.exempt[%d]", place, i), e); ok {
			rule.Exempt = append(rule.Exempt, s)
		}
	}
	if w.Action != nil {
		rule.Action = r.action(place+".action", w.Action)
	}
	return rule
}

func (r *reader) where(place string, w *Where) *enforcement.Where {
	n := 0
	for _, set := range []bool{w.Equals != nil, w.Above != nil, len(w.HasAny) > 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		r.bad(place, "it needs exactly one of equals, above and has_any")
	}
	return &enforcement.Where{Field: w.Field, Equals: w.Equals, Above: w.Above, HasAny: w.HasAny}
}

func (r *reader) count(place string, w *Count) *enforcement.Count {
	n := &enforcement.Count{Threshold: w.Threshold, Distinct: w.Distinct}
	for i, name := range w.By {
		s, err := enforcement.ParseScope(name)
		if r.note(fmt.Sprintf("%s.by[%d]", place, i), err) {
			n.By = append(n.By, s)
		}
	}
	if w.Window == "" {
		r.bad(place+".window", "it is missing")
	} else {
		n.Window = r.duration(place+".window", w.Window)
	}
	switch w.Kind {
	case "", "sliding":
	case "fixed":
		n.Fixed = true
	default:
		r.bad(place+".kind", "%q is neither sliding nor fixed", w.Kind)
	}
	return n
}

func (r *reader) action(place string, w *Action) enforcement.Action {
	a := enforcement.Action{Status: w.Status, Message: w.Message, Scopes: r.scopes(place+".scopes", w.Scopes)}
	var err error
	if a.Do, err = enforcement.ParseDo(w.Do); w.Do != "" {
		r.note(place+".do", err)
	}
	if w.TTL != "" {
		a.TTL = r.duration(place+".ttl", w.TTL)
	}
	return a
}

// scopes reads blockable scopes.
func (r *reader) scopes(place string, names []string) []enforcement.Scope {
	var all []enforcement.Scope
	for i, name := range names {
		s, err := enforcement.ParseBlockable(name)
		if r.note(fmt.Sprintf("%s[%d]", place, i), err) {
			all = append(all, s)
		}
	}
	return all
}

func (r *reader) patterns(place string, written []string) []*regexp.Regexp {
	var all []*regexp.Regexp
	for i, text := range written {
		p, err := regexp.Compile(text)
		if err != nil || text == "" {
			r.bad(fmt.Sprintf("%s[%d]", place, i), "%q is no pattern", text)
			continue
		}
		all = append(all, p)
	}
	return all
}

func (r *reader) duration(place, text string) time.Duration {
	d, err := ParseDuration(text)
	if err != nil {
		r.bad(place, "%s", err.Error())
		return time.Second
	}
	if d <= 0 {
		r.bad(place, "%q is not more than nothing", text)
		return time.Second
	}
	return d
}

// ParseDuration reads a Go duration, in which d is a day.
func ParseDuration(text string) (time.Duration, error) {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, &enforcement.Mistake{What: fmt.Sprintf("%q is no duration; write 300s, 2h or 30d", text)}
		}
		return d, nil
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || n > 36500 || n < -36500 {
		return 0, &enforcement.Mistake{What: fmt.Sprintf("%q is no duration; write 300s, 2h or 30d", text)}
	}
	d := time.Duration(n * float64(24*time.Hour))
	if rest == "" {
		return d, nil
	}
	more, err := ParseDuration(rest)
	return d + more, err
}

// JSON is a file in JSON, as scenarios have it.
func JSON(text []byte) ([]byte, error) {
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("rule file as JSON: %w", err)
	}
	return raw, nil
}
