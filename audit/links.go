package audit

import (
	"math/bits"

	"github.com/disgoorg/snowflake/v2"
)

// links finds accounts by their Discord id: an open table of indexes into the accounts, which hold the ids. A map of lists took ten
// times the memory, which is what a guild of 250,000 has least of.
type links struct {
	slots   []int32 // a power of two of them: the index of an account, free, or ^(number in several) beyond free
	several [][]int32
	shift   int
}

const free = -1

// golden is 2⁶⁴ by the golden ratio: multiplied by it, neighbours end far apart in the upper bits (Knuth, The Art of Computer
// Programming 3, 6.4).
const golden = 0x9e3779b97f4a7c15

func linksOf(accounts []Account) links {
	n := 0
	for i := range accounts {
		if accounts[i].Discord != 0 {
			n++
		}
	}
	if n == 0 {
		return links{}
	}
	size := bits.Len(uint(n + n/3)) // at most three slots of four are taken
	l := links{slots: make([]int32, 1<<size), shift: 64 - size}
	for i := range l.slots {
		l.slots[i] = free
	}
	for i := range accounts {
		if accounts[i].Discord != 0 {
			l.add(accounts, int32(i))
		}
	}
	return l
}

func (l *links) add(accounts []Account, i int32) {
	at, taken := l.find(accounts, accounts[i].Discord)
	switch {
	case !taken:
		l.slots[at] = i
	case l.slots[at] >= 0:
		l.several = append(l.several, []int32{l.slots[at], i})
		l.slots[at] = free - int32(len(l.several))
	default:
		n := free - 1 - l.slots[at]
		l.several[n] = append(l.several[n], i)
	}
}

// of lists the accounts of an id. The slot of a single one is the list.
func (l *links) of(accounts []Account, id snowflake.ID) []int32 {
	if id == 0 || len(l.slots) == 0 {
		return nil
	}
	at, taken := l.find(accounts, id)
	switch {
	case !taken:
		return nil
	case l.slots[at] >= 0:
		return l.slots[at : at+1 : at+1]
	}
	return l.several[free-1-l.slots[at]]
}

// find is the slot of an id, or the free one where it belongs.
func (l *links) find(accounts []Account, id snowflake.ID) (at int, taken bool) {
	at = int(uint64(id) * golden >> l.shift)
	for {
		i := l.slots[at]
		if i == free {
			return at, false
		}
		if i < 0 {
			i = l.several[free-1-i][0]
		}
		if accounts[i].Discord == id {
			return at, true
		}
		at = (at + 1) & (len(l.slots) - 1)
	}
}
