package enforcement

import (
	"slices"
	"strings"
)

// Also is what a block does to its subject in the guild, besides denying our commands. A closed set, mildest first.
type Also int

// What a block may do besides.
const (
	AlsoNone  Also = iota // only our commands are denied
	AlsoStrip             // every managed role that the bot reaches is taken; the member stays
	AlsoKick              // the member is removed from the guild, at each return too
	AlsoBan               // and kept out by Discord's own ban, where the bot may
)

var alsoNames = [...]string{"none", "strip", "kick", "ban"}

// String is the word as orders and rows have it.
func (a Also) String() string { return alsoNames[a] }

// ParseAlso reads none, strip, kick or ban.
func ParseAlso(word string) (Also, error) {
	if i := slices.Index(alsoNames[:], word); i >= 0 {
		return Also(i), nil
	}
	return AlsoNone, mistake("also", "%q is not something a block can do besides; it is one of %s", word, strings.Join(alsoNames[:], ", "))
}

// Person reports whether a subject of the scope is one person: only their blocks reach into the guild.
func (s Scope) Person() bool { return s >= User && s <= Member }

// UsualAlso is what a block that a person makes does besides when they do not say: who is kept out leaves the guild. Blocks that
// rules make do nothing besides, and neither do those of a scope that names no person.
func UsualAlso(s Scope) Also {
	if s.Person() {
		return AlsoKick
	}
	return AlsoNone
}
