package relational

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// draw writes what an intention takes from the ledger: one row for each role, or one.
func draw(ctx context.Context, tx Tx, a storage.Action) error {
	if a.Budget == storage.BudgetNone {
		return nil
	}
	roles := a.Roles
	if len(roles) == 0 {
		roles = []snowflake.ID{a.Role}
	}
	columns := []string{"guild_id", "action_id", "at", "member_id", "kind", "role_id", "budget", "live"}
	return tx.Insert(ctx, "brake_draw", columns, len(roles), func(i int) []any {
		return []any{int64(a.Guild), a.ID, when(a.Intended), int64(a.Member), a.Kind, int64(roles[i]), a.Budget.String(), a.Live}
	})
}

// Used satisfies storage.Brakes.
func (s *Store) Used(ctx context.Context, guild snowflake.ID, at time.Time) (u storage.Used, err error) {
	defer wrap.Err(&err, "brakes.Used(%d)", guild)
	u = storage.Used{Live: newUse(), Day: newUse()}
	live := micro(at).Add(-storage.LiveWindow)
	err = s.db.Read(ctx, func(tx Tx) error {
		rows, err := tx.Query(ctx, `SELECT at, member_id, kind, role_id, budget, live FROM brake_draw
			WHERE guild_id = $1 AND at > $2 AND given_back_at IS NULL`, int64(guild), micro(at).Add(-storage.DayWindow))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var drawn time.Time
			var member, role snowflake.ID
			var kind, budget string
			var isLive bool
			if err := rows.Scan(toTime{&drawn}, &member, &kind, &role, &budget, &isLive); err != nil {
				return err
			}
			count(&u.Day, member, kind, role, budget)
			if isLive && drawn.After(live) {
				count(&u.Live, member, kind, role, budget)
			}
		}
		return rows.Err()
	})
	return u, err
}

func newUse() storage.Use {
	return storage.Use{Members: map[snowflake.ID]struct{}{}, PerRole: map[snowflake.ID]int{}, Stripped: map[snowflake.ID]struct{}{}}
}

func count(u *storage.Use, member snowflake.ID, kind string, role snowflake.ID, budget string) {
	switch budget {
	case storage.BudgetPrivileged.String():
		u.Privileged++
		return
	case storage.BudgetBlock.String():
		if role != 0 {
			u.Stripped[member] = struct{}{}
			return
		}
		u.BlockKicks++
		return
	}
	u.Members[member] = struct{}{}
	if role != 0 {
		u.Roles++
		u.PerRole[role]++
		return
	}
	if kind == "kick" || kind == "ban" {
		u.Kicks++
	}
}

const tripColumns = `id, guild_id, dimension, plan, run_id, cause, at, reset_at, reset_by, reset_reason`

func scanTrip(row Row) (t storage.Trip, err error) {
	err = row.Scan(&t.ID, &t.Guild, &t.Dimension, &t.Plan, &t.Run, toDoc{&t.Cause}, toTime{&t.At}, toTime{&t.Reset}, &t.ResetBy, &t.ResetReason)
	return t, err
}

// Trip satisfies storage.Brakes.
func (s *Store) Trip(ctx context.Context, t storage.Trip) (_ storage.Trip, err error) {
	defer wrap.Err(&err, "brakes.Trip(%d, %s)", t.Guild, t.Dimension)
	t.At, t.Reset, t.ResetBy, t.ResetReason = micro(t.At), time.Time{}, "", ""
	err = s.db.Write(ctx, func(tx Tx) error {
		t.ID, err = insert(ctx, tx, "brake_trip", []insertion{
			{"guild_id", int64(t.Guild)},
			{"dimension", t.Dimension},
			{"plan", t.Plan},
			{"run_id", t.Run},
			{"cause", doc(t.Cause)},
			{"at", when(t.At)},
			{"reset_by", ""},
			{"reset_reason", ""},
		})
		return err
	})
	return t, err
}

// OpenTrips satisfies storage.Brakes.
func (s *Store) OpenTrips(ctx context.Context, guild snowflake.ID) (trips []storage.Trip, err error) {
	defer wrap.Err(&err, "brakes.OpenTrips(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		trips, err = list(ctx, tx, scanTrip, `SELECT `+tripColumns+` FROM brake_trip WHERE guild_id = $1 AND reset_at IS NULL ORDER BY id`, int64(guild))
		return err
	})
	return trips, err
}

// Trips satisfies storage.Brakes.
func (s *Store) Trips(ctx context.Context, guild snowflake.ID, page storage.Page) (trips []storage.Trip, err error) {
	defer wrap.Err(&err, "brakes.Trips(%d)", guild)
	q := newQuery(`SELECT `+tripColumns+` FROM brake_trip WHERE guild_id = $1`, int64(guild)).newest(page)
	err = s.db.Read(ctx, func(tx Tx) error {
		trips, err = list(ctx, tx, scanTrip, q.sql.String(), q.args...)
		return err
	})
	return trips, err
}

// ResetTrip satisfies storage.Brakes.
func (s *Store) ResetTrip(ctx context.Context, guild snowflake.ID, dimension string, by storage.Author) (t storage.Trip, err error) {
	defer wrap.Err(&err, "brakes.ResetTrip(%d, %s)", guild, dimension)
	err = s.db.Write(ctx, func(tx Tx) error {
		t, err = scanTrip(tx.QueryRow(ctx, `UPDATE brake_trip SET reset_at = $3, reset_by = $4, reset_reason = $5
			WHERE guild_id = $1 AND dimension = $2 AND reset_at IS NULL RETURNING `+tripColumns,
			int64(guild), dimension, when(by.At), by.Actor, by.Reason))
		if err != nil {
			return err
		}
		before := map[string]any{"dimension": dimension, "plan": t.Plan, "run": t.Run, "at": t.At}
		return note(ctx, tx, guild, "brake_trip", dimension, before, nil, by)
	})
	return t, err
}
