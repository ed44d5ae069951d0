package relational

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Subscribe satisfies storage.Subscribers.
func (s *Store) Subscribe(ctx context.Context, guild, discord snowflake.ID, at time.Time) (err error) {
	defer wrap.Err(&err, "subscribers.Subscribe(%d)", guild)
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO subscriber (guild_id, discord_id, since_at, failures, last_error) VALUES ($1, $2, $3, 0, '')
			ON CONFLICT (guild_id, discord_id) DO UPDATE SET failures = 0, last_failure_at = NULL, last_error = ''`, int64(guild), int64(discord), when(at))
		return err
	})
}

// Unsubscribe satisfies storage.Subscribers.
func (s *Store) Unsubscribe(ctx context.Context, guild, discord snowflake.ID) (err error) {
	defer wrap.Err(&err, "subscribers.Unsubscribe(%d)", guild)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM subscriber WHERE guild_id = $1 AND discord_id = $2`, int64(guild), int64(discord))
		if err == nil && n == 0 {
			return storage.ErrNotFound
		}
		return err
	})
}

// Subscribers satisfies storage.Subscribers.
func (s *Store) Subscribers(ctx context.Context, guild snowflake.ID) (all []storage.Subscriber, err error) {
	defer wrap.Err(&err, "subscribers.Subscribers(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, func(row Row) (r storage.Subscriber, err error) {
			err = row.Scan(&r.Guild, &r.Discord, toTime{&r.Since}, &r.Failures, toTime{&r.LastFailure}, &r.LastError)
			return r, err
		}, `SELECT guild_id, discord_id, since_at, failures, last_failure_at, last_error FROM subscriber WHERE guild_id = $1 ORDER BY discord_id`, int64(guild))
		return err
	})
	return all, err
}

// AdmitMessage satisfies storage.Subscribers. The row's own lock decides between two who ask at once.
func (s *Store) AdmitMessage(ctx context.Context, guild, discord snowflake.ID, reason string, at time.Time) (admitted bool, err error) {
	defer wrap.Err(&err, "subscribers.AdmitMessage(%d, %s)", guild, reason)
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO direct_message (guild_id, discord_id, reason, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (guild_id, discord_id, reason) DO UPDATE SET at = excluded.at WHERE direct_message.at <= $5`,
			int64(guild), int64(discord), reason, when(at), when(at.Add(-storage.MessagePause)))
		admitted = n > 0
		return err
	})
	return admitted && err == nil, err
}

// NoteMessage satisfies storage.Subscribers.
func (s *Store) NoteMessage(ctx context.Context, guild, discord snowflake.ID, reason, failure string, at time.Time) (err error) {
	defer wrap.Err(&err, "subscribers.NoteMessage(%d, %s)", guild, reason)
	statement, args := `UPDATE subscriber SET failures = 0, last_failure_at = NULL, last_error = '' WHERE guild_id = $1 AND discord_id = $2`, []any{int64(guild), int64(discord)}
	if failure != "" {
		statement = `UPDATE subscriber SET failures = failures + 1, last_failure_at = $3, last_error = $4 WHERE guild_id = $1 AND discord_id = $2`
		args = append(args, when(at), failure)
	}
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, statement, args...)
		if err == nil && n == 0 {
			return storage.ErrNotFound
		}
		return err
	})
}
