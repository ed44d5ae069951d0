package relational

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
	"gatecamp/trail"
)

var trailColumns = []string{
	"guild_id", "at", "kind", "run_id", "subject_key", "actor_key", "what", "code", "role_id", "plan", "action_key", "numbers",
}

func trailRow(e trail.Entry) []any {
	var numbers any
	if len(e.Numbers) > 0 {
		numbers = encode(e.Numbers)
	}
	return []any{
		int64(e.Guild), when(e.At), e.Kind.String(), e.Run, text(string(e.Subject)), text(string(e.Actor)), e.What, e.Code, int64(e.Role), e.Plan, e.Action,
		numbers,
	}
}

// AppendTrail satisfies storage.Trail.
func (s *Store) AppendTrail(ctx context.Context, records []storage.TrailRecord) (err error) {
	defer wrap.Err(&err, "trail.AppendTrail(%d records)", len(records))
	if len(records) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx Tx) error {
		if err := knownKeys(ctx, tx, records); err != nil {
			return err
		}
		for len(records) > 0 {
			// Those without text go in bulk; a text needs the id of its entry.
			plain := 0
			for plain < len(records) && records[plain].Text == "" {
				plain++
			}
			bulk := records[:plain]
			if err := tx.Insert(ctx, "trail", trailColumns, len(bulk), func(i int) []any { return trailRow(bulk[i].Entry) }); err != nil {
				return err
			}
			if records = records[plain:]; len(records) == 0 {
				return nil
			}
			if err := appendWithText(ctx, tx, records[0]); err != nil {
				return err
			}
			records = records[1:]
		}
		return nil
	})
}

func appendWithText(ctx context.Context, tx Tx, r storage.TrailRecord) error {
	values := trailRow(r.Entry)
	row := make([]insertion, len(values))
	for i, v := range values {
		row[i] = insertion{trailColumns[i], v}
	}
	id, err := insert(ctx, tx, "trail", row)
	if err != nil {
		return err
	}
	about := r.Subject
	if about == "" {
		about = r.Actor
	}
	_, err = tx.Exec(ctx, `INSERT INTO trail_text (trail_id, guild_id, person_key, body) VALUES ($1, $2, $3, $4)`, id, int64(r.Guild), text(string(about)), r.Text)
	return err
}

// knownKeys refuses entries about people whom nobody has introduced.
func knownKeys(ctx context.Context, tx Tx, records []storage.TrailRecord) error {
	type owned struct {
		key   trail.Key
		guild snowflake.ID
	}
	wanted := map[owned]struct{}{}
	for _, r := range records {
		for _, key := range []trail.Key{r.Subject, r.Actor} {
			if key != "" {
				wanted[owned{key, r.Guild}] = struct{}{}
			}
		}
	}
	keys := make([]any, 0, len(wanted))
	for w := range wanted {
		keys = append(keys, string(w.key))
	}
	for _, some := range chunks(keys) {
		found, err := list(ctx, tx, func(row Row) (o owned, err error) {
			err = row.Scan((*string)(&o.key), &o.guild)
			return o, err
		}, inQuery(`SELECT person_key, guild_id FROM person WHERE person_key IN`, len(some)), some...)
		if err != nil {
			return err
		}
		for _, o := range found {
			delete(wanted, o)
		}
	}
	for w := range wanted {
		return fmt.Errorf("person %s in guild %d: %w", w.key, w.guild, storage.ErrNotFound)
	}
	return nil
}

func inQuery(sql string, n int) string {
	b := []byte(sql + " (")
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "$%d", i+1)
	}
	return string(append(b, ')'))
}

// TrailEntries satisfies storage.Trail.
func (s *Store) TrailEntries(ctx context.Context, guild snowflake.ID, f storage.TrailFilter) (records []storage.TrailRecord, err error) {
	defer wrap.Err(&err, "trail.TrailEntries(%d)", guild)
	q := newQuery(`SELECT t.id, t.guild_id, t.at, t.kind, t.run_id, t.subject_key, t.actor_key, t.what, t.code, t.role_id, t.plan, t.action_key, t.numbers, x.body
		FROM trail t LEFT JOIN trail_text x ON x.trail_id = t.id WHERE t.guild_id = $1`, int64(guild))
	if f.Run != 0 {
		q.and("t.run_id = %s", f.Run)
	}
	if f.Subject != "" {
		q.and("t.subject_key = %s", string(f.Subject))
	}
	if !f.Since.IsZero() {
		q.and("t.at >= %s", micro(f.Since))
	}
	if len(f.Kinds) > 0 {
		kinds := make([]any, len(f.Kinds))
		for i, k := range f.Kinds {
			kinds[i] = k.String()
		}
		q.in("t.kind", kinds)
	}
	order := "ASC"
	switch {
	case f.Newest && f.After != 0:
		q.and("t.id < %s", f.After)
	case !f.Newest:
		q.and("t.id > %s", f.After)
	}
	if f.Newest {
		order = "DESC"
	}
	q.add(fmt.Sprintf("ORDER BY t.id %s LIMIT %d", order, limit(f.Limit)))
	err = s.db.Read(ctx, func(tx Tx) error {
		records, err = list(ctx, tx, scanTrail, q.sql.String(), q.args...)
		return err
	})
	return records, err
}

