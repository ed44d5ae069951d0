package commands

import (
	"context"
	"errors"
	"strings"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// sourceCommand says how far Auth can be believed, and takes a shrink that is right as the new normal.
func sourceCommand() command {
	right := []audit.Right{audit.RightSource}
	return command{name: "source", hidden: discord.PermissionManageGuild, below: []deed{
		{name: "show", need: need{sort: reads, all: right}, do: sourceShow},
		{name: "accept", need: sourceAccepting(), do: sourceAccept, options: []option{reasonOption()}},
	}}
}

func sourceAccepting() need { return need{sort: loosens, all: []audit.Right{audit.RightSource}} }

func sourceShow(ctx context.Context, x *call) (*answer, error) {
	r, err := x.house.Engine.ReadSource(ctx)
	if err != nil {
		return nil, err
	}
	base, err := x.cfg.Store.Baseline(ctx, reconcile.AuthSource, x.now())
	if err != nil {
		return nil, err
	}
	a := sourceAnswer(x.Printer, r)
	last, err := x.cfg.Store.LastRead(ctx, reconcile.AuthSource)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	if err == nil {
		a.fields = append(a.fields, field{name: x.T(i18n.SourceLast), value: x.T(i18n.SourceLastRead, i18n.Args{"At": stamp(last.At), "Health": healthNamed(x.Printer, last.Verdict)}), beside: true})
	}
	if acc := base.Accepted; acc != nil {
		a.fields = append(a.fields, field{
			name: x.T(i18n.SourceAcceptedLast), beside: true,
			value: x.T(i18n.SourceAcceptedBy, i18n.Args{"By": whoWords(acc.Actor), "At": stamp(acc.At), "Reason": cut(plain(acc.Reason), 300)}),
		})
	}
	return a, nil
}

func healthNamed(p *i18n.Printer, name string) string {
	for _, h := range []audit.Health{audit.Healthy, audit.Doubtful, audit.Blind} {
		if h.String() == name {
			return p.Health(h)
		}
	}
	return quoted(name)
}

// sourceAnswer is what Auth looks like now, fact by fact.
func sourceAnswer(p *i18n.Printer, r *reconcile.SourceReading) *answer {
	a := &answer{title: p.T(i18n.SourceTitle, i18n.Args{"Health": p.Health(r.Verdict.Health)}), text: p.T(healthEffect(r.Verdict.Health))}
	switch r.Verdict.Health {
	case audit.Healthy:
		a.tone = toneDone
	case audit.Doubtful:
		a.tone = toneWarn
	case audit.Blind:
		a.tone = toneNo
	}
	var why []string
	for _, reason := range r.Verdict.Reasons {
		why = append(why, "• "+p.HealthReason(reason))
	}
	a.fields = append(a.fields, field{name: p.T(i18n.SourceWhy), value: strings.Join(why, "\n")})
	if r.Directory != nil && r.Baseline == nil {
		a.text = joinLines(a.text, p.T(i18n.SourceFirst))
	}
	var lines []string
	for _, f := range audit.FactLines(r.Counts, r.Baseline, r.Thresholds) {
		if f.Now == audit.Unknown && f.Baseline == audit.Unknown || f.Fact == audit.UnknownEdition && f.Now == 0 {
			continue
		}
		lines = append(lines, factWords(p, f))
	}
	a.fields = append(a.fields, inFields(p.T(i18n.SourceFacts), lines)...)
	return a
}

func healthEffect(h audit.Health) i18n.Key {
	switch h {
	case audit.Doubtful:
		return i18n.SourceDoubtful
	case audit.Blind:
		return i18n.SourceBlind
	case audit.Healthy:
	}
	return i18n.SourceHealthy
}

// factWords is one fact: now, and what is asked of it.
func factWords(p *i18n.Printer, f audit.FactLine) string {
	args := i18n.Args{"Fact": p.Fact(f.Fact), "Now": p.Amount(f.Fact, f.Now)}
	key := i18n.SourceFact
	if f.Want != audit.Unknown {
		args["Want"] = p.Amount(f.Fact, f.Want)
		if key = i18n.SourceFactLeast; f.Fact.Ceiling() {
			key = i18n.SourceFactMost
		}
	}
	sign := "✅ "
	switch f.Health {
	case audit.Doubtful:
		sign = "⚠️ "
	case audit.Blind:
		sign = "⛔ "
	case audit.Healthy:
	}
	return sign + p.T(key, args)
}

// inFields spreads lines over as many fields as they need; those after the first have no name of their own.
func inFields(name string, lines []string) []field {
	var fields []field
	value := ""
	flush := func() {
		if value != "" {
			fields = append(fields, field{name: name, value: value})
		}
		name, value = "\u200b", ""
	}
	for _, line := range lines {
		if len([]rune(value))+len([]rune(line))+1 > mostValue {
			flush()
		}
		value = joinLines(value, line)
	}
	flush()
	return fields
}

// kindSource is the card that makes what it shows the new normal.
const kindSource = "source"

// shownSource is what a card of that kind shows: exactly this becomes the baseline.
type shownSource struct {
	Counts map[string]int64 `json:"counts"`
	Reason string           `json:"reason"`
}

func sourceAccept(ctx context.Context, x *call) (*answer, error) {
	r, err := x.acceptable(ctx)
	if err != nil {
		return nil, err
	}
	a := &answer{tone: toneWarn, title: x.T(i18n.SourceAcceptTitle), text: x.T(i18n.SourceAcceptText, i18n.Args{"Health": x.Health(r.Verdict.Health)})}
	var lines []string
	for _, f := range audit.AllFacts() {
		now, counted := r.Counts[f]
		if !counted || f == audit.UnknownEdition {
			continue
		}
		line := x.T(i18n.SourceFact, i18n.Args{"Fact": x.Fact(f), "Now": x.Amount(f, now)})
		if before, had := r.Baseline[f]; had && before != now {
			line = "➡️ " + x.T(i18n.SourceWas, i18n.Args{"Fact": x.Fact(f), "Now": x.Amount(f, now), "Before": x.Amount(f, before)})
		}
		lines = append(lines, line)
	}
	a.fields = append(inFields(x.T(i18n.SourceBecomes), lines), field{name: x.T(i18n.TableReason), value: plain(x.str("reason"))})
	for _, reason := range audit.JudgeAuth(r.Counts, r.Counts, r.Thresholds).Reasons {
		a.fields = append(a.fields, field{name: x.T(i18n.SourceStays), value: x.HealthReason(reason)})
	}
	a.card = &draft{kind: kindSource, extra: shownSource{Counts: r.Stored(), Reason: oneLine(x.str("reason"))}}
	return a, nil
}

// acceptable reads Auth and refuses what no shrink that is right looks like: accepting an empty table would make everybody's roles
// surplus at the next run.
func (x *call) acceptable(ctx context.Context) (*reconcile.SourceReading, error) {
	r, err := x.house.Engine.ReadSource(ctx)
	switch {
	case err != nil:
		return nil, err
	case r.Trouble != nil:
		return nil, problem.New(problem.Held, x.T(i18n.SourceUnreadable), x.T(i18n.SourceUnreadableCure)).Because(r.Trouble)
	case r.Verdict.Health == audit.Blind:
		return nil, problem.New(problem.Held, x.T(i18n.SourceNoShrink, i18n.Args{"Why": x.HealthReason(r.Verdict.Reasons[0])}), x.T(i18n.SourceUnreadableCure))
	}
	return r, nil
}

func sourceCard() cardKind {
	return cardKind{
		need:  func(posted) need { return sourceAccepting() },
		label: func(p *i18n.Printer, _ posted) string { return p.T(i18n.SourceButton) },
		green: true,
		check: func(ctx context.Context, x *call, _ posted) error {
			_, err := x.acceptable(ctx)
			return err
		},
		do: func(ctx context.Context, x *call, k posted, _ string) (*answer, error) {
			var shown shownSource
			if err := k.extra(&shown); err != nil {
				return nil, err
			}
			if err := x.cfg.Store.AcceptSource(ctx, x.guild, reconcile.AuthSource, shown.Counts, x.author(shown.Reason)); err != nil {
				return nil, err
			}
			if err := x.accept(ctx, x.find(x.path), 0); err != nil {
				return nil, err
			}
			return &answer{tone: toneDone, title: x.T(i18n.SourceAccepted), text: x.T(i18n.SourceAcceptedEffect)}, nil
		},
	}
}
