package auth

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// Inspect looks once at what does not stop a read but should be known: rights beyond reading, secrets within reach, tables without
// snapshots, a clock that is wrong. The warnings are for people; none means that all is well. Its statements are not part of a Read.
func (r *Reader) Inspect(ctx context.Context) (warnings []string, err error) {
	defer wrap.Err(&err, "auth.Inspect")
	for _, look := range []func(context.Context) ([]string, error){r.rights, r.secretsInReach, r.storageEngines, r.clock} {
		found, err := look(ctx)
		if err != nil {
			return warnings, r.explain(ctx, err)
		}
		warnings = append(warnings, found...)
	}
	return warnings, nil
}

// rights finds what the user may do beyond SELECT.
func (r *Reader) rights(ctx context.Context) ([]string, error) {
	var more []string
	var err error
	switch r.target.engine {
	case mysqlEngine:
		var grants []string
		if grants, err = r.column(ctx, "SHOW GRANTS"); err == nil {
			more = beyondSelect(grants)
		}
	case postgresEngine:
		more, err = r.column(ctx, "SELECT 'superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper "+
			"UNION ALL SELECT DISTINCT right_name FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) right_name, pg_tables t "+
			"WHERE t.schemaname = current_schema() AND has_table_privilege(quote_ident(t.schemaname) || '.' || quote_ident(t.tablename), right_name)")
	case sqliteEngine: // opened read-only; what the file's owner may do is not ours
	}
	if err != nil || len(more) == 0 {
		return nil, err
	}
	slices.Sort(more)
	return []string{fmt.Sprintf("the database user %s may do more in Auth's database than read it (%s): use a user with the grants of docs/auth.md alone",
		r.target.user, strings.Join(slices.Compact(more), ", "))}, nil
}

// beyondSelect lists the rights of SHOW GRANTS that change something. The lines themselves may hold a password's digest and go nowhere.
func beyondSelect(grants []string) (more []string) {
	for _, line := range grants {
		rights, isGrant := strings.CutPrefix(line, "GRANT ")
		rights, _, on := strings.Cut(rights, " ON ")
		if !isGrant || !on {
			continue
		}
		depth := 0
		parts := strings.FieldsFunc(rights, func(c rune) bool {
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
			return c == ',' && depth == 0
		})
		for _, p := range parts {
			name, _, _ := strings.Cut(strings.TrimSpace(p), " (")
			switch strings.ToUpper(name) {
			case "SELECT", "USAGE", "PROXY", "SHOW VIEW":
			default:
				more = append(more, name)
			}
		}
		if strings.HasSuffix(line, "WITH GRANT OPTION") {
			more = append(more, "GRANT OPTION")
		}
	}
	return more
}

// secretsInReach finds passwords, addresses and tokens that the user could read, though gatecamp never does.
func (r *Reader) secretsInReach(ctx context.Context) ([]string, error) {
	var reach []string
	for _, t := range []table{
		{name: "auth_user", columns: []string{"password"}},
		{name: "auth_user", columns: []string{"email"}},
		{name: "esi_token", columns: []string{"id"}},
		{name: "django_session", columns: []string{"session_key"}},
	} {
		if r.target.engine != sqliteEngine && r.try(ctx, t.name, t.columns...) == none {
			reach = append(reach, t.name+"."+t.columns[0])
		}
	}
	if len(reach) == 0 {
		return nil, ctx.Err()
	}
	return []string{fmt.Sprintf("the database user %s could read %s, which gatecamp never does: use a user with the grants of docs/auth.md alone",
		r.target.user, strings.Join(reach, ", "))}, nil
}

// storageEngines finds tables whose rows are not part of a snapshot.
func (r *Reader) storageEngines(ctx context.Context) ([]string, error) {
	if r.target.engine != mysqlEngine {
		return nil, nil
	}
	names := make([]string, len(needed))
	for i, t := range needed {
		names[i] = "'" + t.name + "'"
	}
	tables, err := r.column(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND engine <> 'InnoDB' "+
		"AND table_name IN ("+strings.Join(names, ", ")+")")
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	slices.Sort(tables)
	return []string{"tables of Auth are not InnoDB (" + strings.Join(tables, ", ") +
		"): a user can be read without their groups while Auth writes; convert them with ALTER TABLE … ENGINE=InnoDB"}, nil
}

// clock compares the server's clock with ours.
func (r *Reader) clock(ctx context.Context) ([]string, error) {
	if r.target.engine == sqliteEngine {
		return nil, nil
	}
	var server sql.NullTime
	var beat, updated sql.NullTime
	if err := r.db.QueryRowContext(ctx, r.target.engine.clock(layout{})).Scan(&server, &beat, &updated); err != nil {
		return nil, err
	}
	skew := time.Until(server.Time).Abs().Round(time.Second)
	for _, limit := range audit.DefaultThresholds().All() {
		if limit.Name == audit.ClockSkew.String() && skew > time.Duration(limit.Value)*time.Second {
			return []string{fmt.Sprintf("the clocks of this machine and of Auth's database differ by %s: set both by NTP, or ages and ends of blocks are wrong", skew)}, nil
		}
	}
	return nil, nil
}

// column reads the first column of an answer as text.
func (r *Reader) column(ctx context.Context, statement string) (all []string, err error) {
	rows, err := r.db.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
