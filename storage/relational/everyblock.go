package relational

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// between is put between texts that are read as one: reading few columns is what makes a million rows quick.
const between = "\x1f"

// mostTexts bounds how many different texts are remembered while reading.
const mostTexts = 10_000

// everyBlock hands over all that are not closed. Most blocks share their texts with many others, so those come as one and are taken apart
// once.
func (s *Store) everyBlock(ctx context.Context, each func(storage.Block) error) (newest int64, err error) {
	err = s.db.Read(ctx, func(tx Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, revision, guild_id, scope || $1 || value, ends_at,
			reason || $1 || message || $1 || rule || $1 || owner || $1 || also || $1 || CAST(status AS TEXT) FROM block WHERE closed_at IS NULL`, between)
		if err != nil {
			return err
		}
		defer rows.Close()
		known, scopes := map[string]storage.Block{}, map[string]string{}
		var id, revision, guild int64
		var subject, texts string
		var end time.Time
		into := []any{&id, &revision, &guild, &subject, toTime{&end}, &texts} // one for all rows: there may be a million
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			b, remembered := known[texts]
			if !remembered {
				if b, err = apart(texts); err != nil {
					return fmt.Errorf("block %d: %w", id, err)
				}
				if len(known) >= mostTexts {
					clear(known)
				}
				known[texts] = b
			}
			scope, value, _ := strings.Cut(subject, between)
			if _, seen := scopes[scope]; !seen {
				scopes[scope] = strings.Clone(scope)
			}
			b.ID, b.Revision, b.Guild, b.Scope, b.Value, b.End = id, revision, snowflake.ID(guild), scopes[scope], value, end
			if err := each(b); err != nil {
				return err
			}
			newest = max(newest, revision)
		}
		return rows.Err()
	})
	return newest, err
}

// apart reads texts that came as one. Reason and message may themselves have what is between, since people write them: all that is too
// much is the message's.
func apart(texts string) (b storage.Block, err error) {
	parts := strings.Split(texts, between)
	n := len(parts)
	if n < 6 {
		return b, fmt.Errorf("%d texts", n)
	}
	b.Reason, b.Message, b.Rule, b.Owner = parts[0], strings.Join(parts[1:n-4], between), parts[n-4], parts[n-3]
	if b.Also, err = enforcement.ParseAlso(parts[n-2]); err != nil {
		return b, err
	}
	b.Status, err = strconv.Atoi(parts[n-1])
	return b, err
}
