package relational

import (
	"context"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const acknowledgementColumns = `id, guild_id, run_id, digest, policy_version, fingerprint, bot_id, kinds, actor, reason, at, rearmed_at, rearmed_by, rearmed_reason`

func scanAcknowledgement(row Row) (a storage.Acknowledgement, err error) {
	err = row.Scan(&a.ID, &a.Guild, &a.Run, &a.Digest, &a.PolicyVersion, &a.Fingerprint, &a.Bot, toJSON{&a.Kinds}, &a.Actor, &a.Reason, toTime{&a.At},
		toTime{&a.Rearmed}, &a.RearmedBy, &a.RearmedReason)
	return a, err
}

// acknowledged is what the configuration change says of an acknowledgement.
func acknowledged(a storage.Acknowledgement) map[string]any {
	return map[string]any{
		"run": a.Run, "digest": a.Digest, "policy_version": a.PolicyVersion, "fingerprint": a.Fingerprint, "bot": a.Bot, "kinds": a.Kinds,
		"actor": a.Actor, "at": a.At,
	}
}

// Acknowledge satisfies storage.Gates.
func (s *Store) Acknowledge(ctx context.Context, a storage.Acknowledgement, origin string) (_ storage.Acknowledgement, err error) {
	defer wrap.Err(&err, "gates.Acknowledge(%d, run %d)", a.Guild, a.Run)
	a.At, a.Rearmed, a.RearmedBy, a.RearmedReason = micro(a.At), time.Time{}, "", ""
	by := storage.Author{Actor: a.Actor, Origin: origin, Reason: a.Reason, At: a.At}
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "gates:"+a.Guild.String()); err != nil {
			return err
		}
		var run int64
		if err := tx.QueryRow(ctx, `SELECT id FROM run WHERE id = $1 AND guild_id = $2`, a.Run, int64(a.Guild)).Scan(&run); err != nil {
			return err
		}
		var before any
		switch earlier, err := rearm(ctx, tx, a.Guild, storage.Author{Actor: a.Actor, Reason: "acknowledged anew", At: a.At}); {
		case err == nil:
			before = acknowledged(earlier)
		case !errors.Is(err, storage.ErrNotFound):
			return err
		}
		a.ID, err = insert(ctx, tx, "acknowledgement", []insertion{
			{"guild_id", int64(a.Guild)},
			{"run_id", a.Run},
			{"digest", a.Digest},
			{"policy_version", a.PolicyVersion},
			{"fingerprint", a.Fingerprint},
			{"bot_id", int64(a.Bot)},
			{"kinds", encode(a.Kinds)},
			{"actor", a.Actor},
			{"reason", a.Reason},
			{"at", when(a.At)},
			{"rearmed_by", ""},
			{"rearmed_reason", ""},
		})
		if err != nil {
			return err
		}
		return note(ctx, tx, a.Guild, "acknowledgement", "", before, acknowledged(a), by)
	})
	if err != nil {
		return storage.Acknowledgement{}, err
	}
	return a, nil
}

func rearm(ctx context.Context, tx Tx, guild snowflake.ID, by storage.Author) (storage.Acknowledgement, error) {
	return scanAcknowledgement(tx.QueryRow(ctx, `UPDATE acknowledgement SET rearmed_at = $2, rearmed_by = $3, rearmed_reason = $4
		WHERE guild_id = $1 AND rearmed_at IS NULL RETURNING `+acknowledgementColumns, int64(guild), when(by.At), by.Actor, by.Reason))
}

// Acknowledged satisfies storage.Gates.
func (s *Store) Acknowledged(ctx context.Context, guild snowflake.ID) (a storage.Acknowledgement, err error) {
	defer wrap.Err(&err, "gates.Acknowledged(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		a, err = scanAcknowledgement(tx.QueryRow(ctx, `SELECT `+acknowledgementColumns+` FROM acknowledgement WHERE guild_id = $1 AND rearmed_at IS NULL`, int64(guild)))
		return err
	})
	return a, err
}

// Rearm satisfies storage.Gates.
func (s *Store) Rearm(ctx context.Context, guild snowflake.ID, by storage.Author) (err error) {
	defer wrap.Err(&err, "gates.Rearm(%d)", guild)
	return s.db.Write(ctx, func(tx Tx) error {
		a, err := rearm(ctx, tx, guild, by)
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, "acknowledgement", "", acknowledged(a), nil, by)
	})
}

const pauseColumns = `id, guild_id, actor, reason, at, ended_at, ended_by, ended_reason`

func scanPause(row Row) (p storage.Pause, err error) {
	err = row.Scan(&p.ID, &p.Guild, &p.Actor, &p.Reason, toTime{&p.At}, toTime{&p.Ended}, &p.EndedBy, &p.EndedReason)
	return p, err
}

// Pause satisfies storage.Gates.
func (s *Store) Pause(ctx context.Context, guild snowflake.ID, by storage.Author) (p storage.Pause, err error) {
	defer wrap.Err(&err, "gates.Pause(%d)", guild)
	err = s.db.Write(ctx, func(tx Tx) error {
		p = storage.Pause{Guild: guild, Actor: by.Actor, Reason: by.Reason, At: micro(by.At)}
		p.ID, err = insert(ctx, tx, "pause", []insertion{
			{"guild_id", int64(guild)},
			{"actor", by.Actor},
			{"reason", by.Reason},
			{"at", when(by.At)},
			{"ended_by", ""},
			{"ended_reason", ""},
		})
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, "pause", "", nil, map[string]any{"paused": true}, by)
	})
	if err != nil {
		return storage.Pause{}, err
	}
	return p, nil
}

// Unpause satisfies storage.Gates.
func (s *Store) Unpause(ctx context.Context, guild snowflake.ID, by storage.Author) (p storage.Pause, err error) {
	defer wrap.Err(&err, "gates.Unpause(%d)", guild)
	err = s.db.Write(ctx, func(tx Tx) error {
		p, err = scanPause(tx.QueryRow(ctx, `UPDATE pause SET ended_at = $2, ended_by = $3, ended_reason = $4
			WHERE guild_id = $1 AND ended_at IS NULL RETURNING `+pauseColumns, int64(guild), when(by.At), by.Actor, by.Reason))
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, "pause", "", map[string]any{"paused": true, "actor": p.Actor, "reason": p.Reason, "at": p.At}, nil, by)
	})
	return p, err
}

// Paused satisfies storage.Gates.
func (s *Store) Paused(ctx context.Context, guild snowflake.ID) (p storage.Pause, err error) {
	defer wrap.Err(&err, "gates.Paused(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		p, err = scanPause(tx.QueryRow(ctx, `SELECT `+pauseColumns+` FROM pause WHERE guild_id = $1 AND ended_at IS NULL`, int64(guild)))
		return err
	})
	return p, err
}
