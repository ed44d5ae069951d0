package relational

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// sortBy keeps the order that is the same in every database: by byte, not by the database's collation.
func sortBy[T any](list []T, compare func(a, b T) int) { slices.SortStableFunc(list, compare) }

// SetSetting satisfies storage.Settings.
func (s *Store) SetSetting(ctx context.Context, guild snowflake.ID, name, value string, by storage.Author) (err error) {
	defer wrap.Err(&err, "settings.SetSetting(%s)", name)
	if name == storage.SettingRetentionDays {
		if days, err := strconv.Atoi(value); err != nil || days != 0 && days < storage.MinRetentionDays || days > 100_000 {
			return problem.Usagef("the retention is a whole number of days, at least %d, or 0 for ever: not %q; nothing was changed", storage.MinRetentionDays, value)
		}
	}
	return s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "setting:"+guild.String()); err != nil {
			return err
		}
		var before any
		switch old, err := readSetting(ctx, tx, guild, name); {
		case err == nil && old == value:
			return nil
		case err == nil:
			before = old
		case !errors.Is(err, storage.ErrNotFound):
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO setting (guild_id, name, value) VALUES ($1, $2, $3)
			ON CONFLICT (guild_id, name) DO UPDATE SET value = excluded.value`, int64(guild), name, value)
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, "setting", name, before, value, by)
	})
}

func readSetting(ctx context.Context, tx Tx, guild snowflake.ID, name string) (string, error) {
	return scanText(tx.QueryRow(ctx, `SELECT value FROM setting WHERE guild_id = $1 AND name = $2`, int64(guild), name))
}

// Setting satisfies storage.Settings.
func (s *Store) Setting(ctx context.Context, guild snowflake.ID, name string) (value string, err error) {
	defer wrap.Err(&err, "settings.Setting(%s)", name)
	err = s.db.Read(ctx, func(tx Tx) error {
		value, err = readSetting(ctx, tx, guild, name)
		return err
	})
	return value, err
}

// Settings satisfies storage.Settings.
func (s *Store) Settings(ctx context.Context, guild snowflake.ID) (all map[string]string, err error) {
	defer wrap.Err(&err, "settings.Settings(%d)", guild)
	type pair struct{ name, value string }
	err = s.db.Read(ctx, func(tx Tx) error {
		pairs, err := list(ctx, tx, func(row Row) (p pair, err error) {
			err = row.Scan(&p.name, &p.value)
			return p, err
		}, `SELECT name, value FROM setting WHERE guild_id = $1`, int64(guild))
		all = make(map[string]string, len(pairs))
		for _, p := range pairs {
			all[p.name] = p.value
		}
		return err
	})
	return all, err
}

// Changes satisfies storage.Changes.
func (s *Store) Changes(ctx context.Context, guild snowflake.ID, f storage.ChangeFilter) (all []storage.Change, err error) {
	defer wrap.Err(&err, "changes.Changes(%d)", guild)
	q := newQuery(`SELECT id, guild_id, table_name, row_key, before_value, after_value, actor, origin, reason, at FROM config_change WHERE guild_id = $1`, int64(guild))
	if f.Table != "" {
		q.and("table_name = %s", f.Table)
	}
	if f.Key != "" {
		q.and("row_key = %s", f.Key)
	}
	if f.Actor != "" {
		q.and("actor = %s", f.Actor)
	}
	q.newest(f.Page)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, func(row Row) (c storage.Change, err error) {
			err = row.Scan(&c.ID, &c.Guild, &c.Table, &c.Key, toDoc{&c.Before}, toDoc{&c.After}, &c.Actor, &c.Origin, &c.Reason, toTime{&c.At})
			return c, err
		}, q.sql.String(), q.args...)
		return err
	})
	return all, err
}
