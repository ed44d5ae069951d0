package relational

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// NoteRoleGrants satisfies storage.RoleGrants.
func (s *Store) NoteRoleGrants(ctx context.Context, grants []storage.RoleGrant) (err error) {
	defer wrap.Err(&err, "rolegrants.NoteRoleGrants(%d)", len(grants))
	if len(grants) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx Tx) error {
		return tx.Repeat(ctx, `INSERT INTO role_grant (guild_id, entry_id, role_id, member_id, actor_id, added, at, reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (guild_id, entry_id, role_id) DO NOTHING`, len(grants), func(i int) []any {
			g := grants[i]
			return []any{int64(g.Guild), int64(g.Entry), int64(g.Role), int64(g.Member), int64(g.Actor), g.Added, when(g.At), g.Reason}
		})
	})
}

// RoleGrants satisfies storage.RoleGrants.
func (s *Store) RoleGrants(ctx context.Context, guild snowflake.ID, members []snowflake.ID, since time.Time) (all []storage.RoleGrant, err error) {
	defer wrap.Err(&err, "rolegrants.RoleGrants(%d)", guild)
	groups := [][]any{nil}
	if members != nil {
		ids := make([]any, len(members))
		for i, m := range members {
			ids[i] = int64(m)
		}
		groups = chunks(ids)
	}
	err = s.db.Read(ctx, func(tx Tx) error {
		for _, some := range groups {
			q := newQuery(`SELECT guild_id, entry_id, role_id, member_id, actor_id, added, at, reason FROM role_grant WHERE guild_id = $1`, int64(guild))
			if !since.IsZero() {
				q.and("at >= %s", when(since))
			}
			if some != nil {
				q.in("member_id", some)
			}
			found, err := list(ctx, tx, func(row Row) (g storage.RoleGrant, err error) {
				err = row.Scan(&g.Guild, &g.Entry, &g.Role, &g.Member, &g.Actor, &g.Added, toTime{&g.At}, &g.Reason)
				return g, err
			}, q.sql.String(), q.args...)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
		return nil
	})
	slices.SortFunc(all, newerGrant)
	return all, err
}

// newerGrant puts the newest first; entries of one instant by their number, roles of one entry by theirs.
func newerGrant(a, b storage.RoleGrant) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Entry, a.Entry), cmp.Compare(a.Role, b.Role))
}
