package schedule

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/notify"
	"gatecamp/storage"
)

// mostFindings is how many lines the list of people has at most: about 6 MB, of the 10 that Discord takes.
const mostFindings = 40_000

// details is the whole list of people as a file, where the guild asked for it. It is made when it is sent, so that no job holds it.
// Without it the summary goes out all the same.
func (q *Queue) details(ctx context.Context, g Guild, a postArgs) []notify.File {
	if !g.Details || a.Run == 0 {
		return nil
	}
	findings, err := q.cfg.Store.Findings(ctx, g.ID, storage.FindingFilter{Page: storage.Page{Limit: mostFindings}})
	if err != nil {
		q.cfg.Log.ErrorContext(ctx, "the list of people could not be read; the summary goes without it", "guild", g.ID, "run", a.Run, "error", err)
		return nil
	}
	return []notify.File{{Name: fmt.Sprintf("findings-run-%d.csv", a.Run), Data: q.table(g.ID, findings)}}
}

// table writes findings for a spreadsheet. Names are other people's text: what a spreadsheet would take for a formula is made text.
func (q *Queue) table(guild snowflake.ID, findings []storage.Finding) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := func(cells ...string) {
		for i, c := range cells {
			cells[i] = harmless(c)
		}
		_ = w.Write(cells) // a buffer takes everything
	}
	row("finding", "subject_kind", "subject", "name", "auth_user", "category", "wanted", "allowed", "layer", "held_roles", "roles_to_go", "alerts", "reasons", "held_by", "granted_by", "opened_at")
	for _, f := range findings {
		name, user, granted := "", "", ""
		if q.cfg.Name != nil && f.SubjectKind == storage.SubjectMember {
			name = q.cfg.Name(guild, f.Subject)
		}
		if f.User != 0 {
			user = fmt.Sprint(f.User)
		}
		if f.GrantedBy != 0 {
			granted = f.GrantedBy.String()
		}
		row(fmt.Sprint(f.ID), f.SubjectKind, f.Subject.String(), name, user, f.Category, f.Wanted, f.Allowed, f.Layer, ids(f.Held), ids(f.Go),
			strings.Join(f.Alerts, " "), strings.Join(f.Reasons, " "), strings.Join(f.Holds, " "), granted, f.Opened.UTC().Format("2006-01-02 15:04:05"))
	}
	w.Flush()
	return b.Bytes()
}

func ids(list []snowflake.ID) string {
	words := make([]string, len(list))
	for i, id := range list {
		words[i] = id.String()
	}
	return strings.Join(words, " ")
}

// harmless keeps a cell from being a formula (https://owasp.org/www-community/attacks/CSV_Injection).
func harmless(cell string) string {
	if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
		return "'" + cell
	}
	return cell
}
