package main

import (
	"slices"
	"strconv"
	"strings"

	"gatecamp/audit"
	"gatecamp/internal/problem"
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
	skeleton := audit.Skeleton(word)
	best, distance := "", 1+len([]rune(word))/2
	for _, k := range known {
		if skeleton != "" && audit.Skeleton(k) == skeleton {
			return k
		}
		if d := edits(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance: letters to add, drop or change. Long words are near nothing.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 200 || len(y) > 200 {
		return max(len(x), len(y))
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range y {
			cost := 1
			if r == s {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(y)]
}
