package discordtest

import (
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// The audit-log actions that the local Discord writes (resources/audit-log).
const (
	auditGuildUpdate      = 1
	auditChannelCreate    = 10
	auditChannelDelete    = 12
	auditOverwriteCreate  = 13
	auditOverwriteUpdate  = 14
	auditOverwriteDelete  = 15
	auditMemberKick       = 20
	auditMemberBanAdd     = 22
	auditMemberBanRemove  = 23
	auditMemberUpdate     = 24
	auditMemberRoleUpdate = 25
	auditBotAdd           = 28
	auditRoleCreate       = 30
	auditRoleUpdate       = 31
	auditRoleDelete       = 32
	auditWebhookCreate    = 50
	auditOnboardingUpdate = 167
)

// auditLife is how long Discord keeps entries.
const auditLife = 45 * 24 * time.Hour

// auditDelay is how late an entry comes under the fault audit_late.
const auditDelay = 5 * time.Second

type auditChange struct {
	Key string `json:"key"`
	New any    `json:"new_value,omitempty"`
	Old any    `json:"old_value,omitempty"`
}

type auditEntry struct {
	ID       snowflake.ID  `json:"id"`
	User     snowflake.ID  `json:"user_id"`
	Target   *snowflake.ID `json:"target_id"`
	Action   int           `json:"action_type"`
	Changes  []auditChange `json:"changes,omitempty"`
	Options  object        `json:"options,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	recorded time.Time
}

// partialRole is how role changes of members name a role.
type partialRole struct {
	ID   snowflake.ID `json:"id"`
	Name string       `json:"name"`
}

func (g *guild) partialRoles(ids []snowflake.ID) []partialRole {
	out := make([]partialRole, 0, len(ids))
	for _, id := range ids {
		name := ""
		if r := g.roles[id]; r != nil {
			name = r.Name
		}
		out = append(out, partialRole{ID: id, Name: name})
	}
	return out
}

func entry(a actor, target snowflake.ID, action int, changes ...auditChange) *auditEntry {
	return &auditEntry{User: a.id, Target: &target, Action: action, Changes: changes, Reason: a.reason}
}

// publish emits what changed and records who did it: the event first, then the entry, unless a fault has it otherwise. mu is held.
func (s *Server) publish(g *guild, e *auditEntry, events ...event) {
	note := func() { s.record(g, e) }
	switch {
	case s.fires(FaultAuditBefore, site{event: auditEvent}):
		note()
		note = func() {}
	case s.fires(FaultAuditLate, site{event: auditEvent}):
		note = func() {
			s.clock.AfterFunc(auditDelay, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.record(g, e)
			})
		}
	case s.fires(FaultAuditNever, site{event: auditEvent}):
		note = func() {}
	}
	for _, ev := range events {
		s.emit(ev)
	}
	note()
}

const auditEvent = "GUILD_AUDIT_LOG_ENTRY_CREATE"

// record writes the entry down and tells the bots that may see it. mu is held.
func (s *Server) record(g *guild, e *auditEntry) {
	e.ID, e.recorded = s.newID(), s.clock.Now()
	g.audit = append(g.audit, e)
	s.emit(event{name: auditEvent, guild: g, intent: IntentModeration, perm: ViewAuditLog, data: func() []byte {
		return encode(struct {
			GuildID snowflake.ID `json:"guild_id"`
			*auditEntry
		}{g.id, e})
	}})
}

// auditQuery is what GET audit-logs may ask for.
type auditQuery struct {
	user          snowflake.ID
	action        int
	before, after snowflake.ID
	limit         int
	ascending     bool // after was given, were it 0
}

// auditPage is one page: newest first, or ascending with after.
func (s *Server) auditPage(g *guild, q auditQuery) []*auditEntry {
	oldest := s.clock.Now().Add(-auditLife)
	fits := func(e *auditEntry) bool {
		return (q.user == 0 || e.User == q.user) && (q.action == 0 || e.Action == q.action) && e.recorded.After(oldest) &&
			(q.before == 0 || e.ID < q.before) && e.ID > q.after
	}
	page := []*auditEntry{}
	for i := range g.audit {
		e := g.audit[len(g.audit)-1-i]
		if q.ascending {
			e = g.audit[i]
		}
		if fits(e) {
			if page = append(page, e); len(page) == q.limit {
				break
			}
		}
	}
	return page
}

// auditObject is the answer of GET audit-logs: the entries and the people in them.
func (s *Server) auditObject(entries []*auditEntry) object {
	users := []json.RawMessage{}
	seen := map[snowflake.ID]bool{}
	add := func(id snowflake.ID) {
		if u := s.users[id]; u != nil && !seen[id] {
			seen[id] = true
			users = append(users, userObject(u))
		}
	}
	for _, e := range entries {
		add(e.User)
		if e.Target != nil {
			add(*e.Target)
		}
	}
	none := []int{}
	return object{
		"audit_log_entries": entries, "users": users, "application_commands": none, "auto_moderation_rules": none,
		"guild_scheduled_events": none, "integrations": none, "threads": none, "webhooks": none,
	}
}
