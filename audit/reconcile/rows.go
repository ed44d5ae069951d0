package reconcile

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/storage"
)

// rows is what a look reads from the database, in one state of it.
type rows struct {
	policy        storage.Policy // version 0: none was ever set
	thresholds    audit.Thresholds
	last          storage.SourceRead // the newest read of Auth; without a time: none
	normal        audit.Counts       // nil: not known
	bindings      []storage.Binding
	tables        []storage.Exception
	openedLost    map[snowflake.ID]time.Time
	openedSurplus map[snowflake.ID]time.Time
	changed       []storage.AccountRevision
	blocks        []storage.Block           // that act
	links         []storage.AccountRevision // of the Auth users among them
}

func (e *Engine) readRows(ctx context.Context, at time.Time, w Wish) (*rows, error) {
	r := &rows{}
	err := e.db.Glance(ctx, func(db storage.Roles) (err error) {
		if w.Policy == nil {
			if r.policy, err = db.Policy(ctx, e.cfg.Guild, 0); err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		if r.thresholds, err = thresholds(ctx, db, e.cfg.Guild); err != nil {
			return err
		}
		if r.last, r.normal, err = normal(ctx, db, e.cfg.Source, at); err != nil {
			return err
		}
		if r.bindings, err = db.Bindings(ctx, e.cfg.Guild); err != nil {
			return err
		}
		if r.tables, err = db.ExceptionsAt(ctx, e.cfg.Guild, at); err != nil {
			return err
		}
		if r.blocks, r.links, err = e.readBlocks(ctx, db, at, w.Of); err != nil {
			return err
		}
		if w.Again {
			if r.changed, err = db.ChangedAccounts(ctx, e.cfg.Source, at.Add(-RowFresh)); err != nil {
				return err
			}
		}
		return r.readOpened(ctx, db, e.cfg.Guild, w.Of)
	})
	return r, err
}

// readOpened fetches since when findings have been open that grace is counted from.
func (r *rows) readOpened(ctx context.Context, db storage.Findings, guild snowflake.ID, of []snowflake.ID) error {
	r.openedLost, r.openedSurplus = map[snowflake.ID]time.Time{}, map[snowflake.ID]time.Time{}
	note := func(f storage.Finding) {
		if f.SubjectKind != storage.SubjectMember {
			return
		}
		switch f.Category {
		case audit.LinkedNoPerm.String():
			r.openedLost[f.Subject] = f.Opened
		case audit.SurplusRoles.String():
			r.openedSurplus[f.Subject] = f.Opened
		}
	}
	if of != nil {
		return eachFinding(ctx, db, guild, storage.FindingFilter{Subjects: of}, note)
	}
	for _, c := range []audit.Category{audit.LinkedNoPerm, audit.SurplusRoles} {
		if err := eachFinding(ctx, db, guild, storage.FindingFilter{Category: c.String()}, note); err != nil {
			return err
		}
	}
	return nil
}

// eachFinding reads all pages of a list.
func eachFinding(ctx context.Context, db storage.Findings, guild snowflake.ID, filter storage.FindingFilter, visit func(storage.Finding)) error {
	const page = 5_000
	for {
		filter.Page.Limit = page
		list, err := db.Findings(ctx, guild, filter)
		if err != nil {
			return err
		}
		for _, f := range list {
			visit(f)
		}
		if len(list) < page {
			return nil
		}
		filter.Page.Before = list[len(list)-1].ID
	}
}

// exceptions are the rows of the operator tables that count.
func (r *rows) exceptions(at time.Time, w Wish) []storage.Exception {
	if w.Overrides == nil {
		return r.tables
	}
	counts := slices.DeleteFunc(slices.Clone(r.tables), func(x storage.Exception) bool { return x.Table == storage.Overrides })
	for _, x := range w.Overrides {
		if x.InForce(at) { // a run that is resumed may find that its time is over
			counts = append(counts, x)
		}
	}
	return counts
}

func (r *rows) identities() (list []audit.Identity) {
	for _, x := range r.tables {
		if x.Table == storage.Identities {
			list = append(list, audit.Identity{Discord: x.Subject, User: x.User, Source: identitySource(x.Source)})
		}
	}
	return list
}

// policyOf is the policy that a look goes by. A version is parsed once.
func (e *Engine) policyOf(r *rows, w Wish) (audit.Policy, int64, error) {
	switch {
	case w.Policy != nil:
		return *w.Policy, w.PolicyVersion, nil
	case r.policy.Version == 0:
		return audit.DefaultPolicy(), 0, nil
	}
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	if e.kept.policyVersion != r.policy.Version {
		p, err := policyfile.Parse([]byte(r.policy.Document), "stored policy")
		if err != nil {
			return p, r.policy.Version, err
		}
		e.kept.policy, e.kept.policyVersion = p, r.policy.Version
	}
	return e.kept.policy, e.kept.policyVersion, nil
}

// Thresholds are the figures that Auth's health is judged by: the defaults, and what the guild has set as "health.NAME".
func (e *Engine) Thresholds(ctx context.Context) (t audit.Thresholds, err error) {
	return thresholds(ctx, e.db, e.cfg.Guild)
}

func thresholds(ctx context.Context, db storage.Settings, guild snowflake.ID) (t audit.Thresholds, err error) {
	t = audit.DefaultThresholds()
	settings, err := db.Settings(ctx, guild)
	if err != nil {
		return t, err
	}
	for name, text := range settings {
		fact, is := strings.CutPrefix(name, HealthSetting)
		if !is {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return t, err
		}
		if t, err = t.With(fact, n); err != nil {
			return t, err
		}
	}
	return t, nil
}

// HealthSetting is what the names of stored thresholds begin with.
const HealthSetting = "health."
