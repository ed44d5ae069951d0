package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
	"gatecamp/bot"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/enforcement/rules"
)

// ruling is what feeds rules in this process, and what keeps them as people decided.
type ruling struct {
	incidents *guard.Queue
	book      *ruleBook
}

// openRules makes the source of incidents and the book of rules, and has the guard's events told to both and to the admins.
func (s *server) openRules() {
	s.incidents = guard.NewQueue(knowing{s}, s.log)
	s.book = newRuleBook(s)
	s.listeners = append(s.listeners, s.book.note, s.tellRule)
}

// keepRules has incidents looked at, and rules kept as they were decided, until the context ends.
func (s *server) keepRules(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.incidents.Run(ctx); err != nil {
			s.log.ErrorContext(ctx, "rules look no more", "error", err)
		}
	})
	all.Go(func() { s.book.run(ctx) })
	all.Go(func() { s.watchDrops(ctx) })
	all.Wait()
}

// dropsEvery is how often the admins may be told that rules could not look at everything.
const dropsEvery = 10 * time.Second

// watchDrops tells the admins that incidents were dropped.
func (s *server) watchDrops(ctx context.Context) {
	for known := int64(0); wait(ctx, dropsEvery) == nil; {
		if n := s.incidents.Stats().Dropped; n > known {
			known = n
			s.troubleEverywhere(bot.TroubleDropped, "")
		}
	}
}

// knowing has the guard look at incidents with all that is known of who acted: what Auth said last, and which roles the audit line manages.
type knowing struct{ *server }

// Record satisfies guard.Recorder.
func (k knowing) Record(ctx context.Context, i *enforcement.Incident) guard.Outcome {
	if h, known := k.house(snowflake.ID(i.Actor.Guild)); known {
		if u := soleUser(h.directory(), snowflake.ID(i.Actor.User)); u != nil {
			i.Actor.Account, i.Actor.Superuser = uint64(u.User), u.Superuser
		}
		if i.Type == rules.RoleUpdated || i.Type == rules.RoleDeleted {
			h.managed.mark(i)
		}
	}
	return k.guard.Record(ctx, i)
}

// managedRoles are the roles that the audit line manages, and when a look said so last.
type managedRoles struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// managedFor is how long a role counts as managed after it was seen last: the entry about its end comes after the look that misses it.
const managedFor = 10 * time.Minute

// learn takes what a look said.
func (m *managedRoles) learn(r *reconcile.Report, at time.Time) {
	if r == nil || r.Look == nil || r.Look.Scene == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string]time.Time{}
	}
	for id, last := range m.seen {
		if at.Sub(last) > managedFor {
			delete(m.seen, id)
		}
	}
	roles := r.Look.Scene.Guild.Roles
	for i := range r.Look.Scene.Managed().All() {
		m.seen[roles[i].ID.String()] = at
	}
}

// mark says of a change of a role whether it is a managed one. A role's place in the list alone is no change: others move it too.
func (m *managedRoles) mark(i *enforcement.Incident) {
	target, _ := i.Fields["target"].(string)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, is := m.seen[target]; !is {
		return
	}
	if changed, _ := i.Fields["changed_fields"].([]string); i.Type == rules.RoleUpdated && len(changed) > 0 &&
		!slices.ContainsFunc(changed, func(key string) bool { return key != "position" }) {
		return
	}
	changes, _ := i.Fields["change"].([]string)
	i.Fields["change"] = append(slices.Clone(changes), rules.ChangeManaged)
}

// tellRule tells the admins of the guild in which a rule did something. It does not wait.
func (s *server) tellRule(e enforcement.Event) {
	if e.Guild == 0 || e.Rule == "" || (e.Type != enforcement.Alert && e.Type != enforcement.BlockApplied && e.Type != enforcement.Unscoped) {
		return
	}
	if h, is := s.house(snowflake.ID(e.Guild)); is && h.board != nil {
		h.board.Rule(&e)
	}
}

// collect gives the figures of incidents.
func (r *ruling) collect(out exporter) {
	if r.incidents == nil {
		return
	}
	stats := r.incidents.Stats()
	for name, figure := range map[string]struct {
		help  string
		value int64
	}{
		"gatecamp_enforcement_incidents_total":           {"What happened and was handed to the rules.", stats.Taken},
		"gatecamp_enforcement_incidents_looked_at_total": {"Of these, what rules have looked at.", stats.Done},
		"gatecamp_enforcement_incidents_dropped_total":   {"What happened and found no room: rules did not see it.", stats.Dropped},
	} {
		out.counter(name, figure.help, float64(figure.value))
	}
	out.gauge("gatecamp_enforcement_incidents_waiting", "What happened and waits to be looked at by rules.", float64(stats.Waiting))
}
