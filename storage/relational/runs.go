package relational

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const runColumns = `id, guild_id, kind, mode, overrides, policy_version, policy, member_limit, members, actor, origin, deadline_at, dry_run, gates,
	plan, slot, state, created_at, started_at, ended_at, heartbeat_at, owner, counts, sources, digest, error_code`

func scanRun(row Row) (r storage.Run, err error) {
	var state string
	o := &r.Order
	err = row.Scan(&r.ID, &r.Guild, &o.Kind, &o.Mode, toDoc{&o.Overrides}, &o.PolicyVersion, toDoc{&o.Policy}, &o.Limit, toJSON{&o.Members}, &o.Actor, &o.Origin,
		toTime{&o.Deadline}, &o.DryRun, toDoc{&o.Gates}, &o.Plan, toText{&o.Slot}, &state, toTime{&r.Created}, toTime{&r.Started}, toTime{&r.Ended},
		toTime{&r.Heartbeat}, &r.Owner, toDoc{&r.Counts}, toDoc{&r.Sources}, &r.Digest, &r.Error)
	if err != nil {
		return storage.Run{}, err
	}
	var known bool
	if r.State, known = storage.ParseRunState(state); !known {
		return storage.Run{}, fmt.Errorf("run %d has the unknown state %q", r.ID, state)
	}
	return r, nil
}

// CreateRun satisfies storage.Runs.
func (s *Store) CreateRun(ctx context.Context, guild snowflake.ID, o storage.Order, at time.Time) (r storage.Run, err error) {
	defer wrap.Err(&err, "runs.CreateRun(%d, %s)", guild, o.Kind)
	var members any
	if o.Members != nil {
		members = encode(o.Members)
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		id, err := insert(ctx, tx, "run", []insertion{
			{"guild_id", int64(guild)},
			{"kind", o.Kind},
			{"mode", o.Mode},
			{"overrides", doc(o.Overrides)},
			{"policy_version", o.PolicyVersion},
			{"policy", doc(o.Policy)},
			{"member_limit", o.Limit},
			{"members", members},
			{"actor", o.Actor},
			{"origin", o.Origin},
			{"deadline_at", when(o.Deadline)},
			{"dry_run", o.DryRun},
			{"gates", doc(o.Gates)},
			{"plan", o.Plan},
			{"slot", text(o.Slot)},
			{"state", storage.Pending.String()},
			{"created_at", when(at)},
			{"owner", ""},
			{"digest", ""},
			{"error_code", ""},
		})
		if err != nil {
			return err
		}
		r, err = readRun(ctx, tx, id)
		return err
	})
	return r, err
}

// MoveRun satisfies storage.Runs.
func (s *Store) MoveRun(ctx context.Context, m storage.Move) (r storage.Run, err error) {
	defer wrap.Err(&err, "runs.MoveRun(%d, %s to %s)", m.Run, m.From, m.To)
	err = s.db.Write(ctx, func(tx Tx) error {
		if r, err = readRun(ctx, tx, m.Run); err != nil {
			return err
		}
		if r.State != m.From || !m.From.MayBecome(m.To) {
			return storage.ErrConflict
		}
		started, ended, owner, beat := r.Started, micro(m.At), "", r.Heartbeat
		if m.To == storage.Running {
			ended, owner, beat = time.Time{}, m.Owner, m.At
			if started.IsZero() {
				started = m.At
			}
		}
		n, err := tx.Exec(ctx, `UPDATE run SET state = $3, started_at = $4, ended_at = $5, heartbeat_at = $6, owner = $7,
			counts = COALESCE($8, counts), sources = COALESCE($9, sources), digest = COALESCE($10, digest), error_code = $11
			WHERE id = $1 AND state = $2`,
			m.Run, m.From.String(), m.To.String(), when(started), when(ended), when(beat), owner, doc(m.Counts), doc(m.Sources), text(m.Digest), m.Error)
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrConflict
		}
		if m.To.IsEnd() {
			if _, err := tx.Exec(ctx, `UPDATE plan_pass SET used_at = $2 WHERE run_id = $1 AND used_at IS NULL`, m.Run, when(m.At)); err != nil {
				return err
			}
		}
		r, err = readRun(ctx, tx, m.Run)
		return err
	})
	if err != nil {
		return storage.Run{}, err
	}
	return r, nil
}

// BeatRun satisfies storage.Runs.
func (s *Store) BeatRun(ctx context.Context, run int64, owner string, at time.Time, counts json.RawMessage) (err error) {
	defer wrap.Err(&err, "runs.BeatRun(%d)", run)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE run SET heartbeat_at = $3, counts = COALESCE($4, counts) WHERE id = $1 AND owner = $2 AND state = 'running'`,
			run, owner, when(at), doc(counts))
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "run WHERE id = $1", run)
	})
}

// Run satisfies storage.Runs.
func (s *Store) Run(ctx context.Context, run int64) (r storage.Run, err error) {
	defer wrap.Err(&err, "runs.Run(%d)", run)
	err = s.db.Read(ctx, func(tx Tx) error {
		r, err = readRun(ctx, tx, run)
		return err
	})
	return r, err
}

func readRun(ctx context.Context, tx Tx, run int64) (storage.Run, error) {
	return scanRun(tx.QueryRow(ctx, `SELECT `+runColumns+` FROM run WHERE id = $1`, run))
}

// Runs satisfies storage.Runs.
func (s *Store) Runs(ctx context.Context, guild snowflake.ID, f storage.RunFilter) (runs []storage.Run, err error) {
	defer wrap.Err(&err, "runs.Runs(%d)", guild)
	q := newQuery(`SELECT `+runColumns+` FROM run WHERE guild_id = $1`, int64(guild))
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, state := range f.States {
			states[i] = state.String()
		}
		q.in("state", states)
	}
	if f.Kind != "" {
		q.and("kind = %s", f.Kind)
	}
	q.newest(f.Page)
	err = s.db.Read(ctx, func(tx Tx) error {
		runs, err = list(ctx, tx, scanRun, q.sql.String(), q.args...)
		return err
	})
	return runs, err
}
