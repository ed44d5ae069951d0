// Package spelling finds the word that was probably meant.
//
// What must stay true: it only suggests. Nothing is ever taken for a word that was not written.
package spelling

import "strings"

// longest is the most letters of a word that is compared at all, so that no input costs much.
const longest = 200

// Nearest is the known word that takes the fewest letters to reach, the first of several, if it takes at most so many; else it is
// empty. Capitals do not count.
func Nearest(word string, known []string, most int) (best string) {
	most++
	for _, k := range known {
		if d := Distance(strings.ToLower(word), strings.ToLower(k)); d < most {
			best, most = k, d
		}
	}
	return best
}

// Distance counts the letters to add, drop or change (Levenshtein). Words of more than 200 letters are near nothing.
func Distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > longest || len(y) > longest {
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
