package relational

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const commandColumns = `id, guild_id, kind, args, actor, created_at, taken_by, taken_at, finished_at, result, failure`

func scanCommand(row Row) (c storage.Command, err error) {
	err = row.Scan(&c.ID, &c.Guild, &c.Kind, toDoc{&c.Args}, &c.Actor, toTime{&c.Created}, &c.TakenBy, toTime{&c.Taken}, toTime{&c.Finished}, toDoc{&c.Result}, &c.Error)
	return c, err
}

// AskOwner satisfies storage.Commands.
func (s *Store) AskOwner(ctx context.Context, c storage.Command) (_ storage.Command, err error) {
	defer wrap.Err(&err, "commands.AskOwner(%s)", c.Kind)
	c = storage.Command{Guild: c.Guild, Kind: c.Kind, Args: c.Args, Actor: c.Actor, Created: micro(c.Created)}
	err = s.db.Write(ctx, func(tx Tx) error {
		c.ID, err = insert(ctx, tx, "command", []insertion{
			{"guild_id", int64(c.Guild)},
			{"kind", c.Kind},
			{"args", doc(c.Args)},
			{"actor", c.Actor},
			{"created_at", when(c.Created)},
			{"taken_by", ""},
			{"failure", ""},
		})
		return err
	})
	return c, err
}

// TakeCommands satisfies storage.Commands. It writes only when there is something to take: an owner asks every second.
func (s *Store) TakeCommands(ctx context.Context, fence storage.Fence, guild snowflake.ID, at time.Time) (taken []storage.Command, err error) {
	defer wrap.Err(&err, "commands.TakeCommands(%d)", guild)
	waiting := false
	err = s.db.Read(ctx, func(tx Tx) error {
		if err := tx.Fenced(ctx, fence); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM command WHERE finished_at IS NULL AND taken_by <> $1)`, fence.Owner).Scan(&waiting)
	})
	if err != nil || !waiting {
		return nil, err
	}
	q := newQuery(`UPDATE command SET taken_by = $1, taken_at = $2 WHERE finished_at IS NULL AND taken_by <> $1`, fence.Owner, when(at))
	if guild != 0 {
		q.and("guild_id = %s", int64(guild))
	}
	q.add("RETURNING " + commandColumns)
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Fenced(ctx, fence); err != nil {
			return err
		}
		taken, err = list(ctx, tx, scanCommand, q.sql.String(), q.args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	sortBy(taken, func(a, b storage.Command) int { return cmp.Compare(a.ID, b.ID) })
	return taken, nil
}

// ReportProgress satisfies storage.Commands.
func (s *Store) ReportProgress(ctx context.Context, id int64, owner string, at time.Time, data json.RawMessage) (err error) {
	defer wrap.Err(&err, "commands.ReportProgress(%d)", id)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO command_progress (guild_id, command_id, at, data)
			SELECT guild_id, id, $3, $4 FROM command WHERE id = $1 AND taken_by = $2 AND finished_at IS NULL`, id, owner, when(at), doc(data))
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "command WHERE id = $1", id)
	})
}

// FinishCommand satisfies storage.Commands.
func (s *Store) FinishCommand(ctx context.Context, id int64, owner string, at time.Time, result json.RawMessage, failure string) (err error) {
	defer wrap.Err(&err, "commands.FinishCommand(%d)", id)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE command SET finished_at = $3, result = $4, failure = $5 WHERE id = $1 AND taken_by = $2 AND finished_at IS NULL`,
			id, owner, when(at), doc(result), failure)
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "command WHERE id = $1", id)
	})
}

// WithdrawCommand satisfies storage.Commands.
func (s *Store) WithdrawCommand(ctx context.Context, id int64, at time.Time) (err error) {
	defer wrap.Err(&err, "commands.WithdrawCommand(%d)", id)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE command SET finished_at = $2, failure = 'withdrawn' WHERE id = $1 AND taken_by = '' AND finished_at IS NULL`, id, when(at))
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "command WHERE id = $1", id)
	})
}

// FollowCommand satisfies storage.Commands.
func (s *Store) FollowCommand(ctx context.Context, id, after int64) (c storage.Command, lines []storage.Progress, err error) {
	defer wrap.Err(&err, "commands.FollowCommand(%d)", id)
	err = s.db.Read(ctx, func(tx Tx) error {
		if c, err = scanCommand(tx.QueryRow(ctx, `SELECT `+commandColumns+` FROM command WHERE id = $1`, id)); err != nil {
			return err
		}
		lines, err = list(ctx, tx, func(row Row) (p storage.Progress, err error) {
			err = row.Scan(&p.ID, &p.Command, toTime{&p.At}, toDoc{&p.Data})
			return p, err
		}, `SELECT id, command_id, at, data FROM command_progress WHERE command_id = $1 AND id > $2 ORDER BY id`, id, after)
		return err
	})
	return c, lines, err
}
