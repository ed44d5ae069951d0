package guard

import (
	"strconv"
	"time"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

// Line is a block as programs are told of it, as one object and as the cells of a table.
type Line struct {
	Block        int64   `json:"block"`
	State        string  `json:"state"`     // "active", "ended", "revoked"
	Namespace    string  `json:"namespace"` // "global" or "guild:ID"
	Scope        string  `json:"scope"`
	Value        string  `json:"value"`
	MemberID     *string `json:"member_id"` // the Discord account, where the block names one
	Also         string  `json:"also"`
	Reason       string  `json:"reason"`
	Message      *string `json:"message"`
	Rule         *string `json:"rule"`
	Owner        string  `json:"owner"`
	Started      *string `json:"started"`
	Ends         *string `json:"ends"` // null: it does not end by itself
	Closed       *string `json:"closed"`
	ClosedBy     *string `json:"closed_by"`
	ClosedReason *string `json:"closed_reason"`
}

// LineOf is a stored block as it stands at the instant.
func LineOf(b *storage.Block, at time.Time) Line {
	l := Line{
		Block: b.ID, State: "ended", Namespace: enforcement.Namespace(b.Guild).String(), Scope: b.Scope, Value: b.Value, Also: b.Also.String(), Reason: b.Reason,
		Message: orNull(b.Message), Rule: orNull(b.Rule), Owner: b.Owner, Started: moment(b.Start), Ends: moment(b.End), Closed: moment(b.Closed),
		ClosedBy: orNull(b.ClosedBy), ClosedReason: orNull(b.ClosedReason),
	}
	switch {
	case b.InForce(at):
		l.State = "active"
	case b.ClosedBy != "":
		l.State = "revoked"
	}
	if known, err := blockOf(b); err == nil && (known.Subject.Scope == enforcement.User || known.Subject.Scope == enforcement.Member) {
		l.MemberID = orNull(strconv.FormatUint(known.Subject.ID, 10))
	}
	return l
}

// LineColumns are the names of the cells.
func LineColumns() []string {
	return []string{"block", "state", "namespace", "scope", "value", "member_id", "also", "started", "ends", "owner", "rule", "reason", "message", "closed", "closed_by", "closed_reason"}
}

// Cells are the line as a table has it.
func (l *Line) Cells() []string {
	or := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return []string{
		strconv.FormatInt(l.Block, 10), l.State, l.Namespace, l.Scope, l.Value, or(l.MemberID), l.Also, or(l.Started), or(l.Ends), l.Owner, or(l.Rule), l.Reason, or(l.Message),
		or(l.Closed), or(l.ClosedBy), or(l.ClosedReason),
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return orNull(t.UTC().Format(time.RFC3339Nano))
}
