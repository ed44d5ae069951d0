package bot

import (
	"fmt"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/i18n"
)

// builtIns are what sets off the built-in rules, in words for people.
var builtIns = map[string]i18n.Key{
	"command_flood": i18n.RuleCommandFlood, "distinct_targets": i18n.RuleDistinctTargets, "failed_confirmation": i18n.RuleConfirmation,
	"failed_confirmation_of_card": i18n.RuleConfirmationCard, "join_wave": i18n.RuleJoinWave, "numeric_limit": i18n.RuleNumericLimit,
	"permission_probing": i18n.RuleProbing, "sensitive_change": i18n.RuleSensitive,
}

// Rule tells at once what a rule saw and did, where it did more than observe. It does not wait. How often one rule tells of one person is
// bounded where events are made: by the rule's cooldown, and once for a block.
func (b *Board) Rule(e *enforcement.Event) {
	var did string
	switch {
	case e.Rule == "" || e.Rule == "manual":
		return
	case e.Type == enforcement.BlockApplied:
		args := i18n.Args{"Subject": inert(e.Subject.String()), "Until": fmt.Sprintf("<t:%d:F>", e.Expires.Unix())}
		if did = b.cfg.Printer().T(i18n.RuleBlocked, args); e.Expires.IsZero() {
			did = b.cfg.Printer().T(i18n.RuleForever, i18n.Args{"Subject": args["Subject"]})
		}
	case e.Type == enforcement.Unscoped:
		did = b.cfg.Printer().T(i18n.RuleUnscoped)
	case e.Type == enforcement.Alert && e.Action == enforcement.Contain.String():
		did = b.cfg.Printer().T(i18n.RuleContain)
	case e.Type == enforcement.Alert && e.Action == enforcement.AlertOnly.String():
		did = b.cfg.Printer().T(i18n.RuleAlertOnly)
	default:
		return
	}
	what := ""
	if key, known := builtIns[e.Rule]; known {
		what = " " + b.cfg.Printer().T(key)
	}
	args := i18n.Args{"Rule": inert(e.Rule), "What": what, "Did": did}
	line := boardLine{member: snowflake.ID(e.User), at: time.Now(), text: b.cfg.Printer().T(i18n.RuleFired, args)}
	if e.User == 0 {
		line.text = b.cfg.Printer().T(i18n.RuleUnknown, args)
	}
	b.with(func() { b.fired = b.add(b.fired, []boardLine{line}) })
}
