package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// kindPlan is the card that performs a stored plan.
const kindPlan = "plan"

// blast is whom a plan would touch, as its card remembers it.
type blast struct {
	Strips int `json:"strips"` // members who would lose a role
	Kicks  int `json:"kicks"`  // members who would have to leave
}

func blastOf(p *storage.Plan) (b blast, members int) {
	strips, kicks, all := map[snowflake.ID]bool{}, map[snowflake.ID]bool{}, map[snowflake.ID]bool{}
	for _, a := range p.Actions {
		all[a.Member] = true
		switch kind, _ := audit.ParseKind(a.Kind); kind {
		case audit.RemoveRole:
			strips[a.Member] = true
		case audit.KickMember, audit.BanMember:
			kicks[a.Member] = true
		case audit.Contain, audit.GiveRoleBack:
		}
	}
	return blast{len(strips), len(kicks)}, len(all)
}

// planCard performs exactly the plan of its digest.
func planCard() cardKind {
	of := func(k posted) (b blast) {
		_ = k.extra(&b) // this program wrote it; were it empty, the need below is the stricter
		return b
	}
	return cardKind{
		need: func(k posted) need {
			n := running().and(acting(audit.Strip.String()))
			if b := of(k); b.Kicks > 0 || b == (blast{}) {
				n.all = append(n.all, audit.RightRemove)
			}
			return n
		},
		label: func(p *i18n.Printer, k posted) string {
			b := of(k)
			strips, kicks := i18n.Args{"Members": p.N(i18n.CountMembers, b.Strips)}, i18n.Args{"Members": p.N(i18n.CountMembers, b.Kicks)}
			switch {
			case b.Kicks == 0:
				return p.T(i18n.AuditButtonStrip, strips)
			case b.Strips == 0:
				return p.T(i18n.AuditButtonKick, kicks)
			}
			return p.T(i18n.AuditButtonBoth, i18n.Args{"Strips": p.N(i18n.CountMembers, b.Strips), "Kicks": p.N(i18n.CountMembers, b.Kicks)})
		},
		check: func(ctx context.Context, x *call, k posted) error {
			if err := x.mayAct(ctx); err != nil {
				return err
			}
			_, err := x.plan(ctx, k.Digest)
			return err
		},
		do: performPlan,
	}
}

func performPlan(ctx context.Context, x *call, k posted, _ string) (*answer, error) {
	run, err := x.house.Engine.OrderPlan(ctx, k.Digest, false, x.cfg.RunDeadline, x.author(fmt.Sprintf("card of run %d", k.Run)))
	if err != nil {
		return nil, err
	}
	if err := x.accept(ctx, nil, run.ID); err != nil {
		return nil, err
	}
	if err := x.house.Runner.Start(run); err != nil {
		return nil, err
	}
	a := &answer{tone: toneDone, title: x.T(i18n.AuditApplying, i18n.Args{"Run": run.ID}), text: x.T(i18n.AuditApplyingText, i18n.Args{"Digest": code(shortDigest(k.Digest))})}
	x.follow(a)
	return a, nil
}

// follow says where the progress is.
func (x *call) follow(a *answer) {
	if x.house.AdminChannel != 0 {
		a.fields = append(a.fields, field{name: x.T(i18n.AuditFollow), value: "<#" + x.house.AdminChannel.String() + ">"})
	}
}

func shortDigest(d string) string { return d[:min(len(d), 12)] }

// auditApply shows the stored plan of a run, of the newest that has one unless it is named, as a card.
func auditApply() deed {
	return deed{
		name: "apply", need: running().and(acting(audit.Strip.String())), options: []option{runOption(false)}, public: true, people: true,
		do: func(ctx context.Context, x *call) (*answer, error) {
			if err := x.mayAct(ctx); err != nil {
				return nil, err
			}
			digest := ""
			if x.has("run") {
				run, err := x.run(ctx, "run")
				if err != nil {
					return nil, err
				}
				if run.Digest == "" {
					return nil, problem.New(problem.Usage, x.T(i18n.AuditNoPlanOfRun, i18n.Args{"Run": run.ID}), x.T(i18n.AuditOrderActing))
				}
				digest = run.Digest
			}
			p, err := x.plan(ctx, digest)
			if err != nil {
				return nil, err
			}
			return planAnswer(x.Printer, &p, x.house.names(ctx, membersIn(&p)))
		},
	}
}

