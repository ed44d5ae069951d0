package notify

import (
	"regexp"
	"strings"
	"unicode"
)

// What must not stand in a message, wherever it came from: an address with a credential, a mention, and every id that is not the
// guild's or one of its roles'.
var (
	addresses = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s<>"]+`)
	mentions  = regexp.MustCompile(`<(@[!&]?|#)\d+>`)
	ids       = regexp.MustCompile(`\d{15,}`)
)

func redact(text, hidden string, keep map[string]struct{}) string {
	text = addresses.ReplaceAllString(text, hidden)
	text = mentions.ReplaceAllString(text, hidden)
	return ids.ReplaceAllStringFunc(text, func(id string) string {
		if _, ok := keep[id]; ok {
			return id
		}
		return hidden
	})
}

// kept are the ids that a message about the run may hold.
func (r *Run) kept() map[string]struct{} {
	keep := map[string]struct{}{r.Summary.Guild.String(): {}}
	for id := range r.Roles {
		keep[id.String()] = struct{}{}
	}
	return keep
}

// plain is a text on one line that does not end a stretch of code.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '`':
			return '\''
		case unicode.IsControl(c), unicode.Is(unicode.Cf, c):
			return '\uFFFD'
		}
		return c
	}, text)
}
