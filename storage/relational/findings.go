package relational

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// facts is the document of a finding: what has no column of its own.
type facts struct {
	Held        []snowflake.ID `json:"held,omitempty"`
	Go          []snowflake.ID `json:"go,omitempty"`
	Unreachable []snowflake.ID `json:"unreachable,omitempty"`
	Missing     []snowflake.ID `json:"missing,omitempty"`
	Lookalikes  []snowflake.ID `json:"lookalikes,omitempty"`
	Alerts      []string       `json:"alerts,omitempty"`
	Reasons     []string       `json:"reasons,omitempty"`
	Holds       []string       `json:"holds,omitempty"`
	Proposed    bool           `json:"proposed,omitempty"`
}

// encodeFacts is the document, in the form of facts; equal facts give equal documents, whatever the order of the lists was. It is
// written by hand, since a run has tens of thousands.
func encodeFacts(f storage.FindingFacts) string {
	b := make([]byte, 1, 256)
	b[0] = '{'
	b = appendList(b, "held", f.Held, appendID)
	b = appendList(b, "go", f.Go, appendID)
	b = appendList(b, "unreachable", f.Unreachable, appendID)
	b = appendList(b, "missing", f.Missing, appendID)
	b = appendList(b, "lookalikes", f.Lookalikes, appendID)
	b = appendList(b, "alerts", f.Alerts, appendCode)
	b = appendList(b, "reasons", f.Reasons, appendCode)
	b = appendList(b, "holds", f.Holds, appendCode)
	if f.Proposed {
		b = append(b, `"proposed":true,`...)
	}
	if len(b) > 1 {
		b = b[:len(b)-1]
	}
	return string(append(b, '}'))
}

func appendList[T snowflake.ID | string](b []byte, name string, list []T, one func([]byte, T) []byte) []byte {
	if len(list) == 0 {
		return b
	}
	if !slices.IsSorted(list) {
		list = slices.Sorted(slices.Values(list))
	}
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `":[`...)
	for _, v := range list {
		b = append(one(b, v), ',')
	}
	b[len(b)-1] = ']'
	return append(b, ',')
}

func appendID(b []byte, id snowflake.ID) []byte {
	return append(strconv.AppendUint(append(b, '"'), uint64(id), 10), '"')
}

func appendCode(b []byte, code string) []byte { return append(b, encode(code)...) }

// marked is what a finding's fingerprint is taken of.
func marked(f storage.FindingFacts, document string) string {
	b := make([]byte, 0, 256+len(document))
	b = strconv.AppendInt(b, f.User, 10)
	for _, s := range []string{f.Wanted, f.Allowed, f.Layer, document} {
		b = append(append(b, 0), s...)
	}
	return fingerprint(b)
}

const findingColumns = `id, guild_id, subject_kind, subject_id, category, slot, user_id, wanted, allowed, layer, facts, COALESCE(granted_by, 0),
	attempted, observed, opened_at, opened_run, changed_at, changed_run, closed_at, closed_run, review_note, reviewed_by, reviewed_at`

func scanFinding(row Row) (f storage.Finding, err error) {
	var d facts
	err = row.Scan(&f.ID, &f.Guild, &f.SubjectKind, &f.Subject, &f.Category, &f.Slot, &f.User, &f.Wanted, &f.Allowed, &f.Layer, toJSON{&d}, &f.GrantedBy,
		&f.Attempted, &f.Observed, toTime{&f.Opened}, &f.OpenedRun, toTime{&f.Changed}, &f.ChangedRun, toTime{&f.Closed}, &f.ClosedRun,
		&f.ReviewNote, &f.ReviewedBy, toTime{&f.Reviewed})
	f.Held, f.Go, f.Unreachable, f.Missing, f.Lookalikes = d.Held, d.Go, d.Unreachable, d.Missing, d.Lookalikes
	f.Alerts, f.Reasons, f.Holds, f.Proposed = d.Alerts, d.Reasons, d.Holds, d.Proposed
	return f, err
}

