package spelling_test

import (
	"strings"
	"testing"

	"gatecamp/internal/spelling"
)

func TestTheDistanceIsInLetters(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "ab", 2},
		{"kitten", "sitting", 3},
		{"Müller", "Muller", 1},
		{"same", "same", 0},
		{strings.Repeat("a", 201), "a", 201},
	} {
		if got := spelling.Distance(c.a, c.b); got != c.want {
			t.Errorf("%.20q and %.20q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTheNearestIsSuggestedOnlyIfItIsNear(t *testing.T) {
	known := []string{"Member", "Guest", "Members"}
	for word, want := range map[string]string{"member": "Member", "Gest": "Guest", "membres": "Member", "something": ""} {
		if got := spelling.Nearest(word, known, 2); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