func scanTrail(row Row) (r storage.TrailRecord, err error) {
	var kind string
	var numbers json.RawMessage
	err = row.Scan(&r.ID, &r.Guild, toTime{&r.At}, &kind, &r.Run, toText{(*string)(&r.Subject)}, toText{(*string)(&r.Actor)}, &r.What, &r.Code, &r.Role, &r.Plan,
		&r.Action, toDoc{&numbers}, toText{&r.Text})
	if err != nil {
		return r, err
	}
	var known bool
	if r.Kind, known = trail.ParseKind(kind); !known {
		return r, fmt.Errorf("entry %d is of the unknown kind %q", r.ID, kind)
	}
	if numbers != nil {
		err = json.Unmarshal(numbers, &r.Numbers)
	}
	return r, err
}

const personColumns = `person_key, guild_id, ref, discord_id, name, erased_at`

func scanPerson(row Row) (p storage.Person, err error) {
	err = row.Scan((*string)(&p.Key), &p.Guild, toText{&p.Ref}, &p.Discord, &p.Name, toTime{&p.Erased})
	return p, err
}

// fewPeople is how many people are asked for by name; for more, all of the guild are read.
const fewPeople = 200

// PersonKeys satisfies storage.People.
func (s *Store) PersonKeys(ctx context.Context, guild snowflake.ID, people []storage.Person) (keys []trail.Key, err error) {
	defer wrap.Err(&err, "people.PersonKeys(%d, %d people)", guild, len(people))
	if known, err := s.knownPeople(ctx, guild, people); known != nil || err != nil {
		return known, err
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "people:"+guild.String()); err != nil {
			return err
		}
		known, err := peopleByRef(ctx, tx, guild, people)
		if err != nil {
			return err
		}
		keys = make([]trail.Key, len(people))
		var fresh, renamed []storage.Person
		for i, p := range people {
			k, there := known[p.Ref]
			if !there {
				k = storage.Person{Key: newKey(), Guild: guild, Ref: p.Ref, Discord: p.Discord, Name: p.Name}
				known[p.Ref] = k
				fresh = append(fresh, k)
			} else if p.Name != "" && p.Name != k.Name {
				k.Name = p.Name
				known[p.Ref] = k
				renamed = append(renamed, k)
			}
			keys[i] = k.Key
		}
		err = tx.Insert(ctx, "person", []string{"person_key", "guild_id", "ref", "discord_id", "name"}, len(fresh), func(i int) []any {
			return []any{string(fresh[i].Key), int64(guild), fresh[i].Ref, int64(fresh[i].Discord), fresh[i].Name}
		})
		if err != nil {
			return err
		}
		return tx.Repeat(ctx, `UPDATE person SET name = $2 WHERE person_key = $1`, len(renamed), func(i int) []any {
			return []any{string(renamed[i].Key), renamed[i].Name}
		})
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// knownPeople answers without writing when everyone is known under the name they have; else it is nil.
func (s *Store) knownPeople(ctx context.Context, guild snowflake.ID, people []storage.Person) (keys []trail.Key, err error) {
	err = s.db.Read(ctx, func(tx Tx) error {
		known, err := peopleByRef(ctx, tx, guild, people)
		if err != nil {
			return err
		}
		all := make([]trail.Key, len(people))
		for i, p := range people {
			k, there := known[p.Ref]
			if !there || p.Name != "" && p.Name != k.Name {
				return nil
			}
			all[i] = k.Key
		}
		keys = all
		return nil
	})
	return keys, err
}

func peopleByRef(ctx context.Context, tx Tx, guild snowflake.ID, people []storage.Person) (map[string]storage.Person, error) {
	q := newQuery(`SELECT `+personColumns+` FROM person WHERE guild_id = $1 AND ref IS NOT NULL`, int64(guild))
	known := make(map[string]storage.Person, len(people))
	if len(people) == 0 {
		return known, nil
	}
	if len(people) <= fewPeople {
		refs := make([]any, len(people))
		for i, p := range people {
			refs[i] = p.Ref
		}
		q.in("ref", refs)
	}
	stored, err := list(ctx, tx, scanPerson, q.sql.String(), q.args...)
	for _, p := range stored {
		known[p.Ref] = p
	}
	return known, err
}

// newKey is random, so that it says nothing about the person. rand.Read never fails.
func newKey() trail.Key {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return trail.Key("p" + hex.EncodeToString(b[:]))
}

// People satisfies storage.People.
func (s *Store) People(ctx context.Context, guild snowflake.ID, keys []trail.Key) (_ map[trail.Key]storage.Person, err error) {
	defer wrap.Err(&err, "people.People(%d)", guild)
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = string(k)
	}
	known := make(map[trail.Key]storage.Person, len(keys))
	err = s.db.Read(ctx, func(tx Tx) error {
		for _, some := range chunks(args) {
			q := newQuery(`SELECT `+personColumns+` FROM person WHERE guild_id = $1`, int64(guild)).in("person_key", some)
			found, err := list(ctx, tx, scanPerson, q.sql.String(), q.args...)
			if err != nil {
				return err
			}
			for _, p := range found {
				known[p.Key] = p
			}
		}
		return nil
	})
	return known, err
}

