// Package notify turns what a run came to into a message: what was found, what was done, what was held and by which brake, how the
// sources stood, and how long it took, in the language of those who read it.
//
// What must stay true: a message holds no name and no id of a person, whatever it is made from; it can be posted where everybody reads.
package notify

import (
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// Run is what a message about a run is made from: numbers, codes and the names of roles.
type Run struct {
	ID      int64
	Kind    string // "live", "apply"
	Mode    string // the run's own action; empty: as the policy says
	DryRun  bool
	State   storage.RunState
	Error   string // the code under which the run remembers why it failed
	Started time.Time
	Ended   time.Time // zero: not yet

	Members    int
	Complete   bool           // every member was seen
	Categories map[string]int // members, by category
	Decided    map[string]int // findings, by what the policy's layers want done
	Opened     int            // findings
	Changed    int
	Closed     int
	Alerts     int // findings with a privileged role

	Auth    audit.Verdict
	Holds   []audit.Hold
	Summary audit.Summary
	Roles   map[snowflake.ID]string // the guild's roles, to name them
}

// Tone says at a glance how a run went; it is always told in words as well.
type Tone int

// The tones.
const (
	Quiet   Tone = iota // looked, nothing had to be done
	Acted               // something was done, all of it as planned
	Held                // a brake, a gate or an unhealthy source held something
	Trouble             // something failed
)

func (t Tone) String() string { return [...]string{"quiet", "acted", "held", "trouble"}[t] }

// Field is one idea of a message.
type Field struct{ Name, Value string }

// Message is what is posted. The texts keep to Discord's limits for embeds (docs: resources/message, embed limits).
type Message struct {
	Title  string
	Text   string
	Tone   Tone
	Fields []Field
	Footer string
	At     time.Time // zero: none
}

// File goes with a message: a whole list as CSV or JSON. Whoever makes it answers for what is in it.
type File struct {
	Name string // with its ending, such as findings.csv
	Data []byte
}

// Discord's limits, in characters.
const (
	maxTitle  = 256
	maxText   = 4096
	maxField  = 1024
	maxFields = 25
	maxFooter = 2048
)

// fit cuts everything to what Discord takes, and puts a word in the place of what must not be in it.
func (m Message) fit(keep map[string]struct{}, hidden string) Message {
	clean := func(text string, most int) string { return cut(redact(text, hidden, keep), most) }
	m.Title, m.Text, m.Footer = clean(m.Title, maxTitle), clean(m.Text, maxText), clean(m.Footer, maxFooter)
	for i, f := range m.Fields {
		m.Fields[i] = Field{clean(f.Name, maxTitle), clean(f.Value, maxField)}
	}
	m.Fields = m.Fields[:min(len(m.Fields), maxFields)]
	return m
}

// cut shortens a text to so many characters, and shows that it did.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
