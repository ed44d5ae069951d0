package relational

import (
	"context"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// exceptionColumns reads every operator table in one shape.
func exceptionColumns(table storage.Table) string {
	subject, own := "discord_id", "'', FALSE, NULL, 0, ''"
	switch table {
	case storage.Exemptions:
		subject = "role_id"
	case storage.Overrides:
		own = "action, single_use, used_at, 0, ''"
	case storage.Identities:
		own = "'', FALSE, NULL, user_id, source"
	case storage.Protections, storage.BotAccounts:
	}
	return "id, guild_id, " + subject + ", " + own + ", reason, actor, approver, created_at, expires_at, removed_at, removed_by, removed_reason"
}

func subjectColumn(table storage.Table) string {
	if table == storage.Exemptions {
		return "role_id"
	}
	return "discord_id"
}

func scanException(table storage.Table) func(Row) (storage.Exception, error) {
	return func(row Row) (e storage.Exception, err error) {
		e.Table = table
		err = row.Scan(&e.ID, &e.Guild, &e.Subject, &e.Action, &e.SingleUse, toTime{&e.Used}, &e.User, &e.Source, &e.Reason, &e.Actor, &e.Approver,
			toTime{&e.Created}, toTime{&e.Expires}, toTime{&e.Removed}, &e.RemovedBy, &e.RemovedReason)
		return e, err
	}
}

// excepted is what the configuration change says of a row.
func excepted(e storage.Exception) map[string]any {
	m := map[string]any{"id": e.ID, "subject": e.Subject, "reason": e.Reason, "actor": e.Actor, "created": e.Created}
	if e.Approver != "" {
		m["approver"] = e.Approver
	}
	if !e.Expires.IsZero() {
		m["expires"] = e.Expires
	}
	switch e.Table {
	case storage.Overrides:
		m["action"], m["single_use"] = e.Action, e.SingleUse
	case storage.Identities:
		m["user"], m["source"] = e.User, e.Source
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	return m
}

// AddException satisfies storage.Exceptions.
func (s *Store) AddException(ctx context.Context, e storage.Exception, by storage.Author) (_ storage.Exception, err error) {
	defer wrap.Err(&err, "exceptions.AddException(%s, %d)", e.Table, e.Subject)
	if err := check(by); err != nil {
		return storage.Exception{}, err
	}
	e.Actor, e.Reason, e.Created, e.Expires = by.Actor, by.Reason, micro(by.At), micro(e.Expires)
	e.Used, e.Removed, e.RemovedBy, e.RemovedReason = time.Time{}, time.Time{}, "", ""
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, e.Table.String()+":"+e.Guild.String()); err != nil {
			return err
		}
		alike, err := exceptions(ctx, tx, e.Guild, e.Table, e.Subject, false)
		if err != nil {
			return err
		}
		for _, a := range alike {
			if a.InForce(e.Created) && a.User == e.User {
				return storage.ErrConflict
			}
		}
		if e.ID, err = addException(ctx, tx, e); err != nil {
			return err
		}
		return note(ctx, tx, e.Guild, e.Table.String(), strconv.FormatInt(e.ID, 10), nil, excepted(e), by)
	})
	if err != nil {
		return storage.Exception{}, err
	}
	return e, nil
}

