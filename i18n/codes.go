package i18n

import (
	"strings"

	"gatecamp/audit"
	"gatecamp/storage"
)

// The families of codes that the record keeps. Programs read the codes, people these texts.
const (
	ofCategory  = "category."
	ofCounted   = "category_count."
	ofReason    = "reason."
	ofRemedy    = "remedy." // by reason; not every reason has one
	ofAct       = "act."
	ofLayer     = "layer."
	ofAlert     = "alert."
	ofHold      = "hold." // gates and brakes
	ofWindow    = "window."
	ofTrouble   = "trouble."
	ofKind      = "kind."
	ofKindRole  = "kind_role."
	ofKinds     = "kind_count."
	ofResults   = "result_count."
	ofActs      = "act_count."
	ofBrake     = "brake." // what a brake counts
	ofGate      = "gate."  // a gate's name
	ofResult    = "result."
	ofCode      = "code." // how an action ended in detail, and why a run did
	ofCure      = "cure." // by such a code; not every code has one
	ofHealth    = "health."
	ofFact      = "fact."
	ofRunState  = "run_state."
	ofRight     = "right."
	ofGround    = "ground."
	ofTable     = "table." // of operators
	ofRealtime  = "realtime."
	ofBinding   = "binding."
	ofGrantee   = "grantee."
	ofIdentity  = "identity." // how an earlier account became known
	ofException = "exception."
)

// Category says what a category means, completing "this member …" or standing alone.
func (p *Printer) Category(c audit.Category) string { return p.T(Key(ofCategory + c.String())) }

// CategoryCount says how many members are in a category: "4 strangers to Auth".
func (p *Printer) CategoryCount(c audit.Category, n int) string {
	return p.N(Key(ofCounted+c.String()), n)
}

// KindCount says how many actions of a kind, by its code: "5 kicks". So do ResultCount and ActCount.
func (p *Printer) KindCount(code string, n int) string { return p.counted(ofKinds, code, n) }

// ResultCount says how many actions came to a result, by its code.
func (p *Printer) ResultCount(code string, n int) string { return p.counted(ofResults, code, n) }

// ActCount says about how many members something was decided, by the act's code.
func (p *Printer) ActCount(code string, n int) string { return p.counted(ofActs, code, n) }

func (p *Printer) counted(family, code string, n int) string {
	if key := Key(family + code); p.catalogue.Has(key) {
		return p.N(key, n)
	}
	return p.Number(n) + " " + spaced(code)
}

// Brake says what a brake counts, by its code as "kicks" or "one_role:123"; role is how the reader knows that role.
func (p *Printer) Brake(code, role string) string { return p.short(ofBrake, code, role) }

// GateName names a gate, by its code, completing "5 by …"; empty for a code that is no gate's.
func (p *Printer) GateName(code string) string { return p.perhaps(Key(ofGate + code)) }

func (p *Printer) short(family, code, role string) string {
	name, of, one := strings.Cut(code, ":")
	if one && role == "" {
		role = of
	}
	if text := p.perhaps(Key(family+name), Args{"Role": role}); text != "" {
		return text
	}
	return spaced(code)
}

// Reason says what led to a verdict, as part of a sentence.
func (p *Printer) Reason(r audit.Reason) string { return p.T(Key(ofReason + r.String())) }

// Reasons are the sentences of a set, in its order.
func (p *Printer) Reasons(set audit.Reasons) []string {
	var list []string
	for r := range set.All() {
		list = append(list, p.Reason(r))
	}
	return list
}

// Remedy says what would change a verdict; empty where nobody needs to do anything.
func (p *Printer) Remedy(r audit.Reason) string { return p.perhaps(Key(ofRemedy + r.String())) }

// Act says what a decision would do.
func (p *Printer) Act(a audit.Act) string { return p.T(Key(ofAct + a.String())) }

// Layer says which rule it is; the name is that of a group or state, where it is one's entry.
func (p *Printer) Layer(l audit.Layer, name string) string {
	if name == "" {
		return p.T(Key(ofLayer + l.String()))
	}
	return p.T(Key(ofLayer+l.String()+"_named"), Args{"Name": name})
}

// Alert says what is alarming about a finding.
func (p *Printer) Alert(a audit.Alert) string { return p.T(Key(ofAlert + a.String())) }

// Hold names the gate or the brake of a code as "kicks", "lock" or "one_role:123"; role is how the reader knows that role.
func (p *Printer) Hold(code, role string) string { return p.short(ofHold, code, role) }

// Gate says what a gate holds and why.
func (p *Printer) Gate(g audit.Gate) string { return p.Hold(g.String(), "") }

// Dimension names a brake.
func (p *Printer) Dimension(d audit.Dimension, role string) string { return p.Hold(d.String(), role) }

// Window says over which time a brake counts, completing "5 asked …".
func (p *Printer) Window(w audit.Window) string { return p.T(Key(ofWindow + w.String())) }

// Trouble says what is wrong with a role.
func (p *Printer) Trouble(t audit.RoleTrouble, expects string) string {
	return p.T(Key(ofTrouble+t.String()), Args{"Expects": expects})
}

