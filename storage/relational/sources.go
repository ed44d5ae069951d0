package relational

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const healthyVerdict = "healthy"

// NoteRead satisfies storage.Sources.
func (s *Store) NoteRead(ctx context.Context, r storage.SourceRead) (differ []storage.AccountRevision, err error) {
	defer wrap.Err(&err, "sources.NoteRead(%s)", r.Source)
	r.At = micro(r.At)
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "source:"+r.Source); err != nil {
			return err
		}
		last, accountsAt, err := lastRead(ctx, tx, r.Source)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if err == nil && !last.At.Before(r.At) {
			return storage.ErrConflict
		}
		if r.Accounts != nil {
			if differ, err = noteAccounts(ctx, tx, r, accountsAt.IsZero()); err != nil {
				return err
			}
			accountsAt = r.At
		}
		_, err = tx.Exec(ctx, `INSERT INTO source_read (source, fingerprint, edition, at, accounts_at, verdict, reasons, counts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (source) DO UPDATE SET fingerprint = excluded.fingerprint, edition = excluded.edition, at = excluded.at,
				accounts_at = excluded.accounts_at, verdict = excluded.verdict, reasons = excluded.reasons, counts = excluded.counts`,
			r.Source, r.Fingerprint, r.Edition, when(r.At), when(accountsAt), r.Verdict, encode(r.Reasons), encode(r.Counts))
		if err != nil || r.Verdict != healthyVerdict {
			return err
		}
		return noteHealthy(ctx, tx, r)
	})
	if err != nil {
		return nil, err
	}
	return differ, nil
}

func lastRead(ctx context.Context, tx Tx, source string) (r storage.SourceRead, accountsAt time.Time, err error) {
	err = tx.QueryRow(ctx, `SELECT source, fingerprint, edition, at, accounts_at, verdict, reasons, counts FROM source_read WHERE source = $1`, source).
		Scan(&r.Source, &r.Fingerprint, &r.Edition, toTime{&r.At}, toTime{&accountsAt}, &r.Verdict, toJSON{&r.Reasons}, toJSON{&r.Counts})
	return r, accountsAt, err
}

// noteAccounts brings the stored revisions up to date, writing only those that differ.
func noteAccounts(ctx context.Context, tx Tx, r storage.SourceRead, first bool) ([]storage.AccountRevision, error) {
	byUser := func(a, b storage.AccountRevision) int { return cmp.Compare(a.User, b.User) }
	accounts := r.Accounts
	if !slices.IsSortedFunc(accounts, byUser) {
		accounts = slices.SortedFunc(slices.Values(accounts), byUser)
	}
	fresh, changed, err := compareAccounts(ctx, tx, r.Source, accounts)
	if err != nil {
		return nil, err
	}
	at := r.At
	if first {
		at = time.Time{}
	}
	err = tx.Insert(ctx, "source_account", []string{"source", "user_id", "discord_id", "revision", "changed_at"}, len(fresh), func(i int) []any {
		a := accounts[fresh[i]]
		return []any{r.Source, a.User, int64(a.Discord), int64(a.Revision), when(at)}
	})
	if err != nil {
		return nil, err
	}
	err = tx.Repeat(ctx, `UPDATE source_account SET discord_id = $3, revision = $4, changed_at = $5 WHERE source = $1 AND user_id = $2`, len(changed), func(i int) []any {
		return []any{r.Source, changed[i].User, int64(changed[i].Discord), int64(changed[i].Revision), when(r.At)}
	})
	if err != nil || first {
		return nil, err
	}
	if err := noteMoves(ctx, tx, r, changed); err != nil {
		return nil, err
	}
	differ := changed
	for _, i := range fresh {
		differ = append(differ, accounts[i])
	}
	for i := range differ {
		differ[i].Changed = r.At
	}
	sortBy(differ, byUser)
	return differ, nil
}

// noteMoves keeps which Discord account a user had before, for whoever asks later.
func noteMoves(ctx context.Context, tx Tx, r storage.SourceRead, changed []storage.AccountRevision) error {
	moved := slices.DeleteFunc(slices.Clone(changed), func(a storage.AccountRevision) bool { return a.Was == 0 })
	return tx.Repeat(ctx, `UPDATE source_account SET was_id = $3, moved_at = $4 WHERE source = $1 AND user_id = $2`, len(moved), func(i int) []any {
		return []any{r.Source, moved[i].User, int64(moved[i].Was), when(r.At)}
	})
}

