package policyfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"gatecamp/audit"
)

// Format writes a policy in full: every category, and every brake that is set. Reading it back gives the same policy.
func Format(p audit.Policy) []byte {
	var b bytes.Buffer
	for c := range audit.Categories() {
		if c == audit.InOrder {
			continue
		}
		r := &p.Rules[c]
		fmt.Fprintf(&b, "%s:\n  default: %s\n", c, r.Default)
		formatActs(&b, "by_group", r.ByGroup)
		formatActs(&b, "by_state", r.ByState)
		fmt.Fprintf(&b, "  realtime: %s\n  grace: %s\n", r.Realtime, FormatDuration(r.Grace))
	}
	formatLimits(&b, p.Limits)
	if len(p.PrivilegedRoles) > 0 {
		b.WriteString(keyPrivileged + ":\n")
		for _, id := range p.PrivilegedRoles {
			fmt.Fprintf(&b, "  - \"%d\"\n", id)
		}
	}
	return b.Bytes()
}

func formatActs(b *bytes.Buffer, key string, acts map[string]audit.Act) {
	if len(acts) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s:\n", key)
	for _, name := range slices.Sorted(maps.Keys(acts)) {
		fmt.Fprintf(b, "    %s: %s\n", quote(name), acts[name])
	}
}

// formatLimits leaves out brakes on role removals that are three times those on members anyway.
func formatLimits(b *bytes.Buffer, l audit.Limits) {
	derived := l
	derived.DeriveRoles()
	b.WriteString(keyLimits + ":\n")
	for d, windows := range l {
		if audit.Dimension(d) == audit.RolesRemoved && derived == l {
			continue
		}
		var lines []string
		for w, brake := range windows {
			if brake.Set && (audit.Dimension(d) != audit.RolesRemoved || brake != derived[d][w]) {
				lines = append(lines, fmt.Sprintf("    %s: {%s}\n", audit.Window(w), formatBrake(brake)))
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(b, "  %s:\n%s", audit.Dimension(d), strings.Join(lines, ""))
		}
	}
}

func formatBrake(b audit.Brake) string {
	if b.BasisPoints == 0 && b.Floor == b.Ceiling {
		return fmt.Sprintf("ceiling: %d", b.Ceiling)
	}
	return fmt.Sprintf("floor: %d, share: %d, ceiling: %d", b.Floor, b.BasisPoints, b.Ceiling)
}

// FormatDuration writes a duration in whole hours where that says it all: 72h, not 72h0m0s.
func FormatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// quote writes any text as a double-quoted YAML scalar.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r):
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			fmt.Fprintf(&b, "\\U%08X", r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
