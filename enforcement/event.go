package enforcement

import (
	"net/netip"
	"time"
)

// EventType is what an enforcement event tells. A closed set.
type EventType int

// The event types.
const (
	Blocked          EventType = iota + 1 // an attempt met a block
	BlockApplied                          // a block was made or made longer
	BlockRevoked                          // a block was taken back
	Alert                                 // a rule wants to be looked at
	EvaluationFailed                      // the check or a rule could not be carried out
	Shadow                                // what would have been done
	Unscoped                              // a rule fired for nobody that could be blocked
)

// EventPrefix begins the full name of every event type; events with such names never feed rules.
const EventPrefix = "audit.enforcement."

var eventNames = [...]string{"", "blocked", "block_applied", "block_revoked", "alert", "evaluation_failed", "shadow", "unscoped"}

// String is the short name.
func (t EventType) String() string { return eventNames[t] }

// Name is the full name, with EventPrefix.
func (t EventType) Name() string { return EventPrefix + eventNames[t] }

// Severity is the number of OpenTelemetry's log data model: INFO 9, WARN 13, ERROR 17.
func (t EventType) Severity() int {
	switch t {
	case BlockRevoked, Shadow:
		return 9
	case EvaluationFailed:
		return 17
	case Blocked, BlockApplied, Alert, Unscoped:
	}
	return 13
}

// Event is what enforcement tells the outside. Texts are scrubbed and bounded when it is made.
type Event struct {
	Type       EventType
	At         time.Time
	Namespace  Namespace
	Subject    Subject // zero: none
	Block      int64   // the id of the block; zero: none
	Rule       string
	Severity   int    // of the rule; zero: none
	Action     string // "blocked", "temp", "permanent", "alert", "contain", "rule_off", "counting_again", "shortened", or what shadow would have done
	Route      string
	TTL        time.Duration // of a temporary block
	Expires    time.Time
	Before     time.Time // when the block that was made longer would have ended
	Status     int
	Actor      string // who made or took back the block
	Reason     string
	FailMode   FailMode
	Error      string // its kind, never its words
	Also       Also   // what the block does to the member in the guild
	Held       bool   // the block is held in process until the store is back
	Suppressed int    // like events since the last one that was told
	Summary    bool   // the line stands for the suppressed ones alone

	User, Guild, Channel uint64 // who attempted it and where; zero: not known
	Session              string
	Address              netip.Addr
}

// Of notes who attempted it.
func (e *Event) Of(a *Actor) {
	e.User, e.Guild, e.Channel, e.Session, e.Address = a.User, a.Guild, a.Channel, a.Session, a.IP
}

// Attributes are the event's attributes by their names; what is empty is left out.
func (e *Event) Attributes() map[string]any {
	m := map[string]any{"event_type": e.Type.Name(), "schema_version": "1.0"}
	put := func(name string, v any) {
		switch x := v.(type) {
		case string:
			if x == "" {
				return
			}
			v = Bound(x)
		case int:
			if x == 0 {
				return
			}
		case int64:
			if x == 0 {
				return
			}
		case bool:
			if !x {
				return
			}
		}
		m[name] = v
	}
	if !e.Subject.IsZero() {
		put("scope.type", e.Subject.Scope.String())
		put("scope.value", e.Subject.Value())
		put("enforcement.namespace", e.Namespace.String())
	}
	put("enforcement.block_id", e.Block)
	put("security_rule.name", e.Rule)
	put("security_rule.severity", e.Severity)
	put("enforcement.action", e.Action)
	put("enforcement.route", e.Route)
	put("enforcement.ttl", Seconds(e.TTL))
	put("enforcement.expires_at", stamp(e.Expires))
	put("enforcement.expired_before", stamp(e.Before))
	put("http.response.status_code", e.Status)
	if mode := e.FailMode; e.Type == EvaluationFailed {
		put("enforcement.fail_mode", max(mode, Open).String()) // what fails after the answer was given holds nobody up
		put("error.type", e.Error)
	}
	if e.Also != AlsoNone {
		put("enforcement.also", e.Also.String())
	}
	put("enforcement.held_in_process", e.Held)
	put("enforcement.suppressed", e.Suppressed)
	put("enforcement.summary", e.Summary)
	put("enforcement.reason", e.Reason)
	if e.Type == BlockRevoked {
		put("enforcement.revoked_by", e.Actor)
	} else {
		put("enforcement.actor", e.Actor)
	}
	put("user.id", idText(e.User))
	put("discord.guild.id", idText(e.Guild))
	put("discord.channel.id", idText(e.Channel))
	put("session.id", e.Session)
	if e.Address.IsValid() {
		put("source.address", e.Address.String())
	}
	return m
}

func idText(id uint64) string {
	if id == 0 {
		return ""
	}
	return formatID(id)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

// Incident is something that happened, for rules to look at: a handled command, a failed login, an entry of the audit log.
type Incident struct {
	Type   string
	Actor  Actor
	Route  string         // the handler's template, or the path
	Fields map[string]any // strings, numbers, booleans and lists of strings
}

// The types of the incident that an attempt is for rules at the stage Ingress.
const (
	IngressHTTP    = "audit.http.request.pre"
	IngressDiscord = "audit.discord.ingress.pre"
)
