//go:build !race

// disgo's gateway is not race-clean: its connection and heartbeat share fields without a lock.

package main

import "testing"

func TestBenchBotMeasuresWhatServeDoes(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	lines := tt.ok("bench", "bot", "--inside", "--only", "react,storm,slash,auth", "--members", "1000", "--events", "2", "--rate", "50", "--seconds", "2", "--times", "1", "--json").lines()
	if len(lines) != 4 {
		t.Fatalf("%d measurements, want four: %v", len(lines), lines)
	}
	for i, want := range []map[string]float64{{"events": 2}, {"updates": 100, "overflows": 0}, {"commands": 2}, {"changes": 2}} {
		for name, n := range want {
			if got := dig(lines[i], "figures", name, "median"); got != n {
				t.Errorf("%v: %s is %v, want %v", lines[i]["name"], name, got, n)
			}
		}
	}
	if took, _ := dig(lines[0], "figures", "ms_to_first_write_p50", "median").(float64); took <= 0 {
		t.Errorf("the first write took %v ms", took)
	}
}

func TestBenchBotRefusesWhatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	tt.run("bench", "bot", "--only", "luck").exits(exitUsage).says(`"luck"`, "react")
	tt.run("bench", "bot", "--times", "0").exits(exitUsage).says("--times")
	tt.run("bench", "bot", "--members", "10").exits(exitUsage).says("--members")
	tt.run("bench", "bot", "--rate", "0").exits(exitUsage).says("--rate")
	tt.run("bench", "bot", "--members", "2000").exits(exitUsage).says("--members", "strangers")
}