// plan finds a stored plan that can be performed; without a digest the newest that has any actions.
func (x *call) plan(ctx context.Context, digest string) (p storage.Plan, err error) {
	p, err = x.cfg.Store.Plan(ctx, x.guild, digest)
	if errors.Is(err, storage.ErrNotFound) || err == nil && len(p.Actions) == 0 {
		return p, problem.New(problem.Usage, x.T(i18n.AuditNoPlan), x.T(i18n.AuditOrderActing))
	}
	if err != nil {
		return p, err
	}
	made, err := x.runOf(ctx, p.Run)
	switch {
	case err != nil:
		return p, err
	case made.Order.Kind == reconcile.KindSnapshot:
		return p, refuse("snapshot_never_acts", x.T(i18n.AuditPlanOfFile, i18n.Args{"Run": made.ID}), x.T(i18n.AuditOrderActing))
	case p.State == storage.PlanPerforming:
		return p, problem.New(problem.Usage, x.T(i18n.AuditPlanAtWork), x.T(i18n.AuditSeeStatus))
	case p.State == storage.PlanPerformed:
		return p, problem.New(problem.Usage, x.T(i18n.AuditPlanDone), x.T(i18n.AuditOrderActing))
	}
	held, err := x.house.Engine.HeldNow(ctx, &p)
	if err != nil {
		return p, err
	}
	if len(held) > 0 {
		return p, refuse("held", x.T(i18n.AuditPlanHeld, i18n.Args{"By": holdWords(x.Printer, held)}), heldCure(x.Printer, held)) // a plan is performed whole, or not at all
	}
	return p, nil
}

// holdWords names gates and brakes.
func holdWords(p *i18n.Printer, codes []string) string {
	var words []string
	for _, c := range codes {
		words = append(words, p.Hold(c, roleOfHold(c)))
	}
	return p.List(words)
}

// heldCure says what ends the holding, the firmest gate first.
func heldCure(p *i18n.Printer, codes []string) string {
	switch {
	case slices.Contains(codes, audit.Lock.String()):
		return p.T(i18n.AuditLockedCure)
	case slices.Contains(codes, audit.Pause.String()):
		return p.T(i18n.AuditPausedCure)
	}
	return p.T(i18n.AuditPlanHeldCure)
}

// roleOfHold is the role of the brake on one role's holders, as a mention; empty for every other.
func roleOfHold(code string) string {
	if _, role, is := strings.Cut(code, ":"); is {
		return "<@&" + role + ">"
	}
	return ""
}

// shownActions is how many members a card names; the rest is attached.
const shownActions = 10

// membersIn are the members whom a card names: the first of the plan.
func membersIn(p *storage.Plan) (ids []snowflake.ID) {
	for _, a := range p.Actions {
		if !slices.Contains(ids, a.Member) && len(ids) < shownActions {
			ids = append(ids, a.Member)
		}
	}
	return ids
}

// planAnswer is a plan as a card.
func planAnswer(p *i18n.Printer, plan *storage.Plan, names map[snowflake.ID]Person) (*answer, error) {
	if doable := reconcile.Unfought(plan); len(doable) > 0 { // a fight holds one member's role, and not the rest
		whole := *plan
		whole.Actions, plan = doable, &whole
	}
	b, members := blastOf(plan)
	a := &answer{
		tone: toneWarn, title: p.T(i18n.AuditPlanTitle, i18n.Args{"Run": plan.Run}), text: p.T(i18n.AuditPlanText, i18n.Args{"Changes": p.N(i18n.CountChanges, len(plan.Actions)), "Members": p.N(i18n.CountMembers, members)}),
		footer: p.T(i18n.AuditPlanFooter, i18n.Args{"Digest": shortDigest(plan.Digest), "At": eveTime(plan.Made)}),
		card:   &draft{kind: kindPlan, digest: plan.Digest, run: plan.Run, members: members, extra: b},
	}
	a.fields = append(a.fields, field{name: p.T(i18n.AuditPlanRoles), value: rolesOfPlan(p, plan)}, field{name: p.T(i18n.AuditPlanMembers), value: membersOfPlan(p, plan, names)})
	l := &list{name: "plan", columns: []string{"key", "member_id", "kind", "role_id"}}
	for _, x := range plan.Actions {
		role := ""
		if x.Role != 0 {
			role = x.Role.String()
		}
		l.rows = append(l.rows, row{cells: []string{x.Key, x.Member.String(), x.Kind, role}})
	}
	if members > shownActions {
		data, err := l.csv()
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, file{"plan.csv", data})
	}
	return a, nil
}

