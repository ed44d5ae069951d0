package relational

import (
	"context"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// NoteRights satisfies storage.RightsMemory.
func (s *Store) NoteRights(ctx context.Context, r storage.SeenRights) (err error) {
	defer wrap.Err(&err, "rights.NoteRights(%d)", r.Guild)
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO seen_rights (guild_id, discord_id, user_id, rights, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (guild_id, discord_id) DO UPDATE SET user_id = excluded.user_id, rights = excluded.rights, at = excluded.at
				WHERE excluded.at >= seen_rights.at`, int64(r.Guild), int64(r.Discord), r.User, encode(r.Rights), when(r.At))
		return err
	})
}

// LastRights satisfies storage.RightsMemory.
func (s *Store) LastRights(ctx context.Context, guild, discord snowflake.ID) (r storage.SeenRights, err error) {
	defer wrap.Err(&err, "rights.LastRights(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		return tx.QueryRow(ctx, `SELECT guild_id, discord_id, user_id, rights, at FROM seen_rights WHERE guild_id = $1 AND discord_id = $2`, int64(guild), int64(discord)).
			Scan(&r.Guild, &r.Discord, &r.User, toJSON{&r.Rights}, toTime{&r.At})
	})
	return r, err
}
