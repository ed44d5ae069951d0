package guard

import "sync/atomic"

// done counts what was done since the guard was made.
type done struct {
	checks, denied, failed atomic.Uint64
}

// Stats are figures of a guard.
type Stats struct {
	Checks uint64 // attempts that were looked at
	Denied uint64 // of them, by a block, a rule or a closed route
	Failed uint64 // checks that could not be carried out in full
	Held   int    // blocks that wait in this process for the store
	Loaded bool   // every block is known
	Silent bool   // nothing is heard of other processes
}

// Stats are the figures of the moment.
func (g *Guard) Stats() Stats {
	return Stats{
		Checks: g.done.checks.Load(), Denied: g.done.denied.Load(), Failed: g.done.failed.Load(), Held: g.Held(), Loaded: g.loaded.Load(),
		Silent: g.p.Stream != nil && g.p.Stream.Silent(g.p.Now()),
	}
}
