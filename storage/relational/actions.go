package relational

import (
	"context"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const actionColumns = `id, guild_id, run_id, plan, action_key, member_id, kind, role_id, roles, budget, live, actor, intended_at, outcome, code, settled_at`

func scanAction(row Row) (a storage.Action, err error) {
	var budget string
	err = row.Scan(&a.ID, &a.Guild, &a.Run, &a.Plan, &a.Key, &a.Member, &a.Kind, &a.Role, toJSON{&a.Roles}, &budget, &a.Live, &a.Actor, toTime{&a.Intended},
		&a.Outcome, &a.Code, toTime{&a.Settled})
	if err != nil {
		return a, err
	}
	var known bool
	if a.Budget, known = storage.ParseBudget(budget); !known {
		return a, fmt.Errorf("action %d draws on the unknown budget %q", a.ID, budget)
	}
	return a, nil
}

// Intend satisfies storage.Actions.
func (s *Store) Intend(ctx context.Context, fence storage.Fence, a storage.Action) (_ storage.Action, err error) {
	defer wrap.Err(&err, "actions.Intend(%s %d)", a.Kind, a.Member)
	a.Intended, a.Outcome, a.Code, a.Settled = micro(a.Intended), "", "", time.Time{}
	var roles any
	if len(a.Roles) > 0 {
		roles = encode(a.Roles)
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Fenced(ctx, fence); err != nil {
			return err
		}
		var settled bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM action WHERE guild_id = $1 AND run_id = $2 AND run_id <> 0 AND action_key = $3
			AND outcome IN ('done', 'already_so', 'gone'))`, int64(a.Guild), a.Run, a.Key).Scan(&settled)
		if err != nil {
			return err
		}
		if settled {
			return storage.ErrConflict
		}
		a.ID, err = insert(ctx, tx, "action", []insertion{
			{"guild_id", int64(a.Guild)},
			{"run_id", a.Run},
			{"plan", a.Plan},
			{"action_key", a.Key},
			{"member_id", int64(a.Member)},
			{"kind", a.Kind},
			{"role_id", int64(a.Role)},
			{"roles", roles},
			{"budget", a.Budget.String()},
			{"live", a.Live},
			{"actor", a.Actor},
			{"intended_at", when(a.Intended)},
			{"outcome", ""},
			{"code", ""},
		})
		if err != nil {
			return err
		}
		return draw(ctx, tx, a)
	})
	if err != nil {
		return storage.Action{}, err
	}
	return a, nil
}

// Settle satisfies storage.Actions.
func (s *Store) Settle(ctx context.Context, id int64, outcome, code string, at time.Time) (err error) {
	defer wrap.Err(&err, "actions.Settle(%d, %s)", id, outcome)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE action SET outcome = $2, code = $3, settled_at = $4 WHERE id = $1 AND settled_at IS NULL`, id, outcome, code, when(at))
		if err != nil {
			return err
		}
		if err := touched(ctx, tx, n, "action WHERE id = $1", id); err != nil {
			return err
		}
		if outcome == storage.OutcomeRefused || outcome == storage.OutcomeAlreadySo || outcome == storage.OutcomeNotTried {
			_, err = tx.Exec(ctx, `UPDATE brake_draw SET given_back_at = $2 WHERE action_id = $1`, id, when(at))
		}
		return err
	})
}

// OpenActions satisfies storage.Actions.
func (s *Store) OpenActions(ctx context.Context, guild snowflake.ID) (_ []storage.Action, err error) {
	defer wrap.Err(&err, "actions.OpenActions(%d)", guild)
	return s.actions(ctx, newQuery(`SELECT `+actionColumns+` FROM action WHERE guild_id = $1 AND settled_at IS NULL ORDER BY id`, int64(guild)))
}

// ActionsOf satisfies storage.Actions.
func (s *Store) ActionsOf(ctx context.Context, guild snowflake.ID, run int64) (_ []storage.Action, err error) {
	defer wrap.Err(&err, "actions.ActionsOf(%d)", run)
	return s.actions(ctx, newQuery(`SELECT `+actionColumns+` FROM action WHERE guild_id = $1 AND run_id = $2 ORDER BY id`, int64(guild), run))
}

// Reversals satisfies storage.Actions. It goes by the brakes' ledger, which knows the time of each action and is indexed by it.
func (s *Store) Reversals(ctx context.Context, guild snowflake.ID, since time.Time, times int) (all []storage.Reversal, err error) {
	defer wrap.Err(&err, "actions.Reversals(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, func(row Row) (r storage.Reversal, err error) {
			err = row.Scan(&r.Member, &r.Role, &r.Times, toTime{&r.Last})
			return r, err
		}, `SELECT a.member_id, a.role_id, COUNT(DISTINCT a.id), MAX(a.intended_at) FROM brake_draw d JOIN action a ON a.id = d.action_id
			WHERE d.guild_id = $1 AND d.at >= $2 AND a.kind = 'remove_role' AND a.outcome IN ('done', 'collateral', 'not_applied')
			GROUP BY a.member_id, a.role_id HAVING COUNT(DISTINCT a.id) >= $3 ORDER BY a.member_id, a.role_id`, int64(guild), micro(since), times)
		return err
	})
	return all, err
}

// ActionsSince satisfies storage.Actions.
func (s *Store) ActionsSince(ctx context.Context, guild snowflake.ID, kind string, after time.Time) (_ []storage.Action, err error) {
	defer wrap.Err(&err, "actions.ActionsSince(%s)", kind)
	return s.actions(ctx, newQuery(`SELECT `+actionColumns+` FROM action WHERE guild_id = $1 AND kind = $2 AND intended_at > $3 ORDER BY id`,
		int64(guild), kind, micro(after)))
}

// MemberActions satisfies storage.Actions.
func (s *Store) MemberActions(ctx context.Context, guild, member snowflake.ID, page storage.Page) (_ []storage.Action, err error) {
	defer wrap.Err(&err, "actions.MemberActions(%d)", member)
	return s.actions(ctx, newQuery(`SELECT `+actionColumns+` FROM action WHERE guild_id = $1 AND member_id = $2`, int64(guild), int64(member)).newest(page))
}

func (s *Store) actions(ctx context.Context, q *query) (all []storage.Action, err error) {
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanAction, q.sql.String(), q.args...)
		return err
	})
	return all, err
}
