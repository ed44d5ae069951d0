package policyfile

import (
	"encoding/json"

	"gatecamp/audit"
)

// Canonical is a policy as JSON, in full, keys sorted: equal policies have equal texts, whatever they were written as. Reading it back
// gives the same policy.
func Canonical(p audit.Policy) json.RawMessage {
	root := map[string]any{keyLimits: canonicalLimits(p.Limits)}
	for c := range audit.Categories() {
		if c == audit.InOrder {
			continue
		}
		r := &p.Rules[c]
		rule := map[string]any{"default": r.Default.String(), "realtime": r.Realtime.String(), "grace": FormatDuration(r.Grace)}
		for key, acts := range map[string]map[string]audit.Act{"by_group": r.ByGroup, "by_state": r.ByState} {
			words := map[string]string{}
			for name, act := range acts {
				words[name] = act.String()
			}
			if len(words) > 0 {
				rule[key] = words
			}
		}
		root[c.String()] = rule
	}
	if len(p.PrivilegedRoles) > 0 {
		ids := make([]string, len(p.PrivilegedRoles))
		for i, id := range p.PrivilegedRoles {
			ids[i] = id.String()
		}
		root[keyPrivileged] = ids
	}
	text, err := json.Marshal(root)
	if err != nil {
		panic(err) // strings, numbers and maps of them: cannot be
	}
	return text
}

// canonicalLimits leaves out what Format leaves out: brakes on role removals that are three times those on members.
func canonicalLimits(l audit.Limits) map[string]any {
	derived := l
	derived.DeriveRoles()
	limits := map[string]any{}
	for d, windows := range l {
		set := map[string]any{}
		for w, b := range windows {
			if b.Set && (audit.Dimension(d) != audit.RolesRemoved || b != derived[d][w]) {
				set[audit.Window(w).String()] = map[string]int{"floor": b.Floor, "share": b.BasisPoints, "ceiling": b.Ceiling}
			}
		}
		if len(set) > 0 {
			limits[audit.Dimension(d).String()] = set
		}
	}
	return limits
}
