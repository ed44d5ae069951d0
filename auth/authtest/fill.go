package authtest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Dialect is the kind of database to fill.
type Dialect int

// The dialects.
const (
	SQLiteDialect Dialect = iota
	MySQLDialect
	PostgresDialect
)

func (d Dialect) String() string {
	switch d {
	case SQLiteDialect:
		return "SQLite"
	case MySQLDialect:
		return "MySQL"
	case PostgresDialect:
		return "Postgres"
	}
	return "unknown"
}

// tables of Auth 5.5 that a reader may want, with secret columns that it must not. Types as MariaDB has them; "updated" stands for the
// columns of freshness, which differ by edition.
const tables = `
auth_user id int primary key, username varchar(150), password varchar(128), email varchar(254), first_name varchar(150), last_name varchar(150), is_active bool, is_superuser bool, is_staff bool, last_login moment, date_joined moment
auth_group id int primary key, name varchar(150)
auth_user_groups id int primary key, user_id int, group_id int
auth_permission id int primary key, name varchar(255), content_type_id int, codename varchar(100)
auth_group_permissions id int primary key, group_id int, permission_id int
auth_user_user_permissions id int primary key, user_id int, permission_id int
django_content_type id int primary key, app_label varchar(100), model varchar(100)
django_migrations id int primary key, app varchar(255), name varchar(255), applied moment
django_celery_beat_periodictask id int primary key, name varchar(200), task varchar(200), enabled bool, last_run_at moment, total_run_count int
authentication_state id int primary key, name varchar(32), priority int, public bool
authentication_state_permissions id int primary key, state_id int, permission_id int
authentication_userprofile id int primary key, user_id int, state_id int, main_character_id int, language varchar(10)
eveonline_evecharacter id int primary key, character_id int, character_name varchar(254), corporation_id int, corporation_name varchar(254), corporation_ticker varchar(5), alliance_id int, alliance_name varchar(254), alliance_ticker varchar(5) updated
groupmanagement_reservedgroupname id int primary key, name varchar(150), reason text, created_by varchar(255), created_at moment
discord_discorduser user_id int primary key, uid bigint, username varchar(32), discriminator varchar(4), activated moment
esi_token id int primary key, access_token text`

// migrations that tell the editions apart; squashed ones beside those that they replace, as Django records them.
var migrations = map[string][][2]string{
	"4": {
		{"eveonline", "0017_alliance_and_corp_names_are_not_unique"},
		{"authentication", "0020_userprofile_language_userprofile_night_mode"},
		{"groupmanagement", "0019_adding_restricted_to_groups"},
		{"discord", "0003_big_overhaul"},
	},
	"5.0": {
		{"eveonline", "0017_alliance_and_corp_names_are_not_unique"},
		{"eveonline", "0019_v5squash"},
		{"eveonline", "0021_alter_eveallianceinfo_options_and_more"},
		{"authentication", "0025_v5squash"},
		{"groupmanagement", "0020_v5squash"},
		{"discord", "0004_v5squash"},
	},
	"5.5": {
		{"eveonline", "0025_remove_evecharacter_last_updated_and_more"},
		{"eveonline", "0017_alliance_and_corp_names_are_not_unique"},
		{"authentication", "0026_alter_characterownership_user_and_more"},
		{"groupmanagement", "0021_alter_authgroup_group_and_more"},
		{"discord", "0005_alter_discorduser_user"},
		{"eveonline", "0019_v5squash"},
		{"authentication", "0025_v5squash"},
	},
}

var updated = map[string]string{"4": "", "5.0": ", last_updated moment", "5.5": ", last_updated_affiliations moment, last_updated_other moment"}

