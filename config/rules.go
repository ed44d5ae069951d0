package config

import (
	"errors"

	"gatecamp/enforcement/rulefile"
)

// readRules reads the rules file, if one is named, so that a mistake in it is told at the start, with its place.
func (l *loader) readRules() {
	c := &l.config
	if c.RulesFile == "" {
		return
	}
	text, err := l.env.ReadFile(c.RulesFile)
	if err != nil {
		l.complain("GATECAMP_RULES_FILE names a file that cannot be read: "+reason(err), "name a file that this user can read, or unset it")
		return
	}
	read, err := rulefile.Parse(text, c.RulesFile)
	if err != nil {
		l.complain("GATECAMP_RULES_FILE: "+err.Error(), "mend the file; docs/enforcement.md says what it may hold")
		return
	}
	c.rules = &read
}

// WithRules is the configuration with the rules file as it is now. A mistake in the file is a problem that names its place; then nothing
// is to be changed.
func (c Config) WithRules(e Environment) (Config, error) {
	if c.rules = nil; c.RulesFile == "" {
		return c, nil
	}
	l := &loader{env: e, config: c}
	l.readRules()
	return l.config, errors.Join(l.wrong...)
}
