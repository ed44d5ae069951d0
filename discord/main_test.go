package discord_test

import (
	"flag"
	"testing"
)

// TestMain lets many tests run side by side: they wait for sockets, each connection a second for disgo's first dial, not for the processor.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	m.Run() // its result is the exit code
}