// Fill makes the tables in an empty database and puts the world into them.
func (w World) Fill(ctx context.Context, db *sql.DB, d Dialect) error {
	if w.Edition == "" {
		w.Edition = "5.5"
	}
	types := strings.NewReplacer(" moment", " datetime", " bool", " bool")
	switch d {
	case MySQLDialect:
		types = strings.NewReplacer(" moment", " datetime(6)", " bool", " tinyint(1)")
	case PostgresDialect:
		types = strings.NewReplacer(" moment", " timestamptz", " bool", " boolean")
	case SQLiteDialect:
	}
	for table := range strings.Lines(strings.TrimSpace(tables)) {
		name, columns, _ := strings.Cut(strings.TrimSpace(table), " ")
		columns = types.Replace(strings.Replace(columns, " updated", updated[w.Edition], 1))
		if _, err := db.ExecContext(ctx, "CREATE TABLE "+name+" ("+columns+")"); err != nil {
			return err
		}
	}
	f := filler{ctx: ctx, dialect: d, permissions: map[string]int{}, kinds: map[string]int{}}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	f.tx = tx
	f.fill(w)
	if f.err != nil {
		return f.err
	}
	return tx.Commit()
}

// filler inserts rows in large statements; the first error stays.
type filler struct {
	ctx         context.Context
	tx          *sql.Tx
	dialect     Dialect
	permissions map[string]int
	kinds       map[string]int
	pending     map[string][][]any
	err         error
}

func (f *filler) fill(w World) {
	began := w.Began
	if began.IsZero() {
		began = time.Date(2024, 3, 1, 18, 0, 0, 0, time.UTC)
	}
	// The first migration of any Django project, before Auth's own.
	names := append([][2]string{{"contenttypes", "0001_initial"}, {"auth", "0012_alter_user_first_name_max_length"}}, migrations[w.Edition]...)
	var rows [][]any
	for i, m := range names {
		rows = append(rows, []any{i + 1, m[0], m[1], began.Add(time.Duration(i) * time.Second)})
	}
	f.insert("django_migrations", "id, app, name, applied", rows)
	if !w.Beat.IsZero() {
		f.insert("django_celery_beat_periodictask", "id, name, task, enabled, last_run_at, total_run_count", [][]any{{1, "tasks", "tasks", true, w.Beat.UTC(), 1}})
	}
	f.holders(w)
	f.people(w)
	rows = nil
	for i, name := range w.Reserved {
		rows = append(rows, []any{i + 1, name, "", "", began})
	}
	f.insert("groupmanagement_reservedgroupname", "id, name, reason, created_by, created_at", rows)
}

// holders inserts permissions, states, groups and what they hold.
func (f *filler) holders(w World) {
	for _, p := range w.Permissions {
		f.permission(p)
	}
	var states, groups, ofStates, ofGroups [][]any
	for i, s := range w.States {
		states = append(states, []any{i + 1, s.Name, s.Priority, i == 0})
		for _, p := range s.Permissions {
			ofStates = append(ofStates, []any{len(ofStates) + 1, i + 1, f.permission(p)})
		}
	}
	for i, g := range w.Groups {
		groups = append(groups, []any{i + 1, g.Name})
		for _, p := range g.Permissions {
			ofGroups = append(ofGroups, []any{len(ofGroups) + 1, i + 1, f.permission(p)})
		}
	}
	f.insert("authentication_state", "id, name, priority, public", states)
	f.insert("auth_group", "id, name", groups)
	f.insert("authentication_state_permissions", "id, state_id, permission_id", ofStates)
	f.insert("auth_group_permissions", "id, group_id, permission_id", ofGroups)
}

