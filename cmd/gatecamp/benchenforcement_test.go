package main

import (
	"os"
	"testing"
)

func TestBenchEnforcementMeasuresTheGuardAndCountsWhatItAsks(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	lines := tt.ok("bench", "enforcement", "--only", "check,denied,more,start,memory,rules", "--blocks", "2000", "--tries", "20", "--times", "1", "--json").lines()
	if len(lines) != 6 {
		t.Fatalf("%d measurements, want six: %v", len(lines), lines)
	}
	for name, want := range map[string]float64{
		"allocations_0_blocks": 0, "allocations_2000_blocks": 0, "questions_0_blocks": 0, "questions_1000_blocks": 0, "questions_2000_blocks": 0,
	} {
		if got := dig(lines[0], "figures", name, "median"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestBenchEnforcementAsksRedisOnceACheckAndOnceAnIncident(t *testing.T) {
	t.Parallel()
	address := os.Getenv("GATECAMP_TEST_REDIS_URL")
	if address == "" {
		t.Skip("GATECAMP_TEST_REDIS_URL is not set: no Redis to measure")
	}
	tt := newTerminal(t)
	tt.env["GATECAMP_REDIS_URL"] = address
	lines := tt.ok("bench", "enforcement", "--only", "silent,rules", "--tries", "100", "--times", "1", "--json").lines()
	// A busy server that does not answer in time is not asked for a while; the database is asked instead.
	if got, _ := dig(lines[1], "figures", "round_trips_a_check", "median").(float64); got > 1 {
		t.Errorf("%v round trips a check", got)
	}
	// The first incident teaches the server the script.
	if got, _ := dig(lines[0], "figures", "round_trips_an_incident", "median").(float64); got > 1.02 {
		t.Errorf("%v round trips an incident", got)
	}
}

func TestBenchEnforcementRefusesWhatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	tt := newTerminal(t)
	tt.run("bench", "enforcement", "--only", "luck").exits(exitUsage).says(`"luck"`, "check")
	tt.run("bench", "enforcement", "--times", "0").exits(exitUsage).says("--times")
	tt.run("bench", "enforcement", "--blocks", "0").exits(exitUsage).says("--blocks")
	tt.run("bench", "enforcement", "--tries", "1").exits(exitUsage).says("--tries")
	tt.run("bench", "enforcement", "--only", "silent", "--json").says("GATECAMP_REDIS_URL")
}
