package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/spelling"
)

// quoted is a name from another person in quotes, fit for a line.
func quoted(name string) string { return strconv.Quote(visible(name)) }

// bracketed puts a name behind an id; nothing for none.
func bracketed(name string) string {
	if name == "" {
		return ""
	}
	return " (" + visible(name) + ")"
}

// knownName is nil if the name is among the known ones, letter by letter; else a problem that begins with what, and suggests the nearest.
func knownName(what, name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	cure := "names are compared letter by letter, capitals and blanks included"
	if near := nearest(name, known); near != "" {
		cure = "did you mean " + quoted(near) + "? " + strings.ToUpper(cure[:1]) + cure[1:]
	}
	return problem.New(problem.Usage, what+"; nothing was changed", cure)
}

// nearest is the known word that was probably meant; empty if none is near. A look-alike is nearer than any misspelling.
func nearest(word string, known []string) string {
	if skeleton := audit.Skeleton(word); skeleton != "" {
		if i := slices.IndexFunc(known, func(k string) bool { return audit.Skeleton(k) == skeleton }); i >= 0 {
			return known[i]
		}
	}
	return spelling.Nearest(word, known, utf8.RuneCountInString(word)/2)
}
