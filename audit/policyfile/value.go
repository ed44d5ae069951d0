package policyfile

import "strconv"

// Shape is what kind of thing a Value is.
type Shape int

// The shapes.
const (
	Null Shape = iota
	Bool
	Number // as it was written: Text may be "5", "5.0" or ".nan"
	Text
	List
	Map
)

func (s Shape) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a list", "a table of keys"}[s]
}

// Value is one part of a policy as it was written, in whatever syntax.
type Value struct {
	Shape        Shape
	Text         string // of a Bool, Number or Text
	Items        []Value
	Entries      []Entry // in their order; a key may stand twice
	Line, Column int     // from 1; zero where the syntax knows none
}

// Entry is one key of a Map.
type Entry struct {
	Key          string
	Line, Column int
	Value        Value
}

// shows is the value as a fault quotes it.
func (v *Value) shows() string {
	switch v.Shape {
	case Bool, Number:
		return v.Text
	case Text:
		if len(v.Text) > 60 {
			return strconv.Quote(v.Text[:60]) + "…"
		}
		return strconv.Quote(v.Text)
	case Null, List, Map:
	}
	return v.Shape.String()
}
