package relational

import (
	"context"
	"errors"
	"slices"
	"time"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const ruleColumns = `name, switch, action, ttl_us, actor, reason, changed_at, fired, shadowed, fired_at, failures, failed_at`

func scanRule(row Row) (r storage.RuleState, err error) {
	var name string
	var ttl int64
	err = row.Scan(&r.Name, &name, &r.Action, &ttl, &r.Actor, &r.Reason, toTime{&r.Changed}, &r.Fired, &r.Shadowed, toTime{&r.Last}, &r.Failures, toTime{&r.Failed})
	r.TTL = time.Duration(ttl) * time.Microsecond
	for w := storage.RuleAsWritten; w <= storage.RuleFailed; w++ {
		if w.String() == name {
			r.Switch = w
		}
	}
	return r, err
}

// RuleStates satisfies storage.RuleStates.
func (s *Store) RuleStates(ctx context.Context) (all []storage.RuleState, err error) {
	defer wrap.Err(&err, "rules.RuleStates")
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanRule, `SELECT `+ruleColumns+` FROM rule_state`)
		return err
	})
	sortBy(all, func(a, b storage.RuleState) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return all, err
}

// DecideRule satisfies storage.RuleStates.
func (s *Store) DecideRule(ctx context.Context, d storage.RuleDecision, by storage.Author) (r storage.RuleState, err error) {
	defer wrap.Err(&err, "rules.DecideRule(%s)", d.Name)
	d.TTL = d.TTL.Truncate(time.Microsecond)
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "rule_state"); err != nil {
			return err
		}
		old, err := scanRule(tx.QueryRow(ctx, `SELECT `+ruleColumns+` FROM rule_state WHERE name = $1`, d.Name))
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		var before any
		if err == nil && old.Actor != "" {
			if r = old; old.RuleDecision == d {
				return nil
			}
			before = decided(old.RuleDecision)
		}
		if err := addRule(ctx, tx, d.Name); err != nil {
			return err
		}
		r, err = scanRule(tx.QueryRow(ctx, `UPDATE rule_state SET switch = $2, action = $3, ttl_us = $4, actor = $5, reason = $6, changed_at = $7,
			failures = CASE WHEN $2 = 'on' THEN 0 ELSE failures END WHERE name = $1 RETURNING `+ruleColumns,
			d.Name, d.Switch.String(), d.Action, d.TTL.Microseconds(), by.Actor, by.Reason, when(by.At)))
		if err != nil {
			return err
		}
		return note(ctx, tx, 0, "rule_state", d.Name, before, decided(d), by)
	})
	return r, err
}

// decided is what the configuration change says of a decision.
func decided(d storage.RuleDecision) map[string]any {
	return map[string]any{"switch": d.Switch.String(), "action": d.Action, "ttl_us": d.TTL.Microseconds()}
}

// addRule makes a row of a rule that nothing was known of.
func addRule(ctx context.Context, tx Tx, name string) error {
	_, err := tx.Exec(ctx, `INSERT INTO rule_state (name, switch, action, ttl_us, actor, reason, fired, shadowed, failures)
		VALUES ($1, $2, '', 0, '', '', 0, 0, 0) ON CONFLICT (name) DO NOTHING`, name, storage.RuleAsWritten.String())
	return err
}

// CountRules satisfies storage.RuleStates.
func (s *Store) CountRules(ctx context.Context, counts []storage.RuleCount) (err error) {
	defer wrap.Err(&err, "rules.CountRules")
	if len(counts) == 0 {
		return nil
	}
	counts = slices.Clone(counts) // in one order for everybody: two processes that count at once do not wait for each other crosswise
	sortBy(counts, func(a, b storage.RuleCount) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return s.db.Write(ctx, func(tx Tx) error {
		for _, c := range counts {
			if err := addRule(ctx, tx, c.Name); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE rule_state SET fired = fired + $2, shadowed = shadowed + $3, failures = failures + $4,
				fired_at = CASE WHEN CAST($5 AS TIMESTAMPTZ) IS NULL OR fired_at > $5 THEN fired_at ELSE $5 END,
				failed_at = CASE WHEN CAST($6 AS TIMESTAMPTZ) IS NULL OR failed_at > $6 THEN failed_at ELSE $6 END WHERE name = $1`,
				c.Name, c.Fired, c.Shadowed, c.Failures, when(c.Last), when(c.Failed)); err != nil {
				return err
			}
		}
		return nil
	})
}
