package relational

import (
	"context"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// fewSubjects is how many subjects are asked for by name; for more, all open findings of the guild are read.
const fewSubjects = 200

// place is where at most one finding is open.
type place struct {
	kind     string
	subject  snowflake.ID
	category string
	slot     string
}

// standing is what is read of an open finding to see whether anything is to be done.
type standing struct {
	id        int64
	mark      string
	grantedBy snowflake.ID
	opened    time.Time
	place     place
	found     int // index into Look.Found, or -1
}

// ApplyLook satisfies storage.Findings.
func (s *Store) ApplyLook(ctx context.Context, look storage.Look) (done storage.Applied, err error) {
	defer wrap.Err(&err, "findings.ApplyLook(%d, run %d)", look.Guild, look.Run)
	if look.Extent == storage.Blind {
		return done, nil
	}
	l, err := newDifference(look)
	if err != nil {
		return done, err
	}
	// A live event mostly finds nothing new; then nobody who writes has to wait for it.
	if l.isNarrow() {
		if err := s.db.Read(ctx, func(tx Tx) error { return l.compare(ctx, tx) }); err != nil || l.isEmpty() {
			return l.counts(), err
		}
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tx.Alone(ctx, "findings:"+look.Guild.String()); err != nil {
			return err
		}
		if err := l.compare(ctx, tx); err != nil {
			return err
		}
		for _, step := range []func(context.Context, Tx) error{l.change, l.close, l.open} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return storage.Applied{}, err
	}
	return l.counts(), nil
}

// difference is what a look means for the findings that stand.
type difference struct {
	look      storage.Look
	at        map[place]int // index into look.Found
	documents []string      // of look.Found
	subjects  []any         // of look.Seen and look.Found, each once
	undecided map[snowflake.ID]struct{}
	seen      map[snowflake.ID]struct{}

	fresh   []int // indexes into look.Found
	changed []standing
	gone    []int64
	same    int
}

func newDifference(look storage.Look) (*difference, error) {
	d := &difference{look: look, at: make(map[place]int, len(look.Found)), undecided: set(look.Undecided), seen: set(look.Seen)}
	d.documents = make([]string, len(look.Found))
	for i, f := range look.Found {
		p := place{f.SubjectKind, f.Subject, f.Category, f.Slot}
		if _, twice := d.at[p]; twice {
			return nil, storage.ErrConflict
		}
		d.at[p] = i
		d.documents[i] = encodeFacts(f.FindingFacts)
	}
	all := set(look.Seen)
	for _, f := range look.Found {
		all[f.Subject] = struct{}{}
	}
	d.subjects = make([]any, 0, len(all))
	for id := range all {
		d.subjects = append(d.subjects, int64(id))
	}
	return d, nil
}

// isNarrow reports whether the look can only touch findings of a few subjects.
func (d *difference) isNarrow() bool {
	return d.look.Extent != storage.Complete && len(d.subjects) <= fewSubjects
}

func (d *difference) isEmpty() bool { return len(d.fresh)+len(d.changed)+len(d.gone) == 0 }

func (d *difference) counts() storage.Applied {
	return storage.Applied{Opened: len(d.fresh), Changed: len(d.changed), Closed: len(d.gone), Unchanged: d.same}
}

func set(list []snowflake.ID) map[snowflake.ID]struct{} {
	m := make(map[snowflake.ID]struct{}, len(list))
	for _, id := range list {
		m[id] = struct{}{}
	}
	return m
}

// compare reads the open findings that the look can touch and sorts them.
func (d *difference) compare(ctx context.Context, tx Tx) error {
	standings, err := d.standings(ctx, tx)
	if err != nil {
		return err
	}
	d.fresh, d.changed, d.gone, d.same = nil, nil, nil, 0
	known := make([]bool, len(d.look.Found))
	for _, st := range standings {
		i, found := d.at[st.place]
		if found {
			known[i] = true
		}
		if _, undecided := d.undecided[st.place.subject]; undecided {
			continue
		}
		if !found {
			if d.closes(st.place.subject) && !st.opened.After(micro(d.look.At)) { // a later look knows better
				d.gone = append(d.gone, st.id)
			}
			continue
		}
		f := d.look.Found[i].FindingFacts
		if st.mark == marked(f, d.documents[i]) && (f.GrantedBy == 0 || f.GrantedBy == st.grantedBy) {
			d.same++
			continue
		}
		st.found = i
		d.changed = append(d.changed, st)
	}
	for i, f := range d.look.Found {
		if _, undecided := d.undecided[f.Subject]; !known[i] && !undecided {
			d.fresh = append(d.fresh, i)
		}
	}
	return nil
}

func (d *difference) closes(subject snowflake.ID) bool {
	_, seen := d.seen[subject]
	return d.look.Extent == storage.Complete || d.look.Extent == storage.Named && seen
}

func (d *difference) standings(ctx context.Context, tx Tx) ([]standing, error) {
	const columns = `SELECT id, subject_kind, subject_id, category, slot, fingerprint, COALESCE(granted_by, 0), opened_at FROM finding WHERE guild_id = $1 AND closed_at IS NULL`
	scan := func(row Row) (st standing, err error) {
		err = row.Scan(&st.id, &st.place.kind, &st.place.subject, &st.place.category, &st.place.slot, &st.mark, &st.grantedBy, toTime{&st.opened})
		return st, err
	}
	q := newQuery(columns, int64(d.look.Guild))
	if d.isNarrow() {
		if len(d.subjects) == 0 {
			return nil, nil
		}
		q.in("subject_id", d.subjects)
	}
	return list(ctx, tx, scan, q.add("ORDER BY id").sql.String(), q.args...)
}

// change brings findings up to date and keeps what they were.
func (d *difference) change(ctx context.Context, tx Tx) error {
	if len(d.changed) == 0 {
		return nil
	}
	before, err := d.befores(ctx, tx)
	if err != nil {
		return err
	}
	err = tx.Insert(ctx, "finding_change", changeColumns, len(d.changed), func(i int) []any {
		st := d.changed[i]
		after := d.look.Found[st.found].FindingFacts
		if after.GrantedBy == 0 {
			after.GrantedBy = st.grantedBy
		}
		return changeRow(d.look.Guild, storage.FindingChange{
			Finding: st.id, At: d.look.At, Run: d.look.Run, What: storage.ChangeFacts,
			Before: before[st.id], After: logged(after, d.documents[st.found]),
		})
	})
	if err != nil {
		return err
	}
	return tx.Repeat(ctx, `UPDATE finding SET user_id = $2, wanted = $3, allowed = $4, layer = $5, facts = $6, granted_by = COALESCE($7, granted_by),
		fingerprint = $8, changed_at = $9, changed_run = $10 WHERE id = $1`, len(d.changed), func(i int) []any {
		st := d.changed[i]
		f, document := d.look.Found[st.found].FindingFacts, d.documents[st.found]
		return []any{st.id, f.User, f.Wanted, f.Allowed, f.Layer, document, grantor(f), marked(f, document), when(d.look.At), d.look.Run}
	})
}

// befores are the facts that stand, as the change log keeps them.
func (d *difference) befores(ctx context.Context, tx Tx) (map[int64][]byte, error) {
	before := make(map[int64][]byte, len(d.changed))
	args := make([]any, len(d.changed))
	for i, st := range d.changed {
		args[i] = st.id
	}
	type standing struct {
		id    int64
		facts []byte
	}
	scan := func(row Row) (st standing, err error) {
		var f storage.FindingFacts
		var document string
		err = row.Scan(&st.id, &f.User, &f.Wanted, &f.Allowed, &f.Layer, &document, &f.GrantedBy)
		st.facts = logged(f, document)
		return st, err
	}
	for _, some := range chunks(args) {
		all, err := list(ctx, tx, scan, inQuery(`SELECT id, user_id, wanted, allowed, layer, facts, COALESCE(granted_by, 0) FROM finding WHERE id IN`, len(some)), some...)
		if err != nil {
			return nil, err
		}
		for _, st := range all {
			before[st.id] = st.facts
		}
	}
	return before, nil
}

// logged is a finding's facts as the change log keeps them.
func logged(f storage.FindingFacts, document string) []byte {
	b := make([]byte, 0, 128+len(document))
	for _, pair := range [...][2]string{{`{"wanted":`, f.Wanted}, {`,"allowed":`, f.Allowed}, {`,"layer":`, f.Layer}} {
		b = appendCode(append(b, pair[0]...), pair[1])
	}
	b = append(append(b, `,"facts":`...), document...)
	if f.User != 0 {
		b = strconv.AppendInt(append(b, `,"user":`...), f.User, 10)
	}
	if f.GrantedBy != 0 {
		b = appendID(append(b, `,"granted_by":`...), f.GrantedBy)
	}
	return append(b, '}')
}

func grantor(f storage.FindingFacts) any {
	if f.GrantedBy == 0 {
		return nil
	}
	return int64(f.GrantedBy)
}

func (d *difference) close(ctx context.Context, tx Tx) error {
	return tx.Repeat(ctx, `UPDATE finding SET closed_at = $2, closed_run = $3 WHERE id = $1`, len(d.gone), func(i int) []any {
		return []any{d.gone[i], when(d.look.At), d.look.Run}
	})
}

func (d *difference) open(ctx context.Context, tx Tx) error {
	columns := []string{
		"guild_id", "subject_kind", "subject_id", "category", "slot", "user_id", "wanted", "allowed", "layer", "facts", "granted_by", "fingerprint",
		"attempted", "observed", "opened_at", "opened_run", "changed_at", "changed_run", "closed_run", "review_note", "reviewed_by",
	}
	at := when(d.look.At)
	return tx.Insert(ctx, "finding", columns, len(d.fresh), func(i int) []any {
		f, document := d.look.Found[d.fresh[i]], d.documents[d.fresh[i]]
		return []any{
			int64(d.look.Guild), f.SubjectKind, int64(f.Subject), f.Category, f.Slot, f.User, f.Wanted, f.Allowed, f.Layer, document,
			grantor(f.FindingFacts), marked(f.FindingFacts, document), "", "", at, d.look.Run, at, d.look.Run, int64(0), "", "",
		}
	})
}
