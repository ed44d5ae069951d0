package enforcement

import "time"

// ExactUpTo is the threshold up to which sliding windows are exact; above it they are interpolated between two buckets.
const ExactUpTo = 32

// Tally is one count that an incident asks for. The tallies of one incident are taken in their order, all at once.
type Tally struct {
	Subject string // whom it counts; several subjects together are one text
	Slot    uint16 // the rule's place among the counts of a subject: the same in every process
	Kind    TallyKind
	Window  time.Duration
	Need    int    // up to which the count must be right; above it may be too low, never below it
	Value   uint32 // of distinct: a hash of the value
	Read    bool   // nothing is counted, only told
}

// TallyKind is how a tally counts. A closed set, with numbers that are kept in counters.
type TallyKind uint8

// The kinds.
const (
	Exact        TallyKind = iota // every time is kept, up to Need
	Interpolated                  // whole windows, and of the one before as much as the sliding window still covers
	Fixed                         // from the first incident of a window on
	Distinct                      // different values, each with the time when it was seen last
)

// KindOf is how a count is tallied that must be right up to need.
func (n *Count) KindOf(need int) TallyKind {
	switch {
	case n.Distinct != "":
		return Distinct
	case n.Fixed:
		return Fixed
	case need <= ExactUpTo:
		return Exact
	}
	return Interpolated
}
