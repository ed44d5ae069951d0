package relational

import (
	"context"
	"fmt"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/trail"
)

// StorePlan satisfies storage.Plans.
func (s *Store) StorePlan(ctx context.Context, p storage.Plan) (err error) {
	defer wrap.Err(&err, "plans.StorePlan(%s)", p.Digest)
	untouched := encode(p.Untouched)
	held := make([]string, len(p.Actions))
	var all []byte
	for i, a := range p.Actions {
		held[i] = encode(a.Held)
		all = append(append(all, a.Key...), 0)
		all = append(append(all, held[i]...), 0)
	}
	sum := fingerprint(all)
	return s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "plans:"+p.Guild.String()); err != nil {
			return err
		}
		stored, err := list(ctx, tx, scanText, `SELECT fingerprint FROM plan WHERE guild_id = $1 AND digest = $2`, int64(p.Guild), p.Digest)
		switch {
		case err != nil:
			return err
		case len(stored) == 0:
			_, err = tx.Exec(ctx, `INSERT INTO plan (guild_id, digest, run_id, created_at, made_at, state, document, untouched, actions, fingerprint)
				VALUES ($1, $2, $3, $4, $4, 'stored', $5, $6, $7, $8)`,
				int64(p.Guild), p.Digest, p.Run, when(p.Made), doc(p.Document), untouched, len(p.Actions), sum)
		default:
			// A clock that was set back makes no plan older than it was.
			_, err = tx.Exec(ctx, `UPDATE plan SET run_id = $3, made_at = CASE WHEN made_at > $4 THEN made_at ELSE $4 END, state = 'stored', document = $5,
				untouched = $6, fingerprint = $7 WHERE guild_id = $1 AND digest = $2`,
				int64(p.Guild), p.Digest, p.Run, when(p.Made), doc(p.Document), untouched, sum)
		}
		if err != nil || len(stored) > 0 && stored[0] == sum {
			return err
		}
		if len(stored) > 0 {
			return holdAnew(ctx, tx, p, held)
		}
		columns := []string{"guild_id", "digest", "position", "action_key", "member_id", "kind", "role_id", "held"}
		return tx.Insert(ctx, "plan_action", columns, len(p.Actions), func(i int) []any {
			a := p.Actions[i]
			return []any{int64(p.Guild), p.Digest, int64(i), a.Key, int64(a.Member), a.Kind, int64(a.Role), held[i]}
		})
	})
}

// holdAnew brings up to date what is held of a stored plan's actions. The actions themselves are what the digest stands for.
func holdAnew(ctx context.Context, tx Tx, p storage.Plan, held []string) error {
	type planned struct{ key, held string }
	stored, err := list(ctx, tx, func(row Row) (a planned, err error) {
		err = row.Scan(&a.key, &a.held)
		return a, err
	}, `SELECT action_key, held FROM plan_action WHERE guild_id = $1 AND digest = $2 ORDER BY position`, int64(p.Guild), p.Digest)
	if err != nil {
		return err
	}
	if len(stored) != len(p.Actions) {
		return storage.ErrConflict
	}
	var differ []int
	for i, a := range stored {
		if a.key != p.Actions[i].Key {
			return storage.ErrConflict
		}
		if a.held != held[i] {
			differ = append(differ, i)
		}
	}
	return tx.Repeat(ctx, `UPDATE plan_action SET held = $4 WHERE guild_id = $1 AND digest = $2 AND position = $3`, len(differ), func(i int) []any {
		return []any{int64(p.Guild), p.Digest, int64(differ[i]), held[differ[i]]}
	})
}

func scanText(row Row) (s string, err error) {
	err = row.Scan(&s)
	return s, err
}

// Plan satisfies storage.Plans.
func (s *Store) Plan(ctx context.Context, guild snowflake.ID, digest string) (p storage.Plan, err error) {
	defer wrap.Err(&err, "plans.Plan(%s)", digest)
	q := newQuery(`SELECT guild_id, digest, run_id, created_at, made_at, state, document, untouched FROM plan WHERE guild_id = $1`, int64(guild))
	if digest == "" {
		q.add("AND actions > 0 ORDER BY made_at DESC, run_id DESC LIMIT 1")
	} else {
		q.and("digest = %s", digest)
	}
	err = s.db.Read(ctx, func(tx Tx) error {
		if p, err = scanPlan(tx.QueryRow(ctx, q.sql.String(), q.args...)); err != nil {
			return err
		}
		p.Actions, err = planActions(ctx, tx, &p)
		return err
	})
	if err != nil {
		return storage.Plan{}, err
	}
	return p, nil
}

