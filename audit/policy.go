package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Act is what the layers decide to do about a member, mildest first. Report, Strip and StripKick are a policy's words; Kick and
// Ban come from blocks alone.
type Act int

// The acts.
const (
	None      Act = iota
	Report        // write it down
	Strip         // take away the managed roles that Auth does not give
	StripKick     // and remove the member from the guild
	Kick          // remove a blocked member
	Ban           // ban a blocked member
)

var actNames = [...]string{"none", "report", "strip", "strip_kick", "kick", "ban"}

func (a Act) String() string { return actNames[a] }

// ParseAct reads a policy's word: report, strip or strip_kick.
func ParseAct(word string) (Act, bool) {
	for _, a := range []Act{Report, Strip, StripKick} {
		if a.String() == word {
			return a, true
		}
	}
	return None, false
}

// Realtime says what a live event may do in a category.
type Realtime int

// The settings; report is the default.
const (
	RealtimeReport Realtime = iota
	RealtimeOff
	RealtimeAct
)

func (r Realtime) String() string { return [...]string{"report", "off", "act"}[r] }

// ParseRealtime reads a policy's word.
func ParseRealtime(word string) (Realtime, bool) {
	for _, r := range []Realtime{RealtimeReport, RealtimeOff, RealtimeAct} {
		if r.String() == word {
			return r, true
		}
	}
	return 0, false
}

// DefaultGrace is how long strangers and people who lost access are spared (see Rule.Grace).
const DefaultGrace = 72 * time.Hour

// Rule is what a policy says about one category. Group entries beat state entries, those beat Default; of several groups the
// least severe wins.
type Rule struct {
	Default  Act
	ByState  map[string]Act
	ByGroup  map[string]Act
	Realtime Realtime
	// Grace puts off kicks of strangers, counted from joining, and every act on people whose access or roles were lost, counted
	// from when the finding was opened. Privileged roles and deactivated accounts have none.
	Grace time.Duration
}

// Policy is what a guild wants.
type Policy struct {
	Rules           [categories]Rule // by Category
	Limits          Limits
	PrivilegedRoles []snowflake.ID // privileged besides those whose permissions make them so
}

// DefaultPolicy reports everything and does nothing.
func DefaultPolicy() Policy {
	p := Policy{Limits: DefaultLimits()}
	for c := range Categories() {
		p.Rules[c] = DefaultRule(c)
	}
	return p
}

// DefaultRule is the rule of a category that a policy does not name.
func DefaultRule(c Category) Rule {
	r := Rule{Default: min(Report, c.Severest())}
	if c == UnknownGuest || c == LinkedNoPerm {
		r.Grace = DefaultGrace
	}
	return r
}

// PolicyFault is one thing that is wrong with a policy.
type PolicyFault struct {
	Path string // such as "linked_no_perm.by_group.Directors"
	Says string // what is wrong and what would be right
}

func (f PolicyFault) String() string { return f.Path + ": " + f.Says }

// Faults checks a policy against what its categories allow and, when Auth has been read, against the names that exist there.
func (p *Policy) Faults(d *Directory) []PolicyFault {
	var faults []PolicyFault
	for c := range Categories() {
		if c == InOrder {
			continue
		}
		r := &p.Rules[c]
		check := func(path string, a Act) {
			switch {
			case a < Report:
				faults = append(faults, PolicyFault{path, "no action; the mildest is " + Report.String()})
			case a > c.Severest():
				faults = append(faults, PolicyFault{path, fmt.Sprintf("%s is too much for %s, which allows at most %s", a, c, c.Severest())})
			}
		}
		check(c.String()+".default", r.Default)
		if r.Grace < 0 {
			faults = append(faults, PolicyFault{c.String() + ".grace", "a grace is not negative; 0 is none"})
		}
		for _, slot := range []struct {
			key   string
			acts  map[string]Act
			names []string
		}{{"by_group", r.ByGroup, namesOf(d, ToGroup)}, {"by_state", r.ByState, namesOf(d, ToState)}} {
			for _, name := range slices.Sorted(maps.Keys(slot.acts)) {
				path := c.String() + "." + slot.key + "." + name
				check(path, slot.acts[name])
				if d != nil && !slices.Contains(slot.names, name) {
					faults = append(faults, PolicyFault{path, "Auth has no " + slot.key[len("by_"):] + " of this name; names are compared letter by letter"})
				}
			}
		}
	}
	return append(faults, p.Limits.faults()...)
}

func namesOf(d *Directory, kind BindingKind) []string {
	switch {
	case d == nil:
		return nil
	case kind == ToGroup:
		return d.Groups
	}
	return d.States
}

// Destructive lists what the policy could ever ask for besides reports, mildest first: the kinds of action that an
// acknowledgement of it covers.
func (p *Policy) Destructive() []Act {
	var acts []Act
	for c := range Categories() {
		r := &p.Rules[c]
		for _, a := range slices.Concat([]Act{r.Default}, slices.Collect(maps.Values(r.ByState)), slices.Collect(maps.Values(r.ByGroup))) {
			if a = min(a, c.Severest()); a > Report {
				acts = append(acts, a)
			}
		}
	}
	slices.Sort(acts)
	return slices.Compact(acts)
}

// choice is what the policy says about one member, and by which of its entries.
type choice struct {
	act   Act
	layer Layer
	name  string // of the group or state
}

// choose reads the policy for the accounts of a member: a group's entry, else a state's, else the default. The run's own action
// replaces default entries; group and state entries that are no severer than it still win.
func (p *Policy) choose(f *Facts, c Category, t *trace) choice {
	r := &p.Rules[c]
	found, named := f.leastSevere(r.ByGroup, r.ByState)
	if t.saw(LayerRun, f.Ordered != None && (!named || f.Ordered < found.act)) {
		found = choice{act: f.Ordered, layer: LayerRun}
	} else if !t.saw(LayerGroup, named && found.layer == LayerGroup) && !t.saw(LayerState, named) {
		t.saw(LayerDefault, true)
		found = choice{act: r.Default, layer: LayerDefault}
	}
	found.act = min(found.act, c.Severest())
	return found
}

// leastSevere is the mildest entry for any of the member's groups, and failing that for any of their states.
func (f *Facts) leastSevere(byGroup, byState map[string]Act) (best choice, ok bool) {
	consider := func(layer Layer, acts map[string]Act, name string) {
		a, named := acts[name]
		if named && (!ok || cmp.Or(cmp.Compare(a, best.act), cmp.Compare(name, best.name)) < 0) {
			best, ok = choice{act: a, layer: layer, name: name}, true
		}
	}
	if len(byGroup) > 0 {
		for _, i := range f.deciding() {
			for _, g := range f.Auth.Accounts[i].Groups {
				consider(LayerGroup, byGroup, f.Auth.Groups[g])
			}
		}
	}
	if ok || len(byState) == 0 {
		return best, ok
	}
	for _, i := range f.deciding() {
		if a := &f.Auth.Accounts[i]; a.State >= 0 {
			consider(LayerState, byState, f.Auth.States[a.State])
		}
	}
	return best, ok
}

// deciding are the accounts whose groups and states the policy looks at: the linked ones, else those known from earlier.
func (f *Facts) deciding() []int32 {
	if len(f.Linked) > 0 {
		return f.Linked
	}
	return f.Known
}
