package relational

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

const policyColumns = `guild_id, version, document, canonical, actor, reason, at`

func scanPolicy(row Row) (p storage.Policy, err error) {
	err = row.Scan(&p.Guild, &p.Version, &p.Document, toDoc{&p.Canonical}, &p.Actor, &p.Reason, toTime{&p.At})
	return p, err
}

// SetPolicy satisfies storage.Policies.
func (s *Store) SetPolicy(ctx context.Context, guild snowflake.ID, before int64, document string, canonical json.RawMessage, by storage.Author) (p storage.Policy, err error) {
	defer wrap.Err(&err, "policies.SetPolicy(%d)", guild)
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "policy:"+guild.String()); err != nil {
			return err
		}
		var newest int64
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(version), 0) FROM policy WHERE guild_id = $1`, int64(guild)).Scan(&newest); err != nil {
			return err
		}
		if before >= 0 && before != newest {
			return storage.ErrConflict
		}
		var earlier any
		if newest > 0 {
			old, err := readPolicy(ctx, tx, guild, newest)
			if err != nil {
				return err
			}
			earlier = map[string]any{"version": old.Version, "policy": old.Canonical}
		}
		p = storage.Policy{Guild: guild, Version: newest + 1, Document: document, Canonical: canonical, Actor: by.Actor, Reason: by.Reason, At: micro(by.At)}
		_, err := tx.Exec(ctx, `INSERT INTO policy (guild_id, version, document, canonical, actor, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			int64(guild), p.Version, document, string(canonical), by.Actor, by.Reason, when(by.At))
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, "policy", "", earlier, map[string]any{"version": p.Version, "policy": canonical}, by)
	})
	if err != nil {
		return storage.Policy{}, err
	}
	return p, nil
}

func readPolicy(ctx context.Context, tx Tx, guild snowflake.ID, version int64) (storage.Policy, error) {
	q := newQuery(`SELECT `+policyColumns+` FROM policy WHERE guild_id = $1`, int64(guild))
	if version != 0 {
		q.and("version = %s", version)
	}
	q.add("ORDER BY version DESC LIMIT 1")
	return scanPolicy(tx.QueryRow(ctx, q.sql.String(), q.args...))
}

// Policy satisfies storage.Policies.
func (s *Store) Policy(ctx context.Context, guild snowflake.ID, version int64) (p storage.Policy, err error) {
	defer wrap.Err(&err, "policies.Policy(%d, %d)", guild, version)
	err = s.db.Read(ctx, func(tx Tx) error {
		p, err = readPolicy(ctx, tx, guild, version)
		return err
	})
	return p, err
}

// PolicyHistory satisfies storage.Policies.
func (s *Store) PolicyHistory(ctx context.Context, guild snowflake.ID, page storage.Page) (all []storage.Policy, err error) {
	defer wrap.Err(&err, "policies.PolicyHistory(%d)", guild)
	q := newQuery(`SELECT `+policyColumns+` FROM policy WHERE guild_id = $1`, int64(guild))
	if page.Before > 0 {
		q.and("version < %s", page.Before)
	}
	q.add("ORDER BY version DESC LIMIT " + strconv.Itoa(limit(page.Limit)))
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanPolicy, q.sql.String(), q.args...)
		return err
	})
	return all, err
}

const bindingColumns = `id, guild_id, role_id, kind, name, role_name, actor, reason, at`

func scanBinding(row Row) (b storage.Binding, err error) {
	err = row.Scan(&b.ID, &b.Guild, &b.Role, &b.Kind, &b.Name, &b.RoleName, &b.Actor, &b.Reason, toTime{&b.At})
	return b, err
}

func bound(b storage.Binding) map[string]any {
	return map[string]any{"kind": b.Kind, "name": b.Name, "role_name": b.RoleName, "actor": b.Actor, "at": b.At}
}

