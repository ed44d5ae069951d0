package audit

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// lower is full lower-casing as Python's str.lower does it, by which Auth compares reserved names: like Unicode's, with a final
// sigma where only characters that case ignores stand between the letter before it and the end of the word.
func lower(s string) string {
	if !strings.Contains(s, "Σ") {
		return cases.Lower(language.Und).String(s)
	}
	runes := []rune(s)
	var b strings.Builder
	start := 0
	for i, r := range runes {
		if r != 'Σ' {
			continue
		}
		b.WriteString(cases.Lower(language.Und).String(string(runes[start:i])))
		if endsWord(runes, i) {
			b.WriteRune('ς')
		} else {
			b.WriteRune('σ')
		}
		start = i + 1
	}
	b.WriteString(cases.Lower(language.Und).String(string(runes[start:])))
	return b.String()
}

// endsWord is Unicode's condition Final_Sigma (The Unicode Standard, section 3.13).
func endsWord(runes []rune, i int) bool {
	before, after := i-1, i+1
	for before >= 0 && caseIgnores(runes[before]) {
		before--
	}
	for after < len(runes) && caseIgnores(runes[after]) {
		after++
	}
	return before >= 0 && isCased(runes[before]) && (after == len(runes) || !isCased(runes[after]))
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// midWord are the characters whose word break property is MidLetter, MidNumLet or Single_Quote.
const midWord = "':.·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"

func caseIgnores(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune(midWord, r)
}
