package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Explanation is one member's verdict with everything that led to it.
type Explanation struct {
	Member   audit.Member
	Decision audit.Decision
	Steps    []audit.Step
	Look     *Look
	Gates    audit.Gates
	Plan     audit.Plan // what a run over the whole guild would do now, its actions those about this member alone
}

// Explain answers for one member with the engine that acts; it writes nothing but what it read of Auth.
func (e *Engine) Explain(ctx context.Context, pic Picture, id snowflake.ID) (_ *Explanation, err error) {
	defer wrap.Err(&err, "explain member %d", id)
	i := slices.IndexFunc(pic.Members, func(m audit.Member) bool { return m.ID == id })
	if i < 0 {
		return nil, problem.New(problem.Usage, fmt.Sprintf("%d is not a member of guild %d", id, e.cfg.Guild), "check the id; people who left cannot be explained").Because(ErrNoMember)
	}
	look, err := e.Look(ctx, pic, Wish{})
	if err != nil {
		return nil, err
	}
	x := &Explanation{Member: pic.Members[i], Look: look}
	x.Decision, x.Steps = audit.Explain(look.Scene.Facts(x.Member), &look.Policy)
	if x.Gates, err = e.gates(ctx, e.db, look, false); err != nil {
		return nil, err
	}
	used, err := e.used(ctx, e.db, look, false)
	if err != nil {
		return nil, err
	}
	// A brake asks about everybody whom a run would touch, so the plan is everybody's, and this member's part of it is shown.
	decisions, pop := look.Decide(pic.Members)
	x.Plan = audit.MakePlan(e.cfg.Guild, decisions, pop, look.Policy.Limits, used, x.Gates)
	x.Plan.Actions = slices.DeleteFunc(x.Plan.Actions, func(a audit.Planned) bool { return a.Member != id })
	return x, nil
}

// Preview is what a run would do now, under another policy if one is given. It is a dry run: nothing of it is stored.
func (e *Engine) Preview(ctx context.Context, pic Picture, p *audit.Policy) (_ *Report, err error) {
	defer wrap.Err(&err, "preview")
	look, err := e.Look(ctx, pic, Wish{Policy: p})
	if err != nil {
		return nil, err
	}
	r := &Report{Look: look}
	var pop audit.Population
	r.Decisions, pop = look.Decide(pic.Members)
	gates, err := e.gates(ctx, e.db, look, true)
	if err != nil {
		return nil, err
	}
	used, err := e.used(ctx, e.db, look, false)
	if err != nil {
		return nil, err
	}
	r.Plan = audit.MakePlan(e.cfg.Guild, r.Decisions, pop, look.Policy.Limits, used, gates)
	r.count(pop)
	return r, nil
}

// Comparison says what another policy would change.
type Comparison struct {
	Look    *Look // under the other policy
	Counts  map[Change]int
	Changed []MemberChange // by member
}

// Change is a category, what the layers decide there now, and what they would decide.
type Change struct {
	Category  audit.Category
	Now, Then audit.Act
}

// MemberChange is a member for whom something would change.
type MemberChange struct {
	Member snowflake.ID
	Change
	LayerNow, LayerThen string
}

// Compare looks at every member under the policy in force and under another one; nothing of it is stored.
func (e *Engine) Compare(ctx context.Context, pic Picture, other audit.Policy) (_ *Comparison, err error) {
	defer wrap.Err(&err, "compare policies")
	now, err := e.Look(ctx, pic, Wish{})
	if err != nil {
		return nil, err
	}
	then, err := e.Look(ctx, pic, Wish{Policy: &other})
	if err != nil {
		return nil, err
	}
	c := &Comparison{Look: then, Counts: map[Change]int{}}
	for _, m := range pic.Members {
		a, b := now.Member(m), then.Member(m)
		change := Change{b.Category, a.Act, b.Act}
		c.Counts[change]++
		if a.Act != b.Act {
			c.Changed = append(c.Changed, MemberChange{m.ID, change, a.LayerCode(), b.LayerCode()})
		}
	}
	slices.SortFunc(c.Changed, func(a, b MemberChange) int { return cmp.Compare(a.Member, b.Member) })
	return c, nil
}

// Difference is one subject whose finding is not the same on both sides.
type Difference struct {
	Subject       snowflake.ID
	SubjectKind   string
	Before, After string         // category and action, "unknown_guest strip"; empty: no finding
	What          string         // "added", "removed", "category_changed", "action_changed", "roles_changed"
	Roles         []snowflake.ID // that the finding has come to be about
	NoRoles       []snowflake.ID // that it is about no more
}

