package policyfile

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gatecamp/internal/spelling"
)

// suggest says which word was probably meant, and which there are.
func suggest(word string, known []string) string {
	if near := spelling.Nearest(word, known, utf8.RuneCountInString(word)/2); near != "" {
		return fmt.Sprintf("did you mean %s? There are %s", near, strings.Join(known, ", "))
	}
	return "there are " + strings.Join(known, ", ")
}
