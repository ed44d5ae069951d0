package reconcile

import (
	"gatecamp/audit"
	"gatecamp/storage"
)

// Remembered is the last look at the guild in which Auth could be read, over all of Auth and without the members of its picture; nil
// before the first. It answers what may be answered from what is known already, and must not be changed.
func (e *Engine) Remembered() *Look {
	l := e.seen.Load()
	if l == nil || l.subjects == nil {
		return l
	}
	// It was a look at few members: its scene is made over all of Auth only when somebody asks.
	whole := *l
	whole.Scene, whole.subjects = audit.NewScene(*l.subjects), nil
	e.seen.CompareAndSwap(l, &whole)
	return &whole
}

// keep remembers a look at a guild in which Auth was read. Subjects are those over all of Auth, if its scene knows a part of it.
func (e *Engine) keep(l *Look, subjects *audit.Subjects) {
	if l.AuthError != nil || len(l.Picture.Guild.Roles) == 0 {
		return
	}
	kept := *l
	kept.Picture.Members, kept.Picture.Heads, kept.subjects = nil, nil, subjects
	e.seen.Store(&kept)
}

// NeedsSecond reports whether a change of an operator table is about the person's own account, so that it is not theirs alone to make.
func (p Person) NeedsSecond(x storage.Exception, lift bool) bool {
	if lift && x.Table != storage.Overrides && x.Table != storage.Identities {
		return false
	}
	return p.favours(x)
}