// Bind satisfies storage.Bindings.
func (s *Store) Bind(ctx context.Context, guild snowflake.ID, bindings []storage.Binding, by storage.Author) (stored []storage.Binding, err error) {
	defer wrap.Err(&err, "bindings.Bind(%d)", guild)
	err = s.db.Write(ctx, func(tx Tx) error {
		for _, b := range bindings {
			b.Guild, b.Actor, b.Reason, b.At = guild, by.Actor, by.Reason, micro(by.At)
			b.ID, err = insert(ctx, tx, "role_binding", []insertion{
				{"guild_id", int64(guild)},
				{"role_id", int64(b.Role)},
				{"kind", b.Kind},
				{"name", b.Name},
				{"role_name", b.RoleName},
				{"actor", b.Actor},
				{"reason", b.Reason},
				{"at", when(b.At)},
			})
			if err != nil {
				return err
			}
			if err := note(ctx, tx, guild, "role_binding", b.Role.String(), nil, bound(b), by); err != nil {
				return err
			}
			stored = append(stored, b)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// Unbind satisfies storage.Bindings.
func (s *Store) Unbind(ctx context.Context, guild, role snowflake.ID, by storage.Author) (gone []storage.Binding, err error) {
	defer wrap.Err(&err, "bindings.Unbind(%d)", role)
	err = s.db.Write(ctx, func(tx Tx) error {
		gone, err = list(ctx, tx, scanBinding, `DELETE FROM role_binding WHERE guild_id = $1 AND role_id = $2 RETURNING `+bindingColumns, int64(guild), int64(role))
		if err != nil {
			return err
		}
		if len(gone) == 0 {
			return storage.ErrNotFound
		}
		for _, b := range gone {
			if err := note(ctx, tx, guild, "role_binding", role.String(), bound(b), nil, by); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// Bindings satisfies storage.Bindings.
func (s *Store) Bindings(ctx context.Context, guild snowflake.ID) (all []storage.Binding, err error) {
	defer wrap.Err(&err, "bindings.Bindings(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanBinding, `SELECT `+bindingColumns+` FROM role_binding WHERE guild_id = $1 ORDER BY role_id, kind, name, id`, int64(guild))
		return err
	})
	return all, err
}

const grantColumns = `id, guild_id, right_name, subject_kind, subject, actor, approver, reason, at, expires_at`

func scanGrant(row Row) (g storage.Grant, err error) {
	err = row.Scan(&g.ID, &g.Guild, &g.Right, &g.SubjectKind, &g.Subject, &g.Actor, &g.Approver, &g.Reason, toTime{&g.At}, toTime{&g.Expires})
	return g, err
}

func granted(g storage.Grant) map[string]any {
	m := map[string]any{"right": g.Right, "to": g.SubjectKind + ":" + g.Subject, "actor": g.Actor, "at": g.At}
	if g.Approver != "" {
		m["approver"] = g.Approver
	}
	if !g.Expires.IsZero() {
		m["expires"] = g.Expires
	}
	return m
}

// AddGrant satisfies storage.Grants.
func (s *Store) AddGrant(ctx context.Context, g storage.Grant, by storage.Author) (_ storage.Grant, err error) {
	defer wrap.Err(&err, "grants.AddGrant(%s, %s:%s)", g.Right, g.SubjectKind, g.Subject)
	g.Actor, g.Reason, g.At, g.Expires = by.Actor, by.Reason, micro(by.At), micro(g.Expires)
	err = s.db.Write(ctx, func(tx Tx) error {
		g.ID, err = insert(ctx, tx, "right_grant", []insertion{
			{"guild_id", int64(g.Guild)},
			{"right_name", g.Right},
			{"subject_kind", g.SubjectKind},
			{"subject", g.Subject},
			{"actor", g.Actor},
			{"approver", g.Approver},
			{"reason", g.Reason},
			{"at", when(g.At)},
			{"expires_at", when(g.Expires)},
		})
		if err != nil {
			return err
		}
		return note(ctx, tx, g.Guild, "right_grant", strconv.FormatInt(g.ID, 10), nil, granted(g), by)
	})
	if err != nil {
		return storage.Grant{}, err
	}
	return g, nil
}

// RemoveGrant satisfies storage.Grants.
func (s *Store) RemoveGrant(ctx context.Context, guild snowflake.ID, id int64, by storage.Author) (g storage.Grant, err error) {
	defer wrap.Err(&err, "grants.RemoveGrant(%d)", id)
	err = s.db.Write(ctx, func(tx Tx) error {
		g, err = scanGrant(tx.QueryRow(ctx, `DELETE FROM right_grant WHERE guild_id = $1 AND id = $2 RETURNING `+grantColumns, int64(guild), id))
		if err != nil {
			return err
		}
		return note(ctx, tx, guild, "right_grant", strconv.FormatInt(id, 10), granted(g), nil, by)
	})
	if err != nil {
		return storage.Grant{}, err
	}
	return g, nil
}

// Grants satisfies storage.Grants.
func (s *Store) Grants(ctx context.Context, guild snowflake.ID) (all []storage.Grant, err error) {
	defer wrap.Err(&err, "grants.Grants(%d)", guild)
	err = s.db.Read(ctx, func(tx Tx) error {
		all, err = list(ctx, tx, scanGrant, `SELECT `+grantColumns+` FROM right_grant WHERE guild_id = $1 ORDER BY id`, int64(guild))
		return err
	})
	sortBy(all, func(a, b storage.Grant) int {
		return strings.Compare(a.Right+"\x00"+a.SubjectKind+"\x00"+a.Subject, b.Right+"\x00"+b.SubjectKind+"\x00"+b.Subject)
	})
	return all, err
}