// compareAccounts walks along what is stored and what was read, both by user: fresh are indexes of those who are new, changed are the
// others that differ, with revision 0 if they are gone. Of the rest nothing is kept in memory: a large Auth has hundreds of thousands.
func compareAccounts(ctx context.Context, tx Tx, source string, read []storage.AccountRevision) (fresh []int, changed []storage.AccountRevision, err error) {
	rows, err := tx.Query(ctx, `SELECT user_id, discord_id, revision, changed_at FROM source_account WHERE source = $1 ORDER BY user_id`, source)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	next := 0
	for rows.Next() {
		before, err := scanRevision(rows)
		if err != nil {
			return nil, nil, err
		}
		for ; next < len(read) && read[next].User < before.User; next++ {
			fresh = append(fresh, next)
		}
		switch {
		case next < len(read) && read[next].User == before.User:
			if a := read[next]; a.Revision != before.Revision || a.Discord != before.Discord {
				if a.Discord != before.Discord {
					a.Was = before.Discord
				}
				changed = append(changed, a)
			}
			next++
		case before.Revision != 0:
			before.Revision = 0
			changed = append(changed, before)
		}
	}
	for ; next < len(read); next++ {
		fresh = append(fresh, next)
	}
	return fresh, changed, rows.Err()
}

func scanRevision(row Row) (a storage.AccountRevision, err error) {
	var revision int64
	err = row.Scan(&a.User, &a.Discord, &revision, toTime{&a.Changed})
	a.Revision = uint64(revision)
	return a, err
}

// noteHealthy keeps the highest counts of the hour and lets those go that have left the window.
func noteHealthy(ctx context.Context, tx Tx, r storage.SourceRead) error {
	hour := r.At.Truncate(time.Hour)
	counts, err := healthyCounts(ctx, tx, r.Source, hour.Add(-time.Microsecond), hour)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO source_healthy (source, hour_at, counts) VALUES ($1, $2, $3)
		ON CONFLICT (source, hour_at) DO UPDATE SET counts = excluded.counts`, r.Source, hour, encode(highest(counts, r.Counts))); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM source_healthy WHERE source = $1 AND hour_at <= $2`, r.Source, r.At.Add(-storage.HealthyWindow-time.Hour))
	return err
}

// healthyCounts are the highest of the hours after one instant, up to and including another; nil if there are none.
func healthyCounts(ctx context.Context, tx Tx, source string, after, upTo time.Time) (map[string]int64, error) {
	hours, err := list(ctx, tx, func(row Row) (counts map[string]int64, err error) {
		err = row.Scan(toJSON{&counts})
		return counts, err
	}, `SELECT counts FROM source_healthy WHERE source = $1 AND hour_at > $2 AND hour_at <= $3`, source, after, upTo)
	if err != nil {
		return nil, err
	}
	var all map[string]int64
	for _, counts := range hours {
		all = highest(all, counts)
	}
	return all, nil
}

// newestHealthy is the last healthy hour up to the instant, else the instant: the window ends there, so that an outage that is longer
// than the window never turns what comes back into a first contact.
func newestHealthy(ctx context.Context, tx Tx, source string, at time.Time) (time.Time, error) {
	hours, err := list(ctx, tx, func(row Row) (hour time.Time, err error) {
		err = row.Scan(toTime{&hour})
		return hour, err
	}, `SELECT hour_at FROM source_healthy WHERE source = $1 AND hour_at <= $2 ORDER BY hour_at DESC LIMIT 1`, source, at)
	if err != nil || len(hours) == 0 {
		return at, err
	}
	return hours[0], nil
}

func highest(a, b map[string]int64) map[string]int64 {
	top := make(map[string]int64, len(b))
	for _, counts := range []map[string]int64{a, b} {
		for name, n := range counts {
			if was, there := top[name]; !there || n > was {
				top[name] = n
			}
		}
	}
	return top
}