// rolesOfPlan says how many holders each role would lose.
func rolesOfPlan(p *i18n.Printer, plan *storage.Plan) string {
	counts := map[snowflake.ID]int{}
	for _, a := range plan.Actions {
		if a.Role != 0 {
			counts[a.Role]++
		}
	}
	roles := make([]snowflake.ID, 0, len(counts))
	for id := range counts {
		roles = append(roles, id)
	}
	slices.SortFunc(roles, func(a, b snowflake.ID) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	var lines []string
	for _, id := range roles[:min(len(roles), shownActions)] {
		lines = append(lines, fmt.Sprintf("%s: %s", mentionRole(id), p.N(i18n.CountMembers, counts[id])))
	}
	if more := len(roles) - shownActions; more > 0 {
		lines = append(lines, p.T(i18n.FrameMore, i18n.Args{"N": more}))
	}
	return strings.Join(lines, "\n")
}

// membersOfPlan names the first members, with what they would lose.
func membersOfPlan(p *i18n.Printer, plan *storage.Plan, names map[snowflake.ID]Person) string {
	var order []snowflake.ID
	what := map[snowflake.ID][]string{}
	for _, a := range plan.Actions {
		if _, seen := what[a.Member]; !seen {
			order = append(order, a.Member)
		}
		words := p.Kind(kindOf(a.Kind), "")
		if a.Role != 0 {
			words = mentionRole(a.Role)
		}
		what[a.Member] = append(what[a.Member], words)
	}
	var lines []string
	for _, id := range order[:min(len(order), shownActions)] {
		lines = append(lines, fmt.Sprintf("%s: %s", who(id, names), strings.Join(what[id], ", ")))
	}
	// Long names and many roles leave room for fewer.
	named, more := fitting(lines, mostValue-40), len(order)
	if more -= len(named); more > 0 {
		named = append(named, p.T(i18n.FrameMore, i18n.Args{"N": more}))
	}
	return strings.Join(named, "\n")
}

// fitting are the first lines that together are no longer than so many characters.
func fitting(lines []string, most int) []string {
	for i, l := range lines {
		if most -= utf8.RuneCountInString(l) + 1; most < 0 {
			return lines[:i]
		}
	}
	return lines
}

func kindOf(code string) audit.Kind {
	kind, _ := audit.ParseKind(code)
	return kind
}

// PlanCard posts what an acting run that was ordered by a command would do as a card with a red button in the admin channel. Where a gate
// or a brake holds any of it, or there is nothing to do, it posts that, without a button.
func (c *Commands) PlanCard(ctx context.Context, guild snowflake.ID, run storage.Run) (err error) {
	defer wrap.Err(&err, "card of run %d", run.ID)
	house, served := c.cfg.Guilds.Guild(guild)
	if mode, _ := audit.ParseAct(run.Order.Mode); !served || house.AdminChannel == 0 || house.REST == nil || run.Order.Origin != origin || !run.Order.DryRun ||
		mode != audit.Strip && mode != audit.StripKick || run.Digest == "" || run.State != storage.Succeeded {
		return nil
	}
	plan, err := c.cfg.Store.Plan(ctx, guild, run.Digest)
	if err != nil || plan.State != storage.PlanStored {
		return err
	}
	invoker, err := discordOf(run.Order.Actor)
	if err != nil {
		return err
	}
	held, err := house.Engine.HeldNow(ctx, &plan)
	if err != nil {
		return err
	}
	p := c.cfg.Texts.For(house.Locale)
	if len(plan.Actions) == 0 || len(held) > 0 {
		return c.postIdle(ctx, house, run, &plan, held, p)
	}
	a, err := planAnswer(p, &plan, house.names(ctx, membersIn(&plan)))
	if err != nil {
		return err
	}
	k, err := c.makeCard(ctx, a.card, cardOrigin{guild, invoker, house.Locale, "audit apply"})
	if err != nil {
		return err
	}
	untilWhen(a, k, p)
	m := a.message()
	m.Content = p.T(i18n.AuditCardFor, i18n.Args{"Invoker": mentionMember(invoker)})
	m.Components = c.buttons(k, p, false)
	sent, err := house.REST.CreateMessage(house.AdminChannel, m, rest.WithCtx(ctx))
	if err != nil {
		return err
	}
	return c.cfg.Store.PlaceCard(ctx, guild, k.ID, house.AdminChannel, sent.ID)
}

// postIdle says why there is nothing to press.
func (c *Commands) postIdle(ctx context.Context, house House, run storage.Run, plan *storage.Plan, held []string, p *i18n.Printer) error {
	a := &answer{tone: toneInfo, text: p.T(i18n.AuditPlanEmpty)}
	if len(held) > 0 && len(plan.Actions) > 0 {
		full, err := planAnswer(p, plan, house.names(ctx, membersIn(plan)))
		if err != nil {
			return err
		}
		a, a.card = full, nil
		a.text = p.T(i18n.AuditPlanHeld, i18n.Args{"By": holdWords(p, held)})
		a.fields = append(a.fields, field{name: p.T(i18n.FrameCure), value: heldCure(p, held)})
	}
	a.title = p.T(i18n.AuditPlanTitle, i18n.Args{"Run": run.ID})
	if _, counts, err := reconcile.RunLineOf(run); err == nil && counts.Unbound > 0 {
		a.fields = append(a.fields, field{name: p.T(i18n.AckUnbound), value: p.N(i18n.AckUnboundText, counts.Unbound)})
	}
	m := a.message()
	m.Content = p.T(i18n.AuditCardFor, i18n.Args{"Invoker": whoWords(run.Order.Actor)})
	_, err := house.REST.CreateMessage(house.AdminChannel, m, rest.WithCtx(ctx))
	return err
}
