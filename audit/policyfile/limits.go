package policyfile

import (
	"strconv"
	"strings"

	"gatecamp/audit"
)

// dimensions and windowNames are the words of limits, in the order in which they are written.
func dimensionNames() []string {
	names := make([]string, 0, len(audit.Limits{}))
	for d := range (audit.Limits{}) {
		names = append(names, audit.Dimension(d).String())
	}
	return names
}

func windowNames() []string {
	names := make([]string, 0, len(audit.Limits{}[0]))
	for w := range (audit.Limits{}[0]) {
		names = append(names, audit.Window(w).String())
	}
	return names
}

// limits changes the defaults where something is written, window by window. Brakes on role removals that are not written are three
// times those on members, as written.
func (m *meaning) limits(v *Value, l *audit.Limits) {
	var written audit.Limits
	m.entries(v, keyLimits, dimensionNames(), func(path string, e *Entry) {
		d, _ := audit.ParseDimension(e.Key)
		m.entries(&e.Value, path, windowNames(), func(path string, e *Entry) {
			w, _ := audit.ParseWindow(e.Key)
			written[d][w] = m.brake(path, e)
		})
	})
	for _, derived := range []bool{false, true} {
		for d := range written {
			for w, b := range written[d] {
				if b.Set && (audit.Dimension(d) == audit.RolesRemoved) == derived {
					l[d][w] = b
				}
			}
		}
		if !derived {
			l.DeriveRoles()
		}
	}
}

// maxCount is far above any guild, and far below where three times it would overflow.
const maxCount = 1_000_000_000

func (m *meaning) brake(path string, e *Entry) audit.Brake {
	b := audit.Brake{Set: true}
	seen := map[string]bool{}
	before := len(m.faults)
	m.entries(&e.Value, path, []string{"floor", "share", "ceiling"}, func(path string, e *Entry) {
		seen[e.Key] = true
		switch e.Key {
		case "floor":
			b.Floor = m.whole(path, &e.Value, maxCount, "")
		case "share":
			b.BasisPoints = m.whole(path, &e.Value, 10_000, " basis points (500 is 5%)")
		case "ceiling":
			b.Ceiling = m.whole(path, &e.Value, maxCount, "")
		}
	})
	if len(m.faults) > before {
		return audit.Brake{}
	}
	switch {
	case !seen["ceiling"]:
		m.fault(path+".ceiling", e.Line, e.Column, "missing; write the most that is ever let through, such as {ceiling: 50}")
	case !seen["floor"] && !seen["share"]:
		b.Floor = b.Ceiling
	}
	return b
}

// whole reads a whole number from 0 to most. Fractions, quoted numbers, signs and other notations are refused: a brake that means
// something else than it says is worse than none.
func (m *meaning) whole(path string, v *Value, most int, hint string) int {
	plain := v.Shape == Number && v.Text != "" && strings.Trim(v.Text, "0123456789") == "" && (v.Text == "0" || v.Text[0] != '0')
	if plain {
		if n, err := strconv.Atoi(v.Text); err == nil && n <= most {
			return n
		}
	}
	m.fault(path, v.Line, v.Column, "%s; write a whole number from 0 to %d%s, without quotes", v.shows(), most, hint)
	return 0
}
