package relational

import (
	"context"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// Guilds satisfies storage.Runs.
func (s *Store) Guilds(ctx context.Context) (all []snowflake.ID, err error) {
	defer wrap.Err(&err, "runs.Guilds")
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, func(row Row) (id snowflake.ID, err error) {
			var n int64
			err = row.Scan(&n)
			return snowflake.ID(n), err
		}, `SELECT guild_id FROM run UNION SELECT guild_id FROM policy UNION SELECT guild_id FROM role_binding
			UNION SELECT guild_id FROM acknowledgement UNION SELECT guild_id FROM setting ORDER BY guild_id`)
		return err
	})
	return all, err
}
