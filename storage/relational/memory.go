package relational

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// Remember satisfies storage.Memory.
func (s *Store) Remember(ctx context.Context, guild snowflake.ID, name string, value []byte, at time.Time) (err error) {
	defer wrap.Err(&err, "memory.Remember(%d, %s)", guild, name)
	if value == nil {
		value = []byte{}
	}
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO memory (guild_id, name, value, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (guild_id, name) DO UPDATE SET value = excluded.value, at = excluded.at`, int64(guild), name, value, when(at))
		return err
	})
}

// Recall satisfies storage.Memory.
func (s *Store) Recall(ctx context.Context, guild snowflake.ID, name string) (value []byte, at time.Time, err error) {
	defer wrap.Err(&err, "memory.Recall(%d, %s)", guild, name)
	err = s.db.Read(ctx, func(tx Tx) error {
		return tx.QueryRow(ctx, `SELECT value, at FROM memory WHERE guild_id = $1 AND name = $2`, int64(guild), name).Scan(&value, toTime{&at})
	})
	return value, at, err
}

// Forget satisfies storage.Memory.
func (s *Store) Forget(ctx context.Context, guild snowflake.ID, name string) (err error) {
	defer wrap.Err(&err, "memory.Forget(%d, %s)", guild, name)
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM memory WHERE guild_id = $1 AND name = $2`, int64(guild), name)
		return err
	})
}