// Kind names an action; the role is how the reader knows it, empty for an action without one, or without naming it.
func (p *Printer) Kind(k audit.Kind, role string) string {
	if role != "" {
		if text := p.perhaps(Key(ofKindRole+k.String()), Args{"Role": role}); text != "" {
			return text
		}
	}
	return p.T(Key(ofKind + k.String()))
}

// Result says what became of an action.
func (p *Printer) Result(r audit.Result) string { return p.T(Key(ofResult + r.String())) }

// Health says how far a source is believed.
func (p *Printer) Health(h audit.Health) string { return p.T(Key(ofHealth + h.String())) }

// Fact names what is counted of a source.
func (p *Printer) Fact(f audit.Fact) string { return p.T(Key(ofFact + f.String())) }

// Amount is a figure of a fact in its unit; one that is unknown is told as such.
func (p *Printer) Amount(f audit.Fact, n int64) string {
	if n == audit.Unknown {
		return p.T(AmountUnknown)
	}
	switch f.Unit() {
	case audit.BasisPoints:
		return p.Percent(n)
	case audit.Seconds:
		return p.Duration(seconds(n))
	case audit.Rows:
	}
	return p.Number(int(n))
}

// HealthReason says why a source is not believed: "users: 12 now, at least 96 expected".
func (p *Printer) HealthReason(r audit.HealthReason) string {
	args := Args{"Fact": p.Fact(r.Fact), "Now": p.Amount(r.Fact, r.Now), "Want": p.Amount(r.Fact, r.Want)}
	switch {
	case r.Fact == audit.Reachable:
		return p.T(HealthUnreadable)
	case r.Fact == audit.UnknownEdition:
		return p.T(HealthNewer)
	case r.Now == audit.Unknown:
		return p.T(HealthSilent, args)
	case r.Fact.Ceiling():
		return p.T(HealthAtMost, args)
	}
	return p.T(HealthAtLeast, args)
}

// RunState says where a run stands, completing "Run 7 …".
func (p *Printer) RunState(s storage.RunState) string { return p.T(Key(ofRunState + s.String())) }

// Right says what a right allows.
func (p *Printer) Right(r audit.Right) string { return p.T(Key(ofRight + r.String())) }

// Ground says why a right is held, or why not.
func (p *Printer) Ground(g audit.Ground) string { return p.T(Key(ofGround + g.String())) }

// Grantee names what a grant goes to: "the Auth group {{.Name}}".
func (p *Printer) Grantee(k audit.GranteeKind, name string) string {
	return p.T(Key(ofGrantee+k.String()), Args{"Name": name})
}

// Table names a table of operators.
func (p *Printer) Table(t storage.Table) string { return p.T(Key(ofTable + t.String())) }

// Realtime says what a live event may do in a category.
func (p *Printer) Realtime(r audit.Realtime) string { return p.T(Key(ofRealtime + r.String())) }

// Binding says what a role stands for.
func (p *Printer) Binding(k audit.BindingKind, name string) string {
	return p.T(Key(ofBinding+k.String()), Args{"Name": name})
}

// IdentitySource says how an earlier account became known.
func (p *Printer) IdentitySource(s audit.IdentitySource) string {
	return p.T(Key(ofIdentity + s.String()))
}

// ExceptionState says how an entry of a table stands: "in_force", "expired", "used", "removed".
func (p *Printer) ExceptionState(state string) string { return p.T(Key(ofException + state)) }

// The endings that codes of outcomes carry: Discord's error number, an HTTP status, roles, a category.
const (
	endsDiscord = "discord_"
	endsHTTP    = "http_"
	endsLost    = "lost:"
	endsNow     = "now_"
)

// Code says what the code of an outcome or of a run's end means, and what an operator can do; the cure is empty where there is
// nothing to do. A code that nobody knows is shown as it is.
func (p *Printer) Code(code string) (what, cure string) {
	if what = p.perhaps(Key(ofCode + code)); what != "" {
		return what, p.perhaps(Key(ofCure + code))
	}
	if category, now := strings.CutPrefix(code, endsNow); now {
		if c, known := audit.ParseCategory(category); known {
			return p.T(CodeNow, Args{"Category": p.Category(c)}), ""
		}
	}
	for _, family := range []struct {
		prefix    string
		what, aid Key
	}{{endsDiscord, CodeDiscord, CureDiscord}, {endsHTTP, CodeHTTP, CureHTTP}, {endsLost, CodeLost, CureLost}} {
		if rest, is := strings.CutPrefix(code, family.prefix); is {
			return p.T(family.what, Args{"Number": rest}), p.T(family.aid)
		}
	}
	if name, _, _ := strings.Cut(code, ":"); p.catalogue.Has(Key(ofHold + name)) {
		return p.T(CodeHeld, Args{"Hold": p.Hold(code, "")}), ""
	}
	return spaced(code), ""
}

// perhaps is a text, or nothing if there is none.
func (p *Printer) perhaps(key Key, args ...Args) string {
	if !p.catalogue.Has(key) {
		return ""
	}
	return p.T(key, args...)
}

// spaced makes a code readable that has no text.
func spaced(code string) string { return strings.ReplaceAll(code, "_", " ") }