// NoteAttempt satisfies storage.Findings.
func (s *Store) NoteAttempt(ctx context.Context, guild, subject snowflake.ID, attempted, observed string, run int64, at time.Time) (n int, err error) {
	defer wrap.Err(&err, "findings.NoteAttempt(%d, %d)", guild, subject)
	err = s.db.Write(ctx, func(tx Tx) error {
		rows, err := list(ctx, tx, scanFinding, `SELECT `+findingColumns+` FROM finding
			WHERE guild_id = $1 AND subject_id = $2 AND subject_kind = 'member' AND (closed_at IS NULL OR closed_run <> 0 AND closed_run = $3)
			ORDER BY id`, int64(guild), int64(subject), run)
		if err != nil {
			return err
		}
		for _, f := range rows {
			if f.Attempted == attempted && f.Observed == observed {
				continue
			}
			change := storage.FindingChange{Finding: f.ID, At: at, Run: run, What: storage.ChangeAttempt}
			change.Before = []byte(encode(map[string]string{"attempted": f.Attempted, "observed": f.Observed}))
			change.After = []byte(encode(map[string]string{"attempted": attempted, "observed": observed}))
			if err := addChange(ctx, tx, guild, change); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE finding SET attempted = $2, observed = $3 WHERE id = $1`, f.ID, attempted, observed); err != nil {
				return err
			}
		}
		n = len(rows)
		return nil
	})
	return n, err
}

// Finding satisfies storage.Findings.
func (s *Store) Finding(ctx context.Context, guild snowflake.ID, id int64) (f storage.Finding, err error) {
	defer wrap.Err(&err, "findings.Finding(%d)", id)
	err = s.db.Read(ctx, func(tx Tx) error {
		f, err = readFinding(ctx, tx, guild, id)
		return err
	})
	return f, err
}

func readFinding(ctx context.Context, tx Tx, guild snowflake.ID, id int64) (storage.Finding, error) {
	return scanFinding(tx.QueryRow(ctx, `SELECT `+findingColumns+` FROM finding WHERE guild_id = $1 AND id = $2`, int64(guild), id))
}

// Findings satisfies storage.Findings.
func (s *Store) Findings(ctx context.Context, guild snowflake.ID, f storage.FindingFilter) (found []storage.Finding, err error) {
	defer wrap.Err(&err, "findings.Findings(%d)", guild)
	q := newQuery(`SELECT `+findingColumns+` FROM finding WHERE guild_id = $1`, int64(guild))
	switch {
	case f.Run != 0:
		q.and("(opened_run = %s OR changed_run = %s OR closed_run = %s)", f.Run, f.Run, f.Run)
	case !f.At.IsZero():
		q.and("opened_at <= %s AND (closed_at IS NULL OR closed_at > %s)", when(f.At), when(f.At))
	case !f.Closed:
		q.add("AND closed_at IS NULL")
	}
	if f.Subject != 0 {
		q.and("subject_id = %s", int64(f.Subject))
	}
	if f.Subjects != nil {
		subjects := make([]any, len(f.Subjects))
		for i, id := range f.Subjects {
			subjects[i] = int64(id)
		}
		q.in("subject_id", subjects)
	}
	if f.Category != "" {
		q.and("category = %s", f.Category)
	}
	q.newest(f.Page)
	err = s.db.Read(ctx, func(tx Tx) error {
		found, err = list(ctx, tx, scanFinding, q.sql.String(), q.args...)
		return err
	})
	return found, err
}

// FindingChanges satisfies storage.Findings.
func (s *Store) FindingChanges(ctx context.Context, guild snowflake.ID, id int64) (changes []storage.FindingChange, err error) {
	defer wrap.Err(&err, "findings.FindingChanges(%d)", id)
	scan := func(row Row) (c storage.FindingChange, err error) {
		var before, after json.RawMessage
		err = row.Scan(&c.ID, &c.Finding, toTime{&c.At}, &c.Run, &c.What, toDoc{&before}, toDoc{&after})
		c.Before, c.After = before, after
		return c, err
	}
	err = s.db.Read(ctx, func(tx Tx) error {
		changes, err = list(ctx, tx, scan, `SELECT id, finding_id, at, run_id, what, before_value, after_value FROM finding_change
			WHERE guild_id = $1 AND finding_id = $2 ORDER BY id`, int64(guild), id)
		return err
	})
	return changes, err
}

// ReviewFinding satisfies storage.Findings.
func (s *Store) ReviewFinding(ctx context.Context, guild snowflake.ID, id int64, by storage.Author) (f storage.Finding, err error) {
	defer wrap.Err(&err, "findings.ReviewFinding(%d)", id)
	if err := check(by); err != nil {
		return f, err
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		before, err := readFinding(ctx, tx, guild, id)
		if err != nil {
			return err
		}
		change := storage.FindingChange{Finding: id, At: by.At, What: storage.ChangeReview}
		change.Before = []byte(encode(map[string]string{"note": before.ReviewNote, "by": before.ReviewedBy}))
		change.After = []byte(encode(map[string]string{"note": by.Reason, "by": by.Actor}))
		if err := addChange(ctx, tx, guild, change); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE finding SET review_note = $2, reviewed_by = $3, reviewed_at = $4 WHERE id = $1`,
			id, by.Reason, by.Actor, when(by.At)); err != nil {
			return err
		}
		f, err = readFinding(ctx, tx, guild, id)
		return err
	})
	return f, err
}

var changeColumns = []string{"guild_id", "finding_id", "at", "run_id", "what", "before_value", "after_value"}

func changeRow(guild snowflake.ID, c storage.FindingChange) []any {
	return []any{int64(guild), c.Finding, when(c.At), c.Run, c.What, doc(c.Before), doc(c.After)}
}

func addChange(ctx context.Context, tx Tx, guild snowflake.ID, c storage.FindingChange) error {
	return tx.Insert(ctx, "finding_change", changeColumns, 1, func(int) []any { return changeRow(guild, c) })
}
