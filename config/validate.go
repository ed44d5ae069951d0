package config

import (
	"errors"

	"gatecamp/internal/problem"
)

// Need is something that a command cannot do without.
type Need int

// The needs.
const (
	NeedsAuth    Need = iota + 1 // reads Alliance Auth
	NeedsDiscord                 // talks to Discord
)

func (n Need) String() string {
	switch n {
	case NeedsAuth:
		return "auth"
	case NeedsDiscord:
		return "discord"
	}
	return "unknown"
}

func (n Need) setting() string {
	switch n {
	case NeedsAuth:
		return "GATECAMP_AUTH_URL"
	case NeedsDiscord:
		return "GATECAMP_DISCORD_TOKEN"
	}
	return ""
}

// Validate says which settings are missing for the needs, all at once. A setting that is there but wrong is not missing.
func (c *Config) Validate(needs ...Need) error {
	var missing []error
	for _, n := range needs {
		s, ok := settingNamed(n.setting())
		if !ok || c.Origin(s.Name) != Default {
			continue
		}
		missing = append(missing, problem.New(problem.Usage, s.Name+" is not set, and this command needs it",
			"set it, or "+s.Name+fileSuffix+" to a file that holds it, to "+s.Form))
	}
	return errors.Join(missing...)
}
