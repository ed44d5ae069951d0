package relational

import (
	"context"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const cardColumns = `id, guild_id, channel_id, message_id, kind, digest, run_id, args, locale, invoker_id, created_at, expires_at, used_at, used_by, outcome`

func scanCard(row Row) (c storage.Card, err error) {
	err = row.Scan(&c.ID, &c.Guild, &c.Channel, &c.Message, &c.Kind, &c.Digest, &c.Run, toDoc{&c.Args}, &c.Locale, &c.Invoker, toTime{&c.Created},
		toTime{&c.Expires}, toTime{&c.Used}, &c.UsedBy, &c.Outcome)
	return c, err
}

// MakeCard satisfies storage.Cards.
func (s *Store) MakeCard(ctx context.Context, c storage.Card) (err error) {
	defer wrap.Err(&err, "cards.MakeCard(%s)", c.Kind)
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO card (id, guild_id, channel_id, message_id, kind, digest, run_id, args, locale, invoker_id, created_at, expires_at, used_by, outcome)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', '')`,
			c.ID, int64(c.Guild), int64(c.Channel), int64(c.Message), c.Kind, c.Digest, c.Run, doc(c.Args), c.Locale, int64(c.Invoker), when(c.Created), when(c.Expires))
		return err
	})
}

// PlaceCard satisfies storage.Cards.
func (s *Store) PlaceCard(ctx context.Context, guild snowflake.ID, id string, channel, message snowflake.ID) (err error) {
	defer wrap.Err(&err, "cards.PlaceCard(%d)", guild)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE card SET channel_id = $3, message_id = $4 WHERE guild_id = $1 AND id = $2`, int64(guild), id, int64(channel), int64(message))
		if err == nil && n == 0 {
			return storage.ErrNotFound
		}
		return err
	})
}

// Card satisfies storage.Cards.
func (s *Store) Card(ctx context.Context, guild snowflake.ID, id string) (c storage.Card, err error) {
	defer wrap.Err(&err, "cards.Card(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		c, err = readCard(ctx, tx, guild, id)
		return err
	})
	return c, err
}

func readCard(ctx context.Context, tx Tx, guild snowflake.ID, id string) (storage.Card, error) {
	return scanCard(tx.QueryRow(ctx, `SELECT `+cardColumns+` FROM card WHERE guild_id = $1 AND id = $2`, int64(guild), id))
}

// UseCard satisfies storage.Cards.
func (s *Store) UseCard(ctx context.Context, guild snowflake.ID, id, outcome, by string, at time.Time) (c storage.Card, err error) {
	defer wrap.Err(&err, "cards.UseCard(%d, %s)", guild, outcome)
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE card SET used_at = $3, used_by = $4, outcome = $5 WHERE guild_id = $1 AND id = $2 AND used_at IS NULL`,
			int64(guild), id, when(at), by, outcome)
		if err != nil {
			return err
		}
		if c, err = readCard(ctx, tx, guild, id); err == nil && n == 0 {
			return storage.ErrConflict
		}
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return storage.Card{}, err
	}
	return c, err
}

// OverdueCards satisfies storage.Cards.
func (s *Store) OverdueCards(ctx context.Context, guild snowflake.ID, at time.Time) (all []storage.Card, err error) {
	defer wrap.Err(&err, "cards.OverdueCards(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanCard, `SELECT `+cardColumns+` FROM card
			WHERE guild_id = $1 AND used_at IS NULL AND message_id <> 0 AND expires_at <= $2 ORDER BY expires_at, id`, int64(guild), when(at))
		return err
	})
	return all, err
}
