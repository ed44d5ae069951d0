package relational

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const blockColumns = `id, revision, guild_id, scope, value, reason, message, status, rule, owner, evidence, started_at, ends_at, closed_at, closed_by, closed_reason, also`

func scanBlock(row Row) (b storage.Block, err error) {
	var also string
	if err = row.Scan(&b.ID, &b.Revision, &b.Guild, &b.Scope, &b.Value, &b.Reason, &b.Message, &b.Status, &b.Rule, &b.Owner, toDoc{&b.Evidence},
		toTime{&b.Start}, toTime{&b.End}, toTime{&b.Closed}, &b.ClosedBy, &b.ClosedReason, &also); err != nil {
		return b, err
	}
	b.Also, err = enforcement.ParseAlso(also)
	return b, err
}

// revise takes the next revision and announces it. Its row stays locked until the transaction ends, so commits are in the order of
// revisions.
func revise(ctx context.Context, tx Tx) (revision int64, err error) {
	if err := tx.QueryRow(ctx, `UPDATE block_revision SET revision = revision + 1 WHERE id = 1 RETURNING revision`).Scan(&revision); err != nil {
		return 0, err
	}
	return revision, tx.Announce(ctx, revision)
}

// errKept ends a transaction that has nothing to write: its revision is taken back, and nobody is told.
var errKept = errors.New("the block in force holds as long")

// openBlock is the block of a subject that is not closed; it may be over.
func openBlock(ctx context.Context, tx Tx, guild snowflake.ID, scope, value string) (storage.Block, error) {
	return scanBlock(tx.QueryRow(ctx, `SELECT `+blockColumns+` FROM block WHERE guild_id = $1 AND scope = $2 AND value = $3 AND closed_at IS NULL`,
		int64(guild), scope, value))
}

// tell adds a line to the history.
func tell(ctx context.Context, tx Tx, kind string, b storage.Block, by storage.Author) error {
	_, err := insert(ctx, tx, "block_history", []insertion{
		{"block_id", b.ID},
		{"guild_id", int64(b.Guild)},
		{"scope", b.Scope},
		{"value", b.Value},
		{"also", b.Also.String()},
		{"kind", kind},
		{"rule", b.Rule},
		{"ends_at", when(b.End)},
		{"actor", by.Actor},
		{"origin", by.Origin},
		{"reason", by.Reason},
		{"at", when(by.At)},
	})
	return err
}

// Block satisfies storage.Blocks.
func (s *Store) Block(ctx context.Context, b storage.Block, by storage.Author) (_ storage.Block, change storage.BlockChange, err error) {
	defer wrap.Err(&err, "blocks.Block(%d, %s)", b.Guild, b.Scope)
	if err := check(by); err != nil {
		return storage.Block{}, 0, err
	}
	b.Start, b.End, b.Owner, b.Reason = micro(by.At), micro(b.End), by.Actor, by.Reason
	b.Closed, b.ClosedBy, b.ClosedReason = time.Time{}, "", ""
	err = s.db.Write(ctx, func(tx Tx) error {
		revision, err := revise(ctx, tx)
		if err != nil {
			return err
		}
		b.Revision = revision
		old, err := openBlock(ctx, tx, b.Guild, b.Scope, b.Value)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return err
		case !old.InForce(b.Start):
			if err := endBlock(ctx, tx, old, by); err != nil {
				return err
			}
		default:
			if old.End.IsZero() || (!b.End.IsZero() && !b.End.After(old.End)) {
				b.End = old.End
			}
			b.Also = max(b.Also, old.Also)
			if b.End.Equal(old.End) && b.Also == old.Also {
				b, change = old, storage.BlockKept
				return errKept
			}
			rule := b.Rule
			if b, err = moveEnd(ctx, tx, old.ID, b.End, b.Also, revision); err != nil {
				return err
			}
			change = storage.BlockExtended
			line := b
			line.Rule = rule
			return tell(ctx, tx, "extended", line, by)
		}
		change = storage.BlockMade
		if b.ID, err = insert(ctx, tx, "block", []insertion{
			{"revision", b.Revision},
			{"guild_id", int64(b.Guild)},
			{"scope", b.Scope},
			{"value", b.Value},
			{"also", b.Also.String()},
			{"reason", b.Reason},
			{"message", b.Message},
			{"status", b.Status},
			{"rule", b.Rule},
			{"owner", b.Owner},
			{"evidence", doc(b.Evidence)},
			{"started_at", when(b.Start)},
			{"ends_at", when(b.End)},
			{"closed_by", ""},
			{"closed_reason", ""},
		}); err != nil {
			return err
		}
		return tell(ctx, tx, "made", b, by)
	})
	if err != nil && !errors.Is(err, errKept) {
		return storage.Block{}, 0, err
	}
	return b, change, nil
}

