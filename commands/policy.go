package commands

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// policyCommand shows what the guild wants done about whom, tries another out, and changes it.
func policyCommand() command {
	right := []audit.Right{audit.RightPolicy}
	reading := need{sort: reads, all: right}
	version := option{name: "policy", is: optText, kept: true, offer: offerPolicies, max: 20}
	return command{name: "policy", hidden: discord.PermissionManageGuild, below: []deed{
		{name: "show", need: reading, do: policyShow, public: true, options: []option{version}},
		{name: "preview", need: reading, do: policyPreview, form: previewForm, options: []option{version, formatOption()}},
		{name: "set", need: policySetting(), do: policySet, form: setForm, options: []option{version}},
		{name: "history", need: reading, do: policyHistory, options: []option{formatOption()}},
	}}
}

func policySetting() need { return need{sort: loosens, all: []audit.Right{audit.RightPolicy}} }

// policyVersion is the version that the option names, 0 where none was given: the one in force. A guild that never set one has
// version 0, the default.
func (x *call) policyVersion(ctx context.Context, named bool) (storage.Policy, error) {
	var version int64
	if named && x.has("policy") {
		n, err := x.numbered("policy")
		if err != nil {
			return storage.Policy{}, err
		}
		version = n
	}
	p, err := x.cfg.Store.Policy(ctx, x.guild, version)
	if !errors.Is(err, storage.ErrNotFound) {
		return p, err
	}
	if version != 0 {
		return p, problem.New(problem.Usage, x.T(i18n.PolicyNoVersion, i18n.Args{"Version": version}), x.T(i18n.PolicyNoVersionCure))
	}
	d := audit.DefaultPolicy()
	return storage.Policy{Guild: x.guild, Document: string(policyfile.Format(d)), Canonical: policyfile.Canonical(d)}, nil
}

// policyInline is how long a policy may be that is shown in the message itself.
const policyInline = 3500

func policyShow(ctx context.Context, x *call) (*answer, error) {
	p, err := x.policyVersion(ctx, true)
	if err != nil {
		return nil, err
	}
	a := &answer{title: x.T(i18n.PolicyTitle, i18n.Args{"Version": p.Version}), text: x.policyWords(p), files: []file{{"policy.yaml", []byte(p.Document)}}}
	if len(p.Document) <= policyInline {
		a.text = joinLines(a.text, block("yaml", p.Document))
	}
	return a, nil
}

// policyWords says who set a version, when and why.
func (x *call) policyWords(p storage.Policy) string {
	if p.Version == 0 {
		return x.T(i18n.PolicyNever)
	}
	return x.T(i18n.PolicyBy, i18n.Args{"By": whoWords(p.Actor), "At": stamp(p.At), "Reason": plain(p.Reason)})
}

// block is a text as a block of code; nothing in it ends the block.
func block(language, text string) string {
	return "```" + language + "\n" + strings.ReplaceAll(strings.TrimRight(text, "\n"), "```", "'''") + "\n```"
}

// mostTyped is the most that a modal's input takes (Discord: components/reference, text input).
const mostTyped = 4000

// policyInput is the policy in force to be changed: as it was given if that fits, else as it is written shortest.
func (x *call) policyInput(ctx context.Context) (input, error) {
	p, err := x.policyVersion(ctx, false)
	if err != nil {
		return input{}, err
	}
	i := input{name: "policy", label: x.T(i18n.PolicyInput), value: p.Document, long: true, most: mostTyped}
	if len([]rune(i.value)) > mostTyped {
		parsed, err := policyfile.Parse([]byte(p.Document), "policy")
		if err != nil {
			return input{}, err
		}
		i.value = string(policyfile.Format(parsed))
	}
	if len([]rune(i.value)) > mostTyped {
		return input{}, problem.New(problem.Usage, x.T(i18n.PolicyTooLong, i18n.Args{"Most": x.Number(mostTyped)}), x.T(i18n.PolicyTooLongCure))
	}
	return i, nil
}

