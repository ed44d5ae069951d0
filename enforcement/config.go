package enforcement

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Mode is what enforcement does in a guild. A closed set, the stricter first.
type Mode int

// The modes.
const (
	Enforcing Mode = iota // who is blocked is denied
	Shadowing             // it is decided and told, and nobody is denied
	Disabled              // nothing is checked and no rule looks
)

var modeNames = [...]string{"enforce", "shadow", "off"}

// String is the mode as settings name it.
func (m Mode) String() string { return modeNames[m] }

// ParseMode reads a mode's name.
func ParseMode(name string) (Mode, error) {
	if i := slices.Index(modeNames[:], name); i >= 0 {
		return Mode(i), nil
	}
	return Enforcing, mistake("", "%q is no mode; there are %s", name, strings.Join(modeNames[:], ", "))
}

// Config is how enforcement behaves. Make one with Defaults.
type Config struct {
	Off           bool // nothing is checked and no rule looks
	Shadow        bool // decide and tell, deny nobody
	Status        int  // of a refusal over HTTP, where neither block nor rule has its own
	Message       string
	TempTTL       time.Duration    // of a temporary block without a lifetime
	FailClosed    []*regexp.Regexp // routes that are denied when the check fails
	Precedence    []Scope          // looked for ahead of the others
	NoSessions    bool             // sessions are no dimension
	Proxies       []netip.Prefix   // whose X-Forwarded-For is believed
	ProxyCount    int              // the client is so many entries from the right
	IPv6Prefix    int              // length at which IPv6 clients are counted and blocked by rules
	Immune        Immune
	BlockSeverity int // from this severity on the action block is permanent; zero: never
	Rules         []Rule
	Guilds        map[Namespace]Mode // of guilds that have their own; the milder of it and of Off and Shadow counts
}

// ModeIn is what enforcement does in a guild; with guild 0, where there is none.
func (c *Config) ModeIn(guild uint64) Mode {
	mode := Enforcing
	switch {
	case c.Off:
		return Disabled
	case c.Shadow:
		mode = Shadowing
	}
	if len(c.Guilds) > 0 {
		mode = max(mode, c.Guilds[Namespace(guild)])
	}
	return mode
}

// Defaults is the configuration without a word of anybody.
func Defaults() Config {
	return Config{Status: 429, Message: "You are blocked here. Ask a moderator if you think that this is wrong.", TempTTL: 5 * time.Minute, IPv6Prefix: 128}
}

// The bounds of a configuration.
const (
	LongestWindow  = 24 * 24 * time.Hour
	MostThreshold  = 1_000_000
	MostSeverity   = 10
	longestTTL     = 10 * 365 * 24 * time.Hour
	leastStatus    = 400
	beyondStatus   = 600
	mostDistinct   = 1_000
	longestMessage = 1_000
)

// Order is every blockable scope in the order in which blocks are looked for.
func (c *Config) Order() []Scope {
	order := slices.Clone(c.Precedence)
	for s := User; s.Blockable(); s++ {
		if !slices.Contains(order, s) {
			order = append(order, s)
		}
	}
	if c.NoSessions {
		order = slices.DeleteFunc(order, func(s Scope) bool { return s == Session })
	}
	return order
}

// Rule gives the rule of that name; nil if there is none.
func (c *Config) Rule(name string) *Rule {
	for i := range c.Rules {
		if c.Rules[i].Name == name {
			return &c.Rules[i]
		}
	}
	return nil
}

// ModeOf is what becomes of an attempt on the route when the check fails.
func (c *Config) ModeOf(route string) FailMode {
	if slices.ContainsFunc(c.FailClosed, func(p *regexp.Regexp) bool { return p.MatchString(route) }) {
		return Closed
	}
	return Open
}

// Client is the client's address: the one that the trusted proxies name in X-Forwarded-For, else the peer's own.
func (c *Config) Client(peer netip.Addr, forwarded []string) netip.Addr {
	peer = peer.Unmap()
	if c.ProxyCount == 0 || !slices.ContainsFunc(c.Proxies, func(p netip.Prefix) bool { return p.Contains(peer) }) {
		return peer
	}
	entries := strings.Split(strings.Join(forwarded, ","), ",")
	if len(forwarded) == 0 || len(entries) < c.ProxyCount {
		return peer
	}
	client, err := ParseAddr(entries[len(entries)-c.ProxyCount])
	if err != nil {
		return peer
	}
	return client
}

