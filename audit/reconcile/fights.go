package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// A fight is a role that was removed from a member FightTimes within FightWithin and is back: two writers each undo what the other
// does. It rests until the first of those removals is FightWithin ago.
const (
	FightTimes  = 3
	FightWithin = time.Hour
)

// fights are the pairs that rest now.
func (e *Engine) fights(ctx context.Context, db storage.Actions, at time.Time) (map[audit.Holding]struct{}, error) {
	list, err := db.Reversals(ctx, e.cfg.Guild, at.Add(-FightWithin), FightTimes)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	fights := make(map[audit.Holding]struct{}, len(list))
	for _, r := range list {
		fights[audit.Holding{Member: r.Member, Role: r.Role}] = struct{}{}
	}
	return fights, nil
}

// foundFights are the findings about roles that a plan does not take because of a fight. The other writer is who granted the role last.
func foundFights(p *audit.Plan, givers givers) (found []storage.Found) {
	for _, a := range p.Actions {
		if !slices.Contains(a.Held, audit.By{Gate: audit.Fight}) {
			continue
		}
		code := audit.Fought.String()
		found = append(found, storage.Found{
			SubjectKind: storage.SubjectRole, Subject: a.Role, Category: code, Slot: a.Member.String(),
			FindingFacts: storage.FindingFacts{
				Wanted: audit.Report.String(), Allowed: audit.Report.String(), Held: []snowflake.ID{a.Role}, Alerts: []string{audit.Reversed.String()},
				Holds: []string{code}, GrantedBy: givers.of(a.Member, []snowflake.ID{a.Role}),
			},
		})
	}
	return found
}

// givers is who gave which role to whom, as Discord's audit log told.
type givers map[audit.Holding]storage.RoleGrant

// manyMembers is from how many members on everybody's grants are read at once.
const manyMembers = 400

// giversOf reads who gave the members the roles that they hold. What was taken again since, as told, was not given.
func (e *Engine) giversOf(ctx context.Context, db storage.RoleGrants, members []snowflake.ID) (givers, error) {
	if len(members) == 0 {
		return nil, nil
	}
	if len(members) > manyMembers {
		members = nil
	}
	list, err := db.RoleGrants(ctx, e.cfg.Guild, members, time.Time{})
	if err != nil {
		return nil, err
	}
	g := givers{}
	for _, x := range list { // the newest first: it is what counts
		pair := audit.Holding{Member: x.Member, Role: x.Role}
		if _, newer := g[pair]; !newer {
			g[pair] = x
		}
	}
	return g, nil
}

// of is who gave the member one of the roles, most lately if there were several; zero: nobody knows.
func (g givers) of(member snowflake.ID, roles []snowflake.ID) (actor snowflake.ID) {
	var latest storage.RoleGrant
	for _, role := range roles {
		x, told := g[audit.Holding{Member: member, Role: role}]
		if told && x.Added && x.Actor != 0 && (x.At.After(latest.At) || latest.Actor == 0) {
			latest = x
		}
	}
	return latest.Actor
}

// foundAbout are the members whom decisions that are stored are about.
func foundAbout(found []storage.Found) (ids []snowflake.ID) {
	for _, f := range found {
		if f.SubjectKind == storage.SubjectMember {
			ids = append(ids, f.Subject)
		}
	}
	return ids
}

// withGivers completes what was found by who granted the roles, as told and not judged, and by what is fought over.
func (e *Engine) withGivers(ctx context.Context, db storage.RoleGrants, found []storage.Found, p *audit.Plan) ([]storage.Found, error) {
	g, err := e.giversOf(ctx, db, foundAbout(found))
	if err != nil {
		return nil, err
	}
	for i := range found {
		f := &found[i]
		if f.SubjectKind == storage.SubjectMember {
			f.GrantedBy = g.of(f.Subject, f.Held)
		}
	}
	return append(found, foundFights(p, g)...), nil
}

// NoteGrants remembers what entries of Discord's audit log tell about who gave or took roles. Other events are passed over.
func (e *Engine) NoteGrants(ctx context.Context, events ...audit.Event) (err error) {
	defer wrap.Err(&err, "note %d audit log entries", len(events))
	var rows []storage.RoleGrant
	for _, x := range events {
		if x.Why != audit.EntryWritten || x.Member == 0 || x.Grant.Entry == 0 {
			continue
		}
		row := storage.RoleGrant{Guild: e.cfg.Guild, Member: x.Member, Actor: x.Grant.Actor, Entry: x.Grant.Entry, At: x.Grant.Entry.Time().UTC(), Reason: x.Grant.Reason}
		for _, row.Role = range x.Grant.Removed {
			rows = append(rows, row)
		}
		row.Added = true
		for _, row.Role = range x.Grant.Added {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return e.db.NoteRoleGrants(ctx, rows)
}
