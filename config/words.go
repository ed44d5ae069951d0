package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"gatecamp/internal/spelling"
)

// reason is what the system says about a file, without the file's name.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return "it could not be opened"
}

// shown quotes a wrong value for its owner, unless it may be a secret that landed in the wrong setting.
func shown(value string) string {
	if n := utf8.RuneCountInString(value); n > 30 || strings.ContainsAny(value, "@") {
		return fmt.Sprintf("something else, of %d characters", n)
	}
	return fmt.Sprintf("%q", value)
}

// shownName cuts a name that is longer than any name of ours.
func shownName(name string) string {
	if len(name) > 60 {
		return name[:len(prefix)] + "…"
	}
	return name
}

// nearest is the known name that takes the fewest letters to reach, if it is near enough to be what was meant.
func nearest(name string, known []string) string {
	return spelling.Nearest(name, known, min(4, len(name)-1))
}
