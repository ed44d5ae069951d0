// Package policyfile reads and writes a guild's policy as people write it: YAML, of which JSON is a part.
//
// What must stay true: what a policy means is decided once, in Sections, whatever syntax it came in; and a document with anything
// wrong in it yields no policy at all, but every fault with its place and the cure.
package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gatecamp/audit"
	"gatecamp/internal/problem"
)

// Fault is one thing that is wrong with a policy.
type Fault struct {
	Path         string // such as "linked_no_perm.by_group.Directors"; empty: the document as a whole
	Line, Column int    // from 1; zero where the syntax knows none
	Says         string // what is wrong and what would be right
}

func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Says)
	return b.String()
}

// Faults are all that is wrong with one document, in the order of their places. They are the cause of the Problem that Read gives.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// Document is a policy that was read, and the places of what it says.
type Document struct {
	Policy audit.Policy
	name   string
	places places
}

// Read reads a policy. The name stands in front of every fault. Names of groups and states are not checked yet: see Check.
func Read(data []byte, name string) (*Document, error) {
	root, faults := parseYAML(data)
	if len(faults) > 0 {
		return nil, refusal(name, faults)
	}
	policy, places, faults := fileSections(root).policy()
	if len(faults) > 0 {
		return nil, refusal(name, faults)
	}
	return &Document{Policy: policy, name: name, places: places}, nil
}

// Parse is Read for those who need the policy alone.
func Parse(data []byte, name string) (audit.Policy, error) {
	d, err := Read(data, name)
	if err != nil {
		return audit.Policy{}, err
	}
	return d.Policy, nil
}

// Check compares the groups and states that the policy names with those that Auth has. Without a Directory nothing is known, and
// nothing is refused.
func (d *Document) Check(auth *audit.Directory) error {
	if faults := d.places.locate(d.Policy.Faults(auth), ""); len(faults) > 0 {
		return refusal(d.name, faults)
	}
	return nil
}

func refusal(name string, faults Faults) error {
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	if len(faults) == 1 {
		return problem.Usagef("%s: %s", name, faults[0]).Because(faults)
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = "\n  " + f.String()
	}
	return problem.Usagef("%s: %d things are wrong, nothing was changed:%s", name, len(faults), strings.Join(lines, "")).Because(faults)
}