// ErasePerson satisfies storage.People.
func (s *Store) ErasePerson(ctx context.Context, guild snowflake.ID, ref string, by storage.Author) (err error) {
	defer wrap.Err(&err, "people.ErasePerson(%d)", guild)
	return s.db.Write(ctx, func(tx Tx) error {
		elsewhere, err := eraseElsewhere(ctx, tx, guild, ref)
		if err != nil {
			return err
		}
		var key string
		err = tx.QueryRow(ctx, `UPDATE person SET ref = NULL, discord_id = 0, name = '', erased_at = $3 WHERE guild_id = $1 AND ref = $2 RETURNING person_key`,
			int64(guild), ref, when(by.At)).Scan(&key)
		if errors.Is(err, storage.ErrNotFound) && elsewhere {
			return note(ctx, tx, guild, "person", "unrecorded", map[string]any{"erased": false}, map[string]any{"erased": true}, by)
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM trail_text WHERE person_key = $1`, key); err != nil {
			return err
		}
		return note(ctx, tx, guild, "person", key, map[string]any{"erased": false}, map[string]any{"erased": true}, by)
	})
}

// eraseElsewhere drops what is kept of a Discord account outside the record, and reports whether there was anything.
func eraseElsewhere(ctx context.Context, tx Tx, guild snowflake.ID, ref string) (found bool, err error) {
	account, isDiscord := strings.CutPrefix(ref, "discord:")
	id, err := snowflake.Parse(account)
	if !isDiscord || err != nil {
		return false, nil //nolint:nilerr // only an account has anything there
	}
	// A card may name people in what its buttons would do.
	cards, err := tx.Exec(ctx, `DELETE FROM card WHERE guild_id = $1 AND (invoker_id = $2 OR used_by = $3 OR args LIKE $4)`, int64(guild), int64(id), ref, "%"+id.String()+"%")
	if err != nil {
		return false, err
	}
	found = cards > 0
	for _, statement := range []string{
		`DELETE FROM role_grant WHERE guild_id = $1 AND member_id = $2`,
		`UPDATE role_grant SET actor_id = 0, reason = '' WHERE guild_id = $1 AND actor_id = $2`,
		`DELETE FROM seen_rights WHERE guild_id = $1 AND discord_id = $2`,
		`DELETE FROM subscriber WHERE guild_id = $1 AND discord_id = $2`,
		`DELETE FROM direct_message WHERE guild_id = $1 AND discord_id = $2`,
	} {
		n, err := tx.Exec(ctx, statement, int64(guild), int64(id))
		if err != nil {
			return false, err
		}
		found = found || n > 0
	}
	blocked, err := eraseBlocks(ctx, tx, guild, id)
	return found || blocked, err
}

// eraseBlocks lets blocks that are over, and their history, name nobody: what was done stays, by whom too. One that is in force says whom it
// concerns.
func eraseBlocks(ctx context.Context, tx Tx, guild, id snowflake.ID) (found bool, err error) {
	for scope, value := range map[string]string{"user": id.String(), "member": guild.String() + ":" + id.String()} {
		const over = ` AND NOT EXISTS (SELECT 1 FROM block b WHERE b.guild_id = $1 AND b.scope = $2 AND b.value = $3 AND b.closed_at IS NULL)`
		for _, statement := range []string{
			`UPDATE block_history SET value = '0', reason = '' WHERE guild_id = $1 AND scope = $2 AND value = $3` + over,
			`UPDATE block SET value = '0', reason = '', message = '', evidence = NULL, closed_reason = '' WHERE guild_id = $1 AND scope = $2 AND value = $3 AND closed_at IS NOT NULL`,
		} {
			n, err := tx.Exec(ctx, statement, int64(guild), scope, value)
			if err != nil {
				return false, err
			}
			found = found || n > 0
		}
	}
	return found, nil
}
