// Package enforcement says who is kept out and what counts as an offence: subjects, blocks, rules, verdicts and the events that tell.
// Everything here is a value or a function of values; package guard asks, counts and keeps.
//
// What must stay true: a block never yields more access, nobody who is immune can be blocked or denied, and a mistake in the
// configuration is found here, with its place, before anything runs.
package enforcement

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Namespace is where a block holds: one guild by its id, or everywhere. One guild's moderators never affect another guild.
type Namespace uint64

// Global is the namespace of blocks that hold everywhere.
const Global Namespace = 0

// String is "global", or "guild:" and the id.
func (n Namespace) String() string {
	if n == Global {
		return "global"
	}
	return "guild:" + formatID(uint64(n))
}

// ParseNamespace reads "global", "guild:ID" or the id alone; empty is global.
func ParseNamespace(s string) (Namespace, error) {
	if s == "" || s == "global" {
		return Global, nil
	}
	id, err := parseID(strings.TrimPrefix(s, "guild:"))
	if err != nil {
		return Global, mistake("namespace", "%q is neither global nor a guild's id", s)
	}
	return Namespace(id), nil
}

// Block keeps one subject out. Its zero End is: for good.
type Block struct {
	ID       int64 // of the store; zero: held in process only, until the store takes it
	Revision int64 // of the store: the order in which blocks changed

	Namespace Namespace
	Subject   Subject
	Also      Also // what it does to the subject in the guild

	Reason   string // why, for moderators
	Message  string // what the subject is told; empty: the configured one
	Status   int    // of a refusal over HTTP; zero: the configured one
	Rule     string // the rule that made it; empty: a person
	Owner    string // who made it: "discord:ID", "console:NAME", "rule:NAME"
	Evidence string // JSON of what the rule saw, scrubbed; may be empty

	Start   time.Time
	End     time.Time // zero: permanent
	Revoked time.Time // zero: not revoked
}

// Permanent reports whether only a person ends the block.
func (b *Block) Permanent() bool { return b.End.IsZero() }

// Active reports whether the block keeps the subject out at the instant.
func (b *Block) Active(at time.Time) bool {
	return b.Revoked.IsZero() && (b.End.IsZero() || at.Before(b.End))
}

// Remaining is how long the block still holds; zero for permanent ones and those that are over.
func (b *Block) Remaining(at time.Time) time.Duration {
	if b.Permanent() || !b.Active(at) {
		return 0
	}
	return b.End.Sub(at)
}

// Longer reports whether a block until end would hold longer than b does; zero is for good.
func (b *Block) Longer(end time.Time) bool {
	switch {
	case b.End.IsZero():
		return false
	case end.IsZero():
		return true
	}
	return end.After(b.End)
}

// With lets the block hold as long as the other one does, and do as much besides.
func (b *Block) With(other *Block) {
	if b.Longer(other.End) {
		b.End = other.End
	}
	b.Also = max(b.Also, other.Also)
}

// Seconds are a duration in whole seconds, rounded up.
func Seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

// FailMode is what becomes of an attempt when the check itself fails.
type FailMode int

// The fail modes.
const (
	Open   FailMode = iota + 1 // the attempt goes on
	Closed                     // the attempt is denied
)

var failModes = [...]string{"", "open", "closed"}

// String is the mode as events name it; empty for none.
func (m FailMode) String() string { return failModes[m] }

// Verdict is the answer to an attempt. The zero value allows.
type Verdict struct {
	Deny       bool
	Status     int           // of a refusal over HTTP
	Message    string        // for the subject
	Reason     string        // why, as whoever blocked wrote it
	Block      int64         // the id of the block; zero: none, or it is held in process
	Rule       string        // that made the block; empty: a person
	End        time.Time     // of the block; zero: permanent, or no block
	Permanent  bool          // the block does not end by itself
	RetryAfter time.Duration // until the block ends; zero: permanent, or no block
	By         Subject       // the blocked subject; zero: none
	Degraded   FailMode      // the check failed, and this mode decided; zero: it did not
}

// Actor is who attempts something, as far as it is known: a zero value is not known. IP is the client's address, unmapped.
type Actor struct {
	User, Account, Guild, Channel, Webhook uint64
	Session                                string
	IP                                     netip.Addr
	Roles                                  []uint64
	Superuser                              bool // of Auth
}

// Derive gives the actor's subject in a scope; false if the actor has none. IPv6 addresses are cut to prefix bits. Of several roles
// it is the first.
func (a *Actor) Derive(s Scope, route string, prefix int) (Subject, bool) {
	sub := Subject{Scope: s}
	switch s {
	case User:
		sub.ID = a.User
	case Account:
		sub.ID = a.Account
	case Member:
		if a.Guild != 0 {
			sub.ID, sub.Guild = a.User, a.Guild
		}
	case Session:
		sub.Text = a.Session
		return sub, sub.Text != ""
	case IP:
		if !a.IP.IsValid() {
			return sub, false
		}
		sub.Net = netip.PrefixFrom(a.IP, a.IP.BitLen())
		if a.IP.Is6() && prefix > 0 && prefix < 128 {
			sub.Net, _ = a.IP.Prefix(prefix)
		}
		return sub, true
	case Channel:
		sub.ID = a.Channel
	case Guild:
		sub.ID = a.Guild
	case Webhook:
		sub.ID = a.Webhook
	case Role:
		if len(a.Roles) > 0 {
			sub.ID = a.Roles[0]
		}
	case Route:
		sub.Text = route
		return sub, route != ""
	}
	return sub, sub.ID != 0
}

// Immune names those who cannot be locked out of their own house.
type Immune struct {
	Subjects   []Subject
	Superusers bool
}

// Covers reports whether the subject is immune: named itself, or a network inside one that is.
func (m *Immune) Covers(s Subject) bool {
	for _, i := range m.Subjects {
		if i == s {
			return true
		}
		if i.Scope == IP && s.Scope == IP && i.Net.Bits() <= s.Net.Bits() && i.Net.Contains(s.Net.Addr()) {
			return true
		}
		if i.Scope == User && s.Scope == Member && i.ID == s.ID {
			return true
		}
	}
	return false
}

// Protects reports whether the actor is immune, in any of its scopes.
func (m *Immune) Protects(a *Actor) bool {
	if m.Superusers && a.Superuser {
		return true
	}
	for i := range m.Subjects {
		if a.is(&m.Subjects[i]) {
			return true
		}
	}
	return false
}

func (a *Actor) is(s *Subject) bool {
	switch s.Scope {
	case User:
		return a.User == s.ID
	case Account:
		return a.Account == s.ID
	case Member:
		return a.User == s.ID && a.Guild == s.Guild
	case Session:
		return a.Session == s.Text
	case IP:
		return a.IP.IsValid() && s.Net.Contains(a.IP)
	case Channel:
		return a.Channel == s.ID
	case Guild:
		return a.Guild == s.ID
	case Webhook:
		return a.Webhook == s.ID
	case Role:
		if slices.Contains(a.Roles, s.ID) {
			return true
		}
	case Route:
	}
	return false
}

// CompareSubjects sorts subjects by their text.
func CompareSubjects(a, b Subject) int { return cmp.Compare(a.String(), b.String()) }
