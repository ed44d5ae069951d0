package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// brakeCommand shows what stops gatecamp from doing too much at once, and lets a brake that tripped go again.
func brakeCommand() command {
	right := []audit.Right{audit.RightBrake}
	return command{name: "brake", hidden: discord.PermissionManageGuild, below: []deed{
		{name: "show", need: need{sort: reads, all: right}, do: brakeShow, public: true},
		{
			name: "reset", need: need{sort: loosens, all: right}, do: brakeReset,
			options: []option{{name: "scope", is: optText, required: true, kept: true, offer: offerTrips, max: 60}, reasonOption()},
		},
	}}
}

func brakeShow(ctx context.Context, x *call) (*answer, error) {
	b, err := x.house.Engine.Brakes(ctx)
	if err != nil {
		return nil, err
	}
	return brakeAnswer(x.Printer, &b), nil
}

// brakeAnswer is every brake with what it allows and what is used of it, and what tripped.
func brakeAnswer(p *i18n.Printer, b *reconcile.BrakeState) *answer {
	a := &answer{title: p.T(i18n.BrakeTitle), text: p.T(i18n.BrakeUnknownSize, i18n.Args{"Version": b.Version})}
	if b.Members >= 0 {
		a.text = p.N(i18n.BrakeSize, b.Members, i18n.Args{"Version": b.Version})
	}
	trips := p.T(i18n.BrakeNoTrips)
	if len(b.Trips) > 0 {
		a.tone = toneWarn
		lines := make([]string, len(b.Trips))
		for i, t := range b.Trips {
			lines[i] = "• " + tripWords(p, t)
		}
		trips = strings.Join(lines, "\n")
	}
	a.fields = append(a.fields, field{name: p.T(i18n.BrakeTrips), value: trips})
	byDimension := map[audit.Dimension][]string{}
	var order []audit.Dimension
	for _, l := range b.Lines() {
		if byDimension[l.Dimension] == nil {
			order = append(order, l.Dimension)
		}
		byDimension[l.Dimension] = append(byDimension[l.Dimension], brakeLine(p, l))
	}
	for _, d := range order {
		name := upper(p.Brake(d.String(), ""))
		if d == audit.OneRole {
			name = p.T(i18n.BrakeOneRole)
		}
		a.fields = append(a.fields, field{name: name, value: strings.Join(byDimension[d], "\n"), beside: true})
	}
	return a
}

// brakeLine is one brake in one window.
func brakeLine(p *i18n.Printer, l reconcile.BrakeLine) string {
	limit := p.Number(l.Brake.Ceiling)
	if l.Brake.BasisPoints > 0 || l.Brake.Floor != l.Brake.Ceiling {
		limit = p.T(i18n.BrakeLimit, i18n.Args{"Floor": p.Number(l.Brake.Floor), "Share": p.Percent(int64(l.Brake.BasisPoints)), "Ceiling": p.Number(l.Brake.Ceiling)})
	}
	if l.Brake.Times > 1 {
		limit = fmt.Sprintf("%d × (%s)", l.Brake.Times, limit)
	}
	line := p.T(i18n.BrakeLine, i18n.Args{"Window": p.Window(l.Window), "Limit": limit})
	if l.Allows != nil && l.Brake.BasisPoints > 0 {
		line += "; " + p.T(i18n.BrakeAllows, i18n.Args{"N": p.Number(*l.Allows)})
	}
	if l.Used != nil {
		line += "; " + p.T(i18n.BrakeUsed, i18n.Args{"N": p.Number(*l.Used)})
	}
	return line
}

// tripWords says which brake tripped, when, by what and by how much.
func tripWords(p *i18n.Printer, t storage.Trip) string {
	by := p.T(i18n.BrakeByEvent)
	if t.Run != 0 {
		by = p.T(i18n.BrakeByRun, i18n.Args{"Run": t.Run})
	}
	words := p.T(i18n.BrakeTripped, i18n.Args{"Brake": brakeWords(p, t.Dimension), "Code": code(t.Dimension), "At": stamp(t.At), "By": by})
	if cause, known := reconcile.CauseOf(t); known {
		words += " " + p.T(i18n.BrakeCause, i18n.Args{"Asked": cause.Asked, "Allowed": cause.Allowed, "Window": p.Window(cause.Window)})
	}
	return words
}

// brakeWords names a brake; that on one role by a mention of it.
func brakeWords(p *i18n.Printer, dimension string) string {
	role := ""
	if _, id, one := strings.Cut(dimension, ":"); one {
		if n, err := strconv.ParseUint(id, 10, 63); err == nil {
			role = mentionRole(snowflake.ID(n))
		}
	}
	return p.Brake(dimension, role)
}

func brakeReset(ctx context.Context, x *call) (*answer, error) {
	scope := x.str("scope")
	if _, err := reconcile.ParseBrake(scope); err != nil {
		return nil, problem.New(problem.Usage, x.T(i18n.BrakeNone, i18n.Args{"Given": quoted(scope)}), x.T(i18n.BrakeNoneCure))
	}
	t, err := x.cfg.Store.ResetTrip(ctx, x.guild, scope, x.author(x.str("reason")))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, problem.New(problem.Usage, x.T(i18n.BrakeNotTripped, i18n.Args{"Brake": brakeWords(x.Printer, scope)}), x.T(i18n.BrakeNoneCure)).Because(err)
	}
	if err != nil {
		return nil, err
	}
	if err := x.accept(ctx, x.find(x.path), 0); err != nil {
		return nil, err
	}
	return &answer{
		tone: toneDone, title: x.T(i18n.BrakeReset), text: joinLines(tripWords(x.Printer, t), x.T(i18n.BrakeResetEffect)),
		fields: []field{{name: x.T(i18n.TableReason), value: plain(x.str("reason"))}},
	}, nil
}

// offerTrips offers the brakes that have tripped.
func offerTrips(ctx context.Context, x *call, typed string) ([]choice, error) {
	trips, err := x.cfg.Store.OpenTrips(ctx, x.guild)
	if err != nil {
		return nil, err
	}
	var list []choice
	for _, t := range trips {
		if strings.HasPrefix(t.Dimension, typed) {
			_, role, _ := strings.Cut(t.Dimension, ":")
			list = append(list, choice{x.Brake(t.Dimension, role) + ", " + eveTime(t.At), t.Dimension})
		}
	}
	return list, nil
}

// upper begins a text with a capital letter.
func upper(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
