package reconcile

import "gatecamp/storage"

// Remembered is the last look at the guild for which all of Auth could be read, without the members of its picture; nil before the
// first. It answers what may be answered from what is known already, and must not be changed.
func (e *Engine) Remembered() *Look { return e.seen.Load() }

// keep remembers a look in which Auth was read.
func (e *Engine) keep(l *Look) {
	if l.AuthError != nil {
		return
	}
	kept := *l
	kept.Picture.Members = nil
	e.seen.Store(&kept)
}

// NeedsSecond reports whether a change of an operator table is about the person's own account, so that it is not theirs alone to make.
func (p Person) NeedsSecond(x storage.Exception, lift bool) bool {
	if lift && x.Table != storage.Overrides && x.Table != storage.Identities {
		return false
	}
	return p.favours(x)
}