func addException(ctx context.Context, tx Tx, e storage.Exception) (int64, error) {
	row := []insertion{
		{"guild_id", int64(e.Guild)},
		{subjectColumn(e.Table), int64(e.Subject)},
		{"reason", e.Reason},
		{"actor", e.Actor},
		{"approver", e.Approver},
		{"created_at", when(e.Created)},
		{"expires_at", when(e.Expires)},
		{"removed_by", ""},
		{"removed_reason", ""},
	}
	switch e.Table {
	case storage.Overrides:
		row = append(row, insertion{"action", e.Action}, insertion{"single_use", e.SingleUse})
	case storage.Identities:
		row = append(row, insertion{"user_id", e.User}, insertion{"source", e.Source})
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	return insert(ctx, tx, e.Table.String(), row)
}

// exceptions lists the rows of one table; of a subject, unless it is zero; removed ones only if all is set.
func exceptions(ctx context.Context, tx Tx, guild snowflake.ID, table storage.Table, subject snowflake.ID, all bool) ([]storage.Exception, error) {
	q := newQuery(`SELECT `+exceptionColumns(table)+` FROM `+table.String()+` WHERE guild_id = $1`, int64(guild))
	if subject != 0 {
		q.and(subjectColumn(table)+" = %s", int64(subject))
	}
	if !all {
		q.add("AND removed_at IS NULL")
	}
	q.add("ORDER BY id")
	return list(ctx, tx, scanException(table), q.sql.String(), q.args...)
}

// RemoveException satisfies storage.Exceptions.
func (s *Store) RemoveException(ctx context.Context, table storage.Table, guild snowflake.ID, id int64, by storage.Author) (e storage.Exception, err error) {
	defer wrap.Err(&err, "exceptions.RemoveException(%s, %d)", table, id)
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE `+table.String()+` SET removed_at = $3, removed_by = $4, removed_reason = $5
			WHERE guild_id = $1 AND id = $2 AND removed_at IS NULL`, int64(guild), id, when(by.At), by.Actor, by.Reason)
		if err != nil {
			return err
		}
		if err := touched(ctx, tx, n, table.String()+" WHERE guild_id = $1 AND id = $2", int64(guild), id); err != nil {
			return err
		}
		e, err = scanException(table)(tx.QueryRow(ctx, `SELECT `+exceptionColumns(table)+` FROM `+table.String()+` WHERE id = $1`, id))
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, table.String(), strconv.FormatInt(id, 10), excepted(e), nil, by)
	})
	if err != nil {
		return storage.Exception{}, err
	}
	return e, nil
}

// Exceptions satisfies storage.Exceptions.
func (s *Store) Exceptions(ctx context.Context, guild snowflake.ID, f storage.ExceptionFilter) (all []storage.Exception, err error) {
	defer wrap.Err(&err, "exceptions.Exceptions(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		for table := storage.Exemptions; table <= storage.Identities; table++ {
			if f.Table != 0 && f.Table != table {
				continue
			}
			rows, err := exceptions(ctx, tx, guild, table, f.Subject, f.All)
			if err != nil {
				return err
			}
			all = append(all, rows...)
		}
		return nil
	})
	return all, err
}

// ExceptionsAt satisfies storage.Exceptions.
func (s *Store) ExceptionsAt(ctx context.Context, guild snowflake.ID, at time.Time) (all []storage.Exception, err error) {
	defer wrap.Err(&err, "exceptions.ExceptionsAt(%d)", guild)
	at = micro(at)
	err = s.db.Read(ctx, func(tx Tx) error {
		for table := storage.Exemptions; table <= storage.Identities; table++ {
			q := newQuery(`SELECT `+exceptionColumns(table)+` FROM `+table.String()+` WHERE guild_id = $1`, int64(guild)).
				and("created_at <= %s AND (expires_at IS NULL OR expires_at > %s) AND (removed_at IS NULL OR removed_at > %s)", at, at, at)
			if table == storage.Overrides {
				q.and("(used_at IS NULL OR used_at > %s)", at)
			}
			rows, err := list(ctx, tx, scanException(table), q.add("ORDER BY id").sql.String(), q.args...)
			if err != nil {
				return err
			}
			all = append(all, rows...)
		}
		return nil
	})
	return all, err
}

// UseOverride satisfies storage.Exceptions.
func (s *Store) UseOverride(ctx context.Context, guild snowflake.ID, id int64, at time.Time) (err error) {
	defer wrap.Err(&err, "exceptions.UseOverride(%d)", id)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `UPDATE member_override SET used_at = $3
			WHERE guild_id = $1 AND id = $2 AND single_use AND used_at IS NULL AND removed_at IS NULL`, int64(guild), id, when(at))
		if err != nil {
			return err
		}
		return touched(ctx, tx, n, "member_override WHERE guild_id = $1 AND id = $2 AND single_use", int64(guild), id)
	})
}

// NoteIdentities satisfies storage.Exceptions.
func (s *Store) NoteIdentities(ctx context.Context, guild snowflake.ID, seen []storage.Exception, at time.Time) (n int, err error) {
	defer wrap.Err(&err, "exceptions.NoteIdentities(%d)", guild)
	type pair struct {
		discord snowflake.ID
		user    int64
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, storage.Identities.String()+":"+guild.String()); err != nil {
			return err
		}
		stored, err := exceptions(ctx, tx, guild, storage.Identities, 0, true)
		if err != nil {
			return err
		}
		known := make(map[pair]struct{}, len(stored)+len(seen))
		for _, e := range stored {
			known[pair{e.Subject, e.User}] = struct{}{}
		}
		var fresh []pair
		for _, e := range seen {
			p := pair{e.Subject, e.User}
			if _, there := known[p]; !there {
				known[p] = struct{}{}
				fresh = append(fresh, p)
			}
		}
		n = len(fresh)
		columns := []string{"guild_id", "discord_id", "user_id", "source", "reason", "actor", "approver", "created_at", "removed_by", "removed_reason"}
		return tx.Insert(ctx, "identity", columns, n, func(i int) []any {
			return []any{int64(guild), int64(fresh[i].discord), fresh[i].user, "historical", "seen linked in Auth", "system", "", when(at), "", ""}
		})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
