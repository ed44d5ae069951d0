package policyfile

import (
	"fmt"
	"strings"
)

// suggest says which word was probably meant, and which there are.
func suggest(word string, known []string) string {
	best, distance := "", 1+len([]rune(word))/2
	for _, k := range known {
		if d := edits(strings.ToLower(word), k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s? There are %s", best, strings.Join(known, ", "))
	}
	return "there are " + strings.Join(known, ", ")
}

// edits is the Levenshtein distance: letters to add, drop or change. Long words are near nothing.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 {
		return len(x)
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