// Validate finds every mistake, each with its place.
func (c *Config) Validate() error {
	var found []error
	bad := func(place, format string, args ...any) { found = append(found, mistake(place, format, args...)) }
	if c.Status < leastStatus || c.Status >= beyondStatus {
		bad("deny.status", "%d refuses nothing; it is from 400 to 599", c.Status)
	}
	if len(c.Message) > longestMessage {
		bad("deny.message", "it is longer than %d bytes", longestMessage)
	}
	if c.TempTTL <= 0 || c.TempTTL > longestTTL {
		bad("temp_ttl", "it must be more than nothing and at most ten years")
	}
	for i, s := range c.Precedence {
		if !s.Blockable() {
			bad(fmt.Sprintf("precedence[%d]", i), "%s cannot be blocked", s)
		}
		if slices.Contains(c.Precedence[:i], s) {
			bad(fmt.Sprintf("precedence[%d]", i), "%s is named twice", s)
		}
	}
	if c.IPv6Prefix < widest6 || c.IPv6Prefix > 128 {
		bad("ipv6_prefix", "%d is not from %d to 128", c.IPv6Prefix, widest6)
	}
	if (c.ProxyCount > 0) != (len(c.Proxies) > 0) || c.ProxyCount < 0 {
		bad("trusted_proxies", "it needs both cidrs and a count of at least 1")
	}
	if c.BlockSeverity < 0 || c.BlockSeverity > MostSeverity {
		bad("block_severity", "%d is not from 1 to %d", c.BlockSeverity, MostSeverity)
	}
	names := map[string]int{}
	for i := range c.Rules {
		place := fmt.Sprintf("rules[%d]", i)
		if first, twice := names[c.Rules[i].Name]; twice {
			bad(place+".name", "%q is the name of rules[%d] already", c.Rules[i].Name, first)
		}
		names[c.Rules[i].Name] = i
		found = append(found, c.Rules[i].mistakes(place, c)...)
	}
	return errors.Join(found...)
}

func (r *Rule) mistakes(place string, c *Config) (found []error) {
	bad := func(at, format string, args ...any) { found = append(found, mistake(place+at, format, args...)) }
	if strings.TrimSpace(r.Name) == "" || len(r.Name) > 100 {
		bad(".name", "a rule needs a name of at most 100 bytes")
	}
	if r.Severity < 0 || r.Severity > MostSeverity {
		bad(".severity", "%d is not from 1 to %d", r.Severity, MostSeverity)
	}
	if r.Where != nil && r.Where.Field == "" {
		bad(".where.field", "it is missing")
	}
	if r.Count != nil {
		found = append(found, r.Count.mistakes(place+".count", c)...)
	}
	if r.GateOf != "" {
		found = append(found, r.gateMistakes(place, c)...)
	}
	if r.Cooldown < 0 {
		bad(".cooldown", "it is negative")
	}
	for i, d := range r.Escalate {
		if d == Forever && i < len(r.Escalate)-1 {
			bad(fmt.Sprintf(".escalate[%d]", i), "nothing comes after permanent")
		}
		if (d <= 0 && d != Forever) || d > longestTTL {
			bad(fmt.Sprintf(".escalate[%d]", i), "a lifetime is more than nothing and at most ten years")
		}
		if i > 0 && d != Forever && r.Escalate[i-1] != Forever && d < r.Escalate[i-1] {
			bad(fmt.Sprintf(".escalate[%d]", i), "a ladder does not go down")
		}
	}
	a := &r.Action
	if a.TTL < 0 || a.TTL > longestTTL {
		bad(".action.ttl", "it must be more than nothing and at most ten years")
	}
	if a.Status != 0 && (a.Status < leastStatus || a.Status >= beyondStatus) {
		bad(".action.status", "%d refuses nothing; it is from 400 to 599", a.Status)
	}
	for i, s := range a.Scopes {
		if !s.Blockable() {
			bad(fmt.Sprintf(".action.scopes[%d]", i), "%s is for counting only: a block of it would keep everybody out", s)
		}
	}
	if c.NoSessions && len(a.Scopes) == 1 && a.Scopes[0] == Session {
		bad(".action.scopes", "sessions are no dimension here (session_scope is false), so the rule could never act")
	}
	return found
}

func (n *Count) mistakes(place string, c *Config) (found []error) {
	bad := func(at, format string, args ...any) { found = append(found, mistake(place+at, format, args...)) }
	if len(n.By) == 0 {
		bad(".by", "it must name at least one scope")
	}
	for i, s := range n.By {
		if slices.Contains(n.By[:i], s) {
			bad(fmt.Sprintf(".by[%d]", i), "%s is named twice", s)
		}
		if s == Session && c.NoSessions {
			bad(fmt.Sprintf(".by[%d]", i), "sessions are no dimension here (session_scope is false), so the rule could never fire")
		}
	}
	if n.Threshold < 1 || n.Threshold > MostThreshold {
		bad(".threshold", "%d is not from 1 to %d", n.Threshold, MostThreshold)
	}
	if n.Distinct != "" && n.Threshold > mostDistinct {
		bad(".threshold", "at most %d distinct values are counted", mostDistinct)
	}
	if n.Window <= 0 || n.Window > LongestWindow {
		bad(".window", "it must be more than nothing and at most 24 days")
	}
	return found
}

func (r *Rule) gateMistakes(place string, c *Config) []error {
	at := place + ".gate_of"
	for i := range c.Rules {
		source := &c.Rules[i]
		switch {
		case source.Name != r.GateOf:
			continue
		case source == r || source.Name == r.Name:
			return []error{mistake(at, "a rule cannot read its own count as another's")}
		case source.Count == nil || source.GateOf != "":
			return []error{mistake(at, "%q does not count", r.GateOf)}
		case r.Count != nil && !slices.Equal(r.Count.By, source.Count.By):
			return []error{mistake(at, "%q counts by other scopes", r.GateOf)}
		}
		return nil
	}
	return []error{mistake(at, "there is no rule %q", r.GateOf)}
}