// endBlock closes a block that is over, so that another can follow.
func endBlock(ctx context.Context, tx Tx, b storage.Block, by storage.Author) error {
	if _, err := tx.Exec(ctx, `UPDATE block SET closed_at = ends_at WHERE id = $1`, b.ID); err != nil {
		return err
	}
	by.Reason = "its time was over"
	return tell(ctx, tx, "ended", b, by)
}

func moveEnd(ctx context.Context, tx Tx, id int64, end time.Time, also enforcement.Also, revision int64) (storage.Block, error) {
	return scanBlock(tx.QueryRow(ctx, `UPDATE block SET ends_at = $2, also = $3, revision = $4 WHERE id = $1 RETURNING `+blockColumns,
		id, when(end), also.String(), revision))
}

// ShortenBlock satisfies storage.Blocks.
func (s *Store) ShortenBlock(ctx context.Context, guild snowflake.ID, scope, value string, end time.Time, by storage.Author) (b storage.Block, err error) {
	defer wrap.Err(&err, "blocks.ShortenBlock(%d, %s)", guild, scope)
	if err := check(by); err != nil {
		return storage.Block{}, err
	}
	end = micro(end)
	err = s.db.Write(ctx, func(tx Tx) error {
		revision, err := revise(ctx, tx)
		if err != nil {
			return err
		}
		old, err := openBlock(ctx, tx, guild, scope, value)
		switch {
		case err != nil:
			return err
		case !old.InForce(micro(by.At)):
			return storage.ErrNotFound
		case end.IsZero() || (!old.End.IsZero() && !end.Before(old.End)):
			return storage.ErrConflict
		}
		if b, err = moveEnd(ctx, tx, old.ID, end, old.Also, revision); err != nil {
			return err
		}
		return tell(ctx, tx, "shortened", b, by)
	})
	return b, err
}

// Unblock satisfies storage.Blocks.
func (s *Store) Unblock(ctx context.Context, guild snowflake.ID, scope, value string, by storage.Author) (b storage.Block, err error) {
	defer wrap.Err(&err, "blocks.Unblock(%d, %s)", guild, scope)
	if err := check(by); err != nil {
		return storage.Block{}, err
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		revision, err := revise(ctx, tx)
		if err != nil {
			return err
		}
		old, err := openBlock(ctx, tx, guild, scope, value)
		if err != nil {
			return err
		}
		if !old.InForce(micro(by.At)) {
			return storage.ErrNotFound
		}
		if b, err = scanBlock(tx.QueryRow(ctx, `UPDATE block SET closed_at = $2, closed_by = $3, closed_reason = $4, revision = $5 WHERE id = $1 RETURNING `+blockColumns,
			old.ID, when(by.At), by.Actor, by.Reason, revision)); err != nil {
			return err
		}
		return tell(ctx, tx, "revoked", b, by)
	})
	return b, err
}

// RefuseBlock satisfies storage.Blocks.
func (s *Store) RefuseBlock(ctx context.Context, b storage.Block, by storage.Author) (err error) {
	defer wrap.Err(&err, "blocks.RefuseBlock(%d, %s)", b.Guild, b.Scope)
	if err := check(by); err != nil {
		return err
	}
	b.ID = 0
	return s.db.Write(ctx, func(tx Tx) error { return tell(ctx, tx, "refused", b, by) })
}

// BlocksSince satisfies storage.BlockReads.
func (s *Store) BlocksSince(ctx context.Context, revision int64, each func(storage.Block) error) (newest int64, err error) {
	defer wrap.Err(&err, "blocks.BlocksSince(%d)", revision)
	newest = revision
	if revision == 0 {
		return s.everyBlock(ctx, each)
	}
	err = s.db.Read(ctx, func(tx Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+blockColumns+` FROM block WHERE revision > $1 ORDER BY revision`, revision)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b, err := scanBlock(rows)
			if err != nil {
				return err
			}
			if err := each(b); err != nil {
				return err
			}
			newest = max(newest, b.Revision)
		}
		return rows.Err()
	})
	return newest, err
}

