// Package demo holds a made-up guild with interesting wrongs, to show what gatecamp sees before anything is set up.
//
// What must stay true: everything in it is invented; the test of package snapshot says what must be found in it.
package demo

import _ "embed"

//go:embed guild.json
var guild []byte

// Guild is the demo's snapshot, in the form that snapshot.Parse reads. Each call gives a copy.
func Guild() []byte { return append([]byte(nil), guild...) }
