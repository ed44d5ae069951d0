//go:build race

package discordtest_test

// underRace is true in builds with the race detector: disgo's own gateway has a race between open and close.
const underRace = true
