package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// ReplaySchema names the form of the answer.
const ReplaySchema = "gatecamp.replay/1"

// WriteJSON writes the answer as one JSON object on one line. Verdicts stream: none of them is kept.
func (a *Answer) WriteJSON(w io.Writer) (err error) {
	defer wrap.Err(&err, "snapshot.Answer.WriteJSON")
	head, err := marshal(struct {
		Schema  string  `json:"schema"`
		File    string  `json:"file"`
		Summary Summary `json:"summary"`
	}{ReplaySchema, a.file.Name, a.Summary})
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.Write(head[:len(head)-1])
	out.WriteString(`,"verdicts":{`)
	var line []byte
	first := true
	for v := range a.Verdicts {
		if line = line[:0]; !first {
			line = append(line, ',')
		}
		first = false
		line = a.appendVerdict(line, &v)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	out.WriteString("}}\n")
	return out.Flush()
}

// marshal is JSON without the escapes that are for web pages.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// appendVerdict writes `"718":{…}`, its keys in the order of reference/snapshot.md.
func (a *Answer) appendVerdict(b []byte, v *Verdict) []byte {
	b = append(b, '"')
	b = strconv.AppendUint(b, uint64(v.Member), 10)
	b = append(b, `":{"category":"`...)
	b = append(b, v.Category.String()...)
	b = append(b, `","action":"`...)
	b = append(b, v.Act.String()...)
	b = append(b, `","layer":`...)
	b = appendText(b, v.LayerCode())
	b = append(b, `,"reasons":`...)
	b = appendTexts(b, v.Reasons.Codes())
	b = append(b, `,"remove_roles":`...)
	b = a.appendRoles(b, v.Remove)
	b = append(b, `,"kick":`...)
	b = strconv.AppendBool(b, v.Kick)
	b = append(b, `,"ban":`...)
	b = strconv.AppendBool(b, v.Ban)
	b = append(b, `,"surplus":`...)
	b = a.appendRoles(b, v.Surplus)
	b = append(b, `,"missing":`...)
	b = appendTexts(b, append(idTexts(a.scene.RoleIDs(v.Missing)), v.Absent...))
	b = append(b, `,"lookalikes":[`...)
	for i, l := range a.scene.Lookalikes(v.Decision.Held) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"role":"`...)
		b = strconv.AppendUint(b, uint64(l.Role), 10)
		b = append(b, `","like":`...)
		b = appendText(b, l.Like)
		b = append(b, '}')
	}
	b = append(b, `],"unreachable":`...)
	b = a.appendRoles(b, v.Unreachable)
	b = append(b, `,"alerts":[`...)
	for i, alert := range v.Alerts() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, alert.String())
	}
	b = append(b, `],"held":[`...)
	for i, by := range v.Held {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, by.String())
	}
	return append(b, "]}"...)
}

func (a *Answer) appendRoles(b []byte, set audit.RoleSet) []byte {
	if set.Empty() {
		return append(b, "[]"...)
	}
	return appendTexts(b, idTexts(a.scene.RoleIDs(set)))
}

func idTexts(ids []snowflake.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatUint(uint64(id), 10)
	}
	return slices.Clip(texts)
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, t := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, t)
	}
	return append(b, ']')
}

// appendText quotes a text; codes, which most are, need nothing but the quotes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := marshal(s)
			if err != nil {
				return append(b, `""`...) // a string always marshals
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
