package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// entry is one value of a .env file.
type entry struct {
	value string
	line  int
}

// mistake is one wrong line of a .env file, told without the line's text, which may hold a secret.
type mistake struct {
	line       int
	what, cure string
}

// parseDotEnv reads lines of the form NAME=value (blanks around the = are allowed), blank lines and comments. "export " before the name is allowed. A value
// may stand in single quotes (taken as it is) or double quotes (\n, \t, \", \\ and \$ mean what they do in a shell); without
// quotes it ends before a blank followed by #. Nothing is expanded, no value goes over several lines, a name may stand once.
func parseDotEnv(text []byte) (map[string]entry, []mistake) {
	entries := map[string]entry{}
	var wrong []mistake
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, m := parseLine(line)
		if m == nil {
			if first, twice := entries[name]; twice {
				m = &mistake{what: fmt.Sprintf("%s is set a second time, first in line %d", shownName(name), first.line), cure: "keep one of the two"}
			}
		}
		if m != nil {
			m.line = number
			wrong = append(wrong, *m)
			continue
		}
		entries[name] = entry{value: value, line: number}
	}
	return entries, wrong
}

func parseLine(line string) (name, value string, m *mistake) {
	if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
		return "", "", &mistake{what: "the line is no text (UTF-8)", cure: "save the file as plain text in UTF-8"}
	}
	if rest, ok := strings.CutPrefix(line, "export "); ok {
		line = strings.TrimSpace(rest)
	}
	name, rest, ok := strings.Cut(line, "=")
	if !ok {
		return "", "", &mistake{what: "there is no = in the line", cure: "write NAME=value, or # before a comment"}
	}
	name = strings.TrimSpace(name)
	if !isName(name) {
		return "", "", &mistake{what: "what stands before the = is no name", cure: "write NAME=value, with letters, digits and _ in the name"}
	}
	value, m = parseValue(strings.TrimSpace(rest))
	return name, value, m
}

func isName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func parseValue(rest string) (string, *mistake) {
	if rest == "" || rest[0] != '\'' && rest[0] != '"' {
		if strings.HasPrefix(rest, "#") {
			return "", nil
		}
		for i := 1; i < len(rest); i++ {
			if rest[i] == '#' && (rest[i-1] == ' ' || rest[i-1] == '\t') {
				return strings.TrimRight(rest[:i], " \t"), nil
			}
		}
		return rest, nil
	}
	value, tail, ok := unquote(rest[1:], rest[0])
	if !ok {
		return "", &mistake{what: "the quote is not closed, or an unknown character follows a backslash", cure: `close it in the same line; after a backslash only n, t, ", \ and $ may stand`}
	}
	if tail = strings.TrimSpace(tail); tail != "" && tail[0] != '#' {
		return "", &mistake{what: "something stands after the closing quote", cure: "put the whole value into one pair of quotes, or single quotes round a value that holds double quotes"}
	}
	return value, nil
}

// unquote reads up to the closing quote and gives what follows it.
func unquote(text string, quote byte) (value, tail string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			return b.String(), text[i+1:], true
		case c == '\\' && quote == '"':
			i++
			if i == len(text) {
				return "", "", false
			}
			at := strings.IndexByte(`nt"\$`, text[i])
			if at < 0 {
				return "", "", false
			}
			b.WriteByte("\n\t\"\\$"[at])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}
