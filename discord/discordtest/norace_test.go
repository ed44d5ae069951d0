//go:build !race

package discordtest_test

const underRace = false
