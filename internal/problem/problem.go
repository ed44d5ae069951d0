// Package problem says what a person did wrong and how to fix it.
//
// What must stay true: a Problem's text is fit for the person who caused it, and never holds a secret.
package problem

import (
	"errors"
	"fmt"
)

// Kind says what sort of answer a caller owes: it becomes the exit code of the console and the colour of a reply.
type Kind int

// The kinds, with the exit code of the console that each becomes.
const (
	Failed  Kind = iota // something went wrong while working: exit 1
	Usage               // arguments, configuration or a file are wrong: exit 2
	Refused             // a right, the lock, a pause or an allowance says no: exit 3
	Held                // a brake or the health of a source holds it: exit 4
)

func (k Kind) String() string {
	return [...]string{"failed", "usage", "refused", "held"}[k]
}

// Problem is an error in the words of the person who can mend it.
type Problem struct {
	Kind  Kind
	What  string // what happened, to whom, what was left untouched; one or two sentences
	Cure  string // what to do next; may be empty
	Cause error  // what lies below, for the log; may be nil
}

// Error is What and Cure; the cause is for the log alone.
func (p *Problem) Error() string {
	if p.Cure == "" {
		return p.What
	}
	return p.What + "; " + p.Cure
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// New is a Problem of the kind: what happened, and the cure.
func New(kind Kind, what, cure string) *Problem { return &Problem{Kind: kind, What: what, Cure: cure} }

// Usagef is a usage Problem without a separate cure: the text says what was expected.
func Usagef(format string, args ...any) *Problem {
	return &Problem{Kind: Usage, What: fmt.Sprintf(format, args...)}
}

// Refusedf is a refusal; the text says which right, lock or allowance refuses and who can change that.
func Refusedf(format string, args ...any) *Problem {
	return &Problem{Kind: Refused, What: fmt.Sprintf(format, args...)}
}

// Because adds the cause that the log should have.
func (p *Problem) Because(err error) *Problem {
	p.Cause = err
	return p
}

// KindOf is the kind of the first Problem in the chain of err, else Failed.
func KindOf(err error) Kind {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Kind
	}
	return Failed
}
