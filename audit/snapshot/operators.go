package snapshot

import (
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// operatorKey reads what the operators of gatecamp, not Auth, say.
func (a *accounts) operatorKey(key string) {
	switch key {
	case "bot_uids":
		a.f.Bots = a.ids("Discord ids")
	case "protected":
		a.each("Discord ids, or objects with uid, reason, owner and expires_at", a.readProtection)
	case "role_exceptions":
		a.f.Exempt = a.ids("role ids")
	case "blocks":
		a.each("blocks", a.readBlock)
	case "overrides":
		a.each("overrides", a.readOverride)
	case "opened":
		a.optional(a.readOpened)
	case "policy":
		a.policy = a.tree()
	case "privileged_roles":
		a.privileged = a.tree()
	case "bindings":
		a.optional(a.readBindings)
	default:
		a.skip()
	}
}

func (a *accounts) readProtection(t token) {
	if t.kind != isObject {
		a.f.Protected = append(a.f.Protected, Protection{Member: a.idOf(t)})
		return
	}
	var p Protection
	a.object(t, func(key string) {
		switch key {
		case "uid", "id", "member_id":
			p.Member = a.id()
		case "reason":
			p.Reason = string(a.textOrNull())
		case "owner":
			p.Owner = a.ownerText()
		case "expires_at":
			p.Until = a.instant()
		default:
			a.skip()
		}
	})
	if a.err == nil && p.Member == 0 {
		a.missing("uid", idCure)
	}
	a.f.Protected = append(a.f.Protected, p)
}

// ownerText is who answers for something: a name or an id.
func (a *accounts) ownerText() string {
	t := a.token()
	switch t.kind {
	case isText, isNumber:
		return string(t.text)
	case isNull:
	case nothing, isTrue, isFalse, isObject, isList:
		a.wrong(t, "a name or an id")
	}
	return ""
}

func (a *accounts) readBlock(t token) {
	var b audit.Block
	a.object(t, func(key string) {
		switch key {
		case "uid":
			b.Member = a.id()
		case "until":
			b.Until = a.instant()
		case "ban":
			if a.flag(false) {
				b.Act = audit.Ban
			}
		case "strip":
			if a.flag(false) {
				b.Act = max(b.Act, audit.Strip)
			}
		default:
			a.skip()
		}
	})
	if a.err == nil && b.Member == 0 {
		a.missing("uid", idCure)
	}
	a.f.Blocks = append(a.f.Blocks, b)
}

func (a *accounts) readOverride(t token) {
	var o audit.Override
	a.object(t, func(key string) {
		switch key {
		case "member_id":
			o.Member = a.id()
		case "action":
			t := a.token()
			act, ok := audit.ParseAct(string(t.text))
			if !ok || t.kind != isText {
				a.wrong(t, "report, strip or strip_kick")
			}
			o.Act = act
		case "expires_at":
			o.Until = a.instant()
		case "single_use":
			o.SingleUse = a.flag(false)
		default:
			a.skip()
		}
	})
	switch {
	case a.err != nil:
	case o.Member == 0:
		a.missing("member_id", idCure)
	case o.Act == audit.None:
		a.missing("action", "write report, strip or strip_kick")
	}
	a.f.Overrides = append(a.f.Overrides, o)
}

func (a *accounts) readOpened(t token) {
	a.f.Opened = map[snowflake.ID]time.Time{}
	a.object(t, func(key string) {
		id, ok := parseID([]byte(key))
		if !ok {
			a.refuse("the key is no member's id", idCure)
			return
		}
		if at := a.instant(); !at.IsZero() {
			a.f.Opened[id] = at
		}
	})
}

func (a *accounts) readBindings(t token) {
	a.f.Bound = true
	named := func(kind audit.BindingKind) func(t token) {
		return func(t token) {
			a.object(t, func(name string) {
				for _, role := range a.ids("role ids") {
					a.f.Bindings = append(a.f.Bindings, audit.Binding{Role: role, Kind: kind, Name: name})
				}
			})
		}
	}
	a.object(t, func(key string) {
		switch key {
		case "groups":
			a.optional(named(audit.ToGroup))
		case "states":
			a.optional(named(audit.ToState))
		case "guarded":
			for _, role := range a.ids("role ids") {
				a.f.Bindings = append(a.f.Bindings, audit.Binding{Role: role, Kind: audit.Guarded})
			}
		default:
			a.skip()
		}
	})
	slices.SortFunc(a.f.Bindings, compareBindings)
	a.f.Bindings = slices.Compact(a.f.Bindings)
}

func compareBindings(x, y audit.Binding) int {
	if x.Kind != y.Kind {
		return int(x.Kind - y.Kind)
	}
	if c := strings.Compare(x.Name, y.Name); c != 0 {
		return c
	}
	return compare(x.Role, y.Role)
}