// Blocks satisfies storage.BlockReads.
func (s *Store) Blocks(ctx context.Context, f storage.BlockFilter) (blocks []storage.Block, err error) {
	defer wrap.Err(&err, "blocks.Blocks")
	q := newQuery(`SELECT ` + blockColumns + ` FROM block WHERE 1 = 1`)
	if f.Guild != nil {
		q.and("guild_id = %s", int64(*f.Guild))
	}
	if f.Scope != "" {
		q.and("scope = %s", f.Scope)
	}
	if f.Value != "" {
		q.and("value = %s", f.Value)
	}
	if !f.InForce.IsZero() {
		q.and("closed_at IS NULL AND (ends_at IS NULL OR ends_at > %s)", when(f.InForce))
	}
	q.newest(f.Page)
	err = s.db.Read(ctx, func(tx Tx) error {
		blocks, err = list(ctx, tx, scanBlock, q.sql.String(), q.args...)
		return err
	})
	return blocks, err
}

// ActingBlocks satisfies storage.BlockReads.
func (s *Store) ActingBlocks(ctx context.Context, guild snowflake.ID, at time.Time, members []snowflake.ID) (blocks []storage.Block, err error) {
	defer wrap.Err(&err, "blocks.ActingBlocks(%d)", guild)
	q := newQuery(`SELECT `+blockColumns+` FROM block WHERE closed_at IS NULL AND also <> 'none'`).
		and("guild_id IN (0, %s) AND (ends_at IS NULL OR ends_at > %s)", int64(guild), when(at))
	if members != nil {
		marks, values := []string{"''"}, make([]any, 0, 2*len(members))
		for _, m := range members {
			marks, values = append(marks, "%s", "%s"), append(values, m.String(), guild.String()+":"+m.String())
		}
		q.and("(scope = 'account' OR value IN ("+strings.Join(marks, ", ")+"))", values...)
	}
	q.add("ORDER BY id")
	err = s.db.Read(ctx, func(tx Tx) error {
		blocks, err = list(ctx, tx, scanBlock, q.sql.String(), q.args...)
		return err
	})
	return blocks, err
}

// BlockHistory satisfies storage.BlockReads.
func (s *Store) BlockHistory(ctx context.Context, guild snowflake.ID, scope, value string, page storage.Page) (lines []storage.BlockEntry, err error) {
	defer wrap.Err(&err, "blocks.BlockHistory(%d, %s)", guild, scope)
	q := newQuery(`SELECT id, block_id, guild_id, scope, value, also, kind, rule, ends_at, actor, origin, reason, at FROM block_history
		WHERE guild_id = $1 AND scope = $2 AND value = $3`, int64(guild), scope, value).newest(page)
	err = s.db.Read(ctx, func(tx Tx) error {
		lines, err = list(ctx, tx, func(row Row) (e storage.BlockEntry, err error) {
			var also string
			if err = row.Scan(&e.ID, &e.Block, &e.Guild, &e.Scope, &e.Value, &also, &e.Kind, &e.Rule, toTime{&e.End}, &e.Actor, &e.Origin, &e.Reason,
				toTime{&e.At}); err != nil {
				return e, err
			}
			e.Also, err = enforcement.ParseAlso(also)
			return e, err
		}, q.sql.String(), q.args...)
		return err
	})
	return lines, err
}

// BlockStrikes satisfies storage.BlockReads.
func (s *Store) BlockStrikes(ctx context.Context, guild snowflake.ID, scope, value, rule string, after time.Time) (n int, err error) {
	defer wrap.Err(&err, "blocks.BlockStrikes(%d, %s, %s)", guild, scope, rule)
	err = s.db.Read(ctx, func(tx Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM block_history WHERE guild_id = $1 AND scope = $2 AND value = $3 AND rule = $4 AND at > $5
			AND kind IN ('made', 'extended')`, int64(guild), scope, value, rule, when(after)).Scan(&n)
	})
	return n, err
}
