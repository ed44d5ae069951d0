package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
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
	best, near := "", len(name)
	for _, k := range known {
		if d := distance(name, k); d < near {
			best, near = k, d
		}
	}
	if near > 4 {
		return ""
	}
	return best
}

// distance counts the letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