// LastRead satisfies storage.Sources.
func (s *Store) LastRead(ctx context.Context, source string) (r storage.SourceRead, err error) {
	defer wrap.Err(&err, "sources.LastRead(%s)", source)
	err = s.db.Read(ctx, func(tx Tx) error {
		r, _, err = lastRead(ctx, tx, source)
		return err
	})
	return r, err
}

// Baseline satisfies storage.Sources.
func (s *Store) Baseline(ctx context.Context, source string, at time.Time) (b storage.Baseline, err error) {
	defer wrap.Err(&err, "sources.Baseline(%s)", source)
	at, b.Source = micro(at), source
	err = s.db.Read(ctx, func(tx Tx) error {
		accepted, err := list(ctx, tx, func(row Row) (a storage.Acceptance, err error) {
			err = row.Scan(&a.Source, toJSON{&a.Counts}, &a.Actor, &a.Reason, toTime{&a.At})
			return a, err
		}, `SELECT source, counts, actor, reason, at FROM source_acceptance WHERE source = $1 AND at <= $2 ORDER BY at DESC, id DESC LIMIT 1`, source, at)
		if err != nil {
			return err
		}
		end, err := newestHealthy(ctx, tx, source, at)
		if err != nil {
			return err
		}
		// The hour in which the window begins counts whole.
		b.Counts, err = healthyCounts(ctx, tx, source, end.Add(-storage.HealthyWindow-time.Hour), at)
		if err != nil || len(accepted) == 0 {
			return err
		}
		b.Accepted = &accepted[0]
		if b.Counts == nil || accepted[0].At.After(at.Add(-storage.HealthyWindow)) {
			b.Counts = highest(b.Counts, accepted[0].Counts)
		}
		return nil
	})
	return b, err
}

// AcceptSource satisfies storage.Sources.
func (s *Store) AcceptSource(ctx context.Context, guild snowflake.ID, source string, counts map[string]int64, by storage.Author) (err error) {
	defer wrap.Err(&err, "sources.AcceptSource(%s)", source)
	before, err := s.Baseline(ctx, source, by.At)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "source:"+source); err != nil {
			return err
		}
		// What was healthy before no longer is what the next read is measured by.
		if _, err := tx.Exec(ctx, `DELETE FROM source_healthy WHERE source = $1`, source); err != nil {
			return err
		}
		_, err := insert(ctx, tx, "source_acceptance", []insertion{
			{"source", source},
			{"counts", encode(counts)},
			{"actor", by.Actor},
			{"reason", by.Reason},
			{"at", when(by.At)},
		})
		if err != nil {
			return err
		}
		var earlier any
		if before.Counts != nil {
			earlier = before.Counts
		}
		return note(ctx, tx, guild, "source_acceptance", source, earlier, counts, by)
	})
}

// LastLinks satisfies storage.Sources.
func (s *Store) LastLinks(ctx context.Context, source string, users []int64) (all []storage.AccountRevision, err error) {
	defer wrap.Err(&err, "sources.LastLinks(%s)", source)
	ids := make([]any, len(users))
	for i, user := range users {
		ids[i] = user
	}
	q := newQuery(`SELECT user_id, discord_id, revision, changed_at FROM source_account WHERE source = $1`, source).in("user_id", ids).add("ORDER BY user_id")
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanRevision, q.sql.String(), q.args...)
		return err
	})
	return slices.Clip(all), err
}

// ChangedAccounts satisfies storage.Sources.
func (s *Store) ChangedAccounts(ctx context.Context, source string, since time.Time) (all []storage.AccountRevision, err error) {
	defer wrap.Err(&err, "sources.ChangedAccounts(%s)", source)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, func(row Row) (a storage.AccountRevision, err error) {
			var revision int64
			err = row.Scan(&a.User, &a.Discord, &revision, toTime{&a.Changed}, &a.Was)
			a.Revision = uint64(revision)
			return a, err
		}, `SELECT user_id, discord_id, revision, changed_at, CASE WHEN moved_at >= $2 AND revision <> 0 THEN was_id ELSE 0 END FROM source_account
			WHERE source = $1 AND changed_at IS NOT NULL AND changed_at >= $2 ORDER BY user_id`, source, micro(since))
		return err
	})
	return slices.Clip(all), err
}