// wantedPolicy is the policy that was typed, or the stored one that was named, compared with the names that Auth has.
func (x *call) wantedPolicy(ctx context.Context) (p audit.Policy, document string, err error) {
	document = x.str("policy")
	if n, failed := strconv.ParseInt(strings.TrimPrefix(document, "#"), 10, 64); failed == nil && n > 0 {
		stored, err := x.policyVersion(ctx, true)
		if err != nil {
			return p, "", err
		}
		document = stored.Document
	}
	doc, err := policyfile.Read([]byte(document), "policy")
	if err != nil {
		return p, document, x.policyFaults(err)
	}
	r, err := x.house.Engine.ReadSource(ctx)
	if err != nil {
		return p, document, err
	}
	if r.Directory != nil {
		err = x.policyFaults(doc.Check(r.Directory))
	}
	return doc.Policy, document, err
}

// policyFaults tells what is wrong with a policy, each with its place.
func (x *call) policyFaults(err error) error {
	faults, is := errors.AsType[policyfile.Faults](err)
	if !is {
		return err
	}
	lines := []string{x.N(i18n.PolicyWrong, len(faults))}
	for i, f := range faults {
		if i == rolesShown {
			lines = append(lines, x.T(i18n.FrameMore, i18n.Args{"N": len(faults) - i}))
			break
		}
		where := x.T(i18n.PolicyPlace, i18n.Args{"Line": f.Line, "Column": f.Column})
		if f.Line == 0 {
			where = x.T(i18n.PolicyWhole)
		}
		if f.Path != "" {
			where += " " + quoted(f.Path)
		}
		lines = append(lines, "• "+where+": "+plain(f.Says))
	}
	return problem.New(problem.Usage, strings.Join(lines, "\n"), x.T(i18n.PolicyWrongCure)).Because(err)
}

// policyRow is a version for programs.
type policyRow struct {
	Version int64    `json:"version"`
	Actor   string   `json:"actor"`
	Reason  string   `json:"reason"`
	At      any      `json:"at"`
	Changes []string `json:"changes"`
}

func policyHistory(ctx context.Context, x *call) (*answer, error) {
	all, err := x.cfg.Store.PolicyHistory(ctx, x.guild, storage.Page{})
	if err != nil {
		return nil, err
	}
	l := &list{name: "policies", columns: []string{"version", "at", "actor", "reason", "changes"}, empty: x.T(i18n.PolicyNever)}
	for i, p := range all {
		earlier := policyfile.Canonical(audit.DefaultPolicy())
		if i+1 < len(all) {
			earlier = all[i+1].Canonical
		}
		changes := []string{}
		for _, d := range policyfile.Differences(earlier, p.Canonical) {
			changes = append(changes, d.Path+": "+orDash(d.Before)+" → "+orDash(d.After))
		}
		version := strconv.FormatInt(p.Version, 10)
		l.rows = append(l.rows, row{
			line: func() string {
				return "**" + x.T(i18n.PolicyTitle, i18n.Args{"Version": version}) + "** " + x.policyWords(p) + "\n" + cut(plain(strings.Join(changes, "; ")), 250)
			},
			cells:  []string{version, eveTime(p.At), p.Actor, p.Reason, strings.Join(changes, "; ")},
			object: policyRow{p.Version, p.Actor, p.Reason, reconcile.LineTime(p.At), changes},
		})
	}
	return &answer{title: x.T(i18n.PolicyHistory), list: l}, nil
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// offerPolicies offers the newest versions whose number begins with what is typed.
func offerPolicies(ctx context.Context, x *call, typed string) ([]choice, error) {
	all, err := x.cfg.Store.PolicyHistory(ctx, x.guild, storage.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	var list []choice
	typed = strings.TrimPrefix(typed, "#")
	for _, p := range all {
		n := strconv.FormatInt(p.Version, 10)
		if strings.HasPrefix(n, typed) {
			list = append(list, choice{x.T(i18n.PolicyTitle, i18n.Args{"Version": n}) + ", " + eveTime(p.At) + ": " + oneLine(p.Reason), n})
		}
	}
	return list, nil
}
