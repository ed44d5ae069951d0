package enforcement

import "slices"

// Kind is the type of an attribute's value. A closed set.
type Kind int

// The kinds.
const (
	Text    Kind = iota + 1
	Integer      // whole; of durations the seconds, rounded up
	Boolean      // true, or left out
	Instant      // text: ISO 8601 in UTC with microseconds and +00:00
)

var kindNames = [...]string{"", "string", "integer", "boolean", "timestamp"}

// String is the name of the kind in documents.
func (k Kind) String() string { return kindNames[k] }

// Field is one attribute that events carry.
type Field struct {
	Name    string
	Kind    Kind
	Always  []EventType // carry it in every case
	May     []EventType // carry it where it is known
	Meaning string
}

// On reports whether events of the type may carry the field, and whether all of them do.
func (f *Field) On(t EventType) (may, always bool) {
	always = slices.Contains(f.Always, t)
	return always || slices.Contains(f.May, t), always
}

// EventTypes are all types, in the order of their numbers.
func EventTypes() []EventType {
	return []EventType{Blocked, BlockApplied, BlockRevoked, Alert, EvaluationFailed, Shadow, Unscoped}
}

// ParseEventType reads the name of a type, short or full.
func ParseEventType(name string) (EventType, error) {
	for _, t := range EventTypes() {
		if name == t.String() || name == t.Name() {
			return t, nil
		}
	}
	return 0, mistake("", "%q is no type of event; there are %s", name, EventTypeList())
}

// EventTypeList are the short names of all types, with commas between them.
func EventTypeList() (all string) {
	for i, t := range EventTypes() {
		if i > 0 {
			all += ", "
		}
		all += t.String()
	}
	return all
}

// Fields are all attributes that events carry, in the order in which they are documented. Nothing else is ever in an event.
func Fields() []Field {
	all, of := EventTypes(), func(t ...EventType) []EventType { return t }
	attempt := of(Blocked, BlockApplied, Alert, EvaluationFailed, Shadow, Unscoped)
	return []Field{
		{"event_type", Text, all, nil, "the full name of the type; also in event_name and body"},
		{"schema_version", Text, all, nil, "of this table"},
		{"scope.type", Text, of(Blocked, BlockApplied, BlockRevoked), of(Alert, Shadow, EvaluationFailed), "what kind of subject: user, account, member, session, ip, webhook, channel, guild, role"},
		{"scope.value", Text, of(Blocked, BlockApplied, BlockRevoked), of(Alert, Shadow, EvaluationFailed), "which: an id, GUILD:USER for a member, an address or network for an ip"},
		{"enforcement.namespace", Text, of(Blocked, BlockApplied, BlockRevoked), of(Alert, Shadow, EvaluationFailed), "where the block holds: global, or guild:ID"},
		{"enforcement.block_id", Integer, nil, of(Blocked, BlockApplied, EvaluationFailed, Shadow), "the number of the block, as gatecamp's tables and lists have it"},
		{"security_rule.name", Text, of(BlockApplied, Alert, Unscoped), of(Blocked, EvaluationFailed, Shadow), "the rule; manual where a person made the block, blocked-rejoins where a blocked member keeps coming back, counters where rules could not count"},
		{"security_rule.severity", Integer, nil, of(BlockApplied, Alert, EvaluationFailed, Shadow, Unscoped), "of the rule, 1 to 10"},
		{"enforcement.action", Text, of(Blocked, BlockApplied, Alert, Shadow, Unscoped), of(EvaluationFailed), "blocked; temp, permanent or shortened for a block; alert, contain (asked for), contained (what became of it is in the reason), rule_off or counting_again for an alert; what would have been done for a shadow"},
		{"enforcement.route", Text, nil, of(Blocked, Alert, EvaluationFailed, Shadow, Unscoped), "the handler's template, such as cmd:audit/run"},
		{"enforcement.ttl", Integer, nil, of(BlockApplied, Shadow), "how long a temporary block lasts, in seconds"},
		{"enforcement.expires_at", Instant, nil, of(Blocked, BlockApplied, Shadow), "when a temporary block ends; a permanent one has none"},
		{"enforcement.expired_before", Instant, nil, of(BlockApplied), "when the block would have ended that was made longer"},
		{"http.response.status_code", Integer, of(Blocked), of(Shadow), "of the refusal, where it is given over HTTP"},
		{"enforcement.fail_mode", Text, of(EvaluationFailed), nil, "what became of the attempt: open (it went on) or closed (it was denied)"},
		{"error.type", Text, of(EvaluationFailed), nil, "what failed: store, panic, rule, counters, malformed, events_dropped; never the words of the error"},
		{"enforcement.also", Text, nil, of(BlockApplied), "what the block does to the member in the guild: strip, kick or ban; nothing where it is missing"},
		{"enforcement.held_in_process", Boolean, nil, of(BlockApplied), "the database was away: the block holds in this process until it is back"},
		{"enforcement.suppressed", Integer, nil, of(Blocked, EvaluationFailed, Shadow), "like events that were only counted since the last one that was told"},
		{"enforcement.summary", Boolean, nil, of(Blocked, EvaluationFailed, Shadow), "the line stands for the suppressed ones alone and is no event of its own"},
		{"enforcement.reason", Text, nil, of(BlockApplied, BlockRevoked, Alert, EvaluationFailed), "why, in the words of whoever acted"},
		{"enforcement.actor", Text, nil, of(BlockApplied, Alert), "who acted: discord:ID, console:NAME, rule:NAME"},
		{"enforcement.revoked_by", Text, nil, of(BlockRevoked), "who took the block back"},
		{"user.id", Text, nil, attempt, "the Discord account that it is about"},
		{"discord.guild.id", Text, nil, attempt, "the guild where it happened"},
		{"discord.channel.id", Text, nil, attempt, "the channel where it happened"},
		{"session.id", Text, nil, attempt, "the session or the card; never a credential"},
		{"source.address", Text, nil, attempt, "the client's address, for the dashboard"},
	}
}

// Breach says what an event has or lacks against the table; empty: nothing.
func (e *Event) Breach() string {
	has := e.Attributes()
	for _, f := range Fields() {
		may, always := f.On(e.Type)
		_, there := has[f.Name]
		switch {
		case always && !there:
			return e.Type.String() + " lacks " + f.Name
		case there && !may:
			return e.Type.String() + " has " + f.Name
		}
		delete(has, f.Name)
	}
	for name := range has {
		return e.Type.String() + " has " + name + ", which the table does not know"
	}
	if ends := e.Type == BlockApplied && e.Action != "permanent"; ends != (e.Type == BlockApplied && !e.Expires.IsZero()) || ends && e.TTL <= 0 {
		return "block_applied: action, ttl and expires_at do not agree"
	}
	return ""
}
