package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// kindPolicy is the card that sets a policy.
const kindPolicy = "policy"

// shownPolicy is what a card of that kind sets, and over which version.
type shownPolicy struct {
	Document string `json:"document"`
	Reason   string `json:"reason"`
	Before   int64  `json:"before"`
}

func setForm(ctx context.Context, x *call) (*form, error) {
	f := &form{title: x.T(i18n.PolicySetTitle)}
	if !x.has("policy") {
		i, err := x.policyInput(ctx)
		if err != nil {
			return nil, err
		}
		f.inputs = append(f.inputs, i)
	}
	f.inputs = append(f.inputs, input{name: "reason", label: x.T(i18n.FrameReason), long: true, most: mostReason})
	return f, nil
}

func policySet(ctx context.Context, x *call) (*answer, error) {
	p, document, err := x.wantedPolicy(ctx)
	if err != nil {
		return nil, err
	}
	before, err := x.policyVersion(ctx, false)
	if err != nil {
		return nil, err
	}
	canonical := policyfile.Canonical(p)
	if before.Version > 0 && len(policyfile.Differences(before.Canonical, canonical)) == 0 {
		return &answer{text: x.T(i18n.PolicyInForce, i18n.Args{"Version": before.Version})}, nil
	}
	c, err := x.compared(ctx, p)
	if err != nil {
		return nil, err
	}
	reason := oneLine(x.str("reason"))
	a := &answer{tone: toneWarn, title: x.T(i18n.PolicyCardTitle, i18n.Args{"Version": before.Version + 1}), text: x.T(i18n.PolicyCardText)}
	a.fields = append(comparisonFields(x.Printer, before.Canonical, canonical, c), field{name: x.T(i18n.TableReason), value: plain(reason)})
	digest := sha256.Sum256(canonical)
	a.card = &draft{kind: kindPolicy, digest: hex.EncodeToString(digest[:]), extra: shownPolicy{document, reason, before.Version}}
	return a, nil
}

func policyCard() cardKind {
	of := func(k posted) (s shownPolicy) {
		_ = k.extra(&s) // it was written by this program; an empty document is refused below
		return s
	}
	return cardKind{
		need: func(posted) need { return policySetting() },
		label: func(p *i18n.Printer, k posted) string {
			return p.T(i18n.PolicyButton, i18n.Args{"Version": of(k).Before + 1})
		},
		do: func(ctx context.Context, x *call, k posted, _ string) (*answer, error) {
			s := of(k)
			parsed, err := policyfile.Parse([]byte(s.Document), "policy")
			if err != nil {
				return nil, x.policyFaults(err)
			}
			stored, err := x.cfg.Store.SetPolicy(ctx, x.guild, s.Before, s.Document, policyfile.Canonical(parsed), x.author(s.Reason))
			if errors.Is(err, storage.ErrConflict) {
				return nil, problem.New(problem.Usage, x.T(i18n.PolicyFaster), x.T(i18n.PolicyFasterCure)).Because(err)
			}
			if err != nil {
				return nil, err
			}
			if err := x.accept(ctx, x.find(x.path), 0); err != nil {
				return nil, err
			}
			lock, err := x.lockWords(ctx, &parsed)
			return &answer{tone: toneDone, title: x.T(i18n.PolicySet, i18n.Args{"Version": stored.Version}), text: lock}, err
		},
	}
}

// lockWords says what of a new policy the first-run lock holds.
func (x *call) lockWords(ctx context.Context, p *audit.Policy) (string, error) {
	acts := p.Destructive()
	if len(acts) == 0 {
		return x.T(i18n.PolicyHarmless), nil
	}
	ack, err := x.cfg.Store.Acknowledged(ctx, x.guild)
	if errors.Is(err, storage.ErrNotFound) {
		return x.T(i18n.PolicyLocked, i18n.Args{"Acts": x.actList(acts)}), nil
	}
	if err != nil {
		return "", err
	}
	// Who allowed kicks has allowed what comes before them.
	fresh := slices.DeleteFunc(acts, func(a audit.Act) bool {
		return slices.Contains(ack.Kinds, a.String()) || a == audit.Strip && slices.Contains(ack.Kinds, audit.StripKick.String())
	})
	if len(fresh) == 0 {
		return x.T(i18n.PolicyCovered), nil
	}
	return x.T(i18n.PolicyRearmed, i18n.Args{"Acts": x.actList(fresh), "Version": ack.PolicyVersion}), nil
}

func (x *call) actList(acts []audit.Act) string {
	words := make([]string, len(acts))
	for i, a := range acts {
		words[i] = x.Act(a)
	}
	return x.List(words)
}