// people inserts users and all that hangs on them, and the permissions, which are all known then.
func (f *filler) people(w World) {
	stateIDs, groupIDs := map[string]int{}, map[string]int{}
	for i, s := range w.States {
		stateIDs[s.Name] = i + 1
	}
	for i, g := range w.Groups {
		groupIDs[g.Name] = i + 1
	}
	var users, profiles, memberships, direct, links, characters [][]any
	character := func(m Main) int {
		id := len(characters) + 1
		row := []any{id, 90_000_000 + id, m.Name, 1, m.Corporation, m.Corporation, nil, m.Alliance, m.Alliance}
		if w.Edition == "4" && m.Alliance == "" {
			row[7], row[8] = nil, nil
		}
		if w.Edition != "4" {
			row = append(row, sql.NullTime{Time: w.Updated.UTC(), Valid: !w.Updated.IsZero()})
		}
		characters = append(characters, row)
		return id
	}
	for i, u := range w.Users {
		if u.ID == 0 {
			u.ID = int64(i + 1)
		}
		users = append(users, []any{u.ID, u.Name, "canary-password-hash", "canary@example.com", "", "", !u.Inactive, u.Superuser, u.Superuser, time.Unix(0, 0).UTC()})
		if u.State != "" {
			var main any
			if u.Main.Name != "" {
				main = character(u.Main)
			}
			profiles = append(profiles, []any{len(profiles) + 1, u.ID, stateIDs[u.State], main, ""})
		}
		for _, g := range u.Groups {
			memberships = append(memberships, []any{len(memberships) + 1, u.ID, groupIDs[g]})
		}
		for _, p := range u.Permissions {
			direct = append(direct, []any{len(direct) + 1, u.ID, f.permission(p)})
		}
		if u.Discord != 0 {
			links = append(links, []any{u.ID, u.Discord, "", ""})
		}
	}
	for i := range w.Alts {
		character(Main{Name: fmt.Sprintf("Alt %d", i), Corporation: "ALTS", Alliance: "ALLY"})
	}
	columns := "id, character_id, character_name, corporation_id, corporation_name, corporation_ticker, alliance_id, alliance_name, alliance_ticker"
	switch w.Edition {
	case "5.0":
		columns += ", last_updated"
	case "5.5":
		columns += ", last_updated_affiliations"
	}
	f.insert("eveonline_evecharacter", columns, characters)
	f.insert("auth_user", "id, username, password, email, first_name, last_name, is_active, is_superuser, is_staff, date_joined", users)
	f.insert("authentication_userprofile", "id, user_id, state_id, main_character_id, language", profiles)
	f.insert("auth_user_groups", "id, user_id, group_id", memberships)
	f.insert("auth_user_user_permissions", "id, user_id, permission_id", direct)
	f.insert("discord_discorduser", "user_id, uid, username, discriminator", links)
	f.insert("auth_permission", "id, name, content_type_id, codename", f.pending["auth_permission"])
	f.insert("django_content_type", "id, app_label, model", f.pending["django_content_type"])
}

// permission gives the id of "app.codename", or of "app/model.codename" where the model matters.
func (f *filler) permission(name string) int {
	if id, ok := f.permissions[name]; ok {
		return id
	}
	kind, codename, _ := strings.Cut(name, ".")
	if _, ok := f.kinds[kind]; !ok {
		f.kinds[kind] = len(f.kinds) + 1
		app, model, _ := strings.Cut(kind, "/")
		f.later("django_content_type", f.kinds[kind], app, model)
	}
	f.permissions[name] = len(f.permissions) + 1
	f.later("auth_permission", f.permissions[name], codename, f.kinds[kind], codename)
	return f.permissions[name]
}

func (f *filler) later(table string, row ...any) {
	if f.pending == nil {
		f.pending = map[string][][]any{}
	}
	f.pending[table] = append(f.pending[table], row)
}

// value is how Django writes a moment into SQLite: UTC as text without a zone.
func (f *filler) value(v any) any {
	if n, ok := v.(sql.NullTime); ok {
		if !n.Valid {
			return nil
		}
		v = n.Time
	}
	if at, ok := v.(time.Time); ok && f.dialect == SQLiteDialect {
		return at.UTC().Format("2006-01-02 15:04:05.000000")
	}
	return v
}

// insert writes the rows, some hundred in a statement.
func (f *filler) insert(table, columns string, rows [][]any) {
	const batch = 500
	for len(rows) > 0 && f.err == nil {
		part := rows[:min(batch, len(rows))]
		rows = rows[len(part):]
		var b strings.Builder
		b.WriteString("INSERT INTO " + table + " (" + columns + ") VALUES ")
		var values []any
		for i, row := range part {
			if i > 0 {
				b.WriteByte(',')
			}
			for j, v := range row {
				b.WriteByte("(,"[min(j, 1)])
				values = append(values, f.value(v))
				if f.dialect == PostgresDialect {
					fmt.Fprintf(&b, "$%d", len(values))
				} else {
					b.WriteByte('?')
				}
			}
			b.WriteByte(')')
		}
		if _, err := f.tx.ExecContext(f.ctx, b.String(), values...); err != nil {
			f.err = fmt.Errorf("%s: %w", table, err)
		}
	}
}
