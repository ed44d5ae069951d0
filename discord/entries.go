package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// logEntry is an entry of Discord's audit log, as far as gatecamp reads it. disgo's own form fails on the whole answer when one of the
// webhooks or integrations beside the entries is of a kind that it does not know.
type logEntry struct {
	ID      snowflake.ID             `json:"id"`
	Target  *snowflake.ID            `json:"target_id"`
	Actor   snowflake.ID             `json:"user_id"` // 0: Discord sends null
	Action  discord.AuditLogEvent    `json:"action_type"`
	Changes []discord.AuditLogChange `json:"changes"`
	Reason  *string                  `json:"reason"`
}

func entryOf(a discord.AuditLogEntry) logEntry {
	return logEntry{ID: a.ID, Target: a.TargetID, Actor: a.UserID, Action: a.ActionType, Changes: a.Changes, Reason: a.Reason}
}

// event says what to look at because of the entry, and as whose doing it was told. An entry about anything but members and roles is
// nothing (false).
func (a logEntry) event(e audit.Event, guild snowflake.ID) (audit.Event, bool) {
	e.Grant = audit.Grant{Entry: a.ID, Actor: a.Actor}
	if a.Reason != nil {
		e.Grant.Reason = *a.Reason
	}
	switch a.Action {
	case discord.AuditLogEventMemberRoleUpdate:
		e.Grant.Added, e.Grant.Removed = a.roles()
	case discord.AuditLogEventMemberKick, discord.AuditLogEventMemberBanAdd, discord.AuditLogEventMemberUpdate, discord.AuditLogEventBotAdd:
	case discord.AuditLogEventMemberPrune:
		e.Guild, e.Scope, e.Why = guild, audit.WholeGuild, audit.EntryWritten
		return e, guild != 0
	case discord.AuditLogEventRoleCreate, discord.AuditLogEventRoleUpdate, discord.AuditLogEventRoleDelete:
		if a.Target == nil {
			return e, false
		}
		return aboutRole(e, guild, *a.Target, audit.EntryWritten)
	default:
		return e, false
	}
	if a.Target == nil {
		return e, false
	}
	return about(e, guild, *a.Target, audit.EntryWritten)
}

// roles reads every change and every role of it: the documentation speaks of one, Discord does not keep to it (discord-api-docs,
// resources/audit-log).
func (a logEntry) roles() (added, removed []snowflake.ID) {
	for _, c := range a.Changes {
		switch c.Key {
		case discord.AuditLogChangeKeyRoleAdd:
			added = append(added, roleIDs(c)...)
		case discord.AuditLogChangeKeyRoleRemove:
			removed = append(removed, roleIDs(c)...)
		}
	}
	return added, removed
}

func roleIDs(c discord.AuditLogChange) (ids []snowflake.ID) {
	var roles []discord.PartialRole
	if c.UnmarshalNewValue(&roles) != nil {
		return nil
	}
	for _, r := range roles {
		ids = append(ids, r.ID)
	}
	return ids
}

const (
	entriesAtOnce = 100 // the most that Discord gives (docs: resources/audit-log)
	entryPages    = 100 // read at most at one time
)

// ErrManyEntries means that the audit log holds more new entries than were read.
var ErrManyEntries = fmt.Errorf("more than %d new entries in the audit log", entriesAtOnce*entryPages)

// AuditEntries reads what was written into the guild's audit log after an entry, oldest first, as reasons to look again: who changed
// whose roles, kicked, banned, changed, let a bot in, pruned, or changed a role. Last is the newest entry that was read, of whatever
// kind: what to go on after the next time. After zero there is nothing to compare with: no event, and the newest entry as last.
//
// Discord keeps entries for 45 days, does not write one for everything, and writes late: it says who, and never that nothing happened.
// With an error, the events before it are good, and last is where to go on.
func (g *Guild) AuditEntries(ctx context.Context, after snowflake.ID) (events []audit.Event, last snowflake.ID, err error) {
	defer wrap.Err(&err, "read the audit log of guild %d after %d", g.id, after)
	if after == 0 {
		page, err := g.entries(ctx, discord.QueryValues{"limit": 1})
		if err != nil || len(page) == 0 {
			return nil, 0, err
		}
		return nil, page[0].ID, nil
	}
	last = after
	// By hand: disgo's page helper goes on after the first entry of a page, but with after entries come in ascending order.
	for range entryPages {
		from := last
		page, err := g.entries(ctx, discord.QueryValues{"limit": entriesAtOnce, "after": last})
		if err != nil {
			return events, last, err
		}
		for _, a := range page {
			if e, ok := a.event(audit.Event{Seen: time.Now(), Shard: g.shard()}, g.id); ok {
				events = append(events, e)
			}
			last = max(last, a.ID)
		}
		if len(page) < entriesAtOnce || last == from {
			return events, last, nil
		}
	}
	return events, last, ErrManyEntries
}

// entries is one page. An entry that cannot be read is left out, and its id counts.
func (g *Guild) entries(ctx context.Context, query discord.QueryValues) ([]logEntry, error) {
	var page struct {
		Entries []json.RawMessage `json:"audit_log_entries"`
	}
	err := g.c.bot.Rest.Do(rest.GetAuditLogs.Compile(query, g.id), nil, &page, rest.WithCtx(ctx))
	switch {
	case status(err) == http.StatusForbidden:
		return nil, problem.New(problem.Failed, fmt.Sprintf("the bot may not read the audit log of guild %d; who granted a role is not known", g.id),
			"give the bot's role View Audit Log in the server's settings, Roles").Because(err)
	case err != nil:
		return nil, g.c.explain(err)
	}
	list := make([]logEntry, len(page.Entries))
	for i, raw := range page.Entries {
		var a logEntry
		if json.Unmarshal(raw, &a) != nil {
			a = logEntry{}
			var only struct {
				ID snowflake.ID `json:"id"`
			}
			if json.Unmarshal(raw, &only) == nil {
				a.ID = only.ID
			}
		}
		list[i] = a
	}
	return list, nil
}
