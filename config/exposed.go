package config

import (
	"io/fs"
	"slices"
	"strings"
)

// everybody is who else may read a file.
const everybody fs.FileMode = 0o004

// mounted is where container engines put secrets, readable for everybody in a container that has one user.
const mounted = "/run/secrets/"

// holds notes a file that a secret was read from, if every user of the machine may read it.
func (l *loader) holds(path string) {
	if l.env.Mode == nil || strings.HasPrefix(path, mounted) {
		return
	}
	if mode, err := l.env.Mode(path); err == nil && mode&everybody != 0 {
		l.config.exposed = append(l.config.exposed, path)
	}
}

// Exposed are the files that secrets were read from and that every user of the machine may read.
func (c *Config) Exposed() []string { return slices.Compact(slices.Sorted(slices.Values(c.exposed))) }
