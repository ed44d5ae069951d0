package relational

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const refusedByAllowance = "rate_limited"

// Admit satisfies storage.Invocations.
func (s *Store) Admit(ctx context.Context, v storage.Invocation, most int) (_ storage.Invocation, err error) {
	defer wrap.Err(&err, "invocations.Admit(%s, %s)", v.User, v.Command)
	var spent *storage.AllowanceError
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "invocation:"+v.Guild.String()+":"+v.User); err != nil {
			return err
		}
		accepted, err := list(ctx, tx, func(row Row) (t time.Time, err error) {
			err = row.Scan(toTime{&t})
			return t, err
		}, `SELECT first_at FROM invocation WHERE guild_id = $1 AND user_ref = $2 AND accepted AND counted AND first_at > $3 ORDER BY first_at, id`,
			int64(v.Guild), v.User, micro(v.First).Add(-storage.AllowanceWindow))
		if err != nil {
			return err
		}
		if most > 0 && len(accepted) >= most {
			spent = &storage.AllowanceError{Used: len(accepted), Max: most, FreeAt: accepted[len(accepted)-most].Add(storage.AllowanceWindow)}
			v.Refusal = refusedByAllowance
			v, err = refuse(ctx, tx, v)
			return err
		}
		v, err = accept(ctx, tx, v, true)
		return err
	})
	if err == nil && spent != nil {
		err = spent
	}
	return v, err
}

// Accept satisfies storage.Invocations.
func (s *Store) Accept(ctx context.Context, v storage.Invocation) (_ storage.Invocation, err error) {
	defer wrap.Err(&err, "invocations.Accept(%s, %s)", v.User, v.Command)
	err = s.db.Write(ctx, func(tx Tx) error {
		v, err = accept(ctx, tx, v, false)
		return err
	})
	return v, err
}

func accept(ctx context.Context, tx Tx, v storage.Invocation, counted bool) (_ storage.Invocation, err error) {
	v.Accepted, v.Counted, v.Refusal, v.Count = true, counted, "", 1
	return addInvocation(ctx, tx, v)
}

func addInvocation(ctx context.Context, tx Tx, v storage.Invocation) (_ storage.Invocation, err error) {
	v.First = micro(v.First)
	v.Last = v.First
	v.ID, err = insert(ctx, tx, "invocation", []insertion{
		{"guild_id", int64(v.Guild)},
		{"user_ref", v.User},
		{"command", v.Command},
		{"args", v.Args},
		{"origin", v.Origin},
		{"accepted", v.Accepted},
		{"refusal", v.Refusal},
		{"counted", v.Counted},
		{"attempts", v.Count},
		{"first_at", when(v.First)},
		{"last_at", when(v.Last)},
		{"run_id", v.Run},
	})
	return v, err
}

// Refuse satisfies storage.Invocations.
func (s *Store) Refuse(ctx context.Context, v storage.Invocation) (_ storage.Invocation, err error) {
	defer wrap.Err(&err, "invocations.Refuse(%s, %s)", v.User, v.Command)
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "invocation:"+v.Guild.String()+":"+v.User); err != nil {
			return err
		}
		v, err = refuse(ctx, tx, v)
		return err
	})
	return v, err
}

func refuse(ctx context.Context, tx Tx, v storage.Invocation) (storage.Invocation, error) {
	v.Accepted, v.Counted, v.Count, v.Run = false, false, 1, 0
	merged, err := list(ctx, tx, scanInvocation, `SELECT `+invocationColumns+` FROM invocation
		WHERE guild_id = $1 AND user_ref = $2 AND command = $3 AND refusal = $4 AND NOT accepted AND first_at > $5 AND first_at <= $6
		ORDER BY first_at DESC, id DESC LIMIT 1`,
		int64(v.Guild), v.User, v.Command, v.Refusal, micro(v.First).Add(-storage.RefusalMerge), micro(v.First))
	if err != nil {
		return v, err
	}
	if len(merged) == 0 {
		return addInvocation(ctx, tx, v)
	}
	return scanInvocation(tx.QueryRow(ctx, `UPDATE invocation SET attempts = attempts + 1, last_at = $2 WHERE id = $1 RETURNING `+invocationColumns,
		merged[0].ID, when(v.First)))
}

// StartedRun satisfies storage.Invocations.
func (s *Store) StartedRun(ctx context.Context, id, run int64) (err error) {
	defer wrap.Err(&err, "invocations.StartedRun(%d, %d)", id, run)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE invocation SET run_id = $2 WHERE id = $1 AND run_id = 0 AND accepted`, id, run)
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "invocation WHERE id = $1", id)
	})
}

const invocationColumns = `id, guild_id, user_ref, command, args, origin, accepted, refusal, counted, attempts, first_at, last_at, run_id`

func scanInvocation(row Row) (v storage.Invocation, err error) {
	err = row.Scan(&v.ID, &v.Guild, &v.User, &v.Command, &v.Args, &v.Origin, &v.Accepted, &v.Refusal, &v.Counted, &v.Count, toTime{&v.First}, toTime{&v.Last}, &v.Run)
	return v, err
}

// Invocations satisfies storage.Invocations.
func (s *Store) Invocations(ctx context.Context, guild snowflake.ID, f storage.InvocationFilter) (all []storage.Invocation, err error) {
	defer wrap.Err(&err, "invocations.Invocations(%d)", guild)
	q := newQuery(`SELECT `+invocationColumns+` FROM invocation WHERE guild_id = $1`, int64(guild))
	if f.User != "" {
		q.and("user_ref = %s", f.User)
	}
	if f.Refused {
		q.add("AND NOT accepted")
	}
	q.newest(f.Page)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanInvocation, q.sql.String(), q.args...)
		return err
	})
	return all, err
}
