package auth

import (
	"fmt"
	"slices"
	"strings"
)

// table is a table of Auth's that is read, with the columns that are.
type table struct {
	name    string
	columns []string
	whole   bool // granted as a whole: nothing in it is secret, and which of its columns exist depends on Auth's version
}

// needed are the tables without which nothing can be said, in the order of docs/auth.md.
var needed = []table{
	{name: "auth_user", columns: []string{"id", "username", "is_active", "is_superuser"}},
	{name: "authentication_userprofile", columns: []string{"user_id", "state_id", "main_character_id"}},
	{name: "authentication_state", columns: []string{"id", "name", "priority"}},
	{name: "auth_group", columns: []string{"id", "name"}},
	{name: "auth_user_groups", columns: []string{"user_id", "group_id"}},
	{name: "auth_permission", columns: []string{"id", "content_type_id", "codename"}},
	{name: "django_content_type", columns: []string{"id", "app_label"}},
	{name: "auth_group_permissions", columns: []string{"group_id", "permission_id"}},
	{name: "auth_user_user_permissions", columns: []string{"user_id", "permission_id"}},
	{name: "authentication_state_permissions", columns: []string{"state_id", "permission_id"}},
	{name: linksTable, columns: []string{"user_id", "uid"}},
	{name: characterTable, columns: []string{"id", "character_name", "corporation_ticker", "alliance_ticker"}, whole: true},
	{name: "groupmanagement_reservedgroupname", columns: []string{"name"}},
	{name: "django_migrations", columns: []string{"id", "app", "name", "applied"}},
}

// optional is read where it exists and is granted; without it the age of Auth's scheduler is unknown.
var optional = table{name: beatTable, columns: []string{"enabled", "last_run_at"}}

const (
	linksTable     = "discord_discorduser"
	characterTable = "eveonline_evecharacter"
	beatTable      = "django_celery_beat_periodictask"
)

// grant is the statement that lets user read what is needed of the table, and no more.
func (t table) grant(e engine, database, user string) string {
	columns := ""
	if !t.whole {
		columns = "(" + strings.Join(t.columns, ", ") + ") "
	}
	if e == postgresEngine {
		return fmt.Sprintf("GRANT SELECT %sON %s TO %s;", columns, t.name, user)
	}
	return fmt.Sprintf("GRANT SELECT %sON %s.%s TO '%s'@'%%';", columns, database, t.name, user)
}

// layout says which of the columns that depend on Auth's version and on grants can be read.
type layout struct {
	beat    bool
	updated string // column of characterTable that says when it was last refreshed; empty: none (Auth 4)
}

// seen are the statements that list the readable columns of characterTable and beatTable.
func (e engine) seen() string {
	const both = "('" + characterTable + "', '" + beatTable + "')"
	switch e {
	case mysqlEngine:
		return "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN " + both
	case postgresEngine:
		return "SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid " +
			"WHERE c.oid IN (to_regclass('" + characterTable + "'), to_regclass('" + beatTable + "')) " +
			"AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
	case sqliteEngine:
	}
	return "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.name IN " + both
}

// layoutOf reads the answer of seen.
func layoutOf(columns map[string][]string) (l layout) {
	l.beat = !slices.ContainsFunc(optional.columns, func(c string) bool { return !slices.Contains(columns[beatTable], c) })
	for _, c := range []string{"last_updated_affiliations", "last_updated"} {
		if slices.Contains(columns[characterTable], c) {
			l.updated = c
			break
		}
	}
	return l
}

// clock is the statement for the server's time and for the two ages, each NULL where it cannot be known.
func (e engine) clock(l layout) string {
	now, beat, updated := "NULL", "NULL", "NULL"
	switch e {
	case mysqlEngine:
		now = "UTC_TIMESTAMP(6)"
	case postgresEngine:
		now = "clock_timestamp()"
	case sqliteEngine: // the server's clock is ours
	}
	if l.beat {
		beat = "(SELECT MAX(last_run_at) FROM " + beatTable + " WHERE enabled)"
	}
	if l.updated != "" {
		updated = "(SELECT MAX(" + l.updated + ") FROM " + characterTable + ")"
	}
	return "SELECT " + now + ", " + beat + ", " + updated
}
