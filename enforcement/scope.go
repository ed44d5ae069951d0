package enforcement

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Scope is the kind of a subject. A closed set.
type Scope uint8

// The scopes, in the order in which their blocks are looked for.
const (
	User    Scope = iota + 1 // a Discord account
	Account                  // a user of Auth
	Member                   // a Discord account in one guild
	Session                  // of the dashboard, or of a flow that we began
	IP                       // an address or a network; shared by many
	Webhook                  // shared by many
	Channel                  // shared by many
	Guild                    // shared by many
	Role                     // shared by many
	Route                    // what is attempted: for counting only, never blocked
)

var scopeNames = [...]string{"", "user", "account", "member", "session", "ip", "webhook", "channel", "guild", "role", "route"}

// String is the scope's name.
func (s Scope) String() string {
	if int(s) >= len(scopeNames) {
		return ""
	}
	return scopeNames[s]
}

// Shared reports whether a block of the scope punishes many: it is permanent only when somebody insists, with a reason.
func (s Scope) Shared() bool { return s >= IP && s <= Role }

// Blockable reports whether a block may name the scope.
func (s Scope) Blockable() bool { return s >= User && s <= Role }

// ParseScope reads a scope's name.
func ParseScope(name string) (Scope, error) {
	if name == "invite" {
		return 0, mistake("", "invite is no scope: no member event names the invite that was used, so such a block could never hold; block the member or the user")
	}
	if i := slices.Index(scopeNames[1:], name); i >= 0 {
		return Scope(i + 1), nil
	}
	return 0, mistake("", "%q is no scope; there are %s", name, strings.Join(scopeNames[1:], ", "))
}

// ParseBlockable reads the name of a scope that blocks may name.
func ParseBlockable(name string) (Scope, error) {
	s, err := ParseScope(name)
	if err == nil && !s.Blockable() {
		return 0, mistake("", "%s is for counting only: a block of it would keep everybody out", name)
	}
	return s, err
}

// Subject is who or what a block names, in its one canonical form; equal subjects are equal values.
type Subject struct {
	Scope Scope
	ID    uint64       // of user, account, member (the user), channel, guild, webhook, role
	Guild uint64       // of member
	Net   netip.Prefix // of ip: masked and unmapped; an address has all its bits
	Text  string       // of session and route
}

// IsZero reports whether it names nobody.
func (s Subject) IsZero() bool { return s.Scope == 0 }

// Value is the canonical text of the value.
func (s Subject) Value() string {
	switch s.Scope {
	case Member:
		return formatID(s.Guild) + ":" + formatID(s.ID)
	case IP:
		if s.Net.IsSingleIP() {
			return s.Net.Addr().String()
		}
		return s.Net.String()
	case Session, Route:
		return s.Text
	case User, Account, Webhook, Channel, Guild, Role:
	}
	return formatID(s.ID)
}

// String is scope and value with a colon between.
func (s Subject) String() string { return s.Scope.String() + ":" + s.Value() }

// The widest networks that a block may name: a wider one keeps whole countries out.
const (
	widest4 = 8
	widest6 = 16
)

// longestText is how long the value of a session may be.
const longestText = 255

// ParseSubject reads a value of a blockable scope. What is not in canonical form is brought to it; what could mean something else is
// refused: names in place of ids, networks with bits beside their mask, marks that scrubbing left.
func ParseSubject(scope Scope, value string) (s Subject, err error) {
	value = strings.TrimSpace(value)
	s.Scope = scope
	switch scope {
	case Member:
		guild, user, both := strings.Cut(value, ":")
		if !both {
			return Subject{}, mistake("", "a member is written GUILD:USER, not %q", value)
		}
		if s.Guild, err = parseID(guild); err != nil {
			return Subject{}, err
		}
		s.ID, err = parseID(user)
	case Session:
		s.Text, err = parseText(value)
	case IP:
		s.Net, err = ParseNet(value)
	case Route:
		err = mistake("", "route is for counting only: a block of it would keep everybody out")
	case User, Account, Webhook, Channel, Guild, Role:
		s.ID, err = parseID(value)
	default:
		err = mistake("", "there is no such scope")
	}
	if err != nil {
		return Subject{}, err
	}
	return s, nil
}

func parseText(value string) (string, error) {
	switch {
	case value == "":
		return "", mistake("", "the value is empty")
	case len(value) > longestText:
		return "", mistake("", "the value is longer than %d bytes", longestText)
	case value == Redacted || Scrub(value) != value:
		return "", mistake("", "the value is a secret, or what is left of one, and names nobody")
	}
	return value, nil
}

// ParseAddr reads an address: IPv4-mapped ones are unmapped; zones are refused.
func ParseAddr(value string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(value))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, mistake("", "%q is no IP address", value)
	}
	return a.Unmap(), nil
}

// ParseNet reads an address or a network.
func ParseNet(value string) (netip.Prefix, error) {
	if !strings.Contains(value, "/") {
		a, err := ParseAddr(value)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(value)
	if err != nil {
		return netip.Prefix{}, mistake("", "%q is no network", value)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, mistake("", "%q is neither a network of IPv4 nor of IPv6", value)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, mistake("", "%s has bits beside its mask; write %s if the whole network is meant, or the address alone", value, m)
	}
	if (p.Addr().Is4() && p.Bits() < widest4) || (p.Addr().Is6() && p.Bits() < widest6) {
		return netip.Prefix{}, mistake("", "%s is wider than /%d (IPv4) or /%d (IPv6)", value, widest4, widest6)
	}
	return p, nil
}

func parseID(value string) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || n == 0 || value[0] == '+' {
		return 0, mistake("", "%q is no id: ids are numbers, never names", value)
	}
	return n, nil
}

func formatID(id uint64) string { return strconv.FormatUint(id, 10) }

// Mistake is what is wrong with a value that a person wrote, and where.
type Mistake struct {
	Place string // as rules[2].count.window; empty: the value itself
	What  string
}

// Error is place and fault.
func (m *Mistake) Error() string {
	if m.Place == "" {
		return m.What
	}
	return m.Place + ": " + m.What
}

func mistake(place, format string, args ...any) *Mistake {
	return &Mistake{Place: place, What: fmt.Sprintf(format, args...)}
}
