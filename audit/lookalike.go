package audit

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Skeleton reduces a name to what an eye sees: compatibility forms joined, accents composed, case folded, letters that look alike
// made one, blanks and invisible characters dropped. Two names with one skeleton can be taken for each other
// (after Unicode Technical Standard 39, section 4).
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(cases.Fold().String(norm.NFKC.String(name))) {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Cc, r), unicode.Is(unicode.Variation_Selector, r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// lower is full lower-casing as Python's str.lower does it, which Auth compares reserved names by.
func lower(s string) string { return cases.Lower(language.Und, cases.HandleFinalSigma(true)).String(s) }
