package main

import (
	"slices"

	"gatecamp/i18n"
)

// legend says once what each code of an outcome means, and what an operator can do about it.
func legend(codes []string) ([]string, error) {
	texts, err := i18n.Load()
	if err != nil {
		return nil, err
	}
	words := texts.For(i18n.English)
	var lines []string
	for i, code := range codes {
		if code == "" || slices.Contains(codes[:i], code) {
			continue
		}
		what, cure := words.Code(code)
		if cure != "" {
			what += "; " + cure
		}
		lines = append(lines, code+": "+what)
	}
	return lines, nil
}
