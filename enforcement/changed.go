package enforcement

import (
	"slices"
	"time"
)

// Switch is whether somebody decided that a rule looks.
type Switch int

// The switches.
const (
	AsWritten Switch = iota
	SwitchedOn
	SwitchedOff
)

// RuleChange is what people decided about a rule since it was written. The zero value changes nothing.
type RuleChange struct {
	Switch Switch
	Do     *Do           // nil: as written
	TTL    time.Duration // of its blocks, in place of lifetime and ladder; zero: as written
}

// Changed is the configuration with what people decided about its rules, by name. What is decided about rules that there are not
// changes nothing.
func (c Config) Changed(changes map[string]RuleChange) Config {
	c.Rules = slices.Clone(c.Rules)
	for i := range c.Rules {
		r := &c.Rules[i]
		change, is := changes[r.Name]
		if !is {
			continue
		}
		switch change.Switch {
		case SwitchedOn:
			r.Off = false
		case SwitchedOff:
			r.Off = true
		case AsWritten:
		}
		if change.Do != nil {
			r.Action.Do = *change.Do
		}
		if change.TTL > 0 {
			r.Action.TTL, r.Escalate = change.TTL, nil
		}
	}
	return c
}
