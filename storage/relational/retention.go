package relational

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// pruning is the order in which old records go: what points at a row before the row. $1 is the guild, $2 the instant. The database's
// own rules have the last word.
var pruning = []struct{ table, where string }{
	{"command_progress", `EXISTS (SELECT 1 FROM command c WHERE c.id = command_progress.command_id AND c.finished_at < $2)`},
	{"command", `finished_at < $2`},
	{"trail_text", `EXISTS (SELECT 1 FROM trail t WHERE t.id = trail_text.trail_id AND t.at < $2)`},
	{"trail", `at < $2`},
	{"person", `NOT EXISTS (SELECT 1 FROM trail t WHERE t.subject_key = person.person_key)
		AND NOT EXISTS (SELECT 1 FROM trail t WHERE t.actor_key = person.person_key) AND CAST($2 AS TIMESTAMPTZ) IS NOT NULL`},
	{"finding_change", `EXISTS (SELECT 1 FROM finding f WHERE f.id = finding_change.finding_id AND f.closed_at < $2
		AND NOT EXISTS (SELECT 1 FROM finding_change c WHERE c.finding_id = f.id AND c.at >= $2))`},
	{"finding", `closed_at < $2 AND NOT EXISTS (SELECT 1 FROM finding_change c WHERE c.finding_id = finding.id)`},
	{"brake_draw", `at < $2 AND EXISTS (SELECT 1 FROM action a WHERE a.id = brake_draw.action_id AND a.settled_at < $2)`},
	{"action", `settled_at < $2 AND NOT EXISTS (SELECT 1 FROM brake_draw d WHERE d.action_id = action.id)`},
	{"invocation", `last_at < $2`},
	{"config_change", `at < $2`},
	{"plan_pass", `used_at < $2`},
	{"run", `ended_at < $2 AND state NOT IN ('pending', 'running', 'interrupted')
		AND NOT EXISTS (SELECT 1 FROM acknowledgement a WHERE a.run_id = run.id)
		AND NOT EXISTS (SELECT 1 FROM plan_pass p WHERE p.run_id = run.id)
		AND NOT EXISTS (SELECT 1 FROM action a WHERE a.run_id = run.id)
		AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.guild_id = run.guild_id AND f.closed_at IS NULL AND (f.opened_run = run.id OR f.changed_run = run.id))`},
	{"plan_action", `EXISTS (SELECT 1 FROM plan p WHERE p.guild_id = plan_action.guild_id AND p.digest = plan_action.digest AND ` + oldPlan + `)`},
	{"plan", `EXISTS (SELECT 1 FROM plan p WHERE p.guild_id = plan.guild_id AND p.digest = plan.digest AND ` + oldPlan + `)`},
	{"block_history", `at < $2 AND NOT EXISTS (SELECT 1 FROM block b WHERE b.id = block_history.block_id AND (b.closed_at IS NULL OR b.closed_at >= $2))`},
	{"block", `closed_at < $2 AND NOT EXISTS (SELECT 1 FROM block_history h WHERE h.block_id = block.id)`},
	{"card", `expires_at < $2`},
	{"memory", `at < $2`},
	{"role_grant", `at < $2`},
	{"seen_rights", `at < $2`},
	{"direct_message", `at < $2`},
}

const oldPlan = `p.made_at < $2 AND p.state <> 'performing' AND NOT EXISTS (SELECT 1 FROM run r WHERE r.id = p.run_id)
	AND NOT EXISTS (SELECT 1 FROM action a WHERE a.guild_id = p.guild_id AND a.plan = p.digest AND a.settled_at IS NULL)`

// errOnlyCounted ends the transaction of a dry run, so that nothing of it stays.
var errOnlyCounted = errors.New("only counted")

// Prune satisfies storage.Retention.
func (s *Store) Prune(ctx context.Context, guild snowflake.ID, before time.Time, dryRun bool) (p storage.Pruned, err error) {
	defer wrap.Err(&err, "retention.Prune(%d)", guild)
	p.Rows = make(map[string]int64, len(pruning))
	err = s.db.Write(ctx, func(tx Tx) error {
		p.Before, err = pruneBefore(ctx, tx, guild, before)
		if err != nil {
			return err
		}
		for _, step := range pruning {
			p.Rows[step.table] = 0
			if p.Before.IsZero() {
				continue
			}
			n, err := tx.Exec(ctx, `DELETE FROM `+step.table+` WHERE guild_id = $1 AND `+step.where, int64(guild), p.Before)
			if err != nil {
				return fmt.Errorf("%s: %w", step.table, err)
			}
			p.Rows[step.table] = n
		}
		if dryRun {
			return errOnlyCounted
		}
		return nil
	})
	if err != nil && !errors.Is(err, errOnlyCounted) {
		return storage.Pruned{}, err
	}
	return p, nil
}

// pruneBefore is the earlier of what was asked and what the stored retention allows; zero: nothing may go.
func pruneBefore(ctx context.Context, tx Tx, guild snowflake.ID, asked time.Time) (time.Time, error) {
	days := storage.DefaultRetentionDays
	switch value, err := readSetting(ctx, tx, guild, storage.SettingRetentionDays); {
	case err == nil:
		if days, err = strconv.Atoi(value); err != nil {
			return time.Time{}, fmt.Errorf("the stored retention: %w", err)
		}
	case !errors.Is(err, storage.ErrNotFound):
		return time.Time{}, err
	}
	if days == 0 {
		return time.Time{}, nil
	}
	now, err := tx.Now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	allowed := now.Add(-time.Duration(max(days, storage.MinRetentionDays)) * 24 * time.Hour)
	if micro(asked).Before(allowed) {
		return micro(asked), nil
	}
	return allowed, nil
}
