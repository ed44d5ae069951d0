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
	stored, err := list(ctx, tx, scanRevision, `SELECT user_id, discord_id, revision, changed_at FROM source_account WHERE source = $1`, r.Source)
	if err != nil {
		return nil, err
	}
	known := make(map[int64]storage.AccountRevision, len(stored))
	for _, a := range stored {
		known[a.User] = a
	}
	var fresh, changed []storage.AccountRevision
	for _, a := range r.Accounts {
		a.Changed = time.Time{}
		if !first {
			a.Changed = r.At
		}
		before, there := known[a.User]
		delete(known, a.User)
		switch {
		case !there:
			fresh = append(fresh, a)
		case before.Revision != a.Revision || before.Discord != a.Discord:
			if before.Discord != a.Discord {
				a.Was = before.Discord
			}
			changed = append(changed, a)
		}
	}
	for _, a := range known {
		if a.Revision != 0 {
			a.Revision, a.Changed = 0, r.At
			changed = append(changed, a)
		}
	}
	err = tx.Insert(ctx, "source_account", []string{"source", "user_id", "discord_id", "revision", "changed_at"}, len(fresh), func(i int) []any {
		return []any{r.Source, fresh[i].User, int64(fresh[i].Discord), int64(fresh[i].Revision), when(fresh[i].Changed)}
	})
	if err != nil {
		return nil, err
	}
	err = tx.Repeat(ctx, `UPDATE source_account SET discord_id = $3, revision = $4, changed_at = $5 WHERE source = $1 AND user_id = $2`, len(changed), func(i int) []any {
		return []any{r.Source, changed[i].User, int64(changed[i].Discord), int64(changed[i].Revision), when(changed[i].Changed)}
	})
	if err != nil || first {
		return nil, err
	}
	differ := slices.Concat(fresh, changed)
	sortBy(differ, func(a, b storage.AccountRevision) int { return cmp.Compare(a.User, b.User) })
	return differ, nil
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

// ChangedAccounts satisfies storage.Sources.
func (s *Store) ChangedAccounts(ctx context.Context, source string, since time.Time) (all []storage.AccountRevision, err error) {
	defer wrap.Err(&err, "sources.ChangedAccounts(%s)", source)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanRevision, `SELECT user_id, discord_id, revision, changed_at FROM source_account
			WHERE source = $1 AND changed_at IS NOT NULL AND changed_at >= $2 ORDER BY user_id`, source, micro(since))
		return err
	})
	return slices.Clip(all), err
}
