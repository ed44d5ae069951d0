package main

import (
	"strings"
	"testing"

	"gatecamp/audit"
)

func TestEachCodeOfAnOutcomeIsSaidInWordsOnce(t *testing.T) {
	got, err := legend([]string{"", "still_there", "discord_60003", "now_" + audit.InOrder.String(), "still_there", audit.Pause.String()})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"looks as before; the next run", "two-factor", "fresh look", "pause"} {
		if len(got) != 4 || !strings.Contains(got[i], want) {
			t.Fatalf("the legend is %q, want line %d with %q", got, i+1, want)
		}
	}
}