func scanPlan(row Row) (p storage.Plan, err error) {
	var state string
	err = row.Scan(&p.Guild, &p.Digest, &p.Run, toTime{&p.Created}, toTime{&p.Made}, &state, toDoc{&p.Document}, toJSON{&p.Untouched})
	if err != nil {
		return p, err
	}
	for st := storage.PlanStored; st <= storage.PlanPerformed; st++ {
		if st.String() == state {
			p.State = st
			return p, nil
		}
	}
	return p, fmt.Errorf("plan %s has the unknown state %q", p.Digest, state)
}

func planActions(ctx context.Context, tx Tx, p *storage.Plan) ([]storage.PlanAction, error) {
	last, err := endings(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	return list(ctx, tx, func(row Row) (a storage.PlanAction, err error) {
		err = row.Scan(&a.Key, &a.Member, &a.Kind, &a.Role, toJSON{&a.Held})
		a.Outcome, a.Code = last[a.Key].outcome, last[a.Key].code
		return a, err
	}, `SELECT action_key, member_id, kind, role_id, held FROM plan_action WHERE guild_id = $1 AND digest = $2 ORDER BY position`, int64(p.Guild), p.Digest)
}

// ending is what a run came to with one action.
type ending struct {
	key, outcome, code string
	run                int64
}

func scanEnding(row Row) (e ending, err error) {
	err = row.Scan(&e.key, &e.outcome, &e.code, &e.run)
	return e, err
}

// endings are the last of each action by its key. What was looked at and let be has no intention; the trail alone has it.
func endings(ctx context.Context, tx Tx, p *storage.Plan) (map[string]ending, error) {
	tried, err := list(ctx, tx, scanEnding, `SELECT action_key, outcome, code, run_id FROM action WHERE guild_id = $1 AND plan = $2 ORDER BY id`,
		int64(p.Guild), p.Digest)
	if err != nil {
		return nil, err
	}
	last := make(map[string]ending, len(tried))
	for _, e := range tried {
		last[e.key] = e
	}
	passed, err := list(ctx, tx, scanEnding, `SELECT action_key, CAST($4 AS TEXT), code, run_id FROM trail
		WHERE guild_id = $1 AND at >= $2 AND plan = $3 AND action_key <> '' AND kind = $5 ORDER BY id`,
		int64(p.Guild), when(p.Created), p.Digest, storage.OutcomeNotTried, trail.Refused.String())
	if err != nil {
		return nil, err
	}
	for _, e := range passed {
		if e.code == storage.CodeLeft {
			e.outcome = storage.OutcomeGone
		}
		if before, is := last[e.key]; !is || before.run < e.run || before.outcome == storage.OutcomeNotTried {
			last[e.key] = e
		}
	}
	return last, nil
}

// MovePlan satisfies storage.Plans.
func (s *Store) MovePlan(ctx context.Context, guild snowflake.ID, digest string, from, to storage.PlanState) (err error) {
	defer wrap.Err(&err, "plans.MovePlan(%s, %s to %s)", digest, from, to)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE plan SET state = $4 WHERE guild_id = $1 AND digest = $2 AND state = $3`, int64(guild), digest, from.String(), to.String())
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "plan WHERE guild_id = $1 AND digest = $2", int64(guild), digest)
	})
}

// GivePass satisfies storage.Plans.
func (s *Store) GivePass(ctx context.Context, p storage.Pass) (err error) {
	defer wrap.Err(&err, "plans.GivePass(%s)", p.Digest)
	if err := check(storage.Author{Actor: p.Actor, Reason: p.Reason, At: p.At}); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx Tx) error {
		// Touching the run keeps it from ending between here and the end of the transaction.
		n, err := tx.Exec(ctx, `UPDATE run SET state = state WHERE id = $1 AND guild_id = $2 AND state IN ('pending', 'running')`, p.Run, int64(p.Guild))
		if err != nil {
			return err
		}
		if err := touched(ctx, tx, n, "run WHERE id = $1 AND guild_id = $2", p.Run, int64(p.Guild)); err != nil {
			return err
		}
		_, err = insert(ctx, tx, "plan_pass", []insertion{
			{"guild_id", int64(p.Guild)},
			{"digest", p.Digest},
			{"run_id", p.Run},
			{"actor", p.Actor},
			{"reason", p.Reason},
			{"at", when(p.At)},
		})
		return err
	})
}

// OpenPass satisfies storage.Plans.
func (s *Store) OpenPass(ctx context.Context, guild snowflake.ID, digest string) (p storage.Pass, err error) {
	defer wrap.Err(&err, "plans.OpenPass(%s)", digest)
	err = s.db.Read(ctx, func(tx Tx) error {
		return tx.QueryRow(ctx, `SELECT guild_id, digest, run_id, actor, reason, at FROM plan_pass
			WHERE guild_id = $1 AND digest = $2 AND used_at IS NULL`, int64(guild), digest).
			Scan(&p.Guild, &p.Digest, &p.Run, &p.Actor, &p.Reason, toTime{&p.At})
	})
	return p, err
}
