package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// The lines of this file are what programs read of runs and findings, wherever they are exported: one JSON object each. Their form is
// relied on.

// RunLine is a run as programs read it.
type RunLine struct {
	Run     int64           `json:"run"`
	Kind    string          `json:"kind"`
	State   string          `json:"state"`
	Started any             `json:"started"` // RFC 3339 or null
	Ended   any             `json:"ended"`
	Digest  *string         `json:"digest"`
	Counts  json.RawMessage `json:"counts"`
	Held    map[string]int  `json:"held"`
}

// RunLineOf is a stored run as a line, with its counts.
func RunLineOf(r storage.Run) (RunLine, Counts, error) {
	counts, err := decode[Counts](r.Counts)
	if err != nil {
		return RunLine{}, counts, fmt.Errorf("counts of run %d: %w", r.ID, err)
	}
	held := counts.Summary.Held
	if held == nil {
		held = map[string]int{}
	}
	return RunLine{
		Run: r.ID, Kind: r.Order.Kind, State: r.State.String(), Started: LineTime(r.Started), Ended: LineTime(r.Ended), Digest: textOrNull(r.Digest),
		Counts: onOneLine(r.Counts), Held: held,
	}, counts, nil
}

// Open is how many findings were open when the run ended.
func (c *Counts) Open() int { return c.Findings.Opened + c.Findings.Changed + c.Findings.Unchanged }

// PlannedActions is how many actions the run's plan has.
func (c *Counts) PlannedActions() (n int) {
	for _, of := range c.Summary.Planned {
		n += of
	}
	return n
}

// HeldActions is how many of them the strictest gate or brake holds.
func (c *Counts) HeldActions() (n int) {
	for _, by := range c.Summary.Held {
		n = max(n, by)
	}
	return n
}

// FindingLine is a finding as programs read it; of a finding about a role, member_id is null.
type FindingLine struct {
	Finding   int64    `json:"finding"`
	MemberID  *string  `json:"member_id"`
	Category  string   `json:"category"`
	Roles     []string `json:"roles"`
	GrantedBy *string  `json:"granted_by"`
	State     string   `json:"state"` // "open", "closed"
	Opened    any      `json:"opened"`
	Closed    any      `json:"closed"`
}

// FindingLineOf is a stored finding as a line.
func FindingLineOf(f *storage.Finding) FindingLine {
	line := FindingLine{
		Finding: f.ID, Category: f.Category, Roles: []string{}, GrantedBy: idOrNull(f.GrantedBy), State: "open",
		Opened: LineTime(f.Opened), Closed: LineTime(f.Closed),
	}
	for _, id := range RolesOf(f) {
		line.Roles = append(line.Roles, id.String())
	}
	if f.SubjectKind == storage.SubjectMember {
		line.MemberID = idOrNull(f.Subject)
	}
	if !f.Closed.IsZero() {
		line.State = "closed"
	}
	return line
}

// RolesOf are the roles that a finding is about: lacking ones of missing_roles, the role itself of a finding about a role, else held ones.
func RolesOf(f *storage.Finding) []snowflake.ID {
	switch {
	case f.SubjectKind == storage.SubjectRole:
		return []snowflake.ID{f.Subject}
	case f.Category == audit.MissingRoles.String():
		return f.Missing
	}
	return f.Held
}

// FindingCategories are the categories that a finding can have, those about roles last.
func FindingCategories() []string {
	var names []string
	for c := range audit.Categories() {
		if c != audit.Undecidable {
			names = append(names, c.String())
		}
	}
	for t := audit.Twins; t <= audit.OutOfReach; t++ {
		names = append(names, t.String())
	}
	return names
}

// LineTime is a time as every line for programs shows it: RFC 3339 in UTC, or null for the zero time.
func LineTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func idOrNull(id snowflake.ID) *string {
	if id == 0 {
		return nil
	}
	s := id.String()
	return &s
}

// onOneLine is JSON without blanks; "null" for none.
func onOneLine(doc json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if len(doc) == 0 || json.Compact(&b, doc) != nil {
		return json.RawMessage("null")
	}
	return b.Bytes()
}
