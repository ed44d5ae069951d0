package main

import (
	"strings"
	"testing"

	"gatecamp/audit"
)

func TestEveryCodeOfAnOutcomeIsSaidInWords(t *testing.T) {
	for code, want := range map[string]string{
		"still_there": "looks as before", "discord_60003": "two-factor", "now_" + audit.InOrder.String(): "in order", audit.Pause.String(): "the pause",
		"auth_row_fresh": "two minutes", "no_slot": "line of requests", "what_is_this": "what_is_this",
	} {
		if what, _ := codeWords(code); !strings.Contains(what, want) {
			t.Errorf("%s: %q, want something with %q", code, what, want)
		}
	}
	if got := legend([]string{"", "still_there", "no_slot", "still_there"}); len(got) != 2 {
		t.Errorf("the legend is %q, want each code once", got)
	}
}