// RoleText is which roles came and went, as "+10 -11".
func (d *Difference) RoleText() string {
	var parts []string
	for _, id := range d.Roles {
		parts = append(parts, "+"+id.String())
	}
	for _, id := range d.NoRoles {
		parts = append(parts, "-"+id.String())
	}
	return strings.Join(parts, " ")
}

// Diff compares the findings as two runs left them; without a second run, with how they stand now.
func (e *Engine) Diff(ctx context.Context, from, to int64) (_ []Difference, err error) {
	defer wrap.Err(&err, "difference of runs %d and %d", from, to)
	before, err := e.standing(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := e.standing(ctx, to)
	if err != nil {
		return nil, err
	}
	var list []Difference
	for key, b := range before {
		a, still := after[key]
		switch {
		case !still:
			list = append(list, Difference{Subject: key.id, SubjectKind: key.kind, Before: b.text(), What: "removed"})
		case a.Category != b.Category:
			list = append(list, Difference{Subject: key.id, SubjectKind: key.kind, Before: b.text(), After: a.text(), What: "category_changed"})
		default:
			d := Difference{
				Subject: key.id, SubjectKind: key.kind, Before: b.text(), After: a.text(),
				Roles: without(a.roles, b.roles), NoRoles: without(b.roles, a.roles),
			}
			switch {
			case a.Wanted != b.Wanted:
				d.What = "action_changed"
			case len(d.Roles)+len(d.NoRoles) > 0:
				d.What = "roles_changed"
			default:
				continue
			}
			list = append(list, d)
		}
	}
	for key, a := range after {
		if _, was := before[key]; !was {
			list = append(list, Difference{Subject: key.id, SubjectKind: key.kind, After: a.text(), What: "added"})
		}
	}
	slices.SortFunc(list, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.SubjectKind, b.SubjectKind), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.What, b.What))
	})
	return list, nil
}

type subject struct {
	kind string
	id   snowflake.ID
	slot string // of roles, which may have several troubles
}

type stand struct {
	Category, Wanted string
	roles            []snowflake.ID
}

func (s stand) text() string { return s.Category + " " + s.Wanted }

// without are the roles that only the first list has.
func without(roles, other []snowflake.ID) (only []snowflake.ID) {
	for _, id := range roles {
		if !slices.Contains(other, id) {
			only = append(only, id)
		}
	}
	return only
}

// standing is what was found at the end of a run; 0 asks for now.
func (e *Engine) standing(ctx context.Context, run int64) (map[subject]stand, error) {
	filter := storage.FindingFilter{}
	if run != 0 {
		r, err := e.db.Run(ctx, run)
		if errors.Is(err, storage.ErrNotFound) || err == nil && r.Guild != e.cfg.Guild {
			return nil, noRun(run)
		}
		if err != nil {
			return nil, err
		}
		if r.Started.IsZero() || r.Ended.IsZero() {
			return nil, problem.New(problem.Usage, fmt.Sprintf("run %d is %s and has nothing to compare yet", run, r.State), "compare runs that have ended")
		}
		filter.At = r.Ended
	}
	found := map[subject]stand{}
	var since []storage.Finding // changed after the run
	err := eachFinding(ctx, e.db, e.cfg.Guild, filter, func(f storage.Finding) {
		found[subjectOf(f)] = stand{f.Category, f.Wanted, RolesOf(&f)}
		if !filter.At.IsZero() && f.Changed.After(filter.At) {
			since = append(since, f)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, f := range since {
		if err := e.rewind(ctx, &f, filter.At); err != nil {
			return nil, err
		}
		found[subjectOf(f)] = stand{f.Category, f.Wanted, RolesOf(&f)}
	}
	return found, nil
}

func subjectOf(f storage.Finding) subject {
	key := subject{kind: f.SubjectKind, id: f.Subject}
	if f.SubjectKind == storage.SubjectRole {
		key.slot = f.Category + f.Slot
	}
	return key
}

// rewind takes a finding back to what was known of it at an earlier instant: what the first change after it found.
func (e *Engine) rewind(ctx context.Context, f *storage.Finding, at time.Time) error {
	changes, err := e.db.FindingChanges(ctx, e.cfg.Guild, f.ID)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.What != storage.ChangeFacts || !c.At.After(at) {
			continue
		}
		before, err := decode[struct {
			Wanted string `json:"wanted"`
			Facts  struct {
				Held    []snowflake.ID `json:"held"`
				Missing []snowflake.ID `json:"missing"`
			} `json:"facts"`
		}](c.Before)
		f.Wanted, f.Held, f.Missing = before.Wanted, before.Facts.Held, before.Facts.Missing
		return err
	}
	return nil
}
